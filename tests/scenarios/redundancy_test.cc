// Clusters that hide their address, and routers that share one: what they do to the switches, what is a fault
// of it, and what is none.
#include <algorithm>
#include <map>
#include <set>

#include "load/proof.h"
#include "remedy/remedy.h"
#include "scenario.h"
#include "simulate/run.h"
#include "wire/decode.h"

namespace sekimori::scenarios {
namespace {

using base::milliseconds;
using base::seconds;
using findings::Code;

// ---------------------------------------------------------------- Network Load Balancing

TEST(Nlb, FloodsItsSegmentForEverAndNobodyIsADuplicate) {
  const model::Model m = story("nlb-unicast");
  const auto report = diagnose(m, seconds(60));
  EXPECT_EQ(codes(report), "flood-masked");
  const auto* f = find(report, Code::kFloodMasked);
  ASSERT_NE(f, nullptr);
  EXPECT_EQ(f->where, "web");
  EXPECT_NE(f->cause.find("intentional source masking"), std::string::npos);
  // Bystanders only: what the other members get is meant for them, too.
  ASSERT_EQ(f->links.size(), 2U);
  for (const auto& link : f->links) EXPECT_NEAR(link.flooded_mbit, 41.8, 0.1);
}

TEST(Nlb, EveryMemberGetsEveryFrameAndOneAnswers) {
  const model::Model m = story("nlb-unicast");
  const auto run = play(m, seconds(20));
  std::int64_t answering = 0;
  for (const char* port : {"sw1:1", "sw1:2", "sw1:3"}) {
    const auto& to = lane_from(m, run.lanes, port);
    EXPECT_GT(to.frames, 60'000) << port;
    EXPECT_EQ(to.flooded_frames, 0) << port;
  }
  for (const char* nic : {"web1:eth0", "web2:eth0", "web3:eth0"})
    answering += lane_from(m, run.lanes, nic).frames > 10'000;
  EXPECT_EQ(answering, 1);
  EXPECT_EQ(run.flows[0].lost_frames, 0);
  EXPECT_TRUE(run.misdeliveries.empty());
  EXPECT_TRUE(run.address_conflicts.empty());
}

TEST(Nlb, NoTableEverHoldsTheAddressOfTheCluster) {
  const model::Model m = story("nlb-unicast");
  simulate::Options options;
  options.until = seconds(30);
  options.tables = true;
  const auto run = simulate::run(m, options);
  ASSERT_TRUE(run);
  std::set<std::string> masks;
  for (const auto& entry : run->tables) {
    EXPECT_NE(entry.mac, m.shared[0].mac);
    if (wire::to_text(entry.mac).ends_with("0a:00:00:64"))
      masks.insert(wire::to_text(entry.mac).substr(0, 5));
  }
  EXPECT_EQ(masks, (std::set<std::string>{"02:01", "02:02", "02:03"}));
  // And the client has been told that very address.
  for (const auto& neighbour : run->neighbours) {
    if (wire::to_text(neighbour.ip) != "10.0.0.100") continue;
    EXPECT_EQ(wire::to_text(neighbour.mac), "02:bf:0a:00:00:64");
  }
}

TEST(Nlb, AnswersArpWithTheClustersAddressFromAnother) {
  const model::Model m = story("nlb-unicast");
  simulate::Options options;
  options.until = seconds(2);
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    if (name_of(m, model::PortId(p)) == "desk:eth0") options.captures = {model::PortId(p)};
  }
  std::size_t replies = 0;
  options.on_frame = [&](const simulate::CapturedFrame& frame) -> base::Result<void> {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.bytes.data());
    const wire::Packet packet = wire::decode(wire::LinkType::ethernet, {bytes, frame.bytes.size()});
    const auto* arp = packet.get<wire::Arp>();
    if (frame.inbound && arp != nullptr && arp->operation == wire::Arp::kReply) {
      ++replies;
      EXPECT_EQ(wire::to_text(arp->sender_mac), "02:bf:0a:00:00:64");
      EXPECT_NE(packet.get<wire::Ethernet>()->source, arp->sender_mac);
    }
    return {};
  };
  ASSERT_TRUE(simulate::run(m, options));
  EXPECT_EQ(replies, 3U);  // of all members
}

TEST(Nlb, IsQuietInASegmentOfItsOwn) {
  const model::Model m = site(R"(
hosts:
  web1: {nics: {eth0: {ip: 10.0.1.11/24}}, gateway: 10.0.1.1}
  web2: {nics: {eth0: {ip: 10.0.1.12/24}}, gateway: 10.0.1.1}
  desk: {nics: {eth0: {ip: 10.0.0.21/24}}, gateway: 10.0.0.1}
  phone: {nics: {eth0: {ip: 10.0.0.22/24}}}
routers: {r: {nics: {a: 10.0.0.1/24, b: 10.0.1.1/24}}}
switches: {sw1: {kind: switch}, sw2: {kind: switch}}
shared: {web: {kind: nlb, ip: 10.0.1.100, members: [web1:eth0, web2:eth0]}}
links:
  - [web1:eth0, sw1:1]
  - [web2:eth0, sw1:2]
  - [r:b, sw1:3]
  - [r:a, sw2:1]
  - [desk:eth0, sw2:2]
  - [phone:eth0, sw2:3]
traffic: [{from: desk, to: web, kind: tcp, rate: 5Mbit/s}]
)");
  EXPECT_EQ(find(diagnose(m, seconds(60)), Code::kFloodMasked), nullptr);
  findings::Report proved;
  load::prove(m, proved);
  EXPECT_EQ(find(proved, Code::kFloodMasked), nullptr);
}

TEST(Nlb, AnotherMemberAnswersWhenOneStops) {
  model::Model m = story("nlb-unicast");
  const model::MachineId serving = m[m.flows[0].to].stations.empty() ? model::MachineId{} : m.flows[0].to;
  m.changes.push_back({seconds(10), model::StopMachine{serving}, 0});
  const auto run = play(m, seconds(60), seconds(10));
  ASSERT_GE(run.windows.size(), 6U);
  EXPECT_GT(run.windows[5].flows[0].delivered_bytes, run.windows[2].flows[0].delivered_bytes);
}

// The remedies for the fault, and whether each ends it.
std::map<std::string, bool> tried_out(const model::Model& m, Code code) {
  const auto options = simulate::diagnosing_options(m, seconds(30));
  const auto run = simulate::run(m, options);
  findings::Report report;
  report.findings = check::structural(m);
  load::prove(m, report);
  simulate::explain(m, options, *run, report);
  remedy::Options how;
  how.run = options;
  how.threads = 2;
  EXPECT_TRUE(remedy::work_out(m, *run, how, report));
  std::map<std::string, bool> ends;
  if (const auto* finding = find(report, code); finding != nullptr)
    for (const auto& remedy : finding->remedies) ends[remedy.word] = remedy.ends_fault;
  return ends;
}

TEST(Nlb, RemediesAreTriedOut) {
  EXPECT_EQ(tried_out(story("nlb-unicast"), Code::kFloodMasked),
            (std::map<std::string, bool>{{"own-segment", true}, {"static-entry", false}}));
}

// ---------------------------------------------------------------- VRRP, HSRP

// Clients behind one switch, their gateway of two routers behind another, a server beyond.
std::string routed(const std::string& shared, const std::string& more = "") {
  return R"(
hosts:
  a: {nics: {eth0: {ip: 10.1.0.11/24}}, gateway: 10.1.0.1}
  b: {nics: {eth0: {ip: 10.1.0.12/24}}, gateway: 10.1.0.1}
  s: {nics: {eth0: {ip: 10.2.0.9/24}}, gateway: 10.2.0.1}
routers:
  r1: {nics: {lan: 10.1.0.2/24, core: 10.2.0.2/24}}
  r2: {nics: {lan: 10.1.0.3/24, core: 10.2.0.3/24}}
switches: {core: {kind: switch}, lan: {kind: switch}}
links:
  - [r1:lan, lan:1]
  - [r2:lan, lan:2]
  - [a:eth0, lan:3]
  - [b:eth0, lan:4]
  - [r1:core, core:1]
  - [r2:core, core:2]
  - [s:eth0, core:3]
shared:
)" + shared +
         "traffic:\n  - {from: a, to: s, kind: request, every: 100ms}\n" + more;
}
const char* const kVrrp =
    "  lan-gw: {kind: vrrp, vrid: 10, ip: 10.1.0.1, members: [r1:lan, r2:lan]}\n"
    "  core-gw: {kind: vrrp, vrid: 10, ip: 10.2.0.1, members: [r1:core, r2:core]}\n";
