#include "check/learning.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "check/walk.h"

namespace sekimori::check {

using model::BridgeKind;
using model::Model;

namespace {

// Reached nodes kept per half-round, at most; beyond that streams are taken to pass their way only (must) or
// everything (may), which proves less and nothing wrong.
constexpr std::size_t kMostReached = 150'000'000;
constexpr int kMostRounds = 64;

// A refresh may be late by this much: queues, retries of a millisecond.
Duration tolerance(Duration ageing) { return ageing / 500 + base::milliseconds(1); }

// Lists by key, as one array.
struct Lists {
  std::vector<std::uint32_t> first, items;
  std::span<const std::uint32_t> of(std::uint32_t key) const {
    return {items.data() + first[key], first[key + 1] - first[key]};
  }
  template <class Key>
  static Lists by(std::size_t keys, std::size_t count, Key key) {
    Lists lists;
    lists.first.assign(keys + 1, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (key(i) != kNone) ++lists.first[key(i) + 1];
    }
    std::partial_sum(lists.first.begin(), lists.first.end(), lists.first.begin());
    lists.items.resize(lists.first.back());
    std::vector<std::uint32_t> at(lists.first.begin(), lists.first.end() - 1);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (key(i) != kNone) lists.items[at[key(i)]++] = i;
    }
    return lists;
  }
};

struct Item {
  std::uint32_t table;
  Support support;
};

// What supports the entries of every address: table by table, and everywhere in the address's component at
// once.
struct Supports {
  std::vector<std::size_t> first;  // by address, into items
  std::vector<Item> items;         // of one address: by table
  std::vector<Support> everywhere;
  std::span<const Item> of(std::uint32_t address) const {
    return {items.data() + first[address], first[address + 1] - first[address]};
  }
  std::size_t size() const {
    return items.size() + static_cast<std::size_t>(std::ranges::count_if(
                              everywhere, [](const Support& s) { return s.count > 0; }));
  }
};

void add(Support& support, const Stream& stream, std::uint32_t index, bool certain) {
  if (certain && stream.gap < support.gap) {
    support.gap = stream.gap;
    support.stream = index;
  }
  // Frames that come in bursts keep an entry no longer than one of them.
  if (certain)
    support.least = std::max(support.least, std::min(stream.least, 1 / base::to_seconds(stream.gap)));
  support.most += stream.most;
  if (support.count++ == 0 && support.stream == kNone) support.stream = index;
}

}  // namespace

class Learning::State {
 public:
  State(const Model& model, Streams all, Forest trees)
      : m(model), forest(std::move(trees)), streams(std::move(all)) {
    address_everyone();
    doubt();
    const auto& list = streams.list;
    to = Lists::by(m.stations.size(), list.size(),
                   [&](std::uint32_t i) { return list[i].to.valid() ? address[list[i].to.index()] : kNone; });
    from = Lists::by(m.stations.size(), list.size(),
                     [&](std::uint32_t i) { return address[list[i].from.index()]; });
    solve();
  }

  // ------------------------------------------------------------ who is who

  void address_everyone() {
    address.resize(m.stations.size());
    holders.assign(m.stations.size(), 0);
    std::unordered_map<wire::Mac, std::uint32_t> first;
    first.reserve(m.stations.size());
    for (std::uint32_t s = 0; s < m.stations.size(); ++s) {
      address[s] = first.try_emplace(m.stations[s].mac, s).first->second;
      if (forest.place(StationId(s)).plugged()) ++holders[address[s]];
    }
  }

  void doubt() {
    doubtful.assign(m.stations.size(), false);
    for (const StationId s : streams.contested) doubtful[address[s.index()]] = true;
    // One address at two ports. VLANs of one NIC share their port.
    holder.assign(m.stations.size(), kNone);
    for (std::uint32_t s = 0; s < m.stations.size(); ++s) {
      if (!forest.place(StationId(s)).plugged()) continue;
      std::uint32_t& one = holder[address[s]];
      if (one == kNone) one = s;
      if (one != s && may_meet(StationId(one), StationId(s))) doubtful[address[s]] = true;
    }
    statics.assign(m.bridges.size(), {});
    known_by_hand.assign(m.stations.size(), false);
    std::unordered_map<wire::Mac, std::vector<std::uint32_t>> stations;
    for (const model::Bridge& bridge : m.bridges) {
      for (const model::StaticEntry& entry : bridge.static_entries) stations[entry.mac];
    }
    for (std::uint32_t s = 0; s < m.stations.size() && !stations.empty(); ++s) {
      const auto found = stations.find(m.stations[s].mac);
      if (found != stations.end() && forest.place(StationId(s)).plugged()) found->second.push_back(s);
    }
    for (std::uint32_t b = 0; b < m.bridges.size(); ++b) {
      for (const model::StaticEntry& entry : m.bridges[b].static_entries) {
        for (const std::uint32_t s : stations[entry.mac]) {
          const std::uint16_t vlan = m.bridges[b].vlan_aware ? entry.vlan : std::uint16_t{0};
          statics[b].push_back({address[s], vlan, entry.port});
          known_by_hand[address[s]] = true;
          judge_static(b, s, entry);
        }
      }
    }
  }

