#include "check/learning.h"

#include <algorithm>

#include "check/half.h"
#include "check/tunnels.h"

namespace sekimori::check {

using model::Model;

namespace {

constexpr int kMostRounds = 64;

}  // namespace

class Learning::State : public Ground {
 public:
  State(const Model& model, Streams all, Forest trees) : Ground(model, std::move(all), std::move(trees)) {
    go_round();
    // Tables that the settled state does not fit into hold nothing for certain.
    bool again = false;
    for (std::uint32_t b = 0; b < m.bridges.size(); ++b) {
      if (m.bridges[b].table_size != 0 && possible_addresses[b] > m.bridges[b].table_size)
        overfull[b] = again = true;
    }
    if (again) go_round();
  }

  // From "nothing is there for certain, everything perhaps" to where nothing new comes out.
  void go_round() {
    lower.clear(macs.size());
    upper.clear(macs.size());
    for (const Stream& stream : streams.list) {
      if (forest.place(stream.from).node != kNone && source(stream) != kNone)
        upper.everywhere[source(stream)].count = 1;
    }
    surely.start();
    maybe.start();
    for (rounds = 1; rounds <= kMostRounds; ++rounds) {
      const bool first = surely.step(lower, upper, maybe), second = maybe.step(lower, upper, surely);
      if (!first && !second) break;
    }
    possible_addresses = count(upper, false);
    certain_addresses = count(lower, true);
  }

  // How many addresses each bridge can, and must, have in its tables.
  std::vector<std::size_t> count(const Supports& supports, bool certainly) const {
    std::vector<std::size_t> counts(m.bridges.size(), 0), everywhere(forest.components().size(), 0);
    std::vector<Duration> shortest(forest.components().size(), base::kNever);
    for (NodeIndex n = 0; n < forest.nodes().size(); ++n) {
      Duration& least = shortest[forest[n].component];
      if (forest[n].learns) least = std::min(least, in_time[forest[n].table]);
    }
    for (std::uint32_t a = 0; a < m.stations.size(); ++a) {
      for (const Supports::Item& item : supports.of(a)) {
        if (!certainly || item.support.gap < in_time[item.table])
          ++counts[forest.table_bridge(item.table).index()];
      }
      if (supports.everywhere[a].count == 0) continue;
      const std::uint32_t c = forest[forest.place(macs.any(a)).node].component;
      if (!certainly || supports.everywhere[a].gap < shortest[c]) ++everywhere[c];
    }
    // Of addresses put on as a mask it is not looked into where they come by.
    for (std::uint32_t s = 0; s < m.stations.size() && !certainly; ++s) {
      const NodeIndex n = forest.place(StationId(s)).node;
      if (m.stations[s].hides_its_mac() && !m.stations[s].shared.valid() && n != kNone)
        ++everywhere[forest[n].component];
    }
    for (NodeIndex n = 0; n < forest.nodes().size(); ++n)
      counts[forest[n].bridge.index()] += everywhere[forest[n].component];
    return counts;
  }

  // ------------------------------------------------------------ answers

  // A station's entries are few.
  static const Supports::Item* find(const Supports& supports, std::uint32_t a, std::uint32_t table) {
    const auto items = supports.of(a);
    const auto it = std::ranges::find(items, table, &Supports::Item::table);
    return it != items.end() ? &*it : nullptr;
  }

  // What can support it, with what certainly does.
  static Support join(const Support* possible, const Support& possibly_everywhere, const Support* certain,
                      const Support& certainly_everywhere) {
    Support result;
    for (const Support* s : {possible, &possibly_everywhere}) {
      if (s == nullptr || s->count == 0) continue;
      if (result.count == 0) result.stream = s->stream;
      result.most += s->most;
      result.count += s->count;
    }
    for (const Support* s : {certain, &certainly_everywhere}) {
      if (s == nullptr || s->count == 0) continue;
      if (s->gap < result.gap) {
        result.gap = s->gap;
        result.stream = s->stream;
      }
      result.least = std::max(result.least, s->least);
    }
    return result;
  }

  Support support(NodeIndex n, std::uint32_t a) const {
    const Supports::Item* possible = find(upper, a, forest[n].table);
    const Supports::Item* certain = find(lower, a, forest[n].table);
    return join(possible != nullptr ? &possible->support : nullptr, upper.everywhere[a],
                certain != nullptr ? &certain->support : nullptr, lower.everywhere[a]);
  }

  template <class Supporting>
  Presence presence(NodeIndex n, PortId toward_port, std::uint32_t a, Supporting supporting) const {
    if (macs.is_known_by_hand(a) && macs.is_static(n, a)) return {1, 1, kNone};
    if (!learns_at(n, toward_port)) return {0, 0, kNone};
    if (macs.is_doubtful(a)) return {0, 1, kNone};
    const Support s = supporting();
    if (s.count == 0) return {0, 0, kNone};
    const bool full = overfull[forest[n].bridge.index()];
    const Duration age = m[forest[n].bridge].ageing;
    if (s.gap < in_time[forest[n].table]) return full ? Presence{0, 1, kNone} : Presence{1, 1, kNone};
    Presence p;
    p.least = full ? 0 : std::min(1.0, s.least * base::to_seconds(age));
    p.most = std::min(1.0, s.most * base::to_seconds(age));
    // Just in time or just not: leave it open.
    if (s.gap <= age + tolerance(age)) p.most = 1;
    if (s.count == 1 && s.gap != base::kNever && !full) p.by = s.stream;
    return p;
  }

