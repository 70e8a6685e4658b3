// Steps that every verb with a site file shares.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/exit.h"
#include "model/model.h"
#include "simulate/run.h"
#include "sys/progress.h"

namespace sekimori::cli {

// The site file as a model. `seed` replaces the file's own.
Step<model::Model> load_site(const std::string& path, std::optional<std::uint64_t> seed);

// What to call while a run lasts: redraws the line, and ends the run after Ctrl-C.
std::function<bool(base::Time)> simulation_progress(sys::Progress& progress, base::Time until);

}  // namespace sekimori::cli
