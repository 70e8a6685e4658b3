#include "cli/lab_run.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "report/page.h"

namespace sekimori::cli {
namespace {

using lab::Agreement;
using lab::Comparison;
using lab::EntryComparison;
using lab::LaneComparison;
using lab::Measurement;
using lab::NeighbourComparison;
using nlohmann::ordered_json;
using report::Page;
using report::Style;
using report::Table;

constexpr std::size_t kRows = 30;  // of each table, unless all are asked for

std::string direction_of(const model::Model& site, const LaneComparison& lane, std::string_view arrow) {
  const model::Link& link = site[lane.link];
  return fmt::format("{} {} {}", model::name_of(site, lane.from_a ? link.a : link.b), arrow,
                     model::name_of(site, lane.from_a ? link.b : link.a));
}

std::string port_or_none(const model::Model& site, const std::optional<model::PortId>& port) {
  return port ? model::name_of(site, *port) : "none";
}

std::string mac_or_none(const std::optional<model::Mac>& mac) { return mac ? wire::to_text(*mac) : "none"; }

std::string address_text(const NeighbourComparison& n) {
  return n.ip.is_zero() ? wire::to_text(n.ip6) : wire::to_text(n.ip);
}

std::size_t most_of(const report::TextOptions& options, std::size_t count) {
  return options.verbosity == report::Verbosity::kAll ? count : std::min(count, kRows);
}

void lanes(Page& page, const model::Model& site, const Comparison& comparison,
           const report::TextOptions& options) {
  page.blank();
  page.rule("links: predicted and measured", Style::kBold);
  Table table{.headers = {"from, to", "frames", "measured", "kB", "measured", "off %"}, .rows = {}};
  const std::size_t most = most_of(options, comparison.lanes.size());
  for (std::size_t i = 0; i < most; ++i) {
    const LaneComparison& lane = comparison.lanes[i];
    const auto kilobytes = [](std::int64_t bytes) {
      return fmt::format("{:.1f}", static_cast<double>(bytes) * 1e-3);
    };
    table.rows.push_back({.cells = {{direction_of(site, lane, page.glyph("→", "->"))},
                                    {std::to_string(lane.predicted.frames)},
                                    {std::to_string(lane.measured.frames)},
                                    {kilobytes(lane.predicted.bytes)},
                                    {kilobytes(lane.measured.bytes)},
                                    {fmt::format("{:+.2f}", 100 * lane.bytes_off)}},
                          .below = {}});
  }
  page.table(0, table);
  if (most < comparison.lanes.size())
    page.line(0, fmt::format("and {} more", comparison.lanes.size() - most), Style::kDim);
}

void entries(Page& page, const model::Model& site, const Comparison& comparison,
             const report::TextOptions& options) {
  const auto count = [&](Agreement agreement) {
    return std::ranges::count(comparison.entries, agreement, &EntryComparison::agreement);
  };
  page.blank();
  page.rule("tables of the switches", Style::kBold);
  page.paragraph(0, fmt::format("{} of {} entries are as predicted, {} differ, {} are about to age out",
                                count(Agreement::kEqual), comparison.entries.size(),
                                count(Agreement::kDifferent), count(Agreement::kTiming)));
  std::size_t told = 0;
  for (const EntryComparison& entry : comparison.entries) {
    const bool all = options.verbosity == report::Verbosity::kAll;
    if (!all && (entry.agreement == Agreement::kEqual || told == kRows)) continue;
    page.paragraph(2, fmt::format("{} {}: predicted {}, measured {}", model::name_of(site, entry.bridge),
                                  wire::to_text(entry.mac), port_or_none(site, entry.predicted),
                                  port_or_none(site, entry.measured)));
    ++told;
  }
}

void neighbours(Page& page, const model::Model& site, const Comparison& comparison,
                const report::TextOptions& options) {
  const auto agrees = [](const NeighbourComparison& n) { return n.predicted == n.measured; };
  page.blank();
  page.rule("ARP and neighbour caches of the machines", Style::kBold);
  page.paragraph(
      0, fmt::format("{} of {} entries are as predicted",
                     std::ranges::count_if(comparison.neighbours, agrees), comparison.neighbours.size()));
  std::size_t told = 0;
  for (const NeighbourComparison& n : comparison.neighbours) {
    const bool all = options.verbosity == report::Verbosity::kAll;
    if (!all && (agrees(n) || told == kRows)) continue;
    page.paragraph(2, fmt::format("{} {}: predicted {}, measured {}", model::name_of(site, n.station),
                                  address_text(n), mac_or_none(n.predicted), mac_or_none(n.measured)));
    ++told;
  }
}

void groups(Page& page, const model::Model& site, const Comparison& comparison,
            const report::TextOptions& options) {
  if (comparison.groups.empty()) return;
  const auto agrees = [](const lab::GroupComparison& g) { return g.predicted == g.measured; };
  page.blank();
  page.rule("multicast groups at the switches", Style::kBold);
  page.paragraph(0, fmt::format("{} of {} members are as predicted",
                                std::ranges::count_if(comparison.groups, agrees), comparison.groups.size()));
  std::size_t told = 0;
  for (const lab::GroupComparison& g : comparison.groups) {
    const bool all = options.verbosity == report::Verbosity::kAll;
    if (!all && (agrees(g) || told == kRows)) continue;
    page.paragraph(2, fmt::format("{} at {}: {}", wire::group_text(g.group), model::name_of(site, g.port),
                                  agrees(g)     ? "as predicted"
                                  : g.predicted ? "predicted, not measured"
                                                : "measured, not predicted"));
    ++told;
  }
}

void flows(Page& page, const model::Model& site, const Measurement& measurement,
           const report::TextOptions& options) {
  if (site.flows.empty()) return;
  page.blank();
  page.rule("flows, measured", Style::kBold);
  Table table{.headers = {"flow", "sent", "received", "answered"}, .rows = {}};
  const std::size_t most = most_of(options, site.flows.size());
  for (std::size_t f = 0; f < most; ++f) {
    const lab::FlowResult& flow = measurement.flows[f];
    const bool tcp = site.flows[f].kind == model::FlowKind::kTcp;
    const auto count = [&](std::int64_t n) {
      return tcp ? fmt::format("{:.1f} kB", static_cast<double>(n) * 1e-3) : std::to_string(n);
    };
    table.rows.push_back({.cells = {{model::name_of(site, model::FlowId(f))},
                                    {count(flow.sent)},
                                    {count(flow.received)},
                                    {tcp ? "" : std::to_string(flow.answered)}},
                          .below = {}});
  }
  page.table(0, table);
}

}  // namespace

base::Result<lab::Prediction> predict(const model::Model& site, base::Duration time) {
  simulate::Options options;
  options.until = time;
  options.tables = true;
  options.lane_series = false;
  const auto result = simulate::run(site, options);
  if (!result) return std::unexpected(result.error());
  lab::Prediction prediction;
  for (const simulate::LaneCounters& lane : result->lanes)
    prediction.lanes.push_back({lane.frames, lane.bytes});
  for (const simulate::TableEntry& e : result->tables)
    prediction.tables.push_back({e.bridge, e.mac, e.vlan, e.port, e.unheard, e.is_static});
  for (const simulate::NeighbourEntry& e : result->neighbours)
    prediction.neighbours.push_back({e.station, e.ip, e.mac, e.ip6});
  for (const simulate::GroupEntry& e : result->group_entries)
    prediction.groups.push_back({e.bridge, e.vlan, e.group, e.port});
  return prediction;
}

std::string comparison_text(const model::Model& site, const std::string& lab, const Measurement& measurement,
                            const Comparison& comparison, const report::TextOptions& options) {
  Page page(report::page_width(options.width), options.colour, options.utf8);
  page.paragraph(0,
                 fmt::format("lab {}: {} on the kernel beside the same time predicted{}", lab,
                             base::to_text(std::chrono::floor<std::chrono::milliseconds>(measurement.time)),
                             measurement.stopped ? " (interrupted)" : ""),
                 Style::kBold);
  if (options.verbosity == report::Verbosity::kQuiet) return page.take();
  lanes(page, site, comparison, options);
  entries(page, site, comparison, options);
  neighbours(page, site, comparison, options);
  groups(page, site, comparison, options);
  flows(page, site, measurement, options);
  return page.take();
}

std::string comparison_json(const model::Model& site, const std::string& lab, const Measurement& measurement,
                            const Comparison& comparison) {
  ordered_json json{{"lab", lab},
                    {"seconds", base::to_seconds(measurement.time)},
                    {"interrupted", measurement.stopped},
                    {"links", ordered_json::array()},
                    {"entries", ordered_json::array()},
                    {"neighbours", ordered_json::array()},
                    {"groups", ordered_json::array()},
                    {"flows", ordered_json::array()}};
  const auto count = [](const lab::LaneCount& c) {
    return ordered_json{{"frames", c.frames}, {"bytes", c.bytes}};
  };
  for (const LaneComparison& lane : comparison.lanes) {
    const model::Link& link = site[lane.link];
    json["links"].push_back({{"from", model::name_of(site, lane.from_a ? link.a : link.b)},
                             {"to", model::name_of(site, lane.from_a ? link.b : link.a)},
                             {"predicted", count(lane.predicted)},
                             {"measured", count(lane.measured)}});
  }
  const auto port = [&](const std::optional<model::PortId>& p) {
    return p ? ordered_json(model::name_of(site, *p)) : ordered_json(nullptr);
  };
  for (const EntryComparison& entry : comparison.entries) {
    json["entries"].push_back({{"switch", model::name_of(site, entry.bridge)},
                               {"mac", wire::to_text(entry.mac)},
                               {"predicted", port(entry.predicted)},
                               {"measured", port(entry.measured)},
                               {"agree", entry.agreement != Agreement::kDifferent}});
  }
  const auto mac = [](const std::optional<model::Mac>& m) {
    return m ? ordered_json(wire::to_text(*m)) : ordered_json(nullptr);
  };
  for (const NeighbourComparison& n : comparison.neighbours) {
    json["neighbours"].push_back({{"station", model::name_of(site, n.station)},
                                  {"ip", address_text(n)},
                                  {"predicted", mac(n.predicted)},
                                  {"measured", mac(n.measured)}});
  }
  for (const lab::GroupComparison& g : comparison.groups) {
    json["groups"].push_back({{"switch", model::name_of(site, g.bridge)},
                              {"group", wire::group_text(g.group)},
                              {"port", model::name_of(site, g.port)},
                              {"predicted", g.predicted},
                              {"measured", g.measured}});
  }
  for (std::size_t f = 0; f < measurement.flows.size(); ++f) {
    const lab::FlowResult& flow = measurement.flows[f];
    json["flows"].push_back({{"flow", model::name_of(site, model::FlowId(f))},
                             {"sent", flow.sent},
                             {"received", flow.received},
                             {"answered", flow.answered}});
  }
  return json.dump(2) + "\n";
}

}  // namespace sekimori::cli