  // Stations with one address that a table could confuse.
  bool may_meet(StationId a, StationId b) const {
    const Place &x = forest.place(a), &y = forest.place(b);
    if (x.node == kNone || y.node == kNone) return false;
    const Node &u = forest[x.node], &v = forest[y.node];
    if (u.component == v.component) return true;
    // Bridges that know no VLANs have one table for both segments: does it see both behind one port?
    const Component& component = forest.components()[u.component];
    for (NodeIndex n = component.first; n < component.end; ++n) {
      if (m[forest[n].bridge].vlan_aware) continue;
      const Component& other = forest.components()[v.component];
      for (NodeIndex o = other.first; o < other.end; ++o) {
        if (forest[o].table == forest[n].table && toward(n, x) != toward(o, y)) return true;
      }
    }
    return false;
  }

  PortId toward(NodeIndex n, const Place& place) const {
    std::vector<Step> way;
    forest.way({n, {}}, place, way);
    return way.front().out;
  }

  void judge_static(std::uint32_t bridge, std::uint32_t station, const model::StaticEntry& entry) {
    const NodeIndex n = forest.node_at(BridgeId(bridge),
                                       m.bridges[bridge].vlan_aware ? entry.vlan : m.stations[station].vlan);
    const Place& place = forest.place(StationId(station));
    if (n == kNone || place.node == kNone || forest[n].component != forest[place.node].component) return;
    if (toward(n, place) != entry.port) doubtful[address[station]] = true;
  }

  bool is_static(NodeIndex n, std::uint32_t address_index) const {
    const Node& node = forest[n];
    const auto& list = statics[node.bridge.index()];
    return std::ranges::any_of(list, [&](const Static& s) {
      return s.address == address_index && (!m[node.bridge].vlan_aware || s.vlan == node.vlan);
    });
  }

  bool learns(NodeIndex n) const {
    const model::Bridge& bridge = m[forest[n].bridge];
    return bridge.learning && bridge.ageing.count() > 0 && bridge.kind != BridgeKind::kHub &&
           bridge.kind != BridgeKind::kHostedBridge;
  }

  // ------------------------------------------------------------ one half-round

  bool broken(const Stream& stream) const {
    const NodeIndex n = forest.place(stream.from).node;
    return n != kNone && forest.components()[forest[n].component].broken();
  }
  bool plain(const Stream& stream) const {
    const NodeIndex n = forest.place(stream.from).node;
    return n == kNone || forest.components()[forest[n].component].plain;
  }

  // Entries of one destination, spread out by table for the walks of all streams to it.
  struct Spread {
    std::vector<std::uint32_t> stamp;
    std::uint32_t now = kNone;
    Duration everywhere = base::kNever;
  };
  bool has(const Spread& spread, std::uint32_t table) const {
    return spread.stamp[table] == spread.now || spread.everywhere < in_time[table];
  }
  // Of the certain supports those that refresh an entry in time, of the possible ones all.
  void load(Spread& spread, const Supports& supports, std::uint32_t a, bool certainly) const {
    spread.stamp.resize(forest.tables(), kNone);
    spread.now = a;
    for (const Item& item : supports.of(a)) {
      if (!certainly || item.support.gap < in_time[item.table]) spread.stamp[item.table] = a;
    }
    const Support& everywhere = supports.everywhere[a];
    spread.everywhere = everywhere.count == 0 ? base::kNever : certainly ? everywhere.gap : Duration::min();
  }

  // Whether a frame surely, or possibly, passes.
  template <bool kMust>
  struct Passing {
    using Weight = bool;
    State& s;
    const Spread &lower, &upper;
    std::uint32_t address;
    bool maybe_static;
    std::vector<NodeIndex>& reached;
    bool present = false;

