// Baselines: findings that are known and accepted, so that a pipeline fails only on what is new.
//
// The file is made for git: one finding a line, sorted, so that two branches seldom touch the same line, and
// with room for the reason on it.
//
//   9c4b1f0e2a7733d1 error flood-leak "server/vmnet0"  # until the host is replaced, NET-12
//
// A finding is accepted when its fingerprint (findings/identity.h) is in the file and it is no more severe
// than the line says: a trickle that has grown into an outage is told again. Code and place are there for
// people; blank lines and lines that begin with # are comments.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "findings/finding.h"

namespace sekimori::report {

struct BaselineEntry {
  std::uint64_t fingerprint = 0;
  findings::Severity severity = findings::Severity::kError;
  findings::Code code = findings::Code::kLoop;
  std::string where;
  std::string comment;
  unsigned line = 0;  // in its file
};

// `file` is its name, for the message: "known.baseline:3: ...", with what was expected.
base::Result<std::vector<BaselineEntry>> parse_baseline(std::string_view text, std::string_view file);

// Marks the findings that are accepted, and notes the entries that match none.
void apply_baseline(std::string_view file, std::span<const BaselineEntry> entries, findings::Report& report);

// A baseline that accepts every finding of the report. Those that `earlier` knows keep their comments.
std::string baseline_text(const findings::Report& report, std::span<const BaselineEntry> earlier);

}  // namespace sekimori::report
