#include "sys/tap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sekimori::sys {
namespace {

std::unexpected<base::Error> failed(const std::string& what) {
  return base::fail(fmt::format("{}: {}.", what, std::strerror(errno)));
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), std::min(name.size(), sizeof request.ifr_name - 1));
  return request;
}

}  // namespace

base::Result<Tap> Tap::open(const std::string& name) {
  Tap tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (tap.fd_ < 0) return failed("Can't open /dev/net/tun, which tap devices need");
  ifreq request = request_for(name);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(tap.fd_, TUNSETIFF, &request) != 0) return failed(fmt::format("No tap device {}", name));
  return tap;
}

base::Result<void> Tap::create(const std::string& name, wire::Mac mac) {
  const auto tap = open(name);
  if (!tap) return std::unexpected(tap.error());
  ifreq request = request_for(name);
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  const auto octets = mac.octets();
  std::memcpy(request.ifr_hwaddr.sa_data, octets.data(), octets.size());
  if (::ioctl(tap->fd(), SIOCSIFHWADDR, &request) != 0)
    return failed(fmt::format("Can't give the tap device {} its address", name));
  if (::ioctl(tap->fd(), TUNSETPERSIST, 1) != 0)
    return failed(fmt::format("Can't keep the tap device {}", name));
  return {};
}

Tap::~Tap() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace sekimori::sys
