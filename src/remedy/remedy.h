// Remedies, worked out: each applicable change is made to a copy of the model, the copy is run again, and what is
// left of the fault, what the victims then get and what the change costs are put beside the state before.
#pragma once

#include <functional>

#include "base/result.h"
#include "findings/finding.h"
#include "model/model.h"
#include "simulate/run.h"

namespace sekimori::remedy {

struct Options {
  simulate::Options run;   // as the run that found the faults
  unsigned threads = 1;    // independent runs in parallel; the answer does not depend on it
  // Called with the share done, 0..1, and what is being tried; false stops.
  std::function<bool(double, std::string_view)> progress;
};

// Fills in the remedies of every finding of the report.
base::Result<void> work_out(const model::Model& model, const Options& options, findings::Report& report);

}  // namespace sekimori::remedy
