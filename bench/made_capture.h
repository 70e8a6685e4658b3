// Captures of any size with known contents, for benchmarks and tests: the same Traffic gives the same bytes.
//
// Hosts in VLANs, a router in each. A flow is a TCP connection of two hosts of one VLAN, or of a host and
// somebody behind its router; which flow and which end sends next is drawn evenly, which is harder on caches
// than any real traffic. Acknowledgements, full segments and some between them give 370 bytes on average. One
// frame in a thousand is an ARP request, and the answer follows it.
//
// `access` is what a port of the first station sees instead: all flows are its own. There a flood can be
// planted: a host of each VLAN sends datagrams to one that spoke once and then never again.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "wire/byte_sink.h"

namespace sekimori::bench {

struct Traffic {
  std::uint64_t frames = 10'000'000;
  std::uint32_t stations = 1010;  // routers among them
  std::uint32_t vlans = 10;       // 0: untagged
  std::uint32_t flows = 65'536;
  std::uint32_t step_ns = 10'000;  // from one frame to the next
  bool access = false;
  std::uint32_t flood_every = 0;  // with access: one frame in so many is of the flood; 0: none
  std::uint64_t seed = 7;
};

// As a pcap file with microseconds.
base::Result<void> write_capture(const Traffic& traffic, const wire::ByteSink& sink);

}  // namespace sekimori::bench
