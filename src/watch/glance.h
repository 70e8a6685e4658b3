// What a frame shows at a glance: all that the observer needs of an ordinary one. It depends on nothing but
// the frame itself, so that it may be taken while the bytes are still in the cache of the thread that read
// them, and the tables be kept by another.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "watch/observations.h"
#include "wire/ethernet.h"
#include "wire/frame.h"

namespace sekimori::watch {

struct Glance {
  wire::Ethernet header;
  std::uint64_t scope_key = 0;  // interface and VLANs
  std::uint64_t hash = 0;       // of these and both addresses
  std::uint32_t ip = 0;         // IPv4 source of TCP and ICMP
  std::uint8_t ttl = 0;         // likewise
  std::uint8_t protocol = 0;    // likewise; 0: something else
  bool whole = false;           // the header is there
  bool control = false;         // carries what the observer decodes
};

Glance glance_at(const wire::Frame& frame);
// The same of a frame that was found within another, once its header is known.
Glance glance_at(std::uint64_t scope_key, const wire::Ethernet& header, wire::Bytes bytes);
// The same in place, into a fresh one.
void take_glance(const wire::Frame& frame, Glance& glance);

// Outside tunnels no two scopes have the same.
constexpr std::uint64_t scope_key(const Scope& scope) {
  const std::uint64_t key =
      std::uint64_t{scope.interface} << 32 | std::uint32_t{scope.outer} << 16 | scope.inner;
  return scope.tunnel == 0 ? key : key ^ base::mix64(scope.tunnel);
}

// A product of both mixes enough for a table that compares the whole key, and costs little.
constexpr std::uint64_t pair_hash(std::uint64_t scope_key, wire::Mac source, wire::Mac destination) {
  const __uint128_t product =
      static_cast<__uint128_t>(source.bits * 0x9e37'79b9'7f4a'7c15u + scope_key * 0xbf58'476d'1ce4'e5b9u) *
      (destination.bits * 0xd6e8'feb8'6659'fd93u | 1);
  const auto folded = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  return folded ^ folded >> 29;
}

}  // namespace sekimori::watch
