// A proved flood as a finding: what happens, why, what shows it, and what it puts on the links.
#pragma once

#include "load/cause.h"

namespace sekimori::load {

// Of all floods with that cause, the worst first. `detailed`: with loads of their own, which takes a walk.
findings::Finding flood_finding(const check::Learning& learning, const Load& load, const Cause& cause,
                                const std::vector<const Flood*>& floods, bool detailed);

}  // namespace sekimori::load
