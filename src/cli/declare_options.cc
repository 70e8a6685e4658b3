#include <charconv>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/parse_units.h"
#include "cli/declare.h"

namespace sekimori::cli {

void add_duration(CLI::App& app, const std::string& name, const std::string& value,
                  const std::string& description, std::function<void(base::Duration)> set) {
  app.add_option_function<std::string>(
         name,
         [name, set = std::move(set)](const std::string& text) {
           const auto duration = base::parse_duration(text);
           if (!duration) throw CLI::ValidationError(name, duration.error().what);
           if (duration->count() == 0) throw CLI::ValidationError(name, "it must be more than 0.");
           set(*duration);
         },
         description)
      ->type_name(value);
}

// CLI11 would take -1 for the largest number.
void add_seed(CLI::App& app, std::optional<std::uint64_t>& seed) {
  app.add_option_function<std::string>(
         "--seed",
         [&seed](const std::string& text) {
           std::uint64_t value = 0;
           const char* end = text.data() + text.size();
           const auto [stop, error] = std::from_chars(text.data(), end, value);
           if (error != std::errc() || stop != end) {
             throw CLI::ValidationError("--seed",
                                        fmt::format("\"{}\" is not a whole number below 2^64.", text));
           }
           seed = value;
         },
         "Seed of everything drawn at random, instead of the site file's; equal seeds give equal runs")
      ->type_name("N");
}

void add_output(CLI::App& app, OutputArguments& output, const std::string& json, const std::string& quiet) {
  app.add_flag("--json{-}", output.json, json)->type_name("FILE");
  app.add_flag("-q,--quiet", output.quiet, quiet);
  app.add_flag("-v,--verbose", output.verbose, "Cut no list short");
  static const std::map<std::string, sys::ColourChoice> kWhen = {{"auto", sys::ColourChoice::kAuto},
                                                                 {"always", sys::ColourChoice::kAlways},
                                                                 {"never", sys::ColourChoice::kNever}};
  app.add_option_function<std::string>(
         "--color", [&output](const std::string& when) { output.colour = kWhen.at(when); },
         "Colours: auto (on a terminal, unless NO_COLOR is set), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
}

void add_report(CLI::App& app, ReportArguments& report) {
  app.add_flag(
         "--sarif{-}", report.sarif,
         "Report as SARIF 2.1.0, for code scanning, to stdout instead of text, or to FILE besides the text")
      ->type_name("FILE");
  static const std::map<std::string, std::optional<findings::Severity>> kLevels = {
      {"note", findings::Severity::kNote},
      {"warning", findings::Severity::kWarning},
      {"error", findings::Severity::kError},
      {"never", std::nullopt}};
  app.add_option_function<std::string>(
         "--fail-on", [&report](const std::string& level) { report.fail_on = kLevels.at(level); },
         "Exit 1 on findings from this level up: note, warning (default), error or never")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kFailLevels), std::end(kFailLevels))))
      ->type_name("LEVEL");
  app.add_option("--baseline", report.baseline,
                 "Accept the findings listed in FILE: tell them in short, don't fail on them")
      ->type_name("FILE");
  app.add_option("--write-baseline", report.write_baseline,
                 "Write the findings of this run to FILE, to accept them from now on")
      ->type_name("FILE");
  add_output(app, report.output, kReportAsJson, "Only the verdict and one line per finding");
}

}  // namespace sekimori::cli
