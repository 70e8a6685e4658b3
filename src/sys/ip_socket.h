// UDP, TCP and ping (echo of ICMP and ICMPv6) between the machines of a lab, without waiting. A socket
// belongs to the namespace in which the calling thread is when it is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

namespace sekimori::sys {

struct Endpoint {
  wire::Ipv4 address;
  std::uint16_t port = 0;
  wire::Ipv6 address6{};  // in place of the other, where it is not ::
  bool is_ipv6() const { return !address6.is_zero(); }
  bool has_address() const { return is_ipv6() || !address.is_zero(); }
};

class IpSocket {
 public:
  static base::Result<IpSocket> udp(Endpoint local, Endpoint remote);  // remote port 0: from anybody
  // To and from a group of multicast, by that device only. What is sent is not heard by the sender's own
  // machine, and no router hands it on. Port 0: only to be a member.
  static base::Result<IpSocket> group_sender(Endpoint local, Endpoint group, const std::string& device);
  static base::Result<IpSocket> group_member(Endpoint group, const std::string& device);
  static base::Result<IpSocket> ping(Endpoint local, Endpoint remote);  // ports mean nothing
  static base::Result<IpSocket> listen(Endpoint local);
  static base::Result<IpSocket> connect(Endpoint local, Endpoint remote);  // TCP; goes on in the background

  IpSocket(IpSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  IpSocket& operator=(IpSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~IpSocket();
  int fd() const { return fd_; }

  // How much of it went; 0 when there is no room, or the peer can't be reached (yet).
  std::size_t send(std::span<const std::byte> bytes);
  // The next piece or datagram; 0 when there is none. `from` gets the sender of a datagram.
  std::size_t receive(std::span<std::byte> room, Endpoint* from = nullptr);
  bool send_to(Endpoint to, std::span<const std::byte> bytes);
  // A connection that has come in, or an error when there is none.
  base::Result<IpSocket> accept();

 private:
  explicit IpSocket(int fd) : fd_(fd) {}
  int fd_;
};

// An echo request of ICMP or ICMPv6 with that number, or its answer as IpSocket::ping receives it (over IPv4
// with the IP header).
void write_echo(std::span<std::byte> message, std::uint16_t identifier, std::uint16_t number, bool ipv6);
bool is_echo_reply(std::span<const std::byte> packet, std::uint16_t identifier, bool ipv6);

}  // namespace sekimori::sys
