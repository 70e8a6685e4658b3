// The observer and all detectors on a generated capture: 10 M frames, 3.7 GB, frames per CPU-second, the
// answer checked.
//
// Cost sketch, before the first line: reading large blocks and both MACs 36 ns a frame (measured, 28 M/s);
// the pair's slot and record and two stations' lines 4 x 5 ns from L2, some from L3; the rest is arithmetic
//                                                                        -> 70 ns, 14 M frames/s; aim 10 M.
// The capture is a pcap file as a mirror port or an access port would give it: TCP between `stations`
// hosts, both ways, in random order, frames of 64 to 1500 bytes, 370 on average. It is made once, 100 000
// frames long, and read again and again with the clock moved on, through a source that copies as read(2)
// does.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "base/random.h"
#include "watch/diagnose.h"
#include "watch/observer.h"
#include "wire/emit.h"

namespace {

using namespace sekimori;
using wire::Mac;

constexpr std::size_t kFrames = 100'000, kRounds = 100;
constexpr std::uint32_t kStepUs = 10;  // between frames

Mac mac_of(std::uint64_t i) { return Mac{0x0016'3e00'0000u + i}; }
wire::Ipv4 ip_of(std::uint64_t i) { return {static_cast<std::uint32_t>(0x0a00'0001u + i)}; }

void put_le32(wire::Buffer& out, std::uint32_t v) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
}

// One part in ten short, one full, the others between: 370 bytes on average.
std::size_t length(base::Random& random) {
  const std::uint64_t kind = random.below(100);
  return kind < 58 ? 66 : kind < 78 ? 1514 - random.below(700) : 66 + random.below(600);
}

struct Capture {
  wire::Buffer bytes;                // file header, then records
  std::vector<std::size_t> records;  // where they start
};

Capture make_capture(std::uint64_t stations) {
  Capture capture;
  base::Random random(7);
  for (const std::uint32_t word : {0xa1b2'c3d4u, 0x0004'0002u, 0u, 0u, 65535u, 1u})
    put_le32(capture.bytes, word);
  wire::Buffer frame;
  for (std::size_t i = 0; i < kFrames; ++i) {
    // Each station has one peer, its neighbour by number, so that every pair is answered.
    const std::uint64_t a = random.below(stations), b = a ^ 1;
    frame.clear();
    wire::append_tcp(frame, {mac_of(b), mac_of(a), {}, length(random)},
                     {.source = ip_of(a), .destination = ip_of(b)},
                     {.source_port = 40000, .destination_port = 443, .flags = wire::Tcp::kAck});
    capture.records.push_back(capture.bytes.size());
    for (const std::uint32_t word :
         {0u, 0u, static_cast<std::uint32_t>(frame.size()), static_cast<std::uint32_t>(frame.size())})
      put_le32(capture.bytes, word);
    capture.bytes.insert(capture.bytes.end(), frame.begin(), frame.end());
  }
  return capture;
}

void set_clock(Capture& capture, std::size_t round) {
  for (std::size_t i = 0; i < kFrames; ++i) {
    const std::uint64_t us = (round * kFrames + i) * kStepUs;
    const std::uint32_t stamp[2] = {static_cast<std::uint32_t>(us / 1'000'000),
                                    static_cast<std::uint32_t>(us % 1'000'000)};
    std::memcpy(capture.bytes.data() + capture.records[i], stamp, sizeof stamp);
  }
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double clock_seconds = 0;  // what setting the clock took, which is not the reader's doing

// The capture kRounds times, as one file.
wire::ByteSource source_of(Capture& capture) {
  return [&capture, round = std::size_t{0},
          at = std::size_t{0}](std::span<std::uint8_t> into) mutable -> base::Result<std::size_t> {
    if (at == capture.bytes.size()) {
      if (++round == kRounds) return 0;
      const double start = cpu_seconds();
      set_clock(capture, round);
      clock_seconds += cpu_seconds() - start;
      at = capture.records.front();
    }
    const std::size_t count = std::min(into.size(), capture.bytes.size() - at);
    std::memcpy(into.data(), capture.bytes.data() + at, count);
    at += count;
    return count;
  };
}

void finish(benchmark::State& state, double cpu, const Capture& capture) {
  state.counters["frames/cpu_s"] =
      static_cast<double>(kFrames * kRounds) * static_cast<double>(state.iterations()) / cpu;
  state.counters["GB"] = static_cast<double>((capture.bytes.size() - 24) * kRounds) * 1e-9;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["max_rss_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

void diagnose_all(benchmark::State& state) {
  const auto stations = static_cast<std::uint64_t>(state.range(0));
  Capture capture = make_capture(stations);
  double cpu = 0;
  for ([[maybe_unused]] auto iteration : state) {
    set_clock(capture, 0);
    clock_seconds = 0;
    const double start = cpu_seconds();
    auto reader = wire::CaptureReader::open(source_of(capture), "generated");
    const findings::Report report = watch::diagnose(*reader, {});
    cpu += cpu_seconds() - start - clock_seconds;
    const bool right =
        report.findings.empty() && report.title.starts_with("10000000 frames, 100.0 s") && !report.incomplete;
    if (!right)
      state.SkipWithError(("a healthy capture was told as: " + report.title +
                           (report.findings.empty() ? "" : ", " + report.findings[0].headline))
                              .c_str());
  }
  finish(state, cpu, capture);
}

// The same traffic, counted: every frame must be in its station, and every pair both ways.
void observe_all(benchmark::State& state) {
  const auto stations = static_cast<std::uint64_t>(state.range(0));
  Capture capture = make_capture(stations);
  double cpu = 0;
  for ([[maybe_unused]] auto iteration : state) {
    set_clock(capture, 0);
    clock_seconds = 0;
    const double start = cpu_seconds();
    auto reader = wire::CaptureReader::open(source_of(capture), "generated");
    watch::Observer observer;
    observer.interfaces(reader->interfaces());
    for (wire::Frame frame; reader->next(frame);) observer.frame(frame);
    const watch::Observations o = observer.finish();
    cpu += cpu_seconds() - start - clock_seconds;
    std::uint64_t sent = 0, received = 0, answered = 0;
    for (const watch::Station& s : o.stations) sent += s.sent, received += s.received;
    for (const watch::Pair& p : o.pairs) answered += p.reverse != watch::kNobody ? p.frames : 0;
    if (sent != kFrames * kRounds || received != sent || answered != sent || o.stations.size() > stations)
      state.SkipWithError("frames were lost or counted twice");
  }
  finish(state, cpu, capture);
}

BENCHMARK(diagnose_all)->Arg(100)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(observe_all)->Arg(1'000)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
