#include "check/learning.h"

#include "check/tunnels.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "check/walk.h"

namespace sekimori::check {

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
  friend bool operator==(const Item&, const Item&) = default;
};

// What supports the entries of every address: table by table, and everywhere in the address's component at
// once.
struct Supports {
  std::vector<std::size_t> first;  // by address, into items
  std::vector<Item> items;         // one for each table
  std::vector<Support> everywhere;
  std::span<const Item> of(std::uint32_t address) const {
    return {items.data() + first[address], first[address + 1] - first[address]};
  }
  void clear(std::size_t addresses) {
    first.assign(addresses + 1, 0);
    items.clear();
    everywhere.assign(addresses, {});
  }
};

// One more support. `refreshes` a second are certain; 0 when it is only possible.
void add(Support& support, const Stream& stream, std::uint32_t index, double refreshes) {
  if (refreshes > 0 && stream.gap < support.gap) {
    support.gap = stream.gap;
    support.stream = index;
  }
  support.least = std::max(support.least, refreshes);
  support.most += stream.most;
  if (support.count++ == 0 && support.stream == kNone) support.stream = index;
}

}  // namespace

class Learning::State {
 public:
  State(const Model& model, Streams all, Forest trees)
      : m(model),
        forest(std::move(trees)),
        registrations(m, forest),
        groups(m, forest),
        streams(std::move(all)) {
    address_everyone();
    doubt();
    const auto& list = streams.list;
    to = Lists::by(m.stations.size(), list.size(),
                   [&](std::uint32_t i) { return list[i].to.valid() ? address[list[i].to.index()] : kNone; });
    from = Lists::by(m.stations.size(), list.size(), [&](std::uint32_t i) { return source(list[i]); });
    solve();
  }

  // ------------------------------------------------------------ who is who

  // The address that a stream's frames teach. What they teach of stations that hide theirs nobody asks for.
  std::uint32_t source(const Stream& stream) const {
    return m[stream.from].hides_its_mac() ? kNone : address[stream.from.index()];
  }

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
      // The members of a cluster hide their common address, so that no table can confuse them.
      const bool hidden = m.stations[s].hides_its_mac() && m.stations[one].hides_its_mac();
      if (one != s && !hidden && may_meet(StationId(one), StationId(s))) doubtful[address[s]] = true;
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

  bool learns(NodeIndex n) const { return forest[n].learns; }
  // An entry for what comes in at that port can be made.
  bool learns_at(NodeIndex n, PortId port) const {
    return forest[n].learns && (forest[n].ports_learn || m[port].learning);
  }

  // ------------------------------------------------------------ one half-round

