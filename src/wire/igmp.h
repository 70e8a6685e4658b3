// IGMP (RFC 1112, 2236, 3376): who wants which multicast group, which snooping switches listen to.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace sekimori::wire {

struct Igmp {
  static constexpr std::uint8_t kQuery = 0x11, kReport1 = 0x12, kReport2 = 0x16, kLeave = 0x17,
                                kReport3 = 0x22;

  std::uint8_t type = 0;
  Ipv4 group{};               // zero in general queries; of a version 3 report, the first record's
  std::uint16_t records = 0;  // of a version 3 report
};

Parsed<Igmp> parse_igmp(Bytes message);

}  // namespace sekimori::wire
