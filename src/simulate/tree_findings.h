// What a run shows of the spanning tree: ports that flap and make everybody forget, ports that a guard shut.
#pragma once

#include "findings/finding.h"
#include "simulate/run.h"

namespace sekimori::simulate {

// The port whose changes made bridges forget most often; invalid when nothing changed.
model::PortId busiest_port(const RunResult& run);
// "sw1:7 began or ceased to forward 12 times; a station is plugged in there, and the port is not declared as
// an edge port", for whoever explains what followed.
std::string tell_changes(const model::Model& model, const RunResult& run);

// Adds findings of their own.
void explain_tree(const model::Model& model, const RunResult& run, findings::Report& report);

}  // namespace sekimori::simulate
