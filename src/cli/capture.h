// sekimori diagnose CAPTURE: the root cause from frames alone.
#pragma once

#include <string_view>

#include "cli/diagnose.h"
#include "cli/exit.h"
#include "findings/finding.h"
#include "sys/progress.h"

namespace sekimori::cli {

// By its first bytes, or its name where there are none; "-" is standard input, of which nothing is consumed.
bool is_capture(std::string_view what);

Step<findings::Report> diagnose_capture(const DiagnoseArguments& arguments, sys::Progress& progress);

}  // namespace sekimori::cli
