// Why a bridge lacks the entry for a station, in whole sentences: what the station sends, and by which ways.
#pragma once

#include "findings/finding.h"
#include "load/load.h"

namespace sekimori::load {

// The station's streams, their ways, where they turn off, and how often they come by.
std::vector<findings::Evidence> why_missing(const check::Learning& learning, NodeIndex node,
                                            StationId station, std::size_t most = 3);

// "server/vmnet0 - sw1 - ether": the bridges that frames from one station to another pass.
std::string way_text(const check::Learning& learning, StationId from, StationId to);

}  // namespace sekimori::load
