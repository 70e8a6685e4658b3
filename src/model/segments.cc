#include "model/segments.h"

#include <deque>

namespace sekimori::model {
namespace {

std::uint64_t node(BridgeId bridge, std::uint16_t vlan) { return std::uint64_t{bridge.value} << 16 | vlan; }

// The VLAN in which a frame with this tag is on the bridge (802.1Q ingress rules); none when it is not let
// in.
int vlan_inside(const Model& m, PortId port, std::uint16_t tag) {
  if (!m[m[port].bridge].vlan_aware) return tag;
  if (tag == 0) return m[port].pvid != 0 ? m[port].pvid : -1;
  return m.vlan_sets[m[port].tagged_vlans].test(tag) ? tag : -1;
}

// The tag with which it leaves.
int tag_outside(const Model& m, PortId port, std::uint16_t vlan) {
  if (!m[m[port].bridge].vlan_aware) return vlan;
  if (m[port].pvid == vlan) return 0;
  return m.vlan_sets[m[port].tagged_vlans].test(vlan) ? vlan : -1;
}

class Walk {
 public:
  Walk(const Model& m, Segments& out) : m_(m), out_(out) {}

  void from(StationId station) {
    out_.list.emplace_back();
    join(station);
    cross(m_[station].port, m_[station].vlan);
    while (!open_.empty()) {
      const auto [bridge, vlan] = open_.front();
      open_.pop_front();
      for (const PortId port : m_[bridge].ports) {
        const int tag = tag_outside(m_, port, vlan);
        if (tag >= 0) cross(port, static_cast<std::uint16_t>(tag));
      }
    }
  }

 private:
  std::uint32_t current() const { return static_cast<std::uint32_t>(out_.list.size() - 1); }

  void join(StationId station) {
    out_.of_station[station.index()] = current();
    out_.list.back().stations.push_back(station);
  }

  // Over the link of `port`, with this tag, to whatever is at the other end.
  void cross(PortId port, std::uint16_t tag) {
    const LinkId link = m_[port].link;
    if (!link.valid() || !m_[link].up) return;
    const PortId far = peer(m_, port);
    if (m_[far].station.valid()) {
      for (StationId s = m_[far].station; s.valid(); s = m_[s].next_on_port) {
        if (m_[s].vlan == tag && out_.of_station[s.index()] == StationId::kNone) join(s);
      }
      return;
    }
    const int vlan = vlan_inside(m_, far, tag);
    if (vlan < 0) return;
    const std::pair at(m_[far].bridge, static_cast<std::uint16_t>(vlan));
    if (!out_.by_bridge.try_emplace(node(at.first, at.second), current()).second) return;
    out_.list.back().bridges.push_back(at);
    open_.push_back(at);
  }

  const Model& m_;
  Segments& out_;
  std::deque<std::pair<BridgeId, std::uint16_t>> open_;
};

}  // namespace

std::uint32_t Segments::of_bridge(BridgeId bridge, std::uint16_t vlan) const {
  const auto found = by_bridge.find(node(bridge, vlan));
  return found == by_bridge.end() ? BridgeId::kNone : found->second;
}

Segments segments(const Model& model) {
  Segments result;
  result.of_station.assign(model.stations.size(), StationId::kNone);
  Walk walk(model, result);
  for (std::uint32_t s = 0; s < model.stations.size(); ++s) {
    if (result.of_station[s] == StationId::kNone) walk.from(StationId(s));
  }
  return result;
}

}  // namespace sekimori::model
