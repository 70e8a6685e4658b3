// Addresses drawn at random from a range, without asking (base/birthday.h): 20 of 256 collide in every second
// site, 4096 of 2^24 (QEMU-style 52:54:00) with 39 %.
//
// The draws of this very site may have gone well; the next guest and the next site draw again. Managers that
// start many guests at once do it: https://github.com/harvester/harvester/issues/9973. Judged in each
// segment, since equal addresses in two segments harm nobody. Ranges that overlap without being equal are
// judged each by itself. Above kWarnAbove it is a warning, above kNoteAbove a note, below it is silent: one
// site in a million.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/birthday.h"
#include "check/words.h"

namespace sekimori::check {
namespace {

using model::StationId;
using wire::Mac;

constexpr double kWarnAbove = 1e-3, kNoteAbove = 1e-6;

struct Range {
  Mac base;
  int free_bits = 0;
  auto operator<=>(const Range&) const = default;
};

std::string to_text(const Range& range) {
  return fmt::format("{}/{}", wire::to_text(range.base), 48 - range.free_bits);
}

}  // namespace

void rule_mac_birthday(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::map<Range, std::map<std::uint32_t, std::vector<StationId>>> draws;  // by range and segment
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    const model::Station& station = m.stations[s];
    if (station.mac_origin != model::MacOrigin::kDrawn || station.drawn_bits == 0) continue;
    const std::uint64_t free = (std::uint64_t{1} << station.drawn_bits) - 1;
    draws[{Mac{station.mac.bits & ~free}, station.drawn_bits}][site.segments.of_station[s]].emplace_back(s);
  }
  for (const auto& [range, by_segment] : draws) {
    const auto most =
        std::ranges::max_element(by_segment, {}, [](const auto& entry) { return entry.second.size(); });
    const std::vector<StationId>& stations = most->second;
    const double size = std::ldexp(1.0, range.free_bits);
    const double chance = base::chance_of_collision(stations.size(), size);
    if (chance < kNoteAbove) continue;
    std::size_t in_site = 0;
    for (const auto& entry : by_segment) in_site += entry.second.size();
    findings::Finding f = proved(findings::Code::kMacBirthday);
    if (chance < kWarnAbove) f.severity = findings::Severity::kNote;
    f.stations = stations;
    f.where = names(m, stations, 3);
    f.line = m[stations.front()].line;
    f.headline = fmt::format("{} NICs drew their MACs from {} addresses: two are equal with a chance of {}",
                             stations.size(), size, base::chance_text(chance));
    f.cause = fmt::format(
        "{} in the segment of {} were drawn at random from {}, without asking what is in use. Whatever came "
        "out this time, the next guest draws again",
        f.where, segment_name(site, most->first), to_text(range));
    f.cause += in_site == stations.size()
                   ? "."
                   : fmt::format("; in the whole site it is {} draws and {}.", in_site,
                                 base::chance_text(base::chance_of_collision(in_site, size)));
    f.cause += " A range twice as large, or an allocator that asks, makes it rarer or rules it out.";
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
