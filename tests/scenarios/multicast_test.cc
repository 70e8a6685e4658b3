// Multicast groups: who gets what where switches listen, with somebody who asks and without.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "remedy/remedies.h"
#include "simulate/findings.h"
#include "tests/scenarios/scenario.h"

namespace sekimori::scenarios {
namespace {

using base::seconds;
using findings::Code;

// A camera and a recorder at sw1, nobody at sw2, with a slow wide-area service between.
model::Model cameras(std::string_view sw1, std::string_view sw2, std::string_view more = "") {
  return site(fmt::format(R"(
hosts:
  cam: {{nics: {{eth0: 10.0.0.1/24}}}}
  rec: {{nics: {{eth0: {{ip: 10.0.0.2/24, groups: [239.1.1.1]}}}}}}
  desk: {{nics: {{eth0: 10.0.0.3/24}}}}
  far: {{nics: {{eth0: {{ip: 10.0.0.4/24{2}}}}}}}
routers:
  r: {{nics: {{lan: {{ip: 10.0.0.254/24{3}}}}}}}
switches: {{sw1: {{{0}}}, sw2: {{{1}}}}}
wans: {{ether: {{kind: e-lan, sites: {{tokyo: 100Mbit/s, osaka: 10Mbit/s}}}}}}
links: [[cam:eth0, sw1:1], [rec:eth0, sw1:2], [desk:eth0, sw1:3], [r:lan, sw1:9], [sw1:24, ether:tokyo], [ether:osaka, sw2:24], [far:eth0, sw2:1]]
traffic: [{{from: cam, to: 239.1.1.1, kind: udp, rate: 3Mbit/s}}]
)",
                          sw1, sw2, more.starts_with("far") ? ", groups: [239.1.1.1]" : "",
                          more.ends_with("querier") ? ", querier: on" : ""));
}
constexpr std::string_view kOnly = "multicast-snooping: on, unregistered-multicast: routers";

const findings::Finding* find(const std::vector<findings::Finding>& all, Code code) {
  const auto found = std::ranges::find(all, code, &findings::Finding::code);
  return found == all.end() ? nullptr : &*found;
}
bool told(const model::Model& m, Code code) { return find(check::structural(m), code) != nullptr; }

double share_of(const simulate::RunResult& run, std::string_view, std::size_t member = 0) {
  return static_cast<double>(run.receptions[member].frames) / static_cast<double>(run.flows[0].sent_frames);
}

TEST(Multicast, WithoutAQuerierAGroupWorksForFourMinutes) {
  const model::Model m = cameras(kOnly, kOnly);
  const auto all = check::structural(m);
  const findings::Finding* f = find(all, Code::kBlackholeSnooping);
  ASSERT_NE(f, nullptr);
  EXPECT_EQ(f->where, "sw1");
  ASSERT_EQ(f->stations.size(), 1u);
  EXPECT_EQ(name_of(m, f->stations[0]), "rec:eth0");
  const auto run = play(m, seconds(520));
  // The last unsolicited report comes within two seconds; 260 s later it is forgotten.
  EXPECT_NEAR(base::to_seconds(run.receptions[0].last), 261.5, 1);
  EXPECT_NEAR(share_of(run, "rec"), 0.5, 0.01);
}

TEST(Multicast, WithAQuerierMembersGetAllAndNobodyElseAny) {
  const model::Model m = cameras(kOnly, kOnly, "querier");
  EXPECT_FALSE(told(m, Code::kBlackholeSnooping));
  EXPECT_FALSE(told(m, Code::kFloodMulticast));
  const auto run = play(m, seconds(520));
  EXPECT_GT(share_of(run, "rec"), 0.99);
  EXPECT_LT(lane_from(m, run.lanes, "sw1:3").frames, 100) << "what is for everybody";
  EXPECT_LT(lane_from(m, run.lanes, "sw1:24").frames, 100);
  EXPECT_GT(lane_from(m, run.lanes, "sw1:9").frames, run.flows[0].sent_frames * 98 / 100) << "to the router";
}

TEST(Multicast, FloodsOverTheWanWhereNobodyListens) {
  for (const std::string_view settings : {"", "kind: linux-bridge", "multicast-snooping: on"}) {
    const model::Model m = cameras(settings, settings);
    const auto all = check::structural(m);
    const findings::Finding* f = find(all, Code::kFloodMulticast);
    ASSERT_NE(f, nullptr) << settings;
    EXPECT_EQ(f->where, "sw1");
    EXPECT_EQ(f->severity, findings::Severity::kWarning);
    ASSERT_FALSE(f->links.empty());
    EXPECT_EQ(f->links[0].from, "ether:osaka");
    EXPECT_NEAR(f->links[0].flooded_mbit, 3.087, 0.01);
    EXPECT_FALSE(told(m, Code::kBlackholeSnooping)) << settings;
    // A switch that listens floods once it has forgotten who had joined.
    const double since = settings == "multicast-snooping: on" ? 261.5 : 0;
    const auto run = play(m, seconds(400));
    const double bits = 8 * static_cast<double>(lane_from(m, run.lanes, "ether:osaka").flooded_bytes);
    EXPECT_NEAR(bits / (400 - since) / 1e6, 3.087, 0.03) << settings;
  }
  EXPECT_FALSE(told(cameras("", "", "far"), Code::kFloodMulticast)) << "a member is behind it";
  EXPECT_FALSE(told(cameras("kind: linux-bridge", "", "querier"), Code::kFloodMulticast))
      << "it listens, and r asks";
}

TEST(Multicast, AQuerierWithoutAnAddressIsNoRouter) {
  // sw2 asks from 0.0.0.0: sw1 hears it, and does not hand it what its members say, nor what they are sent.
  const std::string asks = fmt::format("{}, multicast-querier: on", kOnly);
  const model::Model m = cameras(kOnly, asks, "far");
  const auto run = play(m, seconds(520));
  EXPECT_GT(share_of(run, "rec"), 0.99) << "sw1 hears that one";
  EXPECT_LT(share_of(run, "far", 1), 0.01)
      << "sw1 has no way to a router, so it never hears of far, nor sends there";
  const auto all = check::structural(m);
  const findings::Finding* f = find(all, Code::kBlackholeSnooping);
  ASSERT_NE(f, nullptr);
  ASSERT_EQ(f->stations.size(), 1u);
  EXPECT_EQ(name_of(m, f->stations[0]), "far:eth0");
  // With an address all is well.
  const model::Model better = cameras(kOnly, fmt::format("{}, multicast-querier: 10.0.0.200", kOnly), "far");
  EXPECT_FALSE(told(better, Code::kBlackholeSnooping));
  EXPECT_GT(share_of(play(better, seconds(520)), "far", 1), 0.99);
}

TEST(Multicast, RemediesEndIt) {
  const model::Model m = cameras(kOnly, kOnly);
  const auto all = check::structural(m);
  const findings::Finding* f = find(all, Code::kBlackholeSnooping);
  ASSERT_NE(f, nullptr);
  std::vector<std::string> words;
  for (const auto make : remedy::remedies_for(f->code)) {
    const auto trial = make(m, *f);
    ASSERT_TRUE(trial.has_value());
    words.emplace_back(trial->word);
    EXPECT_FALSE(told(trial->model, Code::kBlackholeSnooping)) << trial->description;
    EXPECT_GT(share_of(play(trial->model, seconds(520)), "rec"), 0.98) << trial->description;
  }
  EXPECT_THAT(words, testing::ElementsAre("querier", "flood-unregistered", "no-snooping"));
  const model::Model loud = cameras("", "");
  const auto floods = check::structural(loud);
  const auto trial =
      remedy::remedies_for(Code::kFloodMulticast)[0](loud, *find(floods, Code::kFloodMulticast));
  ASSERT_TRUE(trial.has_value());
  EXPECT_FALSE(told(trial->model, Code::kFloodMulticast)) << trial->description;
}

// `rec` moves from one host to another after five minutes.
model::Model moving(std::string_view sw1, std::string_view every) {
  return site(fmt::format(R"(
hosts:
  cam: {{nics: {{eth0: 10.0.0.1/24}}}}
  kvm1:
    nics: {{eth0: {{}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0]}}}}
    guests: {{rec: {{nics: {{net0: {{on: br0, ip: 10.0.0.2/24, groups: [239.1.1.1]}}}}}}}}
  kvm2:
    nics: {{eth0: {{}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0]}}}}