const char* const kHsrp =
    "  lan-gw: {kind: hsrp, group: 10, ip: 10.1.0.1, members: [r1:lan, r2:lan]}\n"
    "  core-gw: {kind: hsrp, group: 10, ip: 10.2.0.1, members: [r1:core, r2:core]}\n";

TEST(FirstHop, OneNumberInTwoSegmentsIsNoFault) {
  for (const char* shared : {kVrrp, kHsrp}) {
    const model::Model m = site(routed(shared));
    const auto report = diagnose(m, seconds(120));
    EXPECT_EQ(find(report, Code::kMacDuplicate), nullptr);
    EXPECT_EQ(find(report, Code::kMacDuplicateLatent), nullptr);
    EXPECT_EQ(find(report, Code::kIpDuplicate), nullptr);
    EXPECT_EQ(find(report, Code::kRouterTakeover), nullptr);
    const auto run = play(m, seconds(120));
    EXPECT_EQ(run.flows[0].answered, run.flows[0].sent_frames);
    EXPECT_TRUE(run.moves.empty());
    // r2 forwards nothing.
    EXPECT_LT(lane_from(m, run.lanes, "r2:core").frames, 100);
  }
}

TEST(FirstHop, TheMasterIsMissedForThreeIntervalsAndASkew) {
  // RFC 5798 section 6.1: 3 x 1 s + (256 - 100) / 256 s after the last advertisement.
  const model::Model m = site(routed(kVrrp, "changes: [{at: 10.5s, stop: r1}]\n"));
  const auto run = play(m, seconds(60));
  ASSERT_EQ(run.takeovers.size(), 2U);
  for (const auto& takeover : run.takeovers) {
    EXPECT_EQ(name_of(m, m[takeover.nic].machine), "r2");
    EXPECT_GE(takeover.at, seconds(10) + milliseconds(3609));
    EXPECT_LE(takeover.at, seconds(10) + milliseconds(3609 + 20));
  }
  // Three seconds of requests are lost, and the rest are answered.
  EXPECT_NEAR(static_cast<double>(run.flows[0].sent_frames - run.flows[0].answered), 31, 3);
  const auto report = diagnose(m, seconds(60));
  EXPECT_NE(find(report, Code::kRouterTakeover), nullptr);
  EXPECT_EQ(find(report, Code::kMacDuplicate), nullptr);
}

