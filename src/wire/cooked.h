// Linux "cooked" captures (LINKTYPE_LINUX_SLL and SLL2), as tcpdump makes them of the "any" device: the
// frame's source and direction are kept, its destination is not. Floods cannot be told from them.
#pragma once

#include <cstdint>

#include "wire/bytes.h"

namespace sekimori::wire {

struct Cooked {
  // Of whom the frame is, for the capturing host.
  enum class Kind : std::uint16_t { to_us = 0, broadcast = 1, multicast = 2, to_others = 3, from_us = 4 };

  Kind kind = Kind::to_us;
  std::uint16_t hardware = 0;         // ARPHRD_; 1 is Ethernet
  std::uint32_t interface_index = 0;  // version 2
  Mac source{};                       // zero unless it has six octets
  std::uint16_t type = 0;             // EtherType; 4: LLC
  Bytes payload{};
};

Parsed<Cooked> parse_cooked(Bytes frame);
Parsed<Cooked> parse_cooked2(Bytes frame);

}  // namespace sekimori::wire
