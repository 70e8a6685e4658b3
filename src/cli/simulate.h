// sekimori simulate SITE: plays the site and tells what happened, without judging it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "cli/output.h"

namespace sekimori::cli {

struct SimulateArguments {
  std::string site;
  std::optional<base::Duration> until;
  std::optional<std::uint64_t> seed;
  std::string series;  // CSV file; empty is none
  base::Duration every = base::seconds(1);
  std::vector<std::string> captures;  // "sw1:24=out.pcapng"
  OutputArguments output;
};

int simulate(const SimulateArguments& arguments);

}  // namespace sekimori::cli
