// Why a table has the entry for a station, or lacks it, in words: what of all that the station sends comes by
// the bridge, how often, and where the rest turns off.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "load/trace.h"

namespace sekimori::load {

enum class EntryState : std::uint8_t { kHeld, kMissing, kPartOfTime, kTiming, kNoTable };

// How a stream of the station fares at the bridge.
enum class Comes : std::uint8_t {
  kOnWay,     // passes the bridge on its way
  kAside,     // comes by as a copy that others flood, for certain
  kPerhaps,   // may come by as such a copy
  kNot,       // turns off before
  kUnsent,    // what it answers never arrives, so it is never sent
  kNotProved  // its addresses are doubtful
};

// A stream from the station, seen from the bridge.
struct Passing {
  std::uint32_t stream = check::kNone;
  std::string what{};  // "the answers of app:net0 to ..."
  Comes comes = Comes::kNot;
  base::Duration gap = base::kNever;  // between two frames at most; kNever: not one is certain
  double least = 0, most = 0;         // frames a second
  std::string way{};                  // "app:net0 - server/vmnet0 - server:eth0"
  std::string turns_off{};            // kNot: the last bridge that it shares with the way to this one
  std::string turns_to{};             // and where it goes from there
  bool kept_inside = false;           // kNot: a hosted bridge hands it up to its own host
};

struct EntryStory {
  EntryState state = EntryState::kMissing;
  check::Presence presence;
  std::string cause;             // a stable word: "refreshed", "static", "silent", "turns-off", ...
  std::string what;              // "none for app:net0"
  std::vector<std::string> why;  // whole sentences
  std::vector<Passing> passings;
};

std::string_view to_text(EntryState state);
std::string_view to_text(Comes comes);

// Answers for the bridges of one destination. Keeps the ways of its streams, as each bridge asks for them.
class EntryTeller {
 public:
  EntryTeller(const check::Learning& learning, model::StationId station);
  // `toward`: the node's port to the station.
  EntryStory tell(check::NodeIndex node, model::PortId toward);
  // Who else has the MAC or IP address; empty when it is doubtful for another reason, or not.
  std::vector<std::string> rivals() const;

 private:
  Passing passing(std::uint32_t stream, check::NodeIndex node);
  void turn(Passing& passing, const check::Stream& stream, check::NodeIndex node);
  bool is_static(check::NodeIndex node, model::PortId* port) const;
  void tell_missing(EntryStory& story, check::NodeIndex node, model::PortId toward) const;
  void tell_refreshed(EntryStory& story, check::NodeIndex node) const;
  void tell_part(EntryStory& story, check::NodeIndex node) const;
  void tell_timing(EntryStory& story, check::NodeIndex node) const;
  std::string heard_once(check::NodeIndex node) const;

  const check::Learning& l_;
  const model::Model& m_;
  model::StationId station_;
  std::string name_;
  std::vector<std::uint32_t> streams_;  // from the station, the most frequent first
  std::size_t left_out_ = 0;            // further ones
  std::map<std::uint32_t, Trace> traces_;
};

// "every 300s", or "every 1.2ms" where it is less
std::string every(base::Duration gap);

}  // namespace sekimori::load
