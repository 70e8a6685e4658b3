// Remedies, worked out: each applicable change is made to a copy of the model, the copy is judged as the
// original was, by proof alone or by proof and a run, and what is left of the fault, what the victims then
// get and what the change costs are put beside the state before. Remedies are ranked by what they end and
// what else they do.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "findings/finding.h"
#include "model/model.h"
#include "simulate/run.h"

namespace sekimori::remedy {

struct Options {
  simulate::Options run;  // of the run that found the faults; captures are ignored
  unsigned threads = 1;   // trials are independent runs; the answer does not depend on their number
  // A site with many faults would take for ever; only the worst findings get their remedies worked out.
  std::size_t most_trials = 48;
  // Called with the share done, 0..1, and what is being tried; false stops.
  std::function<bool(double, std::string_view)> progress;
};

// Fills in the remedies of the report's findings. `baseline` is the run that the report explains.
base::Result<void> work_out(const model::Model& model, const simulate::RunResult& baseline,
                            const Options& options, findings::Report& report);

struct ProofOptions {
  // Trying stops after this much time; what is left untried is remarked. A trial costs what a proof costs:
  // milliseconds, on a site of a hundred thousand stations seconds.
  std::chrono::milliseconds budget{10'000};
  std::function<bool(double, std::string_view)> progress;  // as above
};

// The same by proof alone, without playing anything: what is left of the flooded load, and what is new.
void search(const model::Model& model, const ProofOptions& options, findings::Report& report);

}  // namespace sekimori::remedy
