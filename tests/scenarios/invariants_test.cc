// What must hold for every site, on seeded random ones: elision is exact, runs are deterministic, bytes are
// conserved.
#include <fmt/format.h>

#include "base/random.h"
#include "scenario.h"

namespace sekimori::scenarios {
namespace {

using base::seconds;

// Trees of switches with hosts, hosted and Linux bridges, VLANs, silent receivers, short ageing; some of
// everything.
std::string random_site(std::uint64_t seed) {
  base::Random random(seed);
  const auto pick = [&](int n) { return static_cast<int>(random.below(static_cast<std::uint64_t>(n))); };
  const int switches = 1 + pick(4), hosts = 3 + pick(5);
  std::string hosts_text, switches_text, links, traffic;
  std::vector<std::string> machines;
  for (int s = 0; s < switches; ++s) {
    switches_text += fmt::format("  s{}: {{ageing: {}s, learning: {}, table-size: {}}}\n", s, 1 + pick(5),
                                 pick(8) == 0 ? "off" : "on", pick(6) == 0 ? 3 : 8192);
    if (s > 0)
      links += fmt::format("  - [s{}:up, s{}:d{}, {}Mbit/s]\n", s, pick(s), s, pick(3) == 0 ? 2 : 1000);
  }
  for (int h = 0; h < hosts; ++h) {
    const int kind = pick(3);
    const std::string arp = pick(3) == 0 ? ", arp: {timeout: 8s, confirm: none}" : "";
    hosts_text += fmt::format("  h{}: {{nics: {{eth0: 10.0.0.{}/24}}{}", h, 10 + h, arp);
    if (kind > 0) {
      hosts_text += fmt::format(", switches: {{v: {{kind: {}, uplinks: [eth0]}}}}, guests: {{",
                                kind == 1 ? "hosted-bridge" : "linux-bridge");
      for (int g = 0; g < 1 + pick(3); ++g) {
        hosts_text +=
            fmt::format("g{}-{}: {{nics: {{net0: {{on: v, ip: 10.0.0.{}/24}}}}}}, ", h, g, 100 + 10 * h + g);
        machines.push_back(fmt::format("g{}-{}", h, g));
      }
      hosts_text += "}";
    }
    hosts_text += "}\n";
    machines.push_back(fmt::format("h{}", h));
    links += fmt::format("  - [h{}:eth0, s{}:h{}]\n", h, pick(switches), h);
  }
  constexpr const char* kKinds[] = {"kind: udp, rate: 1Mbit/s", "kind: tcp, rate: 3Mbit/s",
                                    "kind: ping, every: 50ms", "kind: request, every: 300ms, response: 1400"};
  for (int f = 0; f < 2 + pick(5); ++f) {
    const int from = pick(static_cast<int>(machines.size()));
    const int to =
        (from + 1 + pick(static_cast<int>(machines.size()) - 1)) % static_cast<int>(machines.size());
    traffic +=
        fmt::format("  - {{from: {}, to: {}, {}, start: {}s}}\n", machines[static_cast<std::size_t>(from)],
                    machines[static_cast<std::size_t>(to)], kKinds[pick(4)], pick(4));
  }
  return fmt::format("seed: {}\nhosts:\n{}switches:\n{}links:\n{}traffic:\n{}", seed, hosts_text,
                     switches_text, links, traffic);
}

simulate::RunResult play_captured(const model::Model& m, base::Time until) {
  simulate::Options options;
  options.until = until;
  for (std::size_t p = 0; p < m.ports.size(); ++p) options.captures.emplace_back(p);
  options.on_frame = [](const simulate::CapturedFrame&) -> base::Result<void> { return {}; };
  return *simulate::run(m, options);
}

class Invariants : public testing::TestWithParam<int> {};

TEST_P(Invariants, HoldOnRandomSites) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed + 1000u * static_cast<unsigned>(GetParam()));
    const model::Model m = site(random_site(seed + 1000u * static_cast<unsigned>(GetParam())));
    const auto run = play(m, seconds(20), seconds(20));
    // The same again, in other windows, is the same.
    ASSERT_EQ(play(m, seconds(20), base::milliseconds(777)).fingerprint, run.fingerprint);
    // A port that is recorded is never elided; recording all of them must change nothing but the work.
    const auto recorded = play_captured(m, seconds(20));
    ASSERT_EQ(recorded.fingerprint, run.fingerprint);
    ASSERT_GE(recorded.events, run.events);
    for (std::size_t lane = 0; lane < run.lanes.size(); ++lane) {
      const auto &a = run.lanes[lane], &b = recorded.lanes[lane];
      ASSERT_EQ(a.frames, b.frames);
      ASSERT_EQ(a.flooded_bytes, b.flooded_bytes);
      ASSERT_LE(a.flooded_bytes, a.bytes);
      ASSERT_LE(a.flooded_frames, a.frames);
    }
    for (const auto& flow : run.flows) ASSERT_LE(flow.delivered_bytes, flow.sent_frames * 1448);
    // Every frame a station put on the wire is on its lane, or was dropped there.
    for (std::size_t s = 0; s < m.stations.size(); ++s) {
      const model::Port& port = m[m.stations[s].port];
      const auto& lane = run.lanes[simulate::lane_index(port.link, m[port.link].a == m.stations[s].port)];
      ASSERT_EQ(lane.frames + lane.dropped_frames, run.sent_by_station[s]) << name_of(m, model::StationId(s));
    }
    // What flooded, flooded for a reason.
    for (const auto& flood : run.floods) {
      std::int64_t reasons = 0;
      for (const auto n : flood.by_reason) reasons += n;
      ASSERT_GE(reasons, flood.frames);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, Invariants, testing::Values(0, 1, 2, 3));

// Debug and release, g++ and clang, this machine and that one: one number. When a change of the engine is
// meant to change what happens, the number changes with it, and the commit says why.
TEST(Determinism, FingerprintsOfTheStories) {
  const auto print = [](const char* name, int until) {
    return play(story(name), seconds(until)).fingerprint;
  };
  EXPECT_EQ(print("hosted-server", 400), 5900004050694197966u);
  EXPECT_EQ(print("cloned-guest", 200), 10064280476698435296u);
  EXPECT_EQ(print("full-table", 30), 11287440461025406730u);
  EXPECT_EQ(print("arp-timers", 3000), 15526887299332279371u);
}

}  // namespace
}  // namespace sekimori::scenarios