routers: {{r: {{nics: {{lan: {{ip: 10.0.0.254/24{1}}}}}}}}}
switches: {{sw1: {{{0}}}}}
links: [[cam:eth0, sw1:1], [kvm1:eth0, sw1:2], [kvm2:eth0, sw1:3], [r:lan, sw1:9]]
traffic: [{{from: cam, to: 239.1.1.1, kind: udp, every: {2}}}]
changes: [{{at: 300s, migrate: rec, to: kvm2}}]
)",
                          sw1, sw1.empty() ? "" : ", querier: on", every));
}

// A guest that moves does not say again what it is in.
TEST(Multicast, AMovedMemberWaitsForTheNextQuery) {
  const model::Model m = moving(kOnly, "10ms");
  EXPECT_FALSE(told(m, Code::kBlackholeSnooping));
  simulate::Options options = simulate::diagnosing_options(m, seconds(600));
  const auto run = simulate::run(m, options).value();
  // r asks at 31 s and then every 125 s: at 406 s, and the answer takes ten seconds at most.
  EXPECT_NEAR(base::to_seconds(run.receptions[0].longest_gap_end), 411, 6);
  findings::Report report;
  simulate::explain(m, options, run, report);
  const findings::Finding* f = find(report.findings, Code::kBlackholeSnooping);
  ASSERT_NE(f, nullptr);
  EXPECT_EQ(f->where, "rec:net0");
  EXPECT_EQ(f->onset, seconds(300));
}
// Where nobody listens it misses nothing, however seldom something is sent.
TEST(Multicast, AMovedMemberOfASlowFlowIsNoOutage) {
  const model::Model m = moving("", "20s");
  simulate::Options options = simulate::diagnosing_options(m, seconds(600));
  const auto run = simulate::run(m, options).value();
  EXPECT_EQ(run.receptions[0].frames, 30);
  findings::Report report;
  simulate::explain(m, options, run, report);
  EXPECT_EQ(find(report.findings, Code::kBlackholeSnooping), nullptr);
}

