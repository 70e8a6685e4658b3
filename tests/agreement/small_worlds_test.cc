// The learning analysis and the load model against the naive judges (naive.h): all small worlds, and a seeded
// sample of larger ones.
//
// Exhaustive, up to the exchange of stations at one bridge and the mirror image: trees of 1 to 3 bridges with
// up to 3 stations, every ordered pair and every broadcast each with no stream, one within the ageing time or
// one beyond it. With 4 stations every set of ordered pairs and every pace of each station. The sample adds
// more bridges and stations, unlike ageing times, VLANs, hubs, bridges and ports that do not learn, and ports
// that block unknown unicast.
//
// With SEKIMORI_SMALL_WORLDS=N, N > 1, stations send at mixed paces in the worlds of 4, too (two million of
// them), and the sample is N times as large.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/random.h"
#include "load/load.h"
#include "model/builder.h"
#include "naive.h"

namespace sekimori::agreement {
namespace {

using base::seconds;
using model::BridgeId;
using model::Model;
using model::StationId;

std::uint64_t effort() {
  const char* more = std::getenv("SEKIMORI_SMALL_WORLDS");
  return more != nullptr ? std::strtoull(more, nullptr, 10) : 1;
}

// ---------------------------------------------------------------- the judgement

struct Tally {
  std::uint64_t worlds = 0, runs = 0, always = 0, never = 0, open = 0, lanes = 0, decided = 0;
  void print(const std::string& title) const {
    fmt::print("{}: {} worlds, {} runs; entries: {} always, {} never, {} open; lanes: {} of {} decided\n",
               title, worlds, runs, always, never, open, decided, lanes);
    testing::Test::RecordProperty("worlds", std::to_string(worlds));
    testing::Test::RecordProperty("decided", std::to_string(decided));
    testing::Test::RecordProperty("lanes", std::to_string(lanes));
  }
};

std::string describe(const Model& m, const std::vector<NaiveStream>& streams) {
  std::string text;
  for (const model::Link& link : m.links)
    text += fmt::format("  {} - {}\n", name_of(m, link.a), name_of(m, link.b));
  for (const model::Bridge& bridge : m.bridges) {
    text += fmt::format("  {} {} ageing {}{}{}\n", bridge.name, to_text(bridge.kind),
                        base::to_text(bridge.ageing), bridge.learning ? "" : " learning off",
                        bridge.vlan_aware ? " vlan-aware" : "");
    for (const model::PortId id : bridge.ports) {
      const model::Port& port = m[id];
      text += fmt::format("    {} pvid {} tagged {} learning {} flood {}\n", port.name, port.pvid,
                          m.vlan_sets[port.tagged_vlans].count(), port.learning, port.floods_unknown);
    }
  }
  for (const NaiveStream& s : streams) {
    text += fmt::format("  {} -> {} every {} from {}\n", name_of(m, s.from),
                        s.to.valid() ? name_of(m, s.to) : "all", s.gap, s.phase);
  }
  return text;
}

std::vector<check::Stream> for_check(const std::vector<NaiveStream>& streams) {
  std::vector<check::Stream> list;
  for (const NaiveStream& s : streams) {
    const double rate = 1 / static_cast<double>(s.gap);
    list.push_back(
        {.from = s.from, .to = s.to, .gap = seconds(s.gap), .least = rate, .most = rate, .flow = {}});
  }
  return list;
}

class Judge {
 public:
  Judge(const Model& m, const std::vector<NaiveStream>& streams, Tally& tally)
      : m_(m), streams_(streams), learning_(m, for_check(streams)), tally_(tally) {
    ++tally_.worlds;
    const check::Forest& forest = learning_.forest();
    for (check::NodeIndex n = 0; n < forest.nodes().size(); ++n) {
      for (std::size_t s = 0; s < m.stations.size(); ++s) {
        const StationId station(s);
        const check::Place& place = forest.place(station);
        if (place.node == check::kNone || forest[place.node].component != forest[n].component) continue;
        const BridgeId bridge = forest[n].bridge;
        const auto p = learning_.presence(n, port_toward(m, bridge, station), station);
        const Entry entry{bridge, m[bridge].vlan_aware ? forest[n].vlan : std::uint16_t{0}, m[station].mac};
        (p.always() ? always_ : p.never() ? never_ : open_).insert(entry);
      }
    }
    tally_.always += always_.size();
    tally_.never += never_.size();
    tally_.open += open_.size();
  }

