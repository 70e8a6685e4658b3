#include "lab/live_cables.h"

#include <algorithm>
#include <string>

#include "switching/vlan.h"
#include "sys/namespaces.h"
#include "wire/emit.h"

namespace sekimori::lab {

using base::Result;
using base::Time;
using model::PortId;

Result<CableWatch> CableWatch::open(const model::Model& site, const Plan& plan, model::BridgeId id) {
  auto space = sys::Namespace::open(plan.namespace_of(plan.bridges[id.index()].space));
  if (!space) return std::unexpected(space.error());
  auto watcher = sys::LinkWatcher::open(*space);
  if (!watcher) return std::unexpected(watcher.error());
  auto links = sys::Links::open(*space);
  if (!links) return std::unexpected(links.error());
  return CableWatch(site, plan, id, std::move(*watcher), std::move(*links));
}

Result<std::unordered_set<PortId>> CableWatch::carriers() {
  watcher_.take();
  const auto list = links_.list();
  if (!list) return std::unexpected(list.error());
  std::unordered_set<std::string> devices;
  for (const sys::LinkState& link : *list) {
    if (link.up && link.carrier) devices.insert(link.name);
  }
  std::unordered_set<PortId> ports;
  for (const PortId port : site_[id_].ports) {
    if (devices.contains(plan_.ports[port.index()].name)) ports.insert(port);
  }
  return ports;
}

Result<LiveCables> LiveCables::open(const model::Model& site, const Plan& plan, model::BridgeId id,
                                    LiveSwitch& live, Send send) {
  auto watch = CableWatch::open(site, plan, id);
  if (!watch) return std::unexpected(watch.error());
  return LiveCables(site, plan, id, live, std::move(send), std::move(*watch));
}

void LiveCables::look(Time now) {
  const auto carriers = watch_.carriers();
  if (!carriers) return;
  const auto& ports = site_[id_].ports;
  for (const PortId port : ports) {
    if (plan_.ports[port.index()].built()) live_.set_carrier(port, carriers->contains(port));
  }
  if (tree_) {
    for (const PortId port : ports) tree_->set_carrier(port, live_.group_carries(port), now);
  }
  notify_moved();
}

bool LiveCables::hear_beacon(PortId in, const LiveSwitch::Frame& frame) {
  if (!live_.hear_beacon(in, frame)) return false;
  notify_moved();
  return true;
}

void LiveCables::on_time(Time now) {
  if (tree_ && tree_->next_due() <= now) tree_->on_time(now);
  if (beacons_due_ > now) return;
  beacons_due_ = now + switching::kBeaconInterval;
  send_beacons();
  notify_moved();
}

Time LiveCables::next_due() const { return tree_ ? std::min(tree_->next_due(), beacons_due_) : beacons_due_; }

void LiveCables::send_beacons() {
  for (const auto& [uplink, tag] : live_.next_beacons()) {
    wire::FrameShape shape{.destination = wire::kBroadcast, .source = switching::beacon_address(uplink)};
    if (tag != 0) {
      shape.tag = wire::VlanTag{.vid = tag};
      shape.bytes += 4;
    }
    wire::Buffer frame;
    wire::append_beacon(frame, shape, site_[uplink].name);
    send_(uplink, std::as_bytes(std::span(frame)));
  }
}

void LiveCables::notify_moved() {
  for (const auto& [nic, uplink] : live_.moved_nics()) notify(nic, uplink);
}

// "Notify switches": RARP in the NIC's name.
void LiveCables::notify(PortId nic, PortId uplink) {
  const model::Port& out = site_[uplink];
  const model::Mac mac = model::nic_address(site_, nic);
  wire::FrameShape shape{.destination = wire::kBroadcast, .source = mac};
  const auto tag = switching::egress_tag(out, site_.vlan_sets[out.tagged_vlans], site_[nic].pvid).value_or(0);
  if (tag != 0) {
    shape.tag = wire::VlanTag{.vid = tag};
    shape.bytes += 4;
  }
  wire::Buffer frame;
  wire::append_arp(frame, shape, wire::notify_rarp(mac));
  send_(uplink, std::as_bytes(std::span(frame)));
}

// What it says for a group of links leaves by one that carries.
void LiveCables::make_tree() {
  const auto send = [send = send_, live = &live_](PortId port, std::span<const std::byte> frame) {
    send(live->any_member(port), frame);
  };
  tree_ = std::make_unique<LiveTree>(site_, plan_, id_, live_, send);
}

void LiveCables::begin_tree(const std::vector<switching::tree::Settled>& settled, Time now) {
  make_tree();
  look(now);
  tree_->settle(settled, [this](PortId port) { return live_.group_carries(port); }, now);
}

void LiveCables::switch_tree(bool on, Time now) {
  if (on == (tree_ != nullptr)) return;
  if (on) {
    make_tree();
    return look(now);
  }
  tree_.reset();
  live_.clear_states();
}

}  // namespace sekimori::lab
