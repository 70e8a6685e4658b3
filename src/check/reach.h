// Whether what one station sends another surely arrives, as far as switches keep it back by more than load:
// ports that block, switches that know by registration, flows of Open vSwitch, bridges that answer in
// another's stead.
#pragma once

#include <vector>

#include "check/registered.h"

namespace sekimori::check {

class Reach {
 public:
  // All must outlive it.
  Reach(const model::Model& model, const Forest& forest, const Groups& groups);

  // A question gets there: not everybody who is connected hears everybody's broadcasts on a switch that knows
  // by registration.
  bool can_ask(StationId asker, StationId asked, bool ipv6);
  // The station gets an answer when it asks for the other: nothing on the way blocks either. The question has
  // just taught every table on the way where to send the answer.
  bool surely_resolves(StationId asker, StationId asked, bool ipv6);
  // A probe by unicast, and its answer, arrive if an entry leads them.
  bool surely_probes(StationId from, StationId to);
  // Nothing blocks, limits or polices anything where that station is.
  bool is_plain(StationId station) const;
  // Solicitations of that station go to whom bridges know as a member of the solicited-node group.
  bool is_snooped(StationId asker) const;

  // Where bridges answer questions, or don't hand them on, it is up to their tables who hears a question, an
  // announcement, or an answer: none of these is certain.
  bool any_suppresses() const { return !spared_.empty(); }
  // A bridge keeps questions for it to itself. What it answers goes part of the way of the station's own
  // answer.
  bool is_spared(StationId asked) const { return any_suppresses() && spared_[asked.index()]; }
  // Stations whose entry in such a table is wrong, and those they are taken for: nothing is known of them.
  const std::vector<StationId>& mistaken() const { return mistaken_; }

 private:
  void note_suppression();
  void doubt_if_wrong(const model::KnownNeighbour& known);
  bool answer_passes(const Step& step, StationId asker) const;
  bool hands_on(StationId from, StationId to);
  const Component& component_of(NodeIndex n) const { return forest_.components()[forest_[n].component]; }

  const model::Model& m_;
  const Forest& forest_;
  const Groups& groups_;
  Registrations registrations_;
  bool any_gates_ = false;  // some switch keeps broadcasts back
  bool uses_groups_;
  std::vector<bool> spared_;  // by station; empty: none is
  std::vector<StationId> mistaken_;
  std::vector<Step> way_;  // scratch
};

}  // namespace sekimori::check
