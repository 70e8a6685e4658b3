#include "check/mac_holders.h"

#include <algorithm>
#include <unordered_map>

namespace sekimori::check {

MacHolders::MacHolders(const model::Model& model, const Forest& forest, std::span<const StationId> contested)
    : m_(model), forest_(forest) {
  number();
  doubtful_.assign(size(), false);
  for (const StationId s : contested) doubtful_[address(s)] = true;
  doubt_duplicates();
  take_static_entries();
}

void MacHolders::number() {
  address_.resize(m_.stations.size());
  count_.assign(m_.stations.size(), 0);
  std::unordered_map<wire::Mac, std::uint32_t> first;
  first.reserve(m_.stations.size());
  for (std::uint32_t s = 0; s < m_.stations.size(); ++s) {
    address_[s] = first.try_emplace(m_.stations[s].mac, s).first->second;
    if (forest_.place(StationId(s)).plugged()) ++count_[address_[s]];
  }
}

// One address at two ports. VLANs of one NIC share their port.
void MacHolders::doubt_duplicates() {
  any_.resize(size());
  for (std::size_t i = 0; i < m_.stations.size(); ++i) {
    const StationId s(i);
    if (!forest_.place(s).plugged()) continue;
    StationId& one = any_[address(s)];
    if (!one.valid()) one = s;
    // The members of a cluster hide their common address, so that no table can confuse them.
    const bool hidden = m_[s].hides_its_mac() && m_[one].hides_its_mac();
    if (one != s && !hidden && may_meet(one, s)) doubtful_[address(s)] = true;
  }
}

// A table could confuse them.
bool MacHolders::may_meet(StationId a, StationId b) const {
  const Place &x = forest_.place(a), &y = forest_.place(b);
  if (x.node == kNone || y.node == kNone) return false;
  const Node &u = forest_[x.node], &v = forest_[y.node];
  if (u.component == v.component) return true;
  // Bridges that know no VLANs have one table for both segments: does it see both behind one port?
  const Component &component = forest_.components()[u.component], &other = forest_.components()[v.component];
  for (NodeIndex n = component.first; n < component.end; ++n) {
    if (m_[forest_[n].bridge].vlan_aware) continue;
    for (NodeIndex o = other.first; o < other.end; ++o) {
      if (forest_[o].table == forest_[n].table && toward(n, x) != toward(o, y)) return true;
    }
  }
  return false;
}

PortId MacHolders::toward(NodeIndex n, const Place& place) const {
  std::vector<Step> way;
  forest_.way({n, {}}, place, way);
  return way.front().out;
}

void MacHolders::take_static_entries() {
  statics_.resize(m_.bridges.size());
  known_by_hand_.assign(size(), false);
  std::unordered_map<wire::Mac, std::vector<StationId>> stations;
  for (const model::Bridge& bridge : m_.bridges) {
    for (const model::StaticEntry& entry : bridge.static_entries) stations[entry.mac];
  }
  if (stations.empty()) return;
  for (std::size_t s = 0; s < m_.stations.size(); ++s) {
    const auto found = stations.find(m_.stations[s].mac);
    if (found != stations.end() && forest_.place(StationId(s)).plugged())
      found->second.push_back(StationId(s));
  }
  for (std::size_t b = 0; b < m_.bridges.size(); ++b) {
    for (const model::StaticEntry& entry : m_.bridges[b].static_entries) {
      for (const StationId s : stations[entry.mac]) {
        const std::uint32_t a = address(s);
        statics_[b].push_back({a, m_.bridges[b].vlan_aware ? entry.vlan : std::uint16_t{0}});
        known_by_hand_[a] = true;
        if (leads_elsewhere(BridgeId(b), entry, s)) doubtful_[a] = true;
      }
    }
  }
}

bool MacHolders::leads_elsewhere(BridgeId bridge, const model::StaticEntry& entry, StationId station) const {
  const NodeIndex n = forest_.node_at(bridge, m_[bridge].vlan_aware ? entry.vlan : m_[station].vlan);
  const Place& place = forest_.place(station);
  if (n == kNone || place.node == kNone || forest_[n].component != forest_[place.node].component)
    return false;
  return toward(n, place) != entry.port;
}

bool MacHolders::is_static(NodeIndex n, std::uint32_t address) const {
  const Node& node = forest_[n];
  return std::ranges::any_of(statics_[node.bridge.index()], [&](const Static& s) {
    return s.address == address && (!m_[node.bridge].vlan_aware || s.vlan == node.vlan);
  });
}

}  // namespace sekimori::check