  // What is certain is exactly what follows from the definition.
  std::string fixed_point() const {
    const FixedPoint point = naive_fixed_point(m_, streams_);
    for (const Entry& e : always_)
      if (!point.lower.contains(e)) return "always, but not in L: " + name(e);
    for (const Entry& e : never_)
      if (point.upper.contains(e)) return "never, but in U: " + name(e);
    for (const Entry& e : open_) {
      if (point.lower.contains(e)) return "open, but in L: " + name(e);
      if (!point.upper.contains(e)) return "open, but not in U: " + name(e);
    }
    for (const Entry& e : point.upper)
      if (!always_.contains(e) && !open_.contains(e)) return "in U, but nothing is said of it: " + name(e);
    return "";
  }

  // What is certain is so at every tick, and what a lane is said to carry in the long run it carries.
  std::string played(const std::vector<std::int64_t>& phases, bool know_everyone) {
    ++tally_.runs;
    std::vector<NaiveStream> streams = streams_;
    std::int64_t period = 1, gap = 1, ageing = 1;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      streams[i].phase = phases[i] % streams[i].gap;
      period = std::lcm(period, streams[i].gap);
      gap = std::max(gap, streams[i].gap);
    }
    for (std::size_t b = 0; b < m_.bridges.size(); ++b)
      ageing = std::max(ageing, ageing_ticks(m_, BridgeId(b)));
    TickSimulator simulator(m_, std::move(streams));
    if (know_everyone) simulator.know_everyone();
    for (std::int64_t t = (learning_.rounds() + 1) * (gap + ageing); t > 0; --t) simulator.tick();
    const auto before = simulator.lanes();
    const std::int64_t window = period * ((20 + period - 1) / period);
    for (std::int64_t t = 0; t < window; ++t) {
      for (const Entry& e : always_)
        if (!simulator.knows(e)) return fmt::format("always, but absent after {} ticks: {}", t, name(e));
      simulator.tick();
      for (const Entry& e : never_)
        if (simulator.knew(e)) return fmt::format("never, but present after {} ticks: {}", t, name(e));
    }
    return compare_lanes(before, simulator.lanes(), static_cast<double>(window));
  }

 private:
  std::string compare_lanes(const std::vector<TickSimulator::Lane>& before,
                            const std::vector<TickSimulator::Lane>& after, double window) {
    if (load_.lanes.empty()) load_ = load::work_out(learning_);
    for (std::size_t l = 0; l < after.size(); ++l) {
      const auto flooded = static_cast<double>(after[l].flooded - before[l].flooded);
      const auto all = static_cast<double>(after[l].frames - before[l].frames);
      const load::Lane& lane = load_.lanes[l];
      load::Range sum = lane.wanted_frames;
      sum += lane.flooded_frames;
      for (const auto& [name, count, range] :
           {std::tuple("flooded", flooded, lane.flooded_frames), std::tuple("frames", all, sum)}) {
        // The window is a whole number of periods: what is decided is met to the frame. Where entries come
        // and go, a window may begin and end anywhere among them.
        const double slack = range.decided() ? 0.01 : 1 + static_cast<double>(streams_.size());
        ++tally_.lanes;
        tally_.decided += range.decided();
        if (count >= range.least * window - slack && count <= range.most * window + slack) continue;
        const model::Link& link = m_.links[l / 2];
        return fmt::format("{} from {} in {} ticks: played {}, worked out {}..{}", name,
                           name_of(m_, l % 2 == 0 ? link.a : link.b), window, count, range.least * window,
                           range.most * window);
      }
    }
    return "";
  }

  std::string name(const Entry& e) const {
    return fmt::format("{} vlan {} {}", name_of(m_, e.bridge), e.vlan, wire::to_text(e.mac));
  }

