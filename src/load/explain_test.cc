// What explanations say for each kind of bridge and each reason. The walk and the proofs have tests of their
// own.
#include "load/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "importers/site.h"

namespace sekimori::load {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Told {
  model::Model model;
  Explanation e;
  std::string bridges;  // of the first way, "sw1 >sw2": sw2 is one off the way

  const Stop& at(std::string_view bridge) const {
    for (const Way& way : e.ways) {
      for (const Stop& stop : way.stops) {
        if (stop.bridge == bridge) return stop;
      }
    }
    ADD_FAILURE() << "not told: " << bridge;
    static const Stop kNothing{};
    return kNothing;
  }
  std::string why(std::string_view bridge) const { return joined(at(bridge).entry.why); }
  std::string does(std::string_view bridge) const { return joined(at(bridge).doing.says); }

  static std::string joined(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& s : list) text += (text.empty() ? "" : " ") + s;
    return text;
  }
};

model::StationId station(const model::Model& m, std::string_view name) {
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    if (name_of(m, model::StationId(s)) == name) return model::StationId(s);
  }
  ADD_FAILURE() << "no station " << name;
  return {};
}

Told tell(model::Model model, std::string_view to, std::string_view from = "", std::string_view at = "",
          std::size_t most_aside = 12) {
  Told told{std::move(model), {}, {}};
  Question question{.to = station(told.model, to), .from = {}, .at = {}, .most_aside = most_aside};
  if (!from.empty()) question.from = station(told.model, from);
  for (std::size_t b = 0; b < told.model.bridges.size(); ++b) {
    if (name_of(told.model, model::BridgeId(b)) == at) question.at = model::BridgeId(b);
  }
  const check::Learning learning(told.model);
  told.e = explain(learning, question);
  for (const Stop& stop : told.e.ways.empty() ? std::vector<Stop>{} : told.e.ways.front().stops) {
    told.bridges += (told.bridges.empty() ? "" : " ") + std::string(stop.aside, '>') + stop.bridge;
  }
  return told;
}

model::Model site(std::string_view yaml) {
  auto model = importers::parse_site("sekimori: 1\n" + std::string(yaml), "test");
  if (!model) ADD_FAILURE() << model.error().text();
  return model ? *model : model::Model{};
}

model::Model story(const std::string& name) {
  auto model = importers::load_site("examples/" + name + "/site.yaml");
  if (!model) ADD_FAILURE() << model.error().text();
  return model ? *model : model::Model{};
}

// a - sw1 - b, and c on sw1 or, with `more`, whatever else.
model::Model three(std::string_view sw1, std::string_view traffic, std::string_view more = "") {
  return site(
      "hosts:\n"
      "  a: {nics: {eth0: 10.0.0.1/24}}\n"
      "  b: {nics: {eth0: 10.0.0.2/24}}\n"
      "  c: {nics: {eth0: 10.0.0.3/24}}\n"
      "switches: {sw1: " +
      std::string(sw1) +
      "}\n"
      "links: [[a:eth0, sw1:1], [b:eth0, sw1:2], [c:eth0, sw1:3]]\n"
      "traffic: [" +
      std::string(traffic) + "]\n" + std::string(more));
}

constexpr std::string_view kTcp = "{from: a, to: b, kind: tcp, rate: 1Mbit/s}";
constexpr std::string_view kUdp = "{from: a, to: b, kind: udp, rate: 1Mbit/s}";

TEST(Explain, RateText) {
  EXPECT_EQ(rate_text({125'000, 125'000}), "1 Mbit/s");
  EXPECT_EQ(rate_text({0, 1250}), "up to 10 kbit/s");
  EXPECT_EQ(rate_text({1, 1.5}), "8 to 12 bit/s");
  EXPECT_EQ(rate_text({10, 1250}), "80 bit/s to 10 kbit/s");
}

