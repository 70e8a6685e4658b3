// Link aggregation (IEEE 802.1AX): ports of a switch that are one. The table knows the group, not its
// members; a frame that came in at one member leaves by none of them, and each conversation takes one member,
// so that its frames stay in order. Which one is up to the sender (802.1AX-2020 section 6.2.4); here, as
// Linux's bonding has it by default, the two addresses XORed (Documentation/networking/bonding.rst,
// xmit_hash_policy layer2).
//
// Groups are static ("mode on"): nobody checks that the other end agrees, as LACP would.
#pragma once

#include <cstddef>

#include "wire/mac.h"

namespace sekimori::switching {

// An index into the members that are up; `up` > 0.
constexpr std::size_t choose_member(wire::Mac source, wire::Mac destination, std::size_t up) {
  return ((source.bits ^ destination.bits) & 0xff) % up;
}

}  // namespace sekimori::switching
