// The learning analysis and the load model on a large site: time and memory from the finished model to the
// findings, the answer checked against planted faults: all found, none invented.
//
// Cost sketch, before the first line: a stream's way is some 5 bridges; a half-round walks all ways twice (by
// destination, then by source) and asks a table of 1 000 entries that fits the first-level cache.
//   a step of a way                 3-5 ns        x 5 bridges x 1 M streams             25 ms
//   the same by source, writing     10 ns         x 5 x 1 M                             50 ms
//   a half-round                                                                        75 ms
//   three rounds                                                                        0.5 s
//   streams from flows: next hop, owner of an address (binary search in 100 000)
//                                   150 ns        x 0.5 M                               75 ms
//   sorting the pairs for ARP       100 ns        x 0.6 M                               60 ms
//   the load: ways again, a search for each entry (20 items)  40 ns x 5 x 1 M           0.2 s
//   memory: a stream 80 bytes, its way 20, its entries 5 x 40                           0.3 GB
// so about one second and less than one GiB for a million streams.
//
// The site: one segment. A root, ten aggregation switches, access switches, and under each of these hosts
// with a Linux bridge and 111 guests; nine in ten bridges are virtual. Half of the flows stay in their host,
// half go anywhere.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <map>

#include "base/random.h"
#include "check/rules.h"
#include "load/proof.h"
#include "model/builder.h"

namespace {

using namespace sekimori;
using model::BridgeKind;
using model::MachineId;

constexpr std::size_t kGuests = 111;  // of each host

struct Planted {
  model::Model model;
  std::map<std::string, std::size_t> expected;  // findings above notes, by code
};

class Site {
 public:
  Site(std::size_t switches, std::size_t flows)
      : hosts_(switches * 9 / 10), faults_(std::max<std::size_t>(1, hosts_ / 45)) {
    const std::size_t physical = switches - hosts_;
    for (std::size_t s = 0; s < physical; ++s) add_switch(s);
    for (std::size_t h = 0; h < hosts_; ++h) add_host(h, physical);
    plant();
    add_flows(flows);
  }

  Planted finish() && { return {std::move(builder_).finish(), std::move(expected_)}; }

 private:
  static model::Link fast() {
    model::Link link;
    link.rate = base::gbit(100);
    return link;
  }

  void add_switch(std::size_t s) {
    switches_.push_back(*builder_.add_bridge("s" + std::to_string(s), BridgeKind::kSwitch));
    builder_.model()[switches_.back()].table_size = 1 << 18;
    if (s == 0) return;
    const std::size_t parent = s <= 10 ? 0 : 1 + (s % 10) % std::min<std::size_t>(10, s - 1);
    builder_
        .connect(builder_.bridge_port(switches_[s], "up"),
                 builder_.bridge_port(switches_[parent], "d" + std::to_string(s)), fast())
        .value();
  }

  bool hosted(std::size_t h) const { return h % 45 == 7; }

  void add_host(std::size_t h, std::size_t physical) {
    const std::string name = "h" + std::to_string(h);
    const MachineId host = *builder_.add_machine(name, model::MachineKind::kHost);
    const auto nic = *builder_.add_station(host, "eth0", std::nullopt, model::MacOrigin::kAllocated);
    builder_.model()[nic].ip = {{next_ip_++}, 8};
    const auto bridge =
        *builder_.add_bridge("br0", hosted(h) ? BridgeKind::kHostedBridge : BridgeKind::kLinuxBridge, host);
    builder_.model()[bridge].table_size = 0;
    builder_.model()[host].bridges.push_back(bridge);
    const auto up = *builder_.enslave(nic, bridge);
    const std::size_t access = physical > 11 ? 11 + h % (physical - 11) : h % physical;
    builder_.connect(up, builder_.bridge_port(switches_[access], name), fast()).value();
    host_machines_.push_back(host);
    bridges_.push_back(bridge);
    for (std::size_t g = 0; g < kGuests; ++g) {
      const MachineId guest =
          *builder_.add_machine(name + "g" + std::to_string(g), model::MachineKind::kGuest, host);
      const auto station = *builder_.add_station(guest, "net0", std::nullopt, model::MacOrigin::kAllocated);
      builder_.model()[station].ip = {{next_ip_++}, 8};
      builder_.attach(station, bridge, model::PortRole::kGuest).value();
      guests_.push_back(guest);
    }
  }

  // The first six guests of each host are kept for faults.
  MachineId guest(std::size_t host, std::size_t g) const { return guests_[host * kGuests + g]; }
  static constexpr std::size_t kKept = 6;

