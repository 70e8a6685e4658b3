// What the tunnels of a site carry: for each pair of endpoints the streams of packets on the network below.
#pragma once

#include <vector>

#include "check/streams.h"

namespace sekimori::check {

class Learning;

// Packets from one endpoint's host to another's.
struct Carried {
  StationId from, to;
  Duration gap = base::kNever;  // between two, at most; kNever: not even one is certain
  double least = 0, most = 0;   // a second
  std::uint16_t bytes = 0;      // of a packet's frame, without FCS and tag
  bool stray = false;           // copies that do not lead to their destination
};

bool has_tunnels(const model::Model& model);

// Of the streams that the analysis has followed.
std::vector<Carried> carried(const Learning& inside);

}  // namespace sekimori::check