    bool all() const { return true; }
    bool none(bool weight) const { return !weight; }
    bool limited(bool weight) const { return kMust ? false : weight; }
    bool unknown(NodeIndex n, PortId toward, bool arriving) {
      if (maybe_static && s.is_static(n, address)) {
        present = true;
        return false;
      }
      const bool able = s.learns(n) && s.m[toward].learning;
      const std::uint32_t table = s.forest[n].table;
      const bool certainly = able && s.has(lower, table) && !s.overfull[s.forest[n].bridge.index()];
      const bool possibly = able && s.has(upper, table);
      present = kMust ? certainly : possibly;
      return arriving && (kMust ? !possibly : !certainly);
    }
    bool wanted(bool arriving, bool, bool floods) const { return arriving && (floods || present); }
    void arrives(NodeIndex n, PortId in, bool, bool) {
      if (s.m[in].learning && s.learns(n)) reached.push_back(n);
    }
    void leaves(NodeIndex, PortId, bool, bool) {}
    void floods(NodeIndex, PortId, PortId, bool, bool) {}
    void turns_off(NodeIndex, PortId) {}
  };

  // Everything hears it: a broadcast, or a frame for a station that no table of an ordinary component knows.
  // Only for addresses that one station has; others are written out.
  bool everywhere(const Stream& stream) const {
    return holders[address[stream.from.index()]] == 1 && forest.place(stream.from).node != kNone;
  }

  template <bool kMust>
  void walk_all(const std::vector<bool>& sent, std::vector<bool>& delivered) {
    const auto& list = streams.list;
    reach_begin.assign(list.size(), 0);
    reach_end.assign(list.size(), 0);
    in_all.assign(list.size(), false);
    reached.clear();
    for (std::uint32_t i = 0; i < list.size(); ++i) {
      if (!sent[i] || broken(list[i]) || list[i].to.valid()) continue;
      begin_reach(i);
      walk_broadcast<kMust>(i);
      reach_end[i] = reached.size();
    }
    for (std::uint32_t d = 0; d < m.stations.size(); ++d) {
      if (address[d] != d || to.of(d).empty()) continue;
      load(lower_spread, lower, d, true);
      load(upper_spread, upper, d, false);
      for (const std::uint32_t i : to.of(d)) {
        if (!sent[i] || broken(list[i])) continue;
        begin_reach(i);
        delivered[i] = walk_unicast<kMust>(i, d);
        reach_end[i] = reached.size();
      }
    }
  }

  void begin_reach(std::uint32_t i) { reach_begin[i] = reached.size(); }

  template <bool kMust>
  void walk_broadcast(std::uint32_t i) {
    const Stream& stream = streams.list[i];
    if (forest.place(stream.from).node == kNone) return;
    if (everywhere(stream) && (!kMust || plain(stream))) {
      in_all[i] = true;
      return;
    }
    if (kMust && reached.size() > kMostReached) return;
    Passing<kMust> policy{*this, lower_spread, upper_spread, kNone, false, reached};
    Walk(m, forest, policy).broadcast(forest.place(stream.from));
  }

  template <bool kMust>
  bool walk_unicast(std::uint32_t i, std::uint32_t d) {
    const Stream& stream = streams.list[i];
    const Place &from_place = forest.place(stream.from), &to_place = forest.place(stream.to);
    if (from_place.node == kNone || to_place.node == kNone) return true;
    if (doubtful[d]) {
      if (kMust) {
        if (learns(from_place.node) && m[from_place.port].learning) reached.push_back(from_place.node);
        return false;
      }
      if (everywhere(stream))
        in_all[i] = true;
      else
        push_component(from_place.node);
      return true;
    }
    if (!kMust && reached.size() > kMostReached && everywhere(stream)) {
      in_all[i] = true;
      return true;
    }
    Passing<kMust> policy{*this, lower_spread, upper_spread, d, known_by_hand[d], reached};
    // Known nowhere, and nothing in the way: it goes everywhere, unless it stays inside a hosted bridge.
    const BridgeId first = forest[from_place.node].bridge;
    const bool stays = first == forest[to_place.node].bridge && m[first].kind == BridgeKind::kHostedBridge;
    if (nowhere(kMust ? upper : lower, d) && !known_by_hand[d] && everywhere(stream) && plain(stream) &&
        !stays) {
      in_all[i] = true;
      return true;
    }
    if (kMust && reached.size() > kMostReached) return plain(stream);
    return Walk(m, forest, policy).unicast(from_place, to_place);
  }

