// Single frames out of one interface, as they are (AF_PACKET, packet(7)).
#pragma once

#include "base/result.h"
#include "sys/interfaces.h"
#include "wire/bytes.h"

namespace sekimori::sys {

class PacketSender {
 public:
  // Needs CAP_NET_RAW, as listening does.
  static base::Result<PacketSender> open(const NetworkInterface& interface);

  PacketSender(PacketSender&& other) noexcept;
  PacketSender& operator=(PacketSender&&) = delete;
  ~PacketSender();

  [[nodiscard]] base::Result<void> send(wire::Bytes frame);

 private:
  PacketSender(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  int fd_;
  std::string name_;
};

}  // namespace sekimori::sys
