// Link aggregation (IEEE 802.1AX): ports of a switch that are one. The table knows the group, not its
// members; a frame that came in at one member leaves by none of them, and each conversation takes one member,
// so that its frames stay in order. Which one is up to the sender (802.1AX-2020 section 6.2.4); here, as
// Linux's bonding has it by default, the two addresses XORed (Documentation/networking/bonding.rst,
// xmit_hash_policy layer2).
//
// Groups are static ("mode on"): nobody checks that the other end agrees, as LACP would.
#pragma once

#include <algorithm>
#include <cstddef>

#include "model/model.h"

namespace sekimori::switching {

// An index into the members that are up; `up` > 0.
constexpr std::size_t choose_member(wire::Mac source, wire::Mac destination, std::size_t up) {
  return ((source.bits ^ destination.bits) & 0xff) % up;
}

// Whether two ports of a bridge are members of one group.
inline bool is_one_group(const model::Port& a, const model::Port& b) {
  return a.lag != 0 && a.lag == b.lag && a.bridge == b.bridge;
}

// The port that stands for the group in tables and trees, the first with a cable; the port itself when it is
// in none.
inline model::PortId group_port(const model::Model& m, model::PortId port) {
  if (m[port].lag == 0 || !m[port].bridge.valid()) return port;
  const auto& ports = m[m[port].bridge].ports;
  const auto first = std::ranges::find_if(
      ports, [&](model::PortId other) { return is_one_group(m[port], m[other]) && m[other].link.valid(); });
  return first == ports.end() ? port : *first;
}

}  // namespace sekimori::switching