  static bool nowhere(const Supports& supports, std::uint32_t d) {
    return supports.of(d).empty() && supports.everywhere[d].count == 0;
  }

  void push_component(NodeIndex n) {
    const Component& component = forest.components()[forest[n].component];
    for (NodeIndex i = component.first; i < component.end; ++i) {
      if (learns(i)) reached.push_back(i);
    }
  }

  // What the walks have shown, by address.
  Supports gather(bool must) {
    Supports result;
    result.first.assign(m.stations.size() + 1, 0);
    result.everywhere.assign(m.stations.size(), {});
    std::vector<std::uint32_t> stamp(forest.tables(), kNone), slot(forest.tables(), 0);
    for (std::uint32_t a = 0; a < m.stations.size(); ++a) {
      result.first[a] = result.items.size();
      if (address[a] != a || (must && doubtful[a])) continue;
      for (const std::uint32_t i : from.of(a)) {
        const Stream& stream = streams.list[i];
        const bool certain = must && stream.gap != base::kNever;
        if (must && !certain) continue;
        if (in_all[i]) add(result.everywhere[a], stream, i, certain);
        for (std::size_t r = reach_begin[i]; r < reach_end[i]; ++r) {
          const std::uint32_t table = forest[reached[r]].table;
          if (stamp[table] != a) {
            stamp[table] = a;
            slot[table] = static_cast<std::uint32_t>(result.items.size() - result.first[a]);
            result.items.push_back({table, {}});
          }
          Support& support = result.items[result.first[a] + slot[table]].support;
          // A stream that passes a bridge in two VLANs supports it once.
          if (support.count > 0 && support.stream == i) continue;
          add(support, stream, i, certain);
        }
      }
      std::sort(result.items.begin() + static_cast<std::ptrdiff_t>(result.first[a]), result.items.end(),
                [](const Item& x, const Item& y) { return x.table < y.table; });
    }
    result.first[m.stations.size()] = result.items.size();
    return result;
  }

  // ------------------------------------------------------------ the rounds

  void solve() {
    const auto& list = streams.list;
    doubtful_flow.assign(m.flows.size(), false);
    for (const Stream& s : list) {
      if (s.flow.valid() && s.to.valid() && m[s.flow].kind == model::FlowKind::kTcp &&
          (doubtful[address[s.from.index()]] || doubtful[address[s.to.index()]]))
        doubtful_flow[s.flow.index()] = true;
    }
    overfull.assign(m.bridges.size(), false);
    for (std::uint32_t t = 0; t < forest.tables(); ++t) {
      const Duration ageing = m[forest.table_bridge(t)].ageing;
      in_time.push_back(ageing - tolerance(ageing));
    }
    start(list.size());
    run_rounds();
    // Tables that the settled state does not fit into hold nothing for certain.
    bool again = false;
    count_addresses();
    for (std::uint32_t b = 0; b < m.bridges.size(); ++b) {
      if (m.bridges[b].table_size != 0 && possible_addresses[b] > m.bridges[b].table_size)
        overfull[b] = again = true;
    }
    if (again) {
      start(list.size());
      run_rounds();
      count_addresses();
    }
  }

