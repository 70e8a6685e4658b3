// What is played in a guest: bridges with VLAN filtering, and frames for them. The file of sites is an array
// of these, as they lie in memory: both sides are of one compiler. The answer is text: for each frame a line
// with the copies, "PORT.TAG" in hexadecimal, parted by blanks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sekimori::guest {

constexpr std::size_t kPorts = 5, kFrames = 40, kStatics = 2, kTagged = 3;

struct Port {
  std::uint16_t pvid;             // 0: untagged frames are dropped
  std::uint16_t tagged[kTagged];  // 0: none
  std::uint8_t learning, floods_unknown, isolated, hairpin;
};

struct Static {
  std::uint64_t mac;  // 0: none
  std::uint16_t port, vlan;
};

struct Frame {
  std::uint64_t destination, source;
  std::uint16_t port, tag;
};

// Port 0 is the bridge's own interface when it has one that is used.
struct Site {
  std::uint64_t mac;  // of the interface
  std::uint32_t ports;
  std::uint8_t has_interface, learning, ages_at_once, filters;
  Port port[kPorts];
  Static statics[kStatics];
  Frame frames[kFrames];
};

}  // namespace sekimori::guest
