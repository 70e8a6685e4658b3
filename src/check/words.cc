#include "check/words.h"

#include <fmt/format.h>

namespace sekimori::check {

findings::Finding proved(findings::Code code) {
  findings::Finding f;
  f.code = code;
  f.severity = findings::entry(code).severity;
  f.certainty = findings::Certainty::kProved;
  return f;
}

std::string count(std::size_t n, std::string_view thing) {
  return fmt::format("{} {}{}", n, thing, n == 1 ? "" : "s");
}

std::string segment_name(const Site& site, std::uint32_t segment) {
  const model::Model& m = site.model;
  std::vector<model::BridgeId> bridges;
  std::uint16_t vlan = 0;
  for (const auto& [bridge, inside] : site.segments.list[segment].bridges) {
    bridges.push_back(bridge);
    if (vlan == 0 && m[bridge].vlan_aware && inside != model::kUntaggedOnly) vlan = inside;
  }
  if (bridges.empty()) return names(m, site.segments.list[segment].stations, 2);
  return vlan <= 1 ? names(m, bridges, 3) : fmt::format("{}, VLAN {}", names(m, bridges, 3), vlan);
}

}  // namespace sekimori::check
