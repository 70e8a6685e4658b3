#include "sys/ip_socket.h"

#include <fmt/format.h>
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

sockaddr_in address_of(Endpoint end) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(end.port);
  address.sin_addr.s_addr = htonl(end.address.bits);
  return address;
}

const sockaddr* plain(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

std::unexpected<base::Error> failed(std::string_view what, Endpoint end) {
  return base::fail(
      fmt::format("{} {}:{}: {}.", what, wire::to_text(end.address), end.port, std::strerror(errno)));
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
  IpSocket made(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto here = address_of(local), there = address_of(remote);
  if (made.fd_ < 0 || ::bind(made.fd_, plain(here), sizeof here) != 0)
    return failed("Can't send and receive UDP at", local);
  ::setsockopt(made.fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  if (remote.port != 0 && ::connect(made.fd_, plain(there), sizeof there) != 0)
    return failed("There is no way to", remote);
  return made;
}

base::Result<IpSocket> IpSocket::ping(wire::Ipv4 local, wire::Ipv4 remote) {
  IpSocket made(::socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP));
  const auto here = address_of({local}), there = address_of({remote});
  if (made.fd_ < 0 || ::bind(made.fd_, plain(here), sizeof here) != 0)
    return failed("Can't ping from", {local});
  if (::connect(made.fd_, plain(there), sizeof there) != 0) return failed("There is no way to", {remote});
  return made;
}

base::Result<IpSocket> IpSocket::listen(Endpoint local) {
  IpSocket made(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto here = address_of(local);
  if (made.fd_ < 0 || ::bind(made.fd_, plain(here), sizeof here) != 0 || ::listen(made.fd_, 8) != 0)
    return failed("Can't listen at", local);
  return made;
}

base::Result<IpSocket> IpSocket::connect(Endpoint local, Endpoint remote) {
  IpSocket made(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto here = address_of(local), there = address_of(remote);
  if (made.fd_ < 0 || ::bind(made.fd_, plain(here), sizeof here) != 0)
    return failed("Can't connect from", local);
  // What is offered at a rate leaves at once.
  const int on = 1;
  ::setsockopt(made.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(made.fd_, plain(there), sizeof there) != 0 && errno != EINPROGRESS)
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
  return ::sendto(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT, plain(there), sizeof there) >=
         0;
}

std::size_t IpSocket::receive(std::span<std::byte> room, Endpoint* from) {
  sockaddr_in sender{};
  socklen_t size = sizeof sender;
  const ssize_t got =
      ::recvfrom(fd_, room.data(), room.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&sender), &size);
  if (got <= 0) return 0;
  if (from != nullptr) *from = {{ntohl(sender.sin_addr.s_addr)}, ntohs(sender.sin_port)};
  return static_cast<std::size_t>(got);
}

base::Result<IpSocket> IpSocket::accept() {
  const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return base::fail(fmt::format("No connection: {}.", std::strerror(errno)));
  return IpSocket(fd);
}

void write_echo(std::span<std::byte> message, std::uint16_t identifier, std::uint16_t number) {
  std::ranges::fill(message.first(kEchoHeader), std::byte{0});
  message[0] = std::byte{8};  // echo request (RFC 792)
  put16(message, 4, identifier);
  put16(message, 6, number);
  put16(message, 2, checksum(message));
}

bool is_echo_reply(std::span<const std::byte> packet, std::uint16_t identifier) {
  if (packet.size() < 20) return false;
  const std::size_t header = std::to_integer<std::size_t>(packet[0] & std::byte{0xf}) * 4;
  if (packet.size() < header + kEchoHeader || packet[header] != std::byte{0}) return false;
  return (std::to_integer<unsigned>(packet[header + 4]) << 8 |
          std::to_integer<unsigned>(packet[header + 5])) == identifier;
}

}  // namespace sekimori::sys
