#include "cli/site.h"

#include <fmt/format.h>

#include "importers/site.h"

namespace sekimori::cli {

Step<model::Model> load_site(const std::string& path, std::optional<std::uint64_t> seed) {
  auto model = importers::load_site(path);
  if (!model) return stop(kBadInput, model.error().text());
  if (seed) model->seed = *seed;
  return std::move(*model);
}

void tell_notes(const model::Model& model, findings::Report& report) {
  for (const auto kind : {model::Note::Kind::kSuspect, model::Note::Kind::kAssumed}) {
    for (const model::Note& note : model.notes) {
      if (note.kind != kind) continue;
      report.remarks.push_back(
          fmt::format("{}: {}", kind == model::Note::Kind::kSuspect ? "suspect" : "assumed", note.text));
    }
  }
}

std::function<bool(base::Time)> simulation_progress(sys::Progress& progress, base::Time until) {
  progress.begin();
  const base::Duration whole = std::chrono::floor<std::chrono::seconds>(until);
  return [&progress, until, whole](base::Time now) {
    const base::Duration at = std::chrono::floor<std::chrono::seconds>(now);
    progress.update(fmt::format("simulating {} of {}", base::to_text(at), base::to_text(whole)),
                    base::to_seconds(now) / base::to_seconds(until));
    return !sys::interrupted();
  };
}

}  // namespace sekimori::cli
