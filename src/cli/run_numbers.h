// From a run's counters to what people read: Mbit/s, percent, milliseconds.
#pragma once

#include <vector>

#include "findings/finding.h"
#include "model/model.h"
#include "simulate/run.h"

namespace sekimori::cli {

// The load of a lane from what its counters gained during `time`.
findings::LinkLoad load_of(const model::Model& model, std::size_t lane, const simulate::LaneCounters& before,
                           const simulate::LaneCounters& after, base::Duration time);

findings::FlowQuality quality_of(const simulate::FlowCounters& before, const simulate::FlowCounters& after,
                                 base::Duration time);

// Averages over the whole run; links that carried nothing are left out.
std::vector<findings::LinkLoad> link_averages(const model::Model& model, const simulate::RunResult& result);
std::vector<findings::FlowImpact> flow_averages(const model::Model& model, const simulate::RunResult& result);

// The counters of every window as CSV (docs/cli.md describes the columns), fed in pieces to `write`.
base::Result<void> write_series(const model::Model& model, const simulate::RunResult& result,
                                const std::function<base::Result<void>(std::string_view)>& write);

}  // namespace sekimori::cli
