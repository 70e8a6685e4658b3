#include "lab/live_switch.h"

#include <algorithm>
#include <tuple>

#include "switching/hosted_bridge.h"
#include "switching/vlan.h"

namespace sekimori::lab {

using model::BridgeKind;
using model::Mac;
using model::Port;
using model::PortId;
using model::PortRole;
using switching::Fdb;

LiveSwitch::LiveSwitch(const model::Model& site, model::BridgeId bridge)
    : site_(site), bridge_(site[bridge]) {
  for (const PortId port : bridge_.ports) {
    const PortId far = model::peer(site, port);
    if (!far.valid()) continue;
    for (model::StationId s = site[far].station; s.valid(); s = site[s].next_on_port)
      attached_.emplace(site[s].mac, port);
  }
  for (const model::StaticEntry& entry : bridge_.static_entries)
    fdb_.set_static(bridge_.vlan_aware ? entry.vlan : std::uint16_t{0}, intern(entry.mac), entry.port.value);
}

switching::AddressIndex LiveSwitch::intern(Mac mac) {
  const auto [entry, is_new] =
      addresses_.try_emplace(mac, static_cast<switching::AddressIndex>(macs_.size()));
  if (is_new) macs_.push_back(mac);
  return entry->second;
}

const std::vector<LiveSwitch::Copy>& LiveSwitch::relay(PortId in, const Frame& frame, base::Time now) {
  copies_.clear();
  const Port& port = site_[in];
  // No station sends from a group address, and no bridge relays what is for bridges (802.1Q 8.6.3).
  if (frame.source.is_group() || frame.source.is_zero()) return copies_;
  if (bridge_.kind != BridgeKind::kHub && frame.destination.is_link_local_group()) return copies_;
  std::uint16_t vlan = 0;
  if (bridge_.vlan_aware) {
    const auto classified = switching::classify(port, site_.vlan_sets[port.tagged_vlans], frame.tag);
    if (!classified) return copies_;
    vlan = *classified;
  }
  const bool group = frame.destination.is_group();
  if (group && !admitted(in, frame, false, now)) return copies_;
  if (bridge_.kind == BridgeKind::kHostedBridge) {
    relay_hosted(in, frame);
    return copies_;
  }

  bool unknown = false;
  if (bridge_.kind != BridgeKind::kHub) {
    if (!learn(in, vlan, frame.source, now)) return copies_;
    if (const auto known = addresses_.find(frame.destination); !group && known != addresses_.end()) {
      const auto entry = fdb_.lookup(vlan, known->second, now, bridge_.ageing);
      if (entry.what == Fdb::Found::kHit) {
        copy_to(in, PortId(entry.port), vlan, frame);
        return copies_;
      }
    }
    unknown = !group;
    if (unknown && !admitted(in, frame, true, now)) return copies_;
  }
  for (const PortId out : bridge_.ports) {
    if (!unknown || site_[out].floods_unknown) copy_to(in, out, vlan, frame);
  }
  return copies_;
}

// False when the frame must not be relayed: its address is over the port's limit.
bool LiveSwitch::learn(PortId in, std::uint16_t vlan, Mac source, base::Time now) {
  const Port& port = site_[in];
  if (!bridge_.learning || bridge_.ageing.count() == 0 || !port.learning) return true;
  if (macs_.size() >= kMostAddresses && !addresses_.contains(source)) return true;
  const auto address = intern(source);
  if (port.mac_limit != 0 && fdb_.lookup(vlan, address, now, bridge_.ageing).what != Fdb::Found::kHit &&
      fdb_.count_port(in.value, now, bridge_.ageing) >= port.mac_limit) {
    return false;
  }
  fdb_.learn(vlan, address, in.value, now, bridge_.ageing, bridge_.table_size);
  return true;
}

bool LiveSwitch::admitted(PortId in, const Frame& frame, bool unknown, base::Time now) {
  const model::StormControl& limits = site_.storm_controls[site_[in].storm_control];
  const bool broadcast = frame.destination.is_broadcast();
  const model::BitRate rate = unknown     ? limits.unknown_unicast
                              : broadcast ? limits.broadcast
                                          : limits.multicast;
  if (rate.bits_per_second == 0) return true;
  Policer& policer = policers_[in];
  switching::TokenBucket& bucket = unknown     ? policer.unknown_unicast
                                   : broadcast ? policer.broadcast
                                               : policer.multicast;
  return bucket.admit(frame.bytes, rate, now);
}

bool LiveSwitch::is_plugged_in_at(PortId port, Mac mac) const {
  const auto [first, last] = attached_.equal_range(mac);
  return std::any_of(first, last, [&](const auto& entry) { return entry.second == port; });
}

// The remedy `guard`: a frame for a station on another port of this very switch stays inside.
bool LiveSwitch::guarded(PortId out, Mac destination) const {
  if (!site_[out].guard) return false;
  const auto [first, last] = attached_.equal_range(destination);
  return std::any_of(first, last, [&](const auto& entry) { return entry.second != out; });
}

void LiveSwitch::copy_to(PortId in, PortId out, std::uint16_t vlan, const Frame& frame) {
  const Port& port = site_[out];
  if (out == in || !port.link.valid()) return;
  std::uint16_t tag = frame.tag;
  if (bridge_.vlan_aware) {
    const auto leaves = switching::egress_tag(port, site_.vlan_sets[port.tagged_vlans], vlan);
    if (!leaves) return;
    tag = *leaves;
  }
  if (port.isolated && site_[in].isolated) return;
  if (guarded(out, frame.destination)) return;
  copies_.push_back({out, tag});
}

void LiveSwitch::relay_hosted(PortId in, const Frame& frame) {
  using switching::HostedDestination;
  auto known = frame.destination.is_group() ? HostedDestination::kGroup : HostedDestination::kElsewhere;
  const auto [first, last] = attached_.equal_range(frame.destination);
  for (auto entry = first; entry != last; ++entry) {
    const PortRole role = site_[entry->second].role;
    if (role == PortRole::kHost) known = HostedDestination::kTheHost;
    if (role == PortRole::kGuest && known != HostedDestination::kTheHost)
      known = HostedDestination::kOtherGuest;
  }
  const PortRole from = site_[in].role;
  for (const PortId out : bridge_.ports) {
    const Port& port = site_[out];
    if (out == in || !port.link.valid()) continue;
    HostedDestination destination = known;
    if (port.role == PortRole::kGuest && known != HostedDestination::kGroup) {
      // A guest that bridges has its NIC promiscuous and gets everything, as on a hub.
      const bool everything = site_[model::peer(site_, out)].bridge.valid();
      if (everything || is_plugged_in_at(out, frame.destination)) destination = HostedDestination::kThisGuest;
    }
    if (!switching::hosted_bridge_relays(from, port.role, destination, bridge_.filters_local)) continue;
    if (port.role == PortRole::kUplink && guarded(out, frame.destination)) continue;
    copies_.push_back({out, frame.tag});
  }
}

std::vector<LiveSwitch::Entry> LiveSwitch::table(base::Time now) const {
  std::vector<Entry> entries;
  for (const Fdb::Slot& slot : fdb_.entries()) {
    if (slot.key == 0 || (!slot.is_static && now - slot.seen >= bridge_.ageing)) continue;
    entries.push_back({macs_[Fdb::address_of(slot)], Fdb::vlan_of(slot), PortId(slot.port),
                       slot.is_static ? base::Duration{0} : now - slot.seen, slot.is_static});
  }
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::tuple(e.vlan, e.mac); });
  return entries;
}

}  // namespace sekimori::lab
