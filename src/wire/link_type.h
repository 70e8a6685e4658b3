// What the bytes of a captured frame start with: the LINKTYPE_ registry of tcpdump.org, as far as it matters
// here.
#pragma once

#include <cstdint>

namespace sekimori::wire {

enum class LinkType : std::uint16_t {
  null = 0,  // BSD loopback: no addresses at all
  ethernet = 1,
  raw_ip = 101,
  ieee80211 = 105,
  linux_cooked = 113,  // "any" device: a source address at most, no destination
  ieee80211_radiotap = 127,
  linux_cooked2 = 276,  // likewise
};

}  // namespace sekimori::wire
