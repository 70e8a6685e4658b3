#include "watch/diagnose.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "base/relay.h"
#include "base/text.h"
#include "watch/batches.h"
#include "watch/detectors.h"
#include "watch/observer.h"
#include "watch/viewed.h"
#include "wire/pcapng_writer.h"

namespace sekimori::watch {
namespace {

constexpr std::uint64_t kProgressEvery = 1 << 16;
constexpr std::size_t kMostPlaces = 8;

std::string title_of(const Observations& o) {
  std::string title =
      fmt::format("{}, {}", count_text(o.frames, "frame"), seconds_text(since(o.last.at, o.first.at)));
  if (o.interfaces.size() > 1) title += fmt::format(", {} interfaces", o.interfaces.size());
  return title;
}

// Where each interface is, and what can't be told from there.
void tell_places(const Case& c, findings::Report& report) {
  for (std::size_t i = 0; i < c.views.size() && i < kMostPlaces; ++i) {
    if (c.o.interfaces[i].frames == 0) continue;
    const PlaceClaims& claims = claims_of(c.views[i].place);
    const std::string which = c.views.size() > 1 ? c.interface_name(static_cast<std::uint32_t>(i)) : "This";
    report.remarks.push_back(fmt::format(
        "{} is {}{}: {}. It can't show {}.{}", which, c.views[i].told ? "" : "taken for ", claims.title,
        c.views[i].why, claims.cannot, c.views[i].told ? "" : " If it is another place, say so with --at."));
  }
  if (c.views.size() > kMostPlaces)
    report.remarks.push_back(fmt::format("{} more interfaces are not listed.", c.views.size() - kMostPlaces));
}

void tell_neighbours(const Case& c, findings::Report& report) {
  for (const Neighbour& n : c.o.neighbours) {
    if (n.system.empty() && n.port.empty()) continue;
    report.remarks.push_back(fmt::format("Frame {}: a neighbour calls itself {}, port {}.", n.first.number,
                                         n.system.empty() ? wire::to_text(n.sender) : n.system,
                                         n.port.empty() ? "unknown" : n.port));
    if (&n - c.o.neighbours.data() >= 3) break;
  }
}

void tell_limits(const Observations& o, findings::Report& report) {
  if (o.frames == 0) report.remarks.emplace_back("There is no frame in it.");
  if (o.undecodable > 0)
    report.remarks.push_back(fmt::format("{} could not be decoded: cut short, or of an unknown link type.",
                                         count_text(o.undecodable, "frame")));
  if (o.time_reversals > 0) {
    report.remarks.push_back(fmt::format(
        "Time runs backwards {}, first at frame {}: durations around there are not to be relied on.",
        count_text(o.time_reversals, "time"), o.first_reversal.number));
  }
  if (o.untracked.frames > 0) {
    report.remarks.push_back(fmt::format(
        "{} belong to stations or VLANs beyond the {} stations, {} pairs and {} VLANs that are kept; they "
        "are counted and not looked at. "
        "Those that came first were kept.",
        count_text(o.untracked.frames, "frame"), o.limits.stations, o.limits.pairs, o.limits.scopes));
  }
  if (o.untracked.bindings > 0) {
    report.remarks.push_back(
        fmt::format("IP addresses beyond the first {} were not looked at.", o.limits.bindings));
  }
}

}  // namespace

findings::Report report_of(const Observations& observations, std::optional<Place> at,
                           const Declared& declared) {
  findings::Report report;
  report.kind = "capture";
  report.title = title_of(observations);
  const Viewed viewed(observations, at, declared);
  const Case& c = *viewed;
  Results results = detect(c);
  report.findings = std::move(results.findings);
  report.remarks = std::move(results.remarks);
  tell_places(c, report);
  tell_neighbours(c, report);
  tell_limits(observations, report);
  return report;
}

namespace {

// Batches in flight between two threads: one that is filled, one that is looked at, and two for the jolts.
constexpr std::size_t kInFlight = 4;

// Gives each batch to `look` until that returns false.
using Look = std::function<bool(const Batch&)>;

void read_and_look(wire::CaptureReader& reader, const Look& look) {
  Batches batches(reader);
  for (Batch batch; batches.next(batch) && look(batch);) {
  }
}

// The same with a thread that reads. Batches come in the order of the file, hence the same answer.
void read_beside_look(wire::CaptureReader& reader, const Look& look) {
  base::Relay<std::unique_ptr<Batch>> full, empty;
  for (std::size_t i = 0; i < kInFlight; ++i) empty.put(std::make_unique<Batch>());
  const std::jthread reading([&] {
    Batches batches(reader);
    for (auto batch = empty.take(); batch && batches.next(**batch); batch = empty.take())
      full.put(std::move(*batch));
    full.close();
  });
  for (auto batch = full.take(); batch; batch = full.take()) {
    if (!look(**batch)) break;
    empty.put(std::move(*batch));
  }
  empty.close();
}

}  // namespace

findings::Report diagnose(wire::CaptureReader& reader, const Options& options) {
  Observer observer(options.limits);
  std::uint64_t count = 0;
  bool stopped = false;
  const Look look = [&](const Batch& batch) {
    observe(observer, batch);
    const std::uint64_t before = std::exchange(count, count + batch.frames.size());
    if (options.progress && before / kProgressEvery != count / kProgressEvery)
      stopped = !options.progress(count);
    return !stopped;
  };
  options.threads > 1 ? read_beside_look(reader, look) : read_and_look(reader, look);
  if (options.progress && !stopped) stopped = !options.progress(count);

  findings::Report report = report_of(observer.finish(), options.at, options.site);
  report.source = reader.name();
  report.interrupted = stopped;
  if (const auto problem = reader.problem()) {
    report.incomplete = true;
    report.remarks.insert(report.remarks.begin(), problem->what + " All frames before are in this report.");
  }
  return report;
}

base::Result<void> write_evidence(wire::CaptureReader& reader, const findings::Report& report,
                                  wire::ByteSink sink) {
  std::map<std::uint64_t, std::string> wanted;
  for (const findings::Finding& finding : report.findings) {
    for (const findings::Evidence& e : finding.evidence) {
      if (e.frame == 0) continue;
      std::string& comment = wanted[e.frame];
      comment += fmt::format("{}{}: {} (frame {} of {})", comment.empty() ? "" : "; ",
                             findings::entry(finding.code).word, e.what, e.frame, report.source);
    }
  }
  wire::PcapngWriter writer(std::move(sink));
  std::map<std::uint32_t, std::uint32_t> interfaces;  // ours by theirs
  auto next = wanted.begin();
  for (wire::Frame frame; next != wanted.end() && reader.next(frame);) {
    if (frame.number != next->first) continue;
    auto known = interfaces.find(frame.interface);
    if (known == interfaces.end()) {
      const auto all = reader.interfaces();
      const std::string_view name =
          frame.interface < all.size() ? std::string_view(all[frame.interface].name) : "";
      known =
          interfaces
              .emplace(frame.interface, writer.add_interface({.name = name, .link_type = frame.link_type}))
              .first;
    }
    const auto written = writer.write({.interface = known->second,
                                       .timestamp_ns = frame.timestamp_ns,
                                       .bytes = frame.bytes,
                                       .original_length = frame.original_length,
                                       .direction = frame.direction,
                                       .comment = next->second});
    if (!written) return written;
    ++next;
  }
  return writer.flush();
}

}  // namespace sekimori::watch
