// sekimori check SITE: what is wrong with a site that shows without playing it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/report_output.h"
#include "model/model.h"

namespace sekimori::cli {

struct CheckArguments {
  std::string site;
  std::optional<std::uint64_t> seed;
  bool remedies = true;
  ReportArguments report;
};

int check(const CheckArguments& arguments);

// Every engine that needs no run, one after the other; `diagnose` begins with it too.
void prove(const model::Model& model, findings::Report& report);

}  // namespace sekimori::cli