  void flow(MachineId from, MachineId to, model::FlowKind kind, base::Duration interval) {
    model::Flow f;
    f.kind = kind;
    f.from = from;
    f.to = to;
    f.payload = 500;
    f.response = 500;
    f.interval = interval;
    builder_.model().flows.push_back(f);
  }

  // Learning bridges only: a fault on a bridge that floods anyhow would be told otherwise.
  std::vector<std::size_t> plain_hosts() const {
    std::vector<std::size_t> list;
    for (std::size_t h = 0; h < hosts_; ++h) {
      if (!hosted(h)) list.push_back(h);
    }
    return list;
  }

  void plant() {
    const auto hosts = plain_hosts();
    const auto interval = base::milliseconds(1);
    for (std::size_t k = 0; k < faults_; ++k) {
      const std::size_t a = hosts[k], b = hosts[hosts.size() / 2 + k];
      // Nobody ever asks for the address again, and the receiver never speaks.
      builder_.model()[guest(a, 0)].arp.timeout = base::seconds(30L * 86'400);
      flow(guest(a, 0), guest(b, 0), model::FlowKind::kUdp, interval);
      ++expected_["flood-silent"];
      // It is asked every 20 minutes.
      builder_.model()[guest(a, 1)].arp = {base::seconds(1200), false, false, true, base::Duration{0}};
      flow(guest(a, 1), guest(b, 1), model::FlowKind::kUdp, interval);
      ++expected_["flood-timers"];
      // Cloned, both running.
      const auto& macs = builder_.model();
      builder_.model()[macs[guest(b, 2)].stations[0]].mac = wire::Mac{};
      pairs_.emplace_back(macs[guest(a, 2)].stations[0], macs[guest(b, 2)].stations[0]);
      ++expected_["mac-duplicate"];
    }
    for (std::size_t h = 0; h < hosts_; ++h) {
      if (!hosted(h)) continue;
      flow(host_machines_[h], guest(h, 0), model::FlowKind::kTcp, interval);
      ++expected_["flood-leak"];
    }
    for (std::size_t k = 0; k < std::max<std::size_t>(1, faults_ / 4); ++k) {
      builder_.model()[bridges_[hosts[hosts.size() - 1 - k]]].learning = false;
      ++expected_["flood-no-learning"];
    }
    expected_["ageing-below-arp"] = 1;  // the impatient machines, by theirs
    expected_["segment-large"] = 1;     // it is
    builder_.allocate_macs();
    for (const auto& [a, b] : pairs_) builder_.model()[b].mac = builder_.model()[a].mac;
  }

  void add_flows(std::size_t count) {
    base::Random random(7);
    constexpr model::FlowKind kKinds[] = {model::FlowKind::kUdp, model::FlowKind::kTcp,
                                          model::FlowKind::kRequest};
    const auto hosts = plain_hosts();
    const auto any = [&](std::size_t host) { return guest(host, kKept + random.below(kGuests - kKept)); };
    for (std::size_t f = 0; f < count; ++f) {
      const std::size_t from = hosts[random.below(hosts.size())];
      const std::size_t to = f % 2 == 0 ? from : hosts[random.below(hosts.size())];
      const MachineId a = any(from), b = any(to);
      if (a != b)
        flow(a, b, kKinds[f % 3], base::milliseconds(100 + static_cast<std::int64_t>(random.below(400))));
    }
  }

  model::Builder builder_;
  std::size_t hosts_, faults_;
  std::uint32_t next_ip_ = 0x0a00'0001u;
  std::vector<model::BridgeId> switches_, bridges_;
  std::vector<MachineId> host_machines_, guests_;
  std::vector<std::pair<model::StationId, model::StationId>> pairs_;
  std::map<std::string, std::size_t> expected_;
};

void check_and_load(benchmark::State& state) {
  const Planted site =
      Site(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1))).finish();
  for (auto _ : state) {
    findings::Report report;
    report.findings = check::structural(site.model);
    load::prove(site.model, report);
    std::map<std::string, std::size_t> found;
    for (const auto& f : report.findings) {
      if (f.severity != findings::Severity::kNote) ++found[std::string(findings::entry(f.code).word)];
    }
    if (found == site.expected) continue;
    std::string text = "found";
    for (const auto& [code, count] : found) text += " " + code + " " + std::to_string(count);
    text += "; planted";
    for (const auto& [code, count] : site.expected) text += " " + code + " " + std::to_string(count);
    state.SkipWithError(text.c_str());
    return;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["guests"] = static_cast<double>(site.model.stations.size());
  state.counters["streams"] = static_cast<double>(check::Learning(site.model).streams().size());
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}
BENCHMARK(check_and_load)
    ->ArgNames({"switches", "flows"})
    ->Args({100, 23'500})
    ->Args({1000, 235'000})
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