TEST(FirstHop, HsrpTakesOverAfterTheHoldTimeAndDoesNotPreempt) {
  const model::Model m = site(routed(kHsrp, "changes: [{at: 10s, stop: r1}, {at: 60s, start: r1}]\n"));
  const auto run = play(m, seconds(200));
  ASSERT_EQ(run.takeovers.size(), 2U);  // r2 for either, and it keeps them
  EXPECT_GE(run.takeovers[0].at, seconds(17));
  EXPECT_LE(run.takeovers[0].at, seconds(21));
}

TEST(FirstHop, VrrpPreemptsUnlessTold) {
  const std::string changes = "changes: [{at: 10s, stop: r1}, {at: 60s, start: r1}]\n";
  const model::Model m = site(routed(kVrrp, changes));
  const auto run = play(m, seconds(120));
  ASSERT_EQ(run.takeovers.size(), 4U);
  EXPECT_EQ(name_of(m, m[run.takeovers[3].nic].machine), "r1");
  EXPECT_GE(run.takeovers[3].at, seconds(63));
  model::Model stays = m;
  for (auto& shared : stays.shared) shared.preempt = false;
  EXPECT_EQ(play(stays, seconds(120)).takeovers.size(), 2U);
}

TEST(FirstHop, ACableThatIsPulledIsAMemberLess) {
  const model::Model m = site(routed(kVrrp, "changes: [{at: 10s, link-down: \"r1:lan\"}]\n"));
  const auto run = play(m, seconds(60));
  ASSERT_EQ(run.takeovers.size(), 1U);
  EXPECT_EQ(name_of(m, run.takeovers[0].nic), "r2:lan");
  // Requests leave by r2, and the answers come in by r1, which has lost its way to the clients: RFC 5798 has
  // nothing against that (tracking an interface is a feature of products).
  EXPECT_LT(run.flows[0].answered, run.flows[0].sent_frames - 400);
}

TEST(FirstHop, RoutersThatDoNotHearEachOtherAreTwoMasters) {
  const model::Model m = story("vrrp-isolated");
  const auto report = diagnose(m, seconds(60));
  const auto* f = find(report, Code::kMacDuplicate);
  ASSERT_NE(f, nullptr);
  EXPECT_NE(f->headline.find("2 masters in one segment"), std::string::npos);
  EXPECT_NE(f->cause.find("isolated"), std::string::npos);
  // Where one of the two ports is not isolated they hear each other.
  model::Model heard = m;
  for (auto& port : heard.ports) port.isolated &= !(port.bridge.valid() && port.name == "1");
  EXPECT_EQ(find(diagnose(heard, seconds(60)), Code::kMacDuplicate), nullptr);
}

TEST(FirstHop, OneNumberTwiceInASegmentIsOneMacTwice) {
  const std::string shared =
      "  one: {kind: vrrp, vrid: 5, ip: 10.1.0.1, members: [r1:lan]}\n"
      "  two: {kind: vrrp, vrid: 5, ip: 10.1.0.4, members: [r2:lan]}\n"
      "  core-gw: {kind: vrrp, vrid: 5, ip: 10.2.0.1, members: [r1:core, r2:core]}\n";
  const auto report = diagnose(site(routed(shared)), seconds(30));
  const auto* f = find(report, Code::kMacDuplicate);
  ASSERT_NE(f, nullptr);
  EXPECT_NE(f->headline.find("VRID 5"), std::string::npos);
  EXPECT_EQ(tried_out(site(routed(shared)), Code::kMacDuplicate),
            (std::map<std::string, bool>{{"another-number", true}}));
  std::string other = shared;
  other.replace(other.find("two: {kind: vrrp, vrid: 5"), 25, "two: {kind: vrrp, vrid: 6");
  EXPECT_EQ(find(diagnose(site(routed(other)), seconds(30)), Code::kMacDuplicate), nullptr);
}

