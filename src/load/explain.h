// The way of frames to a station, told step by step: what each bridge does with them, and why its table has
// or lacks the entry. As `ovs-appctl ofproto/trace` does for one bridge, but for a whole site and the long
// run.
//
// Nothing is decided here. The walk is that of check/walk.h, what tables hold is what the learning analysis
// has proved, and how much is flooded what the load model works out; this puts them side by side, in words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "load/doing.h"
#include "load/load.h"

namespace sekimori::load {

struct Question {
  StationId to;
  std::optional<StationId> from;      // else all that send there
  std::optional<model::BridgeId> at;  // only what this bridge does
  std::size_t most_ways = 5;          // told in full; 0: all
  std::size_t most_aside = 12;        // bridges off the way, told for each way; 0: all
};

// One bridge on the way, or one that gets copies.
struct Stop {
  std::string bridge{};
  std::string kind{};        // "switch", as in the site file
  std::uint16_t vlan = 0;    // 0: none
  bool reached = true;       // false: no frame comes by (only the entry is told)
  std::uint32_t aside = 0;   // bridges since the frames left the way; 0: on it
  std::string in{};          // the port
  std::string in_from{};     // what it leads to
  std::uint16_t in_tag = 0;  // 0: untagged
  Range bytes;               // a second, that come in
  EntryStory entry{};
  std::string as_at{};  // the entry's state and cause are those told of this bridge before
  Doing doing{};
  std::vector<std::string> out{};  // ports that frames leave by
  Range copied;                    // bytes a second, out of each port but that to the destination
  std::size_t left_out = 0;        // further bridges that get copies from here, not told
};

// Frames of one station to another.
struct Way {
  std::string from{}, to{};
  std::vector<std::string> what{};  // the streams; empty: a frame that nobody sends
  Range bytes;                      // a second, sent
  bool cable = false;               // nothing but a cable between them
  std::vector<Stop> stops{};
  Part arriving{};                     // the share that arrives
  Range flooded;                       // bytes a second, on the worst link
  std::size_t flooded_links = 0;       // directions of links that carry copies
  std::vector<std::string> unasked{};  // stations that get copies
  std::string full{};  // "ether:osaka to sw2:24 (10 Mbit/s)": the copies alone are more than it carries
  std::string conclusion{};
};

struct Explanation {
  std::string to;       // "app:net0"
  std::string address;  // "02:..., 10.0.0.9"
  std::string place;    // "server/vmnet0"; empty: not plugged in
  std::string at;       // the bridge asked for; empty: none
  std::string trouble;  // why nothing can be claimed, or why nothing arrives; empty: none
  std::vector<Way> ways;
  std::size_t ways_left_out = 0;
  std::vector<std::string> remarks;
  std::string conclusion{};  // one sentence or two
};

Explanation explain(const check::Learning& learning, const Question& question);

// "20.91 Mbit/s", "up to 3 kbit/s"
std::string rate_text(Range bytes);

}  // namespace sekimori::load
