// Which fault a finding is about, as a number that outlives edits of the site file.
//
// Baselines and code-scanning services follow a finding from one version of a site to the next. Line numbers
// move, loads and victims change with the traffic, and lists are told in the order of harm, so none of that
// counts. What counts is the code, the thing at fault and the stations that the fault is about, by their
// names. Whoever renames a thing has a new thing.
#pragma once

#include <vector>

#include "findings/finding.h"

namespace sekimori::findings {

// Fills Finding::fingerprint. Findings that nothing else tells apart are counted: the second of two equal
// ones gets another number, so that accepting one does not accept the next.
void identify(const model::Model& model, std::vector<Finding>& findings);

}  // namespace sekimori::findings
