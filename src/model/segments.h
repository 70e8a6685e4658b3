// Segments: the broadcast domains of a site. Two stations are in one segment when a broadcast of one can
// reach the other through bridges, VLAN by VLAN; routers end segments because they are stations. Whether a
// machine is switched on, and what a spanning tree blocks, makes no difference; a link that is down joins
// nothing.
#pragma once

#include <unordered_map>
#include <utility>
#include <vector>

#include "model/model.h"

namespace sekimori::model {

struct Segment {
  std::vector<StationId> stations;
  // The bridges it passes, with the VLAN it is there (0 or the tag it carries on bridges that know no VLANs).
  std::vector<std::pair<BridgeId, std::uint16_t>> bridges;
};

struct Segments {
  std::vector<Segment> list;                                           // every station is in exactly one
  std::vector<std::uint32_t> of_station;                               // index into list
  std::uint32_t of_bridge(BridgeId bridge, std::uint16_t vlan) const;  // kNone of Id when no station is there
  std::unordered_map<std::uint64_t, std::uint32_t> by_bridge;          // bridge << 16 | vlan
};

// O(stations + ports x VLANs).
Segments segments(const Model& model);

}  // namespace sekimori::model