TEST(Explain, HostedServerLeaks) {
  const Told t = tell(story("hosted-server"), "app:net0");
  EXPECT_EQ(t.bridges, "server/vmnet0 >sw1 >>ether >>>sw2");
  EXPECT_EQ(t.at("server/vmnet0").entry.state, EntryState::kNoTable);
  EXPECT_EQ(t.at("server/vmnet0").doing.action, Action::kHandsOn);
  EXPECT_THAT(t.does("server/vmnet0"), HasSubstr("Sends the same frames out of eth0 (to sw1) as well"));
  EXPECT_EQ(t.at("sw1").entry.state, EntryState::kMissing);
  EXPECT_EQ(t.at("sw1").entry.cause, "turns-off");
  EXPECT_THAT(t.why("sw1"), HasSubstr("stay inside the machine, as server/vmnet0"));
  EXPECT_THAT(t.why("sw1"), HasSubstr("forgotten after 300s"));
  EXPECT_THAT(t.at("sw1").out, ElementsAre("sw1:2", "sw1:24"));
  EXPECT_EQ(t.at("sw2").as_at, "sw1");
  EXPECT_EQ(t.e.ways.front().flooded_links, 5u) << "what diagnose lists";
  EXPECT_THAT(t.e.ways.front().unasked, ElementsAre("desk:eth0", "branch:eth0"));
  EXPECT_THAT(t.e.conclusion, HasSubstr("5 links with 20.91 Mbit/s"));
  EXPECT_THAT(t.e.conclusion, HasSubstr("ether:osaka to sw2:24 (10 Mbit/s) can't carry that"));
}

TEST(Explain, HostedServerAtOneSwitch) {
  const Told t = tell(story("hosted-server"), "app:net0", "", "sw1");
  EXPECT_EQ(t.bridges, ">sw1");
  const auto& heard = t.at("sw1").entry.passings;
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].comes, Comes::kNot);
  EXPECT_EQ(heard[0].turns_off, "server/vmnet0");
  EXPECT_EQ(heard[0].turns_to, "server:eth0");
  EXPECT_TRUE(heard[0].kept_inside);
  EXPECT_EQ(t.e.conclusion, "sw1 has no entry for app:net0, so it floods 20.91 Mbit/s out of 2 ports.");
}

TEST(Explain, GuardKeepsItInside) {
  const Told t = tell(story("hosted-server-guard"), "app:net0");
  EXPECT_EQ(t.bridges, "server/vmnet0");
  EXPECT_THAT(t.does("server/vmnet0"), HasSubstr("The guard at server/vmnet0:eth0 drops the copy"));
  EXPECT_EQ(t.e.conclusion, "What server:eth0 sends to app:net0 arrives, and goes nowhere else.");
}

TEST(Explain, GuestToItsHostStaysInside) {
  const Told t = tell(story("hosted-server"), "server:eth0");
  EXPECT_EQ(t.bridges, "server/vmnet0");
  EXPECT_THAT(t.does("server/vmnet0"), HasSubstr("no switch outside sees them"));
}

TEST(Explain, SilentReceiver) {
  const Told t = tell(story("silent-syslog"), "syslog:eth0");
  EXPECT_EQ(t.at("sw1").entry.cause, "silent");
  EXPECT_EQ(t.at("sw1").doing.action, Action::kFloods);
  EXPECT_EQ(t.at("sw2").as_at, "sw1");
  EXPECT_THAT(t.does("sw2"), HasSubstr("no other port than 1 (syslog:eth0)"));
  EXPECT_THAT(t.e.conclusion, HasSubstr("1 link with 2.21 Mbit/s: desk:eth0 gets what is not for it"));
}

