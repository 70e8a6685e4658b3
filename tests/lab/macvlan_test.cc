// Switches of the kind `macvlan` as real devices in a lab. Needs root.
#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;

constexpr Facilities kWithMacvlan{.macvlan = true};

model::Model macvlan_site(const std::string& mode, const std::string& host = "ip: 10.0.0.3/24",
                          const std::string& second = "b: {nics: {net0: {on: mv, ip: 10.0.0.12/24}}}") {
  return site_of(R"(
hosts:
  containers:
    nics: {eth0: {)" +
                 host + R"(}}
    switches: {mv: {kind: macvlan, uplinks: [eth0], mode: )" +
                 mode + R"(}}
    guests:
      a: {nics: {net0: {on: mv, ip: 10.0.0.11/24, mac: "02:00:00:00:00:0a"}}, gateway: 10.0.0.254}
      )" + second +
                 R"(
  desk: {nics: {eth0: {ip: 10.0.0.2/24}}}
routers: {gw: {nics: {lan: 10.0.0.254/24, out: 10.1.0.254/24}}}
switches: {sw1: {}}
links: [[containers:eth0, sw1:1], [desk:eth0, sw1:2], [gw:lan, sw1:3]]
traffic:
  - {from: desk, to: a, kind: udp, rate: 2Mbit/s, size: 1000}
  - {from: a, to: desk, kind: request, every: 5ms, size: 200, response: 1000}
)");
}

// How many of two pings come back.
int answers(const TestLab& lab, const std::string& from, const std::string& to) {
  const std::string said = lab.ip(from, "ping -c 2 -i 0.2 -W 1 " + to);
  const auto at = said.find(" received");
  return at == said.npos ? -1 : std::stoi(said.substr(said.rfind(' ', at - 1)));
}

TEST(MacvlanLab, WhatDoesNotFitTheDeviceIsLive) {
  const auto why_live = [](const model::Model& site, const Facilities& facilities = kWithMacvlan) {
    return make_plan(site, "t", facilities).bridges[0].live_because;
  };
  EXPECT_EQ(why_live(macvlan_site("bridge")), "");
  EXPECT_THAT(why_live(macvlan_site("bridge"), {}), HasSubstr("no macvlan"));
  EXPECT_THAT(why_live(macvlan_site("passthru")), HasSubstr("takes the NIC away"));
  EXPECT_THAT(why_live(macvlan_site("passthru", "")), HasSubstr("one guest"));
  EXPECT_EQ(why_live(macvlan_site("passthru", "", "")), "");
  EXPECT_THAT(why_live(macvlan_site("vepa", "", "b: {nics: {net0: {on: mv, mac: \"02:00:00:00:00:0a\"}}}")),
              HasSubstr("one address"));
  EXPECT_THAT(why_live(macvlan_site("vepa", "", "b: {nics: {net0: {on: mv, isolated: on}}}")),
              HasSubstr("isolated"));
}

TEST(MacvlanLab, ABridgeJoinsGuestsAndKeepsTheHostOut) {
  const TestLab lab(macvlan_site("bridge"), kWithMacvlan);
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_FALSE(lab.plan().has_live());
  EXPECT_THAT(lab.ip("a", "ip -d link show net0"), HasSubstr("macvlan mode bridge"));
  EXPECT_TRUE(status(lab.plan())->up(lab.plan()));
  EXPECT_EQ(answers(lab, "a", "10.0.0.12"), 2);
  EXPECT_EQ(answers(lab, "a", "10.0.0.2"), 2);
  EXPECT_EQ(answers(lab, "containers", "10.0.0.2"), 2);
  EXPECT_EQ(answers(lab, "containers", "10.0.0.11"), 0);
  EXPECT_EQ(plan_for(lab.site(), lab.plan().lab, {}).bridges[0].engine, Engine::kMacvlan);
}

TEST(MacvlanLab, PrivateGuestsMeetNobodyOfTheirHost) {
  const TestLab lab(macvlan_site("private"), kWithMacvlan);
  ASSERT_TRUE(lab.up().has_value());
  EXPECT_EQ(answers(lab, "a", "10.0.0.12"), 0);
  EXPECT_EQ(answers(lab, "a", "10.0.0.2"), 2);
}

TEST(MacvlanLab, AGuestInPassthruHasTheNic) {
  const TestLab lab(macvlan_site("passthru", "", ""), kWithMacvlan);
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(lab.ip("a", "cat /sys/class/net/net0/address"), HasSubstr("02:00:00:00:00:0a"));
  EXPECT_EQ(answers(lab, "a", "10.0.0.2"), 2);
}

TEST(MacvlanLab, OpenLoopTrafficIsAsPredictedAndRoutesStay) {
  model::Model site = macvlan_site("vepa");
  // A guest that was away is back, with its gateway.
  const model::MachineId guest =
      site[site.flows[0].to].kind == model::MachineKind::kGuest ? site.flows[0].to : site.flows[0].from;
  site.changes = {{base::milliseconds(300), model::StopMachine{guest}, 0},
                  {base::milliseconds(600), model::StartMachine{guest}, 0}};
  const TestLab lab(std::move(site), kWithMacvlan);
  ASSERT_TRUE(lab.up().has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::milliseconds(1500), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  EXPECT_GT(measured->flows[0].received, 100);
  EXPECT_LT(measured->flows[0].received, measured->flows[0].sent);
  EXPECT_THAT(lab.ip("a", "ip route"), HasSubstr("default via 10.0.0.254"));
}

TEST(MacvlanLab, LinksCarryWhatIsPredicted) {
  const TestLab lab(macvlan_site("bridge"), kWithMacvlan);
  ASSERT_TRUE(lab.up().has_value());
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(2), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  const auto predicted = predict(lab, measured->time);
  std::size_t compared = 0;
  for (std::size_t l = 0; l < measured->lanes.size(); ++l) {
    const auto& there = predicted.lanes[l];
    if (there.frames < 100 || !measured->lanes[l]) continue;
    ++compared;
    EXPECT_NEAR(static_cast<double>(measured->lanes[l]->frames), static_cast<double>(there.frames),
                0.02 * static_cast<double>(there.frames))
        << name_of(lab.site(), model::LinkId(l / 2)) << (l % 2 == 0 ? " from a" : " from b");
  }
  EXPECT_GE(compared, 6u);  // desk, the uplink, the guest's NIC; both ways
}

}  // namespace
}  // namespace sekimori::lab
