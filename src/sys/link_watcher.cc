#include "sys/link_watcher.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sekimori::sys {

base::Result<LinkWatcher> LinkWatcher::open(const Namespace& where) {
  auto inside = InNamespace::enter(where);
  if (!inside) return std::unexpected(inside.error());
  LinkWatcher made(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (made.fd_ < 0 || ::bind(made.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return base::fail(fmt::format("Can't watch the links of a namespace: {}.", std::strerror(errno)));
  return made;
}

LinkWatcher::~LinkWatcher() {
  if (fd_ >= 0) ::close(fd_);
}

// A full buffer (ENOBUFS) is reported once, and is a change, too.
void LinkWatcher::take() {
  std::array<char, 16384> ignored;
  while (::recv(fd_, ignored.data(), ignored.size(), 0) > 0 || errno == ENOBUFS) {
  }
}

}  // namespace sekimori::sys
