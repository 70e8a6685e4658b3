// Guests and physical machines in one segment: the faults of virtual switches (leaks, duplicates, floods)
// reach gear that cannot know of them. Harmless as long as all is well, so a note.
#include <fmt/format.h>

#include "check/rules.h"

namespace sekimori::check {

void rule_segment_mixed(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  for (const model::Segment& segment : site.segments.list) {
    std::size_t guests = 0, physical = 0;
    model::MachineId host, other;
    for (const model::StationId s : segment.stations) {
      const model::Machine& machine = m[m[s].machine];
      if (machine.kind == model::MachineKind::kGuest) {
        ++guests;
        host = machine.host;
      }
    }
    if (guests == 0) continue;
    for (const model::StationId s : segment.stations) {
      const model::Machine& machine = m[m[s].machine];
      if (machine.kind != model::MachineKind::kHost || m[s].machine == host) continue;
      ++physical;
      if (!other.valid()) other = m[s].machine;
    }
    if (physical == 0) continue;
    findings::Finding f;
    f.code = findings::Code::kSegmentMixed;
    f.severity = findings::entry(f.code).severity;
    f.certainty = findings::Certainty::kProved;
    f.where = name_of(m, host);
    f.line = m[host].line;
    f.headline = fmt::format("{} guest{} and {} other machine{} share a segment, {} and {} among them",
                             guests, guests == 1 ? "" : "s", physical, physical == 1 ? "" : "s",
                             name_of(m, host), name_of(m, other));
    f.cause =
        "No router stands between the virtual machines and the physical network, so a fault of a virtual "
        "switch or a "
        "virtual MAC is felt by all of them.";
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
