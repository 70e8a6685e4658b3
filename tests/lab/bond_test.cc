// Bonds in a lab: live, with the decisions of the simulator, between kernels that know nothing of them. Needs
// root.
#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

model::Model bond(const std::string& mode, const std::string& change = "") {
  return site_of(R"(
hosts:
  srv:
    nics: {eth0: {mac: "02:00:00:00:00:10"}, eth1: {mac: "02:00:00:00:00:11"}}
    bonds: {bond0: {mode: )" +
                 mode + R"(, nics: [eth0, eth1], ip: 10.0.0.5/24}}
  a: {nics: {eth0: {ip: 10.0.0.1/24, mac: "02:00:00:00:00:01"}}}
  b: {nics: {eth0: {ip: 10.0.0.2/24, mac: "02:00:00:00:00:02"}}}
switches: {left: {}, right: {}, core: {}}
links:
  - [srv:eth0, left:1]
  - [srv:eth1, right:1]
  - [left:2, core:1]
  - [right:2, core:2]
  - [a:eth0, core:3]
  - [b:eth0, core:4]
traffic: [{from: a, to: srv, kind: ping, every: 10ms}, {from: b, to: srv, kind: ping, every: 10ms}]
)" + change);
}

std::int64_t frames_from(const TestLab& lab, const simulate::RunResult& run, std::string_view port) {
  for (std::size_t l = 0; l < lab.site().links.size(); ++l) {
    const model::Link& link = lab.site().links[l];
    if (name_of(lab.site(), link.a) == port) return run.lanes[2 * l].frames;
    if (name_of(lab.site(), link.b) == port) return run.lanes[2 * l + 1].frames;
  }
  ADD_FAILURE() << port;
  return 0;
}

// The link of the active NIC is lost half-way, and every direction of every link carries what is predicted.
// In active-backup the other announces itself. In balance-tlb and -alb its learning packets, which it sends
// to itself, turn round at the first switch; the core goes on sending to the left, and the pings are lost.
TEST(BondLab, AnotherNicTakesOver) {
  for (const std::string mode : {"active-backup", "balance-tlb", "balance-alb"}) {
    const TestLab lab(bond(mode, "changes: [{at: 1s, link-down: [srv:eth0, left:1]}]\n"));
    EXPECT_THAT(lab.plan().unsupported, IsEmpty()) << mode;
    const auto built = lab.up();
    ASSERT_TRUE(built.has_value()) << built.error().what;
    const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(2), .progress = {}});
    ASSERT_TRUE(measured.has_value()) << measured.error().what;
    for (const auto& flow : measured->flows) {
      EXPECT_GT(flow.sent, 190) << mode;
    }
    EXPECT_GE(measured->flows[0].answered, mode == "active-backup" ? 190 : 90) << mode;
    const auto predicted = predict(lab, measured->time);
    for (std::size_t lane = 0; lane < measured->lanes.size(); ++lane) {
      if (!measured->lanes[lane]) continue;
      EXPECT_NEAR(static_cast<double>(measured->lanes[lane]->frames),
                  static_cast<double>(predicted.lanes[lane].frames), 12)
          << mode << " lane " << lane;
    }
    if (mode == "active-backup") {
      EXPECT_GT(frames_from(lab, predicted, "right:1"), 150);
    } else {
      EXPECT_LT(measured->flows[0].answered, 110) << mode;
    }
  }
}

// balance-alb tells each client another MAC, and what comes in is spread: the kernels of the clients believe
// it.
TEST(BondLab, AlbTellsClientsApart) {
  const TestLab lab(bond("balance-alb"));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(lab.ip("a", "ping -c 2 -i 0.2 -w 5 10.0.0.5"), HasSubstr("2 received"));
  EXPECT_THAT(lab.ip("b", "ping -c 2 -i 0.2 -w 5 10.0.0.5"), HasSubstr("2 received"));
  EXPECT_THAT(lab.ip("a", "ip neigh"), HasSubstr("02:00:00:00:00:11"));
  EXPECT_THAT(lab.ip("b", "ip neigh"), HasSubstr("02:00:00:00:00:10"));
}

}  // namespace
}  // namespace sekimori::lab
