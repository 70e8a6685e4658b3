// What a report comes down to. Text, JSON and the exit code all ask here, so that they cannot disagree.
// Findings that a baseline accepts are counted apart and judged no more.
#pragma once

#include <optional>
#include <string_view>

#include "findings/finding.h"

namespace sekimori::report {

enum class Verdict : std::uint8_t {
  kClean,      // nothing above a note
  kWillBreak,  // warnings: breaks when something else happens
  kBroken,     // errors
};

struct Counts {
  std::size_t errors = 0, warnings = 0, notes = 0;
  std::size_t accepted = 0;  // of any severity, in none of the others
};

Counts count(const findings::Report& report);
Verdict verdict_of(const findings::Report& report);
std::string_view to_text(Verdict verdict);  // "clean", "will-break", "broken"

// Whether a finding is as severe as `threshold`, or more. Without a threshold nothing is.
bool fails(const findings::Report& report, std::optional<findings::Severity> threshold);

// The finding to tell first: the most severe, the first of these. Null when there is none above a note.
const findings::Finding* worst(const findings::Report& report);

// Orders remedies by how well they serve: those that end the fault, of these those that cost the victims
// nothing, then those without side effects; otherwise as the engine listed them.
bool serves_better(const findings::RemedyOutcome& a, const findings::RemedyOutcome& b);

// The remedy to name first; null when none ends the fault.
const findings::RemedyOutcome* best_remedy(const findings::Finding& finding);

}  // namespace sekimori::report
