#include "sys/ip_socket.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sekimori::sys {
namespace {

constexpr std::size_t kEchoHeader = 8;
constexpr int kReceiveBuffer = 4 << 20;
// Of a segment in a frame of 1514 bytes (RFC 9293 section 3.7.1), whatever the device takes.
constexpr int kMostSegment = 1460, kMostSegment6 = 1440;

// Of either version.
struct SocketAddress {
  sockaddr_in6 bytes{};  // the longer one
  socklen_t size = 0;
  const sockaddr* plain() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};

SocketAddress address_of(const Endpoint& end) {
  SocketAddress address;
  if (end.is_ipv6()) {
    address.bytes.sin6_family = AF_INET6;
    address.bytes.sin6_port = htons(end.port);
    std::memcpy(&address.bytes.sin6_addr, end.address6.octets.data(), end.address6.octets.size());
    address.size = sizeof(sockaddr_in6);
    return address;
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(end.port);
  four.sin_addr.s_addr = htonl(end.address.bits);
  std::memcpy(&address.bytes, &four, sizeof four);
  address.size = sizeof four;
  return address;
}

Endpoint endpoint_of(const sockaddr_in6& address) {
  Endpoint end;
  if (address.sin6_family == AF_INET6) {
    end.port = ntohs(address.sin6_port);
    std::memcpy(end.address6.octets.data(), &address.sin6_addr, end.address6.octets.size());
    return end;
  }
  sockaddr_in four;
  std::memcpy(&four, &address, sizeof four);
  return {{ntohl(four.sin_addr.s_addr)}, ntohs(four.sin_port)};
}

void bound_segments(int fd, const Endpoint& end) {
  const int most = end.is_ipv6() ? kMostSegment6 : kMostSegment;
  ::setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &most, sizeof most);
}

// A receiver's address may come later: that of a router that takes over.
void allow_any_address(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
}

int family_of(const Endpoint& end) { return end.is_ipv6() ? AF_INET6 : AF_INET; }

std::unexpected<base::Error> failed(std::string_view what, const Endpoint& end) {
  const std::string address =
      end.is_ipv6() ? fmt::format("[{}]", wire::to_text(end.address6)) : wire::to_text(end.address);
  return base::fail(fmt::format("{} {}:{}: {}.", what, address, end.port, std::strerror(errno)));
}

// RFC 1071.
std::uint16_t checksum(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void put16(std::span<std::byte> bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value & 0xff);
}

}  // namespace

IpSocket::~IpSocket() {
  if (fd_ >= 0) ::close(fd_);
}

