// The way of one stream's frames, bridge by bridge, with the copies that leave it: check/walk.h written down.
//
// In a tree no bridge sees a frame twice in one VLAN, so the visits are a tree as well: those on the way one
// after the other, each with the copies that it sends aside.
#pragma once

#include <vector>

#include "check/learning.h"

namespace sekimori::load {

constexpr std::size_t kNoVisit = static_cast<std::size_t>(-1);

// What share of the frames: Frechet's bounds, where tables lack entries independently.
struct Part {
  double least = 0, most = 0;
};

struct Visit {
  check::NodeIndex node = check::kNone;
  model::PortId in{};
  model::PortId toward{};                // the node's port to the destination; `in` when it is off the way
  std::size_t from = kNoVisit;           // the visit that the frames come from
  std::uint32_t aside = 0;               // bridges passed since they left the way; 0: on it
  bool taught = true;                    // a table that learns here learns the source
  bool stray = false;                    // copies that nobody behind `in` asked for
  Part arriving{}, unknown{}, onward{};  // that come in, that find no entry, that go on to the destination
  std::vector<model::PortId> copies{};   // further ports that frames leave by, in the bridge's order
  std::vector<std::size_t> next{};       // the visits that these lead to, likewise
};

struct Trace {
  std::vector<Visit> visits;  // those on the way first
  Part arriving;
  const Visit* at(check::NodeIndex node) const;
};

// From one station to another of the same unbroken component; `to` invalid: a broadcast.
Trace trace(const check::Learning& learning, model::StationId from, model::StationId to, bool is_arp = false);

}  // namespace sekimori::load
