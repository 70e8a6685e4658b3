// What is proved of the incidents without playing a frame: the right code and cause, and nothing of a near
// miss.
#include <algorithm>
#include <fstream>

#include "check/learning.h"
#include "load/proof.h"
#include "remedy/remedy.h"

#include "scenario.h"

namespace sekimori::scenarios {
namespace {

using findings::Certainty;
using findings::Code;
using findings::Finding;

findings::Report proof(const model::Model& model) {
  findings::Report report;
  report.findings = check::structural(model);
  load::prove(model, report);
  findings::sort_findings(report.findings);
  return report;
}

std::string changed(const std::string& name, const std::string& from, const std::string& to) {
  std::ifstream file("examples/" + name + "/site.yaml");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

model::Model story_with(const std::string& name, const std::string& from, const std::string& to) {
  auto model = importers::parse_site(changed(name, from, to), "changed");
  if (!model) ADD_FAILURE() << model.error().text();
  return model ? *model : model::Model{};
}

void expect_proved(const findings::Report& report, Code code, std::string_view cause, double mbit) {
  const Finding* f = find(report, code);
  ASSERT_NE(f, nullptr) << codes(report);
  EXPECT_EQ(f->certainty, Certainty::kProved);
  EXPECT_NE(f->cause.find(cause), std::string::npos) << f->cause;
  ASSERT_FALSE(f->links.empty());
  EXPECT_NEAR(f->links.front().flooded_mbit, mbit, mbit * 0.02);
}

// I-01
TEST(Proof, TheLeakAndWhatItCosts) {
  const auto report = proof(story("hosted-server"));
  expect_proved(report, Code::kFloodLeak, "never as a source", 20.91);
  const Finding* f = find(report, Code::kFloodLeak);
  EXPECT_EQ(f->where, "server/vmnet0");
  EXPECT_EQ(f->severity, findings::Severity::kError) << "it fills the WAN";
  const bool told = std::ranges::any_of(f->evidence, [](const auto& e) {
    return e.where == "ether:osaka to sw2:24" && e.what.find("tcp desk -> branch") != std::string::npos;
  });
  EXPECT_TRUE(told) << "whom the full link hits";
}

TEST(Proof, TheLeakIsLatentWhileTheGuestIsHeard) {
  const auto report = proof(
      story_with("hosted-server", "ip: 10.0.0.9/24}}", "ip: 10.0.0.9/24}}, arp: {announce: [start, 100s]}"));
  EXPECT_EQ(find(report, Code::kFloodLeak), nullptr) << codes(report);
  EXPECT_NE(find(report, Code::kLeakLatent), nullptr);
}

TEST(Proof, NothingLeaksPastTheGuard) {
  const auto report = proof(story("hosted-server-guard"));
  EXPECT_EQ(find(report, Code::kFloodLeak), nullptr);
  EXPECT_EQ(find(report, Code::kLeakLatent), nullptr);
}

// I-04
TEST(Proof, ASilentReceiver) {
  expect_proved(proof(story("silent-syslog")), Code::kFloodSilent, "never sends", 2.21);
  const auto spoken_to = proof(story_with(
      "silent-syslog", "traffic:\n", "traffic:\n  - {from: desk, to: syslog, kind: ping, every: 10s}\n"));
  EXPECT_EQ(find(spoken_to, Code::kFloodSilent), nullptr) << codes(spoken_to);
}

// I-06: the duty cycle of the incident, (14 400 - 300) / 14 400.
TEST(Proof, TimersGiveTheDutyCycle) {
  expect_proved(proof(story("arp-timers")), Code::kFloodTimers, "97.9 %", 0.82);
  const auto in_time =
      proof(story_with("arp-timers", "routers:\n  r1: {", "routers:\n  r1: {arp: {timeout: 200s}, "));
  EXPECT_EQ(find(in_time, Code::kFloodTimers), nullptr) << codes(in_time);
}

// I-07
TEST(Proof, WhereFloodingIsBlockedTheSameIsALoss) {
  const auto report = proof(story("arp-timers-suppressed"));
  const Finding* f = find(report, Code::kBlackholeSuppressed);
  ASSERT_NE(f, nullptr) << codes(report);
  EXPECT_NE(f->cause.find("75 %"), std::string::npos) << f->cause;
  // Where flooding is allowed it is a flood of as long, not a loss.
  const auto flooded = proof(story_with("arp-timers-suppressed", "2: {flood: off}", "2: {flood: on}"));
  EXPECT_EQ(find(flooded, Code::kBlackholeSuppressed), nullptr) << codes(flooded);
}

// I-09
TEST(Proof, LearningOff) {
  const auto report = proof(story("ageing-zero"));
  EXPECT_NE(find(report, Code::kFloodNoLearning), nullptr);
  EXPECT_EQ(find(report, Code::kAgeingZero), nullptr) << "told twice";
  const auto learns = proof(story_with("ageing-zero", "ageing: 0", "ageing: 300s"));
  EXPECT_EQ(codes(learns), "");
}

// I-17: 107 addresses within each ageing time, room for 64.
TEST(Proof, AFullTable) {
  const auto report = proof(story("full-table"));
  const Finding* f = find(report, Code::kFloodTableFull);
  ASSERT_NE(f, nullptr);
  EXPECT_EQ(f->certainty, Certainty::kProved);
  EXPECT_NE(f->cause.find("107 addresses"), std::string::npos) << f->cause;
  const auto roomy = proof(story_with("full-table", "table-size: 64", "table-size: 256"));
  EXPECT_EQ(find(roomy, Code::kFloodTableFull), nullptr);
}

// I-08: two pods of one bridge, one of which only receives. The flood stays on the bridge and its uplink.
TEST(Proof, OneWayBetweenGuestsOfOneBridge) {
  const std::string text = R"(
hosts:
  node:
    nics: {eth0: 10.0.0.1/24}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests:
      a: {nics: {net0: {on: br0, ip: 10.0.0.11/24}}, arp: {timeout: 30d}}
      b: {nics: {net0: {on: br0, ip: 10.0.0.12/24}}}
      c: {nics: {net0: {on: br0, ip: 10.0.0.13/24}}}
  other: {nics: {eth0: 10.0.0.2/24}}
switches: {sw: {}}
links: [[node:eth0, sw:1], [other:eth0, sw:2]]
traffic: [{from: a, to: b, kind: KIND, rate: 8Mbit/s}]
)";
  const auto of = [&](const std::string& kind) {
    std::string copy = text;
    return proof(site(copy.replace(copy.find("KIND"), 4, kind)));
  };
  expect_proved(of("udp"), Code::kFloodSilent, "never sends", 8.23);
  EXPECT_EQ(codes(of("tcp")), "") << "who acknowledges is heard";
}

// I-15: one port that does not learn.
TEST(Proof, APortThatDoesNotLearn) {
  const std::string text = R"(
hosts: {a: {nics: {eth0: 10.0.0.1/24}}, b: {nics: {eth0: 10.0.0.2/24}}, c: {nics: {eth0: 10.0.0.3/24}}}
switches: {sw: {kind: linux-bridge, ports: {2: {learning: LEARNING}}}}
links: [[a:eth0, sw:1], [b:eth0, sw:2], [c:eth0, sw:3]]
traffic: [{from: a, to: b, kind: tcp, rate: 20Mbit/s}]
)";
  const auto of = [&](const std::string& learning) {
    std::string copy = text;
    return proof(site(copy.replace(copy.find("LEARNING"), 8, learning)));
  };
  expect_proved(of("off"), Code::kFloodNoLearning, "at the port towards", 20.9);
  EXPECT_EQ(codes(of("on")), "");
}

TEST(Proof, AsymmetricRouting) {
  const char* const text = R"(
hosts:
  a: {nics: {eth0: {ip: 10.0.1.5/24}}, gateway: 10.0.1.1}
  b: {nics: {eth0: {ip: 10.0.2.5/24}}, gateway: 10.0.2.2}
  quiet: {nics: {eth0: {ip: 10.0.2.9/24}}}
routers:
  r1: {nics: {x: {ip: 10.0.1.1/24}, y: {ip: 10.0.2.1/24}}, arp: {timeout: 30d}}
  r2: {nics: {x: {ip: 10.0.1.2/24}, y: {ip: 10.0.2.2/24}}}
switches: {s1: {}, s2: {}, s3: {}}
links:
  - [a:eth0, s1:1]
  - [r1:x, s1:2]
  - [r2:x, s1:3]
  - [r1:y, s2:1]
  - [s2:2, s3:1]
  - [r2:y, s3:2]
  - [b:eth0, s3:3]
  - [quiet:eth0, s2:9]
traffic:
  - {from: a, to: b, kind: udp, rate: 5Mbit/s}
  - {from: b, to: a, kind: udp, rate: 5Mbit/s}
)";
  const auto report = proof(site(text));
  expect_proved(report, Code::kFloodAsymmetric, "another way", 5.16);
  EXPECT_EQ(find(report, Code::kFloodAsymmetric)->where, "b:eth0");
  std::string same_way(text);
  same_way.replace(same_way.find("gateway: 10.0.2.2"), 17, "gateway: 10.0.2.1");
  EXPECT_EQ(find(proof(site(same_way)), Code::kFloodAsymmetric), nullptr);
}

