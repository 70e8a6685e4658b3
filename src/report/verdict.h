// What a report comes down to. Text, JSON and the exit code all ask here, so that they cannot disagree.
#pragma once

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
};

Counts count(const findings::Report& report);
Verdict verdict_of(const findings::Report& report);
std::string_view to_text(Verdict verdict);  // "clean", "will-break", "broken"

// The finding to tell first: the most severe, the first of these. Null when there is none above a note.
const findings::Finding* worst(const findings::Report& report);

// Orders remedies by how well they serve: those that end the fault, of these those that cost the victims
// nothing, then those without side effects; otherwise as the engine listed them.
bool serves_better(const findings::RemedyOutcome& a, const findings::RemedyOutcome& b);

// The remedy to name first; null when none ends the fault.
const findings::RemedyOutcome* best_remedy(const findings::Finding& finding);

}  // namespace sekimori::report
