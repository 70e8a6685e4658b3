// Clusters that hide their address (model/nlb.h), and how findings tell of them.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "findings/finding.h"
#include "model/model.h"

namespace sekimori::findings {

// The cluster whose address that is; invalid when it is none's.
inline model::SharedId cluster_with(const model::Model& m, wire::Mac mac) {
  for (std::size_t i = 0; i < m.shared.size(); ++i) {
    if (m.shared[i].kind == model::SharedKind::kNlb && m.shared[i].mac == mac) return model::SharedId(i);
  }
  return {};
}

inline std::vector<model::StationId> nics_of(const model::SharedAddress& shared) {
  std::vector<model::StationId> nics;
  for (const auto& member : shared.members) nics.push_back(member.nic);
  std::ranges::sort(nics);
  return nics;
}

inline std::string names_of_members(const model::Model& m, const model::SharedAddress& shared) {
  std::vector<std::string> names;
  for (const model::StationId nic : nics_of(shared)) names.push_back(name_of(m, nic));
  return base::list_words(names, 4);
}

// Why no switch can learn it, as the cause of a finding.
inline std::string masking_text(const model::Model& m, const model::SharedAddress& cluster) {
  const model::Station& first = m[cluster.members.front().nic];
  return fmt::format(
      "{} is a Network Load Balancing cluster in unicast mode: {} share the address {} and never send from "
      "it, "
      "but from others like {}, so that no switch learns it and all of them get what is for the cluster "
      "(intentional source masking). So does everybody else in the segment, for ever.",
      cluster.name, names_of_members(m, cluster), wire::to_text(cluster.mac), wire::to_text(first.source));
}

// The finding is about that cluster; its headline is the caller's.
inline void tell_masked(const model::Model& m, const model::SharedAddress& cluster, Finding& f) {
  f.stations = nics_of(cluster);
  f.where = cluster.name;
  f.line = cluster.line;
  f.cause = masking_text(m, cluster);
}

}  // namespace sekimori::findings
