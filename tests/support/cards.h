// MACs that a site file leaves out, or examples have, are local ones, as if everything were virtual.
// Detectors of captures look at that.
#pragma once

#include <map>
#include <set>

#include "model/model.h"

namespace sekimori::testing {

// Hosts and routers get cards of a maker.
inline void plug_in_cards(model::Model& m) {
  constexpr std::uint64_t kMaker = 0xa0'36'9f;
  std::map<wire::Mac, wire::Mac> cards;
  std::set<wire::Mac> guests;
  const auto is_guest = [&](const model::Station& s) {
    return m[s.machine].kind == model::MachineKind::kGuest;
  };
  for (const model::Station& s : m.stations) {
    if (is_guest(s)) guests.insert(s.mac);
  }
  for (model::Station& s : m.stations) {
    if (is_guest(s) || !s.mac.is_local() || guests.contains(s.mac)) continue;
    s.mac = cards.try_emplace(s.mac, wire::Mac{kMaker << 24 | cards.size()}).first->second;
  }
  const auto replace = [&](wire::Mac& mac) {
    if (const auto card = cards.find(mac); card != cards.end()) mac = card->second;
  };
  for (model::Bridge& bridge : m.bridges) {
    for (model::StaticEntry& entry : bridge.static_entries) replace(entry.mac);
    for (model::FlowRule& rule : bridge.flow_rules) replace(rule.destination);
  }
}

}  // namespace sekimori::testing
