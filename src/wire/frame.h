// What a capture holds: frames as a capture interface saw them, and the interfaces.
#pragma once

#include <cstdint>
#include <string>

#include "wire/bytes.h"
#include "wire/link_type.h"
#include "wire/mac.h"

namespace sekimori::wire {

// Seen from the capturing machine. Ports of switches that are captured as a whole have it too.
enum class Direction : std::uint8_t { unknown, inbound, outbound };

struct Frame {
  std::uint64_t number = 0;       // from 1, as Wireshark counts
  std::int64_t timestamp_ns = 0;  // since 1970, UTC
  std::uint32_t interface = 0;    // index into the reader's interfaces()
  std::uint32_t original_length = 0;
  LinkType link_type = LinkType::ethernet;
  Direction direction = Direction::unknown;
  bool has_timestamp = true;  // false for pcapng's simple packets, which repeat the time of the frame before
  Bytes bytes{};              // as captured, perhaps fewer than original_length
};

struct CaptureInterface {
  std::string name;         // empty where the format has none
  std::string description;  // likewise
  LinkType link_type = LinkType::ethernet;
  std::uint32_t snap_length = 0;  // 0: no limit
  std::uint32_t section = 0;      // of a pcapng file, from 0
  Mac mac{};                      // its own address, where it is told; else zero
};

}  // namespace sekimori::wire
