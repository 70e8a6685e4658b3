#include "cli/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/site.h"
#include "model/timeline.h"

namespace sekimori::cli {
namespace {

using model::BridgeId;
using model::Model;
using model::StationId;

constexpr std::size_t kMostChoices = 12;

std::string nearest_or_list(std::string_view word, const std::vector<std::string>& candidates,
                            const std::vector<std::string>& names, std::string_view kind) {
  const std::vector<std::string_view> known(candidates.begin(), candidates.end());
  const std::string_view nearest = base::nearest_word(word, known);
  if (!nearest.empty()) return fmt::format("did you mean {}?", nearest);
  if (names.empty()) return fmt::format("it has no {} at all.", kind);
  return fmt::format("its {} are {}.", kind, base::list_words(names, kMostChoices));
}

// A machine with one NIC, or machine:nic.
Step<StationId> find_station(const Model& m, std::string_view option, const std::string& name) {
  std::vector<std::string> names;
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    names.push_back(name_of(m, StationId(s)));
    if (names.back() == name) return StationId(s);
  }
  for (std::size_t i = 0; i < m.machines.size(); ++i) {
    const model::Machine& machine = m.machines[i];
    if (machine.name != name) continue;
    if (machine.stations.size() == 1) return machine.stations.front();
    std::vector<std::string> nics;
    for (const StationId id : machine.stations) nics.push_back(name_of(m, id));
    if (nics.empty()) return stop(kBadInput, fmt::format("{}: {} has no NIC.", option, name));
    return stop(kBadInput, fmt::format("{}: {} has {} NICs; write one of {}.", option, name, nics.size(),
                                       base::list_words(nics, kMostChoices)));
  }
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    if (name_of(m, BridgeId(b)) == name) {
      return stop(kBadInput,
                  fmt::format("{}: {} is a switch; name a machine, and the switch with --at.", option, name));
    }
  }
  std::vector<std::string> all_names;
  if (name.find(':') == std::string::npos) {
    for (const model::Machine& machine : m.machines) all_names.push_back(machine.name);
  }
  all_names.insert(all_names.end(), names.begin(), names.end());
  return stop(kBadInput, fmt::format("{}: the site has no station \"{}\": {}", option, name,
                                     nearest_or_list(name, all_names, names, "stations")));
}

Step<BridgeId> find_bridge(const Model& m, const std::string& name) {
  std::vector<std::string> names, same;
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    names.push_back(name_of(m, BridgeId(b)));
    if (names.back() == name) return BridgeId(b);
    if (m.bridges[b].name == name) same.push_back(names.back());
  }
  if (!same.empty()) {
    return stop(kBadInput, fmt::format("--at: write {}.",
                                       fmt::join(same.begin(), same.end(), same.size() > 2 ? ", " : " or ")));
  }
  return stop(kBadInput, fmt::format("--at: the site has no switch \"{}\": {}", name,
                                     nearest_or_list(name, names, names, "switches")));
}

// When the last change is over and what starts later has started.
base::Time last_change(const Model& m) {
  base::Time last{0};
  for (const model::Change& change : m.changes) last = std::max(last, change.at);
  for (const model::Flow& flow : m.flows) last = std::max(last, flow.start);
  return last;
}

Step<int> explain_and_tell(const ExplainArguments& arguments) {
  const auto site = load_site(arguments.site, std::nullopt);
  if (!site) return std::unexpected(site.error());
  load::Question question{.to = {}, .from = {}, .at = {}};
  const auto to = find_station(*site, "--to", arguments.to);
  if (!to) return std::unexpected(to.error());
  question.to = *to;
  if (!arguments.from.empty()) {
    const auto from = find_station(*site, "--from", arguments.from);
    if (!from) return std::unexpected(from.error());
    if (*from == *to) return stop(kBadInput, "--from and --to are the same station.");
    question.from = *from;
  }
  if (!arguments.at.empty()) {
    const auto at = find_bridge(*site, arguments.at);
    if (!at) return std::unexpected(at.error());
    question.at = *at;
  }
  if (arguments.output.verbose) question.most_ways = question.most_aside = 0;

  Outputs outputs(arguments.site);
  std::optional<sys::OutputFile> json;
  if (!arguments.output.json.empty()) {
    auto file = outputs.open(arguments.output.json);
    if (!file) return std::unexpected(file.error());
    json.emplace(std::move(*file));
  }

  const base::Time last = last_change(*site), when = arguments.when.value_or(last);
  const Model now = site->changes.empty() ? *site : model::model_at(*site, when);
  const check::Learning learning(now, when);
  const load::Explanation explanation = load::explain(learning, question);
  if (!outputs.uses_stdout()) {
    const bool varies = last > base::Time{0};
    const auto done = print(explain_text(explanation, varies ? std::optional(when) : std::nullopt,
                                         text_options(arguments.output)));
    if (!done) return std::unexpected(done.error());
  }
  if (json) {
    if (auto done = finish(*json, explain_json(now, explanation, when)); !done)
      return std::unexpected(done.error());
  }
  return kClean;
}

}  // namespace

int explain(const ExplainArguments& arguments) {
  const auto exit = explain_and_tell(arguments);
  return exit ? *exit : complain(exit.error());
}

}  // namespace sekimori::cli
