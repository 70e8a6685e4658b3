// Steps that every verb with a site file shares.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/exit.h"
#include "findings/finding.h"
#include "model/model.h"
#include "simulate/run.h"
#include "sys/progress.h"

namespace sekimori::cli {

// The site file as a model. `seed` replaces the file's own.
Step<model::Model> load_site(const std::string& path, std::optional<std::uint64_t> seed);

// What the site says of itself: what was assumed, and what is suspect. The reader of a report must know it.
void tell_notes(const model::Model& model, findings::Report& report);

// What to call while a run lasts: redraws the line, and ends the run after Ctrl-C.
std::function<bool(base::Time)> simulation_progress(sys::Progress& progress, base::Time until);

}  // namespace sekimori::cli
