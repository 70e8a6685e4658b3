// IPv6 and address translation in a lab. Needs root.
#include "lab/compare.h"
#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Two segments; desk and log send and answer over IPv6 only.
model::Model two_segments(const std::string& nd, const std::string& rest) {
  return site_of(
      "defaults: {arp: {announce: never}}\nhosts:\n" +
      std::string(
          R"(  desk: {nics: {eth0: {ip: [10.0.0.2/24, "2001:db8::2/64"], mac: "02:00:00:00:00:02"}}, gateway: "2001:db8::1", nd: {)") +
      nd + R"(}}
  log: {nics: {eth0: {ip: "2001:db8:1::9/64", mac: "02:00:00:00:00:09"}}, gateway: "2001:db8:1::1", nd: {)" +
      nd + R"(}}
  third: {nics: {eth0: "2001:db8::3/64"}, nd: {)" +
      nd + R"(}}
routers:
  gw: {nics: {a: "2001:db8::1/64", b: "2001:db8:1::1/64"}, nd: {)" +
      nd + R"(, advertise: never}}
switches: {sw: {}}
links: [[desk:eth0, sw:1], [gw:a, sw:2], [log:eth0, gw:b], [third:eth0, sw:3]]
)" + rest);
}

TEST(Ipv6Lab, TheKernelSaysNothingUnasked) {
  const TestLab lab(
      two_segments("announce: never", "changes: [{at: 1s, link-down: sw:1}, {at: 1500ms, link-up: sw:1}]\n"));
  EXPECT_THAT(lab.plan().unsupported, IsEmpty());
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  const auto measured = run(lab.site(), lab.plan(), {.time = base::milliseconds(3500), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  for (const auto& lane : measured->lanes) {
    ASSERT_TRUE(lane.has_value());
    EXPECT_EQ(lane->frames, 0);
  }
  EXPECT_THAT(lab.ip("desk", "ping -6 -c 1 -w 5 2001:db8:1::9"), HasSubstr("1 received"));
}

// The address that Linux asks from goes with the NIC, and comes back.
TEST(Ipv6Lab, ALinkBetweenMachinesComesBack) {
  const TestLab lab(site_of(R"(
hosts: {a: {nics: {e: "2001:db8::2/64"}, gateway: "2001:db8::1"}}
routers: {gw: {nics: {l: "2001:db8::1/64", r: "2001:db8:1::1/64"}}}
links: [[a:e, gw:l]]
changes: [{at: 200ms, link-down: gw:l}, {at: 400ms, link-up: gw:l}]
)"));
  ASSERT_TRUE(lab.up().has_value());
  const std::string before = lab.ip("a", "ip -6 -br addr"), routes = lab.ip("a", "ip -6 route");
  EXPECT_THAT(before, HasSubstr("fe80::"));
  const auto measured = run(lab.site(), lab.plan(), {.time = base::milliseconds(800), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  EXPECT_THAT(lab.ip("a", "ip -6 -br addr"), HasSubstr("fe80::"));
  EXPECT_THAT(lab.ip("a", "ip -6 route"), HasSubstr("default via 2001:db8::1"));
  EXPECT_THAT(lab.ip("a", "ping -6 -c 1 -w 5 2001:db8::1"), HasSubstr("1 received"));
}

TEST(Ipv6Lab, FlowsAndSolicitationsAreAsPredicted) {
  const TestLab lab(two_segments("reachable: 30s", R"(traffic:
  - {from: desk, to: log, kind: ping, every: 50ms, family: ipv6}
  - {from: log, to: third, kind: udp, rate: 2Mbit/s, size: 1000, family: ipv6}
  - {from: third, to: desk, kind: request, every: 100ms, size: 100, response: 1400, family: ipv6}
)"));
  ASSERT_TRUE(lab.up().has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(3), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  for (const std::size_t flow : {0u, 2u})
    EXPECT_GE(measured->flows[flow].answered, measured->flows[flow].sent - 1) << flow;
  EXPECT_EQ(measured->flows[1].received, measured->flows[1].sent);
  const auto predicted = predict(lab, measured->time);
  for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
    ASSERT_TRUE(measured->lanes[lane].has_value());
    const auto bytes = static_cast<double>(predicted.lanes[lane].bytes);
    EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->bytes), bytes, 0.01 * bytes + 300) << lane;
  }
  const auto comparison = compare(lab.site(), prediction_of(lab, measured->time), *measured);
  EXPECT_EQ(comparison.neighbours.size(), 8u);
  for (const NeighbourComparison& n : comparison.neighbours)
    EXPECT_EQ(n.predicted, n.measured) << wire::to_text(n.ip6);
  for (const EntryComparison& entry : comparison.entries) EXPECT_EQ(entry.predicted, entry.measured);
}

TEST(Ipv6Lab, TcpGoesThere) {
  const TestLab lab(two_segments("reachable: 30s", R"(traffic:
  - {from: desk, to: log, kind: tcp, rate: 2Mbit/s, family: ipv6}
)"));
  ASSERT_TRUE(lab.up().has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(2), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  EXPECT_GT(measured->flows[0].received, 450'000);
  const auto predicted = predict(lab, measured->time);
  const auto bytes = static_cast<double>(predicted.lanes[0].bytes);  // from the desk: data
  EXPECT_NEAR(static_cast<double>(measured->lanes[0]->bytes), bytes, 0.02 * bytes);
}

TEST(Ipv6Lab, AnnouncementsAndRouterAdvertisementsAreTheSitesOwn) {
  const TestLab lab(site_of(R"(
defaults: {arp: {announce: never}}
hosts:
  a: {nics: {e: "2001:db8::2/64"}, nd: {announce: [start, 300ms]}}
  b: {nics: {e: "2001:db8::3/64"}, nd: {announce: never}, state: stopped}
routers: {gw: {nics: {l: "2001:db8::1/64"}, nd: {announce: never, advertise: 900ms}}}
switches: {sw: {}}
links: [[a:e, sw:1], [b:e, sw:2], [gw:l, sw:3]]
changes: [{at: 1s, start: b}]
)"));
  ASSERT_TRUE(lab.up().has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::milliseconds(4050), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto predicted = predict(lab, measured->time);
  for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
    ASSERT_TRUE(measured->lanes[lane].has_value());
    EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                static_cast<double>(predicted.lanes[lane].frames), 1)
        << lane;
  }
  EXPECT_EQ(measured->lanes[2]->bytes, 78);  // b asks whether its address is taken
  EXPECT_GT(measured->lanes[4]->frames, 4);  // the router
  EXPECT_EQ(measured->lanes[4]->bytes, 110 * measured->lanes[4]->frames);
}

model::Model behind_nat(const std::string& rest = "") {
  return site_of(R"(
hosts:
  kvm:
    nics: {eth0: 10.0.0.1/24}
    switches: {virbr0: {kind: nat, ip: 192.168.122.1/24}, lab: {kind: routed, ip: 10.1.0.1/24}}
    guests:
      app: {nics: {net0: {on: virbr0, ip: 192.168.122.9/24}}, gateway: 192.168.122.1}
      two: {nics: {net0: {on: virbr0, ip: 192.168.122.10/24}}, gateway: 192.168.122.1}
      web: {nics: {net0: {on: lab, ip: 10.1.0.9/24}}, gateway: 10.1.0.1}
  desk: {nics: {eth0: 10.0.0.2/24}, routes: [{to: 10.1.0.0/24, via: 10.0.0.1}, {to: 192.168.122.0/24, via: 10.0.0.1}]}
switches: {sw: {}}
links: [[kvm:eth0, sw:1], [desk:eth0, sw:2]]
traffic:
  - {from: app, to: desk, kind: request, every: 20ms, size: 100, response: 200}
  - {from: two, to: desk, kind: ping, every: 20ms}
  - {from: app, to: web, kind: ping, every: 50ms}
  - {from: kvm, to: two, kind: ping, every: 50ms}
)" + rest);
}

TEST(NatLab, AnswersFindBackAndNothingElseComesIn) {
  const TestLab lab(behind_nat());
  EXPECT_THAT(lab.plan().unsupported, IsEmpty());
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(2), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  for (const FlowResult& flow : measured->flows) {
    EXPECT_GT(flow.sent, 30);
    EXPECT_GE(flow.answered, flow.sent - 1);
  }
  const auto predicted = predict(lab, measured->time);
  for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
    if (!measured->lanes[lane].has_value()) continue;
    EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                static_cast<double>(predicted.lanes[lane].frames), 6)
        << name_of(lab.site(), model::LinkId(lane / 2));
  }
  // The guests are hidden: the desk knows the host alone.
  EXPECT_THAT(lab.ip("desk", "ip neigh"), AllOf(HasSubstr("10.0.0.1 "), Not(HasSubstr("192.168"))));
  EXPECT_THAT(lab.ip("desk", "ping -c 1 -W 1 192.168.122.9"), HasSubstr("0 received"));
  EXPECT_THAT(lab.ip("desk", "ping -c 1 -W 1 10.1.0.9"), HasSubstr("1 received"));
  EXPECT_THAT(lab.ip("web", "ping -c 1 -W 1 192.168.122.9"), HasSubstr("0 received"));
  EXPECT_THAT(lab.ip("kvm", "ping -c 1 -W 1 192.168.122.9"), HasSubstr("1 received"));
}

}  // namespace
}  // namespace sekimori::lab