  const Model& m_;
  const std::vector<NaiveStream>& streams_;
  check::Learning learning_;
  load::Load load_;
  Tally& tally_;
  Entries always_, never_, open_;
};

// One world; a complaint, or nothing.
std::string judge(const Model& m, const std::vector<NaiveStream>& streams, base::Random& random, int runs,
                  Tally& tally) {
  Judge judge(m, streams, tally);
  const bool blocks = std::ranges::any_of(m.ports, [](const model::Port& p) { return !p.floods_unknown; });
  std::string complaint = blocks ? "" : judge.fixed_point();
  for (int run = 0; run < runs && complaint.empty(); ++run) {
    std::vector<std::int64_t> phases;
    for (std::size_t i = 0; i < streams.size(); ++i)
      phases.push_back(run == 0 ? 0 : static_cast<std::int64_t>(random.below(1000)));
    complaint = judge.played(phases, run % 2 == 1);
  }
  return complaint.empty() ? "" : complaint + "\n" + describe(m, streams);
}

// ---------------------------------------------------------------- small shapes

// A row of bridges, which every tree of up to three is, and how many stations each has.
using Shape = std::vector<int>;

Model model_of(const Shape& shape) {
  model::Builder builder(1);
  for (std::size_t b = 0; b < shape.size(); ++b) {
    const BridgeId bridge = *builder.add_bridge(fmt::format("b{}", b), model::BridgeKind::kSwitch);
    builder.model()[bridge].ageing = seconds(4);
    if (b > 0) {
      EXPECT_TRUE(builder.connect(builder.bridge_port(BridgeId(b - 1), "right"),
                                  builder.bridge_port(bridge, "left"), {}));
    }
  }
  int name = 0;
  for (std::size_t b = 0; b < shape.size(); ++b) {
    for (int s = 0; s < shape[b]; ++s, ++name) {
      const auto machine = *builder.add_machine(fmt::format("h{}", name), model::MachineKind::kHost);
      const auto station = *builder.add_station(machine, "eth0", std::nullopt, model::MacOrigin::kAllocated);
      EXPECT_TRUE(builder.connect(builder.wire_port(station),
                                  builder.bridge_port(BridgeId(b), fmt::format("h{}", name)), {}));
    }
  }
  return std::move(builder).finish();
}

// All, but one of each pair of mirror images.
std::vector<Shape> shapes(int stations) {
  std::vector<Shape> all;
  for (int a = 0; a <= stations; ++a) {
    for (int b = 0; a + b <= stations; ++b) {
      const int c = stations - a - b;
      if (a >= c) all.push_back({a, b, c});
    }
    if (a >= stations - a) all.push_back({a, stations - a});
  }
  all.push_back({stations});
  return all;
}

// For each ordered pair of stations, and (on the diagonal) each broadcast: 0 no stream, 1 a frequent one, 2 a
// rare one.
using Choice = std::vector<std::uint8_t>;

std::vector<NaiveStream> streams_of(const Choice& choice, std::size_t stations) {
  std::vector<NaiveStream> streams;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    if (choice[i] == 0) continue;
    const std::size_t from = i / stations, to = i % stations;
    streams.push_back({StationId(from), from == to ? StationId() : StationId(to), choice[i] == 1 ? 2 : 7});
  }
  return streams;
}

// The exchanges of stations that leave the shape as it is.
std::vector<std::vector<std::size_t>> symmetries(const Shape& shape, std::size_t stations) {
  std::vector<std::size_t> bridge;
  for (std::size_t b = 0; b < shape.size(); ++b)
    bridge.insert(bridge.end(), static_cast<std::size_t>(shape[b]), b);
  std::vector<std::size_t> order(stations);
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::vector<std::size_t>> result;
  do {
    bool same = true;
    for (std::size_t i = 0; i < stations; ++i) same &= bridge[i] == bridge[order[i]];
    if (same) result.push_back(order);
  } while (std::ranges::next_permutation(order).found);
  return result;
}

// Not the first of those that are the same but for the names.
bool seen_before(const Choice& choice, const std::vector<std::vector<std::size_t>>& orders,
                 std::size_t stations) {
  return std::ranges::any_of(orders, [&](const auto& order) {
    for (std::size_t i = 0; i < choice.size(); ++i) {
      const std::uint8_t other = choice[order[i / stations] * stations + order[i % stations]];
      if (other != choice[i]) return other < choice[i];
    }
    return false;
  });
}

// The next choice: counts in threes over the digits that may be other than 0.
bool advance(Choice& choice, std::size_t stations, bool broadcasts) {
  for (std::size_t i = 0; i < choice.size(); ++i) {
    if (!broadcasts && i / stations == i % stations) continue;
    choice[i] = static_cast<std::uint8_t>((choice[i] + 1) % 3);
    if (choice[i] != 0) return true;
  }
  return false;
}

// All that a station sends it sends at one pace.
bool even(const Choice& choice, std::size_t stations) {
  for (std::size_t from = 0; from < stations; ++from) {
    std::uint8_t all = 0;
    for (std::size_t to = 0; to < stations; ++to) all |= choice[from * stations + to];
    if (all == 3) return false;
  }
  return true;
}

std::string shape_name(const testing::TestParamInfo<Shape>& shape) {
  return fmt::format("{}", fmt::join(shape.param, "_"));
}

class AllWorlds : public testing::TestWithParam<Shape> {};

TEST_P(AllWorlds, Agree) {
  const Shape& shape = GetParam();
  const auto stations = static_cast<std::size_t>(std::accumulate(shape.begin(), shape.end(), 0));
  const bool few = stations < 4;
  const Model m = model_of(shape);
  const auto orders = symmetries(shape, stations);
  base::Random random(1);
  Tally tally;
  Choice choice(stations * stations, 0);
  do {
    if (!few && effort() == 1 && !even(choice, stations)) continue;
    if (seen_before(choice, orders, stations)) continue;
    const std::string complaint = judge(m, streams_of(choice, stations), random, few ? 3 : 2, tally);
    ASSERT_EQ(complaint, "");
  } while (advance(choice, stations, few));
  tally.print(fmt::format("bridges with {} stations", fmt::join(shape, ", ")));
}

