// The frames that pass one interface, as Linux hands them to whoever listens: an AF_PACKET socket with a ring
// of blocks in shared memory (TPACKET_V3; packet(7) and Documentation/networking/packet_mmap.rst of the
// kernel).
//
// The kernel fills a block and hands it over when it is full or kRetire has passed; until we give it back it
// takes the next one. When no block is free it drops frames and counts them (PACKET_STATISTICS), so nothing
// is lost unseen: received + dropped is what passed.
//
// Both directions come: what the machine sends is outbound, all else is inbound. Cards and drivers take a
// VLAN tag out of the frame and tell it beside; it is put back, so that the bytes are those on the wire.
// Large frames that the card cuts or joins for the kernel (TSO, GRO) come as the kernel has them.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "sys/interfaces.h"
#include "wire/frame.h"

namespace sekimori::sys {

// What frames of such an interface start with (ARPHRD_ of the kernel's if_arp.h), or why they are of no use.
base::Result<wire::LinkType> link_type_of(const NetworkInterface& interface);

class PacketRing {
 public:
  struct Options {
    bool promiscuous = false;
    // Bytes of a frame that are kept. Whole frames of Ethernet's usual size are.
    std::uint32_t snap_length = 2048;
    std::size_t bytes = std::size_t{32} << 20;  // of the ring
  };
  struct Counts {
    std::uint64_t received = 0;    // into the ring
    std::uint64_t dropped = 0;     // for want of a free block
    std::uint64_t freezes = 0;     // times that the ring was full
    std::uint64_t for_others = 0;  // of those handed out: unicast for other addresses than the interface's
  };

  // Listens from here on. Needs CAP_NET_RAW; the error says how to get it.
  static base::Result<PacketRing> open(const NetworkInterface& interface, const Options& options);

  PacketRing(PacketRing&& other) noexcept;
  PacketRing& operator=(PacketRing&&) = delete;
  ~PacketRing();

  // The next frames, kBatch at most, numbered from 1; none when nothing came within `patience` or a signal
  // did. They are valid until the next call.
  static constexpr std::size_t kBatch = 64;
  std::span<const wire::Frame> next(std::chrono::milliseconds patience);

  // Takes no more frames from the interface. What the ring holds can still be had by next(), which waits no
  // longer once it is empty.
  void stop();
  bool stopped() const { return stopped_; }

  // Asks the kernel anew.
  const Counts& counts();
  // Why nothing will come any more, as a whole sentence: the interface went down or away.
  const std::optional<std::string>& problem() const { return problem_; }
  // Whether the interface's link is there (a cable, a peer); false of one that is gone.
  bool link() const;

 private:
  PacketRing() = default;
  base::Result<void> set_up(const Options& options);
  bool await_block(std::chrono::milliseconds patience);
  wire::Frame take();
  void release();
  void fail();

  NetworkInterface interface_;
  wire::LinkType link_type_ = wire::LinkType::ethernet;
  int fd_ = -1;
  std::byte* ring_ = nullptr;
  std::size_t blocks_ = 0, block_ = 0;  // how many, and the next to be handed over
  std::byte* packet_ = nullptr;         // the next of the block that is being read
  std::uint32_t left_ = 0;              // packets in it
  bool holds_block_ = false, stopped_ = false;
  std::uint64_t number_ = 0;
  std::int64_t last_time_ = 0;
  Counts counts_;
  std::optional<std::string> problem_;
  std::array<wire::Frame, kBatch> batch_{};
};

}  // namespace sekimori::sys
