// Both landmines of the project, number by number, and the table that was measured on a real kernel
// (Linux 6.18, network namespaces, external switch = Linux bridge).
#include <algorithm>

#include "scenario.h"

namespace sekimori::scenarios {
namespace {

using base::seconds;
using findings::Code;

// 20 Mbit/s of payload in frames of 1 448 + 66 bytes.
constexpr double kLeakMbit = 20.0 * 1514 / 1448;

TEST(Landmine1, NoFloodWhileTheEntryLivesAndAllOfItAfterwards) {
  const model::Model m = story("hosted-server");
  const auto run = play(m, seconds(2100));
  for (const char* port : {"sw1:2", "sw1:24", "ether:osaka", "sw2:1"}) {
    EXPECT_EQ(lane_from(m, run.windows[298].lanes, port).flooded_bytes, 0) << port;
  }
  // From then on for ever: one, and six ageing times later.
  for (const int at : {310, 2000}) {
    EXPECT_NEAR(flooded_mbit(m, run, "sw1:2", at, at + 60), kLeakMbit, kLeakMbit * 0.01);
    EXPECT_NEAR(flooded_mbit(m, run, "sw1:24", at, at + 60), kLeakMbit, kLeakMbit * 0.01);
    // What the 10 Mbit/s access can carry: frames of 1 514 bytes take 1 538 on the wire.
    EXPECT_NEAR(flooded_mbit(m, run, "ether:osaka", at, at + 60), 10.0 * 1514 / 1538, 0.2);
    EXPECT_NEAR(flooded_mbit(m, run, "sw2:1", at, at + 60), 10.0 * 1514 / 1538, 0.2);
  }
}

TEST(Landmine1, DiagnosisNamesTheLeakAndTheVictim) {
  const auto report = diagnose(story("hosted-server"));
  EXPECT_EQ(codes(report), "flood-leak segment-over-wan");
  const auto* leak = find(report, Code::kFloodLeak);
  ASSERT_NE(leak, nullptr);
  EXPECT_EQ(leak->where, "server/vmnet0");
  EXPECT_EQ(leak->onset.value() / seconds(1), 300);
  ASSERT_EQ(leak->flows.size(), 1u);
  const auto& victim = leak->flows[0];
  EXPECT_EQ(victim.flow, "tcp desk -> branch");
  EXPECT_NEAR(victim.before.goodput_mbit, 5, 0.05);
  EXPECT_LT(victim.before.loss_percent, 0.1);
  EXPECT_LT(victim.after.goodput_mbit, 1);
  EXPECT_GT(victim.after.loss_percent, 20);
  EXPECT_GT(victim.after.delay_ms, 5 * victim.before.delay_ms);
}

TEST(Landmine1, WithTheGuardNothingLeavesAndNobodySuffers) {
  const model::Model m = story("hosted-server-guard");
  const auto run = play(m, seconds(900));
  EXPECT_EQ(lane_from(m, run.lanes, "server/vmnet0:eth0").flooded_bytes, 0);
  for (const char* port : {"sw1:2", "sw1:24", "ether:osaka", "sw2:1"}) {
    EXPECT_EQ(lane_from(m, run.lanes, port).flooded_bytes, 0) << port;
  }
  EXPECT_LE(run.flows[1].lost_frames, 5);  // in flight when the run ends: 430 frames/s, 9.4 ms
  EXPECT_EQ(codes(diagnose(m)), "segment-over-wan");
}

TEST(Landmine1, BehindARouterTheWanSeesNothing) {
  const model::Model m = story("hosted-server-router");
  const auto run = play(m, seconds(900));
  for (const char* port : {"r1:wan", "ether:osaka", "sw2:1"}) {
    EXPECT_EQ(lane_from(m, run.lanes, port).flooded_bytes, 0) << port;
  }
  EXPECT_NEAR(flooded_mbit(m, run, "sw1:2", 600, 660), kLeakMbit, kLeakMbit * 0.01);
  EXPECT_LE(run.flows[1].lost_frames, 5);  // in flight when the run ends: 430 frames/s, 9.4 ms
}

TEST(Landmine1, GratuitousArpEndsTheFloodButNotTheLeak) {
  model::Model m = story("hosted-server");
  for (auto& machine : m.machines) {
    if (machine.name == "app") machine.arp.announce_every = seconds(100);
  }
  const auto run = play(m, seconds(2100));
  EXPECT_EQ(lane_from(m, run.lanes, "sw1:2").flooded_bytes, 0);
  EXPECT_EQ(lane_from(m, run.lanes, "ether:osaka").flooded_bytes, 0);
  EXPECT_NEAR(flooded_mbit(m, run, "server/vmnet0:eth0", 1000, 1060), kLeakMbit, kLeakMbit * 0.01);
  EXPECT_EQ(codes(diagnose(m)), "leak-latent segment-over-wan");
}

// The near miss: a guest that is heard outside more often than the ageing time.
TEST(Landmine1, AGuestThatTalksToOutsidersDoesNotFlood) {
  model::Model m = story("hosted-server");
  model::Flow talk;
  talk.kind = model::FlowKind::kRequest;
  for (std::size_t i = 0; i < m.machines.size(); ++i) {
    if (m.machines[i].name == "app") talk.from = model::MachineId(i);
    if (m.machines[i].name == "desk") talk.to = model::MachineId(i);
  }
  talk.interval = seconds(250);
  talk.payload = talk.response = 100;
  m.flows.push_back(talk);
  const auto run = play(m, seconds(2100));
  EXPECT_EQ(lane_from(m, run.lanes, "sw1:2").flooded_bytes, 0);
  EXPECT_EQ(codes(diagnose(m)), "leak-latent segment-over-wan");
}

// ---------------------------------------------------------------- the kernel's table, case by case

constexpr std::string_view kBench = R"(
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vmnet0: {kind: KIND, uplinks: [eth0]}}
    arp: {announce: never}
    guests: {g: {nics: {net0: {on: vmnet0, ip: 10.0.0.9/24}}, arp: {announce: ANNOUNCE}}}
  h1: {nics: {eth0: 10.0.0.2/24}, arp: {announce: never}}
  h2: {nics: {eth0: 10.0.0.3/24}, arp: {announce: never}}
  wan: {nics: {eth0: 10.0.0.4/24}, arp: {announce: never}}
switches: {sw: {ageing: 3s}}
links: [[server:eth0, sw:srv], [h1:eth0, sw:h1], [h2:eth0, sw:h2], [wan:eth0, sw:wan]]
traffic:
  - {from: server, to: g, kind: ping, every: 80ms, stop: STOP}
)";

