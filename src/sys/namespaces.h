// Network namespaces (man 7 network_namespaces). A named one is a bind mount in /run/netns, as `ip netns`
// makes it (iproute2, ip/ipnetns.c), so that `ip netns exec NAME` and `ip -n NAME` work on it, and so that it
// is found again by its name, whatever became of the process that made it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sekimori::sys {

class Namespace {
 public:
  // It lives as long as somebody holds it, or it has a name.
  static base::Result<Namespace> create_nameless();
  base::Result<void> give_name(const std::string& name) const;
  static base::Result<Namespace> open(const std::string& name);

  Namespace(Namespace&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Namespace& operator=(Namespace&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Namespace();
  int fd() const { return fd_; }

 private:
  explicit Namespace(int fd) : fd_(fd) {}
  int fd_;
};

// The calling thread is in the namespace until the end of the scope: sockets that it opens, and
// /proc/sys/net, belong to it.
class InNamespace {
 public:
  static base::Result<InNamespace> enter(const Namespace& where);
  InNamespace(InNamespace&& other) noexcept : home_(std::exchange(other.home_, -1)) {}
  InNamespace& operator=(InNamespace&&) = delete;
  ~InNamespace();

 private:
  explicit InNamespace(int home) : home_(home) {}
  int home_;
};

// The named ones that begin so, sorted.
std::vector<std::string> namespaces_with_prefix(std::string_view prefix);
bool namespace_exists(const std::string& name);
// Takes the name away; the kernel clears the namespace up when its last user is gone. A leftover of a crashed
// give_name() is removed, too.
base::Result<void> remove_namespace(const std::string& name);

// Whether this process may make namespaces and links in them; the error says what is lacking.
base::Result<void> may_make_namespaces();

// Raises this process's bound of open files, if it must, as far as it may.
base::Result<void> allow_open_files(std::size_t count);

// Writes a kernel setting of the thread's namespace: "net/ipv4/ip_forward".
base::Result<void> write_setting(const std::string& name, std::string_view value);

}  // namespace sekimori::sys
