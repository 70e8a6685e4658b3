// Floods as a port sees them: unicast that should not be here, by receiver, with what its frames tell of it.
//
// Why a switch floods for a station is always one thing, that no frame of the station taught it the way. The
// causes differ in why not, and that can be told apart at a third port (shared by detect_flood.cc):
//
//   Within one VLAN a spanning tree has one path between two stations, so the answers of the receiver pass
//   every switch that its peer's frames pass on their way. If it answers, and the switch still does not know
//   it, its answers were taken off before the switch (a hosted bridge that hands them to the host: the leak),
//   or they take another way (a second NIC, another VLAN: asymmetric), or the switch does not learn it
//   (learning is off, everywhere or at its port, or there is no room). The last is out if the switch did know
//   it once: when the flooded connection was opened, which this port has not seen.
//
//   Two kinds of virtual switch know some frames of a station and not others. Open vSwitch learns nothing
//   from what a flow outputs by itself (the bypass): seen from a port of that very switch, which only guests
//   have, that looks as a leak does. And a NIC with functions sends out of the wire what a function has for a
//   guest behind the PF. A hosted bridge leaks what its *host* sends, from a NIC with an address of a maker;
//   a function has one of a virtual NIC.
//
//   A receiver that speaks here, and is flooded within the same second, is not learnt: nothing else remains.
//
// Whether unicast here is a flood at all depends on the place. The receiver may be a silent station behind
// this very port, if nobody says who is there and directions don't tell. It is not if it answers, for its
// answers would pass here as well; nor if it was learnt elsewhere now and then, which kept its frames away
// from here.
#pragma once

#include <optional>
#include <vector>

#include "watch/case.h"

namespace sekimori::watch {

// Frames for a station within a second of its own, which any switch that has learnt it keeps away.
constexpr std::uint64_t kLeastFresh = 20;

struct Flood {
  std::uint32_t scope = 0;
  const Station* receiver = nullptr;
  std::vector<const Pair*> pairs;  // by frames, most first; each has a OneWay
  std::uint64_t frames = 0, bytes = 0;
  std::uint64_t fresh = 0;  // frames that came within kQuiet of the receiver's own: it was not learnt
  bool certain = true;      // or the receiver may be the silent station behind this very port
  bool learnt = false;      // once: a connection to it was opened, and that was not flooded
  bool kept_away = false;   // nothing came for a while after it had spoken or been asked for
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
  bool unlearnt() const { return fresh >= kLeastFresh; }  // although it speaks
};

// Those that last, by receiver, most frames first.
std::vector<Flood> floods(const Case& c, const Results& results);

// It began a while after the receiver had been heard or asked for: until then its frames were kept away.
constexpr bool begins_late(const Spell& s) {
  return (s.after == Spell::After::kHeard || s.after == Spell::After::kAsked) && s.quiet >= kLongPause;
}

// Spells of flooding that begin equally long after the receiver was heard (or asked for, or after the flood
// before had ceased): that time is what the switch takes to forget.
struct Ageing {
  Nanos time = 0;
  std::vector<Spell> spells;
  std::size_t anchored = 0;  // those that began after a frame: of the others, the senders may have paused
  bool proves() const { return anchored >= 2; }
};
std::optional<Ageing> ageing_of(const Flood& flood);

}  // namespace sekimori::watch
