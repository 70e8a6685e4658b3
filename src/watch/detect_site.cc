// Seen against declared: stations that the site file does not know, or has elsewhere, in another VLAN, with
// another IP address, or switched off; and those that it has and that were not heard.
//
// A place is one broadcast domain for each tag. So all stations that are heard in one scope belong to one
// segment: the one that the port has for that tag, or, when the port is not known, the one that most of them
// are declared in.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "watch/detectors.h"
#include "watch/site.h"
#include "wire/mac_kinds.h"

namespace sekimori::watch {
namespace {

using model::StationId;

constexpr std::size_t kMostShown = 8, kMostFindings = 20;
constexpr std::size_t kLeastToJudge = 3;  // stations, to tell by the majority where we are

bool is_link_local_group(Mac mac) { return mac.bits >> 8 == 0x0180'c200'00u || mac.bits >> 24 == 0x01'000cu; }

// Bridges have addresses that no site file declares; they speak to their neighbours only.
std::set<std::pair<std::uint32_t, Mac>> speakers(const Case& c) {
  std::set<std::pair<std::uint32_t, Mac>> out;
  for (const Pair& pair : c.o.pairs) {
    if (!is_link_local_group(pair.destination)) out.emplace(pair.scope, pair.source);
  }
  return out;
}

// Nor have the NICs of hypervisors that probe with beacons (switching/beacon.h).
bool has_esxi(const Site& site) {
  return std::ranges::any_of(site.model().bridges,
                             [](const model::Bridge& b) { return b.kind == model::BridgeKind::kEsxi; });
}

std::string mac_and_ip(const Case& c, const Station& s) {
  const auto& bindings = c.bindings_of(s.scope, s.mac);
  return bindings.empty() ? wire::to_text(s.mac)
                          : fmt::format("{} ({})", wire::to_text(s.mac), to_text(bindings.front()->ip));
}

void unknown(const Case& c, const Site& site, Results& r) {
  const auto heard = speakers(c);
  const bool beacons = has_esxi(site);
  std::map<std::uint32_t, std::vector<const Station*>> by_scope;
  for (const Station& s : c.o.stations) {
    if (s.sent == 0 || !site.stations(s.mac).empty() || is_virtual_router(s.mac)) continue;
    if (beacons && wire::kEsxiUplinks.contains(s.mac)) continue;
    if (c.o.scopes[s.scope].tunnel == 0 && heard.contains({s.scope, s.mac})) by_scope[s.scope].push_back(&s);
  }
  for (const auto& [scope, stations] : by_scope) {
    std::vector<std::string> names;
    for (const Station* s : stations) names.push_back(mac_and_ip(c, *s));
    Finding finding = make(Code::kStationUnknown, Certainty::kObserved, c.where(scope), "", "");
    finding.headline =
        fmt::format("{} that the site does not declare {} here: {}", count_text(stations.size(), "station"),
                    stations.size() == 1 ? "speaks" : "speak", base::list_words(names, 4));
    finding.cause =
        "The site file has neither the MAC nor the IP address. The file is not up to date, or somebody "
        "plugged in what nobody planned.";
    for (std::size_t i = 0; i < std::min(stations.size(), kMostShown); ++i)
      c.show(finding, stations[i]->first_sent, fmt::format("{} speaks", names[i]));
    finding.onset = c.time(stations.front()->first_sent);
    r.findings.push_back(std::move(finding));
  }
}

// ---------------------------------------------------------------- where it is declared

struct Heard {
  const Station* station = nullptr;
  StationId declared;
};

// Stations that one entry of the site stands for, by scope.
std::map<std::uint32_t, std::vector<Heard>> known(const Case& c, const Site& site) {
  std::map<std::uint32_t, std::vector<Heard>> out;
  for (const Station& s : c.o.stations) {
    if (s.sent == 0 || c.o.scopes[s.scope].tunnel != 0) continue;
    const auto& declared = site.stations(s.mac);
    if (declared.size() == 1) out[s.scope].push_back({&s, declared.front()});
  }
  return out;
}

std::optional<std::uint32_t> segment_here(const Site& site, const Scope& scope,
                                          const std::vector<Heard>& heard) {
  if (site.port().valid()) {
    const auto found = site.tags().find(scope.outer);
    return found == site.tags().end() ? std::nullopt : std::optional(found->second);
  }
  std::map<std::uint32_t, std::size_t> count;
  for (const Heard& h : heard) ++count[site.segments().of_station[h.declared.index()]];
  const auto most = std::ranges::max_element(count, {}, [](const auto& entry) { return entry.second; });
  if (heard.size() < kLeastToJudge || 2 * most->second <= heard.size()) return std::nullopt;
  return most->first;
}

// The tags that the segment has anywhere in the site: on bridges that know VLANs these are its numbers.
std::set<std::uint16_t> vlans_of(const Site& site, std::uint32_t segment) {
  std::set<std::uint16_t> out;
  for (const auto& [bridge, vlan] : site.segments().list[segment].bridges) out.insert(vlan);
  for (const StationId s : site.segments().list[segment].stations) out.insert(site.model()[s].vlan);
  return out;
}

std::string tag_text(std::uint16_t tag) { return tag == 0 ? "no VLAN tag" : fmt::format("VLAN {}", tag); }

Finding misplaced(const Case& c, Code code, const Station& s, std::string headline, std::string cause) {
  Finding finding = make(code, Certainty::kObserved, c.where(s.scope), std::move(headline), std::move(cause));
  finding.onset = c.time(s.first_sent);
  c.show(finding, s.first_sent, fmt::format("{} speaks here", c.name(s.scope, s.mac)));
  return finding;
}

// In the wrong VLAN: the segment passes here, with another tag. Or it does not pass here at all.
std::optional<Finding> wrong_segment(const Case& c, const Site& site, const Heard& h,
                                     std::optional<std::uint32_t> here) {
  const Station& s = *h.station;
  const std::uint32_t own = site.segments().of_station[h.declared.index()];
  const std::uint16_t tag = c.o.scopes[s.scope].outer;
  if (here == own) return std::nullopt;
  const std::string name = c.name(s.scope, s.mac);
  std::string expected;
  if (site.port().valid()) {
    const auto passes = std::ranges::find(site.tags(), own, [](const auto& entry) { return entry.second; });
    if (passes != site.tags().end()) expected = tag_text(passes->first);
  } else if (tag != 0) {
    const auto vlans = vlans_of(site, own);
    if (vlans.contains(tag)) return std::nullopt;
    if (!vlans.empty() && *vlans.rbegin() != 0) expected = tag_text(*vlans.rbegin());
  }
  if (!expected.empty())
    return misplaced(
        c, Code::kVlanUnexpected, s,
        fmt::format("{} is heard with {}, and belongs to {}", name, tag_text(tag), expected),
        "The site has it in another VLAN. An access port is set to the wrong VLAN, a native VLAN differs "
        "between the ends of a link, or two VLANs are joined.");
  if (!here && !site.port().valid()) return std::nullopt;
  return misplaced(c, Code::kStationUnexpected, s,
                   fmt::format("{} is heard in a segment that it does not belong to", name),
                   "The site has it in a segment that does not come by here. It is plugged in elsewhere than "
                   "declared, or two segments are joined that the site keeps apart.");
}

std::optional<Finding> wrong_side(const Case& c, const Site& site, const Heard& h) {
  const Station& s = *h.station;
  const View& view = c.view(s.scope);
  const Side declared = site.side(s.mac);
  if ((s.inbound > 0) == (s.outbound > 0) || (declared != Side::kNear && declared != Side::kFar))
    return std::nullopt;
  if (((s.outbound > 0) == view.near_is_outbound) == (declared == Side::kNear)) return std::nullopt;
  return misplaced(
      c, Code::kStationUnexpected, s,
      fmt::format("{} is heard from the wrong side of {}", c.name(s.scope, s.mac),
                  name_of(site.model(), site.port())),
      "All its frames come from the side where the site does not have it: it has moved, or the site file "
      "is out of date.");
}

bool ever_runs(const model::Model& m, model::MachineId machine) {
  return m[machine].running || std::ranges::any_of(m.changes, [&](const model::Change& change) {
           const auto* start = std::get_if<model::StartMachine>(&change.what);
           return start != nullptr && start->machine == machine;
         });
}

std::optional<Finding> switched_off(const Case& c, const Site& site, const Heard& h) {
  if (ever_runs(site.model(), site.model()[h.declared].machine)) return std::nullopt;
  const Station& s = *h.station;
  return misplaced(c, Code::kStationUnexpected, s,
                   fmt::format("{} speaks, and is declared as stopped", c.name(s.scope, s.mac)),
                   "The site has the machine switched off. It was started, or another one has its MAC.");
}

void places(const Case& c, const Site& site, Results& r) {
  std::size_t told = 0, more = 0;
  for (const auto& [scope, heard] : known(c, site)) {
    const auto here = segment_here(site, c.o.scopes[scope], heard);
    for (const Heard& h : heard) {
      auto finding = wrong_segment(c, site, h, here);
      if (!finding && site.port().valid()) finding = wrong_side(c, site, h);
      if (!finding) finding = switched_off(c, site, h);
      if (!finding) continue;
      if (++told <= kMostFindings) {
        r.findings.push_back(std::move(*finding));
      } else {
        ++more;
      }
    }
  }
  if (more > 0)
    r.remarks.push_back(fmt::format("{} that are not where the site has them are not listed.",
                                    count_text(more, "more station")));
}

// ---------------------------------------------------------------- addresses

std::string declared_ips(const Site& site, const std::vector<StationId>& stations) {
  std::vector<std::string> out;
  for (const StationId s : stations) {
    if (!site.model()[s].ip.address.is_zero()) out.push_back(wire::to_text(site.model()[s].ip.address));
  }
  return out.empty() ? std::string("none") : base::list_words(out);
}

bool is_self_assigned(wire::Ipv4 ip) { return ip.bits >> 16 == 0xa9fe; }

std::optional<Finding> wrong_address(const Case& c, const Site& site, const Binding& b, const Claimant& x) {
  const wire::Ipv4 ip = v4_of(b.ip);
  const auto& by_mac = site.stations(x.mac);
  const auto& by_ip = site.stations(ip);
  const bool same =
      std::ranges::any_of(by_mac, [&](StationId s) { return std::ranges::find(by_ip, s) != by_ip.end(); });
  if (same || (by_mac.empty() && by_ip.empty()) || is_virtual_router(x.mac)) return std::nullopt;
  const std::string who = c.name(b.scope, x.mac);
  Finding finding = make(Code::kAddressUnexpected, Certainty::kObserved, c.where(b.scope), "", "");
  if (by_ip.empty()) {
    if (is_self_assigned(ip)) return std::nullopt;
    finding.headline =
        fmt::format("{} has {}; the site gives it {}", who, wire::to_text(ip), declared_ips(site, by_mac));
    finding.cause =
        "The MAC is declared, with another IP address. It was changed by hand, or comes of DHCP; or another "
        "machine has the MAC.";
  } else {
    finding.headline = fmt::format("{} of {} is claimed by {}", wire::to_text(ip),
                                   name_of(site.model(), by_ip.front()), who);
    finding.cause = fmt::format(
        "The site gives {} to {}, whose MAC is {}. Somebody else has taken the address, or the machine was "
        "replaced.",
        wire::to_text(ip), name_of(site.model(), by_ip.front()),
        wire::to_text(site.model()[by_ip.front()].mac));
  }
  finding.onset = c.time(x.first);
  c.show(finding, x.first, fmt::format("{} claims {}", wire::to_text(x.mac), wire::to_text(ip)));
  return finding;
}

void addresses(const Case& c, const Site& site, Results& r) {
  std::size_t told = 0;
  for (const Binding& b : c.o.bindings) {
    if (!b.ip.is_v4 || c.o.scopes[b.scope].tunnel != 0) continue;
    for (std::size_t i = 0; i < b.count && told < kMostFindings; ++i) {
      if (auto finding = wrong_address(c, site, b, b.claimants[i])) {
        ++told;
        r.findings.push_back(std::move(*finding));
      }
    }
  }
}

// ---------------------------------------------------------------- not heard

void unseen(const Case& c, const Site& site, Results& r) {
  std::set<StationId> heard;
  std::set<std::uint32_t> here;
  for (const Station& s : c.o.stations) {
    if (s.sent == 0) continue;
    for (const StationId id : site.stations(s.mac)) heard.insert(id);
  }
  for (const auto& [scope, stations] : known(c, site)) {
    if (const auto segment = segment_here(site, c.o.scopes[scope], stations)) here.insert(*segment);
  }
  if (heard.empty()) {
    r.remarks.emplace_back(
        "Nobody whom the site declares is heard here: is it the right site, and the right port?");
    return;
  }
  std::vector<std::string> silent;
  for (const std::uint32_t segment : here) {
    for (const StationId id : site.segments().list[segment].stations) {
      if (!heard.contains(id) && site.model()[site.model()[id].machine].running)
        silent.push_back(name_of(site.model(), id));
    }
  }
  if (silent.empty()) return;
  Finding finding = make(Code::kStationUnseen, Certainty::kObserved, "", "", "");
  finding.headline =
      fmt::format("{} of this segment {} not heard: {}", count_text(silent.size(), "declared station"),
                  silent.size() == 1 ? "was" : "were", base::list_words(silent, 4));
  finding.cause = fmt::format(
      "Within {} no frame of theirs came by. They are off, or had nothing to say to all: unicast between "
      "others does "
      "not come here.",
      seconds_text(since(c.o.last.at, c.o.first.at)));
  r.findings.push_back(std::move(finding));
}

}  // namespace

void detect_site(const Case& c, Results& r) {
  if (c.site == nullptr) return;
  unknown(c, *c.site, r);
  places(c, *c.site, r);
  addresses(c, *c.site, r);
  unseen(c, *c.site, r);
}

}  // namespace sekimori::watch
