#include "check/half.h"

#include <algorithm>

#include "check/walk.h"

namespace sekimori::check {

namespace {

// Reached nodes kept per half-round, at most; beyond that streams are taken to pass their way only (must) or
// everything (may), which proves less and nothing wrong.
constexpr std::size_t kMostReached = 150'000'000;

}  // namespace

// What a walk asks of the tables: whether a frame surely, or possibly, passes.
template <bool kMust>
struct Half::Passing {
  using Weight = bool;
  Half& half;
  std::uint32_t address;
  bool maybe_static;
  bool present = false;

  bool all() const { return true; }
  bool none(bool weight) const { return !weight; }
  bool limited(bool weight) const { return kMust ? false : weight; }
  bool unknown(NodeIndex n, PortId toward, bool arriving) {
    const Ground& g = half.g_;
    if (maybe_static && g.macs.is_static(n, address)) {
      present = true;
      return false;
    }
    const bool able = g.learns_at(n, toward);
    const std::uint32_t table = g.forest[n].table;
    const bool certainly = able && half.has(half.lower_, table) && !g.overfull[g.forest[n].bridge.index()];
    const bool possibly = able && half.has(half.upper_, table);
    present = kMust ? certainly : possibly;
    return arriving && (kMust ? !possibly : !certainly);
  }
  bool wanted(bool arriving, bool, bool floods) const { return arriving && (floods || present); }
  void arrives(NodeIndex n, PortId in, bool, bool, bool taught) {
    if (taught && half.g_.learns_at(n, in)) half.reached_.push_back(n);
  }
  void leaves(NodeIndex, PortId, bool, bool) {}
  void floods(NodeIndex, PortId, PortId, bool, bool) {}
  void turns_off(NodeIndex, PortId) {}
};

Half::Half(const Ground& ground, Claims claims) : g_(ground), claims_(claims) {
  for (Spread* spread : {&lower_, &upper_}) spread->stamp.assign(g_.forest.tables(), 0);
}

void Half::start() {
  const std::vector<Stream>& list = g_.streams.list;
  reach_.assign(list.size(), {});
  everywhere_.assign(list.size(), false);
  reached_.clear();
  stale_.assign(g_.macs.size(), false);
  touched_.clear();
  stale_broadcasts_ = true;
  for (const Stream& s : list) {
    if (s.to.valid()) stale_[g_.destination(s)] = true;
  }
  delivered_.assign(list.size(), true);
  for (std::size_t i = 0; i < list.size() && must(); ++i) {
    const Stream& s = list[i];
    delivered_[i] = g_.is_plain(s) && !g_.is_broken(s) && !g_.is_doubtful(s.from) &&
                    !(s.to.valid() && g_.is_doubtful(s.to));
  }
  sent_ = sent();
}

// ---------------------------------------------------------------- walking

// Of the certain supports those that refresh an entry in time, of the possible ones all.
void Half::load(Spread& spread, const Supports& supports, std::uint32_t address, bool certainly) const {
  ++spread.now;
  for (const Supports::Item& item : supports.of(address)) {
    if (!certainly || item.support.gap < g_.in_time[item.table]) spread.stamp[item.table] = spread.now;
  }
  const Support& everywhere = supports.everywhere[address];
  spread.everywhere = everywhere.count == 0 ? base::kNever : certainly ? everywhere.gap : Duration::min();
}

// Streams of one address lie anywhere in a list of millions; waiting for memory would take most of the time.
void Half::fetch_soon(const Lists& lists, const std::uint32_t* now) const {
  constexpr std::ptrdiff_t kAhead = 8, kFurther = 4;
  const std::uint32_t* const end = lists.items.data() + lists.items.size();
  if (end - now > kAhead) {
    __builtin_prefetch(&g_.streams.list[now[kAhead]]);
    __builtin_prefetch(&reach_[now[kAhead]], 1);
  }
  if (end - now > kFurther && &lists == &g_.from)
    __builtin_prefetch(reached_.data() + reach_[now[kFurther]].begin);
  if (end - now > kFurther && &lists == &g_.to)
    __builtin_prefetch(&g_.forest.place(g_.streams.list[now[kFurther]].from));
}

template <bool kMust>
void Half::walk(const Supports& lower, const Supports& upper) {
  const std::vector<Stream>& list = g_.streams.list;
  touched_.assign(g_.macs.size(), false);
  for (std::uint32_t i = 0; i < list.size(); ++i) {
    if (list[i].to.valid() || !stale_broadcasts_ || g_.source(list[i]) == kNone) continue;
    touched_[g_.source(list[i])] = true;
    reach_[i].begin = mark();
    if (sent_[i] && !g_.is_broken(list[i])) walk_broadcast<kMust>(i);
    reach_[i].end = mark();
  }
  stale_broadcasts_ = false;
  for (std::uint32_t d = 0; d < g_.macs.size(); ++d) {
    if (!stale_[d]) continue;
    stale_[d] = false;
    load(lower_, lower, d, true);
    load(upper_, upper, d, false);
    const bool is_known = !(kMust ? upper : lower).nowhere(d) || g_.macs.is_known_by_hand(d);
    for (const std::uint32_t& i : g_.to.of(d)) {
      fetch_soon(g_.to, &i);
      if (g_.source(list[i]) != kNone) touched_[g_.source(list[i])] = true;
      reach_[i].begin = mark();
      everywhere_[i] = false;
      if (sent_[i] && !g_.is_broken(list[i])) delivered_[i] = walk_unicast<kMust>(i, d, is_known);
      reach_[i].end = mark();
    }
  }
}

template <bool kMust>
void Half::walk_broadcast(std::uint32_t i) {
  const Stream& stream = g_.streams.list[i];
  if (g_.forest.place(stream.from).node == kNone) return;
  if (!is_snooped(stream) && has_one_holder(stream) && (!kMust || g_.is_plain(stream))) {
    everywhere_[i] = true;
    return;
  }
  if (kMust && reached_.size() > kMostReached) return;
  Passing<kMust> policy{*this, kNone, false};
  Walk walk(g_.m, g_.forest, g_.registrations, policy);
  if (is_snooped(stream))
    walk.to_groups(stream, g_.groups);
  else
    walk.broadcast(stream.from, is_arp(stream));
}

// Returns whether its frames surely, or possibly, arrive. `is_known`: some bridge may have an entry for the
// destination.
template <bool kMust>
bool Half::walk_unicast(std::uint32_t i, std::uint32_t destination, bool is_known) {
  const Stream& stream = g_.streams.list[i];
  const Place &from = g_.forest.place(stream.from), &to = g_.forest.place(stream.to);
  if (from.node == kNone || to.node == kNone) return true;
  if (g_.macs.is_doubtful(destination)) {
    if (!kMust)
      take_everything(i);
    else if (g_.learns_at(from.node, from.port))
      reached_.push_back(from.node);
    return !kMust;
  }
  // Known nowhere, and nothing in the way: it goes everywhere, unless it stays inside a virtual switch.
  const Node& first = g_.forest[from.node];
  const bool stays = first.bridge == g_.forest[to.node].bridge && switching::registers(first.kind);
  if (!is_known && has_one_holder(stream) && g_.is_plain(stream) && !stays) {
    everywhere_[i] = true;
    return true;
  }
  if (reached_.size() > kMostReached) {
    if (!kMust) take_everything(i);
    return !kMust || g_.is_plain(stream);
  }
  Passing<kMust> policy{*this, destination, g_.macs.is_known_by_hand(destination)};
  return Walk(g_.m, g_.forest, g_.registrations, policy).unicast(stream.from, stream.to, is_arp(stream));
}

// `everywhere_` stands for an address in its whole component; of addresses with several holders all is
// written out.
void Half::take_everything(std::uint32_t i) {
  const Stream& stream = g_.streams.list[i];
  if (has_one_holder(stream)) {
    everywhere_[i] = true;
    return;
  }
  const Component& component = g_.component_of(g_.forest.place(stream.from).node);
  for (NodeIndex n = component.first; n < component.end; ++n) {
    if (g_.forest[n].learns) reached_.push_back(n);
  }
}

// ---------------------------------------------------------------- taking in

// What the walks have shown, by address: of addresses that were not touched, what was known before. `changed`
// tells of which addresses it is something new.
Supports Half::gather(const Supports& before, std::vector<bool>& changed) const {
  const std::size_t addresses = g_.macs.size();
  Supports result;
  result.clear(addresses);
  result.items.reserve(before.items.size());
  changed.assign(addresses, false);
  const std::size_t tables = g_.forest.tables();
  std::vector<std::uint32_t> stamp(tables, kNone), slot(tables, 0), last(tables, kNone);
  for (std::uint32_t a = 0; a < addresses; ++a) {
    const std::size_t first = result.first[a] = result.items.size();
    const auto known = before.of(a);
    if (!touched_[a]) {
      result.items.insert(result.items.end(), known.begin(), known.end());
      result.everywhere[a] = before.everywhere[a];
      continue;
    }
    for (const std::uint32_t& i : g_.from.of(a)) {
      fetch_soon(g_.from, &i);
      const Stream& stream = g_.streams.list[i];
      if (!sent_[i] || (must() && g_.macs.is_doubtful(a))) continue;
      // Not the rate: frames that come in bursts keep an entry no longer than one of them.
      const double refreshes = must() ? 1 / base::to_seconds(stream.gap) : 0;
      if (everywhere_[i]) result.everywhere[a].add(stream, i, refreshes);
      for (std::uint32_t r = reach_[i].begin; r < reach_[i].end; ++r) {
        const std::uint32_t table = g_.forest[reached_[r]].table;
        if (stamp[table] != a) {
          stamp[table] = a;
          slot[table] = static_cast<std::uint32_t>(result.items.size() - first);
          result.items.push_back({table, {}});
        } else if (last[table] == i) {
          continue;  // in two VLANs of one table
        }
        last[table] = i;
        result.items[first + slot[table]].support.add(stream, i, refreshes);
      }
    }
    changed[a] = result.everywhere[a] != before.everywhere[a] ||
                 !std::equal(known.begin(), known.end(),
                             result.items.begin() + static_cast<std::ptrdiff_t>(first), result.items.end());
  }
  result.first[addresses] = result.items.size();
  return result;
}

// The streams that certainly, or possibly, are sent: what answers is sent when what it answers arrives.
std::vector<bool> Half::sent() const {
  std::vector<bool> result(g_.streams.list.size(), true);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const Stream& s = g_.streams.list[i];
    if (must() && (s.gap == base::kNever || g_.is_unanswered(s))) result[i] = false;
    if (s.after != kNone) result[i] = result[i] && result[s.after] && (!s.on_delivery || delivered_[s.after]);
  }
  return result;
}

bool Half::step(Supports& lower, Supports& upper, Half& other) {
  if (must())
    walk<true>(lower, upper);
  else
    walk<false>(lower, upper);
  Supports& own = must() ? lower : upper;
  std::vector<bool> changed;
  own = gather(own, changed);
  bool news = false;
  for (std::uint32_t a = 0; a < changed.size(); ++a) {
    if (!changed[a]) continue;
    news = true;
    if (g_.to.of(a).empty()) continue;
    // Where nothing is in the way, what certainly is there bounds what possibly passes, and the other way
    // round.
    other.stale_[a] = true;
    if (!g_.is_plain(a)) stale_[a] = true;
  }
  // Streams that are now known to be sent, or not to be.
  std::vector<bool> now = sent();
  for (std::uint32_t i = 0; i < now.size(); ++i) {
    if (now[i] == sent_[i]) continue;
    news = true;
    const Stream& stream = g_.streams.list[i];
    if (stream.to.valid())
      stale_[g_.destination(stream)] = true;
    else
      stale_broadcasts_ = true;
  }
  sent_ = std::move(now);
  return news;
}

}  // namespace sekimori::check
