#include "model/routing.h"

#include <algorithm>

namespace sekimori::model {

bool forwards(const Model& m, MachineId machine) {
  return m[machine].kind == MachineKind::kRouter ||
         std::ranges::any_of(m[machine].bridges, [&](BridgeId b) { return m[b].routing != Routing::kNone; });
}

Routing routing_of(const Model& m, StationId station) {
  const PortId far = peer(m, m[station].port);
  if (!far.valid() || m[far].role != PortRole::kHost || !m[far].bridge.valid()) return Routing::kNone;
  const Bridge& bridge = m[m[far].bridge];
  return bridge.machine == m[station].machine ? bridge.routing : Routing::kNone;
}

Passage passage(const Model& m, StationId in, StationId out) {
  if (in == out) return Passage::kAsItIs;
  if (routing_of(m, out) == Routing::kNat) return Passage::kRefused;
  return routing_of(m, in) == Routing::kNat ? Passage::kTranslated : Passage::kAsItIs;
}

}  // namespace sekimori::model
