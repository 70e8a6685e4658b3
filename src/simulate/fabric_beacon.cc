// Beacon probing at work (switching/beacon.h): beacons sent as frames, heard or missed, and the NICs
// announced where another uplink takes over for it.
#include "simulate/fabric.h"

namespace sekimori::simulate {

using model::PortId;
using switching::Beacons;

void Fabric::note_beacons() {
  for (std::uint32_t b = 0; b < bridges_.size(); ++b) {
    if (!switching::probes_with_beacons(model_, model_.bridges[b])) continue;
    const auto is_up = [&](PortId port) { return wires_.lane(ports_[port.index()].lane_out).up; };
    BeaconPlay play{.beacons = Beacons(model_, model_.bridges[b], is_up)};
    play.timer = wires_.add_timer(TimerKind::kBeacon, b);
    wires_.arm(play.timer, switching::kBeaconInterval);
    beacons_.emplace(b, std::move(play));
  }
}

const Beacons* Fabric::beacons_of(std::uint32_t bridge) const {
  if (beacons_.empty()) return nullptr;
  const auto play = beacons_.find(bridge);
  return play == beacons_.end() ? nullptr : &play->second.beacons;
}

// True when it is one of the switch's own team, which is for nobody else.
bool Fabric::hear_beacon(std::uint32_t in, std::uint16_t vlan, const Frame& frame) {
  const std::uint32_t self = ports_[in].bridge;
  const auto play = beacons_.find(self);
  if (play == beacons_.end() || ports_[frame.number].bridge != self) return false;
  Beacons& beacons = play->second.beacons;
  const bool notifies = beacons.is_bad(PortId(in), vlan) && model_.bridges[self].notify_switches;
  const auto before = notifies ? nics_at_uplinks(self) : NicsAt{};
  beacons.hear(PortId(in), vlan, addresses_.mac(frame.src));
  if (notifies) notify_switches(self, before);
  return true;
}

void Fabric::on_beacon_timer(std::uint32_t index) {
  BeaconPlay& play = beacons_.at(index);
  wires_.arm(play.timer, wires_.now() + switching::kBeaconInterval);
  const auto before = nics_at_uplinks(index);
  if (play.beacons.end_interval() && model_.bridges[index].notify_switches) notify_switches(index, before);
  send_beacons(index);
}

void Fabric::send_beacons(std::uint32_t index) {
  const Beacons& beacons = beacons_.at(index).beacons;
  for (const PortId uplink : beacons.uplinks()) {
    Frame beacon;
    beacon.kind = FrameKind::kBeacon;
    beacon.src = addresses_.find(switching::beacon_address(uplink));
    beacon.dst = kBroadcastAddress;
    beacon.number = uplink.value;
    beacon.bytes = kLeastFrameBytes;
    beacon.sent = wires_.now();
    for (const std::uint16_t vlan : beacons.vlans()) {
      const auto tag = tag_at(uplink.value, vlan, 0);
      if (!tag) continue;
      beacon.tag = *tag;
      emit(uplink.value, beacon);
    }
  }
}

}  // namespace sekimori::simulate
