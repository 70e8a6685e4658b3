// Beacon probing in a lab: the live switch sends and hears beacons between kernels that know nothing of them,
// and takes another uplink for a way that is lost behind the next switch. Needs root.
#include <fmt/format.h>

#include "lab/run.h"
#include "support.h"
#include "switching/beacon.h"

namespace sekimori::lab {
namespace {

using ::testing::IsEmpty;

// Each uplink at a switch of its own; the first of these loses its way after 2 s.
model::Model team(int uplinks) {
  std::string nics, names, switches, links;
  for (int i = 0; i < uplinks; ++i) {
    nics += fmt::format("vmnic{}: {{}}, ", i);
    names += fmt::format("vmnic{}, ", i);
    switches += fmt::format("s{}: {{}}, ", i);
    links += fmt::format("  - [esx:vmnic{0}, s{0}:1]\n  - [s{0}:9, core:{0}]\n", i);
  }
  return site_of(fmt::format(R"(
hosts:
  esx:
    nics: {{{}}}
    switches: {{vs0: {{kind: esxi, uplinks: [{}], teaming: failover, beacon-probing: on}}}}
    guests: {{vm: {{nics: {{net0: {{on: vs0, ip: 10.0.0.1/24}}}}}}}}
  a: {{nics: {{eth0: 10.0.0.2/24}}}}
switches: {{{}core: {{}}}}
links:
{}  - [a:eth0, core:9]
traffic: [{{from: a, to: vm, kind: ping, every: 10ms}}]
changes: [{{at: 2s, link-down: "s0:9"}}]
)",
                             nics, names, switches, links));
}

// With three another one takes over, by two all is sent from then on. The beacons of prediction and lab have
// not the same phase, so the moment may differ by a second: 100 pings.
TEST(BeaconLab, AnotherUplinkTakesOver) {
  for (const int uplinks : {2, 3}) {
    const TestLab lab(team(uplinks));
    EXPECT_THAT(lab.plan().unsupported, IsEmpty());
    const auto built = lab.up();
    ASSERT_TRUE(built.has_value()) << built.error().what;
    const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(7), .progress = {}});
    ASSERT_TRUE(measured.has_value()) << measured.error().what;
    const auto predicted = predict(lab, measured->time);
    EXPECT_GT(measured->flows[0].answered, 200 + 80) << "back after 4 s at the latest";
    EXPECT_LT(measured->flows[0].answered, 200 + 310) << "and 2 s at the earliest";
    EXPECT_NEAR(static_cast<double>(measured->flows[0].answered),
                static_cast<double>(predicted.flows[0].answered), 110);
    for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
      if (!measured->lanes[lane]) continue;
      EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                  static_cast<double>(predicted.lanes[lane].frames), 120)
          << uplinks << " uplinks, lane " << lane;
    }
  }
}

// Nothing else moves: each link carries the beacons that are predicted, tagged where the VLAN is, and the
// kernel's bridges learn where each uplink is.
TEST(BeaconLab, BeaconsAreCountedAndLearnt) {
  const TestLab lab(site_of(R"(
hosts:
  esx:
    nics: {vmnic0: {}, vmnic1: {}, vmnic2: {}}
    switches: {vs0: {kind: esxi, uplinks: [vmnic0, vmnic1, vmnic2], beacon-probing: on}}
    guests:
      vm: {nics: {net0: {on: vs0, ip: 10.0.0.1/24}}}
      vn: {nics: {net0: {on: vs0, ip: 10.0.10.1/24, access: 10}}}
  a: {nics: {eth0: 10.0.0.2/24}}
switches: {sw: {vlan-aware: off}}
links: [[esx:vmnic0, sw:1], [esx:vmnic1, sw:2], [esx:vmnic2, sw:3], [a:eth0, sw:4]]
)"));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(4), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto predicted = predict(lab, measured->time);
  std::int64_t beacons = 0;
  for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
    if (!measured->lanes[lane]) continue;
    beacons += measured->lanes[lane]->frames;
    EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                static_cast<double>(predicted.lanes[lane].frames), 6)
        << "lane " << lane << ": a round of two VLANs more or less, from up to three uplinks";
  }
  EXPECT_GT(beacons, 4 * 6 * 3);
  const std::string table = lab.ip("sw", "bridge fdb show");
  for (const auto& port : lab.site().ports) {
    if (port.role != model::PortRole::kUplink) continue;
    const auto id = model::PortId(static_cast<std::uint32_t>(&port - lab.site().ports.data()));
    EXPECT_THAT(table, ::testing::HasSubstr(wire::to_text(switching::beacon_address(id)))) << table;
  }
}

}  // namespace
}  // namespace sekimori::lab
