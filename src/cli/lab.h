// sekimori lab ACTION SITE: the site on this machine's kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/output.h"
#include "lab/scale.h"

namespace sekimori::cli {

constexpr std::string_view kLabActions[] = {"plan", "up", "run", "status", "down"};

struct LabArguments {
  std::string action;  // one of kLabActions
  std::string site;    // may be left out for `status` (all labs) and, with a name, for `down`
  std::string name;    // of the lab; empty: after the site file
  lab::Scale scale;
  std::optional<std::uint64_t> seed;
  base::Duration run_for = base::seconds(10);
  bool skip_unsupported = false;
  bool keep = false;  // run: leaves a lab that it brought up
  OutputArguments output;
};

int lab(const LabArguments& arguments);

}  // namespace sekimori::cli
