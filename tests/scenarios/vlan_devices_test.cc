// VLAN devices below a bridge (switching/vlan_devices.h): what is theirs, what is the bridge's, and who is
// cut off.
#include <fmt/format.h>

#include "structural.h"

namespace sekimori::scenarios {
namespace {

// A host with an address in VLAN 10, and guests on its bridge in VLANs 1 and `vlan`; outside a peer in each.
std::string host(std::string_view kind, int vlan, std::string_view nic = "eth0") {
  return fmt::format(R"(
hosts:
  srv:
    nics: {{eth0: {{}}, {2}.10: 10.0.10.1/24}}
    BONDS
    switches: {{br0: {{{0}, uplinks: [{2}], ports: {{{2}: {{trunk: [10, 20], native: 1}}}}}}}}
    guests:
      vm: {{nics: {{net0: {{on: br0, access: 1, ip: 10.0.0.5/24}}}}}}
      vn: {{nics: {{net0: {{on: br0, access: {1}, ip: 10.0.{1}.5/24}}}}}}
  a: {{nics: {{eth0: 10.0.0.2/24}}}}
  b: {{nics: {{eth0: 10.0.10.2/24}}}}
  c: {{nics: {{eth0: 10.0.20.2/24}}}}
switches: {{sw: {{ports: {{1: {{trunk: [10, 20], native: 1}}, 3: {{access: 10}}, 4: {{access: 20}}}}}}}}
links: [[srv:eth0, sw:1], [a:eth0, sw:2], [b:eth0, sw:3], [c:eth0, sw:4]]
traffic:
  - {{from: a, to: vm, kind: ping, every: 10ms}}
  - {{from: b, to: srv, kind: ping, every: 10ms}}
)",
                     kind, vlan, nic);
}
std::string plain(std::string yaml) { return with(yaml, "    BONDS\n", ""); }
constexpr std::string_view kBridge = "kind: linux-bridge, vlan-aware: on";

constexpr std::string_view kToGuest =
    "\n  - {from: b, to: vn, kind: ping, every: 10ms}"
    "\n  - {from: vn, to: b, kind: udp, every: 10ms}\n";

TEST(VlanDevices, GuestsInTheirVlanAreCutOff) {
  for (const std::string_view kind : {kBridge, std::string_view("kind: ovs")}) {
    const model::Model m = site(plain(host(kind, 10)) + std::string(kToGuest.substr(1)));
    const auto f = told(m, Code::kVlanMismatch);
    ASSERT_TRUE(f) << kind;
    EXPECT_EQ(f->severity, Severity::kError);
    EXPECT_EQ(f->where, "srv/br0");
    EXPECT_TRUE(says(*f, "vn:net0 is cut off: eth0.10 takes what comes in for VLAN 10")) << f->headline;
    EXPECT_EQ(how_often(m, Code::kVlanMismatch), 1u);
    EXPECT_FALSE(told(m, Code::kVlanLeak));
    EXPECT_FALSE(told(m, Code::kLoop));

    const auto run = play(m, base::seconds(10));
    EXPECT_GT(run.flows[0].answered, 990) << "VLAN 1 is the bridge's";
    EXPECT_GT(run.flows[1].answered, 990) << "VLAN 10 the host's";
    EXPECT_EQ(run.flows[2].answered, 0);
    EXPECT_EQ(run.flows[3].delivered_frames, 0) << "it never learns where b is";
    // Its own question is heard outside, and the answer comes to nothing.
    EXPECT_GT(lane_from(m, run.lanes, "b:eth0").frames, 1000);
    EXPECT_LT(lane_from(m, run.lanes, "srv/br0(vn:net0)").frames, 5);
  }
}

// Near miss: another VLAN, and the VLAN on the bridge's own interface.
TEST(VlanDevices, OtherVlansAreTheBridges) {
  const std::string traffic = "\n  - {from: c, to: vn, kind: ping, every: 10ms}\n";
  const model::Model m = site(plain(host(kBridge, 20)) + traffic.substr(1));
  EXPECT_FALSE(told(m, Code::kVlanMismatch));
  EXPECT_FALSE(told(m, Code::kVlanLeak));
  const auto run = play(m, base::seconds(10));
  for (const std::size_t flow : {0, 1, 2}) EXPECT_GT(run.flows[flow].answered, 990) << flow;
  EXPECT_TRUE(run.loops.empty());
  EXPECT_EQ(find(diagnose(m), Code::kFloodNoLearning), nullptr);
}

// The bridge is not VLAN-aware, and its guest sends tags itself.
TEST(VlanDevices, ABridgeWithoutVlansGetsNoneOfThemEither) {
  const std::string text = R"(
hosts:
  srv:
    nics: {eth0: {}, eth0.10: 10.0.10.1/24}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0], ip: 10.0.0.1/24}}
    guests: {vm: {nics: {net0: {on: br0}, net0.VID: 10.0.10.5/24}}}
  b: {nics: {eth0.10: 10.0.10.2/24, eth0: 10.0.0.2/24}}
switches: {sw: {vlan-aware: off}}
links: [[srv:eth0, sw:1], [b:eth0, sw:2]]
traffic: [{from: b, to: srv, kind: ping, every: 10ms}]
)";
  const model::Model m = site(with(text, "VID", "10"));
  const auto f = told(m, Code::kVlanMismatch);
  ASSERT_TRUE(f);
  EXPECT_TRUE(says(*f, "vm:net0.10 is cut off")) << f->headline;
  EXPECT_FALSE(told(site(with(text, "VID", "11")), Code::kVlanMismatch));
  EXPECT_FALSE(told(m, Code::kMacDuplicate)) << "br0 and eth0.10 are of one NIC";
  EXPECT_FALSE(told(m, Code::kMacDuplicateLatent));
  const auto run = play(m, base::seconds(10));
  EXPECT_GT(run.flows[0].answered, 990);
}

// With an address of its own the NIC stays on the bridge; its devices do not.
TEST(VlanDevices, TheNicItselfStaysOnTheBridge) {
  std::string text = with(plain(host(kBridge, 20)), "eth0: {}", "eth0: 10.0.0.1/24");
  text = with(text, "from: b, to: srv", "from: srv, to: b");
  const std::string traffic =
      "\n  - {from: vm, to: srv, kind: ping, every: 10ms}\n  - {from: c, to: vn, kind: ping, every: 10ms}\n";
  const model::Model m = site(text + traffic.substr(1));
  for (const Code code : {Code::kVlanMismatch, Code::kMacDuplicate, Code::kMacDuplicateLatent})
    EXPECT_FALSE(told(m, code));
  const auto run = play(m, base::seconds(10));
  for (const std::size_t flow : {0, 1, 2, 3}) EXPECT_GT(run.flows[flow].answered, 990) << flow;
}

TEST(VlanDevices, OfABondLikewise) {
  const std::string bond = with(host(kBridge, 10, "bond0"), "    BONDS\n",
                                "    bonds: {bond0: {mode: active-backup, nics: [eth0]}}\n");
  const model::Model m = site(bond);
  const auto f = told(m, Code::kVlanMismatch);
  ASSERT_TRUE(f);
  EXPECT_TRUE(says(*f, "bond0.10 takes what comes in for VLAN 10")) << f->headline;
  const auto run = play(m, base::seconds(10));
  for (const std::size_t flow : {0, 1}) EXPECT_GT(run.flows[flow].answered, 990) << flow;
}

}  // namespace
}  // namespace sekimori::scenarios
