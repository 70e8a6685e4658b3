// The classic pcap format: a header that tells byte order and unit of time, and then records of 16 bytes and
// a frame each. Simple enough to be read at the speed at which the kernel hands over the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "wire/block_buffer.h"
#include "wire/frame.h"

namespace sekimori::wire {

// More than any capture tool writes (libpcap's limit, too): a length above it means that the file is damaged.
constexpr std::uint32_t kMostCaptured = 256 * 1024;

// Why a reader stopped before the end. Frames delivered before are good.
struct CaptureProblem {
  bool truncated = false;  // the file just ends early, as after a crash or a full disk; else it is damaged
  std::string what;
};

class PcapReader {
 public:
  static bool is_magic(const std::uint8_t* four_bytes);
  // Reads the header; `buffer` stands at the start of the file. Only refused headers are an error.
  base::Result<void> start(BlockBuffer& buffer);

  // False at the end; then `problem()` tells whether it was the proper one.
  bool next(BlockBuffer& buffer, Frame& frame) {
    if (!buffer.have(kRecordHeader)) [[unlikely]]
      return stop_at_end(buffer);
    const std::uint8_t* header = buffer.data();
    const std::uint32_t captured = load(header + 8);
    if (captured > kMostCaptured) [[unlikely]]
      return stop_damaged(buffer, captured);
    if (!buffer.have(kRecordHeader + captured)) [[unlikely]]
      return stop_at_end(buffer);
    header = buffer.data();
    frame.number = ++count_;
    frame.timestamp_ns =
        std::int64_t{load(header)} * 1'000'000'000 + std::int64_t{load(header + 4)} * unit_ns_;
    frame.interface = 0;
    frame.original_length = load(header + 12);
    frame.link_type = interface_.link_type;
    frame.direction = Direction::unknown;
    frame.has_timestamp = true;
    frame.bytes = {header + kRecordHeader, captured};
    buffer.drop(kRecordHeader + captured);
    return true;
  }

  const CaptureInterface& interface() const { return interface_; }
  const std::optional<CaptureProblem>& problem() const { return problem_; }

 private:
  static constexpr std::size_t kFileHeader = 24, kRecordHeader = 16;

  std::uint32_t load(const std::uint8_t* p) const {
    std::uint32_t v;
    std::memcpy(&v, p, sizeof v);
    return swapped_ ? __builtin_bswap32(v) : v;
  }
  bool stop_at_end(const BlockBuffer& buffer);
  bool stop_damaged(const BlockBuffer& buffer, std::uint32_t captured);

  bool swapped_ = false;  // against this machine
  std::int64_t unit_ns_ = 1;
  std::uint64_t count_ = 0;
  CaptureInterface interface_;
  std::optional<CaptureProblem> problem_;
};

}  // namespace sekimori::wire
