// Loops: the same frame, byte for byte, again and again (observe_group.cc tells when a copy counts).
//
// One sender's repetitions could be the work of a mad program, copies of several senders could not; nor could
// more copies a second than any program sends on purpose.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::size_t kSeveralSources = 3;
constexpr std::uint64_t kCertainCopies = 1000;
constexpr double kCertainRate = 500;  // copies per second of one frame

struct Ring {
  std::vector<const Replica*> replicas;  // most copies first
  std::set<Mac> sources;
  std::uint64_t copies = 0;
  FrameRef first, last;
};

Ring ring_of(const Case& c, std::uint32_t scope) {
  Ring ring;
  for (const Replica& replica : c.o.replicas) {
    if (replica.scope != scope) continue;
    ring.replicas.push_back(&replica);
    ring.sources.insert(replica.source);
    ring.copies += replica.copies;
    if (!ring.first || replica.first.number < ring.first.number) ring.first = replica.first;
    if (replica.last.number > ring.last.number) ring.last = replica.last;
  }
  std::ranges::sort(ring.replicas, std::greater(), &Replica::copies);
  return ring;
}

double rate_of(const Replica& replica) {
  const Nanos time = since(replica.last.at, replica.first.at);
  return time <= 0 ? 0 : static_cast<double>(replica.copies) * 1e9 / static_cast<double>(time);
}

void tell(const Case& c, std::uint32_t scope, const Ring& ring, bool certain, Results& r) {
  const Replica& most = *ring.replicas.front();
  const Nanos time = since(ring.last.at, ring.first.at);
  Finding finding =
      make(Code::kLoop, certain ? Certainty::kObserved : Certainty::kUndecided, c.where(scope), "", "");
  finding.headline =
      fmt::format("frames circulate: {} copies of {} within {}", ring.copies,
                  ring.replicas.size() == 1 ? "one frame" : count_text(ring.replicas.size(), "frame"),
                  seconds_text(time));
  const Nanos gap =
      since(most.last.at, most.first.at) / static_cast<Nanos>(std::max<std::uint64_t>(1, most.copies - 1));
  finding.cause = fmt::format(
      "A frame from {} to {} comes {} times, byte for byte the same, every {} on average. {} A ring of "
      "bridges without a spanning "
      "tree sends each broadcast round and round. {}",
      c.name(scope, most.source), wire::to_text(most.destination), most.copies, seconds_text(gap),
      ring.sources.size() >= kSeveralSources
          ? fmt::format("So do frames of {} stations, which no single program can do.", ring.sources.size())
          : "No protocol repeats itself like that.",
      c.o.stp.bpdus == 0 ? "No BPDU was seen here."
                         : fmt::format("{} were seen here, so some bridge in the ring does not take part.",
                                       count_text(c.o.stp.bpdus, "BPDU")));
  if (!certain) {
    finding.candidates = {"a ring of bridges (loop)",
                          fmt::format("a program at {} that sends the same broadcast over and over",
                                      wire::to_text(most.source))};
    finding.to_decide = fmt::format("Unplug {}: in a ring the copies go on.", wire::to_text(most.source));
  }
  finding.onset = c.time(ring.first);
  finding.until = c.time(ring.last);
  for (const Replica* replica : ring.replicas) {
    c.show(finding, replica->first,
           fmt::format("from {}, the first of {} copies", c.name(scope, replica->source), replica->copies));
    c.show(finding, replica->tenth, "the tenth copy of it");
    if (finding.evidence.size() >= 6) break;
  }
  c.show(finding, ring.last, "the last copy");
  r.findings.push_back(std::move(finding));
  r.looping.insert(scope);
}

}  // namespace

void detect_loop(const Case& c, Results& r) {
  std::set<std::uint32_t> scopes;
  for (const Replica& replica : c.o.replicas) scopes.insert(replica.scope);
  for (const std::uint32_t scope : scopes) {
    const Ring ring = ring_of(c, scope);
    const Replica& most = *ring.replicas.front();
    const bool certain = ring.sources.size() >= kSeveralSources ||
                         (most.copies >= kCertainCopies && rate_of(most) >= kCertainRate);
    const bool notable = most.copies >= 100;
    if (certain || notable) tell(c, scope, ring, certain, r);
  }
}

}  // namespace sekimori::watch