TEST(Proof, TimingDecidesAndNoGuessIsMade) {
  const auto report = proof(story("timing-decides"));
  std::size_t open = 0;
  for (const Finding& f : report.findings) {
    if (f.code != Code::kFloodUndecided) continue;
    ++open;
    EXPECT_EQ(f.certainty, Certainty::kUndecided);
    EXPECT_EQ(f.severity, findings::Severity::kNote);
    EXPECT_EQ(f.candidates.size(), 2u);
  }
  EXPECT_EQ(open, 3u);
}

TEST(Proof, ARingIsNotJudged) {
  const auto report = proof(story("guest-bridges-nics"));
  EXPECT_NE(find(report, Code::kLoop), nullptr);
  ASSERT_FALSE(report.remarks.empty());
  EXPECT_NE(report.remarks.front().find("go round"), std::string::npos);
}

TEST(Proof, WithoutTrafficNothingIsKnown) {
  const auto report = proof(
      site("hosts: {a: {nics: {eth0: {ip: 10.0.0.1/24}}}}\nswitches: {s: {}}\nlinks: [[a:eth0, s:1]]\n"));
  ASSERT_FALSE(report.remarks.empty());
  EXPECT_NE(report.remarks.front().find("Nothing is sent"), std::string::npos);
}

TEST(Proof, ALinkTooSmallForWhatIsWanted) {
  const std::string text = R"(
hosts: {a: {nics: {eth0: {ip: 10.0.0.1/24}}}, b: {nics: {eth0: {ip: 10.0.0.2/24}}}}
switches: {s: {}}
links: [[a:eth0, s:1], [b:eth0, s:2, RATE]]
traffic: [{from: a, to: b, kind: udp, rate: 5Mbit/s}]
)";
  const auto with = [&](const std::string& rate) {
    std::string copy = text;
    return proof(site(copy.replace(copy.find("RATE"), 4, rate)));
  };
  const auto small = with("4Mbit/s");
  const Finding* f = find(small, Code::kLinkOverloaded);
  ASSERT_NE(f, nullptr) << codes(small);
  EXPECT_EQ(f->where, "s:2 to b:eth0");
  EXPECT_EQ(find(with("6Mbit/s"), Code::kLinkOverloaded), nullptr);
}

