// From what a run showed to findings with causes: each observation is followed back to the reason why the table
// lacked the entry. See findings.cc for the reasoning.
#pragma once

#include <vector>

#include "findings/finding.h"
#include "simulate/run.h"

namespace sekimori::simulate {

// How long a run must be to show every timer of the site at work: past the longest ageing and ARP timeouts.
Time horizon(const model::Model& model);

// Findings of a run, without remedies. `options` are the run's.
findings::Report explain(const model::Model& model, const Options& options, const RunResult& result);

}  // namespace sekimori::simulate
