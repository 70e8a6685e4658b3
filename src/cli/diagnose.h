// sekimori diagnose WHAT: is it broken or about to break, why, how bad, what ends it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "cli/report_output.h"

namespace sekimori::cli {

struct DiagnoseArguments {
  std::string what;
  std::optional<base::Duration> until;
  std::optional<std::uint64_t> seed;
  bool remedies = true;
  unsigned threads = 0;  // 0: as many as the machine has
  ReportArguments report;
  // Of captures.
  std::string at;        // where it was taken: a place, or a port of the site; empty: inferred
  std::string site;      // file with what is declared there; empty: none
  std::string evidence;  // file for the evidence frames; empty: none
};

int diagnose(const DiagnoseArguments& arguments);

}  // namespace sekimori::cli
