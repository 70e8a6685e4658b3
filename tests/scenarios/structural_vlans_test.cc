// What a site alone shows about VLANs and BPDUs on its links: the least sites that trigger each rule, and
// near misses that stay silent.
#include "structural.h"

namespace sekimori::scenarios {
namespace {

// ---------------------------------------------------------------- vlan-leak, vlan-mismatch

// Two switches with those ports 24, linked; each has a station of VLAN 10 and one of VLAN 20.
std::string two_switches(std::string_view one, std::string_view other) {
  return fmt::format(R"(
hosts:
  a10: {{nics: {{eth0: 10.0.10.1/24}}}}
  a20: {{nics: {{eth0: 10.0.20.1/24}}}}
  b10: {{nics: {{eth0: 10.0.10.2/24}}}}
  b20: {{nics: {{eth0: 10.0.20.2/24}}}}
switches:
  sw1: {{ports: {{1: {{access: 10}}, 2: {{access: 20}}, 24: {}}}}}
  sw2: {{ports: {{1: {{access: 10}}, 2: {{access: 20}}, 24: {}}}}}
links:
  - [a10:eth0, sw1:1]
  - [a20:eth0, sw1:2]
  - [b10:eth0, sw2:1]
  - [b20:eth0, sw2:2]
  - [sw1:24, sw2:24]
)",
                     one, other);
}

TEST(Vlans, SilentWhenTheEndsAgree) {
  for (const char* port : {"{trunk: [10, 20]}", "{trunk: all}", "{access: 10}", "{trunk: [10], native: 20}",
                           "{trunk: [10, 20], native: none}"}) {
    EXPECT_FALSE(told(two_switches(port, port), Code::kVlanMismatch)) << port;
    EXPECT_FALSE(told(two_switches(port, port), Code::kVlanLeak)) << port;
  }
  EXPECT_FALSE(told(two_switches("{trunk: all}", "{trunk: [10, 20]}"), Code::kVlanMismatch));
}

TEST(Vlans, ALinkBetweenTwoAccessVlansJoinsThem) {
  const model::Model m = site(two_switches("{access: 10}", "{access: 20}"));
  const auto f = told(m, Code::kVlanLeak);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kError);
  EXPECT_EQ(f->where, "sw1:24 - sw2:24");
  EXPECT_TRUE(says(*f, "10 at sw1 and 20 at sw2"));
  EXPECT_EQ(how_often(m, Code::kVlanLeak), 1u);
}

TEST(Vlans, DifferentNativeVlansJoinThemToo) {
  EXPECT_TRUE(told(two_switches("{native: 10}", "{native: 20}"), Code::kVlanLeak));
}

TEST(Vlans, ALeakOfNobodyYet) {
  constexpr std::string_view kSite = R"(
switches: {{sw1: {{ports: {{24: {{access: 10}}}}}}, sw2: {{ports: {{24: {{access: {}}}}}}}}}
links: [[sw1:24, sw2:24]]
)";
  const auto f = told(fmt::format(kSite, 20), Code::kVlanLeak);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_EQ(f->where, "sw1:24 - sw2:24");
  EXPECT_FALSE(told(fmt::format(kSite, 10), Code::kVlanLeak));
}

// The leak is where nobody looks for it: through a switch that has no VLANs.
TEST(Vlans, ThroughAPlainSwitch) {
  constexpr std::string_view kSite = R"(
hosts:
  a: {{nics: {{eth0: 10.0.10.1/24}}}}
  b: {{nics: {{eth0: 10.0.10.2/24}}}}
switches:
  sw1: {{ports: {{1: {{access: 10}}, 24: {{access: 10}}}}}}
  sw2: {{ports: {{1: {{access: {0}}}, 24: {{access: {0}}}}}}}
  office: {{}}
links: [[a:eth0, sw1:1], [b:eth0, sw2:1], [sw1:24, office:1], [sw2:24, office:2]]
)";
  const auto f = told(fmt::format(kSite, 20), Code::kVlanLeak);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->where, "sw1 and sw2");
  EXPECT_FALSE(told(fmt::format(kSite, 10), Code::kVlanLeak));
}

TEST(Vlans, TaggedOnOneEndOnly) {
  const auto f = told(two_switches("{trunk: [10, 20]}", "{trunk: [10]}"), Code::kVlanMismatch);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kError);
  EXPECT_EQ(f->where, "sw1:24 - sw2:24");
  EXPECT_TRUE(says(*f, "VLAN 20"));
  EXPECT_TRUE(says(*f, "sw2:24 drops it"));
  // `all` is no choice, but whoever is missed is missed.
  EXPECT_TRUE(told(two_switches("{trunk: all}", "{trunk: [10]}"), Code::kVlanMismatch));
}

