// The half of `sekimori lab run` that comes after the run: the prediction, and both side by side.
#pragma once

#include <string>

#include "lab/compare.h"
#include "report/text.h"
#include "simulate/run.h"

namespace sekimori::cli {

// What the simulator says about the site in that time.
base::Result<lab::Prediction> predict(const model::Model& site, base::Duration time);

std::string comparison_text(const model::Model& site, const std::string& lab,
                            const lab::Measurement& measurement, const lab::Comparison& comparison,
                            const report::TextOptions& options);
std::string comparison_json(const model::Model& site, const std::string& lab,
                            const lab::Measurement& measurement, const lab::Comparison& comparison);

}  // namespace sekimori::cli
