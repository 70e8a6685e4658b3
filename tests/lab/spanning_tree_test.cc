// Spanning trees of live switches in a lab: BPDUs as real frames. Needs root.
#include <fmt/format.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "lab/live.h"
#include "lab/run.h"
#include "support.h"
#include "sys/links.h"
#include "sys/service.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;

// Three switches in a ring, a host at each.
model::Model ring(const std::string& settings, const std::string& more = "", const std::string& ports = "") {
  const auto one = [&](const char* name, int priority, const std::string& of_ports) {
    return fmt::format("  {}: {{{}, priority: {}, ports: {{{}}}}}\n", name, settings, priority, of_ports);
  };
  return site_of(R"(
hosts:
  a: {nics: {e: {ip: 10.0.0.1/24, mac: "02:00:00:00:00:0a"}}}
  b: {nics: {e: {ip: 10.0.0.2/24, mac: "02:00:00:00:00:0b"}}}
  c: {nics: {e: {ip: 10.0.0.3/24, mac: "02:00:00:00:00:0c"}}}
switches:
)" + one("s1", 4096, "") +
                 one("s2", 8192, ports) + one("s3", 12288, "") + R"(
links:
  - [s1:to2, s2:to1]
  - [s2:to3, s3:to2]
  - [s3:to1, s1:to3]
  - [a:e, s1:1]
  - [b:e, s2:1]
  - [c:e, s3:1]
)" + more);
}

std::string tree_of(const TestLab& lab) {
  for (SpaceIndex s = 0; s < lab.plan().spaces.size(); ++s) {
    const auto space = sys::Namespace::open(lab.plan().namespace_of(s));
    const auto inside = sys::InNamespace::enter(*space);
    if (const auto answer = sys::ask_service(kLiveService, "tree")) return *answer;
  }
  return "";
}

// "s2:to3 alternate discarding" and so on, those that don't forward.
std::string blocked(const TestLab& lab) {
  std::istringstream lines(tree_of(lab));
  std::uint32_t port = 0;
  std::string role, state, text;
  while (lines >> port >> role >> state) {
    if (state != "forwarding")
      text += fmt::format("{} {} {}\n", name_of(lab.site(), model::PortId(port)), role, state);
  }
  return text;
}

bool becomes(const TestLab& lab, const std::string& wanted) {
  for (int i = 0; i < 1000; ++i) {
    if (blocked(lab) == wanted) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

void switch_port(const TestLab& lab, const std::string& space, const std::string& device, bool up) {
  const auto where = sys::Namespace::open("sekimori." + lab.plan().lab + "." + space);
  ASSERT_TRUE(where.has_value());
  ASSERT_TRUE(sys::Links::open(*where)->set_up(device, up).has_value());
}

TEST(SpanningTreeLab, WhatLinuxLacksIsLive) {
  const auto why_live = [](const model::Model& site) { return make_plan(site, "t").bridges[1].live_because; };
  EXPECT_EQ(why_live(ring("stp: on")), "");
  EXPECT_THAT(why_live(ring("stp: rstp")), HasSubstr("not RSTP"));
  EXPECT_THAT(why_live(ring("stp: on", "", "1: {edge: on}")), HasSubstr("edge port"));
  EXPECT_THAT(why_live(ring("stp: on", "", "1: {bpdu-guard: on}")), HasSubstr("BPDU guard"));
  EXPECT_THAT(why_live(ring("stp: on", "", "1: {bpdu-filter: on}")), HasSubstr("filters BPDUs"));
  EXPECT_THAT(why_live(ring("stp: on", "", "1: {path-cost: 100000}")), HasSubstr("path cost"));
}

TEST(SpanningTreeLab, ARingOfRapidSwitchesIsOpenAndHeals) {
  const TestLab lab(ring("stp: rstp"));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  ASSERT_TRUE(becomes(lab, "s3:to2 alternate discarding\n")) << blocked(lab);
  EXPECT_THAT(lab.ip("b", "ping -c 2 -i 0.2 -w 5 10.0.0.3"), HasSubstr("2 received"));
  // The root port of s3 is gone: its alternate port takes over.
  switch_port(lab, "s3", "to1", false);
  ASSERT_TRUE(becomes(lab, "s1:to3 disabled discarding\ns3:to1 disabled discarding\n")) << blocked(lab);
  EXPECT_THAT(lab.ip("a", "ping -c 2 -i 0.2 -w 5 10.0.0.3"), HasSubstr("2 received"));
  switch_port(lab, "s3", "to1", true);
  ASSERT_TRUE(becomes(lab, "s3:to2 alternate discarding\n")) << blocked(lab);
}

// Fifty answers a second. A lost link costs the simulator's ring none or a few of them, and the kernel's not
// many more; STP would lose half a minute's.
TEST(SpanningTreeLab, TrafficGoesOnWhenALinkIsLostAsPredicted) {
  const TestLab lab(ring("stp: rstp", R"(
traffic: [{from: a, to: c, kind: ping, every: 20ms}, {from: b, to: c, kind: ping, every: 20ms}]
changes: [{at: 1s, link-down: ["s3:to1", "s1:to3"]}]
)"));
  ASSERT_TRUE(lab.up().has_value());
  ASSERT_TRUE(becomes(lab, "s3:to2 alternate discarding\n"));
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(5), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto predicted = predict(lab, measured->time);
  for (std::size_t f = 0; f < 2; ++f) {
    EXPECT_LT(measured->flows[f].sent - measured->flows[f].answered, 100) << f;  // two seconds
  }
  // What had gone between s1 and s3 goes by s2: as much as is predicted, but for what was lost.
  const auto& there = predicted.lanes[2];
  ASSERT_TRUE(measured->lanes[2].has_value());
  EXPECT_NEAR(static_cast<double>(measured->lanes[2]->frames), static_cast<double>(there.frames),
              100 + 0.05 * static_cast<double>(there.frames));
}

TEST(SpanningTreeLab, LiveStpAgreesWithTheKernels) {
  // s2 is live, as it has an edge port; the others are Linux bridges.
  const TestLab lab(ring("stp: on", "", "1: {edge: on}"));
  ASSERT_TRUE(lab.up().has_value());
  EXPECT_TRUE(lab.plan().bridges[0].of_the_kernel());
  EXPECT_TRUE(lab.plan().bridges[1].live());
  const auto kernel_blocks = [&] {
    return output_of("ip netns exec sekimori." + lab.plan().lab + ".s3 bridge -d link show dev to2");
  };
  bool agrees = false;
  for (int i = 0; i < 1000 && !agrees; ++i) {
    agrees = kernel_blocks().find("state blocking") != std::string::npos && blocked(lab).empty();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(agrees) << kernel_blocks() << blocked(lab);
  EXPECT_THAT(lab.ip("b", "ping -c 1 -i 0.2 -w 15 10.0.0.3"), HasSubstr("bytes from"));
}

TEST(SpanningTreeLab, AGuardShutsItsPortAndAFilterHearsNothing) {
  // Without the ring's first link there is no loop for the filter to leave open.
  const TestLab guarded(ring("stp: rstp", "", "to3: {bpdu-guard: on}"));
  ASSERT_TRUE(guarded.up().has_value());
  EXPECT_TRUE(becomes(guarded, "s2:to3 disabled discarding\ns3:to2 disabled discarding\n"))
      << blocked(guarded);
  EXPECT_THAT(guarded.ip("b", "ping -c 2 -i 0.2 -w 5 10.0.0.3"), HasSubstr("2 received"));
}

}  // namespace
}  // namespace sekimori::lab
