// The path of a frame through a switch that knows its NICs by registration (switching/registered.h): a frame
// to one of them concerns its port and the few ports that are not a plain guest's, so a switch with a
// thousand guests is not searched for each frame.
#include <algorithm>

#include "simulate/fabric.h"
#include "switching/teaming.h"
#include "switching/vlan.h"

namespace sekimori::simulate {

using model::PortRole;
using switching::Destination;

void Fabric::note_registration(std::uint32_t index) {
  Bridge& bridge = bridges_[index];
  if (bridge.family != switching::Family::kRegisters) return;
  std::uint32_t number = 0;
  for (const model::PortId id : model_.bridges[index].ports) {
    const Port& port = ports_[id.index()];
    Plug& plug = plugs_[id.index()];
    const model::Port& settings = model_[id];
    plug.number = number++;
    if (port.peer == kNone) continue;
    const bool bridges = ports_[port.peer].bridge != kNone;
    const model::StationId station = model_.ports[port.peer].station;
    const bool promiscuous = station.valid() && model_[station].promiscuous &&
                             bridge.registrar.kind != model::BridgeKind::kHostedBridge;
    plug.hearing = switching::hears(bridge.registrar.kind, settings, bridges || promiscuous);
    if (bridges && settings.role == PortRole::kGuest)
      plug.nested = addresses_.find(model::nic_address(model_, id));
    if (settings.role == PortRole::kUplink) bridge.uplinks.push_back(id.value);
    if (settings.role != PortRole::kGuest || plug.hearing != switching::Hearing::kItsOwn ||
        plug.nested != kNone || bridge.registrar.macvlan_mode == model::MacvlanMode::kPassthru)
      bridge.watchful.push_back(id.value);
  }
}

// Where on this switch the destination is registered goes to registered_.
Fabric::Registered Fabric::find_registered(std::uint32_t self, std::uint16_t vlan, const Frame& frame) {
  registered_.clear();
  if (frame.dst == kBroadcastAddress) return {Destination::kGroup, kNone};
  Registered found{Destination::kElsewhere, kNone};
  const auto note = [&](std::uint32_t port, std::uint32_t station) {
    if (!model::carries(model_, model::PortId(port), vlan)) return;
    registered_.push_back(port);
    if (model_.ports[port].role == PortRole::kHost || model_.ports[port].role == PortRole::kNetwork) {
      found.destination = Destination::kTheHost;
    } else if (model_.ports[port].role == PortRole::kGuest) {
      if (found.destination != Destination::kTheHost) found.destination = Destination::kOtherGuest;
      found.guest_station = station;
    }
  };
  for (const std::uint32_t station : addresses_.stations_with(frame.dst)) {
    const std::uint32_t at = attachment(station);
    if (at != kNone && ports_[at].bridge == self) note(at, station);
  }
  for (const std::uint32_t port : bridges_[self].watchful) {
    if (plugs_[port].nested == frame.dst) note(port, kNone);
  }
  const auto* by_hand = bridges_[self].fdb.find(bridges_[self].vlan_aware ? vlan : 0, frame.dst);
  if (by_hand != nullptr) note(by_hand->port, kNone);
  return found;
}

bool Fabric::is_source(std::uint32_t port, const Frame& frame) const {
  if (plugs_[port].nested == frame.src) return true;
  return std::ranges::any_of(addresses_.stations_with(frame.src),
                             [&](std::uint32_t station) { return attachment(station) == port; });
}

// Of a team, for what comes in at that port: a packet with its IP addresses, or just anything from `source`.
// kNone when no uplink is up.
std::uint32_t Fabric::chosen_uplink(const Bridge& bridge, std::uint32_t in, std::uint16_t vlan,
                                    wire::Mac source, const Frame* packet) const {
  const switching::Beacons* beacons = beacons_of(ports_[in].bridge);
  const auto usable = [&](std::uint32_t uplink) {
    return beacons == nullptr ? wires_.lane(ports_[uplink].lane_out).up
                              : beacons->is_usable(model::PortId(uplink), vlan);
  };
  const auto up = static_cast<std::size_t>(std::ranges::count_if(bridge.uplinks, usable));
  if (up == 0) return kNone;
  const bool ip = packet != nullptr && packet->flow != kNone;
  std::size_t chosen = switching::choose_uplink(
      model_.bridges[ports_[in].bridge].teaming,
      {plugs_[in].number, source, ip ? packet->src_ip : 0, ip ? packet->dst_ip : 0}, up);
  for (const std::uint32_t uplink : bridge.uplinks) {
    if (usable(uplink) && chosen-- == 0) return uplink;
  }
  return kNone;
}

void Fabric::relay_registered(Bridge& bridge, std::uint32_t in, std::uint16_t vlan, Frame& frame) {
  const std::uint32_t self = ports_[in].bridge;
  const model::Port& from = model_.ports[in];
  const bool group = frame.dst == kBroadcastAddress, from_outside = from.role == PortRole::kUplink;
  if (frame.kind == FrameKind::kBeacon && hear_beacon(in, vlan, frame)) [[unlikely]]
    return;
  const bool hosted = bridge.registrar.kind == model::BridgeKind::kHostedBridge;
  // Only a NIC that is bridged can send with another's address.
  if (from.role == PortRole::kGuest && ports_[ports_[in].peer].bridge != kNone &&
      switching::refuses_source(bridge.registrar.kind, from, is_source(in, frame)))
    return;
  const Registered known = find_registered(self, vlan, frame);
  leaving_.clear();
  if (group) {
    for (const model::PortId id : model_.bridges[self].ports) leaving_.push_back(id.value);
  } else {
    std::ranges::sort(registered_);
    std::ranges::set_union(bridge.watchful, registered_, std::back_inserter(leaving_));
  }
  bool reflected = false;
  if (from_outside) {
    for (const std::uint32_t station : addresses_.stations_with(frame.src)) {
      const std::uint32_t at = attachment(station);
      reflected |= at != kNone && ports_[at].bridge == self && model_.ports[at].role == PortRole::kGuest;
    }
  }
  const bool is_team = bridge.uplinks.size() > 1;
  const switching::Beacons* beacons = is_team ? beacons_of(self) : nullptr;
  const bool shotgun = beacons != nullptr && beacons->is_shotgun(vlan);
  const bool one_copy =
      is_team && group && from_outside && !shotgun && switching::has_own_uplink(model_.bridges[self].teaming);
  const std::uint32_t uplink =
      is_team && !from_outside ? chosen_uplink(bridge, in, vlan, addresses_.mac(frame.src), &frame) : kNone;
  const bool was_stray = frame.stray;
  const std::uint16_t tag_in = frame.tag;
  const bool may_return = switching::may_return(bridge.registrar, known.destination);
  for (const std::uint32_t out : leaving_) {
    if ((out == in && !may_return) || ports_[out].lane_out == kNone) continue;
    const model::Port& settings = model_.ports[out];
    const bool here = std::ranges::find(registered_, out) != registered_.end();
    switching::Passage passage{from.role, settings.role, known.destination, reflected};
    if (settings.role == PortRole::kGuest)
      passage.destination = switching::seen_from(known.destination, here, plugs_[out].hearing);
    if (reflected) passage.from_this_guest = is_source(out, frame);
    if (!switching::relays(bridge.registrar, passage)) continue;
    if (settings.isolated && from.isolated) continue;
    if (is_team && settings.role == PortRole::kUplink &&
        !(shotgun ? beacons->is_usable(model::PortId(out), vlan) : out == uplink))
      continue;
    if (one_copy &&
        chosen_uplink(bridge, out, vlan, model::nic_address(model_, model::PortId(out)), nullptr) != in)
      continue;
    const auto tag = tag_at(out, vlan, tag_in);
    if (!tag) continue;
    frame.tag = *tag;
    if (settings.role == PortRole::kUplink) {
      if (settings.guard && guarded(out, frame)) continue;
      if (hosted) {
        frame.stray = was_stray || known.guest_station != kNone;
        if (from.role == PortRole::kHost && known.guest_station != kNone)
          observer_.leaked(self, known.guest_station, frame, wires_.now());
      } else if (!group) {
        const std::uint16_t inside = bridge.vlan_aware ? vlan : tag_in;
        frame.stray = was_stray || towards(self, inside, frame.dst) != out;
      }
    }
    emit(out, frame);
    frame.stray = was_stray;
    frame.tag = tag_in;
  }
}

// Of a team: where the frames of each NIC leave, in order.
Fabric::NicsAt Fabric::nics_at_uplinks(std::uint32_t index) const {
  const Bridge& bridge = bridges_[index];
  const switching::Beacons* beacons = beacons_of(index);
  NicsAt at;
  for (const model::PortId id : model_.bridges[index].ports) {
    const wire::Mac mac = model::nic_address(model_, id);
    if (model_[id].role == PortRole::kUplink || mac.is_zero() || !wires_.lane(ports_[id.index()].lane_out).up)
      continue;
    const std::uint16_t vlan = model_[id].pvid;
    if (beacons == nullptr || !beacons->is_shotgun(vlan)) {
      at.emplace_back(id.value, chosen_uplink(bridge, id.value, vlan, mac, nullptr));
      continue;
    }
    for (const std::uint32_t uplink : bridge.uplinks) {
      if (beacons->is_usable(model::PortId(uplink), vlan)) at.emplace_back(id.value, uplink);
    }
  }
  std::ranges::sort(at);
  return at;
}

// A NIC whose frames take another uplink from now on is announced there, so that the network outside sends to
// it (vSphere, "Notify switches": RARP requests in the NIC's name).
void Fabric::notify_switches(std::uint32_t index, const NicsAt& before) {
  for (const auto& at : nics_at_uplinks(index)) {
    if (at.second == kNone || std::ranges::binary_search(before, at)) continue;
    const model::PortId port(at.first);
    Frame notice;
    notice.kind = FrameKind::kRarp;
    notice.src = addresses_.find(model::nic_address(model_, port));
    notice.dst = kBroadcastAddress;
    notice.bytes = kLeastFrameBytes;
    const model::Port& uplink = model_.ports[at.second];
    notice.tag =
        switching::egress_tag(uplink, model_.vlan_sets[uplink.tagged_vlans], model_[port].pvid).value_or(0);
    notice.sent = wires_.now();
    emit(at.second, notice);
  }
}

}  // namespace sekimori::simulate