// IPv6 finds its neighbours by groups. The bridge is told of them when they join.
TEST(Multicast, NeighbourDiscoveryPassesWhereMldIsSnooped) {
  const auto two = [](std::string_view querier) {
    return site(fmt::format(R"(
hosts:
  kvm:
    nics: {{eth0: {{}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0]}}}}
    guests:
      a: {{nics: {{net0: {{on: br0, ip: "fd00::1/64"}}}}}}
      b: {{nics: {{net0: {{on: br0, ip: "fd00::2/64"}}}}}}
routers: {{r: {{nics: {{lan: {{ip: "fd00::fe/64"{}}}}}, nd: {{advertise: never}}}}}}
links: [[kvm:eth0, r:lan]]
traffic: [{{from: a, to: b, kind: ping, every: 1s}}, {{from: r, to: b, kind: ping, every: 1s}}]
)",
                            querier));
  };
  for (const std::string_view querier : {"", ", querier: on"}) {
    const model::Model m = two(querier);
    const auto run = play(m, seconds(400));
    EXPECT_GE(run.flows[0].answered, run.flows[0].sent_frames - 2) << querier;
    EXPECT_GE(run.flows[1].answered, run.flows[1].sent_frames - 2) << querier;
  }
}

}  // namespace
}  // namespace sekimori::scenarios
