// Landmine 1 with real frames: how many frames for a silent guest reach the port where the WAN is plugged in,
// counted there, beside what the simulator says. docs/accuracy.md has the table.
#include <cstring>

#include "lab/run.h"
#include "lab/scale.h"
#include "support.h"
#include "sys/packet_socket.h"

namespace sekimori::lab {
namespace {

// A server with a guest, two hosts and the WAN on one switch. The guest never speaks first.
std::string server_site(const std::string& virtual_switch, const std::string& traffic,
                        const std::string& guest = "never", const std::string& ageing = "300s") {
  return R"(
defaults: {arp: {announce: never}}
hosts:
  server:
    nics: {eth0: {)" +
         std::string(virtual_switch.find("ip:") == std::string::npos ? "ip: 10.0.0.1/24" : "") + R"(}}
    switches: {vm0: )" +
         virtual_switch + R"(}
    guests: {app: {nics: {net0: {on: vm0, mac: "02:00:00:00:00:99", ip: 10.0.0.9/24}}, arp: {announce: )" +
         guest + R"(}}}
  h1: {nics: {e: 10.0.0.11/24}}
  h2: {nics: {e: 10.0.0.12/24}}
  wan: {nics: {e: 10.0.0.13/24}}
switches: {sw: {ageing: )" +
         ageing + R"(}}
links: [[server:eth0, sw:1], [h1:e, sw:2], [h2:e, sw:3], [wan:e, sw:24]]
traffic: [)" +
         traffic + "]\n";
}

const std::string kHosted = "{kind: hosted-bridge, uplinks: [eth0]}";
// Fifty, and then silence.
const std::string kFiftyPings = "{from: server, to: app, kind: ping, every: 20ms, stop: 1001ms}";

struct Counted {
  int predicted = 0, measured = 0;
  std::int64_t answered = 0;
};

// Frames for the guest that arrive at the host called `at`.
Counted count(const model::Model& site, base::Duration time, const std::string& at = "wan") {
  Counted counted;
  const TestLab lab(site);
  const auto built = lab.up();
  EXPECT_TRUE(built.has_value()) << built.error().what;
  if (!built) return counted;
  auto space = sys::Namespace::open("sekimori." + lab.plan().lab + "." + at);
  auto inside = sys::InNamespace::enter(*space);
  auto socket = sys::PacketSocket::open("e", {.promiscuous = true});
  EXPECT_TRUE(socket.has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = time, .progress = {}});
  EXPECT_TRUE(measured.has_value()) << measured.error().what;
  if (!measured || !socket) return counted;
  counted.answered = measured->flows[0].answered;
  const auto guest = wire::parse_mac("02:00:00:00:00:99")->octets();
  socket->receive(100'000, [&](int, sys::PacketSocket::Frame frame) {
    counted.measured += std::memcmp(frame.data(), guest.data(), guest.size()) == 0;
  });

  const auto predicted = predict(lab, time);
  for (std::size_t l = 0; l < site.links.size(); ++l) {
    const model::Link& link = site.links[l];
    for (const auto& [far, lane] : {std::pair(link.a, 2 * l + 1), std::pair(link.b, 2 * l)}) {
      if (name_of(site, far) == at + ":e")
        counted.predicted += static_cast<int>(predicted.lanes[lane].flooded_frames);
    }
  }
  return counted;
}

Counted fifty_pings(const std::string& virtual_switch) {
  const Counted counted = count(site_of(server_site(virtual_switch, kFiftyPings)), base::milliseconds(1200));
  EXPECT_EQ(counted.answered, 50);
  return counted;
}

TEST(Article, AHostedBridgeLeaksEveryFrameForItsGuest) {
  const Counted counted = fifty_pings(kHosted);
  EXPECT_EQ(counted.measured, 50);
  EXPECT_EQ(counted.predicted, 50);
}

// Its question for the server's address is a broadcast, which teaches the switch where it is.
TEST(Article, AGuestThatAsksByBroadcastIsKnownForOneAgeingTime) {
  const std::string pings = "{from: app, to: server, kind: ping, every: 20ms, stop: 1001ms}";
  const Counted counted = count(site_of(server_site(kHosted, pings)), base::milliseconds(1200));
  EXPECT_EQ(counted.answered, 50);
  EXPECT_EQ(counted.measured, 0);
  EXPECT_EQ(counted.predicted, 0);
}

TEST(Article, TheGuardKeepsThemInside) {
  const Counted counted = fifty_pings("{kind: hosted-bridge, uplinks: [eth0], ports: {eth0: {guard: on}}}");
  EXPECT_EQ(counted.measured, 0);
  EXPECT_EQ(counted.predicted, 0);
}

TEST(Article, SoDoesAHypervisorThatFiltersLocalFrames) {
  const Counted counted = fifty_pings("{kind: hosted-bridge, uplinks: [eth0], filters-local: on}");
  EXPECT_EQ(counted.measured, 0);
  EXPECT_EQ(counted.predicted, 0);
}

TEST(Article, SoDoesALinuxBridge) {
  const Counted counted = fifty_pings("{kind: linux-bridge, uplinks: [eth0], ip: 10.0.0.1/24}");
  EXPECT_EQ(counted.measured, 0);
  EXPECT_EQ(counted.predicted, 0);
}

TEST(Article, ALinuxBridgeWithAgeingZeroLeaksLikeAHostedOne) {
  const Counted counted = fifty_pings("{kind: linux-bridge, uplinks: [eth0], ip: 10.0.0.1/24, ageing: 0}");
  EXPECT_EQ(counted.measured, 50);
  EXPECT_EQ(counted.predicted, 50);
}

TEST(Article, ARouterEndsTheFlood) {
  const model::Model site = site_of(R"(
defaults: {arp: {announce: never}}
hosts:
  server:
    nics: {eth0: 10.0.0.1/24}
    switches: {vm0: {kind: hosted-bridge, uplinks: [eth0]}}
    guests: {app: {nics: {net0: {on: vm0, mac: "02:00:00:00:00:99", ip: 10.0.0.9/24}}, gateway: 10.0.0.254}}
  h1: {nics: {e: 10.0.0.11/24}}
  wan: {nics: {e: 10.1.0.13/24}, gateway: 10.1.0.254}
routers: {gw: {nics: {lan: 10.0.0.254/24, out: 10.1.0.254/24}}}
switches: {sw: {}}
links: [[server:eth0, sw:1], [h1:e, sw:2], [gw:lan, sw:24], [wan:e, gw:out]]
traffic: [{from: server, to: app, kind: ping, every: 20ms, stop: 1001ms}]
)");
  const Counted beyond = count(site, base::milliseconds(1200));
  EXPECT_EQ(beyond.measured, 0);
  EXPECT_EQ(beyond.predicted, 0);
  const Counted same_segment = count(site, base::milliseconds(1200), "h1");
  EXPECT_EQ(same_segment.measured, 50);
  EXPECT_EQ(same_segment.predicted, 50);
}

TEST(Article, OneBroadcastOfTheGuestHidesTheLeakForOneAgeingTime) {
  // 101 pings at 0.3 s, ageing 3 s, ten times as fast.
  const model::Model site =
      scaled(site_of(server_site(kHosted, "{from: server, to: app, kind: ping, every: 300ms, stop: 30150ms}",
                                 "start", "3s")),
             {1, 10});
  const Counted counted = count(site, base::milliseconds(3300));
  EXPECT_NEAR(counted.predicted, 91, 1);
  EXPECT_NEAR(counted.measured, counted.predicted, 1);  // the kernel's clock against the model's
}

// Open-loop traffic: within one percent in every direction that carries more than a few frames.
TEST(Article, OpenLoopTrafficIsAsPredicted) {
  const TestLab lab(site_of(server_site(kHosted, R"(
    {from: server, to: app, kind: udp, rate: 8Mbit/s, size: 1000},
    {from: h1, to: wan, kind: udp, rate: 4Mbit/s, size: 500},
    {from: h2, to: server, kind: request, every: 5ms, size: 200, response: 1400})")));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(3), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto predicted = predict(lab, measured->time);
  std::size_t compared = 0;
  for (std::size_t l = 0; l < measured->lanes.size(); ++l) {
    ASSERT_TRUE(measured->lanes[l].has_value());
    const auto& there = predicted.lanes[l];
    const auto& here = *measured->lanes[l];
    if (there.frames < 100) {
      EXPECT_NEAR(static_cast<double>(here.frames), static_cast<double>(there.frames), 6);  // ARP
      continue;
    }
    ++compared;
    EXPECT_NEAR(static_cast<double>(here.bytes), static_cast<double>(there.bytes),
                0.01 * static_cast<double>(there.bytes))
        << name_of(lab.site(), model::LinkId(l / 2)) << (l % 2 == 0 ? " from a" : " from b");
  }
  EXPECT_GE(compared, 8u);
}

}  // namespace
}  // namespace sekimori::lab
