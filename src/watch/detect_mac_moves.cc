// Moves: a station heard at one place, then at another. Once is what migration, roaming and failover do; RFC
// 7432 section 15.1 calls five within three minutes a duplicate or a loop, and teaming that sends from two
// independent ports does it for ever.
//
// The same frame at two interfaces within a moment was forwarded, and is no move (observe_group.cc). Members
// of a link aggregation group are one place.
#include <fmt/format.h>

#include <algorithm>

#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::uint32_t kManyMoves = 5;
constexpr Nanos kMoveWindow = 180 * kSecond;

constexpr std::string_view kCauses[] = {
    "two independent ports of one machine send from it: teaming by IP hash or beacon probing without a link "
    "aggregation group",
    "two stations have this MAC, with one IP address or none in these frames (mac-duplicate)",
    "a loop, or something that reflects frames, beyond one of the places (loop, reflection)",
};

struct Places {
  std::string where, one, other;
};

void tell(const Case& c, Mac mac, const Places& places, std::uint64_t count, std::span<const FrameRef> frames,
          Nanos last, Results& r) {
  const Nanos time = since(last, frames.front().at);
  const bool many = count >= kManyMoves && time <= static_cast<Nanos>(count / kManyMoves) * kMoveWindow;
  Finding finding =
      make(Code::kMacMoves, many ? Certainty::kUndecided : Certainty::kObserved, places.where, "", "");
  finding.headline = fmt::format("{} moves between {} and {}: {}", wire::to_text(mac), places.one,
                                 places.other, count_text(count, "move"));
  if (many) {
    finding.cause = fmt::format(
        "It is heard at both in turn, {} in {}. Switches send what is for it to where it was heard last.",
        count_text(count, "time"), seconds_text(time));
    finding.candidates.assign(std::begin(kCauses), std::end(kCauses));
    finding.to_decide =
        "Compare the frames at the two places: equal ones come back or go round; other IP addresses, names "
        "or sequence numbers are two stations; "
        "one stack at two ports of one machine is teaming.";
  } else {
    finding.severity = Severity::kNote;
    finding.cause = "A station that migrates, roams or fails over does that, and then stays.";
  }
  for (const FrameRef& frame : frames) c.show(finding, frame, "the first frame at the other place");
  finding.onset = c.time(frames.front());
  r.findings.push_back(std::move(finding));
}

}  // namespace

void detect_mac_moves(const Case& c, Results& r) {
  for (const Move& move : c.o.moves) {
    if (r.duplicates.contains(move.mac) || is_virtual_router(move.mac) || c.o.lacp > 0) continue;
    const std::size_t shown = std::min<std::size_t>(move.count, move.frames.size());
    tell(c, move.mac, {"", c.interface_name(move.from), c.interface_name(move.to)}, move.count,
         std::span(move.frames).first(shown), move.last, r);
  }
  for (const Crossing& x : c.o.crossings) {
    const Station& s = c.o.stations[x.station];
    if (r.duplicates.contains(s.mac) || is_virtual_router(s.mac) || r.looping.contains(s.scope)) continue;
    const std::size_t shown = std::min<std::size_t>(x.changes, x.frames.size());
    tell(c, s.mac, {c.where(s.scope), "this side", "the other side of the port"}, x.changes,
         std::span(x.frames).first(shown), x.last, r);
  }
}

}  // namespace sekimori::watch
