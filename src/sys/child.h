// Another program as a child of this process, which never outlives it: the kernel ends the child when the
// thread that started it is gone, however it went (man 2 prctl, PR_SET_PDEATHSIG).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sekimori::sys {

struct ChildOptions {
  std::string log;                                               // both outputs are appended there
  std::vector<std::pair<std::string, std::string>> environment;  // beside ours
  std::vector<int> descriptors{};                                // that it keeps, under the same numbers
};

class ChildProcess {
 public:
  // In the thread's namespace. Refused when the program is not there or can't be run.
  static base::Result<ChildProcess> start(const std::vector<std::string>& words, const ChildOptions& options);
  ChildProcess(ChildProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), name_(std::move(other.name_)) {}
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // ends it

  bool runs();
  // Its exit code; 128 and more: the signal that ended it. None: it goes on after that time.
  std::optional<int> wait(std::chrono::milliseconds patience);
  const std::string& name() const { return name_; }

 private:
  ChildProcess(pid_t pid, std::string name) : pid_(pid), name_(std::move(name)) {}
  pid_t pid_;
  std::string name_;  // of the program
  int exit_ = 0;
};

// Where a program is: in PATH, or where Debian has daemons. Empty: nowhere.
std::string find_program(const std::string& name);

}  // namespace sekimori::sys