// A clone that is started later is judged in the phase in which it runs.
TEST(Proof, EveryPhaseOfTheTimelineIsJudged) {
  const auto report =
      proof(story_with("silent-syslog", "traffic:\n", "changes: [{at: 3000s, stop: web}]\ntraffic:\n"));
  EXPECT_NE(find(report, Code::kFloodSilent), nullptr) << "before web is stopped";
}

// A table that turns out too small takes back what was proved of others: sw1 knows d by frames that get past
// sw2 only when that one knows x.
TEST(Proof, ATableThatIsTooSmallLeavesOpenWhatRestsOnIt) {
  const model::Model m = site(R"(
hosts:
  x: {nics: {e: 10.0.0.1/24}}
  y: {nics: {e: 10.0.0.5/24}}
  f: {nics: {e: 10.0.0.2/24}}
  g: {nics: {e: 10.0.0.3/24}}
  d: {nics: {e: 10.0.0.4/24}}
switches: {sw1: {}, sw2: {table-size: 2, ports: {1: {flood: off}}}, sw3: {}}
links: [[x:e, sw1:1], [sw1:2, sw2:1], [sw1:3, sw3:1], [y:e, sw3:2], [d:e, sw2:2], [f:e, sw2:3], [g:e, sw2:4]]
)");
  const auto station = [&](const std::string& machine) {
    return std::ranges::find(m.machines, machine, &model::Machine::name)->stations.front();
  };
  const auto stream = [&](const std::string& from, const std::string& to) {
    return check::Stream{
        .from = station(from), .to = station(to), .gap = base::seconds(1), .least = 1, .most = 1, .flow = {}};
  };
  const check::Learning learning(m, {stream("x", "d"), stream("d", "x"), stream("f", "g"), stream("g", "f")});
  const auto presence_of_x_where = [&](const std::string& machine) {
    const check::Place& place = learning.forest().place(station(machine));
    std::vector<check::Step> way;
    learning.forest().way(place, learning.forest().place(station("x")), way);
    return learning.presence(place.node, way.front().out, station("x"));
  };
  EXPECT_TRUE(learning.overfull(m[peer(m, m[station("d")].port)].bridge));
  EXPECT_TRUE(presence_of_x_where("x").always());
  EXPECT_FALSE(presence_of_x_where("y").never()) << "sw1 may not know d, and flood what is for it";
}

TEST(Proof, RemediesAreTriedAndRanked) {
  const model::Model model = story("hosted-server");
  auto report = proof(model);
  remedy::search(model, {}, report);
  const auto& remedies = find(report, Code::kFloodLeak)->remedies;
  ASSERT_GE(remedies.size(), 5u);
  EXPECT_EQ(remedies.front().word, "guard");
  EXPECT_TRUE(remedies.front().ends_fault);
  EXPECT_TRUE(remedies.front().side_effects.empty());
  EXPECT_NEAR(remedies.front().before_mbit, 20.91, 0.1);
  EXPECT_EQ(remedies.front().after_mbit, 0);
  const auto arp = std::ranges::find(remedies, "gratuitous-arp", &findings::RemedyOutcome::word);
  ASSERT_NE(arp, remedies.end());
  EXPECT_TRUE(arp->ends_fault);
  EXPECT_FALSE(arp->side_effects.empty()) << "the leak itself stays";
  EXPECT_FALSE(remedies.back().ends_fault) << "what does not end it comes last";
}

}  // namespace
}  // namespace sekimori::scenarios
