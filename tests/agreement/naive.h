// Independent judges of the learning analysis, written from its definition and from what a learning bridge
// does, as slow and as plain as that is. Nothing here is shared with src/check, src/load or src/simulate.
//
// Both are for sites whose cables make a tree. Bridges learn (switch, linux-bridge, e-lan) or repeat (hub);
// VLANs, ports that learn nothing and, in the simulator, ports that block unknown unicast are understood, and
// nothing else.
#pragma once

#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "model/model.h"

namespace sekimori::agreement {

// Frames at ticks phase, phase + gap, phase + 2 gap, ... The ageing times are whole seconds, of a tick each.
struct NaiveStream {
  model::StationId from, to;  // to: invalid for a broadcast
  std::int64_t gap = 1, phase = 0;
};

// In the table of the bridge, in that VLAN (0 on bridges that know none).
struct Entry {
  model::BridgeId bridge;
  std::uint16_t vlan = 0;
  wire::Mac mac;
  friend auto operator<=>(const Entry&, const Entry&) = default;
};
using Entries = std::set<Entry>;

std::int64_t ageing_ticks(const model::Model& m, model::BridgeId bridge);
bool learns(const model::Model& m, model::BridgeId bridge);
// The port of the bridge behind which the station is, by the cables alone; invalid when there is none.
model::PortId port_toward(const model::Model& m, model::BridgeId bridge, model::StationId station);

// ---------------------------------------------------------------- the fixed point

// The entries that the frames of a stream refresh when exactly `present` is there.
Entries refreshed(const model::Model& m, const NaiveStream& stream, const Entries& present);
// Of all streams, those refreshed in time.
Entries must(const model::Model& m, const std::vector<NaiveStream>& streams, const Entries& present);
// Of all streams, those refreshed at all.
Entries may(const model::Model& m, const std::vector<NaiveStream>& streams, const Entries& present);

struct FixedPoint {
  Entries lower, upper;
};
// L = {}, U = may(L), L = must(U), U = may(L), ... until both stay. For ports that block nothing.
FixedPoint naive_fixed_point(const model::Model& m, const std::vector<NaiveStream>& streams);

// ---------------------------------------------------------------- tick by tick

class TickSimulator {
 public:
  struct Lane {  // as simulate::LaneCounters, lane 2*l from end a of link l
    std::int64_t frames = 0, flooded = 0;
    friend bool operator==(const Lane&, const Lane&) = default;
  };

  TickSimulator(const model::Model& m, std::vector<NaiveStream> streams)
      : m_(m), streams_(std::move(streams)), lanes_(2 * m.links.size()) {}

  // Begin with every station known to every bridge, as after a flood, instead of with empty tables.
  void know_everyone();
  // Sends what is due now, every frame relayed hop by hop at once, then moves the clock.
  void tick();
  // At the beginning of the tick that comes next.
  bool knows(const Entry& entry) const { return live(entry) != nullptr; }
  // Just after the frames of the last tick.
  bool knew(const Entry& entry) const;
  const std::vector<Lane>& lanes() const { return lanes_; }

 private:
  struct Frame {
    wire::Mac source;
    model::StationId to;
    std::uint16_t tag = 0;
    bool stray = false;  // a flooded copy that does not lead to its destination
  };
  struct Seen {
    std::int64_t at;
    model::PortId port;
  };
  const Seen* live(const Entry& entry) const;
  void send(model::PortId out, Frame frame);
  void arrive(model::PortId in, const Frame& frame);
  void relay(model::PortId in, model::PortId out, std::uint16_t vlan, Frame frame);

  const model::Model& m_;
  std::vector<NaiveStream> streams_;
  std::vector<Lane> lanes_;
  std::map<Entry, Seen> table_;
  std::int64_t now_ = 0;
};

}  // namespace sekimori::agreement
