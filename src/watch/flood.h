// Floods as a port sees them: unicast that should not be here, by receiver, with what its frames tell of it.
//
// Why a switch floods for a station is always one thing, that no frame of the station taught it the way. The
// causes differ in why not, and that can be told apart at a third port (shared by detect_flood.cc):
//
//   Within one VLAN a spanning tree has one path between two stations, so the answers of the receiver pass
//   every switch that its peer's frames pass on their way. If it answers, and the switch still does not know
//   it, its answers were taken off before the switch (a hosted bridge that hands them to the host: the leak),
//   or they take another way (a second NIC, another VLAN: asymmetric), or the switch does not learn. If the
//   switch does learn the station's broadcasts, the last is out.
#pragma once

#include <optional>
#include <vector>

#include "watch/case.h"

namespace sekimori::watch {

struct Flood {
  std::uint32_t scope = 0;
  const Station* receiver = nullptr;
  std::vector<const Pair*> pairs;  // by frames, most first; each has a OneWay
  std::uint64_t frames = 0, bytes = 0;
  std::uint64_t fresh = 0;  // frames that came within kQuiet of the receiver's own: it was not learnt
  bool certain = true;      // or the receiver may be the silent station behind this very port
  bool one_side = false;    // directions show sender and receiver on the same side of this port
  FrameRef first, last;
  std::vector<Spell> spells;
  // Who has proof that the receiver lives.
  std::uint64_t ack_advances = 0, data_advances = 0, echo_replies = 0;
  std::vector<const Pair*> answered;
  FrameRef first_progress, last_progress;
  std::uint64_t tcp = 0, udp = 0, syn = 0;

  Nanos duration() const { return since(last.at, first.at); }
  bool alive() const { return !answered.empty(); }
};

// Those that last, by receiver, most frames first.
std::vector<Flood> floods(const Case& c, const Results& results);

// Spells of flooding that begin equally long after the receiver was heard (or asked for, or after the flood
// before had ceased): that time is what the switch takes to forget.
struct Ageing {
  Nanos time = 0;
  std::vector<Spell> spells;
  std::size_t anchored = 0;  // those that began after a frame: of the others, the senders may have paused
};
std::optional<Ageing> ageing_of(const Flood& flood);

}  // namespace sekimori::watch
