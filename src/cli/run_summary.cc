#include "cli/run_summary.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_map>

#include "cli/run_numbers.h"
#include "report/json.h"
#include "report/loads.h"
#include "report/page.h"

namespace sekimori::cli {
namespace {

using nlohmann::ordered_json;
using report::Page;
using report::Style;
using report::Table;
using simulate::FloodReason;
using simulate::FloodRecord;
using simulate::RunResult;

constexpr std::size_t kRows = 20;  // of each table, unless all are asked for

std::string_view to_text(FloodReason reason) {
  switch (reason) {
    case FloodReason::kNoEntry:
      return "no-entry";
    case FloodReason::kExpired:
      return "expired";
    case FloodReason::kNoLearning:
      return "no-learning";
    case FloodReason::kTableFull:
      return "table-full";
    case FloodReason::kForgotten:
      return "topology-change";
  }
  return "?";
}

// Why most of the frames were flooded.
FloodReason main_reason(const FloodRecord& flood) {
  return static_cast<FloodReason>(std::ranges::max_element(flood.by_reason) - flood.by_reason.begin());
}

// Names for MACs: the first station that has it, and the address.
class MacNames {
 public:
  explicit MacNames(const model::Model& model) : model_(model) {
    for (std::size_t i = 0; i < model.stations.size(); ++i)
      by_mac_.emplace(model.stations[i].mac, model::StationId(i));
  }
  std::string operator()(wire::Mac mac) const {
    const auto found = by_mac_.find(mac);
    return found == by_mac_.end()
               ? wire::to_text(mac)
               : fmt::format("{} ({})", model::name_of(model_, found->second), wire::to_text(mac));
  }

