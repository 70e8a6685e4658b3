// Network namespaces for tests. They have no names: each lives as long as the descriptor that this process
// holds, so that the kernel takes them away with all their interfaces when the test ends, however it ends,
// and two runs at once cannot meet.
//
//   Netns segment;
//   segment.sh("ip link add br0 type bridge ageing_time 200 && ip link set br0 up");
//   Netns host;
//   segment.join(host, "p1", "eth0", "br0");       // a cable: p1 in br0 of segment, eth0 in host
//   Child child = host.start([] { return 0; });    // a process in there
//
// Tests that use them need root.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX's
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace sekimori::testing {

// A process of the test's own, which is ended with this object or with the test.
class Child {
 public:
  // `body` runs in a copy of this process; what it returns is the exit code.
  static Child start(const std::function<int()>& body) {
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid != 0) return Child(pid);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(99);  // it died before
    _exit(body());
  }

  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), exit_(other.exit_) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ <= 0 || exit_) return;
    kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
  }

  bool runs() {
    int status = 0;
    if (!exit_ && waitpid(pid_, &status, WNOHANG) == pid_) exit_ = code(status);
    return !exit_;
  }
  void signal(int number) const { kill(pid_, number); }
  pid_t pid() const { return pid_; }

  // The exit code; -1 if it does not end in time, minus the signal's number if one ended it.
  int wait(std::chrono::milliseconds most = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + most;
    while (runs() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return exit_.value_or(-1);
  }

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  static int code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

  pid_t pid_;
  std::optional<int> exit_;
};

class Netns {
 public:
  // IPv6 stays off unless asked for: its routers' and neighbours' chatter would teach switches.
  explicit Netns(bool ipv6 = false) {
    std::thread([this] {
      if (unshare(CLONE_NEWNET) == 0) fd_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    }).join();
    EXPECT_GE(fd_, 0) << "a network namespace needs root (CAP_SYS_ADMIN)";
    if (!ipv6) sh("for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done");
    sh("ip link set lo up");
  }
  Netns(const Netns&) = delete;
  Netns& operator=(const Netns&) = delete;
  ~Netns() {
    if (fd_ >= 0) close(fd_);
  }

  // The calling process goes in, for good.
  bool enter() const { return setns(fd_, CLONE_NEWNET) == 0; }
  // For `ip link set X netns PATH`.
  std::string path() const { return fmt::format("/proc/{}/fd/{}", getpid(), fd_); }

  Child start(const std::function<int()>& body) const {
    return Child::start([&] { return enter() ? body() : 98; });
  }
  // A shell command that must succeed.
  void sh(const std::string& command) const {
    const int code = start([&] {
                       execl("/bin/sh", "sh", "-ec", command.c_str(), nullptr);
                       return 97;
                     }).wait();
    EXPECT_EQ(code, 0) << command;
  }

  // A cable from `here` in this namespace, plugged into `bridge` (if any), to `there` in the other, both up.
  void join(const Netns& other, const std::string& here, const std::string& there,
            const std::string& bridge = "") const {
    sh(fmt::format("ip link add {} type veth peer name {} netns {}; ip link set {} up", here, there,
                   other.path(), here));
    if (!bridge.empty()) sh(fmt::format("ip link set {} master {}", here, bridge));
    other.sh(fmt::format("ip link set {} up", there));
  }

 private:
  int fd_ = -1;
};

}  // namespace sekimori::testing
