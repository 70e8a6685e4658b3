// A live interface under load: frames through a veth cable into the ring, the observer and all detectors.
// Every frame that was sent must have been looked at or counted by the kernel as dropped; the answer checks
// that.
//
// Cost sketch: the ring hands over a 64-byte frame in 27 ns (measured before, both addresses read), the
// observer takes what it takes for a capture, about 60 ns                              -> 90 ns a frame, 11
// M/s per core. The sender works on the other core: BPF_PROG_TEST_RUN with live frames (the kernel's own
// loop, 4 to 8 M/s into a veth that drops them), 2 M frames/s wanted, a bounded number of them. Needs root;
// the namespaces are the benchmark's own.
#include <benchmark/benchmark.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <thread>

#include "sys/interfaces.h"
#include "sys/packet_ring.h"
#include "tests/support/netns.h"
#include "watch/diagnose.h"
#include "watch/live.h"
#include "wire/emit.h"

namespace {

using namespace sekimori;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr wire::Mac kHost{0x0211'0000'0001}, kSink{0x0211'0000'0009};
constexpr std::uint32_t kRepeat = 100'000;  // frames for one call of the kernel

long bpf(bpf_cmd command, bpf_attr& attributes) {
  return syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

std::uint64_t address_of(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p);
}  // NOLINT: as bpf(2) has it

// "return XDP_TX": out of the interface that the frame is said to have come in by.
int load_transmitter() {
  const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_TX}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_XDP;
  attributes.insns = address_of(code);
  attributes.insn_cnt = std::size(code);
  attributes.license = address_of("GPL");
  return static_cast<int>(bpf(BPF_PROG_LOAD, attributes));
}

// The far end takes frames of ndo_xdp_xmit only while it has a NAPI, which GRO gives it.
bool switch_on_gro(const char* interface) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ethtool_value value{ETHTOOL_SGRO, 1};
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);  // NOLINT: as ioctl has it
  const bool done = ioctl(fd, SIOCETHTOOL, &request) == 0;
  close(fd);
  return done;
}

// Sends `count` frames at up to `rate` a second; 0 if all were sent.
int send_frames(std::uint64_t count, double rate) {
  const int program = load_transmitter();
  if (program < 0) return 2;
  wire::Buffer frame;
  wire::append_udp(frame, {kSink, kHost, {}, 64},
                   wire::Ipv4Header{.source = {0x0a00'0001}, .destination = {0x0a00'0009}},
                   {.source_port = 40000, .destination_port = 9});
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame.size());
  context.ingress_ifindex = if_nametoindex("far0");
  const auto start = Clock::now();
  for (std::uint64_t sent = 0; sent < count; sent += kRepeat) {
    bpf_attr attributes{};
    attributes.test.prog_fd = static_cast<std::uint32_t>(program);
    attributes.test.data_in = address_of(frame.data());
    attributes.test.data_size_in = static_cast<std::uint32_t>(frame.size());
    attributes.test.ctx_in = address_of(&context);
    attributes.test.ctx_size_in = sizeof context;
    attributes.test.repeat = kRepeat;
    attributes.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    if (bpf(BPF_PROG_TEST_RUN, attributes) != 0) return 3;
    std::this_thread::sleep_until(
        start + std::chrono::duration_cast<Clock::duration>(
                    std::chrono::duration<double>(static_cast<double>(sent + kRepeat) / rate)));
  }
  return 0;
}

double thread_cpu() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::uint64_t received_packets() {
  std::uint64_t count = 0;
  std::FILE* file = std::fopen("/proc/thread-self/net/dev", "r");
  std::array<char, 512> line{};
  while (file != nullptr && std::fgets(line.data(), line.size(), file) != nullptr) {
    const char* at = std::strstr(line.data(), "eth0:");
    if (at != nullptr) std::sscanf(at, "eth0: %*u %lu", &count);  // NOLINT: the kernel's own format
  }
  if (file != nullptr) std::fclose(file);
  return count;
}

struct Outcome {
  std::uint64_t seen = 0, dropped = 0, arrived = 0;
  double cpu = 0, wall = 0;
  int findings = 0;
};

// In the namespace of the near end: until nothing has come for a while.
Outcome listen(sys::PacketRing& ring) {
  Outcome out;
  watch::Observer observer;
  watch::Detections detections([](const watch::Observations& o) {
    return watch::Detections::Detected{watch::report_of(o, watch::Place::kAccess), {}};
  });
  Clock::time_point first{}, last = Clock::now(), next = last;
  const double cpu = thread_cpu();
  while (Clock::now() - last < (out.seen == 0 ? 20s : 1s)) {
    const auto frames = ring.next(100ms);
    const auto now = Clock::now();
    if (now >= next) {
      detections.poll(observer, now);
      next = now + 100ms;
    }
    if (frames.empty()) continue;
    if (out.seen == 0) first = now;
    last = now;
    out.seen += frames.size();
    observer.frames(frames);
  }
  out.cpu = thread_cpu() - cpu;
  out.wall = std::chrono::duration<double>(last - first).count();
  out.dropped = ring.counts().dropped;
  out.arrived = received_packets();
  out.findings = static_cast<int>(watch::report_of(observer.finish(), watch::Place::kAccess).findings.size());
  return out;
}

void live(benchmark::State& state) {
  const auto rate = static_cast<double>(state.range(0)) * 1e6;
  const auto count = static_cast<std::uint64_t>(state.range(1)) * kRepeat;
  Outcome all;
  for (auto _ : state) {
    const sekimori::testing::Netns near, far;
    near.join(far, "eth0", "far0");
    Outcome out;
    std::string problem;
    // A namespace belongs to a thread; this one ends with it.
    std::thread([&] {
      if (!near.enter() || !switch_on_gro("eth0")) return void(problem = "no namespace, or no GRO");
      const auto interface = sys::find_interface("eth0");
      if (!interface) return void(problem = interface.error().what);
      auto ring = sys::PacketRing::open(*interface, {});
      if (!ring) return void(problem = ring.error().what);
      sekimori::testing::Child sender = far.start([&] { return send_frames(count, rate); });
      out = listen(*ring);
      if (const int code = sender.wait(); code != 0) problem = fmt::format("the sender failed: {}", code);
    }).join();
    if (problem.empty() && out.arrived != count)
      problem = fmt::format("{} of {} frames arrived", out.arrived, count);
    if (problem.empty() && out.seen + out.dropped != out.arrived)
      problem = fmt::format("{} seen and {} dropped of {}", out.seen, out.dropped, out.arrived);
    if (!problem.empty()) return state.SkipWithError(problem.c_str());
    all.seen += out.seen;
    all.dropped += out.dropped;
    all.cpu += out.cpu;
    all.wall += out.wall;
    all.findings = out.findings;
  }
  const auto seen = static_cast<double>(all.seen), dropped = static_cast<double>(all.dropped);
  state.counters["Mframes_per_s"] = (seen + dropped) * 1e-6 / all.wall;
  state.counters["dropped_percent"] = 100 * dropped / (seen + dropped);
  state.counters["cpu_ns_per_frame"] = all.cpu * 1e9 / seen;
  state.counters["findings"] = all.findings;
}
// Millions of frames a second, and hundred thousands of frames in all.
BENCHMARK(live)
    ->ArgNames({"rate", "count"})
    ->Args({1, 20})
    ->Args({2, 40})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