std::vector<Shape> all_shapes() {
  std::vector<Shape> all;
  for (const int stations : {1, 2, 3, 4}) std::ranges::copy(shapes(stations), std::back_inserter(all));
  return all;
}
INSTANTIATE_TEST_SUITE_P(Small, AllWorlds, testing::ValuesIn(all_shapes()), shape_name);

// ---------------------------------------------------------------- a sample of larger ones

class Sampler {
 public:
  explicit Sampler(std::uint64_t seed) : random_(seed), builder_(seed) {}

  Model draw() {
    vlans_ = pick(3) == 0;
    const int bridges = 1 + pick(5), stations = 2 + pick(5);
    for (int b = 0; b < bridges; ++b) add_bridge(b);
    for (int s = 0; s < stations; ++s) add_station(s, bridges);
    Model& m = builder_.model();
    const bool blocks = pick(4) == 0;
    for (model::Port& port : m.ports) {
      if (!port.bridge.valid() || m[port.bridge].kind == model::BridgeKind::kHub) continue;
      if (pick(25) == 0) port.learning = false;
      if (blocks && pick(4) == 0) port.floods_unknown = false;
    }
    return std::move(builder_).finish();
  }

  // Among stations that can reach each other.
  std::vector<NaiveStream> streams(const Model& m) {
    const check::Forest forest(m);
    std::vector<NaiveStream> list;
    static constexpr std::int64_t kGaps[] = {2, 3, 7, 12};
    for (int i = 1 + pick(10); i > 0; --i) {
      const StationId from(random_.below(m.stations.size())), to(random_.below(m.stations.size()));
      if (from == to) {
        if (pick(2) == 0) list.push_back({from, StationId(), kGaps[pick(4)]});
      } else if (forest.connected(from, to)) {
        list.push_back({from, to, kGaps[pick(4)]});
      }
    }
    return list;
  }

  base::Random& random() { return random_; }

 private:
  int pick(int n) { return static_cast<int>(random_.below(static_cast<std::uint64_t>(n))); }

  void add_bridge(int b) {
    using enum model::BridgeKind;
    const auto kind = pick(6) == 0 ? kHub : kSwitch;
    const BridgeId bridge = *builder_.add_bridge(fmt::format("b{}", b), kind);
    model::Bridge& made = builder_.model()[bridge];
    made.ageing = seconds(pick(2) == 0 ? 5 : 9);
    made.learning = pick(12) != 0;
    made.vlan_aware = vlans_ && kind == kSwitch && pick(4) != 0;
    if (b == 0) return;
    const BridgeId other(random_.below(static_cast<std::uint64_t>(b)));
    const auto up = builder_.bridge_port(bridge, "up");
    const auto down = builder_.bridge_port(other, fmt::format("d{}", b));
    EXPECT_TRUE(builder_.connect(down, up, {}));
    model::VlanSet tagged;
    if (pick(8) != 0) tagged.set(2);
    for (const auto port : {up, down}) builder_.model()[port].tagged_vlans = builder_.intern(tagged);
  }

  void add_station(int s, int bridges) {
    const auto machine = *builder_.add_machine(fmt::format("h{}", s), model::MachineKind::kHost);
    const auto station = *builder_.add_station(machine, "eth0", std::nullopt, model::MacOrigin::kAllocated);
    const BridgeId bridge(random_.below(static_cast<std::uint64_t>(bridges)));
    const auto port = builder_.bridge_port(bridge, fmt::format("h{}", s));
    EXPECT_TRUE(builder_.connect(builder_.wire_port(station), port, {}));
    if (vlans_ && pick(2) == 0) builder_.model()[port].pvid = 2;
  }

  base::Random random_;
  model::Builder builder_;
  bool vlans_ = false;
};

class SampledWorlds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SampledWorlds, Agree) {
  constexpr std::uint64_t kWorlds = 10'000;
  const std::uint64_t count = kWorlds * effort();
  Tally tally;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t seed = GetParam() * count + i;
    Sampler sampler(seed);
    const Model m = sampler.draw();
    const auto streams = sampler.streams(m);
    const std::string complaint = judge(m, streams, sampler.random(), 3, tally);
    ASSERT_EQ(complaint, "") << "seed " << seed;
  }
  EXPECT_GT(tally.decided, tally.lanes * 9 / 10);
  tally.print(fmt::format("sample {}", GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Small, SampledWorlds, testing::Range(std::uint64_t{0}, std::uint64_t{4}));

}  // namespace
}  // namespace sekimori::agreement
