// What the structure of a site alone shows about its segments, links and switches: for each rule the least
// site that triggers it, and near misses that stay silent.
#include "structural.h"

namespace sekimori::scenarios {
namespace {

// ---------------------------------------------------------------- loop-possible

TEST(LoopPossible, TwoNicsOfAGuestInOneSegment) {
  const auto f = told(host("", "fw: {nics: {net0: {on: br0}, net1: {on: br0}}}"), Code::kLoopPossible);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_EQ(f->where, "fw");
  EXPECT_TRUE(says(*f, "fw:net0 and fw:net1"));
  EXPECT_TRUE(says(*f, "the segment of h/br0"));
}

TEST(LoopPossible, SilentWhereNothingCouldGoRound) {
  for (const char* nics :
       {"net0: {on: br0, access: 10}, net1: {on: br0, access: 20}",      // two segments
        "net0: {on: br0, isolated: on}, net1: {on: br0, isolated: on}",  // exchange nothing
        "net0: {on: br0}"}) {
    EXPECT_FALSE(told(host("", fmt::format("fw: {{nics: {{{}}}}}", nics)), Code::kLoopPossible)) << nics;
  }
  EXPECT_FALSE(told(host("stp: on", "fw: {nics: {net0: {on: br0}, net1: {on: br0}}}"), Code::kLoopPossible));
}

TEST(LoopPossible, OneIsolatedPortIsNotEnough) {
  EXPECT_TRUE(
      told(host("", "fw: {nics: {net0: {on: br0, isolated: on}, net1: {on: br0}}}"), Code::kLoopPossible));
}

TEST(LoopPossible, ARealBridgeIsALoopAndNothingElse) {
  const model::Model m = story("guest-bridges-nics");
  EXPECT_TRUE(told(m, Code::kLoop));
  EXPECT_FALSE(told(m, Code::kLoopPossible));
}

TEST(LoopPossible, ATemplateIsOneFindingAndAHostANote) {
  const model::Model m = site(host("", "fw: {count: 50, nics: {net0: {on: br0}, net1: {on: br0}}}"));
  EXPECT_EQ(how_often(m, Code::kLoopPossible), 1u);
  const auto f = told(
      "hosts: {nas: {nics: {eth0: 10.0.0.1/24, eth1: 10.0.0.2/24}}}\nswitches: {sw1: {}}\n"
      "links: [[nas:eth0, sw1:1], [nas:eth1, sw1:2]]",
      Code::kLoopPossible);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kNote);
}

// Over two bridges, each with an uplink to the same switch: the switch's spanning tree would see it.
TEST(LoopPossible, OverTwoBridgesTheSwitchDecides) {
  constexpr std::string_view kSite = R"(
hosts:
  h:
    nics: {eth0: {}, eth1: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}, br1: {kind: linux-bridge, uplinks: [eth1]}}
    guests: {fw: {nics: {net0: {on: br0}, net1: {on: br1}}}}
links: [[h:eth0, sw1:1], [h:eth1, sw1:2]]
)";
  EXPECT_TRUE(told(fmt::format("{}switches: {{sw1: {{}}}}", kSite), Code::kLoopPossible));
  EXPECT_FALSE(told(fmt::format("{}switches: {{sw1: {{stp: on}}}}", kSite), Code::kLoopPossible));
}

// ---------------------------------------------------------------- ageing-zero

constexpr std::string_view kTwoGuests = "a: {nics: {n: {on: br0}}}, b: {nics: {n: {on: br0}}}";

TEST(AgeingZero, MoreThanTwoPorts) {
  for (const char* setting : {"ageing: 0", "learning: off"}) {
    const auto f = told(host(setting, kTwoGuests), Code::kAgeingZero);
    ASSERT_TRUE(f) << setting;
    EXPECT_EQ(f->severity, Severity::kError);
    EXPECT_EQ(f->where, "h/br0");
    EXPECT_TRUE(says(*f, "3 ports"));
  }
}

TEST(AgeingZero, SilentWithTwoPortsOrLearning) {
  EXPECT_FALSE(told(host("ageing: 0", "a: {nics: {n: {on: br0}}}"), Code::kAgeingZero));
  EXPECT_FALSE(told(host("ageing: 1s", kTwoGuests), Code::kAgeingZero));
  // Two ports in each VLAN.
  EXPECT_FALSE(told(host("ageing: 0, ports: {eth0: {trunk: [10, 20]}}",
                         "a: {nics: {n: {on: br0, access: 10}}}, b: {nics: {n: {on: br0, access: 20}}}"),
                    Code::kAgeingZero));
}