TEST(FirstHop, ASegmentInTwoHasAMasterInEach) {
  std::string text = routed(kVrrp);
  text.replace(text.find("[r2:lan, lan:2]"), 15, "[r2:lan, far:2]");
  text.replace(text.find("lan: {kind: switch}}"), 20, "lan: {kind: switch}, far: {kind: switch}}");
  const auto report = diagnose(site(text), seconds(30));
  const auto* f = find(report, Code::kMacDuplicateLatent);
  ASSERT_NE(f, nullptr);
  EXPECT_NE(f->headline.find("a master in each of 2 segments"), std::string::npos);
}

// The article of every campus: each VLAN has its gateway at another router, so that answers come back by the
// other one, past switches that never hear the receiver.
TEST(FirstHop, AsymmetricReturnWithFourHoursOfArpFloods) {
  const char* const text = R"(
hosts:
  a: {nics: {eth0: {ip: 10.1.0.11/24}}, gateway: 10.1.0.1}
  idle: {nics: {eth0: {ip: 10.1.0.12/24}}, gateway: 10.1.0.1}
  s: {nics: {eth0: {ip: 10.2.0.9/24}}, gateway: 10.2.0.1}
routers:
  r1: {nics: {lan: 10.1.0.2/24, core: 10.2.0.2/24}, arp: {timeout: 14400s}}
  r2: {nics: {lan: 10.1.0.3/24, core: 10.2.0.3/24}, arp: {timeout: 14400s}}
switches: {w: {kind: switch}, e: {kind: switch}, core: {kind: switch}}
links:
  - [w:24, e:24]
  - [a:eth0, w:1]
  - [r1:lan, w:2]
  - [r2:lan, e:2]
  - [idle:eth0, e:1]
  - [r1:core, core:1]
  - [r2:core, core:2]
  - [s:eth0, core:3]
shared:
  v1: {kind: hsrp, group: 1, ip: 10.1.0.1, members: [r1:lan, r2:lan]}
  v2: {kind: hsrp, group: 2, ip: 10.2.0.1, members: [r2:core, r1:core]}
traffic: [{from: s, to: a, kind: tcp, rate: 10Mbit/s}]
)";
  const model::Model m = site(text);
  findings::Report proved;
  load::prove(m, proved);
  const auto* f = find(proved, Code::kFloodTimers);
  ASSERT_NE(f, nullptr) << codes(proved);
  EXPECT_NE(f->headline.find("e floods frames for a:eth0"), std::string::npos) << f->headline;
  // Near miss: with the same router for both VLANs the answers pass the same switches.
  std::string same(text);
  same.replace(same.find("[r2:core, r1:core]"), 18, "[r1:core, r2:core]");
  findings::Report healthy;
  load::prove(site(same), healthy);
  EXPECT_EQ(codes(healthy), "");
}

TEST(FirstHop, AdvertisementsAreWhatTheDecoderReads) {
  for (const char* shared : {kVrrp, kHsrp}) {
    const model::Model m = site(routed(shared));
    simulate::Options options;
    options.until = seconds(10);
    for (std::size_t p = 0; p < m.ports.size(); ++p) {
      if (name_of(m, model::PortId(p)) == "a:eth0") options.captures = {model::PortId(p)};
    }
    std::size_t active = 0, standby = 0;
    options.on_frame = [&](const simulate::CapturedFrame& frame) -> base::Result<void> {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.bytes.data());
      const wire::Packet packet = wire::decode(wire::LinkType::ethernet, {bytes, frame.bytes.size()});
      const auto* hello = packet.get<wire::FirstHop>();
      if (hello == nullptr) return {};
      EXPECT_EQ(hello->group, 10);
      EXPECT_EQ(wire::to_text(*hello->virtual_ip), "10.1.0.1");
      const bool from_virtual = packet.get<wire::Ethernet>()->source == m.shared[0].mac;
      (from_virtual ? active : standby) += 1;
      EXPECT_TRUE(!from_virtual || *hello->virtual_mac == m.shared[0].mac);
      return {};
    };
    ASSERT_TRUE(simulate::run(m, options));
    EXPECT_EQ(active, shared == kVrrp ? 10U : 4U);
    EXPECT_EQ(standby, shared == kVrrp ? 0U : 3U);  // HSRP's standby says hello from its own address
  }
}

}  // namespace
}  // namespace sekimori::scenarios
