// One half of a round of the learning analysis (learning.h): the operator `must`, or the operator `may`.
//
// It walks the streams over the forest, against what is known of entries so far, and gathers what their
// frames teach. What it found is kept from round to round; only streams to addresses of which something new
// is known are walked again.
#pragma once

#include <vector>

#include "check/ground.h"

namespace sekimori::check {

class Half {
 public:
  enum class Claims : std::uint8_t { kSurely, kPossibly };
  Half(const Ground& ground, Claims claims);

  // Before the first round: everything is to be walked.
  void start();
  // Takes what the walks show into its own of the two, `lower` for kSurely, and tells `other`, the second
  // half of the round, what it has to walk again. False when nothing is new.
  bool step(Supports& lower, Supports& upper, Half& other);
  bool is_sent(std::uint32_t stream) const { return sent_[stream]; }

 private:
  // Entries of one destination, spread out by table for the walks of all streams to it.
  struct Spread {
    std::vector<std::uint32_t> stamp;  // by table: `now`, when it has one
    std::uint32_t now = 0;
    Duration everywhere = base::kNever;
  };
  template <bool kMust>
  struct Passing;
  // Of `reached_`.
  struct Range {
    std::uint32_t begin = 0, end = 0;
  };

  bool must() const { return claims_ == Claims::kSurely; }
  bool has(const Spread& spread, std::uint32_t table) const {
    return spread.stamp[table] == spread.now || spread.everywhere < g_.in_time[table];
  }
  void load(Spread& spread, const Supports& supports, std::uint32_t address, bool certainly) const;
  void fetch_soon(const Lists& lists, const std::uint32_t* now) const;

  template <bool kMust>
  void walk(const Supports& lower, const Supports& upper);
  template <bool kMust>
  void walk_broadcast(std::uint32_t i);
  template <bool kMust>
  bool walk_unicast(std::uint32_t i, std::uint32_t destination, bool is_known);
  void take_everything(std::uint32_t i);
  bool has_one_holder(const Stream& stream) const { return g_.macs.count(g_.macs.address(stream.from)) == 1; }

  Supports gather(const Supports& before, std::vector<bool>& changed) const;
  std::vector<bool> sent() const;
  std::uint32_t mark() const { return static_cast<std::uint32_t>(reached_.size()); }

  const Ground& g_;
  Claims claims_;
  Spread lower_, upper_;
  std::vector<bool> sent_, delivered_;  // by stream: surely, or possibly
  std::vector<Range> reach_;            // by stream: the nodes that its frames teach
  std::vector<bool> everywhere_;        // by stream: all of the component
  std::vector<NodeIndex> reached_;
  std::vector<bool> stale_;    // by destination: to be walked (again)
  std::vector<bool> touched_;  // by source: some stream of it was
  bool stale_broadcasts_ = true;
};

}  // namespace sekimori::check