  void start(std::size_t count) {
    lower = {};
    lower.first.assign(m.stations.size() + 1, 0);
    lower.everywhere.assign(m.stations.size(), {});
    upper = lower;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t a = address[streams.list[i].from.index()];
      if (forest.place(streams.list[i].from).node != kNone) upper.everywhere[a].count = 1;
    }
    delivered_surely.assign(count, false);
    delivered_maybe.assign(count, true);
    for (std::uint32_t i = 0; i < count; ++i) {
      const Stream& s = streams.list[i];
      delivered_surely[i] = plain(s) && !broken(s) && !doubtful[address[s.from.index()]] &&
                            !(s.to.valid() && doubtful[address[s.to.index()]]);
    }
  }

  void run_rounds() {
    for (rounds = 1; rounds <= kMostRounds; ++rounds) {
      const std::size_t before[] = {lower.size(), upper.size()};
      const auto surely = delivered_surely, maybe = delivered_maybe;
      sent_surely = sent(delivered_surely, true);
      walk_all<true>(sent_surely, delivered_surely);
      lower = gather(true);
      sent_maybe = sent(delivered_maybe, false);
      walk_all<false>(sent_maybe, delivered_maybe);
      upper = gather(false);
      if (rounds > 1 && lower.size() == before[0] && upper.size() == before[1] &&
          surely == delivered_surely && maybe == delivered_maybe)
        return;
    }
  }

  // What answers a station whose address is also another's may go to the other: it may find nobody by ARP,
  // and a TCP connection with it may not come about.
  bool unanswered(const Stream& s) const {
    return (s.to.valid() && doubtful[address[s.from.index()]]) ||
           (s.flow.valid() && doubtful_flow[s.flow.index()]);
  }

  std::vector<bool> sent(const std::vector<bool>& delivered, bool must) const {
    std::vector<bool> result(streams.list.size(), true);
    for (std::size_t i = 0; i < result.size(); ++i) {
      const Stream& s = streams.list[i];
      if (must && (s.gap == base::kNever || unanswered(s))) result[i] = false;
      if (s.after != kNone)
        result[i] = result[i] && result[s.after] && (!s.on_delivery || delivered[s.after]);
    }
    return result;
  }

  // How many addresses each bridge can, and must, have in its tables.
  void count_addresses() {
    possible_addresses = count(upper, false);
    certain_addresses = count(lower, true);
  }
  std::vector<std::size_t> count(const Supports& supports, bool certainly) const {
    std::vector<std::size_t> counts(m.bridges.size(), 0), everywhere(forest.components().size(), 0);
    std::vector<Duration> shortest(forest.components().size(), base::kNever);
    for (NodeIndex n = 0; n < forest.nodes().size(); ++n) {
      Duration& least = shortest[forest[n].component];
      if (learns(n)) least = std::min(least, in_time[forest[n].table]);
    }
    for (std::uint32_t a = 0; a < m.stations.size(); ++a) {
      for (const Item& item : supports.of(a)) {
        if (!certainly || item.support.gap < in_time[item.table])
          ++counts[forest.table_bridge(item.table).index()];
      }
      if (supports.everywhere[a].count == 0) continue;
      const std::uint32_t c = forest[forest.place(StationId(holder[a])).node].component;
      if (!certainly || supports.everywhere[a].gap < shortest[c]) ++everywhere[c];
    }
    for (NodeIndex n = 0; n < forest.nodes().size(); ++n)
      counts[forest[n].bridge.index()] += everywhere[forest[n].component];
    return counts;
  }

  // ------------------------------------------------------------ answers

  const Item* find(const Supports& supports, std::uint32_t a, std::uint32_t table) const {
    const auto items = supports.of(a);
    const auto it = std::ranges::lower_bound(items, table, {}, &Item::table);
    return it != items.end() && it->table == table ? &*it : nullptr;
  }

  // What can support it, with what certainly does.
  Support support(NodeIndex n, std::uint32_t a) const {
    const std::uint32_t table = forest[n].table;
    Support result;
    const auto join = [&](const Supports& supports, bool certain) {
      const auto merge = [&](const Support& s) {
        if (certain) {
          if (s.gap < result.gap) {
            result.gap = s.gap;
            result.stream = s.stream;
          }
          result.least = std::max(result.least, s.least);
        } else {
          if (result.count == 0) result.stream = s.stream;
          result.most += s.most;
          result.count += s.count;
        }
      };
      if (const Item* item = find(supports, a, table)) merge(item->support);
      if (supports.everywhere[a].count > 0) merge(supports.everywhere[a]);
    };
    join(upper, false);
    join(lower, true);
    return result;
  }

  Presence presence(NodeIndex n, PortId toward_port, std::uint32_t a) const {
    if (known_by_hand[a] && is_static(n, a)) return {1, 1, kNone};
    if (!learns(n) || !m[toward_port].learning) return {0, 0, kNone};
    if (doubtful[a]) return {0, 1, kNone};
    const Support s = support(n, a);
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

  const Model& m;
  Forest forest;
  Streams streams;
  std::vector<std::uint32_t> address;  // of each station: the first station with its MAC
  std::vector<std::uint32_t> holders;  // by address: plugged stations that have it
  std::vector<bool> doubtful;          // by address
  std::vector<bool> doubtful_flow;     // TCP from or to such an address, on any of its hops
  struct Static {
    std::uint32_t address;
    std::uint16_t vlan;
    PortId port;
  };
  std::vector<std::vector<Static>> statics;  // by bridge
  std::vector<bool> known_by_hand;           // by address: some bridge has a static entry for it
  Lists to, from;                            // streams by address
  std::vector<bool> overfull;
  Supports lower, upper;              // by what is certain, and by what is possible
  std::vector<Duration> in_time;      // by table: a shorter gap keeps an entry
  std::vector<std::uint32_t> holder;  // by address: a plugged station that has it
  std::vector<bool> sent_surely, sent_maybe, delivered_surely, delivered_maybe;
  std::vector<std::size_t> possible_addresses, certain_addresses;
  int rounds = 0;

 private:
  Spread lower_spread, upper_spread;
  std::vector<std::size_t> reach_begin, reach_end;
  std::vector<bool> in_all;
  std::vector<NodeIndex> reached;
};

