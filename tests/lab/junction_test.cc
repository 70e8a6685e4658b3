// VLANs of NICs, and guests that move to another host, in a lab. Needs root.
#include <algorithm>

#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A router on a stick, and a server with an untagged address and one in VLAN 20.
model::Model stick() {
  return site_of(R"(
hosts:
  a: {nics: {e: 10.0.10.1/24}, gateway: 10.0.10.254}
  b: {nics: {e: 10.0.20.1/24}, gateway: 10.0.20.254}
  srv: {nics: {e: 10.0.1.9/24, e.20: 10.0.20.9/24}}
  c: {nics: {e: 10.0.1.1/24}}
routers: {gw: {nics: {lan.10: 10.0.10.254/24, lan.20: 10.0.20.254/24}}}
switches: {sw: {ports: {1: {access: 10}, 2: {access: 20}, 3: {trunk: [20], native: 1}, 4: {access: 1}, 24: {trunk: [10, 20]}}}}
links: [[a:e, sw:1], [b:e, sw:2], [srv:e, sw:3], [c:e, sw:4], [gw:lan, sw:24, 100Mbit/s]]
traffic: [{from: a, to: b, kind: udp, rate: 2Mbit/s, size: 1000}]
)");
}

TEST(JunctionLab, ANicHasADeviceForEachVlan) {
  const TestLab lab(stick());
  EXPECT_THAT(lab.plan().unsupported, IsEmpty());
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_TRUE(status(lab.plan())->up(lab.plan()));
  EXPECT_THAT(lab.ip("a", "ping -c 2 -i 0.2 -w 5 10.0.20.1"), HasSubstr("2 received"));
  EXPECT_THAT(lab.ip("b", "ping -c 2 -i 0.2 -w 5 10.0.20.9"), HasSubstr("2 received"));
  EXPECT_THAT(lab.ip("c", "ping -c 2 -i 0.2 -w 5 10.0.1.9"), HasSubstr("2 received"));
  EXPECT_THAT(lab.ip("srv", "ip -br addr"), HasSubstr("e.20"));
  EXPECT_THAT(lab.ip("cables", "tc qdisc"), HasSubstr("tbf"));

  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(2), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto predicted = predict(lab, measured->time);
  for (std::size_t lane = 8; lane < 10; ++lane) {  // the trunk of the router: tagged, both ways
    ASSERT_TRUE(measured->lanes[lane].has_value());
    const auto bytes = static_cast<double>(predicted.lanes[lane].bytes);
    EXPECT_GT(bytes, 300'000);
    EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->bytes), bytes, 0.02 * bytes) << lane;
  }
}

model::Model move(const std::string& kind, const std::string& how) {
  return site_of(R"(
defaults: {arp: {announce: never}}
hosts:
  host1:
    nics: {eth0: {}}
    switches: {br0: {kind: )" +
                 kind + R"(, uplinks: [eth0]}}
    guests: {app: {nics: {net0: {on: br0, ip: 10.0.0.9/24, mac: "02:00:00:00:00:09"}}, gateway: 10.0.0.254}}
  host2:
    nics: {eth0: {}}
    switches: {br0: {kind: )" +
                 kind + R"(, uplinks: [eth0]}}
  desk: {nics: {eth0: 10.0.0.2/24}}
routers: {gw: {nics: {lan: 10.0.0.254/24, out: 10.1.0.254/24}}}
switches: {sw1: {}}
links: [[host1:eth0, sw1:1], [host2:eth0, sw1:2], [desk:eth0, sw1:3], [gw:lan, sw1:4]]
traffic: [{from: desk, to: app, kind: ping, every: 10ms}]
changes: [{at: 500ms, migrate: app, to: host2)" +
                 how + "}]\n");
}

TEST(JunctionLab, AGuestGoesOnElsewhereAndTwice) {
  for (const std::string kind : {"linux-bridge", "hosted-bridge"}) {
    const TestLab lab(move(kind, ""));
    const auto built = lab.up();
    ASSERT_TRUE(built.has_value()) << built.error().what;
    for (int turn = 0; turn < 2; ++turn) {  // the second run begins where the first did
      const auto measured = run(lab.site(), lab.plan(), {.time = base::milliseconds(1200), .progress = {}});
      ASSERT_TRUE(measured.has_value()) << measured.error().what;
      EXPECT_GT(measured->flows[0].answered, measured->flows[0].sent - 30) << kind << turn;
      const auto at_switch = std::ranges::find_if(measured->tables, [&](const TableEntry& entry) {
        return name_of(lab.site(), entry.port).starts_with("sw1:") &&
               entry.mac == *wire::parse_mac("02:00:00:00:00:09");
      });
      ASSERT_NE(at_switch, measured->tables.end()) << kind << turn;
      EXPECT_EQ(name_of(lab.site(), at_switch->port), "sw1:2") << kind << turn;
    }
    EXPECT_THAT(lab.ip("app", "ip route"), HasSubstr("default via 10.0.0.254"));
  }
}

// Nobody is told: the switch goes on sending to the old place until the entry ages out.
TEST(JunctionLab, WithoutAnAnnouncementItIsLostAsPredicted) {
  const TestLab lab(move("linux-bridge", ", announce: off"));
  ASSERT_TRUE(lab.up().has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::milliseconds(1200), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  EXPECT_GT(measured->flows[0].answered, 20);
  EXPECT_LT(measured->flows[0].answered, measured->flows[0].sent - 30);
  const auto predicted = predict(lab, measured->time);
  for (std::size_t lane = 0; lane < 4; ++lane) {  // the uplinks of the hosts
    ASSERT_TRUE(measured->lanes[lane].has_value());
    EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                static_cast<double>(predicted.lanes[lane].frames), 20)
        << lane;
  }
}

}  // namespace
}  // namespace sekimori::lab
