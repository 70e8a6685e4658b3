// sekimori diagnose CAPTURE: the root cause from frames alone.
#pragma once

#include <memory>
#include <string_view>

#include "cli/diagnose.h"
#include "cli/exit.h"
#include "findings/finding.h"
#include "model/model.h"
#include "sys/progress.h"
#include "watch/diagnose.h"

namespace sekimori::cli {

// By its first bytes, or its name where there are none; "-" is standard input, of which nothing is consumed.
bool is_capture(std::string_view what);

// How frames are to be looked at, as --at and --site say: the options refer to the site.
struct Viewpoint {
  std::unique_ptr<model::Model> site;
  watch::Options options;
};
Step<Viewpoint> viewpoint(const DiagnoseArguments& arguments);

Step<findings::Report> diagnose_capture(const DiagnoseArguments& arguments, sys::Progress& progress);

}  // namespace sekimori::cli
