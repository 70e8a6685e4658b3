// Writes pcapng (draft-ietf-opsawg-pcapng), the capture format that Wireshark prefers: one section, an
// interface per simulated port, nanosecond timestamps, comments on packets.
//
// Blocks are collected and handed to the sink in large pieces; flush() hands over the rest and must be called
// at the end. The first error of the sink stays: every later call returns it, and nothing more is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/byte_sink.h"
#include "wire/bytes.h"
#include "wire/frame.h"

namespace sekimori::wire {

class PcapngWriter {
 public:
  struct Interface {
    std::string_view name{};
    std::string_view description{};
    LinkType link_type = LinkType::ethernet;
    std::uint32_t snap_length = 0;  // 0: whole frames
    Mac mac{};                      // its own address; zero: not told
  };
  struct Packet {
    std::uint32_t interface = 0;
    std::int64_t timestamp_ns = 0;  // since 1970, or since the start of a run
    Bytes bytes{};
    std::uint32_t original_length = 0;  // 0: nothing was cut off
    Direction direction = Direction::unknown;
    std::string_view comment{};
  };

  // `application` is told as the writer of the file.
  explicit PcapngWriter(ByteSink sink, std::string_view application = "sekimori");

  // Numbered from 0. Interfaces may be added at any time before their first packet.
  std::uint32_t add_interface(const Interface& interface);
  [[nodiscard]] base::Result<void> write(const Packet& packet);
  [[nodiscard]] base::Result<void> flush();

 private:
  std::size_t begin_block(std::uint32_t type);
  void end_block(std::size_t start);
  void put_u32(std::uint32_t v);
  void put_option(std::uint16_t code, Bytes value);
  void put_padded(Bytes bytes);

  ByteSink sink_;
  Buffer buffer_;
  std::uint32_t interfaces_ = 0;
  std::optional<base::Error> error_;
};

}  // namespace sekimori::wire
