// The simulator on trees of learning switches, and the project's example: frame-hops per CPU-second, each
// answer checked against the closed form.
//
// Cost sketch, before the first line of the engine (2.5-4.5 GHz core, everything in L1/L2 for trees a and b):
//   a unicast hop:   heap sift of ~100 entries 10 ns, frame copied twice 5 ns, FDB refreshed and asked 2 x 6
//   ns, lane
//                    arithmetic with a multiplication 3 ns, dispatch 5 ns               -> 35-45 ns, 22-28 M
//                    hops/s
//   a flooded copy:  a store in a sweep over `idle_at` 0.3-0.5 ns, its share (1/26) of a switch's own hop 2-3
//   ns
//                                                                                       -> 3 ns, 300-400 M
//                                                                                       copies/s
// The trees are those of ns-3's bridges in the comparison (docs/performance.md): fan-out 4, 25 hosts a
// switch, 10 Gbit/s, 1 us, 200 bytes of UDP payload.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <ctime>

#include "base/random.h"
#include "importers/site.h"
#include "model/builder.h"
#include "simulate/run.h"

namespace {

using namespace sekimori;
using model::MachineId;

struct Tree {
  model::Model model;
  std::vector<std::uint32_t> parent;  // of each switch
  std::size_t hosts_each;
};

constexpr std::uint32_t kFanOut = 4;

model::Link fast_link() {
  model::Link link;
  link.rate = base::gbit(10);
  link.delay = base::microseconds(1);
  return link;
}

Tree tree_of(std::size_t switches, std::size_t hosts_each, bool flood) {
  model::Builder builder;
  Tree tree{{}, {}, hosts_each};
  std::vector<model::BridgeId> bridges;
  for (std::size_t s = 0; s < switches; ++s) {
    bridges.push_back(*builder.add_bridge("s" + std::to_string(s), model::BridgeKind::kSwitch));
    // In a flood the receivers' entries are to be gone when the counting begins; senders are heard every
    // millisecond.
    if (flood) builder.model()[bridges[s]].ageing = base::milliseconds(500);
    tree.parent.push_back(s == 0 ? 0 : static_cast<std::uint32_t>((s - 1) / kFanOut));
    if (s > 0) {
      builder
          .connect(builder.bridge_port(bridges[s], "up"),
                   builder.bridge_port(bridges[tree.parent[s]], "down" + std::to_string(s)), fast_link())
          .value();
    }
  }
  for (std::size_t h = 0; h < switches * hosts_each; ++h) {
    const auto host = *builder.add_machine("h" + std::to_string(h), model::MachineKind::kHost);
    const auto nic = *builder.add_station(host, "eth0", std::nullopt, model::MacOrigin::kAllocated);
    // As the peer's hosts: no announcements, and addresses once resolved stay.
    builder.model()[host].arp = {base::seconds(3600), false, false, false, base::Duration{0}};
    builder.model()[nic].ip = {{0x0a00'0001u + static_cast<std::uint32_t>(h)}, 8};
    builder
        .connect(builder.wire_port(nic),
                 builder.bridge_port(bridges[h / hosts_each], std::to_string(h % hosts_each)), fast_link())
        .value();
  }
  // Random pairs, as the peer draws them.
  std::vector<std::uint32_t> hosts(switches * hosts_each);
  for (std::uint32_t i = 0; i < hosts.size(); ++i) hosts[i] = i;
  base::Random random(1);
  for (std::size_t i = hosts.size() - 1; i > 0; --i) std::swap(hosts[i], hosts[random.below(i + 1)]);
  const auto flow = [&](std::uint32_t from, std::uint32_t to) {
    model::Flow f;
    f.kind = model::FlowKind::kUdp;
    f.from = MachineId(from);
    f.to = MachineId(to);
    f.payload = 200;
    f.interval = base::milliseconds(1);
    builder.model().flows.push_back(f);
  };
  for (std::size_t p = 0; p < (flood ? 10u : 50u) && 2 * p + 1 < hosts.size(); ++p) {
    flow(hosts[2 * p], hosts[2 * p + 1]);
    if (!flood) flow(hosts[2 * p + 1], hosts[2 * p]);
  }
  tree.model = std::move(builder).finish();
  return tree;
}

// Links between two hosts of the tree.
std::int64_t hops_between(const Tree& tree, MachineId a, MachineId b) {
  auto x = static_cast<std::uint32_t>(a.value / tree.hosts_each),
       y = static_cast<std::uint32_t>(b.value / tree.hosts_each);
  std::int64_t hops = 2;
  while (x != y) {
    // The one further from the root climbs; numbers grow with depth.
    auto& lower = x > y ? x : y;
    lower = tree.parent[lower];
    ++hops;
  }
  return hops;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::int64_t frames_in(const std::vector<simulate::LaneCounters>& lanes) {
  std::int64_t frames = 0;
  for (const auto& lane : lanes) frames += lane.frames;
  return frames;
}

void trees(benchmark::State& state, bool flood) {
  const Tree tree = tree_of(static_cast<std::size_t>(state.range(0)), 25, flood);
  const std::int64_t seconds = state.range(1);
  std::int64_t expected = 0;
  for (const model::Flow& f : tree.model.flows) {
    const auto whole_tree =
        static_cast<std::int64_t>(tree.model.machines.size() + tree.model.bridges.size() - 1);
    expected += 1000 * (seconds - 1) * (flood ? whole_tree : hops_between(tree, f.from, f.to));
  }
  simulate::Options options;
  options.until = base::seconds(seconds);
  options.window = base::seconds(1);
  double hops = 0, spent = 0;
  for (auto _ : state) {
    const double begin = cpu_seconds();
    const auto result = simulate::run(tree.model, options);
    const double cpu = cpu_seconds() - begin;
    state.SetIterationTime(cpu);
    spent += cpu;
    hops += static_cast<double>(result->frame_hops);
    const std::int64_t counted =
        frames_in(result->windows.back().lanes) - frames_in(result->windows.front().lanes);
    if (counted != expected) {
      state.SkipWithError(
          ("frame-hops: counted " + std::to_string(counted) + ", expected " + std::to_string(expected))
              .c_str());
      return;
    }
  }
  state.counters["Mhops_per_cpu_s"] = hops / spent * 1e-6;
}

void unicast(benchmark::State& state) { trees(state, false); }
void flooded(benchmark::State& state) { trees(state, true); }
BENCHMARK(unicast)
    ->ArgNames({"switches", "s"})
    ->Args({4, 20})
    ->Args({40, 10})
    ->Args({400, 10})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(flooded)
    ->ArgNames({"switches", "s"})
    ->Args({4, 20})
    ->Args({40, 5})
    ->Args({400, 3})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// Compiling a model into the simulator's arrays, and what that takes of memory.
void set_up(benchmark::State& state) {
  const Tree tree = tree_of(static_cast<std::size_t>(state.range(0)), 25, false);
  simulate::Options options;
  options.until = base::picoseconds(1);
  for (auto _ : state) benchmark::DoNotOptimize(simulate::run(tree.model, options));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}
BENCHMARK(set_up)->ArgName("switches")->Arg(400)->Unit(benchmark::kMillisecond);

// The example of the README, thirty simulated minutes. The flood must set in when the entry is 300 s old.
void hosted_server(benchmark::State& state) {
  const auto model = importers::load_site("examples/hosted-server/site.yaml");
  if (!model) {
    state.SkipWithError("run this from the repository's root");
    return;
  }
  simulate::Options options;
  options.until = base::seconds(1800);
  for (auto _ : state) {
    const auto result = simulate::run(*model, options);
    if (result->floods.empty() || result->floods[0].first / base::seconds(1) != 300)
      state.SkipWithError("no flood at 300 s");
    state.counters["events"] = static_cast<double>(result->events);
  }
}
BENCHMARK(hosted_server)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
