#include "check/teams.h"

#include <algorithm>

namespace sekimori::check {

using model::BridgeId;
using model::PortId;

std::vector<PortId> ports_outside(const model::Model& m, const model::Bridge& team) {
  std::vector<PortId> list;
  for (const PortId port : team.ports) {
    const PortId far = m[port].role == model::PortRole::kUplink ? peer(m, port) : PortId();
    if (far.valid() && m[far].bridge.valid()) list.push_back(far);
  }
  return list;
}

std::vector<PortId> opposite(const model::Model& m, const model::Bridge& team) {
  std::vector<PortId> list = ports_outside(m, team);
  std::erase_if(list, [&](PortId port) { return !m[m[port].link].up; });
  return list;
}

bool meet_outside(const model::Model& m, const std::vector<PortId>& ports, BridgeId team) {
  std::vector<std::uint32_t> came_from(m.bridges.size(), PortId::kNone);
  for (const PortId port : ports) {
    std::vector<BridgeId> open{m[port].bridge};
    while (!open.empty()) {
      const BridgeId bridge = open.back();
      open.pop_back();
      if (bridge == team || came_from[bridge.index()] == port.value) continue;
      if (came_from[bridge.index()] != PortId::kNone) return true;
      came_from[bridge.index()] = port.value;
      for (const PortId out : m[bridge].ports) {
        const PortId far = peer(m, out);
        if (far.valid() && m[far].bridge.valid() && m[m[out].link].up) open.push_back(m[far].bridge);
      }
    }
  }
  return false;
}

bool are_one(const model::Model& m, const std::vector<PortId>& ports) {
  return std::ranges::all_of(ports, [&](PortId port) {
    return m[port].lag != 0 && m[port].lag == m[ports.front()].lag &&
           m[port].bridge == m[ports.front()].bridge;
  });
}

}  // namespace sekimori::check
