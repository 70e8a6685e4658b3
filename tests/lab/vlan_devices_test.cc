// A VLAN device below a bridge in a lab: live, between kernels that know nothing of it. Needs root.
#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

// The host is reached in VLAN 10, and a guest on its bridge in VLAN 10 is not; VLAN 1 is the bridge's.
TEST(VlanDevicesLab, TakeWhatIsTheirs) {
  const TestLab lab(site_of(R"(
hosts:
  srv:
    nics: {eth0: {}, eth0.10: 10.0.10.1/24}
    switches:
      br0:
        kind: linux-bridge
        vlan-aware: on
        uplinks: [eth0]
        ip: 10.0.0.1/24
        ports: {eth0: {trunk: [10], native: 1}}
    guests:
      vm: {nics: {net0: {on: br0, access: 1, ip: 10.0.0.5/24}}}
      vn: {nics: {net0: {on: br0, access: 10, ip: 10.0.10.5/24}}}
  a: {nics: {eth0: 10.0.0.2/24}}
  b: {nics: {eth0: 10.0.10.2/24}}
switches: {sw: {ports: {1: {trunk: [10], native: 1}, 3: {access: 10}}}}
links: [[srv:eth0, sw:1], [a:eth0, sw:2], [b:eth0, sw:3]]
traffic:
  - {from: a, to: vm, kind: ping, every: 10ms}
  - {from: srv, to: b, kind: ping, every: 10ms}
  - {from: vn, to: b, kind: ping, every: 10ms}
)"));
  EXPECT_THAT(lab.plan().unsupported, ::testing::IsEmpty());
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(2), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto predicted = predict(lab, measured->time);
  for (const std::size_t flow : {0, 1}) EXPECT_GT(measured->flows[flow].answered, 180) << flow;
  EXPECT_EQ(measured->flows[2].answered, 0);
  EXPECT_EQ(predicted.flows[2].answered, 0);
  for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
    if (!measured->lanes[lane]) continue;
    EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                static_cast<double>(predicted.lanes[lane].frames), 12)
        << "lane " << lane;
  }
}

}  // namespace
}  // namespace sekimori::lab
