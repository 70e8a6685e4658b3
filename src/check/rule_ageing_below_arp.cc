// Switches forget a station after 300 s of silence, routers ask for its address again after 4 hours, and in
// between they send it frames that the switches flood. As long as the station answers the way the frames came
// it is heard all the time, so most segments live well with it. It bites where the answers go another way,
// through a second router of the segment, and for stations that only listen. Then the flood is on for
// (ARP timeout - ageing) / ARP timeout of the time: `flood-timers`.
// http://networking.ventrefamily.com/2010/09/unknown-unicast-flooding.html
//
// So with two or more routers in the segment, or a host that keeps ARP entries as long as a router and asks
// by broadcast, it is a warning, with a single router a note. Timeouts up to kShort are the common default of
// hosts (Linux: 30 s) and confirmed by what the stations say; they don't count.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "check/words.h"
#include "switching/kinds.h"

namespace sekimori::check {
namespace {

using base::Duration;
using model::BridgeId;
using model::MachineId;
using model::MachineKind;

constexpr Duration kShort = base::seconds(60);

// A switch with a third port to flood.
bool can_flood(const model::Bridge& bridge) {
  const bool learns = switching::learns(bridge.kind);
  return learns && bridge.learning && bridge.ageing.count() > 0 && bridge.ports.size() > 2;
}

// Nothing confirms an entry of this machine before it asks again.
bool asks_late(const model::Machine& machine) {
  const bool is_confirmed = machine.arp.confirm_by_probe || machine.arp.confirm_by_progress;
  return machine.arp.timeout > kShort && (machine.kind == MachineKind::kRouter || !is_confirmed);
}

// What meets in a segment.
struct Timers {
  BridgeId soonest;                // forgets first
  MachineId latest;                // asks last
  std::vector<BridgeId> bridges;   // that forget sooner than it asks
  std::vector<MachineId> routers;  // all of the segment
  std::vector<MachineId> hosts;    // that ask later than the first forgets

  bool are_dangerous() const { return routers.size() >= 2 || !hosts.empty(); }
  bool bite(const model::Model& m) const {
    return soonest.valid() && latest.valid() && m[soonest].ageing < m[latest].arp.timeout;
  }
};

Timers timers_of(const model::Model& m, const model::Segment& segment) {
  Timers timers;
  for (const auto& [bridge, vlan] : segment.bridges) {
    if (!can_flood(m[bridge])) continue;
    timers.bridges.push_back(bridge);
    if (!timers.soonest.valid() || m[bridge].ageing < m[timers.soonest].ageing) timers.soonest = bridge;
  }
  if (!timers.soonest.valid()) return timers;
  for (const model::StationId s : segment.stations) {
    const MachineId id = m[s].machine;
    const model::Machine& machine = m[id];
    if (m[s].ip.address.is_zero()) continue;
    const bool is_late = asks_late(machine) && machine.arp.timeout > m[timers.soonest].ageing;
    if (machine.kind == MachineKind::kRouter) {
      timers.routers.push_back(id);
    } else if (is_late) {
      timers.hosts.push_back(id);
    }
    if (is_late && (!timers.latest.valid() || machine.arp.timeout > m[timers.latest].arp.timeout))
      timers.latest = id;
  }
  for (auto* machines : {&timers.routers, &timers.hosts}) {  // one may have several NICs here
    std::ranges::sort(*machines);
    const auto [end, last] = std::ranges::unique(*machines);
    machines->erase(end, last);
  }
  if (!timers.latest.valid()) return timers;
  std::erase_if(timers.bridges, [&](BridgeId b) { return m[b].ageing >= m[timers.latest].arp.timeout; });
  return timers;
}

findings::Finding tell(const model::Model& m, const Timers& timers, std::size_t segments) {
  const Duration ageing = m[timers.soonest].ageing, timeout = m[timers.latest].arp.timeout;
  const double share = 1 - base::to_seconds(ageing) / base::to_seconds(timeout);
  findings::Finding f = proved(findings::Code::kAgeingBelowArp);
  if (!timers.are_dangerous()) f.severity = findings::Severity::kNote;
  f.bridge = timers.soonest;
  f.where = names(m, timers.bridges, 4);
  f.line = m[timers.soonest].line;
  f.headline = fmt::format("{} {} a station after {}, {} asks for it again after {}", f.where,
                           timers.bridges.size() == 1 ? "forgets" : "forget", base::to_text(ageing),
                           name_of(m, timers.latest), base::to_text(timeout));
  f.cause = fmt::format("A station that is heard at none but those times is flooded for {} % of the time. ",
                        share > 0.9995 ? "nearly 100" : base::short_number(share * 100, 1));
  if (timers.routers.size() >= 2) {
    f.cause += fmt::format(
        "{} are routers of one segment, so frames may come in by one and be answered through the other, "
        "where the switches between do not hear it.",
        names(m, timers.routers, 3));
  } else if (!timers.hosts.empty()) {
    f.cause +=
        fmt::format("{} {} entries that nothing confirms, and so {} blindly to stations that only listen.",
                    names(m, timers.hosts, 3), timers.hosts.size() == 1 ? "keeps" : "keep",
                    timers.hosts.size() == 1 ? "sends" : "send");
  } else {
    f.cause +=
        "With a single router the answers come back the same way, so it happens to stations that never "
        "answer only.";
  }
  if (segments > 1) f.cause += fmt::format(" It is so in {} segments.", segments);
  f.cause += " An ARP timeout below the ageing time rules it out.";
  return f;
}

}  // namespace

void rule_ageing_below_arp(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  // Segments with the same timers are one fault, told by the first of them: as a rule VLANs of the same gear.
  std::map<std::tuple<Duration, Duration, bool>, std::pair<Timers, std::size_t>> groups;
  for (const model::Segment& segment : site.segments.list) {
    const Timers timers = timers_of(m, segment);
    if (!timers.bite(m)) continue;
    auto& [first, segments] =
        groups[{m[timers.soonest].ageing, m[timers.latest].arp.timeout, timers.are_dangerous()}];
    if (segments++ == 0) {
      first = timers;
    } else {
      first.bridges.insert(first.bridges.end(), timers.bridges.begin(), timers.bridges.end());
    }
  }
  for (auto& [key, group] : groups) {
    std::ranges::sort(group.first.bridges);
    const auto [end, last] = std::ranges::unique(group.first.bridges);
    group.first.bridges.erase(end, last);
    out.push_back(tell(m, group.first, group.second));
  }
}

}  // namespace sekimori::check