base::Result<IpSocket> IpSocket::udp(Endpoint local, Endpoint remote) {
  IpSocket made(::socket(family_of(local), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto here = address_of(local), there = address_of(remote);
  if (remote.port == 0) allow_any_address(made.fd_);
  if (made.fd_ < 0 || ::bind(made.fd_, here.plain(), here.size) != 0)
    return failed("Can't send and receive UDP at", local);
  ::setsockopt(made.fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  if (remote.port != 0 && ::connect(made.fd_, there.plain(), there.size) != 0)
    return failed("There is no way to", remote);
  return made;
}

base::Result<IpSocket> IpSocket::group_sender(Endpoint local, Endpoint group, const std::string& device) {
  const bool ipv6 = local.is_ipv6();
  IpSocket made(::socket(family_of(local), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto here = address_of(local), there = address_of(group);
  const int off = 0;
  const bool prepared = made.fd_ >= 0 &&
                        ::setsockopt(made.fd_, SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                                     static_cast<socklen_t>(device.size())) == 0 &&
                        ::setsockopt(made.fd_, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
                                     ipv6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP, &off, sizeof off) == 0 &&
                        ::bind(made.fd_, here.plain(), here.size) == 0;
  if (!prepared) return failed("Can't send to a group from", local);
  if (::connect(made.fd_, there.plain(), there.size) != 0) return failed("There is no way to", group);
  return made;
}

base::Result<IpSocket> IpSocket::group_member(Endpoint group, const std::string& device) {
  IpSocket made(::socket(family_of(group), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto here = address_of(group);
  const int on = 1;
  bool joined = made.fd_ >= 0 && ::setsockopt(made.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                ::setsockopt(made.fd_, SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                             static_cast<socklen_t>(device.size())) == 0;
  if (joined && group.is_ipv6()) {
    ipv6_mreq request{};
    std::memcpy(&request.ipv6mr_multiaddr, group.address6.octets.data(), group.address6.octets.size());
    request.ipv6mr_interface = ::if_nametoindex(device.c_str());
    joined = ::setsockopt(made.fd_, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0;
  } else if (joined) {
    ip_mreqn request{};
    request.imr_multiaddr.s_addr = htonl(group.address.bits);
    request.imr_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
    joined = ::setsockopt(made.fd_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0;
  }
  if (!joined || (group.port != 0 && ::bind(made.fd_, here.plain(), here.size) != 0))
    return failed("Can't be a member of", group);
  ::setsockopt(made.fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  return made;
}

base::Result<IpSocket> IpSocket::ping(Endpoint local, Endpoint remote) {
  local.port = remote.port = 0;
  IpSocket made(::socket(family_of(local), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                         local.is_ipv6() ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP}));
  const auto here = address_of(local), there = address_of(remote);
  if (made.fd_ < 0 || ::bind(made.fd_, here.plain(), here.size) != 0) return failed("Can't ping from", local);
  if (::connect(made.fd_, there.plain(), there.size) != 0) return failed("There is no way to", remote);
  return made;
}

base::Result<IpSocket> IpSocket::listen(Endpoint local) {
  IpSocket made(::socket(family_of(local), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto here = address_of(local);
  bound_segments(made.fd_, local);
  allow_any_address(made.fd_);
  if (made.fd_ < 0 || ::bind(made.fd_, here.plain(), here.size) != 0 || ::listen(made.fd_, 8) != 0)
    return failed("Can't listen at", local);
  return made;
}

base::Result<IpSocket> IpSocket::connect(Endpoint local, Endpoint remote) {
  IpSocket made(::socket(family_of(local), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto here = address_of(local), there = address_of(remote);
  if (made.fd_ < 0 || ::bind(made.fd_, here.plain(), here.size) != 0)
    return failed("Can't connect from", local);
  // What is offered at a rate leaves at once.
  const int on = 1;
  ::setsockopt(made.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  bound_segments(made.fd_, local);
  if (::connect(made.fd_, there.plain(), there.size) != 0 && errno != EINPROGRESS)
    return failed("There is no way to", remote);
  return made;
}

std::size_t IpSocket::send(std::span<const std::byte> bytes) {
  ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  // An ICMP error about an earlier packet is told in place of sending this one (man 7 udp).
  if (sent < 0 && errno == ECONNREFUSED)
    sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

bool IpSocket::send_to(Endpoint to, std::span<const std::byte> bytes) {
  const auto there = address_of(to);
  return ::sendto(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT, there.plain(), there.size) >=
         0;
}

std::size_t IpSocket::receive(std::span<std::byte> room, Endpoint* from) {
  sockaddr_in6 sender{};
  socklen_t size = sizeof sender;
  const ssize_t got =
      ::recvfrom(fd_, room.data(), room.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&sender), &size);
  if (got <= 0) return 0;
  if (from != nullptr) *from = endpoint_of(sender);
  return static_cast<std::size_t>(got);
}

base::Result<IpSocket> IpSocket::accept() {
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return base::fail(fmt::format("No connection: {}.", std::strerror(errno)));
  return IpSocket(fd);
}

void write_echo(std::span<std::byte> message, std::uint16_t identifier, std::uint16_t number, bool ipv6) {
  std::ranges::fill(message.first(kEchoHeader), std::byte{0});
  message[0] = std::byte{ipv6 ? std::uint8_t{128} : std::uint8_t{8}};  // RFC 4443, RFC 792
  put16(message, 4, identifier);
  put16(message, 6, number);
  // Over IPv6 it covers the addresses, too, and the kernel fills it in (RFC 3542 section 3.1).
  if (!ipv6) put16(message, 2, checksum(message));
}

bool is_echo_reply(std::span<const std::byte> packet, std::uint16_t identifier, bool ipv6) {
  if (packet.empty()) return false;
  const std::size_t header = ipv6 ? 0 : std::to_integer<std::size_t>(packet[0] & std::byte{0xf}) * 4;
  const std::byte type{ipv6 ? std::uint8_t{129} : std::uint8_t{0}};
  if (packet.size() < header + kEchoHeader || packet[header] != type) return false;
  return (std::to_integer<unsigned>(packet[header + 4]) << 8 |
          std::to_integer<unsigned>(packet[header + 5])) == identifier;
}

}  // namespace sekimori::sys
