// What goes wrong around a lab: it is told in words, and `down` leaves nothing of it.
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <thread>

#include "lab/guests.h"
#include "lab/live.h"
#include "lab/open_vswitch.h"
#include "lab/run.h"
#include "support.h"
#include "sys/links.h"

namespace sekimori::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

model::Model hosted_server() { return importers::load_site("examples/hosted-server/site.yaml").value(); }

model::Model with_open_vswitch() {
  return site_of(R"(
hosts:
  a: {nics: {e: 10.0.0.1/24}}
  b: {nics: {e: 10.0.0.2/24}}
  node: {nics: {eth0: {}, eth1: {}}, switches: {br0: {kind: ovs, uplinks: [eth0, eth1]}}}
links: [[a:e, node:eth0], [b:e, node:eth1]]
)");
}

// What the body says in a process of its own, which may change what this one must not.
std::string in_child(const std::function<std::string()>& body) {
  int pipe[2];
  EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string said = body();
    [[maybe_unused]] const ssize_t told = ::write(pipe[1], said.data(), said.size());
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string said;
  char piece[4096];
  for (ssize_t got; (got = ::read(pipe[0], piece, sizeof piece)) > 0;)
    said.append(piece, static_cast<std::size_t>(got));
  ::close(pipe[0]);
  ::waitpid(child, nullptr, 0);
  return said;
}

// Mounts in this process' own tree of files.
bool mount_privately(const char* where, const char* options) {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("none", where, "tmpfs", 0, options) == 0;
}

