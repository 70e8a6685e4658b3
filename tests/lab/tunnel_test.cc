// VXLAN tunnels as the kernel's devices in a lab. Needs root; with Open vSwitch one member is that.
#include "lab/compare.h"
#include "lab/open_vswitch.h"
#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Three hosts; `hv2` has a switch of that kind. hv1 and hv3 are behind a router.
model::Model three_hosts(const std::string& kind, const std::string& tunnel, const std::string& traffic) {
  return site_of(R"(
hosts:
  hv1: {nics: {eth0: 192.0.2.1/24}, gateway: 192.0.2.254, switches: {br0: {kind: linux-bridge}}, guests: {a: {nics: {net0: {on: br0, ip: 10.0.0.1/24, mac: "02:00:00:00:00:0a"}}}}}
  hv2: {nics: {eth0: 192.0.2.2/24}, gateway: 192.0.2.254, switches: {br0: {kind: )" +
                 kind +
                 R"(}}, guests: {b: {nics: {net0: {on: br0, ip: 10.0.0.2/24, mac: "02:00:00:00:00:0b"}}}}}
  hv3: {nics: {eth0: 198.51.100.3/24}, gateway: 198.51.100.254, switches: {br0: {kind: linux-bridge}}, guests: {c: {nics: {net0: {on: br0, ip: 10.0.0.3/24, mac: "02:00:00:00:00:0c"}}}}}
routers: {gw: {nics: {l: 192.0.2.254/24, r: 198.51.100.254/24}}}
switches: {tor: {}}
links: [[hv1:eth0, tor:1], [hv2:eth0, tor:2], [gw:l, tor:3], [hv3:eth0, gw:r]]
tunnels: {vx10: {vni: 10, members: [hv1/br0, hv2/br0, hv3/br0])" +
                 tunnel + "}}\ntraffic:\n" + traffic);
}

void expect_as_predicted(const TestLab& lab, const Measurement& measured) {
  const Prediction predicted = prediction_of(lab, measured.time);
  const Comparison comparison = compare(lab.site(), predicted, measured);
  EXPECT_GT(comparison.lanes.size(), 10u);
  for (const LaneComparison& lane : comparison.lanes) {
    const auto bytes = static_cast<double>(lane.predicted.bytes);
    EXPECT_NEAR(static_cast<double>(lane.measured.bytes), bytes, 0.01 * bytes + 400)
        << name_of(lab.site(), lane.link) << lane.from_a;
  }
  for (const EntryComparison& entry : comparison.entries) {
    EXPECT_EQ(entry.predicted, entry.measured)
        << name_of(lab.site(), entry.bridge) << " " << wire::to_text(entry.mac);
  }
}

TEST(TunnelLab, FramesTravelFromHostToHostAsPredicted) {
  for (const std::string kind : {"linux-bridge", "switch", "ovs"}) {
    const Facilities facilities{.open_vswitch = kind == "ovs" && has_open_vswitch()};
    const TestLab lab(three_hosts(kind, "", R"(
  - {from: a, to: b, kind: udp, rate: 2Mbit/s, size: 1472}
  - {from: b, to: c, kind: ping, every: 50ms}
)"),
                      facilities);
    EXPECT_THAT(lab.plan().unsupported, IsEmpty());
    const auto built = lab.up();
    ASSERT_TRUE(built.has_value()) << built.error().what;
    EXPECT_TRUE(status(lab.plan())->up(lab.plan()));
    const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(3), .progress = {}});
    ASSERT_TRUE(measured.has_value()) << measured.error().what;
    EXPECT_EQ(measured->flows[0].received, measured->flows[0].sent) << kind;
    EXPECT_GE(measured->flows[1].answered, measured->flows[1].sent - 1) << kind;
    expect_as_predicted(lab, *measured);
    EXPECT_THAT(lab.ip("a", "ping -c 2 -i 0.2 -s 1472 -M do -w 5 10.0.0.3"), HasSubstr("2 received"));
  }
}

// Frames of `a` for `b` for two seconds, as predicted: how many got to the third host, hv3.
std::int64_t frames_to_the_third(std::string_view tunnel) {
  const TestLab lab(three_hosts("linux-bridge", std::string(tunnel), R"(
  - {from: a, to: b, kind: udp, every: 10ms, size: 500}
)"));
  const auto built = lab.up();
  EXPECT_TRUE(built.has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(2), .progress = {}});
  EXPECT_TRUE(measured.has_value()) << (measured ? "" : measured.error().what);
  if (!measured) return -1;
  expect_as_predicted(lab, *measured);
  for (std::size_t l = 0; l < lab.site().links.size(); ++l) {
    if (name_of(lab.site(), model::LinkId(l)) == "hv3:eth0 - gw:r") return measured->lanes[2 * l + 1]->frames;
  }
  ADD_FAILURE() << "no link of hv3";
  return -1;
}

// Nobody at the other ends is known: each frame is a packet to each of them.
TEST(TunnelLab, WhatAnEndpointDoesNotKnowIsSentToAll) {
  EXPECT_GT(frames_to_the_third(", learning: off"), 180);
}

TEST(TunnelLab, AndWhatIsEnteredByHandToTheOneOnly) {
  const std::int64_t frames =
      frames_to_the_third(R"(, learning: off, static: [{station: "b:net0", member: hv2}])");
  EXPECT_GE(frames, 0);
  EXPECT_LT(frames, 20);
}

// A second site's endpoints age: the station is silent, and after that its frames go everywhere.
TEST(TunnelLab, EndpointsForget) {
  const TestLab lab(three_hosts("linux-bridge", ", ageing: 1s", R"(
  - {from: a, to: b, kind: udp, every: 20ms, size: 500}
)"));
  ASSERT_TRUE(lab.up().has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(14), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  for (const TableEntry& entry : measured->tables) {
    EXPECT_FALSE(lab.site()[entry.bridge].kind == model::BridgeKind::kVtep &&
                 entry.mac == *wire::parse_mac("02:00:00:00:00:0b"));
  }
}

}  // namespace
}  // namespace sekimori::lab
