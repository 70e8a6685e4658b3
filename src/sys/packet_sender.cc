#include "sys/packet_sender.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace sekimori::sys {
namespace {

base::Error cannot(const std::string& name) {
  return {fmt::format("{}: frames can't be sent there: {}.", name, std::generic_category().message(errno))};
}

}  // namespace

base::Result<PacketSender> PacketSender::open(const NetworkInterface& interface) {
  // Protocol 0: it hears nothing.
  PacketSender sender(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), interface.name);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(interface.index);
  if (sender.fd_ < 0 || bind(sender.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
                            0)  // NOLINT: as sockets are
    return std::unexpected(cannot(interface.name));
  return sender;
}

PacketSender::PacketSender(PacketSender&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), name_(std::move(other.name_)) {}

PacketSender::~PacketSender() {
  if (fd_ >= 0) close(fd_);
}

base::Result<void> PacketSender::send(wire::Bytes frame) {
  if (::send(fd_, frame.data(), frame.size(), 0) < 0) return std::unexpected(cannot(name_));
  return {};
}

}  // namespace sekimori::sys