  bool broken(const Stream& stream) const {
    const NodeIndex n = forest.place(stream.from).node;
    return n != kNone && forest.components()[forest[n].component].broken();
  }
  bool plain(const Stream& stream) const {
    const NodeIndex n = forest.place(stream.from).node;
    if (n == kNone) return true;
    const Component& component = forest.components()[forest[n].component];
    return component.plain && !component.bends;
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
      const bool able = s.learns_at(n, toward);
      const std::uint32_t table = s.forest[n].table;
      const bool certainly = able && s.has(lower, table) && !s.overfull[s.forest[n].bridge.index()];
      const bool possibly = able && s.has(upper, table);
      present = kMust ? certainly : possibly;
      return arriving && (kMust ? !possibly : !certainly);
    }
    bool wanted(bool arriving, bool, bool floods) const { return arriving && (floods || present); }
    void arrives(NodeIndex n, PortId in, bool, bool, bool taught) {
      if (taught && s.learns_at(n, in)) reached.push_back(n);
    }
    void leaves(NodeIndex, PortId, bool, bool) {}
    void floods(NodeIndex, PortId, PortId, bool, bool) {}
    void turns_off(NodeIndex, PortId) {}
  };

  // Where the streams' frames pass, as far as it makes entries: one half of the analysis. Kept from round to
  // round; only streams to addresses of which something new is known are walked again.
  struct Range {
    std::uint32_t begin = 0, end = 0;
  };
  struct Half {
    std::uint32_t mark() const { return static_cast<std::uint32_t>(reached.size()); }
    std::vector<bool> sent, delivered;  // by stream: surely, or possibly
    std::vector<Range> reach;           // by stream: what of `reached` is its
    std::vector<bool> everywhere;       // in the whole component
    std::vector<NodeIndex> reached;
    std::vector<bool> stale;    // by destination: to be walked (again)
    std::vector<bool> touched;  // by source: some stream of it was
    bool stale_broadcasts = true;
  };

  // Streams of one address lie anywhere in a list of millions; waiting for memory would take most of the
  // time.
  void fetch_soon(const Half& half, const Lists& lists, const std::uint32_t* now) const {
    constexpr std::ptrdiff_t kAhead = 8, kFurther = 4;
    const std::uint32_t* const end = lists.items.data() + lists.items.size();
    if (end - now > kAhead) {
      __builtin_prefetch(&streams.list[now[kAhead]]);
      __builtin_prefetch(&half.reach[now[kAhead]], 1);
    }
    if (end - now > kFurther && &lists == &from)
      __builtin_prefetch(half.reached.data() + half.reach[now[kFurther]].begin);
    if (end - now > kFurther && &lists == &to)
      __builtin_prefetch(&forest.place(streams.list[now[kFurther]].from));
  }

  template <bool kMust>
  void walk(Half& half) {
    const auto& list = streams.list;
    half.touched.assign(m.stations.size(), false);
    for (std::uint32_t i = 0; i < list.size(); ++i) {
      if (list[i].to.valid() || !half.stale_broadcasts || source(list[i]) == kNone) continue;
      half.touched[source(list[i])] = true;
      half.reach[i].begin = half.mark();
      if (half.sent[i] && !broken(list[i])) walk_broadcast<kMust>(half, i);
      half.reach[i].end = half.mark();
    }
    half.stale_broadcasts = false;
    for (std::uint32_t d = 0; d < m.stations.size(); ++d) {
      if (!half.stale[d]) continue;
      half.stale[d] = false;
      load(lower_spread, lower, d, true);
      load(upper_spread, upper, d, false);
      for (const std::uint32_t& i : to.of(d)) {
        fetch_soon(half, to, &i);
        if (source(list[i]) != kNone) half.touched[source(list[i])] = true;
        half.reach[i].begin = half.mark();
        half.everywhere[i] = false;
        if (half.sent[i] && !broken(list[i])) half.delivered[i] = walk_unicast<kMust>(half, i, d);
        half.reach[i].end = half.mark();
      }
    }
  }

  template <bool kMust>
  void walk_broadcast(Half& half, std::uint32_t i) {
    const Stream& stream = streams.list[i];
    if (forest.place(stream.from).node == kNone) return;
    if (!is_snooped(stream) && has_one_holder(stream) && (!kMust || plain(stream))) {
      half.everywhere[i] = true;
      return;
    }
    if (kMust && half.reached.size() > kMostReached) return;
    Passing<kMust> policy{*this, lower_spread, upper_spread, kNone, false, half.reached};
    Walk walk(m, forest, registrations, policy);
    if (is_snooped(stream))
      walk.to_groups(stream, groups);
    else
      walk.broadcast(stream.from, is_arp(stream));
  }

  // Returns whether its frames surely, or possibly, arrive.
  template <bool kMust>
  bool walk_unicast(Half& half, std::uint32_t i, std::uint32_t d) {
    const Stream& stream = streams.list[i];
    const Place &from_place = forest.place(stream.from), &to_place = forest.place(stream.to);
    if (from_place.node == kNone || to_place.node == kNone) return true;
    if (doubtful[d]) {
      if (kMust) {
        if (learns_at(from_place.node, from_place.port)) half.reached.push_back(from_place.node);
        return false;
      }
      take_everything(half, i);
      return true;
    }
    // Known nowhere, and nothing in the way: it goes everywhere, unless it stays inside a virtual switch.
    const Node& first = forest[from_place.node];
    const bool stays = first.bridge == forest[to_place.node].bridge && switching::registers(first.kind);
    if (nowhere(kMust ? upper : lower, d) && !known_by_hand[d] && has_one_holder(stream) && plain(stream) &&
        !stays) {
      half.everywhere[i] = true;
      return true;
    }
    if (half.reached.size() > kMostReached) {
      if (!kMust) take_everything(half, i);
      return !kMust || plain(stream);
    }
    Passing<kMust> policy{*this, lower_spread, upper_spread, d, known_by_hand[d], half.reached};
    return Walk(m, forest, registrations, policy).unicast(stream.from, stream.to, is_arp(stream));
  }

  // `everywhere` stands for an address in its whole component; of addresses with several holders all is
  // written out.
  bool has_one_holder(const Stream& stream) const { return holders[address[stream.from.index()]] == 1; }

  void take_everything(Half& half, std::uint32_t i) const {
    const Stream& stream = streams.list[i];
    if (has_one_holder(stream)) {
      half.everywhere[i] = true;
      return;
    }
    const Component& component = forest.components()[forest[forest.place(stream.from).node].component];
    for (NodeIndex n = component.first; n < component.end; ++n) {
      if (learns(n)) half.reached.push_back(n);
    }
  }

  static bool nowhere(const Supports& supports, std::uint32_t d) {
    return supports.of(d).empty() && supports.everywhere[d].count == 0;
  }

  // What the walks have shown, by address: of addresses that were not touched, what was known before.
  // `changed` tells of which addresses it is something new.
  Supports gather(const Half& half, bool must, const Supports& before, std::vector<bool>& changed) const {
    Supports result;
    result.clear(m.stations.size());
    result.items.reserve(before.items.size());
    changed.assign(m.stations.size(), false);
    std::vector<std::uint32_t> stamp(forest.tables(), kNone), slot(forest.tables(), 0),
        last(forest.tables(), kNone);
    for (std::uint32_t a = 0; a < m.stations.size(); ++a) {
      const std::size_t first = result.first[a] = result.items.size();
      if (!half.touched[a]) {
        const auto known = before.of(a);
        result.items.insert(result.items.end(), known.begin(), known.end());
        result.everywhere[a] = before.everywhere[a];
        continue;
      }
      for (const std::uint32_t& i : from.of(a)) {
        fetch_soon(half, from, &i);
        const Stream& stream = streams.list[i];
        if (!half.sent[i] || (must && doubtful[a])) continue;
        // Not the rate: frames that come in bursts keep an entry no longer than one of them.
        const double refreshes = must ? 1 / base::to_seconds(stream.gap) : 0;
        if (half.everywhere[i]) add(result.everywhere[a], stream, i, refreshes);
        for (std::uint32_t r = half.reach[i].begin; r < half.reach[i].end; ++r) {
          const std::uint32_t table = forest[half.reached[r]].table;
          if (stamp[table] != a) {
            stamp[table] = a;
            slot[table] = static_cast<std::uint32_t>(result.items.size() - first);
            result.items.push_back({table, {}});
          } else if (last[table] == i) {
            continue;  // in two VLANs of one table
          }
          last[table] = i;
          add(result.items[first + slot[table]].support, stream, i, refreshes);
        }
      }
      const auto known = before.of(a);
      changed[a] = result.everywhere[a] != before.everywhere[a] ||
                   !std::equal(known.begin(), known.end(),
                               result.items.begin() + static_cast<std::ptrdiff_t>(first), result.items.end());
    }
    result.first[m.stations.size()] = result.items.size();
    return result;
  }

  // ------------------------------------------------------------ the rounds

  void solve() {
    doubtful_flow.assign(m.flows.size(), false);
    for (const Stream& s : streams.list) {
      if (s.flow.valid() && s.to.valid() && m[s.flow].kind == model::FlowKind::kTcp &&
          (doubtful[address[s.from.index()]] || doubtful[address[s.to.index()]]))
        doubtful_flow[s.flow.index()] = true;
    }
    overfull.assign(m.bridges.size(), false);
    for (std::uint32_t t = 0; t < forest.tables(); ++t) {
      const Duration ageing = m[forest.table_bridge(t)].ageing;
      in_time.push_back(ageing - tolerance(ageing));
    }
    start();
    run_rounds();
    // Tables that the settled state does not fit into hold nothing for certain.
    bool again = false;
    count_addresses();
    for (std::uint32_t b = 0; b < m.bridges.size(); ++b) {
      if (m.bridges[b].table_size != 0 && possible_addresses[b] > m.bridges[b].table_size)
        overfull[b] = again = true;
    }
    if (again) {
      start();
      run_rounds();
      count_addresses();
    }
  }

  void start() {
    const std::size_t count = streams.list.size();
    lower.clear(m.stations.size());
    upper.clear(m.stations.size());
    for (const Stream& stream : streams.list) {
      if (forest.place(stream.from).node != kNone && source(stream) != kNone)
        upper.everywhere[source(stream)].count = 1;
    }
    for (Half* half : {&surely, &maybe}) {
      *half = {};
      half->delivered.assign(count, true);
      half->reach.assign(count, {});
      half->everywhere.assign(count, false);
      half->stale.assign(m.stations.size(), false);
      for (const Stream& stream : streams.list) {
        if (stream.to.valid()) half->stale[address[stream.to.index()]] = true;
      }
      half->sent = sent(*half, half == &surely);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Stream& s = streams.list[i];
      surely.delivered[i] = plain(s) && !broken(s) && !doubtful[address[s.from.index()]] &&
                            !(s.to.valid() && doubtful[address[s.to.index()]]);
    }
    surely.sent = sent(surely, true);
  }

  void run_rounds() {
    for (rounds = 1; rounds <= kMostRounds; ++rounds) {
      const bool first = step<true>(surely, lower), second = step<false>(maybe, upper);
      if (!first && !second) return;
    }
  }

  // Walks what is to be walked and takes in what that shows. False when there is nothing new.
  template <bool kMust>
  bool step(Half& half, Supports& supports) {
    walk<kMust>(half);
    std::vector<bool> changed;
    Supports after = gather(half, kMust, supports, changed);
    supports = std::move(after);
    bool news = false;
    for (std::uint32_t a = 0; a < m.stations.size(); ++a) {
      if (!changed[a]) continue;
      news = true;
      if (to.of(a).empty()) continue;
      // Where nothing is in the way, what certainly is there bounds what possibly passes, and the other way
      // round.
      (kMust ? maybe : surely).stale[a] = true;
      if (!in_plain(a)) half.stale[a] = true;
    }
    // Streams that are now known to be sent, or not to be.
    const std::vector<bool> now = sent(half, kMust);
    for (std::uint32_t i = 0; i < now.size(); ++i) {
      if (now[i] == half.sent[i]) continue;
      news = true;
      const Stream& stream = streams.list[i];
      if (stream.to.valid())
        half.stale[address[stream.to.index()]] = true;
      else
        half.stale_broadcasts = true;
    }
    half.sent = now;
    return news;
  }

  bool in_plain(std::uint32_t a) const {
    const NodeIndex n = holder[a] == kNone ? kNone : forest.place(StationId(holder[a])).node;
    return holders[a] == 1 && n != kNone && forest.components()[forest[n].component].plain;
  }

  // What answers a station whose address is also another's may go to the other: it may find nobody by ARP,
  // and a TCP connection with it may not come about.
  bool unanswered(const Stream& s) const {
    return (s.to.valid() && doubtful[address[s.from.index()]]) ||
           (s.flow.valid() && doubtful_flow[s.flow.index()]);
  }

  // The streams that certainly, or possibly, are sent: what answers is sent when what it answers arrives.
  std::vector<bool> sent(const Half& half, bool must) const {
    std::vector<bool> result(streams.list.size(), true);
    for (std::size_t i = 0; i < result.size(); ++i) {
      const Stream& s = streams.list[i];
      if (must && (s.gap == base::kNever || unanswered(s))) result[i] = false;
      if (s.after != kNone)
        result[i] = result[i] && result[s.after] && (!s.on_delivery || half.delivered[s.after]);
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
  static const Item* find(const Supports& supports, std::uint32_t a, std::uint32_t table) {
    const auto items = supports.of(a);
    const auto it = std::ranges::find(items, table, &Item::table);
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
    const Item* possible = find(upper, a, forest[n].table);
    const Item* certain = find(lower, a, forest[n].table);
    return join(possible != nullptr ? &possible->support : nullptr, upper.everywhere[a],
                certain != nullptr ? &certain->support : nullptr, lower.everywhere[a]);
  }

  template <class Supporting>
  Presence presence(NodeIndex n, PortId toward_port, std::uint32_t a, Supporting supporting) const {
    if (known_by_hand[a] && is_static(n, a)) return {1, 1, kNone};
    if (!learns_at(n, toward_port)) return {0, 0, kNone};
    if (doubtful[a]) return {0, 1, kNone};
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

  const Model& m;
  Forest forest;
  Registrations registrations;
  Groups groups;
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
  Half surely, maybe;
  std::vector<std::size_t> possible_addresses, certain_addresses;
  int rounds = 0;

 private:
  Spread lower_spread, upper_spread;
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
  return state_->to.of(state_->address[station.index()]);
}
std::span<const std::uint32_t> Learning::streams_from(StationId station) const {
  return state_->from.of(state_->address[station.index()]);
}
Presence Learning::presence(NodeIndex node, PortId toward, StationId station) const {
  const std::uint32_t a = state_->address[station.index()];
  return state_->presence(node, toward, a, [&] { return state_->support(node, a); });
}
std::span<const std::uint32_t> Learning::streams_by_destination() const { return state_->to.items; }
Support Learning::support(NodeIndex node, StationId station) const {
  return state_->support(node, state_->address[station.index()]);
}
bool Learning::doubtful(StationId station) const {
  return state_->doubtful[state_->address[station.index()]];
}
bool Learning::certain(std::uint32_t stream) const { return state_->surely.sent[stream]; }
bool Learning::possible(std::uint32_t stream) const { return state_->maybe.sent[stream]; }
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
  const std::uint32_t a = state_.address[station.index()];
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
