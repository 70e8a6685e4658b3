#include "cli/diagnose.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "cli/capture.h"
#include "cli/check.h"
#include "cli/live.h"
#include "cli/site.h"
#include "cli/sources.h"
#include "findings/identity.h"
#include "importers/site.h"
#include "remedy/remedy.h"
#include "report/typeset.h"
#include "simulate/findings.h"
#include "simulate/run.h"

namespace sekimori::cli {
namespace {

using findings::Report;

// Tries what would end each finding. What an interrupt leaves untried is missing, and the report says so.
Step<void> try_remedies(const DiagnoseArguments& arguments, const model::Model& model,
                        const simulate::Options& run_options, const simulate::RunResult& run,
                        sys::Progress& progress, Report& report) {
  remedy::Options options;
  options.run = run_options;
  options.threads =
      arguments.threads > 0 ? arguments.threads : std::max(1u, std::thread::hardware_concurrency());
  progress.begin();
  options.run.progress = [](base::Time) { return !sys::interrupted(); };
  options.progress = [&](double share, std::string_view what) {
    progress.update("trying " + report::printable(what, false), share);
    return !sys::interrupted();
  };
  const auto done = remedy::work_out(model, run, options, report);
  if (sys::interrupted()) {
    report.remarks.emplace_back("Interrupted while remedies were tried: not all of them are listed.");
  } else if (!done) {
    return stop(kFailed, done.error().what);
  }
  return {};
}

// ---------------------------------------------------------------- WHAT -> Report

Step<Report> diagnose_model(const DiagnoseArguments& arguments, const model::Model& model,
                            sys::Progress& progress) {
  Report report;
  report.title = model.title;
  report.source = arguments.what;

  // What needs no run. A run adds harm and evidence to it.
  prove(model, report);

  // Play it until every timer of the site has run out: faults of ageing show themselves only then.
  simulate::Options options = simulate::diagnosing_options(model, arguments.until);
  options.progress = simulation_progress(progress, options.until);
  const auto result = simulate::run(model, options);
  if (!result) return stop(kFailed, result.error().what);

  // From what was seen to why: symptoms alone help nobody.
  simulate::explain(model, options, *result, report);
  findings::identify(model, report.findings);
  report.interrupted = result->stopped;
  tell_notes(model, report);
  if (!arguments.until && !simulate::horizon(model).complete) {
    report.remarks.push_back(
        fmt::format("{} of the site do not show all its timers at work; --until covers more.",
                    base::to_text(options.until)));
  }

  // A remedy is a promise until it was tried on this very site.
  if (!arguments.remedies || report.interrupted) return report;
  if (auto done = try_remedies(arguments, model, options, *result, progress, report); !done)
    return std::unexpected(done.error());
  return report;
}

Step<Report> diagnose_site(const DiagnoseArguments& arguments, sys::Progress& progress) {
  // The file is all we know; every error in it is told at once, as a wrong model gives a wrong diagnosis.
  const auto model = load_site(arguments.what, arguments.seed);
  if (!model) return std::unexpected(model.error());
  return diagnose_model(arguments, *model, progress);
}

bool is_export(std::string_view what) {
  std::error_code ignored;
  return is_live(what) || std::filesystem::is_directory(what, ignored);
}

// What runs: imported as `sekimori import` does, and judged. Lines are those of a file that nobody has.
Step<Report> diagnose_exports(const DiagnoseArguments& arguments, sys::Progress& progress) {
  const auto imported = import_all({arguments.what}, {});
  if (!imported) return std::unexpected(imported.error());
  auto model = importers::parse_site(imported->site, arguments.what);
  if (!model) return stop(kFailed, "internal error: what was imported is no site.\n" + model.error().text(5));
  if (arguments.seed) model->seed = *arguments.seed;
  auto report = diagnose_model(arguments, *model, progress);
  if (!report) return report;
  for (findings::Finding& finding : report->findings) finding.line = 0;
  constexpr std::size_t kShown = 20;
  const std::size_t all = imported->left_out.size();
  for (std::size_t i = 0; i < std::min(kShown, all); ++i)
    report->remarks.push_back("left out: " + imported->left_out[i]);
  if (all > kShown)
    report->remarks.push_back(fmt::format("left out: {} more; sekimori import lists them", all - kShown));
  return report;
}

// What can be diagnosed, in the order of recognition. A further source is a further line.
struct Source {
  bool (*recognises)(std::string_view what);
  Step<Report> (*diagnose)(const DiagnoseArguments& arguments, sys::Progress& progress);
};
constexpr Source kSources[] = {
    {is_export, diagnose_exports},
    {is_capture, diagnose_capture},
    {[](std::string_view) { return true; }, diagnose_site},
};

Step<Report> investigate(const DiagnoseArguments& arguments, sys::Progress& progress) {
  const auto source =
      std::ranges::find_if(kSources, [&](const Source& s) { return s.recognises(arguments.what); });
  return source->diagnose(arguments, progress);
}

Step<int> diagnose_and_tell(const DiagnoseArguments& arguments) {
  auto output = ReportOutput::prepare(arguments.report, arguments.what);
  if (!output) return std::unexpected(output.error());
  sys::Progress progress = make_progress(arguments.report.output);
  auto report = investigate(arguments, progress);
  progress.erase();
  if (!report) return std::unexpected(report.error());
  return output->tell(*report);
}

}  // namespace

int diagnose(const DiagnoseArguments& arguments) {
  const auto exit = is_interface(arguments.what) ? diagnose_live(arguments) : diagnose_and_tell(arguments);
  return exit ? *exit : complain(exit.error());
}

}  // namespace sekimori::cli
