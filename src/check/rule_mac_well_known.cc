// Addresses that everybody has. A default that a product uses when none is configured, or a joke that comes
// to many minds, is on the next host as well; the day the two meet in a segment, both lose their network. So
// such an address is wrong before there is a second one.
//
// Judged by where it is: on a running machine whose segment reaches other machines that hold guests, where a
// twin may be started any day, it is an error; switched off, or with no other host in its segment, a warning.
// When the twin is there already, it is a `mac-duplicate` besides.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "check/words.h"
#include "wire/well_known_macs.h"

namespace sekimori::check {
namespace {

using model::MachineId;
using model::MachineKind;
using model::MacOrigin;
using model::StationId;
using wire::Mac;

// By segment: the machine that holds its guests, as long as it is one.
class Hosts {
 public:
  explicit Hosts(const Site& site) : site_(site), first_(site.segments.list.size()), several_(first_.size()) {
    const model::Model& m = site.model;
    for (std::size_t i = 0; i < first_.size(); ++i) {
      for (const auto& [bridge, vlan] : site.segments.list[i].bridges) {
        const MachineId host = m[bridge].machine;
        if (!host.valid() || m[host].kind == MachineKind::kGuest) continue;
        if (!first_[i].valid()) first_[i] = host;
        several_[i] |= first_[i] != host;
      }
    }
  }

  // A machine other than the station's own host has guests, or could have, in its segment.
  bool may_meet_another(StationId s) const {
    const model::Machine& machine = site_.model[site_.model[s].machine];
    const MachineId own = machine.host.valid() ? machine.host : site_.model[s].machine;
    const std::uint32_t segment = site_.segments.of_station[s.index()];
    return several_[segment] != 0 || (first_[segment].valid() && first_[segment] != own);
  }

 private:
  const Site& site_;
  std::vector<MachineId> first_;
  std::vector<char> several_;
};

}  // namespace

void rule_mac_well_known(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::map<Mac, std::vector<StationId>> found;
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    // Allocated ones are this program's own; those of clones are the original's.
    if (m.stations[s].mac_origin != MacOrigin::kDeclared) continue;
    if (wire::well_known(m.stations[s].mac)) found[m.stations[s].mac].emplace_back(s);
  }
  if (found.empty()) return;
  const Hosts hosts(site);
  for (const auto& [mac, stations] : found) {
    const bool meets = std::ranges::any_of(stations, [&](StationId s) {
      return site.starts[m[s].machine.index()] != base::kNever && hosts.may_meet_another(s);
    });
    findings::Finding f = proved(findings::Code::kMacWellKnown);
    f.severity = meets ? findings::Severity::kError : findings::Severity::kWarning;
    f.stations = stations;
    f.where = names(m, stations);
    f.line = m[stations.front()].line;
    f.headline = fmt::format("{} {} the MAC {}, {}", f.where, stations.size() == 1 ? "has" : "have",
                             wire::to_text(mac), *wire::well_known(mac));
    f.cause = fmt::format(
        "{} is no address of its own but one that others use, too. {}, the two take each other's frames. "
        "Leave `mac` out or draw one at random.",
        wire::to_text(mac),
        meets ? "Other machines with virtual switches are in its segment; when one of them uses it"
              : "As soon as it is in a segment with another that uses it");
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
