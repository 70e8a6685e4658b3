// Virtual routers with two masters. VRRP and HSRP have one router of a group answer for the shared address;
// it is master because the others hear it. Two faults make two of them speak from one virtual MAC in one
// segment, which is a duplicate MAC like any other, but with causes of its own:
// - the advertisements don't get from one to the other: ports isolated from each other, or without broadcasts
//   and multicasts, carry everybody's frames but these;
// - two groups of one segment have the same number, and so the same virtual MAC (RFC 5798 section 7.3: the
//   MAC is made of the VRID alone).
// A group whose members are in segments apart (a trunk without the VLAN, a cable that is down) has a master
// in each: nothing is at two places, but each half has a gateway of its own, and when the halves are joined
// there is a moment with two. That is told, too, as latent.
#include <fmt/format.h>

#include <algorithm>

#include "check/forest.h"
#include "check/rules.h"
#include "check/words.h"

namespace sekimori::check {
namespace {

using model::SharedAddress;
using model::SharedKind;

std::string_view protocol(const SharedAddress& shared) {
  return shared.kind == SharedKind::kVrrp ? "VRRP" : "HSRP";
}

std::string group(const SharedAddress& shared) {
  return fmt::format("{} {}", shared.kind == SharedKind::kVrrp ? "VRID" : "group", shared.group);
}

struct Masters {
  std::vector<StationId> aliases, nics;
};
Masters masters_of(const Forest& forest, const SharedAddress& shared) {
  Masters masters;
  for (const auto& member : shared.members) {
    if (!forest.place(member.alias).plugged()) continue;
    masters.aliases.push_back(member.alias);
    masters.nics.push_back(member.nic);
  }
  return masters;
}

findings::Finding about(const model::Model& m, const SharedAddress& shared, findings::Code code,
                        std::vector<StationId> aliases) {
  findings::Finding f = proved(code);
  f.where = names(m, aliases);
  f.line = shared.line;
  f.stations = std::move(aliases);
  return f;
}

bool one_segment(const Site& site, const std::vector<StationId>& stations) {
  return std::ranges::all_of(stations, [&](StationId s) {
    return site.segments.of_station[s.index()] == site.segments.of_station[stations.front().index()];
  });
}

void two_masters(const Site& site, const SharedAddress& shared, const Masters& masters,
                 std::vector<findings::Finding>& out) {
  if (masters.aliases.size() < 2) return;
  const model::Model& m = site.model;
  const bool meet = one_segment(site, masters.nics);
  auto f = about(m, shared, meet ? findings::Code::kMacDuplicate : findings::Code::kMacDuplicateLatent,
                 masters.aliases);
  const std::string who = names(m, masters.nics), mac = wire::to_text(shared.mac);
  if (meet) {
    f.headline = fmt::format("{} has {} masters in one segment: {} all speak from {}", shared.name,
                             masters.nics.size(), who, mac);
    f.cause = fmt::format(
        "The {} advertisements of one do not get to the other: the ports on the way between them are "
        "isolated from "
        "each other, or pass no broadcasts and multicasts. So each takes the other to be dead and is master. "
        "Hosts "
        "hear both, and switches send what is for the gateway to whichever spoke last.",
        protocol(shared));
  } else {
    f.headline = fmt::format("{} has a master in each of {} segments, {}; nothing breaks yet", shared.name,
                             masters.nics.size(), who);
    f.cause = fmt::format(
        "The members of this {} group are in different segments, as it is cabled and tagged, and do not hear "
        "each "
        "other: each half has a gateway of its own. When the halves are joined, {} is at two places until "
        "one of "
        "the masters gives way.",
        protocol(shared), mac);
  }
  out.push_back(std::move(f));
}

void same_number(const Site& site, const Forest& forest, std::size_t first,
                 std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  const SharedAddress& a = m.shared[first];
  for (std::size_t i = first + 1; i < m.shared.size(); ++i) {
    const SharedAddress& b = m.shared[i];
    if (b.kind == SharedKind::kNlb || b.mac != a.mac) continue;
    std::vector<StationId> aliases = masters_of(forest, a).aliases, nics = masters_of(forest, a).nics;
    const Masters others = masters_of(forest, b);
    if (aliases.empty() || others.aliases.empty()) continue;
    aliases.insert(aliases.end(), others.aliases.begin(), others.aliases.end());
    nics.insert(nics.end(), others.nics.begin(), others.nics.end());
    if (!one_segment(site, nics)) continue;  // the same number in another segment is another group
    auto f = about(m, b, findings::Code::kMacDuplicate, aliases);
    f.headline = fmt::format("{} and {} have the same number in one segment, {}, and so the same MAC, {}",
                             a.name, b.name, group(b), wire::to_text(b.mac));
    f.cause = fmt::format(
        "The virtual MAC is made of the number of the group alone, and {} and {} both have {}. Their masters "
        "speak "
        "from it at two places, and switches send what is for either gateway to whichever spoke last.",
        a.name, b.name, group(b));
    out.push_back(std::move(f));
  }
}

}  // namespace

void rule_shared_address(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  if (m.shared.empty()) return;
  const Forest forest(m);
  for (std::size_t i = 0; i < m.shared.size(); ++i) {
    if (m.shared[i].kind == SharedKind::kNlb) continue;
    two_masters(site, m.shared[i], masters_of(forest, m.shared[i]), out);
    same_number(site, forest, i, out);
  }
}

}  // namespace sekimori::check