TEST(AgeingZero, SilentWithStaticEntriesForAll) {
  const std::string entries =
      "learning: off, static: [{station: a:n}, {station: b:n}, {station: desk:eth0, port: eth0}]";
  EXPECT_FALSE(told(host(entries, kTwoGuests), Code::kAgeingZero));
  const std::string one_missing = "learning: off, static: [{station: a:n}, {station: b:n}]";
  EXPECT_TRUE(told(host(one_missing, kTwoGuests), Code::kAgeingZero));
}

TEST(AgeingZero, ATemplateOfHostsIsOneFinding) {
  const model::Model m = site(R"(
hosts:
  node:
    count: 30
    switches: {brq: {kind: linux-bridge, ageing: 0}}
    guests: {vm: {count: 3, nics: {n: {on: brq}}}}
)");
  ASSERT_EQ(how_often(m, Code::kAgeingZero), 1u);
  EXPECT_EQ(told(m, Code::kAgeingZero)->where, "node-1/brq, node-2/brq, node-3/brq and 27 more");
}

TEST(AgeingZero, FromTheTimeItIsSet) {
  const auto f =
      told(host("", kTwoGuests) + "changes: [{at: 60s, set: h/br0, ageing: 0}]", Code::kAgeingZero);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->onset, base::seconds(60));
}

// ---------------------------------------------------------------- segment-large

std::string many(int guests, std::string_view rate = "1Gbit/s") {
  return fmt::format(R"(
hosts:
  h:
    nics: {{eth0: {{}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0]}}}}
    guests: {{vm: {{count: {}, nics: {{n: {{on: br0}}}}}}}}
  desk: {{nics: {{eth0: 10.0.0.2/24}}}}
switches: {{sw1: {{}}}}
links: [[h:eth0, sw1:1], [desk:eth0, sw1:2, {}]]
)",
                     guests, rate);
}

TEST(SegmentLarge, CountsStationsAndBroadcasts) {
  const auto f = told(many(1999), Code::kSegmentLarge);  // and the desk
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_TRUE(says(*f, "2000 stations"));
  EXPECT_TRUE(says(*f, "936 broadcasts"));  // 2000 x 1150 / 2456
  EXPECT_TRUE(says(*f, "0.63 Mbit/s"));     // of 84 bytes each
}

TEST(SegmentLarge, ANoteFromFiveHundredAndSilentBelow) {
  EXPECT_EQ(told(many(999), Code::kSegmentLarge)->severity, Severity::kNote);
  EXPECT_EQ(told(many(1000), Code::kSegmentLarge)->severity, Severity::kWarning);
  EXPECT_TRUE(told(many(500), Code::kSegmentLarge));
  EXPECT_FALSE(told(many(499), Code::kSegmentLarge));
}

TEST(SegmentLarge, ASlowLinkHasASmallerBudget) {
  const auto f = told(many(99, "64kbit/s"), Code::kSegmentLarge);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_TRUE(says(*f, "64 kbit/s"));
  EXPECT_FALSE(told(many(99, "1Mbit/s"), Code::kSegmentLarge));
}

// ---------------------------------------------------------------- ageing-below-arp

// A segment of a switch with two hosts and that many routers.
std::string routed(int routers, std::string_view arp, std::string_view ageing = "300s",
                   std::string_view host_arp = "") {
  std::string text = fmt::format(
      "hosts: {{a: {{nics: {{e: 10.0.0.1/24}}, {}}}, b: {{nics: {{e: 10.0.0.2/24}}}}}}\n"
      "switches: {{sw1: {{ageing: {}}}}}\n",
      host_arp, ageing);
  std::string links = "links: [[a:e, sw1:1], [b:e, sw1:2]", list;
  for (int i = 1; i <= routers; ++i) {
    list += fmt::format("  r{0}: {{nics: {{lan: 10.0.0.{1}/24}}, {2}}}\n", i, 250 + i, arp);
    links += fmt::format(", [r{0}:lan, sw1:r{0}]", i);
  }
  return text + (routers > 0 ? "routers:\n" + list : "") + links + "]\n";
}

TEST(AgeingBelowArp, TwoRoutersAreAWarningWithTheDutyCycle) {
  const auto f = told(routed(2, ""), Code::kAgeingBelowArp);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_EQ(f->where, "sw1");
  EXPECT_TRUE(says(*f, "97.9 %"));
  EXPECT_TRUE(says(*f, "r1 and r2"));
}

