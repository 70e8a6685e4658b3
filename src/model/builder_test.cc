#include "model/builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "wire/mac.h"

namespace sekimori::model {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class BuilderTest : public testing::Test {
 protected:
  StationId add_nic(MachineId machine, const char* name, std::optional<Ipv4Prefix> ip = {}) {
    const StationId id = build.add_station(machine, name, std::nullopt, MacOrigin::kAllocated).value();
    if (ip) build.model()[id].ip = *ip;
    return id;
  }
  // A host with a bridge over eth0, and a guest on it.
  void build_host() {
    host = build.add_machine("host", MachineKind::kHost).value();
    eth0 = add_nic(host, "eth0", Ipv4Prefix{{0x0a000001}, 24});
    bridge = build.add_bridge("br0", BridgeKind::kLinuxBridge, host).value();
    uplink = build.enslave(eth0, bridge).value();
    guest = build.add_machine("guest", MachineKind::kGuest, host).value();
    net0 = add_nic(guest, "net0", Ipv4Prefix{{0x0a000009}, 24});
    guest_port = build.attach(net0, bridge, PortRole::kGuest).value();
  }

  Builder build;
  MachineId host, guest;
  StationId eth0, net0;
  BridgeId bridge;
  PortId uplink, guest_port;
};

TEST_F(BuilderTest, MachinesAndGearShareOneNameSpace) {
  ASSERT_TRUE(build.add_machine("a", MachineKind::kHost));
  EXPECT_THAT(build.add_machine("a", MachineKind::kRouter).error().what, HasSubstr("'a' is used twice"));
  EXPECT_FALSE(build.add_bridge("a", BridgeKind::kSwitch));
  ASSERT_TRUE(build.add_bridge("s", BridgeKind::kSwitch));
  EXPECT_FALSE(build.add_machine("s", MachineKind::kHost));
}

TEST_F(BuilderTest, VirtualSwitchesAreNamedWithinTheirMachine) {
  const MachineId a = build.add_machine("a", MachineKind::kHost).value();
  const MachineId b = build.add_machine("b", MachineKind::kHost).value();
  const BridgeId one = build.add_bridge("br0", BridgeKind::kHub, a).value();
  const BridgeId two = build.add_bridge("br0", BridgeKind::kHub, b).value();
  EXPECT_FALSE(build.add_bridge("br0", BridgeKind::kHub, a));
  EXPECT_EQ(build.find_bridge(a, "br0"), one);
  EXPECT_EQ(build.find_bridge(b, "br0"), two);
  EXPECT_FALSE(build.find_bridge({}, "br0").valid());
}

// What was plugged into the uplink is plugged into the bridge of its VLAN devices, which has the uplink above
// it.
TEST_F(BuilderTest, VlanDevicesOfAnUplinkAreBelowItsBridge) {
  for (const bool is_used : {false, true}) {
    build = Builder();
    host = build.add_machine("host", MachineKind::kHost).value();
    eth0 = add_nic(host, "eth0", is_used ? std::optional(Ipv4Prefix{{0x0a000001}, 24}) : std::nullopt);
    const StationId device = add_nic(host, "eth0.10", Ipv4Prefix{{0x0a000a01}, 24});
    bridge = build.add_bridge("br0", BridgeKind::kLinuxBridge, host).value();
    ASSERT_TRUE(build.add_bridge("eth0.vlans", BridgeKind::kHub, host)) << "the name may be taken";
    uplink = build.enslave(eth0, bridge).value();
    const BridgeId outside = build.add_bridge("sw", BridgeKind::kSwitch).value();
    const PortId port = build.bridge_port(outside, "1");
    ASSERT_TRUE(build.connect(build.wire_port(eth0), port, {}));
    const Model m = std::move(build).finish();

    const BridgeId below = m[peer(m, port)].bridge;
    EXPECT_EQ(m[below].kind, BridgeKind::kVlanDevices);
    EXPECT_EQ(m[below].name, "eth0.vlans2");
    EXPECT_EQ(m[peer(m, uplink)].bridge, below);
    EXPECT_EQ(m[peer(m, m[device].port)].bridge, below);
    EXPECT_EQ(m[device].mac, m[eth0].mac);
    EXPECT_THAT(m[below].ports, SizeIs(3));
    const PortId own = peer(m, m[eth0].port);
    EXPECT_EQ(own.valid() ? m[own].bridge : BridgeId(), is_used ? bridge : BridgeId());
    EXPECT_THAT(m[bridge].ports, SizeIs(is_used ? 2 : 1));
    EXPECT_FALSE(carries(m, peer(m, uplink), 10));
    EXPECT_TRUE(carries(m, peer(m, uplink), 20));
  }
}

// On what takes the NIC's frames in another way they stay.
TEST_F(BuilderTest, VlanDevicesOfOtherUplinksStay) {
  host = build.add_machine("host", MachineKind::kHost).value();
  eth0 = add_nic(host, "vmnic0");
  add_nic(host, "vmnic0.10", Ipv4Prefix{{0x0a000a01}, 24});
  bridge = build.add_bridge("vs0", BridgeKind::kEsxi, host).value();
  uplink = build.enslave(eth0, bridge).value();
  const Model m = std::move(build).finish();
  EXPECT_THAT(m.bridges, SizeIs(1));
  EXPECT_THAT(m[bridge].ports, SizeIs(2));
}

TEST_F(BuilderTest, FindsEachOfManyNames) {
  for (int i = 0; i < 3000; ++i) {
    const MachineId id = build.add_machine("m" + std::to_string(i), MachineKind::kHost).value();
    add_nic(id, "eth0");
    add_nic(id, "eth1");
  }
  for (int i = 0; i < 3000; ++i) {
    const MachineId id = build.find_machine("m" + std::to_string(i));
    ASSERT_EQ(id.index(), static_cast<std::size_t>(i));
    ASSERT_EQ(build.find_station(id, "eth1").index(), static_cast<std::size_t>(2 * i + 1));
  }
  EXPECT_FALSE(build.find_machine("m3000").valid());
  EXPECT_FALSE(build.find_station(MachineId(0u), "eth2").valid());
}

TEST_F(BuilderTest, PortsAreMadeOnce) {
  const BridgeId s = build.add_bridge("s", BridgeKind::kSwitch).value();
  const PortId one = build.bridge_port(s, "1");
  EXPECT_EQ(build.bridge_port(s, "1"), one);
  EXPECT_NE(build.bridge_port(s, "2"), one);
  EXPECT_NE(build.bridge_port(s, ""), build.bridge_port(s, "")) << "unnamed ports are always new";
}

TEST_F(BuilderTest, AnUplinkSplitsTheNic) {
  build_host();
  const Model& m = build.model();
  EXPECT_EQ(m[uplink].role, PortRole::kUplink);
  EXPECT_EQ(build.wire_port(eth0), uplink);
  EXPECT_EQ(m[peer(m, m[eth0].port)].role, PortRole::kHost);
  EXPECT_FALSE(m[peer(m, m[eth0].port)].floods_unknown) << "a Linux bridge does not flood to itself";
  EXPECT_THAT(build.enslave(eth0, bridge).error().what, HasSubstr("already the uplink of host/br0"));
  const BridgeId s = build.add_bridge("s", BridgeKind::kSwitch).value();
  ASSERT_TRUE(build.connect(build.wire_port(eth0), build.bridge_port(s, "1"), {}));
  EXPECT_EQ(peer(m, uplink), build.bridge_port(s, "1"));
}

TEST_F(BuilderTest, AnUnusedUplinkHasNoHostPort) {
  const MachineId h = build.add_machine("h", MachineKind::kHost).value();
  const StationId nic = add_nic(h, "eth0");
  const BridgeId br = build.add_bridge("br", BridgeKind::kLinuxBridge, h).value();
  ASSERT_TRUE(build.enslave(nic, br));
  EXPECT_THAT(build.model()[br].ports, SizeIs(1));
  EXPECT_FALSE(build.model()[build.model()[nic].port].link.valid());
}

TEST_F(BuilderTest, VlanNicsShareThePortAndTheMac) {
  const MachineId h = build.add_machine("h", MachineKind::kHost).value();
  const StationId vlan = add_nic(h, "eth0.10"), plain = add_nic(h, "eth0");
  EXPECT_EQ(build.model()[vlan].port, build.model()[plain].port);
  EXPECT_EQ(build.model()[vlan].vlan, 10);
  EXPECT_FALSE(build.add_station(h, "eth0", std::nullopt, MacOrigin::kAllocated));
  EXPECT_FALSE(build.add_station(h, "eth0.4095", std::nullopt, MacOrigin::kAllocated));
  build.allocate_macs();
  EXPECT_EQ(build.model()[vlan].mac, build.model()[plain].mac);
}

TEST_F(BuilderTest, APortTakesOneLink) {
  const BridgeId s = build.add_bridge("s", BridgeKind::kSwitch).value();
  const PortId a = build.bridge_port(s, "1"), b = build.bridge_port(s, "2"), c = build.bridge_port(s, "3");
  EXPECT_FALSE(build.connect(a, a, {}));
  ASSERT_TRUE(build.connect(a, b, {}));
  EXPECT_THAT(build.connect(c, b, {}).error().what,
              HasSubstr("s:2 is used twice; it is already in the link s:1 - s:2"));
}

TEST_F(BuilderTest, AllocatedMacsAvoidWrittenOnes) {
  const MachineId a = build.add_machine("a", MachineKind::kHost).value();
  add_nic(a, "eth0");
  build.allocate_macs();
  const Mac first = build.model().stations[0].mac;

  Builder again;
  const MachineId b = again.add_machine("b", MachineKind::kHost).value();
  ASSERT_TRUE(again.add_station(b, "eth0", first, MacOrigin::kDeclared));
  const MachineId a2 = again.add_machine("a", MachineKind::kHost).value();
  ASSERT_TRUE(again.add_station(a2, "eth0", std::nullopt, MacOrigin::kAllocated));
  again.allocate_macs();
  EXPECT_NE(again.model().stations[1].mac, first);
  EXPECT_TRUE(again.model().stations[1].mac.is_local());
  EXPECT_FALSE(again.model().stations[1].mac.is_group());
}

TEST_F(BuilderTest, AClonBringsItsAddressesAndPortSettings) {
  build_host();
  EXPECT_THAT(build.clone(guest, "copy", {}).error().what, HasSubstr("must have its MACs"));
  build.allocate_macs();
  build.model()[guest_port].isolated = true;
  build.model()[guest_port].pvid = 7;
  const MachineId copy = build.clone(guest, "copy2", {}).value();
  const Model& m = build.model();
  EXPECT_FALSE(m[copy].running);
  EXPECT_EQ(m[copy].clone_of, guest);
  const StationId twin = m[copy].stations.at(0);
  EXPECT_EQ(m[twin].mac, m[net0].mac);
  EXPECT_EQ(m[twin].ip, m[net0].ip);
  const PortId port = peer(m, m[twin].port);
  EXPECT_EQ(m[port].bridge, bridge);
  EXPECT_TRUE(m[port].isolated);
  EXPECT_EQ(m[port].pvid, 7);
  EXPECT_FALSE(build.clone(host, "x", {})) << "only guests";
  EXPECT_FALSE(build.clone(guest, "host", {})) << "the name is taken";
}

TEST_F(BuilderTest, AMoveIsReadyAndDown) {
  build_host();
  const MachineId other = build.add_machine("other", MachineKind::kHost).value();
  const BridgeId there = build.add_bridge("br0", BridgeKind::kLinuxBridge, other).value();
  build.model()[guest_port].pvid = 9;
  const auto moves = build.prepare_move(guest, there, 12).value();
  ASSERT_THAT(moves, SizeIs(1));
  const Model& m = build.model();
  const auto [nic, port] = moves[0];
  EXPECT_EQ(nic, net0);
  EXPECT_NE(port, m[net0].port);
  EXPECT_EQ(m[port].station, net0);
  EXPECT_FALSE(m[m[port].link].up);
  EXPECT_EQ(m[m[port].link].line, 12u);
  EXPECT_EQ(m[peer(m, port)].bridge, there);
  EXPECT_EQ(m[peer(m, port)].pvid, 9);
  EXPECT_EQ(m[peer(m, port)].role, PortRole::kGuest);
}

TEST_F(BuilderTest, VlanSetsAndStormControlsAreShared) {
  VlanSet set;
  EXPECT_EQ(build.intern(set), 0u);
  set.set(10);
  EXPECT_EQ(build.intern(set), build.intern(set));
  EXPECT_EQ(build.intern(StormControl{}), 0u);
  EXPECT_EQ(build.intern(StormControl{base::mbit(1), {}, {}}),
            build.intern(StormControl{base::mbit(1), {}, {}}));
}

TEST_F(BuilderTest, FinishSortsChangesAndKeepsTies) {
  build_host();
  for (const int at : {3, 1, 3, 2}) {
    build.model().changes.push_back(
        {base::seconds(at), StopMachine{guest}, static_cast<SourceLine>(build.model().changes.size())});
  }
  const Model m = std::move(build).finish();
  std::vector<SourceLine> lines;
  for (const Change& change : m.changes) lines.push_back(change.line);
  EXPECT_THAT(lines, testing::ElementsAre(1, 3, 0, 2));
  ASSERT_THAT(m[bridge].static_entries, SizeIs(1)) << "the bridge's own address";
  EXPECT_EQ(m[bridge].static_entries[0].mac, m[eth0].mac);
}

}  // namespace
}  // namespace sekimori::model