model::Model bench(std::string_view kind, std::string_view announce, std::string_view stop,
                   std::string_view more = "") {
  std::string text(kBench);
  const auto put = [&](std::string_view word, std::string_view value) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word))
      text.replace(at, word.size(), value);
  };
  put("KIND", kind);
  put("ANNOUNCE", announce);
  put("STOP", stop);
  return site(text + std::string(more));
}

std::int64_t pings_at(const model::Model& m, const simulate::RunResult& run, std::string_view port) {
  return lane_from(m, run.lanes, port).flooded_frames;
}

// Case B: the guest was never heard outside; each of 50 echo requests is seen at every port. The runs end
// before the guest's stack confirms its ARP entry (after 5 s): the host's answer to that would leak as well.
TEST(KernelTable, LeakFiftyOfFifty) {
  const model::Model m = bench("hosted-bridge", "never", "4s");
  const auto run = play(m, base::milliseconds(4900));
  ASSERT_EQ(run.flows[0].sent_frames, 50);
  EXPECT_EQ(run.flows[0].answered, 50);
  for (const char* port : {"sw:h1", "sw:h2", "sw:wan"}) EXPECT_EQ(pings_at(m, run, port), 50) << port;
}

// Case A: one announcement hides the fault for the ageing time of 3 s, then every frame floods. The kernel
// showed 91 of 101 at ten a second, the pings begun some two seconds after the announcement; here they begin
// with it.
TEST(KernelTable, LeakHiddenForOneAgeingTime) {
  const model::Model m = bench("hosted-bridge", "start", "8s");
  const auto run = play(m, seconds(9));
  ASSERT_EQ(run.flows[0].sent_frames, 100);
  // 3 s are 37.5 pings of 98 bytes; one ARP frame is the host's answer to the guest's probe.
  EXPECT_EQ(lane_from(m, run.lanes, "sw:wan").flooded_bytes, 62 * 98 + 60);
}

