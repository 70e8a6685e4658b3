// Whole frames in and out of a device, below the kernel's protocols (man 7 packet).
//
// What the socket itself sends is not heard again (PACKET_IGNORE_OUTGOING, Linux 4.20). A VLAN tag that the
// kernel keeps beside the frame (PACKET_AUXDATA) is put back where it is on the wire. Frames hold no FCS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"

namespace sekimori::sys {

constexpr std::size_t kMostFrameBytes = 2048;

class PacketSocket {
 public:
  struct Options {
    bool promiscuous = false;
    bool bypass_qdisc = false;  // past the device's shaper and tc filters
    // Only frames of this EtherType, and of these only what reaches the device's own stack: a bridge or a
    // macvlan has taken its frames away before (net/core/dev.c, __netif_receive_skb_core). 0: all that comes.
    std::uint16_t protocol = 0;
    bool for_device_only =
        false;  // not what is for others, which the device's stack drops (PACKET_OTHERHOST)
    int receive_buffer = 4 << 20;
  };
  // On one device of the thread's namespace; without a name on all of them.
  static base::Result<PacketSocket> open(const std::string& device, const Options& options);

  PacketSocket(PacketSocket&&) noexcept;
  PacketSocket& operator=(PacketSocket&&) = delete;
  ~PacketSocket();
  int fd() const { return fd_; }

  // Hands over what has arrived, at most `most` frames; returns how many. Never waits.
  using Frame = std::span<std::byte>;
  std::size_t receive(std::size_t most, const std::function<void(int device, Frame frame)>& each);

  // Queues a copy; flush() sends them in one call. A frame that does not fit in the device's queue is lost.
  void queue(std::span<const std::byte> frame);
  void flush();
  // At once, by a socket on all devices.
  bool send(int device, std::span<const std::byte> frame);

  std::int64_t lost() const { return lost_; }  // refused by the device's queue
  std::int64_t overrun();                      // arrived while the receive buffer was full, so far

 private:
  struct Buffers;
  PacketSocket(int fd, int device, bool for_device_only);
  int fd_, device_;
  bool for_device_only_;
  std::unique_ptr<Buffers> buffers_;
  std::int64_t lost_ = 0, overrun_ = 0;
};

}  // namespace sekimori::sys
