// What causes a flood, as the proof tells it: why has the table no support for the entry?
#pragma once

#include "findings/finding.h"
#include "load/load.h"

namespace sekimori::load {

struct Cause {
  findings::Code code;
  std::uint32_t culprit;  // a bridge or a station, as the code has it
  bool certain = true;
  friend auto operator<=>(const Cause&, const Cause&) = default;
};

Cause cause_of(const check::Learning& learning, const Flood& flood);

// The culprit of such a finding is a bridge, not a station.
bool is_about_bridge(findings::Code code);

// The flow of Open vSwitch that hands on what the destination sends without learning; nullptr: there is none.
const model::FlowRule* bypass(const check::Learning& learning, const Flood& flood);

}  // namespace sekimori::load
