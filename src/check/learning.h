// The learning analysis: which bridges know which stations in the long run, proved without playing a frame.
//
// A bridge's entry for a station is refreshed by each frame with that source that comes by. Call a stream of
// such frames a *support* of the entry, and G the longest time between two of them. The entry is always there
// if some support has G below the bridge's ageing time; it is never there if nothing supports it; and for a
// share of the time in between. But which bridges a stream comes by depends on the entries for its
// *destination*: a bridge that has one sends the frame out of one port, a bridge that has none out of all. So
// entries depend on entries, and, away from a stream's own way, the dependence is antitone: the fewer entries
// there are, the more is flooded, the more bridges see a source, the more entries there are.
//
// Let P be the entries that are there. Two operators bound what they support:
//   must(P)  entries with a support of G below the ageing time among the streams that surely pass when at
//   most P is
//            there (a copy that leaves the way does so for sure only where no entry can be);
//   may(P)   entries with any support among the streams that can pass when at least P is there.
// Start from U = everything and L = nothing, and repeat L := must(U), U := may(L). L grows, U shrinks, both
// come to rest, and at every step each entry in L is certainly present in the long run and each outside U
// certainly absent: by induction, since what a round assumes of L and U has been proved by the round before.
// This is the alternating fixed point of the well-founded semantics of logic programs with negation (Van
// Gelder, "The alternating fixpoint of logic programs with negation", JCSS 47, 1993). Between L and U lie the
// entries that timing decides: an odd cycle of such dependences has no answer that a model alone could give
// (a flood can teach the very entry whose absence another flood needs), and none is claimed. Where one
// support alone decides, the share of time is known: ageing / G.
//
// Ports that block unknown unicast make a stream stop where an entry is missing. There fewer entries mean
// fewer frames, support is no longer antitone, and the rounds use L as well as U on either side; they still
// only ever prove what holds (the Kripke-Kleene fixed point), but may leave more open.
//
// What is assumed: no link is so overloaded that streams fall silent (the load model says where that is so),
// and all timers are as declared. Frames sent once, such as announcements at the start, support nothing in
// the long run. A table that is smaller than the number of stations that could fill it is taken to have
// settled: if in the settled state everything fits, that state is told; if not, nothing is certain to be in
// it.
#pragma once

#include <memory>

#include "check/registered.h"
#include "check/supports.h"

namespace sekimori::check {

// For what share of the time an entry is there.
struct Presence {
  double least = 0, most = 0;
  std::uint32_t by = kNone;  // the stream that alone decides, when there is one alone
  bool always() const { return least >= 1; }
  bool never() const { return most <= 0; }
};

class Learning {
 public:
  // Of the state of the model at `when`: which flows are active. Changes of the timeline are the caller's
  // business (model::model_at).
  explicit Learning(const model::Model& model, Time when = Time{0});
  // The same for streams that the caller made up, as tests do.
  Learning(const model::Model& model, std::vector<Stream> streams);
  ~Learning();
  Learning(Learning&&) noexcept;
  Learning(const Learning&) = delete;

  const model::Model& model() const;
  const Forest& forest() const;
  const Registrations& registrations() const;
  const Groups& groups() const;
  const std::vector<Stream>& streams() const;
  const Streams& all_streams() const;
  std::span<const std::uint32_t> streams_to(StationId station) const;    // by address
  std::span<const std::uint32_t> streams_from(StationId station) const;  // by address

  std::span<const std::uint32_t> streams_by_destination() const;  // those to one station

  // The entry for a station at a node, `toward` being the node's port that leads to it. O(the station's
  // entries).
  Presence presence(NodeIndex node, PortId toward, StationId station) const;
  // What supports it; count 0: nothing.
  Support support(NodeIndex node, StationId station) const;
  // Its MAC or IP address is also another's, or a static entry leads elsewhere: nothing is claimed.
  bool doubtful(StationId station) const;
  // The streams certainly, or possibly, are sent at all (what answers a frame that never arrives is not).
  bool certain(std::uint32_t stream) const;
  bool possible(std::uint32_t stream) const;
  // The bridge's table may be too small for what passes it; how many addresses at most do in the long run.
  bool overfull(BridgeId bridge) const;
  std::size_t addresses(BridgeId bridge) const;          // at most
  std::size_t certain_addresses(BridgeId bridge) const;  // at least, heard within each ageing time
  int rounds() const;

  class State;

 private:
  explicit Learning(std::unique_ptr<State> state);
  friend class Focus;
  std::unique_ptr<State> state_;
};

// The same answers about one station after another, in O(1) each.
class Focus {
 public:
  explicit Focus(const Learning& learning);
  ~Focus();
  Focus(const Focus&) = delete;

  void on(StationId station);  // O(its entries)
  Presence presence(NodeIndex node, PortId toward) const;
  Support support(NodeIndex node) const;

 private:
  struct Slots;
  const Learning::State& state_;
  std::unique_ptr<Slots> slots_;
  std::uint32_t address_ = kNone;
};

}  // namespace sekimori::check
