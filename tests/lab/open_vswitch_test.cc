// Switches of the kind `ovs` as real Open vSwitches in a lab. Needs root and Open vSwitch.
#include "lab/open_vswitch.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX's

#include <chrono>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <thread>

#include "lab/run.h"
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Facilities kWithOpenVSwitch{.open_vswitch = true};

// Two guests in VLAN 10, one in 20; a server on a trunk; a flow that drops, a static entry.
model::Model ovs_site(const std::string& more = "") {
  return site_of(R"(
hosts:
  node:
    nics: {eth0: {}}
    switches:
      br0:
        kind: ovs
        uplinks: [eth0]
        ageing: 60s
        ports: {eth0: {trunk: [10, 20]}})" +
                 more + R"(
    guests:
      a: {nics: {net0: {on: br0, access: 10, ip: 10.0.0.1/24, mac: "02:00:00:00:00:0a"}}}
      b: {nics: {net0: {on: br0, access: 10, ip: 10.0.0.2/24, mac: "02:00:00:00:00:0b"}}}
      c: {nics: {net0: {on: br0, access: 20, ip: 10.0.0.3/24, mac: "02:00:00:00:00:0c"}}}
  far:
    nics: {eth0: {ip: 10.0.0.9/24, mac: "02:00:00:00:00:09"}}
switches: {sw1: {ports: {1: {trunk: [10, 20]}, 2: {access: 10}}}}
links: [[node:eth0, sw1:1], [far:eth0, sw1:2]]
traffic: [{from: a, to: far, kind: ping, every: 50ms}]
)");
}

std::string folder_of(const TestLab& lab) { return open_vswitch_folder(lab.plan().lab); }

// Those that have the folder in their command line. The bracket keeps the search from finding itself.
std::vector<pid_t> daemons_of(const std::string& folder) {
  std::istringstream found(output_of("pgrep -f '" + folder + "[/]'"));
  return {std::istream_iterator<pid_t>(found), {}};
}

TEST(OpenVSwitchLab, IsPlannedWhereItIsInstalledAndFits) {
  const auto engine_of = [](const std::string& switch_, const std::string& port,
                            const Facilities& facilities) {
    const model::Model site =
        site_of("hosts: {n: {nics: {eth0: {}}, switches: {br0: {kind: ovs, uplinks: [eth0], ports: {eth0: {" +
                port + "}}" + switch_ + "}}}}\nswitches: {sw: {}}\nlinks: [[n:eth0, sw:1]]\n");
    const Plan plan = make_plan(site, "t", facilities);
    return std::pair(plan.bridges[0].engine, plan.bridges[0].live_because);
  };
  EXPECT_EQ(engine_of("", "", kWithOpenVSwitch).first, Engine::kOpenVSwitch);
  EXPECT_EQ(engine_of(", ageing: 20s", "isolated: on, trunk: [5]", kWithOpenVSwitch).first,
            Engine::kOpenVSwitch);
  EXPECT_THAT(engine_of("", "", {}).second, HasSubstr("not installed"));
  EXPECT_THAT(engine_of("", "guard: on", kWithOpenVSwitch).second, HasSubstr("guard"));
  EXPECT_THAT(engine_of("", "flood: off", kWithOpenVSwitch).second, HasSubstr("flood"));
  EXPECT_EQ(engine_of("", "flood: off", kWithOpenVSwitch).first, Engine::kLive);
}

TEST(OpenVSwitchLab, PassesVlansAndLearnsAsPredicted) {
  const TestLab lab(ovs_site(), kWithOpenVSwitch);
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_TRUE(status(lab.plan())->up(lab.plan()));
  EXPECT_THAT(lab.ip("a", "ping -c 2 -i 0.2 -w 5 10.0.0.2"), HasSubstr("2 received"));
  EXPECT_THAT(lab.ip("a", "ping -c 2 -i 0.2 -w 5 10.0.0.9"), HasSubstr("2 received"));
  EXPECT_THAT(lab.ip("a", "ping -c 1 -w 1 10.0.0.3"), HasSubstr("0 received"));  // another VLAN

  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(1), .progress = {}});
  ASSERT_TRUE(measured.has_value()) << measured.error().what;
  EXPECT_GE(measured->flows[0].answered, 15);
  for (const char* mac : {"02:00:00:00:00:0a", "02:00:00:00:00:09"}) {
    EXPECT_THAT(measured->tables,
                Contains(AllOf(Field(&TableEntry::mac, *wire::parse_mac(mac)), Field(&TableEntry::vlan, 10),
                               Field(&TableEntry::bridge, lab.plan().bridges[0].bridge))))
        << mac;
  }
}

