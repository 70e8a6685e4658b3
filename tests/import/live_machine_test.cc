// Machines that run: this one, one reached by ssh, and libvirt. All of it happens in a network namespace that
// the test makes, with an sshd of its own on loopback there; of libvirt it is the test driver, which needs no
// daemon.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "cli/sources.h"
#include "importers/site.h"
#include "tests/support/folder.h"
#include "tests/support/netns.h"

namespace sekimori {
namespace {

using sekimori::testing::Child;
using sekimori::testing::Netns;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class Machine {
 public:
  Machine() {
    inside_.sh(
        "ip link add name eth0 type veth peer name guest0; ip link add name br0 type bridge ageing_time 0;"
        "ip link set guest0 master br0; ip link add name eth1 address 02:00:00:00:09:01 type veth peer name "
        "far;"
        "ip link set eth1 up; ip addr add 10.9.0.1/24 dev br0; ip link set br0 up");
  }
  // An sshd in the namespace, and an ssh before the system's in PATH that finds it by the name `peer`.
  void start_sshd() {
    const std::string here = folder_.path().string() + "/";
    std::ofstream(here + "sshd.conf")
        << "Port 2222\nListenAddress 127.0.0.1\nHostKey " << here << "host\nAuthorizedKeysFile " << here
        << "user.pub\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
           "PermitRootLogin prohibit-password\n";
    std::ofstream(here + "ssh.conf") << "Host peer\n  HostName 127.0.0.1\n  Port 2222\n  User root\n"
                                        "  IdentityFile "
                                     << here << "user\n  IdentitiesOnly yes\n  UserKnownHostsFile " << here
                                     << "known\n  GlobalKnownHostsFile /dev/null\n"
                                        "  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n";
    fs::create_directory(here + "bin");
    std::ofstream(here + "bin/ssh") << "#!/bin/sh\nexec /usr/bin/ssh -F " << here << "ssh.conf \"$@\"\n";
    fs::permissions(here + "bin/ssh", fs::perms::owner_all);
    inside_.sh("cd " + here + "; for k in host user; do ssh-keygen -q -t ed25519 -N '' -f $k; done; " +
               "mkdir -p /run/sshd");
    sshd_.emplace(inside_.start([&] {
      execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f", (here + "sshd.conf").c_str(), "-E",
            (here + "log").c_str(), nullptr);
      return 97;
    }));
    inside_.sh("for i in $(seq 200); do grep -q listening " + here +
               "log && exit 0; sleep 0.05; done; exit 1");
  }

  // What `sekimori import SOURCE` writes there; an error begins with "error: ".
  std::string import(const std::string& source) const {
    const fs::path answer = folder_ / "answer";
    Child asking = inside_.start([&] {
      setenv("PATH", (folder_.path().string() + "/bin:" + std::getenv("PATH")).c_str(), 1);
      setenv("LIBVIRT_DEFAULT_URI", "test:///default", 1);
      const auto imported = cli::import_all({source}, {});
      std::ofstream(answer) << (imported ? imported->site : "error: " + imported.error().message);
      return 0;
    });
    EXPECT_EQ(asking.wait(), 0);
    std::ifstream in(answer);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  Netns inside_;
  testing::Folder folder_;
  std::optional<Child> sshd_;
};

void expect_the_machine(const std::string& site) {
  EXPECT_THAT(site, HasSubstr("kind: linux-bridge"));
  EXPECT_THAT(site, HasSubstr("ip: 10.9.0.1/24"));
  EXPECT_THAT(site, HasSubstr("ageing: 0s"));
  EXPECT_TRUE(importers::parse_site(site, "live")) << site;
}

// With the guest of libvirt's test driver, whose network it defines as well.
TEST(LiveMachine, ThisOneAndItsLibvirtAreAsked) {
  const Machine machine;
  const std::string site = machine.import("host:local");
  expect_the_machine(site);
  EXPECT_THAT(site, HasSubstr("# libvirt 6695eb01-f6a4-8304-79aa-97f2502e193f, host:local/"));
  EXPECT_THAT(site, HasSubstr("net0: {on: virbr0, mac: \"aa:bb:cc:dd:ee:ff\"}"));
}

TEST(LiveMachine, AnotherIsAskedBySsh) {
  Machine machine;
  machine.start_sshd();
  const std::string site = machine.import("ssh:peer");
  expect_the_machine(site);
  EXPECT_THAT(site, HasSubstr("# ssh:peer/"));
}

TEST(LiveMachine, OneThatSshCannotReachIsAnError) {
  Machine machine;
  machine.start_sshd();
  EXPECT_THAT(machine.import("ssh:127.0.0.1"), HasSubstr("cannot be reached by ssh (without a password)"));
  EXPECT_THAT(machine.import("ssh:-oProxyCommand=touch"), HasSubstr("a machine is host:local or ssh:NAME"));
}

}  // namespace
}  // namespace sekimori
