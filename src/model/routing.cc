#include "model/routing.h"

#include <algorithm>

#include "base/random.h"

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

Duration until_next_advertisement(const Model& m, MachineId router, std::uint64_t number) {
  const Duration most = m[router].advertise_every, least = most / 3;
  const std::uint64_t drawn = base::mix64(m.seed ^ base::mix64(router.value + (number << 32)));
  return least +
         Duration{static_cast<std::int64_t>(drawn % static_cast<std::uint64_t>((most - least).count() + 1))};
}

}  // namespace sekimori::model