  Supports lower, upper;  // by what is certain, and by what is possible
  Half surely{*this, Half::Claims::kSurely}, maybe{*this, Half::Claims::kPossibly};
  std::vector<std::size_t> possible_addresses, certain_addresses;
  int rounds = 0;
};

Learning::Learning(const Model& model, Time when) {
  Forest forest(model);
  const bool tunnels = has_tunnels(model);
  if (tunnels) {
    for (const BridgeId end : unsure_endpoints(model, forest, Groups(model, forest), when))
      forest.distrust(end);
  }
  const Groups groups(model, forest);
  Streams streams = streams_of(model, forest, groups, when);
  if (tunnels) {
    // What happens inside of tunnels does not depend on the network below, so it is settled first.
    Learning inside(std::make_unique<State>(model, std::move(streams), Forest(forest)));
    streams = streams_of(model, forest, groups, when, carried(inside));
  }
  state_ = std::make_unique<State>(model, std::move(streams), std::move(forest));
}
Learning::Learning(const Model& model, std::vector<Stream> streams)
    : state_(std::make_unique<State>(model, Streams{std::move(streams), {}, {}}, Forest(model))) {}
Learning::Learning(std::unique_ptr<State> state) : state_(std::move(state)) {}
Learning::~Learning() = default;
Learning::Learning(Learning&&) noexcept = default;

const Model& Learning::model() const { return state_->m; }
const Forest& Learning::forest() const { return state_->forest; }
const Registrations& Learning::registrations() const { return state_->registrations; }
const Groups& Learning::groups() const { return state_->groups; }
const std::vector<Stream>& Learning::streams() const { return state_->streams.list; }
const Streams& Learning::all_streams() const { return state_->streams; }
std::span<const std::uint32_t> Learning::streams_to(StationId station) const {
  return state_->to.of(state_->macs.address(station));
}
std::span<const std::uint32_t> Learning::streams_from(StationId station) const {
  return state_->from.of(state_->macs.address(station));
}
Presence Learning::presence(NodeIndex node, PortId toward, StationId station) const {
  const std::uint32_t a = state_->macs.address(station);
  return state_->presence(node, toward, a, [&] { return state_->support(node, a); });
}
std::span<const std::uint32_t> Learning::streams_by_destination() const { return state_->to.items; }
Support Learning::support(NodeIndex node, StationId station) const {
  return state_->support(node, state_->macs.address(station));
}
bool Learning::doubtful(StationId station) const { return state_->is_doubtful(station); }
bool Learning::certain(std::uint32_t stream) const { return state_->surely.is_sent(stream); }
bool Learning::possible(std::uint32_t stream) const { return state_->maybe.is_sent(stream); }
bool Learning::overfull(BridgeId bridge) const { return state_->overfull[bridge.index()]; }
std::size_t Learning::addresses(BridgeId bridge) const { return state_->possible_addresses[bridge.index()]; }
std::size_t Learning::certain_addresses(BridgeId bridge) const {
  return state_->certain_addresses[bridge.index()];
}
int Learning::rounds() const { return state_->rounds; }

// Where each table's items are, for the destination in view.
struct Focus::Slots {
  std::vector<std::uint32_t> upper_stamp, upper_slot, lower_stamp, lower_slot;
};

Focus::Focus(const Learning& learning) : state_(*learning.state_), slots_(std::make_unique<Slots>()) {
  for (auto* list : {&slots_->upper_stamp, &slots_->upper_slot, &slots_->lower_stamp, &slots_->lower_slot})
    list->assign(state_.forest.tables(), kNone);
}
Focus::~Focus() = default;

void Focus::on(StationId station) {
  const std::uint32_t a = state_.macs.address(station);
  if (a == address_) return;
  address_ = a;
  const auto spread = [a](const Supports& supports, auto& stamp, auto& slot) {
    const auto items = supports.of(a);
    for (std::uint32_t i = 0; i < items.size(); ++i) {
      stamp[items[i].table] = a;
      slot[items[i].table] = i;
    }
  };
  spread(state_.upper, slots_->upper_stamp, slots_->upper_slot);
  spread(state_.lower, slots_->lower_stamp, slots_->lower_slot);
}

Support Focus::support(NodeIndex node) const {
  const std::uint32_t table = state_.forest[node].table;
  const auto in = [&](const Supports& supports, const auto& stamp, const auto& slot) {
    return stamp[table] == address_ ? &supports.of(address_)[slot[table]].support : nullptr;
  };
  return Learning::State::join(
      in(state_.upper, slots_->upper_stamp, slots_->upper_slot), state_.upper.everywhere[address_],
      in(state_.lower, slots_->lower_stamp, slots_->lower_slot), state_.lower.everywhere[address_]);
}

Presence Focus::presence(NodeIndex node, PortId toward) const {
  return state_.presence(node, toward, address_, [&] { return support(node); });
}

}  // namespace sekimori::check