TEST(Faults, WithoutRootItIsToldWhatIsNeeded) {
  const TestLab lab(hosted_server());
  const std::string said = in_child([&]() -> std::string {
    if (::setresuid(65'534, 65'534, 65'534) != 0) return "setresuid";
    const auto lacks = probe(lab.plan());
    return lacks ? "it may" : lacks.error().what;
  });
  EXPECT_THAT(said, HasSubstr("run it as root (sudo)"));
}

TEST(Faults, WhatTheKernelLacksIsNamedWithWhoNeedsIt) {
  const TestLab lab(site_of(R"(
hosts:
  node:
    switches: {br0: {kind: linux-bridge}}
    guests: {app: {nics: {net0: {on: br0}}, image: {kernel: k}}, other: {nics: {net0: {on: br0}}}}
)"),
                    {.qemu = true});
  const std::string said = in_child([&]() -> std::string {
    if (!mount_privately("/dev/net", "size=4k")) return "no mount";  // as without CONFIG_TUN
    const auto lacks = probe(lab.plan());
    if (!lacks) return lacks.error().what;
    std::string text;
    for (const Lack& lack : *lacks)
      text += fmt::format("{} for {}: {}\n", to_text(lack.feature), fmt::join(lack.parts, ","), lack.error);
    return text;
  });
  EXPECT_THAT(said, HasSubstr("tap devices (CONFIG_TUN) for app: Can't open /dev/net/tun"));
}

TEST(Faults, ANamespaceThatNoLabMadeIsNotTouched) {
  const TestLab lab(hosted_server());
  const std::string mine = namespace_prefix(lab.plan().lab) + "sw1";
  ASSERT_EQ(output_of("ip netns add " + mine), "");
  const auto refused = lab.up();
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, HasSubstr(mine + " that no lab made"));
  const auto gone = down(lab.plan().lab);
  ASSERT_TRUE(gone.has_value());
  EXPECT_EQ(gone->namespaces, 0);
  EXPECT_THAT(gone->others, ElementsAre(mine));
  EXPECT_TRUE(sys::namespace_exists(mine));
  ASSERT_EQ(output_of("ip netns del " + mine), "");
  EXPECT_TRUE(lab.up().has_value());
}

TEST(Faults, AFullDiskIsToldAndNothingIsLeft) {
  const auto up_with = [](const TestLab& lab, const char* options) {
    return in_child([&]() -> std::string {
      if (!mount_privately("/run", options)) return "no mount";
      const auto built = lab.up();
      const std::string said = built ? "it is up" : built.error().what;
      return fmt::format("{} {} namespaces, folders:{}{}", said, lab.namespaces(),
                         std::filesystem::exists(open_vswitch_folder(lab.plan().lab)) ? " ovs" : "",
                         std::filesystem::exists(guests_folder(lab.plan().lab)) ? " guests" : "");
    });
  };
  // There is no room for another name; for the database of Open vSwitch; for QEMU's sockets.
  EXPECT_THAT(up_with(TestLab(hosted_server()), "nr_inodes=6"),
              HasSubstr("No space left on device. 0 namespaces, folders:"));
  if (has_open_vswitch()) {
    const std::string said = up_with(TestLab(with_open_vswitch(), {.open_vswitch = true}), "size=16k");
    EXPECT_THAT(said, HasSubstr("no space left on the device"));
    EXPECT_THAT(said, ::testing::EndsWith(" 0 namespaces, folders:"));
  }
}

// Seconds of CPU that the lab's process with the live switches has had.
double live_seconds(const TestLab& lab) {
  for (const std::string& name : sys::namespaces_with_prefix(namespace_prefix(lab.plan().lab))) {
    const std::string inode = output_of("ip netns exec " + name + " awk '$NF == \"@" + kLiveService +
                                        "\" {printf $7}' /proc/net/unix");
    if (inode.empty()) continue;
    const std::string stat =
        output_of("cat /proc/$(ls -l /proc/[0-9]*/fd 2>/dev/null | awk -v s='socket:[" + inode +
                  "]' '/^\\/proc/ {split($0, p, \"/\")} $NF == s {print p[3]; exit}')/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  ADD_FAILURE() << "no live switches";
  return 0;
}

TEST(Faults, AnInterfaceThatVanishesInARunIsNamed) {
  const TestLab lab(hosted_server());
  ASSERT_TRUE(lab.up().has_value());
  const auto remove = [&](const std::string& space, const std::string& device) {
    const auto where = sys::Namespace::open("sekimori." + lab.plan().lab + "." + space);
    ASSERT_TRUE(where.has_value());
    EXPECT_TRUE(sys::Links::open(*where)->remove(device).has_value());
  };
  bool is_done = false;
  const auto measured = run(lab.site(), lab.plan(), {.time = base::seconds(2), .progress = [&](double share) {
                                                       if (share > 0.3 && !std::exchange(is_done, true)) {
                                                         remove("server.vmnet0", "app.net0");
                                                         remove("sw1", "2");
                                                       }
                                                       return true;
                                                     }});
  ASSERT_FALSE(measured.has_value());
  EXPECT_THAT(measured.error().what, HasSubstr("this went away"));
  EXPECT_THAT(measured.error().what, HasSubstr(".server.vmnet0: app.net0"));
  EXPECT_THAT(measured.error().what, HasSubstr(".sw1: 2"));
  // A port that is gone wakes nobody up.
  const double before = live_seconds(lab);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_LT(live_seconds(lab) - before, 0.2);
  ASSERT_TRUE(down(lab.plan().lab).has_value());
  EXPECT_EQ(lab.namespaces(), 0);
}

bool soon(const std::function<bool()>& is_so) {
  for (int i = 0; i < 100; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

// Killed at any moment, with live switches and with Open vSwitch.
TEST(Faults, WhereverUpIsKilledDownLeavesNothing) {
  std::mt19937 random(7);
  const Facilities facilities{.open_vswitch = has_open_vswitch()};
  for (int round = 0; round < 16; ++round) {
    const TestLab lab(round % 2 == 0 ? hosted_server() : with_open_vswitch(), facilities);
    const auto when = std::chrono::milliseconds(random() % 250);
    lab.up_killed_after(when);
    const auto gone = down(lab.plan().lab);
    ASSERT_TRUE(gone.has_value()) << gone.error().what;
    EXPECT_THAT(gone->others, IsEmpty()) << when.count() << " ms";
    EXPECT_EQ(lab.namespaces(), 0);
    // A process that was about to begin sees that its namespace is gone.
    EXPECT_TRUE(soon([&] {
      return !std::filesystem::exists(open_vswitch_folder(lab.plan().lab)) &&
             output_of("pgrep -f '^ovs.*" + open_vswitch_folder(lab.plan().lab) + "/'").empty();
    })) << when.count()
        << " ms";
  }
}

}  // namespace
}  // namespace sekimori::lab
