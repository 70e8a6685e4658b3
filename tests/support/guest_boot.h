// How the programs begin and end that a guest has for its init (tests/guest/init.cc, tests/lab/init.cc).
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace sekimori::testing {

// Switches the guest off.
[[noreturn]] inline void off() {
  ::sync();
  ::reboot(RB_POWER_OFF);
  for (;;) ::pause();
}
[[noreturn]] inline void give_up(const std::string& what) {
  std::printf("FAILED: %s\n", what.c_str());
  std::fflush(stdout);
  off();
}
[[noreturn]] inline void give_up_with_errno(const std::string& what) {
  give_up(what + ": " + std::strerror(errno));
}

// Those that lie in /modules, in the order of their names.
inline void load_modules() {
  std::vector<std::string> files;
  for (const auto& file : std::filesystem::directory_iterator("/modules")) files.push_back(file.path());
  std::ranges::sort(files);
  for (const std::string& file : files) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ::syscall(SYS_finit_module, fd, "", 0) != 0) give_up_with_errno("module " + file);
    ::close(fd);
  }
}

// /proc and /dev, a console on the first serial line, modules.
inline void boot() {
  ::mkdir("/proc", 0755);
  ::mkdir("/dev", 0755);
  ::mount("proc", "/proc", "proc", 0, nullptr);
  ::mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  const int console = ::open("/dev/ttyS0", O_RDWR);
  ::dup2(console, 1);
  ::dup2(console, 2);
  load_modules();
}

}  // namespace sekimori::testing
