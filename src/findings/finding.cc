#include "findings/finding.h"

#include <algorithm>
#include <tuple>

namespace sekimori::findings {

void sort_findings(std::vector<Finding>& findings) {
  const auto rank = [](const Finding& f) {
    double worst = 0;
    for (const LinkLoad& load : f.links) worst = std::max(worst, load.flooded_mbit + load.dropped_mbit);
    return std::tuple(-static_cast<int>(f.severity), &entry(f.code) - catalogue().data(), -worst, f.where);
  };
  std::ranges::stable_sort(findings, [&](const Finding& a, const Finding& b) { return rank(a) < rank(b); });
}

}  // namespace sekimori::findings
