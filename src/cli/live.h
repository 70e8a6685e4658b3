// sekimori diagnose if:NAME: the frames of an interface, diagnosed while they come.
#pragma once

#include <string_view>

#include "cli/diagnose.h"
#include "cli/exit.h"

namespace sekimori::cli {

bool is_interface(std::string_view what);

Step<int> diagnose_live(const DiagnoseArguments& arguments);

}  // namespace sekimori::cli