TEST(OpenVSwitchLab, HasFlowsStaticEntriesAndSettings) {
  const TestLab lab(ovs_site(R"(
        table-size: 20
        static: [{mac: "02:00:00:00:00:77", port: eth0, vlan: 10}]
        flows:
          - {in-port: "a:net0", station: "b:net0", output: []}
)"),
                    kWithOpenVSwitch);
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(lab.ip("a", "ping -c 1 -w 5 10.0.0.9"), HasSubstr("1 received"));
  EXPECT_THAT(lab.ip("a", "ping -c 1 -w 1 10.0.0.2"), HasSubstr("0 received"));
  const std::string database = "ovs-vsctl --db=unix:" + folder_of(lab) + "/db.sock ";
  EXPECT_THAT(output_of(database + "get Bridge br0 other_config"),
              AllOf(HasSubstr("mac-aging-time=\"60\""), HasSubstr("mac-table-size=\"20\"")));

  ASSERT_TRUE(OpenVSwitch(lab.site(), lab.plan()).flush().has_value());
  const auto entries = OpenVSwitch(lab.site(), lab.plan()).tables();
  ASSERT_TRUE(entries.has_value());
  EXPECT_THAT(*entries, Contains(Field(&TableEntry::is_static, true)));

  const model::SetBridge ageing{lab.plan().bridges[0].bridge, model::BridgeOption::kAgeing,
                                base::seconds(30).count()};
  ASSERT_TRUE(OpenVSwitch(lab.site(), lab.plan()).set(ageing).has_value());
  EXPECT_THAT(output_of(database + "get Bridge br0 other_config"), HasSubstr("mac-aging-time=\"30\""));
}

TEST(OpenVSwitchLab, TwoLabsDontMeetAndNothingIsLeft) {
  const TestLab one(ovs_site(), kWithOpenVSwitch), other(ovs_site(), kWithOpenVSwitch);
  ASSERT_TRUE(one.up().has_value());
  ASSERT_TRUE(other.up().has_value());
  ASSERT_TRUE(down(one.plan().lab).has_value());
  EXPECT_THAT(daemons_of(folder_of(one)), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(folder_of(one)));
  EXPECT_THAT(other.ip("a", "ping -c 1 -w 5 10.0.0.2"), HasSubstr("1 received"));
  ASSERT_TRUE(down(other.plan().lab).has_value());
  EXPECT_THAT(daemons_of(folder_of(other)), IsEmpty());
}

TEST(OpenVSwitchLab, AfterAKilledUpDownEndsTheDaemons) {
  const model::Model site = ovs_site();
  for (const int milliseconds : {30, 80, 150, 250, 400}) {
    const TestLab lab(site, kWithOpenVSwitch);
    lab.up_killed_after(std::chrono::milliseconds(milliseconds));
    const auto gone = down(lab.plan().lab);
    ASSERT_TRUE(gone.has_value()) << gone.error().what;
    // A process that had not yet come to listen finds its namespace gone within a second.
    for (int i = 0; i < 300 && !daemons_of(folder_of(lab)).empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_THAT(daemons_of(folder_of(lab)), IsEmpty()) << milliseconds;
    EXPECT_FALSE(std::filesystem::exists(folder_of(lab))) << milliseconds;
    EXPECT_EQ(lab.namespaces(), 0);
  }
}

TEST(OpenVSwitchLab, ADeadDaemonIsTold) {
  const TestLab lab(ovs_site(), kWithOpenVSwitch);
  ASSERT_TRUE(lab.up().has_value());
  for (const pid_t pid : daemons_of(folder_of(lab))) ::kill(pid, SIGKILL);
  bool told = false;
  for (int i = 0; i < 500 && !told; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    told = !status(lab.plan())->open_vswitch;
  }
  EXPECT_TRUE(told);
  EXPECT_FALSE(status(lab.plan())->up(lab.plan()));
}

TEST(OpenVSwitchLab, ALabThatIsThereIsRecognised) {
  const TestLab lab(ovs_site(), kWithOpenVSwitch);
  EXPECT_EQ(plan_for(lab.site(), lab.plan().lab, {}).open_vswitch, kNone);  // nothing is there yet
  ASSERT_TRUE(lab.up().has_value());
  EXPECT_NE(plan_for(lab.site(), lab.plan().lab, {}).open_vswitch, kNone);
}

}  // namespace
}  // namespace sekimori::lab