TEST(AgeingBelowArp, OneRouterIsANote) {
  EXPECT_EQ(told(routed(1, ""), Code::kAgeingBelowArp)->severity, Severity::kNote);
}

// Two NICs of a router are no second way.
TEST(AgeingBelowArp, ARouterWithTwoNicsIsOne) {
  const auto f = told(R"(
hosts: {a: {nics: {e: 10.0.0.1/24}}}
routers: {r: {nics: {x: 10.0.0.2/24, y: 10.0.0.3/24}}}
switches: {sw1: {}}
links: [[a:e, sw1:1], [r:x, sw1:2], [r:y, sw1:3]]
)",
                      Code::kAgeingBelowArp);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kNote);
}

TEST(AgeingBelowArp, SilentWhenAskedInTimeOrForHosts) {
  EXPECT_FALSE(told(routed(2, "arp: {timeout: 240s}"), Code::kAgeingBelowArp));
  EXPECT_FALSE(told(routed(2, "", "4h"), Code::kAgeingBelowArp));
  // Hosts alone, which confirm after 30 s.
  EXPECT_FALSE(told(routed(1, "arp: {timeout: 5s}", "10s"), Code::kAgeingBelowArp));
}

TEST(AgeingBelowArp, AHostThatNothingConfirms) {
  const auto with = [](std::string_view arp) {
    return told(routed(1, "arp: {timeout: 240s}", "300s", arp), Code::kAgeingBelowArp);
  };
  const auto f = with("arp: {timeout: 20min, confirm: none}");
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_TRUE(says(*f, "a keeps entries"));
  EXPECT_TRUE(says(*f, "75 %"));
  EXPECT_FALSE(with("arp: {timeout: 20min}"));
}

// Twenty VLANs over the same gear are one fault.
TEST(AgeingBelowArp, VlansAreNotToldOneByOne) {
  std::string nics[2];
  for (int vlan = 10; vlan < 30; ++vlan) {
    for (int r = 0; r < 2; ++r) nics[r] += fmt::format("e.{0}: 10.0.{0}.{1}/24, ", vlan, 1 + r);
  }
  const model::Model m = site(fmt::format(R"(
hosts: {{h: {{nics: {{e.10: 10.0.10.9/24}}}}}}
routers: {{r1: {{nics: {{{}}}}}, r2: {{nics: {{{}}}}}}}
switches: {{sw1: {{ports: {{r1: {{trunk: all}}, r2: {{trunk: all}}, 3: {{trunk: all}}}}}}}}
links: [[r1:e, sw1:r1], [r2:e, sw1:r2], [h:e, sw1:3]]
)",
                                          nics[0], nics[1]));
  EXPECT_EQ(how_often(m, Code::kAgeingBelowArp), 1u);
  EXPECT_TRUE(says(*told(m, Code::kAgeingBelowArp), "20 segments"));
}

// ---------------------------------------------------------------- sites that contradict themselves

std::string refused(std::string_view yaml) {
  const auto model = importers::parse_site(std::string("sekimori: 1\n") + std::string(yaml), "test");
  return model ? "accepted" : model.error().text();
}

TEST(Contradictions, AGuestOnASwitchOfAnotherHost) {
  const std::string text = refused(R"(
hosts:
  one: {switches: {br0: {kind: linux-bridge}}}
  two: {guests: {g: {nics: {n: {on: br0}}}}}
)");
  EXPECT_TRUE(text.contains("'two' has no virtual switches, and so no 'br0'")) << text;
  EXPECT_TRUE(text.contains("in 'one'")) << text;
}

TEST(Contradictions, AnUplinkUsedTwice) {
  const std::string text = refused(R"(
hosts:
  h:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}, br1: {kind: linux-bridge, uplinks: [eth0]}}
)");
  EXPECT_TRUE(text.contains("NIC h:eth0 is already the uplink of h/br0")) << text;
}

TEST(Contradictions, AGroupAddressAndZeroAsAMac) {
  EXPECT_TRUE(refused("hosts: {h: {nics: {e: {mac: \"01:00:5e:00:00:01\"}}}}").contains("group (multicast)"));
  EXPECT_TRUE(refused("hosts: {h: {nics: {e: {mac: \"00:00:00:00:00:00\"}}}}").contains("no NIC's address"));
}

}  // namespace
}  // namespace sekimori::scenarios
