// Remedies, worked out: each applicable change is made to a copy of the model, the copy is judged and run as
// the original was, and what is left of the fault, what the victims then get and what the change costs are
// put beside the state before.
#pragma once

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

}  // namespace sekimori::remedy
