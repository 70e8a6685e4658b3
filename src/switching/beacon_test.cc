#include "switching/beacon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/builder.h"

namespace sekimori::switching {
namespace {

using model::Mac;
using model::PortId;
using model::PortRole;
using testing::ElementsAre;

constexpr std::uint16_t kVlan = 1;

struct Host {
  model::Builder build;
  model::BridgeId bridge;
  model::MachineId guest;

  explicit Host(int nics) {
    const auto machine = build.add_machine("esx", model::MachineKind::kHost).value();
    const auto outside = build.add_bridge("sw", model::BridgeKind::kSwitch).value();
    bridge = build.add_bridge("vs0", model::BridgeKind::kEsxi, machine).value();
    model().vlan_aware = model().beacon_probing = true;
    for (int i = 0; i < nics; ++i) {
      const auto nic = station(machine, "vmnic" + std::to_string(i));
      EXPECT_TRUE(build.enslave(nic, bridge));
      EXPECT_TRUE(build.connect(build.wire_port(nic), build.bridge_port(outside, std::to_string(i)), {}));
    }
    guest = build.add_machine("vm", model::MachineKind::kGuest, machine).value();
    plug(0);
  }
  model::Bridge& model() { return build.model()[bridge]; }
  model::StationId station(model::MachineId machine, const std::string& name) {
    const auto number = static_cast<std::uint64_t>(build.model().stations.size());
    return build.add_station(machine, name, Mac{0x0200'0000'0010 + number}, model::MacOrigin::kDeclared)
        .value();
  }
  // One more port group; VLAN 0: the default one.
  model::Port& plug(std::uint16_t vlan) {
    const auto nic = station(guest, "net" + std::to_string(build.model().stations.size()));
    model::Port& port = build.model()[build.attach(nic, bridge, PortRole::kGuest).value()];
    if (vlan != 0) port.pvid = vlan;
    return port;
  }
  Beacons start() {
    return {build.model(), model(), [](PortId) { return true; }};
  }
};

// One interval in which the uplinks of each set hear each other.
bool interval(Beacons& beacons, const std::vector<std::vector<std::size_t>>& sets,
              std::uint16_t vlan = kVlan) {
  const bool changed = beacons.end_interval();
  const auto uplinks = beacons.uplinks();
  for (const auto& set : sets) {
    for (const std::size_t from : set) {
      for (const std::size_t to : set) {
        if (from != to) beacons.hear(uplinks[to], vlan, beacon_address(uplinks[from]));
      }
    }
  }
  return changed;
}

std::vector<bool> usable(const Beacons& beacons, std::uint16_t vlan = kVlan) {
  std::vector<bool> out;
  for (const PortId uplink : beacons.uplinks()) out.push_back(beacons.is_usable(uplink, vlan));
  return out;
}

TEST(Beacons, ThreeMissedInARowAreOneUplinkLost) {
  Host host(3);
  Beacons beacons = host.start();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(interval(beacons, {{0, 1, 2}}));
  // Its last is heard in the fifth interval; the sixth, seventh and eighth are missed.
  EXPECT_FALSE(interval(beacons, {{1, 2}}));
  EXPECT_FALSE(interval(beacons, {{1, 2}}));
  EXPECT_FALSE(interval(beacons, {{1, 2}}));
  EXPECT_THAT(usable(beacons), ElementsAre(true, true, true));
  EXPECT_TRUE(interval(beacons, {{1, 2}}));
  EXPECT_THAT(usable(beacons), ElementsAre(false, true, true));
  EXPECT_FALSE(beacons.is_shotgun(kVlan));
  EXPECT_TRUE(beacons.is_bad(beacons.uplinks()[0], kVlan));
  EXPECT_FALSE(interval(beacons, {{1, 2}})) << "told once";
  // The first that comes in makes it good again.
  interval(beacons, {{0, 1}});
  EXPECT_THAT(usable(beacons), ElementsAre(true, true, true));
}

// Near miss: one in three is enough.
TEST(Beacons, TwoMissedAreNone) {
  Host host(3);
  Beacons beacons = host.start();
  for (int i = 0; i < 30; ++i) {
    EXPECT_FALSE(i % 3 == 0 ? interval(beacons, {{0, 1, 2}}) : interval(beacons, {})) << i;
    EXPECT_THAT(usable(beacons), ElementsAre(true, true, true));
  }
}

// Nothing can have been heard before the first were sent.
TEST(Beacons, NoneIsLostAtTheBeginning) {
  Host host(3);
  Beacons beacons = host.start();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(interval(beacons, {})) << i;
  EXPECT_FALSE(beacons.is_shotgun(kVlan));
  EXPECT_TRUE(interval(beacons, {}));
  EXPECT_TRUE(beacons.is_shotgun(kVlan));
}

// Of n uplinks n - 2 may fail; then nobody can tell, and all are used.
TEST(Beacons, WhenNobodyHearsAllAreUsed) {
  Host host(4);
  Beacons beacons = host.start();
  for (int i = 0; i < 5; ++i) interval(beacons, {{2, 3}});
  EXPECT_THAT(usable(beacons), ElementsAre(false, false, true, true));
  EXPECT_FALSE(beacons.is_shotgun(kVlan));
  for (int i = 0; i < 4; ++i) interval(beacons, {{0}, {1}, {2}, {3}});
  EXPECT_TRUE(beacons.is_shotgun(kVlan));
  EXPECT_THAT(usable(beacons), ElementsAre(true, true, true, true));
  // A link that is down is none to shoot with, and of one link there is no doubt.
  for (const int down : {0, 1}) beacons.set_carrier(beacons.uplinks()[static_cast<std::size_t>(down)], false);
  EXPECT_THAT(usable(beacons), ElementsAre(false, false, true, true));
  EXPECT_TRUE(beacons.is_shotgun(kVlan));
  beacons.set_carrier(beacons.uplinks()[2], false);
  EXPECT_FALSE(beacons.is_shotgun(kVlan));
  EXPECT_THAT(usable(beacons), ElementsAre(false, false, false, true));
}

// With nobody else up there is nothing to miss, so the others find it good when they come back.
TEST(Beacons, TheLastLinkMissesNothing) {
  Host host(2);
  Beacons beacons = host.start();
  beacons.set_carrier(beacons.uplinks()[1], false);
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(interval(beacons, {}));
  beacons.set_carrier(beacons.uplinks()[1], true);
  EXPECT_THAT(usable(beacons), ElementsAre(true, true));
  EXPECT_FALSE(beacons.is_shotgun(kVlan));
}

// A link that comes up has three intervals to show itself.
TEST(Beacons, ALinkThatComesUpIsGood) {
  Host host(3);
  Beacons beacons = host.start();
  for (int i = 0; i < 5; ++i) interval(beacons, {{1, 2}});
  beacons.set_carrier(beacons.uplinks()[0], false);
  beacons.set_carrier(beacons.uplinks()[0], true);
  EXPECT_THAT(usable(beacons), ElementsAre(true, true, true));
  for (int i = 0; i < 4; ++i) interval(beacons, {{1, 2}});
  EXPECT_THAT(usable(beacons), ElementsAre(false, true, true));
}

// Each VLAN by itself: one that is missing on a trunk is lost there, and no other is.
TEST(Beacons, EachVlanIsProbed) {
  Host host(3);
  host.plug(10);
  host.plug(10);
  host.plug(30);
  Beacons beacons = host.start();
  EXPECT_THAT(std::vector(beacons.vlans().begin(), beacons.vlans().end()), ElementsAre(1, 10, 30));
  for (int i = 0; i < 5; ++i) {
    interval(beacons, {{0, 1, 2}});
    const auto uplinks = beacons.uplinks();
    beacons.hear(uplinks[1], 10, beacon_address(uplinks[2]));
    beacons.hear(uplinks[2], 10, beacon_address(uplinks[1]));
  }
  EXPECT_THAT(usable(beacons, 1), ElementsAre(true, true, true));
  EXPECT_THAT(usable(beacons, 10), ElementsAre(false, true, true));
  EXPECT_TRUE(beacons.is_shotgun(30)) << "which nobody carries";
  EXPECT_FALSE(beacons.is_shotgun(77));
  EXPECT_THAT(usable(beacons, 77), ElementsAre(true, true, true)) << "which is not in use";
}

TEST(Beacons, AHundredVlansAtMost) {
  Host host(2);
  model::VlanSet many;
  for (std::size_t vlan = 200; vlan < 1200; ++vlan) many.set(vlan);
  model::Port& trunk = host.plug(5);
  trunk.tagged_vlans = host.build.intern(many);
  Beacons beacons = host.start();
  ASSERT_EQ(beacons.vlans().size(), kMostBeaconVlans);
  EXPECT_EQ(beacons.vlans()[0], 1);
  EXPECT_EQ(beacons.vlans()[1], 5);
  EXPECT_EQ(beacons.vlans().back(), 297);
  for (int i = 0; i < 5; ++i) interval(beacons, {});
  EXPECT_FALSE(beacons.is_shotgun(298));
}

// What comes back to the uplink that sent it says nothing of the others.
TEST(Beacons, ItsOwnIsNoNews) {
  Host host(2);
  Beacons beacons = host.start();
  const auto uplinks = beacons.uplinks();
  for (int i = 0; i < 4; ++i) {
    interval(beacons, {});
    for (const PortId uplink : uplinks) beacons.hear(uplink, kVlan, beacon_address(uplink));
  }
  EXPECT_TRUE(beacons.is_shotgun(kVlan));
  EXPECT_TRUE(beacons.is_own(beacon_address(uplinks[0])));
  EXPECT_FALSE(beacons.is_own(Mac{0x0200'0000'0010}));
}

TEST(Beacons, OneUplinkHasNobodyToHear) {
  EXPECT_TRUE(probes_with_beacons(Host(2).build.model(), Host(2).model()));
  Host one(1);
  EXPECT_FALSE(probes_with_beacons(one.build.model(), one.model()));
  Host off(2);
  off.model().beacon_probing = false;
  EXPECT_FALSE(probes_with_beacons(off.build.model(), off.model()));
}

}  // namespace
}  // namespace sekimori::switching