 private:
  const model::Model& model_;
  std::unordered_map<wire::Mac, model::StationId> by_mac_;
};

std::string name_or(const model::Model& model, model::PortId port) {
  return port.valid() ? model::name_of(model, port) : "?";
}

std::string interval(base::Time first, base::Time last) {
  return fmt::format("{} to {}", base::to_text(std::chrono::floor<std::chrono::milliseconds>(first)),
                     base::to_text(std::chrono::floor<std::chrono::milliseconds>(last)));
}

template <class T>
std::vector<const T*> biggest_first(const std::vector<T>& records, std::int64_t T::* count) {
  std::vector<const T*> sorted;
  sorted.reserve(records.size());
  for (const T& record : records) sorted.push_back(&record);
  std::ranges::stable_sort(sorted, std::greater{}, [count](const T* r) { return r->*count; });
  return sorted;
}

// A table under a rule; nothing when there are no rows.
void section(Page& page, std::string_view title, Table table, std::size_t most) {
  if (table.rows.empty()) return;
  page.blank();
  page.rule(title, Style::kBold);
  const std::size_t count = table.rows.size();
  if (most > 0 && count > most) table.rows.resize(most);
  page.table(0, table);
  if (table.rows.size() < count)
    page.line(0, fmt::format("and {} more", count - table.rows.size()), Style::kDim);
}

void floods(Page& page, const model::Model& model, const RunResult& result, const MacNames& names,
            std::size_t most) {
  Table table{.headers = {"floods of", "frames", "MB", "withheld", "spells", "for", "why"}, .rows = {}};
  for (const FloodRecord* flood : biggest_first(result.floods, &FloodRecord::bytes)) {
    table.rows.push_back(
        {.cells = {{model::name_of(model, flood->bridge)},
                   {std::to_string(flood->frames)},
                   {fmt::format("{:.1f}", static_cast<double>(flood->bytes) * 1e-6)},
                   {std::to_string(flood->withheld_frames)},
                   {std::to_string(flood->spells)},
                   {base::to_text(std::chrono::floor<std::chrono::milliseconds>(flood->flooding))},
                   {std::string(to_text(main_reason(*flood)))}},
         .below = {{"to " + names(flood->destination)}}});
  }
  section(page, "unknown unicast, flooded", std::move(table), most);
}

void others(Page& page, const model::Model& model, const RunResult& result, const MacNames& names,
            std::size_t most) {
  Table leaks{.headers = {"leaks of", "frames", "when"}, .rows = {}};
  for (const auto& leak : result.leaks) {
    leaks.rows.push_back({.cells = {{fmt::format("{} for {}", model::name_of(model, leak.bridge),
                                                 model::name_of(model, leak.guest))},
                                    {std::to_string(leak.frames)},
                                    {interval(leak.first, leak.last)}},
                          .below = {}});
  }
  section(page, "frames for own guests sent out of the uplink", std::move(leaks), most);

  Table moves{.headers = {"on", "moves", "when"}, .rows = {}};
  for (const auto* move : biggest_first(result.moves, &simulate::MoveRecord::moves)) {
    moves.rows.push_back({.cells = {{model::name_of(model, move->bridge)},
                                    {std::to_string(move->moves)},
                                    {interval(move->first, move->last)}},
                          .below = {{fmt::format("{}, last from {} to {}", names(move->mac),
                                                 name_or(model, move->from), name_or(model, move->to))}}});
  }
  section(page, "addresses that moved from port to port", std::move(moves), most);

  Table wrong{.headers = {"arrived at", "frames", "when"}, .rows = {}};
  for (const auto* m : biggest_first(result.misdeliveries, &simulate::MisdeliveryRecord::frames)) {
    const std::string intended =
        m->intended.valid() ? model::name_of(model, m->intended) : "an address nobody has";
    wrong.rows.push_back({.cells = {{model::name_of(model, m->at)},
                                    {std::to_string(m->frames)},
                                    {interval(m->first, m->last)}},
                          .below = {{"meant for " + intended}}});
  }
  section(page, "frames that arrived at the wrong station", std::move(wrong), most);

  Table conflicts{.headers = {"IP address", "changes", "first"}, .rows = {}};
  for (const auto& conflict : result.address_conflicts) {
    std::vector<std::string> stations;
    stations.reserve(conflict.stations.size());
    for (const model::StationId id : conflict.stations) stations.push_back(model::name_of(model, id));
    conflicts.rows.push_back(
        {.cells = {{wire::to_text(conflict.ip)},
                   {std::to_string(conflict.changes)},
                   {base::to_text(std::chrono::floor<std::chrono::milliseconds>(conflict.first))}},
         .below = {{fmt::format("{}", fmt::join(stations, ", "))}}});
  }
  section(page, "IP addresses that several stations claim", std::move(conflicts), most);

  Table loops{.headers = {"circling through", "frames", "since"}, .rows = {}};
  for (const auto& loop : result.loops) {
    loops.rows.push_back(
        {.cells = {{name_or(model, loop.port)},
                   {std::to_string(loop.frames)},
                   {base::to_text(std::chrono::floor<std::chrono::milliseconds>(loop.first))}},
         .below = {}});
  }
  section(page, "frames that circulate", std::move(loops), most);
}

std::string how_it_ended(const RunResult& result) {
  if (result.stopped) return ", interrupted";
  if (result.storm) return ", cut short: a loop's storm would have gone on for ever";
  return "";
}

}  // namespace

std::string run_text(const model::Model& model, const RunResult& result, const report::TextOptions& options) {
  Page page(report::page_width(options.width), options.colour, options.utf8);
  const std::size_t most = options.verbosity == report::Verbosity::kAll ? 0 : kRows;
  page.paragraph(0,
                 fmt::format("{}: simulated {}{}", model.title.empty() ? model.source : model.title,
                             base::to_text(result.ended), how_it_ended(result)),
                 Style::kBold);
  page.paragraph(0,
                 fmt::format("{} frames over links, {} events, fingerprint {}", result.frame_hops,
                             result.events, report::json_fingerprint(result.fingerprint)),
                 Style::kDim);
  if (options.verbosity == report::Verbosity::kQuiet) return page.take();
  if (const auto flows = flow_averages(model, result); !flows.empty()) {
    page.blank();
    page.rule("flows, mean over the run", Style::kBold);
    report::flow_table(page, 0, flows, most);
  }
  if (const auto links = report::by_load(link_averages(model, result)); !links.empty()) {
    page.blank();
    page.rule("links, mean over the run, most loaded first", Style::kBold);
    report::link_table(page, 0, links, most);
  }
  const MacNames names(model);
  floods(page, model, result, names, most);
  others(page, model, result, names, most);
  return page.take();
}

std::string run_json(const model::Model& model, const RunResult& result) {
  const auto array = [](const auto& records, auto&& convert) {
    ordered_json out = ordered_json::array();
    for (const auto& record : records) out.push_back(convert(record));
    return out;
  };
  const auto flood = [&](const FloodRecord& f) -> ordered_json {
    ordered_json reasons = ordered_json::object();
    for (std::size_t r = 0; r < simulate::kFloodReasons; ++r) {
      reasons[std::string(to_text(static_cast<FloodReason>(r)))] = f.by_reason[r];
    }
    return {{"bridge", model::name_of(model, f.bridge)},
            {"vlan", f.vlan},
            {"destination", wire::to_text(f.destination)},
            {"frames", f.frames},
            {"bytes", f.bytes},
            {"reasons", reasons},
            {"withheld_frames", f.withheld_frames},
            {"first_s", report::json_seconds(f.first)},
            {"last_s", report::json_seconds(f.last)},
            {"spells", f.spells},
            {"flooding_s", report::json_seconds(f.flooding)}};
  };
  const auto leak = [&](const simulate::LeakRecord& l) -> ordered_json {
    return {{"bridge", model::name_of(model, l.bridge)},
            {"guest", model::name_of(model, l.guest)},
            {"frames", l.frames},
            {"bytes", l.bytes},
            {"first_s", report::json_seconds(l.first)},
            {"last_s", report::json_seconds(l.last)}};
  };
  const auto move = [&](const simulate::MoveRecord& m) -> ordered_json {
    return {{"bridge", model::name_of(model, m.bridge)},
            {"vlan", m.vlan},
            {"mac", wire::to_text(m.mac)},
            {"moves", m.moves},
            {"first_s", report::json_seconds(m.first)},
            {"last_s", report::json_seconds(m.last)},
            {"last_from", name_or(model, m.from)},
            {"last_to", name_or(model, m.to)}};
  };
  const auto misdelivery = [&](const simulate::MisdeliveryRecord& m) -> ordered_json {
    return {{"at", model::name_of(model, m.at)},
            {"intended",
             m.intended.valid() ? ordered_json(model::name_of(model, m.intended)) : ordered_json(nullptr)},
            {"frames", m.frames},
            {"first_s", report::json_seconds(m.first)},
            {"last_s", report::json_seconds(m.last)}};
  };
  const auto conflict = [&](const simulate::AddressConflictRecord& c) -> ordered_json {
    return {{"ip", wire::to_text(c.ip)},
            {"stations", array(c.stations, [&](model::StationId id) { return model::name_of(model, id); })},
            {"changes", c.changes},
            {"first_s", report::json_seconds(c.first)}};
  };
  const auto loop = [&](const simulate::LoopRecord& l) -> ordered_json {
    return {{"bridge", model::name_of(model, l.bridge)},
            {"port", name_or(model, l.port)},
            {"frames", l.frames},
            {"first_s", report::json_seconds(l.first)},
            {"storm", l.storm}};
  };
  return report::dump({
      {"sekimori_run", report::kJsonVersion},
      {"title", model.title},
      {"source", model.source},
      {"seed", model.seed},
      {"simulated_s", report::json_seconds(result.ended)},
      {"interrupted", result.stopped},
      {"storm", result.storm},
      {"fingerprint", report::json_fingerprint(result.fingerprint)},
      {"frame_hops", result.frame_hops},
      {"events", result.events},
      {"flows", array(flow_averages(model, result),
                      [](const findings::FlowImpact& f) -> ordered_json {
                        ordered_json out = {{"flow", f.flow}};
                        out.update(report::to_json(f.after));
                        return out;
                      })},
      {"links",
       array(link_averages(model, result), [](const findings::LinkLoad& l) { return report::to_json(l); })},
      {"floods", array(result.floods, flood)},
      {"leaks", array(result.leaks, leak)},
      {"moves", array(result.moves, move)},
      {"misdeliveries", array(result.misdeliveries, misdelivery)},
      {"address_conflicts", array(result.address_conflicts, conflict)},
      {"loops", array(result.loops, loop)},
  });
}

}  // namespace sekimori::cli
