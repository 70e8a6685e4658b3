// Teams of uplinks, as the network outside sees them: virtual switches with several, and bonds.
#pragma once

#include <vector>

#include "model/model.h"

namespace sekimori::check {

// The ports outside that the team's uplinks are plugged into; and of these, those whose links are up.
std::vector<model::PortId> ports_outside(const model::Model& m, const model::Bridge& team);
std::vector<model::PortId> opposite(const model::Model& m, const model::Bridge& team);

// Two of them meet outside, so that the same address can be heard at both.
bool meet_outside(const model::Model& m, const std::vector<model::PortId>& ports, model::BridgeId team);

// They are one link aggregation group.
bool are_one(const model::Model& m, const std::vector<model::PortId>& ports);

}  // namespace sekimori::check