TEST(Explain, AsymmetricRoutingAndTimers) {
  const Told t = tell(story("arp-timers"), "db:eth0", "app:eth0");
  ASSERT_EQ(t.e.ways.size(), 2u) << "the hop to the router, and that from it";
  EXPECT_EQ(t.e.ways[0].to, "r1:app");
  EXPECT_EQ(t.e.ways[1].from, "r1:db");
  const Stop& sw3 = t.at("sw3");
  EXPECT_EQ(sw3.entry.state, EntryState::kPartOfTime);
  EXPECT_NEAR(sw3.entry.presence.most, 300.0 / 14'401, 1e-4);
  EXPECT_EQ(sw3.entry.what, "there 2.1 % of the time");
  EXPECT_THAT(t.why("sw3"), HasSubstr("ARP replies of db:eth0 to r1:db, every 14401s or so"));
  EXPECT_EQ(sw3.doing.action, Action::kForwardsOrFloods);
  const auto answers = std::ranges::find(sw3.entry.passings, "udp db -> app", &Passing::what);
  ASSERT_NE(answers, sw3.entry.passings.end());
  EXPECT_EQ(answers->turns_off, "sw2") << "the answers take the other router";
  EXPECT_EQ(answers->turns_to, "r2:db");
  EXPECT_EQ(t.at("sw2").entry.state, EntryState::kHeld);
}

TEST(Explain, SuppressedFloodIsALoss) {
  const Told t = tell(story("arp-timers-suppressed"), "service:eth0");
  EXPECT_EQ(t.at("br341").doing.action, Action::kForwardsOrDrops);
  EXPECT_THAT(t.e.conclusion,
              HasSubstr("arrives at most 25 % of the time: br341 drops it while it has no entry"));
  EXPECT_THAT(t.e.conclusion, HasSubstr("br341:2 takes no unknown unicast"));
}

TEST(Explain, BlockedPortDropsWhatItDoesNotKnow) {
  model::Model m = three("{ports: {2: {flood: off}, 3: {flood: off}}}", kUdp);
  // While a asks by broadcast for an address that it can't reach, the answers teach it at times.
  EXPECT_EQ(tell(m, "b:eth0").at("sw1").doing.action, Action::kForwardsOrDrops);
  m.machines[0].arp = {.timeout = base::seconds(30L * 86'400), .confirm_by_probe = false};
  const Told t = tell(m, "b:eth0");
  EXPECT_EQ(t.at("sw1").doing.action, Action::kDrops);
  EXPECT_THAT(t.does("sw1"), HasSubstr("Not out of 3 (c:eth0)"));
  EXPECT_THAT(t.e.conclusion, HasSubstr("does not arrive: sw1 drops it"));
}

TEST(Explain, KnownIsForwarded) {
  const Told t = tell(three("{}", kTcp), "b:eth0");
  EXPECT_EQ(t.at("sw1").entry.cause, "refreshed");
  EXPECT_EQ(t.does("sw1"), "Forwards them out of 2 (b:eth0).");
  EXPECT_THAT(t.why("sw1"), HasSubstr("the answers of b:eth0 to \"tcp a -> b\" come by at least every"));
  EXPECT_THAT(t.e.remarks, IsEmpty());
}

TEST(Explain, StaticEntry) {
  const Told t = tell(three("{static: [{station: b:eth0, port: 2}]}", kUdp), "b:eth0");
  EXPECT_EQ(t.at("sw1").entry.cause, "static");
  EXPECT_EQ(t.at("sw1").entry.what, "a static one, at sw1:2");
  EXPECT_EQ(t.at("sw1").doing.action, Action::kForwards);
  const Told wrong = tell(three("{static: [{station: b:eth0, port: 3}]}", kUdp), "b:eth0");
  EXPECT_THAT(wrong.why("sw1"), HasSubstr("the entry is wrong"));
  EXPECT_THAT(wrong.e.conclusion, HasSubstr("can't be told: a static entry leads elsewhere."));
}

TEST(Explain, WhatLearnsNothing) {
  EXPECT_THAT(tell(three("{learning: off}", kTcp), "b:eth0").why("sw1"), HasSubstr("learning: off"));
  EXPECT_THAT(tell(three("{ageing: 0}", kTcp), "b:eth0").why("sw1"), HasSubstr("ageing: 0"));
  const Told port = tell(three("{ports: {2: {learning: off}}}", kTcp), "b:eth0");
  EXPECT_EQ(port.at("sw1").entry.cause, "port-does-not-learn");
  EXPECT_THAT(port.why("sw1"), HasSubstr("sw1:2 learns nothing"));
}

TEST(Explain, TableTooSmall) {
  const Told t = tell(story("full-table"), "vm-1-13:net0");
  EXPECT_EQ(t.at("sw1").entry.cause, "table-full");
  EXPECT_THAT(t.why("sw1"), HasSubstr("room for 64 addresses"));
  EXPECT_EQ(t.at("node-2/br0").doing.action, Action::kFilters);
}

TEST(Explain, HubRepeats) {
  const Told t = tell(three("{kind: hub}", kTcp), "b:eth0");
  EXPECT_EQ(t.at("sw1").entry.cause, "hub");
  EXPECT_EQ(t.does("sw1"), "Repeats them out of all other ports: 2 (b:eth0) and 3 (c:eth0).");
  EXPECT_THAT(t.e.ways.front().unasked, ElementsAre("c:eth0"));
}

TEST(Explain, IsolatedPorts) {
  const Told t = tell(three("{ports: {1: {isolated: on}, 2: {isolated: on}}}", kUdp), "b:eth0");
  EXPECT_EQ(t.at("sw1").doing.action, Action::kDrops);
  EXPECT_THAT(t.does("sw1"), HasSubstr("sw1:1 and sw1:2 are isolated from each other"));
  EXPECT_THAT(t.e.conclusion, HasSubstr("does not arrive"));
}

TEST(Explain, VlansAndTags) {
  const Told t = tell(site("hosts:\n"
                           "  a: {nics: {eth0: 10.0.0.1/24}}\n"
                           "  b: {nics: {eth0: 10.0.0.2/24}}\n"
                           "  c: {nics: {eth0: 10.0.0.3/24}}\n"
                           "switches:\n"
                           "  sw1: {ports: {1: {access: 10}, 3: {access: 20}, 24: {trunk: [10, 20]}}}\n"
                           "  sw2: {ports: {1: {access: 10}, 24: {trunk: [10, 20]}}}\n"
                           "links: [[a:eth0, sw1:1], [c:eth0, sw1:3], [sw1:24, sw2:24], [b:eth0, sw2:1]]\n"
                           "traffic: [{from: a, to: b, kind: udp, rate: 1Mbit/s}]\n"),
                      "b:eth0");
  EXPECT_EQ(t.bridges, "sw1 sw2");
  EXPECT_EQ(t.at("sw1").vlan, 10);
  EXPECT_EQ(t.at("sw1").in_tag, 0);
  EXPECT_EQ(t.at("sw2").in_tag, 10);
  EXPECT_THAT(t.does("sw1"), HasSubstr("24 (to sw2, tagged 10)"));
  EXPECT_THAT(t.e.ways.front().unasked, IsEmpty()) << "c is in another VLAN";
}

TEST(Explain, SpanningTreeKeepsAPortOutOfUse) {
  const Told t = tell(site("hosts:\n"
                           "  a: {nics: {eth0: 10.0.0.1/24}}\n"
                           "  b: {nics: {eth0: 10.0.0.2/24}}\n"
                           "switches: {sw1: {stp: on, priority: 0}, sw2: {stp: on}}\n"
                           "links: [[a:eth0, sw1:1], [b:eth0, sw2:1], [sw1:2, sw2:2], [sw1:3, sw2:3]]\n"
                           "traffic: [{from: a, to: b, kind: udp, rate: 1Mbit/s}]\n"),
                      "b:eth0");
  EXPECT_EQ(t.bridges, "sw1 sw2");
  EXPECT_THAT(t.does("sw1"), HasSubstr("The spanning tree keeps 3 (to sw2) out of use."));
}

TEST(Explain, RingClaimsNothing) {
  const Told t = tell(site("hosts:\n"
                           "  a: {nics: {eth0: 10.0.0.1/24}}\n"
                           "  b: {nics: {eth0: 10.0.0.2/24}}\n"
                           "switches: {sw1: {}, sw2: {}, sw3: {}}\n"
                           "links: [[a:eth0, sw1:1], [b:eth0, sw3:1], [sw1:2, sw2:2], [sw1:3, sw2:3],\n"
                           "        [sw2:1, sw3:2]]\n"
                           "traffic: [{from: a, to: b, kind: tcp, rate: 1Mbit/s}]\n"),
                      "b:eth0");
  EXPECT_TRUE(t.e.ways.empty());
  EXPECT_THAT(t.e.trouble, HasSubstr("in a loop at sw1 and sw2,")) << "sw3 is beside it";
  EXPECT_EQ(t.e.conclusion, t.e.trouble);
}

TEST(Explain, AnAggregationGroupIsNoLoop) {
  const Told t = tell(site("hosts:\n"
                           "  a:\n"
                           "    nics: {eth0: {}, eth1: {}}\n"
                           "    bonds: {bond0: {mode: 802.3ad, nics: [eth0, eth1], ip: 10.0.0.1/24}}\n"
                           "  b: {nics: {eth0: 10.0.0.2/24}}\n"
                           "switches: {sw1: {ports: {1: {lag: 1}, 2: {lag: 1}}}}\n"
                           "links: [[a:eth0, sw1:1], [a:eth1, sw1:2], [b:eth0, sw1:3]]\n"
                           "traffic: [{from: b, to: a, kind: tcp, rate: 1Mbit/s}]\n"),
                      "a:bond0");
  EXPECT_THAT(t.e.trouble, HasSubstr("Nothing is proved of frames for a:bond0"));
  EXPECT_THAT(t.e.trouble, Not(HasSubstr("loop")));
}

TEST(Explain, AFrameThatNobodySends) {
  const Told t = tell(three("{}", kTcp), "b:eth0", "c:eth0");
  EXPECT_THAT(t.e.remarks, ElementsAre(HasSubstr("c:eth0 sends nothing to b:eth0")));
  EXPECT_EQ(t.does("sw1"), "Forwards them out of 2 (b:eth0).");
  EXPECT_EQ(t.e.conclusion, "A frame from c:eth0 to b:eth0 would arrive, and goes nowhere else.");
  const Told nothing = tell(three("{}", kTcp), "c:eth0");
  EXPECT_THAT(nothing.e.conclusion, HasSubstr("Nothing is sent to c:eth0"));
  const Told entry = tell(three("{}", kTcp), "c:eth0", "", "sw1");
  EXPECT_FALSE(entry.at("sw1").reached);
  EXPECT_EQ(entry.e.conclusion, "sw1 has no entry for c:eth0; but no frame for it comes by.");
}

TEST(Explain, OtherSegmentNamesTheRouter) {
  const Told t = tell(story("hosted-server-router"), "branch:eth0", "server:eth0");
  EXPECT_THAT(t.e.conclusion, HasSubstr("not in one segment"));
  EXPECT_THAT(t.e.conclusion, HasSubstr("r1:lan"));
}

TEST(Explain, WhoIsNotThere) {
  model::Model off = three("{}", kTcp);
  off.machines[1].running = false;
  EXPECT_EQ(tell(off, "b:eth0").e.conclusion, "Nothing arrives at b:eth0: b is off.");
  model::Model down = three("{}", kTcp);
  down.links[1].up = false;
  EXPECT_EQ(tell(down, "b:eth0").e.conclusion, "Nothing arrives at b:eth0: its link is down.");
  EXPECT_THAT(tell(down, "a:eth0", "b:eth0").e.conclusion, HasSubstr("b:eth0: its link is down"));
}

TEST(Explain, PlainCable) {
  const Told t = tell(story("silent-syslog"), "firewall:dmz", "web:eth0");
  ASSERT_EQ(t.e.ways.size(), 1u);
  EXPECT_TRUE(t.e.ways.front().cable);
  EXPECT_THAT(t.e.conclusion, HasSubstr("nothing but a cable"));
}

TEST(Explain, SharedAddress) {
  model::Model m = three("{}", kTcp);
  m.stations[2].mac = m.stations[1].mac;
  const Told t = tell(m, "b:eth0");
  EXPECT_EQ(t.at("sw1").entry.cause, "doubtful");
  EXPECT_THAT(t.e.remarks, ElementsAre(HasSubstr("c:eth0 has the MAC or IP address of b:eth0")));
  EXPECT_THAT(t.e.conclusion, HasSubstr("b:eth0 and c:eth0 have one address"));
}

TEST(Explain, CopiesAreCutShortAndCounted) {
  const Told all = tell(story("hosted-server"), "app:net0", "", "", 0);
  EXPECT_EQ(all.bridges, "server/vmnet0 >sw1 >>ether >>>sw2");
  const Told one = tell(story("hosted-server"), "app:net0", "", "", 1);
  EXPECT_EQ(one.bridges, "server/vmnet0 >sw1");
  EXPECT_EQ(one.at("sw1").left_out, 2u) << "ether and sw2 behind it";
  EXPECT_EQ(one.e.conclusion, all.e.conclusion);
}

}  // namespace
}  // namespace sekimori::load
