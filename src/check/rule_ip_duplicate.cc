// Two stations with one IP address in one segment (RFC 5227): whoever asks for it by ARP gets two answers,
// and keeps the first or the last of them as its stack has it. Connections go to one machine today and to the
// other tomorrow.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "check/rules.h"

namespace sekimori::check {

using model::StationId;

void rule_ip_duplicate(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::unordered_map<wire::Ipv4, std::vector<StationId>> by_ip;
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    if (!m.stations[s].ip.address.is_zero()) by_ip[m.stations[s].ip.address].emplace_back(s);
  }
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    const auto holders = by_ip.find(m.stations[s].ip.address);
    if (holders == by_ip.end() || holders->second.size() < 2 || holders->second.front().index() != s)
      continue;
    std::vector<StationId> meeting;
    base::Time from = base::kNever;
    for (const StationId a : holders->second) {
      const bool meets = std::ranges::any_of(holders->second, [&](StationId b) {
        base::Time when;
        if (a == b || site.segments.of_station[a.index()] != site.segments.of_station[b.index()] ||
            !site.together(a, b, when)) {
          return false;
        }
        from = std::min(from, when);
        return true;
      });
      if (meets) meeting.push_back(a);
    }
    if (meeting.empty()) continue;
    std::vector<std::string> names;
    for (const StationId a : meeting) names.push_back(name_of(m, a));
    findings::Finding f;
    f.code = findings::Code::kIpDuplicate;
    f.severity = findings::entry(f.code).severity;
    f.certainty = findings::Certainty::kProved;
    f.stations = meeting;
    f.where = base::list_words(names, 5);
    f.line = m[meeting.back()].line;
    f.onset = from;
    f.headline = fmt::format("{} have the same IP address, {}, in one segment", f.where,
                             wire::to_text(holders->first));
    f.cause = fmt::format(
        "Whoever asks for {} by ARP gets {} answers, and talks to the machine whose answer its stack happens "
        "to keep.",
        wire::to_text(holders->first), meeting.size());
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
