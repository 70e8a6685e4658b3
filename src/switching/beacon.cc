#include "switching/beacon.h"

#include <algorithm>

#include "wire/mac_kinds.h"

namespace sekimori::switching {

using model::PortId;
using model::PortRole;

namespace {

std::vector<PortId> uplinks_of(const model::Model& site, const model::Bridge& bridge) {
  std::vector<PortId> uplinks;
  std::ranges::copy_if(bridge.ports, std::back_inserter(uplinks), [&](PortId port) {
    return site[port].role == PortRole::kUplink && site[port].link.valid();
  });
  return uplinks;
}

// Of port groups, also of those that hand tags through, and of the machine's own NICs.
std::vector<std::uint16_t> vlans_in_use(const model::Model& site, const model::Bridge& bridge) {
  if (!bridge.vlan_aware) return {0};
  model::VlanSet in_use;
  for (const PortId port : bridge.ports) {
    const model::Port& settings = site[port];
    if (settings.role == PortRole::kUplink || !settings.link.valid()) continue;
    if (settings.role == PortRole::kGuest) {
      in_use |= site.vlan_sets[settings.tagged_vlans];
      in_use.set(settings.pvid);
      continue;
    }
    for (model::StationId s = site[model::peer(site, port)].station; s.valid(); s = site[s].next_on_port)
      in_use.set(site[s].vlan == 0 ? settings.pvid : site[s].vlan);
  }
  std::vector<std::uint16_t> vlans;
  for (std::uint16_t vlan = 1; vlan < in_use.size() && vlans.size() < kMostBeaconVlans; ++vlan) {
    if (in_use.test(vlan)) vlans.push_back(vlan);
  }
  return vlans;
}

}  // namespace

wire::Mac beacon_address(PortId uplink) {
  return wire::Mac{wire::kEsxiUplinks.first.bits + uplink.value % wire::kEsxiUplinks.size()};
}

bool probes_with_beacons(const model::Model& site, const model::Bridge& bridge) {
  return bridge.beacon_probing && uplinks_of(site, bridge).size() > 1;
}

Beacons::Beacons(const model::Model& site, const model::Bridge& bridge,
                 const std::function<bool(PortId)>& has_carrier)
    : uplinks_(uplinks_of(site, bridge)),
      vlans_(vlans_in_use(site, bridge)),
      missed_(uplinks_.size() * vlans_.size(), std::int8_t{-1}) {
  for (const PortId uplink : uplinks_) carrier_.push_back(has_carrier(uplink));
}

std::size_t Beacons::number_of(PortId uplink) const {
  const auto known = std::ranges::find(uplinks_, uplink);
  return known == uplinks_.end() ? kNowhere : static_cast<std::size_t>(known - uplinks_.begin());
}

std::size_t Beacons::row_of(std::uint16_t vlan) const {
  const auto known = std::ranges::lower_bound(vlans_, vlan);
  return known == vlans_.end() || *known != vlan ? kNowhere
                                                 : static_cast<std::size_t>(known - vlans_.begin());
}

bool Beacons::any_good(std::size_t row) const {
  for (std::size_t uplink = 0; uplink < uplinks_.size(); ++uplink) {
    if (is_good(row, uplink)) return true;
  }
  return false;
}

bool Beacons::is_own(wire::Mac source) const {
  return std::ranges::any_of(uplinks_, [&](PortId uplink) { return beacon_address(uplink) == source; });
}

bool Beacons::is_bad(PortId at, std::uint16_t vlan) const {
  const std::size_t uplink = number_of(at), row = row_of(vlan);
  return uplink != kNowhere && row != kNowhere && missed_[row * uplinks_.size() + uplink] >= kBeaconsMissed;
}

void Beacons::hear(PortId at, std::uint16_t vlan, wire::Mac source) {
  const std::size_t uplink = number_of(at), row = row_of(vlan);
  // Its own, come back, says nothing of the others.
  if (uplink == kNowhere || row == kNowhere || source == beacon_address(at)) return;
  missed_[row * uplinks_.size() + uplink] = -1;
}

bool Beacons::end_interval() {
  if (std::ranges::count(carrier_, true) < 2) {
    std::ranges::fill(missed_, std::int8_t{-1});
    return false;
  }
  bool one_more = false;
  for (std::int8_t& missed : missed_) {
    if (missed >= kBeaconsMissed) continue;
    one_more |= ++missed == kBeaconsMissed;
  }
  return one_more;
}

void Beacons::set_carrier(PortId port, bool up) {
  const std::size_t uplink = number_of(port);
  if (uplink == kNowhere || carrier_[uplink] == up) return;
  carrier_[uplink] = up;
  if (!up) return;
  for (std::size_t row = 0; row < vlans_.size(); ++row) missed_[row * uplinks_.size() + uplink] = -1;
}

bool Beacons::is_usable(PortId port, std::uint16_t vlan) const {
  const std::size_t uplink = number_of(port), row = row_of(vlan);
  if (uplink == kNowhere || !carrier_[uplink]) return false;
  return row == kNowhere || is_good(row, uplink) || !any_good(row);
}

bool Beacons::is_shotgun(std::uint16_t vlan) const {
  const std::size_t row = row_of(vlan);
  return row != kNowhere && std::ranges::count(carrier_, true) > 1 && !any_good(row);
}

}  // namespace sekimori::switching
