// Beacon probing (switching/beacon.h): what link state cannot see, and what beacons cost.
#include <fmt/format.h>

#include "structural.h"

namespace sekimori::scenarios {
namespace {

// A host with an uplink to each of several switches, which meet in a further one, where a peer is. Something
// fails after 10.5 s.
std::string team(int uplinks, std::string_view probing, std::string_view fails) {
  std::string nics, names, switches, links;
  for (int i = 0; i < uplinks; ++i) {
    nics += fmt::format("vmnic{}: {{}}, ", i);
    names += fmt::format("vmnic{}, ", i);
    switches += fmt::format("s{}: {{}}, ", i);
    links += fmt::format("  - [esx:vmnic{0}, s{0}:1]\n  - [s{0}:9, core:{0}]\n", i);
  }
  return fmt::format(R"(
hosts:
  esx:
    nics: {{{}}}
    switches: {{vs0: {{kind: esxi, uplinks: [{}], teaming: failover, {}}}}}
    guests: {{vm: {{nics: {{net0: {{on: vs0, ip: 10.0.0.1/24}}}}}}}}
  a: {{nics: {{eth0: 10.0.0.2/24}}, arp: {{timeout: 1h}}}}
switches: {{{}core: {{}}}}
links:
{}  - [a:eth0, core:9]
traffic: [{{from: a, to: vm, kind: ping, every: 10ms}}]
changes: [{{at: 10500ms, link-down: "{}"}}]
)",
                     nics, names, probing, switches, links, fails);
}
constexpr std::string_view kOn = "beacon-probing: on", kOff = "beacon-probing: off";

std::int64_t lost(const simulate::RunResult& run) { return run.flows[0].sent_frames - run.flows[0].answered; }

// The switch behind the first uplink loses its way; the NIC's link stays up. The fourth beacon tells, 3.5 s
// later.
TEST(Beacons, HearWhatLinkStateDoesNotSee) {
  const auto with_beacons = play(site(team(3, kOn, "s0:9")), base::seconds(30));
  EXPECT_NEAR(static_cast<double>(lost(with_beacons)), 350, 5);
  const auto without = play(site(team(3, kOff, "s0:9")), base::seconds(30));
  EXPECT_NEAR(static_cast<double>(lost(without)), 1950, 5);
  // A link that is down needs no beacon.
  EXPECT_LT(lost(play(site(team(3, kOn, "esx:vmnic0")), base::seconds(30))), 5);
}

TEST(Beacons, ThatFailedComesBack) {
  std::string text = team(3, kOn, "s0:9");
  text = with(text, "link-down: \"s0:9\"}", "link-down: \"s0:9\"}, {at: 20500ms, link-up: \"s0:9\"}");
  const model::Model m = site(text);
  const auto run = play(m, base::seconds(40));
  EXPECT_NEAR(static_cast<double>(lost(run)), 350, 5) << "and back without a loss";
  EXPECT_NEAR(static_cast<double>(lane_from(m, run.lanes, "esx/vs0:vmnic0").frames), 1050 + 1900 + 40, 40);
  EXPECT_NEAR(static_cast<double>(lane_from(m, run.lanes, "esx/vs0:vmnic1").frames), 700 + 40, 40);
}

// Of two uplinks nobody can tell which is lost: frames leave by both, and come in by either.
TEST(Beacons, TwoUplinksAreUsedBoth) {
  const model::Model m = site(team(2, kOn, "s0:9"));
  const auto run = play(m, base::seconds(30));
  EXPECT_NEAR(static_cast<double>(lost(run)), 350, 5);
  EXPECT_NEAR(static_cast<double>(lane_from(m, run.lanes, "esx/vs0:vmnic0").frames), 1050 + 1600 + 30, 20);
  EXPECT_NEAR(static_cast<double>(lane_from(m, run.lanes, "esx/vs0:vmnic1").frames), 1600 + 30, 20);
}

// A broadcast, 60 bytes, every second, by each uplink, in each VLAN in use; all switches learn where each
// uplink is. Nothing of it when all is off.
TEST(Beacons, AreFramesLikeOthers) {
  const std::string text = R"(
hosts:
  esx:
    nics: {vmnic0: {}, vmnic1: {}, vmk0.20: 10.0.20.1/24, vmk0: {}}
    switches: {vs0: {kind: esxi, uplinks: [vmnic0, vmnic1], beacon-probing: on}}
    guests:
      vm: {nics: {net0: {on: vs0, ip: 10.0.0.1/24}}, arp: {announce: never}}
      vn: {nics: {net0: {on: vs0, ip: 10.0.10.1/24, access: 10}}, arp: {announce: never}}
  a: {nics: {eth0: 10.0.0.2/24}, arp: {announce: never}}
switches: {sw: {ports: {1: {trunk: [10, 20], native: 1}, 2: {trunk: [10, 20], native: 1}, 4: {access: 10}}}}
links: [[esx:vmnic0, sw:1], [esx:vmnic1, sw:2], [a:eth0, sw:3]]
)";
  const model::Model m = site(text);
  simulate::Options options;
  options.until = base::seconds(10) + base::milliseconds(500);
  options.tables = true;
  const auto run = simulate::run(m, options).value();
  // VLANs 1 and 10: nothing of the host's own is on the switch.
  const auto& out = lane_from(m, run.lanes, "esx/vs0:vmnic0");
  EXPECT_EQ(out.frames, 20);
  EXPECT_EQ(out.bytes, 10 * (60 + 64));
  EXPECT_EQ(lane_from(m, run.lanes, "sw:1").frames, 20) << "the other's";
  EXPECT_EQ(lane_from(m, run.lanes, "sw:3").frames, 20) << "both in VLAN 1";
  EXPECT_EQ(lane_from(m, run.lanes, "a:eth0").frames, 0);
  for (std::uint32_t lane = 0; lane < run.lanes.size(); ++lane) {
    const model::PortId from = lane % 2 == 0 ? m.links[lane / 2].a : m.links[lane / 2].b;
    if (m[from].role == model::PortRole::kGuest) {
      EXPECT_EQ(run.lanes[lane].frames, 0) << "its own beacons are for no guest";
    }
  }
  std::size_t at_its_port = 0;
  for (const auto& entry : run.tables) {
    const std::string_view port = m[entry.port].name;
    at_its_port += (port == "1" || port == "2") && entry.mac.bits >> 20 == 0x0'050'565 ? 1 : 0;
  }
  EXPECT_EQ(at_its_port, 4u) << "two addresses in two VLANs";
  const auto off = play(site(with(text, kOn, kOff)), base::seconds(10));
  EXPECT_EQ(lane_from(m, off.lanes, "esx/vs0:vmnic0").frames, 0);
}

