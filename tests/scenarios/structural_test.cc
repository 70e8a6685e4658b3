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
