#include "simulate/first_hop_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace sekimori::simulate {

using findings::Code;
using findings::Finding;

void explain_takeovers(const model::Model& m, const RunResult& run, findings::Report& report) {
  std::map<std::uint32_t, std::vector<const TakeoverRecord*>> by_address;
  for (const TakeoverRecord& takeover : run.takeovers) by_address[takeover.shared.value].push_back(&takeover);
  for (const auto& [index, list] : by_address) {
    const model::SharedAddress& shared = m.shared[index];
    const auto is_here = [&](const Finding& f) {
      return f.code == Code::kMacDuplicate && std::ranges::any_of(f.stations, [&](model::StationId s) {
               return m[s].shared == model::SharedId(index);
             });
    };
    const auto duplicate = std::ranges::find_if(report.findings, is_here);
    Finding note;
    Finding& f = duplicate != report.findings.end() ? *duplicate : note;
    for (const TakeoverRecord* takeover : list) {
      if (f.evidence.size() >= 6) break;
      f.evidence.push_back({takeover->at, name_of(m, takeover->nic),
                            fmt::format("took {} over, and announced it", shared.name)});
    }
    if (duplicate != report.findings.end()) continue;
    const TakeoverRecord& last = *list.back();
    f.code = Code::kRouterTakeover;
    f.severity = findings::entry(f.code).severity;
    f.certainty = findings::Certainty::kObserved;
    f.where = shared.name;
    f.line = shared.line;
    f.onset = list.front()->at;
    for (const auto& member : shared.members) f.stations.push_back(member.nic);
    std::ranges::sort(f.stations);
    f.headline = fmt::format("the virtual router {} changed hands {}", shared.name,
                             list.size() == 1 ? "once" : fmt::format("{} times", list.size()));
    f.cause = fmt::format(
        "{} heard no better router for {} and spoke for {} from then on. {} moved with it, which is no "
        "duplicate.",
        name_of(m, last.nic), shared.kind == model::SharedKind::kHsrp ? "the hold time" : "three intervals",
        wire::to_text(shared.ip), wire::to_text(shared.mac));
    report.findings.push_back(std::move(note));
  }
}

}  // namespace sekimori::simulate
