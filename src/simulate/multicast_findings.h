// What a run shows of members of multicast groups: who got nothing, and since when.
#pragma once

#include "findings/finding.h"
#include "simulate/run.h"

namespace sekimori::simulate {

// Adds a finding for members that a switch kept packets from after their machine had moved, and to findings
// of members that are kept from them for good, when they got the last.
void explain_members(const model::Model& model, const RunResult& run, findings::Report& report);

}  // namespace sekimori::simulate
