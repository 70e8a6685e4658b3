// How much every link carries in the long run, worked out and not played: what is on its way to its
// destination
// ("wanted") and what nobody at the end of the link asked for ("flooded"), apart and for each direction.
//
// Each stream adds its rate along its way, and the share of it that the learning analysis says is flooded
// over the rest of its component. A flood at a node goes out of all ports, so it is added to the node once
// and handed out to the ports in the end; what a flood spares (the port it came in by, the one it was meant
// for) is subtracted. Where shares are not decided (timing, see check/learning.h) the load is a range.
//
// Costs O(lengths of the ways + nodes that floods reach + ports x VLANs): a stream floods past a switch with
// a thousand ports in a few additions.
//
// Frames are counted as interface counters count them, without FCS, preamble and gap. No link's capacity
// limits anything here: a load above it says that frames are lost.
#pragma once

#include <vector>

#include "check/learning.h"

namespace sekimori::load {

using check::NodeIndex;
using model::LinkId;
using model::PortId;
using model::StationId;

// A range: what it is at least and at most.
struct Range {
  double least = 0, most = 0;
  Range& operator+=(Range r) {
    least += r.least;
    most += r.most;
    return *this;
  }
  bool decided() const { return most - least <= 1e-9 + most * 1e-3; }
};

// Of one direction of a link; lane 2*l carries from link l's end a to end b, lane 2*l+1 back.
struct Lane {
  Range wanted_frames, wanted_bytes;    // a second
  Range flooded_frames, flooded_bytes;  // a second
  // Bits that occupy the wire in a second: with preamble, FCS and gap (IEEE 802.3 clause 4.2.7, 4.4.2).
  Range wire_bits() const;
  Range wanted_wire_bits() const;  // without what is flooded
};

// A node has no entry for a destination when frames for it come by: where a flood begins.
struct Flood {
  NodeIndex node;
  StationId destination;  // the first station with the address
  PortId toward;          // the node's port to it
  Range frames, bytes;    // a second, of all streams together, that find no entry
  bool leaked = false;    // they are off their way: their own host let them out (hosted bridge, sriov)
  bool withheld = false;  // not flooded but dropped: the port to the destination takes no unknown unicast
  std::vector<std::uint32_t> streams;  // whose frames they are
};

struct Load {
  std::vector<Lane> lanes;
  std::vector<Flood> floods;    // by node, then destination
  std::vector<Range> arriving;  // by stream: the share that arrives
};

// The load of everything, or of some streams only (indices into learning.streams()), of which then only what
// they flood is of interest.
Load work_out(const check::Learning& learning);
std::vector<Lane> lanes_of(const check::Learning& learning, const std::vector<std::uint32_t>& streams);

}  // namespace sekimori::load
