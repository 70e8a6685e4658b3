// A bridge that answers ARP for others: what it spares the network, and what an entry that is wrong does.
#include <fmt/format.h>

#include <algorithm>

#include "remedy/remedies.h"
#include "tests/scenarios/scenario.h"

namespace sekimori::scenarios {
namespace {

using findings::Code;

// `a` asks for `b` every 10 s, by broadcast. `port`: the settings of hv1's uplink.
model::Model two_hosts(std::string_view port, std::string_view neighbours,
                       std::string_view entry = "b:net0") {
  return site(fmt::format(R"(
hosts:
  hv1:
    nics: {{eth0: {{}}}}
    switches:
      br0:
        kind: linux-bridge
        uplinks: [eth0]
        ports: {{eth0: {{{}}}}}
        neighbours: [{}]
        static: [{{station: "{}", port: eth0}}]
    guests: {{a: {{nics: {{net0: {{on: br0, ip: 10.0.0.1/24}}}}, arp: {{timeout: 10s, confirm: none, announce: never}}}}}}
  hv2:
    nics: {{eth0: {{}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0]}}}}
    guests:
      b: {{nics: {{net0: {{on: br0, mac: "02:00:00:00:00:0b", ip: 10.0.0.2/24}}}}, arp: {{announce: never}}}}
      old: {{nics: {{net0: {{on: br0, mac: "02:00:00:00:00:99", ip: 10.0.0.9/24}}}}, arp: {{announce: never}}}}
  desk: {{nics: {{eth0: 10.0.0.3/24}}, arp: {{announce: never}}}}
switches: {{sw: {{}}}}
links: [[hv1:eth0, sw:1], [hv2:eth0, sw:2], [desk:eth0, sw:3]]
traffic: [{{from: a, to: b, kind: ping, every: 1s}}]
)",
                          port, neighbours, entry));
}

std::int64_t answered(const simulate::RunResult& run) { return run.flows.front().answered; }

bool told(const model::Model& m) {
  for (const auto& f : check::structural(m)) {
    if (f.code == Code::kBlackholeNeighbour) return true;
  }
  return false;
}

TEST(NeighSuppress, KnownQuestionsStayInside) {
  const model::Model plain = two_hosts("", "b:net0"), quiet = two_hosts("neigh-suppress: on", "b:net0");
  const auto loud_run = play(plain, base::seconds(60)), quiet_run = play(quiet, base::seconds(60));
  EXPECT_GE(answered(loud_run), 59);
  EXPECT_GE(answered(quiet_run), 59);
  // Everybody hears a question every 10 s; or nobody does.
  EXPECT_GE(lane_from(plain, loud_run.lanes, "sw:3").frames, 5);
  EXPECT_LE(lane_from(quiet, quiet_run.lanes, "sw:3").frames, 2) << "the first ping, and what b asks itself";
  EXPECT_FALSE(told(quiet));
}

TEST(NeighSuppress, WhatTheBridgeDoesNotKnowIsAskedFor) {
  const model::Model m = two_hosts("neigh-suppress: on", "desk:eth0");
  const auto run = play(m, base::seconds(60));
  EXPECT_GE(answered(run), 59);
  EXPECT_GE(lane_from(m, run.lanes, "sw:3").frames, 5);
}

TEST(NeighSuppress, AWrongEntryIsABlackHole) {
  constexpr const char* kWrong = "{station: b:net0, mac: \"02:00:00:00:00:99\"}";
  const model::Model m = two_hosts("neigh-suppress: on", kWrong, "old:net0");
  EXPECT_TRUE(told(m));
  EXPECT_EQ(answered(play(m, base::seconds(30))), 0);
  // Near misses: nothing suppresses; the entry is right; nobody knows the MAC.
  const model::Model off = two_hosts("", kWrong, "old:net0");
  EXPECT_FALSE(told(off));
  EXPECT_GE(answered(play(off, base::seconds(30))), 29);
  EXPECT_FALSE(told(two_hosts("neigh-suppress: on", "b:net0", "old:net0")));
  const model::Model unknown =
      two_hosts("neigh-suppress: on", "{station: b:net0, mac: \"02:00:00:00:00:77\"}");
  EXPECT_FALSE(told(unknown));
  EXPECT_GE(answered(play(unknown, base::seconds(30))), 29);
}

TEST(NeighSuppress, RemediesEndTheBlackHole) {
  const model::Model m =
      two_hosts("neigh-suppress: on", "{station: b:net0, mac: \"02:00:00:00:00:99\"}", "old:net0");
  const auto all = check::structural(m);
  const auto f = std::ranges::find(all, Code::kBlackholeNeighbour, &findings::Finding::code);
  ASSERT_NE(f, all.end());
  const auto remedies = remedy::remedies_for(f->code);
  EXPECT_EQ(remedies.size(), 2u);
  for (const auto& make : remedies) {
    const auto trial = make(m, *f);
    ASSERT_TRUE(trial.has_value());
    EXPECT_FALSE(told(trial->model)) << trial->description;
    EXPECT_GE(answered(play(trial->model, base::seconds(30))), 29) << trial->description;
  }
}

}  // namespace
}  // namespace sekimori::scenarios
