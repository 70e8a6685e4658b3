#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/text.h"
#include "cli/mac.h"
#include "cli/mac_sources.h"
#include "findings/identity.h"
#include "macs/fix.h"
#include "report/typeset.h"

namespace sekimori::cli {
namespace {

using Json = nlohmann::ordered_json;

Step<std::optional<macs::Known>> read_registry(const RegistryArguments& arguments) {
  if (arguments.where.empty()) return std::optional<macs::Known>();
  auto registry = open_registry(arguments);
  if (!registry) return std::unexpected(registry.error());
  macs::Known known{arguments.where, {}, {}};
  auto pools = (*registry)->pools();
  if (!pools) return std::unexpected(stop_of(pools.error()));
  known.pools = std::move(*pools);
  const auto keep = [&](const macs::Entry& e) { known.entries.push_back(e); };
  if (auto done = (*registry)->list({}, keep); !done) return std::unexpected(stop_of(done.error()));
  return known;
}

findings::Report report_of(const macs::Inventory& inventory, const std::optional<macs::Known>& known,
                           const std::vector<std::string>& sources) {
  findings::Report report;
  report.title = fmt::format("{} NICs of {} {}", inventory.nics.size(), sources.size(),
                             sources.size() == 1 ? "source" : "sources");
  report.source = base::list_words(sources, 3);
  report.kind = "fleet";
  report.findings = macs::audit(inventory, known ? &*known : nullptr);
  findings::identify({}, report.findings);
  for (std::string& line : omission_texts(inventory)) report.remarks.push_back(std::move(line));
  report.incomplete = inventory.omitted > 0;
  if (inventory.without_mac > 0)
    report.remarks.push_back(fmt::format("{} rows have no MAC.", inventory.without_mac));
  const auto count = [&](auto test) {
    return static_cast<std::size_t>(std::ranges::count_if(inventory.nics, test));
  };
  const std::size_t no_segment = count([](const macs::Nic& n) { return n.segment == macs::kNothing; });
  if (no_segment > 0)
    report.remarks.push_back(
        fmt::format("The segment of {} NICs is not known; a column `segment` tells it.", no_segment));
  const std::size_t no_power = count([](const macs::Nic& n) { return n.power == macs::Power::kUnknown; });
  if (no_power > 0)
    report.remarks.push_back(
        fmt::format("Whether they run is not known of {} NICs; a column `power` tells it.", no_power));
  return report;
}

Step<int> audit_and_tell(const MacAuditArguments& arguments) {
  auto output = ReportOutput::prepare(arguments.report, arguments.sources.front());
  if (!output) return std::unexpected(output.error());
  const auto inventory = read_inventories(arguments.sources);
  if (!inventory) return std::unexpected(inventory.error());
  const auto known = read_registry(arguments.registry);
  if (!known) return std::unexpected(known.error());
  findings::Report report = report_of(*inventory, *known, arguments.sources);
  return output->tell(report);
}

// ---------------------------------------------------------------- the plan

Step<macs::FixOptions> options_of(const MacFixArguments& arguments) {
  macs::FixOptions options;
  options.registry = arguments.registry.where;
  for (const std::string& text : arguments.managers) {
    const std::size_t equals = text.rfind('=');
    const auto tool =
        equals == std::string::npos ? std::nullopt : macs::tool_of(std::string_view(text).substr(equals + 1));
    if (!tool)
      return stop(kBadInput, fmt::format("--manager: \"{}\" is not NAME=KIND; the kinds are {}.", text,
                                         fmt::join(macs::kTools, ", ")));
    options.tools[text.substr(0, equals)] = *tool;
  }
  return options;
}

std::string plan_text(const macs::Inventory& inventory, const std::vector<macs::FixStep>& steps) {
  if (steps.empty()) return "# Nothing to change.\n";
  std::string text = fmt::format(
      "# {} NICs get another MAC. Review every step; nothing has been changed. What holds the old address "
      "(DHCP\n"
      "# reservations, firewall rules, licences, names of interfaces in the guest) must follow.\n",
      steps.size());
  std::size_t number = 0;
  for (const macs::FixStep& step : steps) {
    const macs::Nic& nic = inventory.nics[step.nic];
    std::string fresh =
        step.fresh.is_zero() ? std::string("one from the registry") : wire::to_text(step.fresh);
    text += fmt::format("\n# {}. {}: {} becomes {}", ++number,
                        report::printable(inventory.name_of(nic), true), wire::to_text(nic.mac), fresh);
    text += fmt::format("\n#    {}. {}\n", report::printable(step.why, true),
                        step.restarts ? nic.power == macs::Power::kRunning ? "It is interrupted."
                                                                           : "It is interrupted if it runs."
                                      : "It is off: nothing is interrupted.");
    for (const std::string& command : step.commands) text += command + "\n";
  }
  return text;
}

Json plan_json(const macs::Inventory& inventory, const std::vector<macs::FixStep>& steps) {
  Json list = Json::array();
  for (const macs::FixStep& step : steps) {
    const macs::Nic& nic = inventory.nics[step.nic];
    const macs::Owner owner = inventory.owner_of(nic);
    Json json = {{"manager", owner.manager},
                 {"machine", owner.machine},
                 {"nic", owner.nic},
                 {"mac", wire::to_text(nic.mac)}};
    json["fresh"] = step.fresh.is_zero() ? Json() : Json(wire::to_text(step.fresh));
    json["restarts"] = step.restarts;
    json["kind"] = macs::kTools[static_cast<std::size_t>(step.tool)];
    json["why"] = step.why;
    json["commands"] = step.commands;
    list.push_back(std::move(json));
  }
  return {{"sekimori_mac", 1}, {"steps", std::move(list)}};
}

Step<int> plan_and_tell(const MacFixArguments& arguments) {
  Outputs outputs(arguments.sources.front());
  std::optional<sys::OutputFile> json;
  if (!arguments.json.empty()) {
    auto file = outputs.open(arguments.json);
    if (!file) return std::unexpected(file.error());
    json.emplace(std::move(*file));
  }
  const auto options = options_of(arguments);
  if (!options) return std::unexpected(options.error());
  const auto inventory = read_inventories(arguments.sources);
  if (!inventory) return std::unexpected(inventory.error());
  const auto known = read_registry(arguments.registry);
  if (!known) return std::unexpected(known.error());
  for (const std::string& line : omission_texts(*inventory)) complain(line);
  const auto steps = macs::plan_fixes(*inventory, *known ? &**known : nullptr, *options);
  if (!outputs.uses_stdout()) {
    if (auto done = print(plan_text(*inventory, steps)); !done) return std::unexpected(done.error());
  }
  if (json) {
    const std::string text =
        plan_json(*inventory, steps).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    if (auto done = finish(*json, text); !done) return std::unexpected(done.error());
  }
  return steps.empty() ? kClean : kFindings;
}

}  // namespace

int mac_audit(const MacAuditArguments& arguments) {
  const auto exit = audit_and_tell(arguments);
  return exit ? *exit : complain(exit.error());
}

int mac_fix(const MacFixArguments& arguments) {
  const auto exit = plan_and_tell(arguments);
  return exit ? *exit : complain(exit.error());
}

}  // namespace sekimori::cli