// VLAN 30 exists on neither, VLAN 20 on the first switch only.
TEST(Vlans, ListedButUsedByNobodyBehind) {
  EXPECT_FALSE(told(two_switches("{trunk: [10, 20, 30]}", "{trunk: [10, 20]}"), Code::kVlanMismatch));
  constexpr std::string_view kSite = R"(
hosts:
  a: {{nics: {{eth0: 10.0.20.1/24}}}}
  b: {{nics: {{eth0: 10.0.10.2/24}}}}
switches:
  sw1: {{ports: {{1: {{access: 20}}, 24: {{trunk: {}}}}}}}
  sw2: {{ports: {{1: {{access: 10}}, 24: {{trunk: [10]}}}}}}
links: [[a:eth0, sw1:1], [b:eth0, sw2:1], [sw1:24, sw2:24]]
)";
  const auto f = told(fmt::format(kSite, "[10, 20]"), Code::kVlanMismatch);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_FALSE(told(fmt::format(kSite, "all"), Code::kVlanMismatch));
}

TEST(Vlans, ANicThatItsPortDoesNotLetIn) {
  constexpr std::string_view kSite =
      "hosts: {{a: {{nics: {{{}: 10.0.0.1/24}}}}}}\nswitches: {{sw1: {{ports: {{1: {}}}}}}}\n"
      "links: [[a:eth0, sw1:1]]";
  const auto f = told(fmt::format(kSite, "eth0.10", "{access: 10}"), Code::kVlanMismatch);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->where, "a:eth0.10");
  EXPECT_TRUE(told(fmt::format(kSite, "eth0", "{trunk: [10], native: none}"), Code::kVlanMismatch));
  EXPECT_FALSE(told(fmt::format(kSite, "eth0.10", "{trunk: [10]}"), Code::kVlanMismatch));
  EXPECT_FALSE(told(fmt::format(kSite, "eth0", "{access: 10}"), Code::kVlanMismatch));
}

// ---------------------------------------------------------------- bpdu-guard

// A host behind sw1:1, with and without the guard there.
std::string guarded(std::string_view port, std::string_view bridge, std::string_view nics) {
  return fmt::format(R"(
hosts:
  h:
    nics: {{eth0: {{}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0], {}}}}}
    guests: {{fw: {{nics: {{{}}}}}}}
switches: {{sw1: {{stp: on, ports: {{1: {}}}}}}}
links: [[h:eth0, sw1:1]]
)",
                     bridge, nics, port);
}
constexpr std::string_view kGuard = "{bpdu-guard: on}";
constexpr std::string_view kTwoNics = "net0: {on: br0}, net1: {on: br0}";

TEST(BpduGuard, AGuestThatMayBridgeCouldShutTheUplink) {
  const auto f = told(guarded(kGuard, "", kTwoNics), Code::kBpduGuard);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_EQ(f->where, "sw1:1");
  EXPECT_TRUE(says(*f, "one BPDU of fw shuts sw1:1"));
}

TEST(BpduGuard, ASpanningTreeBehindItDoes) {
  const auto host_bridge = told(guarded(kGuard, "stp: on", "net0: {on: br0}"), Code::kBpduGuard);
  ASSERT_TRUE(host_bridge);
  EXPECT_EQ(host_bridge->severity, Severity::kError);
  EXPECT_TRUE(says(*host_bridge, "BPDUs of h/br0"));
  const std::string inside =
      "net0: {on: br0}}, switches: {lan: {kind: linux-bridge, uplinks: [net0], stp: on}";
  const auto guest_bridge = told(guarded(kGuard, "", inside), Code::kBpduGuard);
  ASSERT_TRUE(guest_bridge);
  EXPECT_EQ(guest_bridge->severity, Severity::kError);
  EXPECT_TRUE(says(*guest_bridge, "BPDUs of fw/lan"));
}

TEST(BpduGuard, SilentWithoutGuardOrBridge) {
  EXPECT_FALSE(told(guarded("{}", "", kTwoNics), Code::kBpduGuard));
  EXPECT_FALSE(told(guarded("{}", "stp: on", "net0: {on: br0}"), Code::kBpduGuard));
  EXPECT_FALSE(told(guarded(kGuard, "", "net0: {on: br0}"), Code::kBpduGuard));
}

// The guard belongs at the guest's own port.
TEST(BpduGuard, SilentWhenTheGuestsPortsAreGuarded) {
  EXPECT_FALSE(told(guarded(kGuard, "", "net0: {on: br0, bpdu-guard: on}, net1: {on: br0, bpdu-guard: on}"),
                    Code::kBpduGuard));
}

// Every uplink of one relay is one fault; a switch's own BPDUs do not shut its own port.
TEST(BpduGuard, ManyPortsAreOneFinding) {
  const model::Model m = site(R"(
hosts:
  h: {nics: {eth0: {}, eth1: {}}, switches: {br0: {kind: linux-bridge, uplinks: [eth0, eth1]}},
      guests: {fw: {nics: {net0: {on: br0}, net1: {on: br0}}}}}
switches: {sw1: {stp: on, ports: {1: {bpdu-guard: on}, 2: {bpdu-guard: on}}}}
links: [[h:eth0, sw1:1], [h:eth1, sw1:2]]
)");
  EXPECT_EQ(how_often(m, Code::kBpduGuard), 1u);
  EXPECT_EQ(told(m, Code::kBpduGuard)->where, "sw1:1 and sw1:2");
  EXPECT_EQ(told(m, Code::kBpduGuard)->severity, Severity::kWarning);
}

}  // namespace
}  // namespace sekimori::scenarios
