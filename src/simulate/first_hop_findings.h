// What a run tells of routers that share an address: who took over from whom, and when.
#pragma once

#include "findings/finding.h"
#include "simulate/run.h"

namespace sekimori::simulate {

// Adds a note for each shared address that changed hands. Where two masters are a finding already, taking
// over is how they came to be two, and its evidence.
void explain_takeovers(const model::Model& model, const RunResult& run, findings::Report& report);

}  // namespace sekimori::simulate
