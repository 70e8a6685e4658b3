// The tables in the heads of esxi.h, macvlan.h and sriov.h, row by row.
#include "switching/registered.h"

#include <gtest/gtest.h>

#include "switching/ovs.h"
#include "switching/teaming.h"

namespace sekimori::switching {
namespace {

using model::BridgeKind;
using model::MacvlanMode;
using model::PortRole;
using enum Destination;

constexpr PortRole kHostPort = PortRole::kHost, kGuestPort = PortRole::kGuest, kWire = PortRole::kUplink,
                   kCable = PortRole::kNetwork;

// ---------------------------------------------------------------- ESXi, Hyper-V

TEST(Esxi, Table) {
  struct Row {
    PortRole in, out;
    Destination destination;
    bool relays;
  };
  constexpr Row kRows[] = {
      {kGuestPort, kGuestPort, kThisGuest, true},
      {kGuestPort, kGuestPort, kOtherGuest, false},
      {kGuestPort, kGuestPort, kElsewhere, false},
      {kGuestPort, kGuestPort, kGroup, true},
      {kGuestPort, kWire, kOtherGuest, false},  // never leaves the machine
      {kGuestPort, kWire, kTheHost, false},
      {kGuestPort, kWire, kElsewhere, true},
      {kGuestPort, kWire, kGroup, true},
      {kGuestPort, kHostPort, kTheHost, true},
      {kHostPort, kGuestPort, kThisGuest, true},
      {kHostPort, kWire, kOtherGuest, false},  // no leak
      {kHostPort, kWire, kElsewhere, true},
      {kWire, kGuestPort, kThisGuest, true},
      {kWire, kGuestPort, kElsewhere, false},  // dropped
      {kWire, kHostPort, kElsewhere, false},
      {kWire, kGuestPort, kGroup, true},
      {kWire, kWire, kElsewhere, false},  // never from uplink to uplink
      {kWire, kWire, kGroup, false},
  };
  for (const BridgeKind kind : {BridgeKind::kEsxi, BridgeKind::kHyperV}) {
    for (const Row& row : kRows)
      EXPECT_EQ(relays({.kind = kind}, {row.in, row.out, row.destination}), row.relays) << &row - kRows;
  }
}

TEST(Esxi, WhatComesBackIsDropped) {
  Passage passage{kWire, kGuestPort, kGroup};
  EXPECT_TRUE(esxi_relays(passage));
  passage.reflected = true;
  EXPECT_FALSE(esxi_relays(passage));
}

TEST(Esxi, PoliciesDecideWhatABridgingGuestHearsAndSends) {
  model::Bridge bridge;
  model::Port port;
  port.role = kGuestPort;
  bridge.kind = BridgeKind::kEsxi;
  port.forged_transmits = false;
  EXPECT_EQ(hears(bridge.kind, port, true), Hearing::kItsOwn);
  EXPECT_TRUE(refuses_source(bridge.kind, port, false));
  EXPECT_FALSE(refuses_source(bridge.kind, port, true));
  port.promiscuous = port.forged_transmits = true;
  EXPECT_EQ(hears(bridge.kind, port, true), Hearing::kEverything);
  EXPECT_EQ(hears(bridge.kind, port, false), Hearing::kItsOwn);  // the NIC does not ask for it
  EXPECT_FALSE(refuses_source(bridge.kind, port, false));
}

TEST(HyperV, SpoofingBringsUnknownUnicastToo) {
  model::Port port;
  port.role = kGuestPort;
  port.forged_transmits = true;
  const Hearing hearing = hears(BridgeKind::kHyperV, port, true);
  EXPECT_EQ(seen_from(kElsewhere, false, hearing), kThisGuest);
  EXPECT_EQ(seen_from(kOtherGuest, false, hearing), kOtherGuest);
  port.forged_transmits = false;
  EXPECT_EQ(seen_from(kElsewhere, false, hears(BridgeKind::kHyperV, port, true)), kElsewhere);
}

// ---------------------------------------------------------------- macvlan

// For each mode: does it leave?
TEST(Macvlan, Table) {
  struct Row {
    PortRole in, out;
    Destination destination;
    bool bridge, vepa, private_, passthru;
  };
  constexpr Row kRows[] = {
      {kGuestPort, kGuestPort, kThisGuest, true, false, false, false},
      {kGuestPort, kGuestPort, kGroup, true, false, false, false},
      {kGuestPort, kGuestPort, kElsewhere, false, false, false, false},
      {kGuestPort, kWire, kOtherGuest, false, true, true, true},
      {kGuestPort, kWire, kGroup, true, true, true, true},
      {kGuestPort, kWire, kElsewhere, true, true, true, true},
      {kGuestPort, kWire, kTheHost, true, true, true, true},
      {kGuestPort, kHostPort, kTheHost, false, false, false, false},  // host and guest never meet
      {kGuestPort, kHostPort, kGroup, false, false, false, false},
      {kHostPort, kGuestPort, kThisGuest, false, false, false, false},
      {kHostPort, kGuestPort, kGroup, false, false, false, false},
      {kHostPort, kWire, kOtherGuest, true, true, true, true},
      {kHostPort, kWire, kGroup, true, true, true, true},
      {kWire, kGuestPort, kThisGuest, true, true, true, true},
      {kWire, kGuestPort, kGroup, true, true, true, true},
      {kWire, kGuestPort, kElsewhere, false, false, false, true},  // the guest has the NIC to itself
      {kWire, kHostPort, kTheHost, true, true, true, false},
      {kWire, kHostPort, kElsewhere, true, true, true, false},
      {kWire, kHostPort, kOtherGuest, false, false, false, false},
      {kWire, kHostPort, kGroup, true, true, true, true},
  };
  for (const Row& row : kRows) {
    const Passage passage{row.in, row.out, row.destination};
    EXPECT_EQ(macvlan_relays(passage, MacvlanMode::kBridge), row.bridge) << &row - kRows;
    EXPECT_EQ(macvlan_relays(passage, MacvlanMode::kVepa), row.vepa) << &row - kRows;
    EXPECT_EQ(macvlan_relays(passage, MacvlanMode::kPrivate), row.private_) << &row - kRows;
    EXPECT_EQ(macvlan_relays(passage, MacvlanMode::kPassthru), row.passthru) << &row - kRows;
  }
}

TEST(Macvlan, BroadcastsThatASwitchSendsBack) {
  const auto guest = [](MacvlanMode mode, bool its_own) {
    return macvlan_relays({kWire, kGuestPort, kGroup, true, its_own}, mode);
  };
  EXPECT_FALSE(guest(MacvlanMode::kBridge, false));  // saw it on its way out
  EXPECT_TRUE(guest(MacvlanMode::kVepa, false));
  EXPECT_FALSE(guest(MacvlanMode::kVepa, true));
  EXPECT_FALSE(guest(MacvlanMode::kPrivate, false));
  EXPECT_TRUE(guest(MacvlanMode::kPrivate, true));
  EXPECT_TRUE(macvlan_relays({kWire, kHostPort, kGroup, true}, MacvlanMode::kVepa));
  EXPECT_FALSE(macvlan_relays({kWire, kHostPort, kGroup, true}, MacvlanMode::kPrivate));
  // Unicast is delivered in every mode.
  EXPECT_TRUE(macvlan_relays({kWire, kGuestPort, kThisGuest, true}, MacvlanMode::kPrivate));
}

// ---------------------------------------------------------------- SR-IOV

TEST(Sriov, Table) {
  struct Row {
    PortRole in, out;
    Destination destination;
    bool relays;
  };
  constexpr Row kRows[] = {
      {kGuestPort, kGuestPort, kThisGuest, true},
      {kGuestPort, kWire, kOtherGuest, false},
      {kGuestPort, kWire, kElsewhere, true},
      {kGuestPort, kCable, kElsewhere, false},  // a guest on a bridge on the PF is not in the table
      {kGuestPort, kCable, kTheHost, true},     // unless somebody adds it
      {kGuestPort, kWire, kTheHost, false},
      {kGuestPort, kCable, kGroup, true},
      {kGuestPort, kWire, kGroup, true},
      {kCable, kGuestPort, kThisGuest, true},
      {kCable, kWire, kOtherGuest, false},  // and what that guest answers stays inside
      {kCable, kWire, kElsewhere, true},
      {kWire, kCable, kElsewhere, true},
      {kWire, kHostPort, kElsewhere, true},
      {kWire, kGuestPort, kThisGuest, true},
      {kWire, kGuestPort, kElsewhere, false},
      {kWire, kWire, kElsewhere, false},
  };
  for (const Row& row : kRows)
    EXPECT_EQ(sriov_relays({row.in, row.out, row.destination}), row.relays) << &row - kRows;
}

// ---------------------------------------------------------------- teams

TEST(Teaming, WhatDecides) {
  using model::Teaming;
  const model::Mac even{0x02'0000'000002}, odd{0x02'0000'000003};
  EXPECT_EQ(choose_uplink(Teaming::kPortId, {4, odd}, 2), 0u);
  EXPECT_EQ(choose_uplink(Teaming::kPortId, {5, even}, 2), 1u);
  EXPECT_EQ(choose_uplink(Teaming::kMacHash, {5, even}, 2), 0u);
  EXPECT_EQ(choose_uplink(Teaming::kMacHash, {4, odd}, 2), 1u);
  EXPECT_EQ(choose_uplink(Teaming::kFailover, {5, odd}, 2), 0u);
  // One NIC, two peers, two uplinks; and another for its ARP.
  EXPECT_EQ(choose_uplink(Teaming::kIpHash, {0, odd, 0x0a000001, 0x0a000003}, 2), 0u);
  EXPECT_EQ(choose_uplink(Teaming::kIpHash, {0, odd, 0x0a000001, 0x0a000002}, 2), 1u);
  EXPECT_EQ(choose_uplink(Teaming::kIpHash, {0, odd}, 2), 1u);
  EXPECT_EQ(choose_uplink(Teaming::kIpHash, {0, odd}, 1), 0u);  // the other one is down
}

// ---------------------------------------------------------------- Open vSwitch

TEST(Ovs, TheFirstRuleThatMatchesDecides) {
  const model::Mac gateway{0x02'0000'000001}, other{0x02'0000'000002};
  const model::PortId wire(0u), patch(1u);
  model::Bridge bridge;
  bridge.flow_rules = {
      {.in = wire, .destination = gateway, .type = model::FlowRuleType::kArp, .out = {patch}},
      {.in = wire, .destination = gateway, .out = {patch}, .normal = true}};
  EXPECT_EQ(match_rule(bridge, wire, gateway, true), &bridge.flow_rules[0]);
  EXPECT_EQ(match_rule(bridge, wire, gateway, false), &bridge.flow_rules[1]);
  EXPECT_EQ(match_rule(bridge, wire, other, true), nullptr);
  EXPECT_EQ(match_rule(bridge, patch, gateway, true), nullptr);
}

}  // namespace
}  // namespace sekimori::switching
