#include "cli/simulate.h"

#include <fmt/format.h>

#include <optional>

#include "cli/captures.h"
#include "cli/run_numbers.h"
#include "cli/run_summary.h"
#include "cli/site.h"
#include "simulate/findings.h"
#include "simulate/run.h"

namespace sekimori::cli {
namespace {

// A series is kept in memory until the run ends. More than this is surely a mistake in --every.
constexpr double kMostSeriesBytes = 4e9;

Step<void> check_series(const model::Model& model, base::Time until, base::Duration every) {
  const double per_window = static_cast<double>(2 * model.links.size() * sizeof(simulate::LaneCounters) +
                                                model.flows.size() * sizeof(simulate::FlowCounters));
  const double windows = base::to_seconds(until) / base::to_seconds(every);
  if (windows * per_window <= kMostSeriesBytes) return {};
  return stop(kBadInput,
              fmt::format("--every {}: the series would need {:.0f} GB of memory; take longer steps.",
                          base::to_text(every), windows * per_window * 1e-9));
}

Step<int> simulate_and_tell(const SimulateArguments& arguments) {
  const auto model = load_site(arguments.site, arguments.seed);
  if (!model) return std::unexpected(model.error());
  const base::Time until = arguments.until ? *arguments.until : simulate::horizon(*model).until;

  // Every output is opened before the run, so that a mistyped path or port costs nothing.
  Outputs outputs(arguments.site);
  auto captures = Captures::open(*model, arguments.captures, outputs);
  if (!captures) return std::unexpected(captures.error());
  const auto open = [&](const std::string& path) -> Step<std::optional<sys::OutputFile>> {
    if (path.empty()) return std::nullopt;
    auto file = outputs.open(path);
    if (!file) return std::unexpected(file.error());
    return std::optional<sys::OutputFile>(std::move(*file));
  };
  auto series = open(arguments.series);
  if (!series) return std::unexpected(series.error());
  auto json = open(arguments.output.json);
  if (!json) return std::unexpected(json.error());

  sys::Progress progress = make_progress(arguments.output);
  simulate::Options options;
  options.until = until;
  options.progress = simulation_progress(progress, until);
  options.lane_series = series->has_value();
  if (*series) {
    if (auto fits = check_series(*model, until, arguments.every); !fits) return std::unexpected(fits.error());
    options.window = arguments.every;
  }
  captures->attach(options);
  const auto result = simulate::run(*model, options);
  progress.erase();
  if (!result) return stop(kFailed, result.error().what);

  // Nothing else goes where a file was asked for on stdout.
  const bool stdout_taken = outputs.uses_stdout();
  if (!stdout_taken) {
    if (auto done = print(run_text(*model, *result, text_options(arguments.output))); !done) {
      return std::unexpected(done.error());
    }
  }
  if (auto done = captures->commit(); !done) return std::unexpected(done.error());
  if (*series) {
    auto written =
        write_series(*model, *result, [&](std::string_view rows) { return (*series)->write(rows); });
    if (!written) return stop(kFailed, written.error().what);
    if (auto done = finish(**series, ""); !done) return std::unexpected(done.error());
  }
  if (*json) {
    if (auto done = finish(**json, run_json(*model, *result)); !done) return std::unexpected(done.error());
  }
  return result->stopped ? kInterrupted : kClean;
}

}  // namespace

int simulate(const SimulateArguments& arguments) {
  const auto exit = simulate_and_tell(arguments);
  return exit ? *exit : complain(exit.error());
}

}  // namespace sekimori::cli
