// What the learning analysis (learning.h) stands on: who is who, which streams there are, how long tables
// keep an entry. Of all this only `overfull` is found on the way.
#pragma once

#include <vector>

#include "check/mac_holders.h"
#include "check/registered.h"
#include "check/supports.h"

namespace sekimori::check {

struct Ground {
  Ground(const model::Model& model, Streams all, Forest trees);
  Ground(const Ground&) = delete;

  // The address that a stream's frames teach. What they teach of stations that hide theirs nobody asks for.
  std::uint32_t source(const Stream& s) const {
    return m[s.from].hides_its_mac() ? kNone : macs.address(s.from);
  }
  std::uint32_t destination(const Stream& s) const { return s.to.valid() ? macs.address(s.to) : kNone; }
  bool is_doubtful(StationId station) const { return macs.is_doubtful(macs.address(station)); }
  // What answers a station whose address is also another's may go to the other: it may find nobody by ARP,
  // and a TCP connection with it may not come about.
  bool is_unanswered(const Stream& s) const {
    return (s.to.valid() && is_doubtful(s.from)) || (s.flow.valid() && doubtful_flow[s.flow.index()]);
  }

  // An entry for what comes in at that port can be made.
  bool learns_at(NodeIndex n, PortId port) const {
    return forest[n].learns && (forest[n].ports_learn || m[port].learning);
  }
  bool is_broken(const Stream& s) const {
    const NodeIndex n = forest.place(s.from).node;
    return n != kNone && component_of(n).broken();
  }
  bool is_plain(const Stream& s) const {
    const NodeIndex n = forest.place(s.from).node;
    return n == kNone || (component_of(n).plain && !component_of(n).bends);
  }
  // One station has the address, and nothing is in the way of its frames.
  bool is_plain(std::uint32_t address) const {
    const NodeIndex n = macs.count(address) == 1 ? forest.place(macs.any(address)).node : kNone;
    return n != kNone && component_of(n).plain;
  }
  const Component& component_of(NodeIndex n) const { return forest.components()[forest[n].component]; }

  const model::Model& m;
  Forest forest;
  Registrations registrations;
  Groups groups;
  Streams streams;
  MacHolders macs;
  Lists to, from;                   // streams by address
  std::vector<bool> doubtful_flow;  // TCP from or to a doubtful address, on any of its hops
  std::vector<Duration> in_time;    // by table: a shorter gap keeps an entry
  std::vector<bool> overfull;       // by bridge: what passes may not fit in its table
};

// A refresh may be late by this much: queues, retries of a millisecond.
inline Duration tolerance(Duration ageing) { return ageing / 500 + base::milliseconds(1); }

}  // namespace sekimori::check
