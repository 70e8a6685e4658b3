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
  // Of captures and interfaces.
  std::string at;        // where it was taken: a place, or a port of the site; empty: inferred
  std::string site;      // file with what is declared there; empty: none
  std::string evidence;  // file for the evidence frames; empty: none
  // Of interfaces.
  std::optional<base::Duration> listen;  // none: until interrupted
  bool promiscuous = false;
  bool probe = false;
  std::string save;                          // file for the frames; empty: none
  std::uint64_t save_limit = 1'000'000'000;  // bytes
};

int diagnose(const DiagnoseArguments& arguments);

}  // namespace sekimori::cli
