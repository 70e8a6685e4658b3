// From what a run showed to findings with causes: each observation is followed back to the reason why the
// table lacked the entry. See findings.cc for the reasoning.
#pragma once

#include <optional>

#include "findings/finding.h"
#include "simulate/run.h"

namespace sekimori::simulate {

// How long a run should be to show every timer of the site at work (ageing, ARP timeouts, changes), cut so
// that the run takes seconds, not minutes. `complete` is false when it was cut.
struct Horizon {
  Time until;
  bool complete;
};
Horizon horizon(const model::Model& model);

// The options of a diagnosing run: until its horizon (or `until`, when given), in windows fine enough to tell
// before from after, coarse enough for big sites.
Options diagnosing_options(const model::Model& model, std::optional<Time> until = std::nullopt);

// Adds to a report what the run shows: findings of what happened, loads, what flows got, and for findings
// that are already there (from the model alone: duplicates, loops, wide segments) the harm and the evidence
// of this run.
void explain(const model::Model& model, const Options& options, const RunResult& result,
             findings::Report& report);

}  // namespace sekimori::simulate