// To another host's vSwitch they are broadcasts, and its guests get them.
TEST(Beacons, OfOthersAreForEverybody) {
  std::string text = team(2, kOn, "s0:9");
  text = with(text, "  a:", R"(  esy:
    nics: {vmnic0: {}, vmnic1: {}}
    switches: {vs0: {kind: esxi, uplinks: [vmnic0, vmnic1], beacon-probing: on}}
    guests: {vn: {nics: {net0: {on: vs0, ip: 10.0.0.7/24}}, arp: {announce: never}}}
  a:)");
  text = with(text, "links:\n", "links:\n  - [esy:vmnic0, core:11]\n  - [esy:vmnic1, core:12]\n");
  const model::Model m = site(text);
  const auto run = play(m, base::seconds(8) + base::milliseconds(500));
  EXPECT_NEAR(static_cast<double>(lane_from(m, run.lanes, "esy/vs0(vn:net0)").frames), 16, 4);
  EXPECT_EQ(lost(run), 0);
  EXPECT_NEAR(static_cast<double>(lane_from(m, run.lanes, "esx/vs0:vmnic1").frames), 8, 2) << "no shotgun";
}

// A trunk lacks a VLAN: its guests take another uplink, the others stay.
TEST(Beacons, FindAVlanThatIsMissing) {
  const auto answered = [](std::string_view probing) {
    const model::Model m = site(fmt::format(R"(
hosts:
  esx:
    nics: {{vmnic0: {{}}, vmnic1: {{}}, vmnic2: {{}}}}
    switches: {{vs0: {{kind: esxi, uplinks: [vmnic0, vmnic1, vmnic2], teaming: failover, {}}}}}
    guests:
      vm: {{nics: {{net0: {{on: vs0, ip: 10.0.0.1/24}}}}}}
      vn: {{nics: {{net0: {{on: vs0, ip: 10.0.10.1/24, access: 10}}}}}}
  a: {{nics: {{eth0: 10.0.0.2/24}}}}
  b: {{nics: {{eth0: 10.0.10.2/24}}}}
switches:
  sw:
    ports:
      1: {{trunk: [30], native: 1}}
      2: {{trunk: [10], native: 1}}
      3: {{trunk: [10], native: 1}}
      9: {{access: 10}}
links: [[esx:vmnic0, sw:1], [esx:vmnic1, sw:2], [esx:vmnic2, sw:3], [a:eth0, sw:8], [b:eth0, sw:9]]
traffic: [{{from: vm, to: a, kind: ping, every: 10ms}}, {{from: vn, to: b, kind: ping, every: 10ms}}]
)",
                                            probing));
    const auto run = play(m, base::seconds(20));
    EXPECT_GE(run.flows[0].answered, 1999) << probing;
    const std::int64_t first = lane_from(m, run.lanes, "esx/vs0:vmnic0").frames;
    EXPECT_NEAR(static_cast<double>(first), 2060, 60) << probing << ": those of VLAN 1 stay";
    return run.flows[1].answered;
  };
  EXPECT_EQ(answered(kOff), 0);
  EXPECT_GT(answered(kOn), 1500);
}

// I-27: uplinks that are one link outside never hear each other, so all is sent twice.
TEST(Beacons, AnAggregationKeepsThemApart) {
  const auto frames = [](std::string_view probing) {
    const model::Model m = site(fmt::format(R"(
hosts:
  esx:
    nics: {{vmnic0: {{}}, vmnic1: {{}}}}
    switches: {{vs0: {{kind: esxi, uplinks: [vmnic0, vmnic1], teaming: ip-hash, {}}}}}
    guests: {{vm: {{nics: {{net0: {{on: vs0, ip: 10.0.0.1/24}}}}}}}}
  a: {{nics: {{eth0: 10.0.0.2/24}}}}
switches: {{sw: {{ports: {{1: {{lag: 1}}, 2: {{lag: 1}}}}}}}}
links: [[esx:vmnic0, sw:1], [esx:vmnic1, sw:2], [a:eth0, sw:3]]
traffic: [{{from: vm, to: a, kind: udp, every: 10ms}}]
)",
                                            probing));
    return lane_from(m, play(m, base::seconds(20)).lanes, "sw:3").frames;
  };
  EXPECT_NEAR(static_cast<double>(frames(kOff)), 2000, 10);
  EXPECT_NEAR(static_cast<double>(frames(kOn)), 2000 + 1600 + 40, 10);
}

}  // namespace
}  // namespace sekimori::scenarios
