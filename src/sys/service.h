// A process that goes on in the background, and the socket by which it is found and stopped again.
//
// The socket is a Unix one with an abstract name (man 7 unix). Such names belong to a network namespace and
// vanish with the process, so whoever enters the namespace finds the process without any file that could be
// stale.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sekimori::sys {

class ServiceSocket {
 public:
  // In the thread's namespace. Refused when the name is taken.
  static base::Result<ServiceSocket> listen(const std::string& name);
  ServiceSocket(ServiceSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ServiceSocket& operator=(ServiceSocket&&) = delete;
  ~ServiceSocket();
  int fd() const { return fd_; }

  // Answers one caller, if there is one. False when it asked to stop; it then waits for the end of this
  // process.
  bool serve(const std::function<std::string(std::string_view word)>& answer);

 private:
  explicit ServiceSocket(int fd) : fd_(fd) {}
  int fd_;
};

// Asks the service of that name in the thread's namespace. None: nobody is there.
std::optional<std::string> ask_service(const std::string& name, std::string_view word);
// Asks it to stop, and ends it by force when it has not gone after `patience`. False: nobody was there.
bool stop_service(const std::string& name, std::chrono::milliseconds patience);

// Calls the program that listens at this path (a Unix stream socket), waits for its greeting, says `line` and
// returns what it answers. None: it does not listen, or not in that time.
std::optional<std::string> ask_after_greeting(const std::string& path, std::string_view line,
                                              std::chrono::milliseconds patience);

// Runs `body` in a process of its own, cut off from the terminal. Returns when the body has called ready(),
// or with the reason for which it could not begin.
using Ready = std::function<void(const base::Result<void>& begun)>;
base::Result<void> start_in_background(const std::function<void(const Ready& ready)>& body);

// Waits until one of the descriptors can be read, or for that long; adds those to `ready`.
class Poller {
 public:
  static base::Result<Poller> make();
  Poller(Poller&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Poller& operator=(Poller&&) = delete;
  ~Poller();
  base::Result<void> add(int fd, std::uint32_t token);
  // False when interrupted or nothing came. A negative time waits without end.
  bool wait(std::chrono::nanoseconds time, const std::function<void(std::uint32_t token)>& each);

 private:
  explicit Poller(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace sekimori::sys
