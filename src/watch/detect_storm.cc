// Storms: more frames for everybody on the link than stations can bear, which each has to look at.
//
// A fixed limit tells (a thousand a second keep a small device busy), but only if that is not what this
// segment always carries; a flat high rate that lasts for minutes is told as well.
#include <fmt/format.h>

#include <algorithm>

#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::uint64_t kAboveUsual = 16;   // times the median
constexpr std::uint32_t kLongSeconds = 30;  // loud for so long: whatever is usual here, it hurts
constexpr double kMainSource = 0.5;

struct Source {
  const Station* station = nullptr;
  std::uint64_t all = 0;
};

Source loudest(const Case& c, std::uint32_t scope) {
  Source source;
  for (const std::uint32_t i : c.stations_in(scope)) {
    const Station& s = c.o.stations[i];
    source.all += s.group_sent;
    if (source.station == nullptr || s.group_sent > source.station->group_sent) source.station = &s;
  }
  return source;
}

}  // namespace

void detect_storm(const Case& c, Results& r) {
  for (std::uint32_t scope = 0; scope < c.o.scopes.size(); ++scope) {
    const Rate& rate = c.o.scope_facts[scope].to_all;
    if (rate.loud_seconds == 0 || r.looping.contains(scope)) continue;
    if (rate.peak < kAboveUsual * rate.usual() && rate.loud_seconds < kLongSeconds) continue;
    const Source source = loudest(c, scope);
    const bool one = source.station != nullptr && static_cast<double>(source.station->group_sent) >=
                                                      kMainSource * static_cast<double>(source.all);
    Finding finding = make(Code::kStorm, Certainty::kObserved, c.where(scope), "", "");
    finding.headline =
        fmt::format("up to {} frames a second for everybody{}", rate.peak,
                    one ? fmt::format(", most of them from {}", c.name(scope, source.station->mac)) : "");
    finding.cause = fmt::format(
        "{} had more than {} broadcasts and neighbour multicasts; every station has to look at each. {}",
        count_text(rate.loud_seconds, "second"), Rate::kLoud,
        one ? fmt::format("{} sent {} of {} group frames in this capture. The frames differ, so it is no "
                          "loop: look at "
                          "what runs there.",
                          c.name(scope, source.station->mac), source.station->group_sent, source.all)
            : "No single station sends most of them, and they differ, so it is no loop: a query that "
              "everybody answers, a worm, or "
              "a segment that is too large.");
    finding.onset = c.time(rate.loud_first);
    finding.until = c.time(rate.loud_last);
    c.show(finding, rate.loud_first, "the first loud second begins");
    c.show(finding, rate.peak_begin, fmt::format("the loudest begins: {} frames", rate.peak));
    c.show(finding, rate.loud_last, "the last of them");
    r.findings.push_back(std::move(finding));
  }
}

}  // namespace sekimori::watch