Learning::Learning(const Model& model, Time when) {
  Forest forest(model);
  Streams streams = streams_of(model, forest, when);
  state_ = std::make_unique<State>(model, std::move(streams), std::move(forest));
}
Learning::Learning(const Model& model, std::vector<Stream> streams)
    : state_(std::make_unique<State>(model, Streams{std::move(streams), {}, {}}, Forest(model))) {}
Learning::~Learning() = default;
Learning::Learning(Learning&&) noexcept = default;

const Model& Learning::model() const { return state_->m; }
const Forest& Learning::forest() const { return state_->forest; }
const std::vector<Stream>& Learning::streams() const { return state_->streams.list; }
const Streams& Learning::all_streams() const { return state_->streams; }
std::span<const std::uint32_t> Learning::streams_to(StationId station) const {
  return state_->to.of(state_->address[station.index()]);
}
std::span<const std::uint32_t> Learning::streams_from(StationId station) const {
  return state_->from.of(state_->address[station.index()]);
}
Presence Learning::presence(NodeIndex node, PortId toward, StationId station) const {
  return state_->presence(node, toward, state_->address[station.index()]);
}
Support Learning::support(NodeIndex node, StationId station) const {
  return state_->support(node, state_->address[station.index()]);
}
bool Learning::doubtful(StationId station) const {
  return state_->doubtful[state_->address[station.index()]];
}
bool Learning::certain(std::uint32_t stream) const { return state_->sent_surely[stream]; }
bool Learning::possible(std::uint32_t stream) const { return state_->sent_maybe[stream]; }
bool Learning::overfull(BridgeId bridge) const { return state_->overfull[bridge.index()]; }
std::size_t Learning::addresses(BridgeId bridge) const { return state_->possible_addresses[bridge.index()]; }
std::size_t Learning::certain_addresses(BridgeId bridge) const {
  return state_->certain_addresses[bridge.index()];
}
int Learning::rounds() const { return state_->rounds; }

Model model_at(const Model& model, Time when) {
  Model result = model;
  result.changes.clear();
  for (const model::Change& change : model.changes) {
    if (change.at > when) continue;
    if (const auto* start = std::get_if<model::StartMachine>(&change.what)) {
      result[start->machine].running = true;
    } else if (const auto* stop = std::get_if<model::StopMachine>(&change.what)) {
      result[stop->machine].running = false;
    } else if (const auto* link = std::get_if<model::SetLink>(&change.what)) {
      result[link->link].up = link->up;
    } else if (const auto* move = std::get_if<model::MigrateMachine>(&change.what)) {
      for (const auto& [station, port] : move->moves) {
        result[result[result[station].port].link].up = false;
        result[result[station].port].station = {};
        result[station].port = port;
        result[port].station = station;
        result[result[port].link].up = true;
      }
    } else if (const auto* set = std::get_if<model::SetBridge>(&change.what)) {
      model::Bridge& bridge = result[set->bridge];
      switch (set->option) {
        case model::BridgeOption::kAgeing:
          bridge.ageing = Duration{set->value};
          break;
        case model::BridgeOption::kLearning:
          bridge.learning = set->value != 0;
          break;
        case model::BridgeOption::kTableSize:
          bridge.table_size = static_cast<std::uint32_t>(set->value);
          break;
        case model::BridgeOption::kFiltersLocal:
          bridge.filters_local = set->value != 0;
          break;
        case model::BridgeOption::kStp:
          bridge.stp = set->value != 0;
          break;
      }
    }
  }
  return result;
}

}  // namespace sekimori::check
