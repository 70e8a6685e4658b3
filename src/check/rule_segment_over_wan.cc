// A segment that spans a wide-area service: every broadcast and every flood of each site crosses the WAN,
// whose accesses are the slowest links of all. Nothing bounds it. End segments at a router before the WAN.
#include <fmt/format.h>

#include "base/text.h"
#include "check/rules.h"

namespace sekimori::check {

void rule_segment_over_wan(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  for (const model::Segment& segment : site.segments.list) {
    for (const auto& [bridge, vlan] : segment.bridges) {
      if (m[bridge].kind != model::BridgeKind::kELan) continue;
      // A router or a host on an access ends the segment there; a switch carries it on.
      std::vector<std::string> accesses;
      base::BitRate slowest{0};
      for (const model::PortId uni : m[bridge].ports) {
        const model::PortId far = peer(m, uni);
        if (!far.valid() || !m[far].bridge.valid()) continue;
        accesses.push_back(name_of(m, uni));
        const base::BitRate rate = m[m[uni].link].rate;
        if (slowest.bits_per_second == 0 || rate < slowest) slowest = rate;
      }
      if (accesses.size() < 2) continue;
      findings::Finding f;
      f.code = findings::Code::kSegmentOverWan;
      f.severity = findings::entry(f.code).severity;
      f.certainty = findings::Certainty::kProved;
      f.bridge = bridge;
      f.line = m[bridge].line;
      f.where = name_of(m, bridge);
      f.headline = fmt::format("one segment of {} stations spans {} by way of {}", segment.stations.size(),
                               f.where, base::list_words(accesses));
      f.cause = fmt::format(
          "Switches, not routers, stand on both sides of {}. Whatever is broadcast or flooded at one site is "
          "sent to all others over accesses of {} and more.",
          f.where, base::to_text(slowest));
      out.push_back(std::move(f));
    }
  }
}

}  // namespace sekimori::check
