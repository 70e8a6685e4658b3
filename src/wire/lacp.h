// LACP (IEEE 802.1AX): links that are one. A MAC that is seen on two ports of one aggregate does not flap.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace sekimori::wire {

struct Lacp {
  struct Side {
    static constexpr std::uint8_t kSynchronised = 0x08, kCollecting = 0x10, kDistributing = 0x20;

    std::uint16_t system_priority = 0;
    Mac system{};
    std::uint16_t key = 0;
    std::uint16_t port_priority = 0;
    std::uint16_t port = 0;
    std::uint8_t state = 0;
  };
  Side actor;    // the sender
  Side partner;  // whom it believes to see
};

// `payload` starts behind the EtherType of the slow protocols, of which LACP is the first.
Parsed<Lacp> parse_lacp(Bytes payload);

}  // namespace sekimori::wire
