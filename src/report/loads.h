// Tables of loads and flows, for reports and for the summaries of a run.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "findings/finding.h"
#include "report/page.h"

namespace sekimori::report {

// Numbers of a column: one decimal, "-" for nothing, "<0.1" for hardly anything.
std::string column_number(double value);

// "5.0 -> 1.2" for each pair, both sides aligned; three decimals when all are below 0.1.
std::vector<std::string> changes(const Page& page, std::span<const std::pair<double, double>> pairs);

// At most `most` rows (0: all), in the order given, and a line about the rest.
void link_table(Page& page, std::size_t indent, std::span<const findings::LinkLoad> links, std::size_t most);

// Flows before and after a fault.
void flow_impact_table(Page& page, std::size_t indent, std::span<const findings::FlowImpact> flows,
                       std::size_t most);

// Flows as they are: FlowImpact::after.
void flow_table(Page& page, std::size_t indent, std::span<const findings::FlowImpact> flows,
                std::size_t most);

// Share of the link's capacity that is asked for, 1 = all of it.
double share(const findings::LinkLoad& load);

// Most loaded first.
std::vector<findings::LinkLoad> by_load(std::span<const findings::LinkLoad> links);

}  // namespace sekimori::report
