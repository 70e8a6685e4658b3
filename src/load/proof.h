// What the learning analysis and the load model prove of a site, as findings: which floods are certain, why
// (from the proof: why has the table no support for the entry?), how much, and where links get more than they
// carry.
#pragma once

#include "findings/finding.h"
#include "load/load.h"

namespace sekimori::load {

// Adds to the report's findings what holds in the long run in each of the site's phases: the states between
// two changes of its timeline, and between starts and ends of its flows, as far as they last long enough for
// entries to age. `remarks` says what could not be judged. Also fills report.links with the worked-out loads
// of the last phase.
void prove(const model::Model& model, findings::Report& report);

}  // namespace sekimori::load
