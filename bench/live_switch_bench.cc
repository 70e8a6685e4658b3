// What a frame costs that crosses a switch of the lab: the kernel's bridge, our own switching code on packet
// sockets, and Open vSwitch's user-space datapath, on the same veth pairs. Bursts of minimum-size frames go
// in at one machine; each must arrive at the other before the next burst is sent, so the answer is checked
// frame by frame and nothing is lost.
//
// "CPU" is that of the whole process, sender and switch, and of Open vSwitch's daemons: what the kernel does
// for a veth pair is on the account of whoever sends. Needs root.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "importers/site.h"
#include "lab/lab.h"
#include "lab/live.h"
#include "sys/links.h"
#include "sys/namespaces.h"
#include "sys/packet_socket.h"
#include "sys/service.h"
#include "tests/differential/open_vswitch.h"

namespace sekimori {
namespace {

// What fits in the receive buffers that Open vSwitch leaves its packet sockets.
constexpr std::size_t kBurst = 128, kFrameBytes = 60;

enum class Kind : std::uint8_t { kLinuxBridge, kLive, kOpenVSwitch };

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Two machines on one switch, which is live when it polices its ports.
model::Model site(bool live) {
  const std::string port = live ? "{storm-control: {unknown-unicast: 1Gbit/s}}" : "{}";
  return importers::parse_site(
             "sekimori: 1\nhosts: {a: {nics: {e: 10.0.0.1/24}}, b: {nics: {e: 10.0.0.2/24}}}\n"
             "switches: {sw: {ports: {1: " +
                 port + "}}}\nlinks: [[a:e, sw:1], [b:e, sw:2]]\n",
             "bench.yaml")
      .value();
}

class BenchLab {
 public:
  explicit BenchLab(Kind kind)
      : site_(site(kind == Kind::kLive)), plan_(lab::make_plan(site_, "bench" + std::to_string(::getpid()))) {
    up_ = lab::up(site_, plan_, {}).has_value();
    if (up_ && kind == Kind::kOpenVSwitch) replace_bridge();
    if (!up_ || kind != Kind::kLive) return;
    // The switch moves into this process, so that its work is on this account.
    {
      const auto space = sys::Namespace::open(plan_.namespace_of(plan_.bridges[0].space));
      const auto inside = sys::InNamespace::enter(*space);
      sys::stop_service(lab::kLiveService, std::chrono::seconds(2));
    }
    switch_ = std::thread([this] {
      lab::run_live(site_, plan_,
                    [this](const base::Result<void>& begun) { begun_ = begun.has_value() ? 1 : -1; });
    });
    while (begun_ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    up_ = begun_ > 0;
  }
  BenchLab(const BenchLab&) = delete;
  ~BenchLab() {
    // Without asking the live switch: it ends when its namespace is gone.
    for (const std::string& name : sys::namespaces_with_prefix(lab::namespace_prefix(plan_.lab)))
        [[maybe_unused]]
      const auto removed = sys::remove_namespace(name);
    if (switch_.joinable()) switch_.join();
  }
  bool up() const { return up_; }
  double cpu_seconds() const { return sekimori::cpu_seconds() + open_vswitch_.cpu_seconds(); }
  sys::Namespace space(const std::string& name) const {
    return std::move(*sys::Namespace::open(lab::namespace_prefix(plan_.lab) + name));
  }

 private:
  // Open vSwitch takes the bridge's ports.
  void replace_bridge() {
    const auto where = sys::Namespace::open(plan_.namespace_of(plan_.bridges[0].space));
    auto links = sys::Links::open(*where);
    up_ = links->remove(plan_.bridges[0].device).has_value();
    open_vswitch_.start(*where, differential::OpenVSwitch::Cache::kOn);
    std::vector<std::string> words = {"--",  "add-br", "ovs", "--",
                                      "set", "Bridge", "ovs", "datapath_type=netdev"};
    for (const model::PortId port : site_.bridges[0].ports)
      words.insert(words.end(), {"--", "add-port", "ovs", plan_.ports[port.index()].name});
    open_vswitch_.configure(words);
  }

  model::Model site_;
  lab::Plan plan_;
  differential::OpenVSwitch open_vswitch_;
  bool up_ = false;
  std::atomic<int> begun_ = 0;
  std::thread switch_;
};

std::int64_t arrived(sys::Links& links) {
  const auto all = links.list();
  for (const sys::LinkState& link : *all) {
    if (link.name == "e") return link.counters.rx_frames;
  }
  return 0;
}

void cross(benchmark::State& state, Kind kind) {
  const BenchLab lab(kind);
  if (!lab.up()) {
    state.SkipWithError("no lab (root is needed)");
    return;
  }
  const sys::Namespace a = lab.space("a"), b = lab.space("b");
  auto counters = sys::Links::open(b);
  std::optional<sys::PacketSocket> out;
  {
    const auto inside = sys::InNamespace::enter(a);
    out.emplace(std::move(*sys::PacketSocket::open("e", {.bypass_qdisc = true, .receive_buffer = 4096})));
  }
  std::array<std::byte, kFrameBytes> frame{};
  const auto destination = wire::Mac{0x0200'0000'0b0bu}.octets(),
             source = wire::Mac{0x0200'0000'0a0au}.octets();
  std::memcpy(frame.data(), destination.data(), 6);
  std::memcpy(frame.data() + 6, source.data(), 6);
  std::int64_t expected = arrived(*counters);
  const double before = lab.cpu_seconds();
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBurst; ++i) out->queue(frame);
    out->flush();
    expected += kBurst;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (arrived(*counters) < expected) {
      if (std::chrono::steady_clock::now() > until) {
        state.SkipWithError("frames were lost");
        return;
      }
    }
  }
  const auto frames = static_cast<double>(state.iterations() * static_cast<std::int64_t>(kBurst));
  state.counters["frames/s"] = benchmark::Counter(frames, benchmark::Counter::kIsRate);
  state.counters["CPU ns/frame"] = 1e9 * (lab.cpu_seconds() - before) / frames;
}

BENCHMARK_CAPTURE(cross, linux_bridge, Kind::kLinuxBridge)->UseRealTime();
BENCHMARK_CAPTURE(cross, live_switch, Kind::kLive)->UseRealTime();
BENCHMARK_CAPTURE(cross, open_vswitch, Kind::kOpenVSwitch)->UseRealTime();

}  // namespace
}  // namespace sekimori
