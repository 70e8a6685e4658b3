// An Open vSwitch of the test's own: a database and a switch daemon in a namespace, with the user-space
// datapath; for comparing frame by frame with nothing cached.
//
// Normally a frame that has passed leaves a flow in the datapath's cache. Frames that match it never get to
// the MAC table; what they teach is noted when the revalidators next look, within half a second, and what
// others teach takes effect then. `flow-limit` 0 keeps the cache empty, so that every frame is looked at with
// the table as it is (ofproto/ofproto-dpif-upcall.c, should_install_flow; lib/dpif-netdev.c,
// handle_packet_upcall: ENOSPC). The commands time/stop and time/warp come with --enable-dummy
// (lib/timeval.c), as Open vSwitch's own tests use them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sys/command.h"
#include "sys/namespaces.h"
#include "tests/support/folder.h"

namespace sekimori::differential {

class OpenVSwitch {
 public:
  OpenVSwitch() = default;
  OpenVSwitch(const OpenVSwitch&) = delete;
  ~OpenVSwitch() {
    for (const pid_t pid : children_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    if (control_ >= 0) ::close(control_);
  }

  enum class Cache : bool { kOff, kOn };
  void start(const sys::Namespace& where, Cache cache) {
    run({"ovsdb-tool", "create", folder_ + "/db", "/usr/share/openvswitch/vswitch.ovsschema"});
    const auto inside = sys::InNamespace::enter(where);
    ASSERT_TRUE(inside.has_value());
    launch({"ovsdb-server", folder_ + "/db", "--remote=punix:" + folder_ + "/db.sock",
            "--unixctl=" + folder_ + "/db.ctl"});
    ASSERT_TRUE(appears("db.sock"));
    launch(
        {"ovs-vswitchd", "unix:" + folder_ + "/db.sock", "--unixctl=" + folder_ + "/ctl", "--enable-dummy"});
    ASSERT_TRUE(appears("ctl"));
    control_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (folder_ + "/ctl").c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::connect(control_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    if (cache == Cache::kOff) configure({"--", "set", "Open_vSwitch", ".", "other_config:flow-limit=0"});
  }

  // What the daemons have used so far.
  double cpu_seconds() const {
    double ticks = 0;
    for (const pid_t pid : children_) {
      std::ifstream stat(fmt::format("/proc/{}/stat", pid));
      std::string field;
      double user = 0, system = 0;
      for (int i = 0; i < 13; ++i) stat >> field;  // proc(5): utime is the 14th; our names have no spaces
      stat >> user >> system;
      ticks += user + system;
    }
    return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }

  // ovs-vsctl, in one transaction. Returns what it prints when the switch has done it.
  std::string configure(std::vector<std::string> words) {
    words.insert(words.begin(), {"ovs-vsctl", "--db=unix:" + folder_ + "/db.sock", "--timeout=60"});
    return run(words);
  }
  void replace_flows(const std::string& bridge, const std::string& flows) {
    std::ofstream(folder_ + "/flows") << flows;
    run({"ovs-ofctl", "replace-flows", "unix:" + folder_ + "/" + bridge + ".mgmt", folder_ + "/flows"});
  }

  // ovs-appctl: JSON-RPC (ovs-appctl(8), lib/unixctl.c). The first word is the command. Many at once: the
  // switch looks at ten of them in a round of its main loop.
  void command(const std::vector<std::vector<std::string>>& all, bool may_fail = false) {
    std::string requests;
    for (const auto& words : all) {
      std::string parameters;
      for (std::size_t w = 1; w < words.size(); ++w)
        parameters += fmt::format(R"({}"{}")", w == 1 ? "" : ",", words[w]);
      requests += fmt::format(R"({{"id":0,"method":"{}","params":[{}]}})", words[0], parameters);
    }
    std::size_t sent = 0, answered = 0;
    int depth = 0;
    std::string answers;
    while (answered < all.size()) {
      pollfd ready{control_, static_cast<short>(POLLIN | (sent < requests.size() ? POLLOUT : 0)), 0};
      ASSERT_GT(::poll(&ready, 1, 20'000), 0) << "Open vSwitch does not answer";
      if (ready.revents & POLLOUT) {
        const ssize_t put =
            ::send(control_, requests.data() + sent, requests.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += static_cast<std::size_t>(std::max<ssize_t>(put, 0));
      }
      char buffer[4096];
      const ssize_t got = ::recv(control_, buffer, sizeof buffer, MSG_DONTWAIT);
      ASSERT_NE(got, 0) << "Open vSwitch is gone";
      if (got < 0) continue;
      answers.append(buffer, static_cast<std::size_t>(got));
      for (const char c : std::string_view(buffer, static_cast<std::size_t>(got))) {
        depth += (c == '{') - (c == '}');  // what these commands answer has no braces in its texts
        answered += c == '}' && depth == 0;
      }
    }
    EXPECT_TRUE(may_fail || answers.find(R"("error":")") == std::string::npos) << answers;
  }

 private:
  static std::string run(const std::vector<std::string>& words) {
    const auto done = sys::run_command(words, std::chrono::seconds(60), 1 << 20, false);
    EXPECT_TRUE(done.has_value()) << words[0] << ": " << done.error().what;
    EXPECT_TRUE(done && done->exit == 0) << words[0] << ": " << done->out;
    return done ? done->out : "";
  }

  // In the namespace of the thread. The daemon ends with the test, however that ends.
  void launch(std::vector<std::string> words) {
    words.insert(words.end(), {"-vconsole:off", "-vsyslog:off"});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid(), pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      ::setenv("OVS_RUNDIR", folder_.c_str(), 1);
      ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    children_.push_back(pid);
  }

  bool appears(const std::string& name) const {
    for (int i = 0; i < 2000; ++i) {
      if (std::filesystem::exists(folder_ + "/" + name)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  const testing::Folder home_;
  const std::string folder_ = home_.path().string();
  std::vector<pid_t> children_;
  int control_ = -1;
};

}  // namespace sekimori::differential
