// Traffic to multicast groups in a lab: on the kernel's bridge, on a live switch and on Open vSwitch. Needs
// root.
#include <cmath>

#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// `s` sends to a group of which `m` and, unless said otherwise, `n` are members, and `o` is not.
model::Model four_hosts(const std::string& switch_, const std::string& start, const std::string& group,
                        const std::string& more = "", bool has_two_members = true) {
  return site_of(R"(
hosts:
  s: {nics: {e: {ip: [10.0.0.1/24, "2001:db8::1/64"]}}}
  m: {nics: {e: {ip: [10.0.0.2/24, "2001:db8::2/64"], groups: [")" +
                 group + R"("]}}}
  n: {nics: {e: {ip: [10.0.0.3/24, "2001:db8::3/64"], groups: [)" +
                 (has_two_members ? '"' + group + '"' : "") + R"(]}}}
  o: {nics: {e: {ip: [10.0.0.4/24, "2001:db8::4/64"]}}}
)" + more + switch_ +
                 R"(
traffic: [{from: s, to: ")" +
                 group + R"(", kind: udp, rate: 1Mbit/s, start: )" + start + "}]\n");
}

// One machine with a Linux bridge or Open vSwitch, into which all four are plugged.
std::string in_a_host(const std::string& settings) {
  return R"(
  hv:
    nics: {p1: {}, p2: {}, p3: {}, p4: {}}
    switches: {br0: {uplinks: [p1, p2, p3, p4], )" +
         settings + R"(}}
links: [[s:e, hv:p1], [m:e, hv:p2], [n:e, hv:p3], [o:e, hv:p4]]
)";
}
std::string in_a_switch(const std::string& settings) {
  return "switches: {sw: {" + settings + "}}\nlinks: [[s:e, sw:1], [m:e, sw:2], [n:e, sw:3], [o:e, sw:4]]\n";
}

struct Bytes {
  std::int64_t from_sender = 0, to_member = 0, to_other_member = 0, to_outsider = 0;
};

template <class Lanes>
Bytes bytes_of(const TestLab& lab, const Lanes& lanes) {
  const auto of = [&](const std::string& machine, bool to_it) {
    const model::Model& site = lab.site();
    for (std::size_t l = 0; l < site.links.size(); ++l) {
      if (model::name_of(site, site.links[l].a) != machine + ":e") continue;
      return lanes[2 * l + (to_it ? 1 : 0)].value_or(LaneCount{}).bytes;
    }
    ADD_FAILURE() << machine;
    return std::int64_t{0};
  };
  return {of("s", false), of("m", true), of("n", true), of("o", true)};
}

void expect_near(std::int64_t measured, std::int64_t predicted, double share, const char* what) {
  EXPECT_NEAR(static_cast<double>(measured), static_cast<double>(predicted),
              share * static_cast<double>(predicted) + 4000)
      << what;
}

// Runs the lab and holds what it measured against what is predicted. Returns what was measured.
Bytes run_and_compare(const TestLab& lab, base::Duration time, bool at_once = false) {
  const auto built = lab.up();
  EXPECT_TRUE(built.has_value()) << built.error().what;
  if (!built) return {};
  const auto measured = run(lab.site(), lab.plan(), {.time = time, .progress = {}});
  EXPECT_TRUE(measured.has_value()) << measured.error().what;
  if (!measured) return {};
  simulate::Options options;
  options.until = measured->time;
  options.tables = true;
  const auto result = simulate::run(lab.site(), options);
  EXPECT_TRUE(result.has_value());
  if (!result) return {};
  const simulate::RunResult& predicted = *result;
  std::vector<std::optional<LaneCount>> lanes;
  for (const auto& lane : predicted.lanes) lanes.push_back(LaneCount{lane.frames, lane.bytes});
  const Bytes as_predicted = bytes_of(lab, lanes), as_measured = bytes_of(lab, measured->lanes);
  const double share = at_once ? 0.01 : 0.03;
  expect_near(as_measured.from_sender, as_predicted.from_sender, share, "from the sender");
  expect_near(as_measured.to_member, as_predicted.to_member, share, "to a member");
  expect_near(as_measured.to_other_member, as_predicted.to_other_member, share, "to the other member");
  expect_near(as_measured.to_outsider, as_predicted.to_outsider, share, "to the outsider");
  Prediction prediction;
  for (const auto& e : predicted.group_entries)
    prediction.groups.push_back({e.bridge, e.vlan, e.group, e.port});
  for (const auto& e : predicted.tables)
    prediction.tables.push_back({e.bridge, e.mac, e.vlan, e.port, e.unheard, e.is_static});
  const Comparison comparison = compare(lab.site(), prediction, *measured);
  for (const GroupComparison& g : comparison.groups)
    EXPECT_EQ(g.predicted, g.measured)
        << wire::group_text(g.group) << " at " << model::name_of(lab.site(), g.port);
  for (const EntryComparison& e : comparison.entries)
    EXPECT_EQ(e.agreement, Agreement::kEqual)
        << wire::to_text(e.mac) << " at " << model::name_of(lab.site(), e.bridge);
  // Of what was sent all arrives at the member that gets fewest.
  EXPECT_GT(measured->flows[0].sent, 100);
  EXPECT_GE(measured->flows[0].received, measured->flows[0].sent * 99 / 100);
  return as_measured;
}

// One member: of two that report to an old querier before the bridge believes it, the first one's report is
// flooded to the second, which then says nothing (RFC 2236 section 3), now and then; what is predicted does
// not.
TEST(MulticastLab, AKernelsQuerierKeepsPacketsFromWhoIsNoMember) {
  const TestLab lab(four_hosts(in_a_host("kind: linux-bridge, multicast-snooping: on, multicast-querier: on"),
                               "11s", "239.1.1.1", "", false));
  EXPECT_THAT(lab.plan().unsupported, IsEmpty());
  EXPECT_FALSE(lab.plan().has_live());
  const Bytes bytes = run_and_compare(lab, base::seconds(13), true);
  EXPECT_GT(bytes.to_member, 200'000);
  EXPECT_LT(bytes.to_outsider, bytes.to_member / 100);
  EXPECT_THAT(lab.ip("hv", "ip -d link show br0"),
              ::testing::AllOf(HasSubstr("mcast_snooping 1"), HasSubstr("mcast_querier 1")));
}

TEST(MulticastLab, AKernelsBridgeWithoutQuerierFloods) {
  for (const std::string group : {"239.1.1.1", "ff15::1"}) {
    const TestLab lab(four_hosts(in_a_host("kind: linux-bridge, multicast-snooping: on"), "200ms", group));
    const Bytes bytes = run_and_compare(lab, base::seconds(2), true);
    EXPECT_GT(bytes.to_outsider, 150'000) << group;
  }
}

TEST(MulticastLab, ASwitchIsLiveAndWaitsForNoQuerier) {
  for (const std::string group : {"239.1.1.1", "ff15::1"}) {
    const TestLab lab(
        four_hosts(in_a_switch("multicast-snooping: on, unregistered-multicast: routers"), "1500ms", group));
    EXPECT_TRUE(lab.plan().has_live());
    const Bytes bytes = run_and_compare(lab, base::seconds(4), true);
    EXPECT_GT(bytes.to_member, 200'000) << group;
    EXPECT_LT(bytes.to_outsider, bytes.to_member / 100) << group;
  }
}

// A live querier of one switch, which the other one and the hosts hear.
TEST(MulticastLab, ALiveQuerierAsksAndARouterIsHeard) {
  const std::string router = "routers: {r: {nics: {e: {ip: 10.0.0.254/24, querier: on}}}}\n";
  const TestLab lab(
      four_hosts(router + "switches: {sw: {multicast-snooping: on, multicast-querier: 10.0.0.250}}\n"
                          "links: [[s:e, sw:1], [m:e, sw:2], [n:e, sw:3], [o:e, sw:4], [r:e, sw:5]]\n",
                 "1500ms", "239.1.1.1"));
  run_and_compare(lab, base::seconds(4));
}

TEST(MulticastLab, OpenVSwitchListensToo) {
  if (output_of("command -v ovs-vswitchd").empty()) GTEST_SKIP() << "Open vSwitch is not installed";
  const TestLab lab(
      four_hosts(in_a_host("kind: ovs, multicast-snooping: on, unregistered-multicast: routers"), "1500ms",
                 "239.1.1.1"),
      {.open_vswitch = true});
  EXPECT_FALSE(lab.plan().has_live());
  const Bytes bytes = run_and_compare(lab, base::seconds(4), true);
  EXPECT_GT(bytes.to_member, 200'000);
  EXPECT_LT(bytes.to_outsider, bytes.to_member / 100);
}

// Nothing of it where nobody speaks of groups: bridges of the kernel don't snoop.
TEST(MulticastLab, OtherSitesAreLeftAlone) {
  const TestLab lab(
      site_of("hosts: {hv: {nics: {e: {}}, switches: {br0: {kind: linux-bridge, uplinks: [e]}}}, b: {nics: "
              "{e: {ip: 10.0.0.1/24}}}}\nlinks: [[hv:e, b:e]]\n"));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(lab.ip("hv", "ip -d link show br0"), HasSubstr("mcast_snooping 0"));
}

TEST(MulticastLab, WhatLinuxDoesOtherwiseIsLive) {
  const auto engine_of = [](const std::string& switch_) {
    const TestLab lab(four_hosts(switch_, "1s", "239.1.1.1"));
    return lab.plan().bridges[0].live_because;
  };
  EXPECT_THAT(engine_of(in_a_switch("multicast-snooping: on")), HasSubstr("snoops"));
  EXPECT_THAT(engine_of(in_a_switch("multicast-snooping: off")), IsEmpty());
  EXPECT_THAT(engine_of(in_a_host("kind: linux-bridge, multicast-snooping: on, multicast-querier: on")),
              IsEmpty());
  EXPECT_THAT(
      engine_of(in_a_host("kind: linux-bridge, multicast-snooping: on, multicast-querier: 10.0.0.77")),
      Not(IsEmpty()));
}

}  // namespace
}  // namespace sekimori::lab
