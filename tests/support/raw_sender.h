// Frames, byte for byte, out of an interface of a namespace that a test made.
#pragma once

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "wire/bytes.h"

namespace sekimori::testing {

class RawSender {
 public:
  // In the namespace of the calling process.
  explicit RawSender(const std::string& interface) : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {  // NOLINT
      close(fd_);
      fd_ = -1;
    }
  }
  RawSender(const RawSender&) = delete;
  RawSender& operator=(const RawSender&) = delete;
  ~RawSender() {
    if (fd_ >= 0) close(fd_);
  }

  bool send(wire::Bytes frame) const {
    return ::send(fd_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
  }
  // The same frame `count` times, as fast as it goes. How often it was sent.
  std::uint64_t send_many(wire::Bytes frame, std::uint64_t count) const {
    constexpr std::size_t kBatch = 64;
    iovec piece{const_cast<std::uint8_t*>(frame.data()), frame.size()};  // NOLINT: sendmmsg does not write
    std::array<mmsghdr, kBatch> batch{};
    for (mmsghdr& message : batch) {
      message.msg_hdr.msg_iov = &piece;
      message.msg_hdr.msg_iovlen = 1;
    }
    std::uint64_t sent = 0;
    while (sent < count) {
      const int done = sendmmsg(fd_, batch.data(),
                                static_cast<unsigned>(std::min<std::uint64_t>(kBatch, count - sent)), 0);
      if (done < 0 && errno == ENOBUFS) continue;
      if (done < 0) return sent;
      sent += static_cast<std::uint64_t>(done);
    }
    return sent;
  }

 private:
  int fd_;
};

}  // namespace sekimori::testing
