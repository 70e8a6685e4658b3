// A fleet audited, and addresses allocated; each answer is checked.
//
// Cost sketch. Audit: reading a row of 60 bytes into records, 8 fields at 40 ns and as many look-ups of
// texts, 0.6 us; sorting a million keys 0.1 s; judging 0.1 s                           -> 1 s; the aim is 5
// s. Allocation: an insert into a B-tree and an index, 1 us; one by one an fdatasync each, 0.5 ms on this
// disk
//                                        -> 500 000/s in batches, 2 000/s one by one; aims 50 000 and 1 000.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <httplib.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "base/random.h"
#include "cli/mac_sources.h"
#include "macs/audit.h"
#include "macs/etcd_registry.h"
#include "macs/serve.h"
#include "macs/sqlite_registry.h"
#include "sys/entropy.h"
#include "tests/macs/etcd_server.h"
#include "tests/support/folder.h"

namespace {

using namespace sekimori;
using macs::Mac;

// ---------------------------------------------------------------- audit

constexpr std::size_t kFleet = 1'000'000, kRealEvery = 1000, kLatentEvery = 700;

struct Fleet {
  std::vector<importers::SourceText> sources;
  std::size_t real = 0, latent = 0;
};

// A table with everything, one in NetBox's words, PowerCLI's with semicolons, a list, and a folder of
// libvirt's domains on two hundred hosts, one in sixteen of all NICs. Every so often a NIC has the address of
// the one before: clones in one segment, or one that is off.
Fleet make_fleet() {
  Fleet fleet;
  base::Random random(3);
  std::string all = "manager,machine_id,machine,nic,mac,segment,power,uuid\n",
              netbox = "virtual_machine,name,mac_address,untagged_vlan,status\n",
              power = "Parent;Name;MacAddress;NetworkName;PowerState\n", list;
  for (std::size_t i = 0; i < kFleet; ++i) {
    Mac mac{0x0aab'0000'0000 + i};
    const std::size_t vlan = i / 64 % 4000;
    bool off = random.below(4) == 0;
    const std::size_t kind = i / 64 % 4;  // neighbours are in one source
    if (i % 64 != 0 && i % kRealEvery == 1 && kind < 3) {
      mac = Mac{mac.bits - 1};
      off = false;
      ++fleet.real;
    } else if (i % 64 != 0 && i % kLatentEvery == 3 && i % kRealEvery > 4) {
      if (i / 64 % 16 != 15) {
        mac = Mac{mac.bits - 1};
        ++fleet.latent;
      }
      off = true;
    }
    if ((i + 1) % kRealEvery == 1) off = false;  // the original of a real one
    const std::string text = wire::to_text(mac);
    switch (kind) {
      case 0:
        all += fmt::format("vc1,vm-{},web-{},net0,{},VLAN {},{},{:08x}-0000-4000-8000-{:012x}\n", i, i, text,
                           vlan, off ? "off" : "running", i, i);
        break;
      case 1:
        netbox += fmt::format("db-{},eth0,{},VLAN {},{}\n", i, text, vlan, off ? "offline" : "active");
        break;
      case 2:
        power += fmt::format("\"app-{}\";\"Network adapter 1\";\"{}\";\"VLAN {}\";\"{}\"\n", i, text, vlan,
                             off ? "PoweredOff" : "PoweredOn");
        break;
      default:
        if (i / 64 % 16 == 15) {
          fleet.sources.push_back(
              {fmt::format("kvm/host{}/vm{}.xml", i / 5000, i),
               fmt::format(
                   "<domain "
                   "type='kvm'{}><name>vm-{}</name><uuid>{:08x}-0000-4000-8000-{:012x}</uuid><devices>"
                   "<interface type='bridge'><mac address='{}'/><source bridge='br0'/></interface>"
                   "</devices></domain>",
                   off ? "" : " id='1'", i, i, i, text),
               false});
          break;
        }
        list += fmt::format("{} rack7/host-{}/eth0\n", text, i);
    }
  }
  fleet.sources.push_back({"vc1.csv", std::move(all)});
  fleet.sources.push_back({"netbox.csv", std::move(netbox)});
  fleet.sources.push_back({"vc2.csv", std::move(power)});
  fleet.sources.push_back({"seen.txt", std::move(list)});
  return fleet;
}

void audit_a_million(benchmark::State& state) {
  const Fleet fleet = make_fleet();
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<importers::SourceText> texts = fleet.sources;
    state.ResumeTiming();
    const auto inventory = cli::inventory_of(std::move(texts));
    if (!inventory) {
      state.SkipWithError("not read");
      break;
    }
    const auto found = macs::audit(*inventory);
    std::size_t real = 0, latent = 0;
    for (const findings::Finding& f : found) {
      real += f.code == findings::Code::kMacDuplicate ? 1 : 0;
      latent += f.code == findings::Code::kMacDuplicateLatent ? 1 : 0;
    }
    if (inventory->nics.size() != kFleet || real != fleet.real || latent != fleet.latent ||
        found.size() != real + latent)
      state.SkipWithError("a wrong answer");
  }
  state.counters["NICs/s"] =
      benchmark::Counter(static_cast<double>(kFleet), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(audit_a_million)->Unit(benchmark::kMillisecond)->UseRealTime();

// ---------------------------------------------------------------- allocation

class Store {
 public:
  explicit Store(const std::string& url) : Store(macs::create_etcd_registry(url)) {}
  Store() { take(macs::create_sqlite_registry(path())); }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store() { registry.reset(); }  // before its folder
  std::string path() const { return folder_ / "macs.db"; }
  std::unique_ptr<macs::Registry> registry;

 private:
  explicit Store(macs::Outcome<std::unique_ptr<macs::Registry>> made) { take(std::move(made)); }
  void take(macs::Outcome<std::unique_ptr<macs::Registry>> made) {
    if (made && (*made)->add_pool({"p", *macs::parse_pool_range("02:aa:00:00:00:00/16")}))
      registry = std::move(*made);
  }
  testing::Folder folder_;
};

// Every answer is on disk before the next request.
void allocate(benchmark::State& state, Store& store, bool with_owners) {
  if (!store.registry) state.SkipWithError("no registry");
  const auto count = static_cast<std::size_t>(state.range(0));
  std::set<Mac> seen;
  std::uint64_t machine = 0;
  for (auto _ : state) {
    macs::Request request{.count = count, .now = 1000, .seed = sys::random_number(), .token = "t"};
    for (std::size_t i = 0; with_owners && i < count; ++i)
      request.owners.push_back({"m", fmt::format("vm-{}", machine++), "n"});
    const auto grants = store.registry->allocate(request);
    if (!grants) {
      state.SkipWithError(grants.error().what.c_str());
      break;
    }
    state.PauseTiming();
    for (const macs::Grant& grant : *grants) {
      if (!seen.insert(grant.mac).second) state.SkipWithError("a MAC twice");
    }
    state.ResumeTiming();
  }
  state.counters["MACs/s"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
}
void allocate_for_nobody(benchmark::State& state) {
  Store store;
  allocate(state, store, false);
}
void allocate_for_owners(benchmark::State& state) {
  Store store;
  allocate(state, store, true);
}
BENCHMARK(allocate_for_nobody)->Arg(1)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(allocate_for_owners)->Arg(1)->Arg(1000)->Unit(benchmark::kMicrosecond)->UseRealTime();

// Clients of a server that each ask for one address and wait for the answer, which comes when it is durable.
// Those that wait together share a commit.
void serve_one_by_one(benchmark::State& state) {
  constexpr int kRequests = 50;
  Store store;
  if (!store.registry) state.SkipWithError("no registry");
  auto service =
      macs::MacService::begin({.registry = store.path(),
                               .open = [path = store.path()] { return macs::open_sqlite_registry(path); },
                               .listen = {"127.0.0.1", 0},
                               .token = "",
                               .now = [] { return macs::Seconds{1000}; }});
  if (!service) {
    state.SkipWithError(service.error().what.c_str());
    return;
  }
  std::atomic<bool> stop = false;
  std::thread server([&] { (*service)->run([&] { return stop.load(); }); });
  std::vector<std::unique_ptr<httplib::Client>> clients;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    clients.push_back(std::make_unique<httplib::Client>("127.0.0.1", (*service)->address().port));
    clients.back()->set_keep_alive(true);
    clients.back()->set_tcp_nodelay(true);
  }
  std::mutex mutex;
  std::set<std::string> seen;
  bool is_wrong = false;
  const auto ask = [&](httplib::Client& client) {
    for (int i = 0; i < kRequests; ++i) {
      const auto answer = client.Post("/v1/allocate", "{}", "application/json");
      const std::lock_guard lock(mutex);
      is_wrong |= !answer || answer->status != 200 || !seen.insert(answer->body).second;
    }
  };
  for (auto _ : state) {
    std::vector<std::jthread> threads;
    for (const auto& client : clients) threads.emplace_back(ask, std::ref(*client));
  }
  if (is_wrong) state.SkipWithError("no answer, or a MAC twice");
  stop = true;
  server.join();
  state.counters["MACs/s"] = benchmark::Counter(static_cast<double>(state.range(0) * kRequests),
                                                benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(serve_one_by_one)->Arg(1)->Arg(16)->Arg(64)->Unit(benchmark::kMillisecond)->UseRealTime();

// One server on loopback, with its data on the same disk; first its own rate of puts through the same client.
const macs_tests::EtcdCluster& cluster() {
  static const macs_tests::EtcdCluster one(1);
  return one;
}

void etcd_put(benchmark::State& state) {
  macs::Etcd etcd(*macs::parse_etcd_address(cluster().url()));
  const auto count = static_cast<std::size_t>(state.range(0));
  std::size_t key = 0;
  for (auto _ : state) {
    macs::Json puts = macs::Json::array();
    for (std::size_t i = 0; i < count; ++i)
      puts.push_back(macs::Etcd::put(fmt::format("put/{}", key++), std::string(120, 'x')));
    if (!etcd.transaction(macs::Json::array(), std::move(puts), macs::Json::array()))
      state.SkipWithError("no put");
  }
  state.counters["puts/s"] =
      benchmark::Counter(static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
}
void etcd_allocate(benchmark::State& state) {
  static int run = 0;
  Store store(fmt::format("{}/bench{}", cluster().url(), run++));
  allocate(state, store, false);
}
BENCHMARK(etcd_put)->Arg(1)->Arg(98)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(etcd_allocate)->Arg(1)->Arg(98)->Arg(980)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
