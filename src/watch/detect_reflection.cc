// Reflection: what a port sends comes back to it. A switch that then learns the sender on the wrong port cuts
// it off (Harvester #9735, kubevirt #1620).
//
// With directions in the capture a frame that went out and comes in is proof. Without, an access port sees
// its own station's broadcasts twice and everybody else's once; a mirror that copies both directions would
// double those of others, too.
#include <fmt/format.h>

#include <algorithm>

#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::uint64_t kLeastFrames = 3;
constexpr std::uint32_t kLeastDoubled = 5;

constexpr std::string_view kHint =
    " Something beyond the port sends frames back where they came from: a loop, a port in hairpin mode, a "
    "container network that "
    "reflects broadcasts. Switches in between learn the sender at the wrong port, and answers to it get "
    "lost.";

void with_directions(const Case& c, Results& r) {
  for (const Reflection& reflection : c.o.reflections) {
    if (reflection.frames < kLeastFrames || r.looping.contains(reflection.scope)) continue;
    Finding finding = make(Code::kReflection, Certainty::kObserved, c.where(reflection.scope), "", "");
    const std::string name = c.name(reflection.scope, reflection.source);
    finding.headline = fmt::format("{} of {} came back to the port that they went through",
                                   count_text(reflection.frames, "frame"), name);
    finding.cause = fmt::format("Frames of {} went {} here, and came back {} later, byte for byte the same.",
                                name, reflection.sent_as == wire::Direction::outbound ? "out" : "in",
                                seconds_text(since(reflection.back.at, reflection.sent.at)));
    finding.cause += kHint;
    finding.onset = c.time(reflection.sent);
    c.show(finding, reflection.sent, "the first of them, on its way");
    c.show(finding, reflection.back, "the same frame, back");
    c.show(finding, reflection.last, "the last that came back");
    r.findings.push_back(std::move(finding));
  }
}

bool others_doubled(const Case& c, const Station& own) {
  std::uint64_t doubled = 0, sent = 0;
  for (const std::uint32_t i : c.stations_in(own.scope)) {
    const Station& s = c.o.stations[i];
    if (&s == &own) continue;
    doubled += s.doubled;
    sent += s.group_sent;
  }
  return doubled > 0 || sent < kLeastDoubled;
}

void by_doubles(const Case& c, Results& r) {
  for (const Station& s : c.o.stations) {
    const View& view = c.view(s.scope);
    if (view.place != Place::kAccess || view.sides || view.locals.size() != 1 || !view.locals.contains(s.mac))
      continue;
    if (r.looping.contains(s.scope) || s.doubled < kLeastDoubled ||
        4 * std::uint64_t{s.doubled} < s.group_sent)
      continue;
    if (others_doubled(c, s)) continue;
    Finding finding = make(Code::kReflection, Certainty::kObserved, c.where(s.scope), "", "");
    finding.headline = fmt::format("{} of {} are here twice, and nobody else's",
                                   count_text(s.doubled, "broadcast"), c.name(s.scope, s.mac));
    finding.cause = fmt::format(
        "The port's own station is {}. Its broadcasts come twice, milliseconds apart, those of others once.",
        c.name(s.scope, s.mac));
    finding.cause += kHint;
    c.show(finding, s.first_sent, "the station's first frame");
    r.findings.push_back(std::move(finding));
  }
}

}  // namespace

void detect_reflection(const Case& c, Results& r) {
  with_directions(c, r);
  by_doubles(c, r);
}

}  // namespace sekimori::watch
