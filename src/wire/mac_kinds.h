// What is known of MAC addresses from their value alone: who hands them out, who else has them, and which
// belong to protocols. Facts with their sources, for the rules on models and for the allocator.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "wire/mac.h"

namespace sekimori::wire {

struct MacRange {
  Mac first, last;  // both included
  friend constexpr bool operator==(const MacRange&, const MacRange&) = default;
  constexpr bool contains(Mac mac) const { return first <= mac && mac <= last; }
  constexpr std::uint64_t size() const { return last.bits - first.bits + 1; }
};

// Both ends of 02:00:00:00:00:00-02:00:00:00:00:ff or of 02:00:00:00:00:00/40; in every notation of an
// address. Whether the ends are in order and of one kind is for the caller to judge.
std::optional<MacRange> parse_mac_range(std::string_view text);

struct KnownRange {
  MacRange range;
  std::string_view what;  // "what QEMU gives a NIC without mac="
};

// Addresses that everybody has: defaults of products and jokes. Null when it is none of them.
const KnownRange* well_known(Mac mac);

// Addresses with a meaning of their own, which no allocator may give a NIC: virtual routers, clusters, what
// hypervisors keep for their own ends. Sorted, without overlaps; well-known ones are not among them.
std::span<const KnownRange> reserved_ranges();
std::span<const KnownRange> well_known_ranges();

// A block from which a product draws at random without asking what is in use. Null when there is none.
const KnownRange* drawn_from(Mac mac);

// The virtual addresses of ESXi's physical NICs, which beacons bear (switching/beacon.h): of
// reserved_ranges().
constexpr MacRange kEsxiUplinks{Mac{0x0050'5650'0000}, Mac{0x0050'565f'ffff}};

// From the block of a maker of virtual NICs (registered with the IEEE:
// https://standards-oui.ieee.org/oui/oui.txt).
bool is_virtual_maker(Mac mac);
// Neither locally administered nor from such a block.
bool looks_like_hardware(Mac mac);

}  // namespace sekimori::wire
