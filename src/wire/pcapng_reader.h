// The pcapng format (draft-ietf-opsawg-pcapng): blocks, each with its type and its length at both ends. A
// section header starts over with a byte order and interfaces of its own; an interface has a link type and a
// clock of its own. Blocks of unknown types are skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/block_buffer.h"
#include "wire/frame.h"
#include "wire/pcap_reader.h"

namespace sekimori::wire {

class PcapngReader {
 public:
  static bool is_magic(const std::uint8_t* four_bytes);
  // Reads the first section header; `buffer` stands at the start of the file.
  base::Result<void> start(BlockBuffer& buffer);
  // False at the end; then `problem()` tells whether it was the proper one.
  bool next(BlockBuffer& buffer, Frame& frame);

  // Of all sections so far. An index stays an interface's own; Wireshark starts over in each section.
  const std::vector<CaptureInterface>& interfaces() const { return interfaces_; }
  const std::optional<CaptureProblem>& problem() const { return problem_; }

 private:
  // How an interface's clock becomes nanoseconds: ticks * multiplier / divisor + offset.
  struct Clock {
    std::uint64_t multiplier = 1'000;  // microseconds, unless the interface says otherwise
    std::uint64_t divisor = 1;
    std::int64_t offset_seconds = 0;
  };
  struct Option {
    std::uint16_t code;
    Bytes value;
  };

  std::uint16_t load16(const std::uint8_t* p) const;
  std::uint32_t load32(const std::uint8_t* p) const;
  std::uint64_t load64(const std::uint8_t* p) const;

  bool read_section(BlockBuffer& buffer);
  bool read_interface(Bytes body);
  bool set_resolution(Clock& clock, std::uint8_t resolution);
  bool read_enhanced(Bytes body, Frame& frame);
  bool read_obsolete(Bytes body, Frame& frame);
  bool read_simple(Bytes body, Frame& frame);
  bool deliver(Bytes packet, std::uint32_t interface, std::uint32_t captured, std::uint32_t original,
               Frame& frame);
  void read_packet_flags(Bytes options, Frame& frame) const;
  std::optional<Option> next_option(Bytes& options) const;
  std::int64_t nanoseconds(const Clock& clock, std::uint64_t ticks) const;

  bool damaged(std::string what);
  bool ended_within(const BlockBuffer& buffer, std::string_view what);

  bool swapped_ = false;  // against this machine, in this section
  std::uint64_t count_ = 0;
  std::uint64_t block_position_ = 0;
  std::uint32_t sections_ = 0;
  std::size_t first_interface_ = 0;  // of this section
  std::int64_t last_timestamp_ns_ = 0;
  std::vector<CaptureInterface> interfaces_;
  std::vector<Clock> clocks_;  // of each interface
  std::optional<CaptureProblem> problem_;
};

}  // namespace sekimori::wire
