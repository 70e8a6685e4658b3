// What keeps a frame from passing a switch by the addresses it bears, as the analysis asks: switches of the
// family `registers` (switching/registered.h), locked ports, ports without broadcasts.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "check/forest.h"
#include "check/groups.h"
#include "switching/linux_bridge.h"
#include "switching/registered.h"

namespace sekimori::check {

// Between whom; `to` is invalid for a group.
struct Ends {
  StationId from, to;
  bool multicast = false;  // of a group: not of all stations
  // Of a group that hosts join: where bridges that snoop send it.
  const Groups* groups = nullptr;
  Group group{};  // zero: a report of a member
  bool ipv6 = false;
};

class Registrations {
 public:
  Registrations(const model::Model& m, const Forest& forest) : m_(m), forest_(forest) {
    for (std::size_t b = 0; b < m.bridges.size(); ++b) {
      if (!switching::registers(m.bridges[b].kind)) continue;
      for (const PortId port : m.bridges[b].ports) {
        if (is_bridged(port)) nested_[b].push_back({port, nic_address(m, port)});
      }
    }
  }

  // Where the switch has the destination registered.
  struct Known {
    switching::Destination destination = switching::Destination::kElsewhere;
    PortId port;
  };
  Known find(NodeIndex n, const Ends& ends) const {
    if (!ends.to.valid()) return {switching::Destination::kGroup, {}};
    const BridgeId bridge = forest_[n].bridge;
    const Place& place = forest_.place(ends.to);
    if (place.node != kNone && forest_[place.node].bridge == bridge) return known_at(place.port);
    const wire::Mac mac = m_[ends.to].mac;
    if (const auto nested = nested_.find(bridge.index()); nested != nested_.end()) {
      for (const auto& [port, address] : nested->second) {
        if (address == mac && carries(m_, port, forest_[n].vlan)) return known_at(port);
      }
    }
    for (const model::StaticEntry& entry : m_[bridge].static_entries) {
      if (entry.mac == mac && (!m_[bridge].vlan_aware || entry.vlan == forest_[n].vlan))
        return known_at(entry.port);
    }
    return {};
  }

  // As far as addresses decide it. Frames that something outside reflects do not occur in a tree.
  bool relays(NodeIndex n, PortId in, PortId out, const Known& known) const {
    const model::Bridge& bridge = m_[forest_[n].bridge];
    switching::Passage passage{m_[in].role, m_[out].role, known.destination};
    if (m_[out].role == model::PortRole::kGuest)
      passage.destination = switching::seen_from(known.destination, out == known.port, hearing(bridge, out));
    return switching::relays(switching::registrar(bridge), passage);
  }

  // The port takes frames of its own NIC only, or it is locked and the table does not have the sender there.
  bool refuses(NodeIndex n, PortId in, StationId from) const {
    const wire::Mac source = m_[from].hides_its_mac() ? m_[from].source : m_[from].mac;
    if (m_[in].locked) return !is_static(n, in, source);
    if (is_bridged(in))
      return switching::refuses_source(forest_[n].kind, m_[in], nic_address(m_, in) == m_[from].mac);
    return (m_[from].hides_its_mac() || m_[from].shared.valid()) &&
           switching::refuses_source(forest_[n].kind, m_[in], nic_address(m_, in) == source);
  }

  // Gets copies of what is for others.
  bool overhears(NodeIndex n, PortId port) const {
    return hearing(m_[forest_[n].bridge], port) != switching::Hearing::kItsOwn;
  }

  // On a way from one to the other, nobody keeps a frame from going on.
  bool passes(const std::vector<Step>& way, const Ends& ends) const {
    for (const Step& step : way) {
      if (refuses(step.node, step.in, ends.from)) return false;
      if (!ends.to.valid() && !takes_group(step.in, step.out, ends.multicast)) return false;
      if (!switching::registers(forest_[step.node].kind)) continue;
      if (!relays(step.node, step.in, step.out, find(step.node, ends))) return false;
    }
    return true;
  }

  bool takes_group(PortId in, PortId out, bool multicast) const {
    using enum switching::FloodOf;
    return switching::takes_flood(m_[in], m_[out], multicast ? kMulticast : kBroadcast);
  }

 private:
  bool is_static(NodeIndex n, PortId port, wire::Mac mac) const {
    const model::Bridge& bridge = m_[forest_[n].bridge];
    return std::ranges::any_of(bridge.static_entries, [&](const model::StaticEntry& entry) {
      return entry.mac == mac && entry.port == port && (!bridge.vlan_aware || entry.vlan == forest_[n].vlan);
    });
  }
  bool is_bridged(PortId port) const {
    if (m_[port].role != model::PortRole::kGuest) return false;
    const PortId far = peer(m_, port);
    return far.valid() && m_[far].bridge.valid();
  }
  Known known_at(PortId port) const {
    const bool guest = m_[port].role == model::PortRole::kGuest;
    const bool outside = m_[port].role == model::PortRole::kUplink;
    if (outside) return {};
    return {guest ? switching::Destination::kOtherGuest : switching::Destination::kTheHost, port};
  }
  switching::Hearing hearing(const model::Bridge& bridge, PortId port) const {
    const PortId far = peer(m_, port);
    if (!far.valid()) return switching::Hearing::kItsOwn;
    const bool promiscuous = m_[far].station.valid() && m_[m_[far].station].promiscuous &&
                             bridge.kind != model::BridgeKind::kHostedBridge;
    return switching::hears(bridge.kind, m_[port], m_[far].bridge.valid() || promiscuous);
  }

  struct Nested {
    PortId port;
    wire::Mac address;
  };
  const model::Model& m_;
  const Forest& forest_;
  std::unordered_map<std::size_t, std::vector<Nested>> nested_;  // by bridge
};

}  // namespace sekimori::check
