// Where a capture was taken, and what such a place can prove.
//
// The same frames mean different things at different places. At an access port, unicast for somebody else has
// no business; at a mirror port it is what the mirror is for. So the place is inferred first, per capture
// interface, or said by the user (--at), and every detector asks it before it claims anything.
//
// How it is inferred. A machine that listens at its own interface tells that interface's address, and
// outbound is what the machine sends. With directions alone (pcapng flags) an interface is a cut: each source
// speaks from one side of it, and the side with one station is that station's own port. Without, look at the
// pairs that talk both ways: at an access port one station, the owner of the port, is in nearly all of them
// (redundant routers hide from this: they are addressed by a virtual MAC and answer from their own). At a
// mirror no station is. If all unicast goes to one station that is never heard, the capture may hold one
// direction of that station's own line, and nothing can be said of floods.
//
// A port whose own station keeps silent is the hard case: what is for it can't be told from what is flooded,
// unless the receiver has been heard from elsewhere.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "watch/observations.h"

namespace sekimori::watch {

enum class Place : std::uint8_t {
  kUnknown,  // too few frames to tell
  kAccess,   // a port with one station behind it, or that station's own interface
  kUplink,   // a port with several stations behind it: a hypervisor, another switch
  kMirror,   // SPAN: other people's traffic is there on purpose
  kTap,      // one direction of a line
  kCooked,   // no destination addresses
};

// What each place allows to be claimed. Read by detectors and printed with every report.
struct PlaceClaims {
  Place place;
  std::string_view word;    // of --at
  std::string_view title;   // "an access port"
  bool foreign_unicast;     // unicast between others is a flood
  bool one_side;            // unicast between two stations of one side is one, if sides are known
  std::string_view cannot;  // what can't be told from there
};
std::span<const PlaceClaims> place_claims();
const PlaceClaims& claims_of(Place place);
std::optional<Place> place_of(std::string_view word);

enum class Side : std::uint8_t { kUnknown, kNear, kFar, kBoth };

// One interface's place.
struct View {
  Place place = Place::kUnknown;
  bool told = false;   // by the user
  bool own = false;    // it is the capturing machine's own interface, with its address
  bool sides = false;  // directions are known
  bool near_is_outbound = false;
  std::set<Mac> locals;          // the port's own stations, as far as known
  std::string why;               // a clause
  std::map<Mac, Side> declared;  // by the site, where it knows the port
};

std::vector<View> views_of(const Observations& o, std::optional<Place> told);

Side side_of(const View& view, const Station& station);

// Is unicast from `from` to `to` here although the network should have kept it away?
enum class Flooded : std::uint8_t { kNo, kMaybe, kYes };
Flooded flooded(const View& view, const Station& from, const Station& to);

}  // namespace sekimori::watch
