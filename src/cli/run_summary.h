// What a run showed, as text for a terminal and as JSON (docs/json-report.md, "A run").
#pragma once

#include <string>

#include "model/model.h"
#include "report/text.h"
#include "simulate/run.h"

namespace sekimori::cli {

std::string run_text(const model::Model& model, const simulate::RunResult& result,
                     const report::TextOptions& options);
std::string run_json(const model::Model& model, const simulate::RunResult& result);

}  // namespace sekimori::cli