// Case A2: the guest also pings an outsider once a second.
TEST(KernelTable, LeakFilteredWhileTheGuestIsHeard) {
  const model::Model m =
      bench("hosted-bridge", "start", "4s", "  - {from: g, to: h1, kind: ping, every: 1s}\n");
  const auto run = play(m, base::milliseconds(4900));
  EXPECT_EQ(pings_at(m, run, "sw:wan"), 0);
}

// Case C and the stock mechanisms S1: a learning bridge keeps it inside; with ageing 0 it does what the
// hosted one does.
TEST(KernelTable, LinuxBridge) {
  model::Model m = bench("linux-bridge", "never", "4s");
  EXPECT_EQ(pings_at(m, play(m, base::milliseconds(4900)), "sw:wan"), 0);
  m.bridges[0].ageing = base::Duration{0};
  const auto run = play(m, base::milliseconds(4900));
  EXPECT_EQ(run.flows[0].answered, 50);
  EXPECT_EQ(pings_at(m, run, "sw:wan"), 50);
}

// ---------------------------------------------------------------- landmine 2

constexpr std::string_view kTwins = R"(
hosts:
  client: {nics: {eth0: 10.0.0.1/24}}
  h1:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {g1: {nics: {net0: {on: br0, ip: 10.0.0.11/24, mac: "00:16:3e:00:00:aa"}}}}
  h2:
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {g2: {nics: {net0: {on: br0, ip: 10.0.0.12/24, mac: "00:16:3e:00:00:MAC"}}, state: STATE}}
switches: {sw1: {}}
links: [[client:eth0, sw1:1], [h1:eth0, sw1:2], [h2:eth0, sw1:3]]
traffic:
  - {from: client, to: g1, kind: ping, every: 50ms}
  - {from: client, to: g2, kind: ping, every: 50ms}
)";

model::Model twins(std::string_view mac, std::string_view state) {
  std::string text(kTwins);
  text.replace(text.find("MAC\""), 3, mac);
  text.replace(text.find("STATE"), 5, state);
  return site(text);
}

// Measured: 97.5 % and 2.5 % loss, four moves in eleven seconds.
TEST(Landmine2, OneStarvesTheOtherWithFewMoves) {
  const model::Model m = twins("aa", "running");
  const auto run = play(m, seconds(10));
  const auto loss = [&](int flow) {
    return 1 -
           static_cast<double>(run.flows[flow].answered) / static_cast<double>(run.flows[flow].sent_frames);
  };
  EXPECT_GT(std::max(loss(0), loss(1)), 0.95);
  EXPECT_LT(std::min(loss(0), loss(1)), 0.05);
  std::int64_t moves = 0;
  for (const auto& move : run.moves) moves += name_of(m, move.bridge) == "sw1" ? move.moves : 0;
  EXPECT_LE(moves, 6);
  EXPECT_GE(moves, 1);
  const auto report = diagnose(m, seconds(60));
  EXPECT_EQ(codes(report), "mac-duplicate");
  EXPECT_EQ(find(report, Code::kMacDuplicate)->where, "g1:net0 and g2:net0");
}

TEST(Landmine2, LatentWhileOneIsOff) {
  EXPECT_EQ(codes(diagnose(twins("aa", "stopped"), seconds(60))), "mac-duplicate-latent");
}
TEST(Landmine2, SilentWhenTheyDiffer) { EXPECT_EQ(codes(diagnose(twins("ab", "running"), seconds(60))), ""); }

TEST(Landmine2, ACloneIsNamedWithTheTimeItStarts) {
  const auto report = diagnose(story("cloned-guest"));
  const auto* f = find(report, Code::kMacDuplicate);
  ASSERT_NE(f, nullptr);
  EXPECT_EQ(f->onset, seconds(60));
  EXPECT_NE(f->cause.find("shop2:net0 is a clone of shop"), std::string::npos);
}

TEST(Landmine2, DrawnAddressesCollide) {
  const auto report = diagnose(story("twenty-guests"), seconds(60));
  const auto* f = find(report, Code::kMacDuplicate);
  ASSERT_NE(f, nullptr);
  EXPECT_NE(f->cause.find("drawn at random"), std::string::npos);
}

}  // namespace
}  // namespace sekimori::scenarios
