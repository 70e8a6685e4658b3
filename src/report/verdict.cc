#include "report/verdict.h"

#include <algorithm>
#include <tuple>

namespace sekimori::report {

using findings::Finding;
using findings::RemedyOutcome;
using findings::Severity;

Counts count(const findings::Report& report) {
  Counts counts;
  for (const Finding& finding : report.findings) {
    if (finding.accepted) {
      counts.accepted += 1;
      continue;
    }
    if (finding.severity == Severity::kError) counts.errors += 1;
    if (finding.severity == Severity::kWarning) counts.warnings += 1;
    if (finding.severity == Severity::kNote) counts.notes += 1;
  }
  return counts;
}

Verdict verdict_of(const findings::Report& report) {
  const Counts counts = count(report);
  return counts.errors > 0 ? Verdict::kBroken : counts.warnings > 0 ? Verdict::kWillBreak : Verdict::kClean;
}

std::string_view to_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kClean:
      return "clean";
    case Verdict::kWillBreak:
      return "will-break";
    case Verdict::kBroken:
      return "broken";
  }
  return "?";
}

bool fails(const findings::Report& report, std::optional<Severity> threshold) {
  return threshold && std::ranges::any_of(report.findings, [&](const Finding& finding) {
           return !finding.accepted && finding.severity >= *threshold;
         });
}

const Finding* worst(const findings::Report& report) {
  const Finding* worst = nullptr;
  for (const Finding& finding : report.findings) {
    if (finding.accepted || finding.severity == Severity::kNote) continue;
    if (worst == nullptr || finding.severity > worst->severity) worst = &finding;
  }
  return worst;
}

bool serves_better(const RemedyOutcome& a, const RemedyOutcome& b) {
  const auto rank = [](const RemedyOutcome& r) {
    const bool harms = r.after_loss_percent > r.before_loss_percent + 0.05;
    return std::tuple(!r.ends_fault, harms, !r.side_effects.empty());
  };
  return rank(a) < rank(b);
}

const RemedyOutcome* best_remedy(const Finding& finding) {
  const auto best = std::ranges::min_element(finding.remedies, serves_better);
  return best == finding.remedies.end() || !best->ends_fault ? nullptr : &*best;
}

}  // namespace sekimori::report
