// BPDUs as they are on the wire (IEEE 802.1D-2004 clause 9.3), from and to those of the protocol machines.
//
// On the wire a bridge's identifier is its priority and its address, and a port's its priority and its number
// among those of its bridge; as tree::Identifier that is 16 bits of priority above 48 of address, so the
// order is the standard's.
#pragma once

#include "switching/tree.h"
#include "wire/stp.h"

namespace sekimori::switching {

constexpr tree::Identifier identifier_of(const wire::BridgeId& id) {
  return std::uint64_t{id.priority} << 48 | id.mac.bits;
}
constexpr wire::BridgeId wire_bridge(tree::Identifier id) {
  return {static_cast<std::uint16_t>(id >> 48), wire::Mac{id & 0xffff'ffff'ffffu}};
}
// Of the n-th port, from 0: the default priority, and numbers from 1.
constexpr std::uint16_t wire_port(std::size_t n) {
  return static_cast<std::uint16_t>(0x8000u | ((n + 1) & 0xfffu));
}

wire::Bpdu to_wire(const tree::Bpdu& bpdu);
tree::Bpdu from_wire(const wire::Bpdu& bpdu);

}  // namespace sekimori::switching
