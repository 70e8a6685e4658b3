// Two stations with one IP address in one segment (RFC 5227, RFC 4862): whoever asks for it gets two answers,
// and keeps the first or the last of them as its stack has it. Connections go to one machine today and to the
// other tomorrow.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "check/rules.h"

namespace sekimori::check {

using model::StationId;

namespace {

findings::Finding tell(const model::Model& m, const std::vector<StationId>& meeting, base::Time from,
                       const std::string& address, std::string_view protocol) {
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
  f.headline = fmt::format("{} have the same IP address, {}, in one segment", f.where, address);
  f.cause = fmt::format(
      "Whoever asks for {} by {} gets {} answers, and talks to the machine whose answer its stack happens to "
      "keep.",
      address, protocol, meeting.size());
  return f;
}

template <class Prefix>
void find(const Site& site, Prefix model::Station::* ip, std::string_view protocol,
          std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::unordered_map<decltype(Prefix::address), std::vector<StationId>> by_ip;
  const auto address_of = [&](std::size_t s) { return (m.stations[s].*ip).address; };
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    if (!address_of(s).is_zero()) by_ip[address_of(s)].emplace_back(s);
  }
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    const auto holders = by_ip.find(address_of(s));
    if (holders == by_ip.end() || holders->second.size() < 2 || holders->second.front().index() != s)
      continue;
    std::vector<StationId> meeting;
    base::Time from = base::kNever;
    for (const StationId a : holders->second) {
      const bool meets = std::ranges::any_of(holders->second, [&](StationId b) {
        base::Time when;
        const bool by_design = m[a].shared.valid() && m[a].shared == m[b].shared;
        if (a == b || by_design ||
            site.segments.of_station[a.index()] != site.segments.of_station[b.index()] ||
            !site.together(a, b, when)) {
          return false;
        }
        from = std::min(from, when);
        return true;
      });
      if (meets) meeting.push_back(a);
    }
    if (!meeting.empty()) out.push_back(tell(m, meeting, from, wire::to_text(holders->first), protocol));
  }
}

}  // namespace

void rule_ip_duplicate(const Site& site, std::vector<findings::Finding>& out) {
  find(site, &model::Station::ip, "ARP", out);
  find(site, &model::Station::ip6, "Neighbor Discovery", out);
}

}  // namespace sekimori::check
