#include <memory>

#include "base/parse_units.h"
#include "cli/check.h"
#include "cli/command_line.h"
#include "cli/declare.h"
#include "cli/diagnose.h"
#include "cli/exit.h"
#include "cli/explain.h"
#include "cli/import.h"
#include "cli/lab.h"
#include "cli/simulate.h"
#include "cli/usage.h"
#include "importers/sources.h"

namespace sekimori::cli {

Action declare_check(CLI::App& app) {
  auto a = std::make_shared<CheckArguments>();
  app.add_option("SITE", a->site, "Site file; - is standard input")->required()->type_name("SITE");
  app.add_flag_callback("--no-remedies", [a] { a->remedies = false; }, "Don't try what would end the faults");
  add_seed(app, a->seed);
  add_report(app, a->report);
  return [a] { return check(*a); };
}

Action declare_diagnose(CLI::App& app) {
  auto a = std::make_shared<DiagnoseArguments>();
  app.add_option("WHAT", a->what,
                 "Site file, capture (pcap, pcapng, packed or not), - is standard input; if:NAME, an "
                 "interface; folder of "
                 "exports, host:local or ssh:NAME")
      ->required()
      ->type_name("WHAT");
  add_duration(app, "--until", "T",
               "How long a time to simulate: 900s, 30min (default: until every timer has run out)",
               [a](base::Duration d) { a->until = d; });
  app.add_flag_callback("--no-remedies", [a] { a->remedies = false; }, "Don't try what would end the faults");
  app.add_option("--threads", a->threads,
                 "Processors to use at most (default: all); the answer does not depend on it")
      ->check(CLI::Range(1u, 1024u))
      ->type_name("N");
  add_seed(app, a->seed);
  add_report(app, a->report);
  app.add_option(
         "--at", a->at,
         "Where a capture was taken: access, guest, uplink, mirror, tap, or a port of --site, as sw1:24 "
         "(default: inferred)")
      ->type_name("PLACE");
  add_duration(app, "--for", "T", "How long to listen to an interface: 60s, 10min (default: until Ctrl-C)",
               [a](base::Duration d) { a->listen = d; });
  app.add_flag("--promiscuous", a->promiscuous,
               "Have the interface take frames for others, too, as long as it is listened to");
  app.add_flag(
      "--probe", a->probe,
      "Ask receivers of floods whether they are there, by ARP or Neighbor Discovery: sends a few frames");
  app.add_option("--save", a->save, "The frames of an interface, as pcapng, numbered as in the report")
      ->type_name("FILE");
  app.add_option_function<std::string>(
         "--save-limit",
         [a](const std::string& text) {
           const auto bytes = base::parse_bytes(text);
           if (!bytes) throw CLI::ValidationError("--save-limit", bytes.error().what);
           a->save_limit = static_cast<std::uint64_t>(*bytes);
         },
         "Save no more than this (default: 1GB); listening goes on")
      ->type_name("SIZE");
  app.add_option("--site", a->site, "Site file to hold a capture against: who is declared there, and where")
      ->type_name("FILE");
  app.add_option("--evidence", a->evidence, "The frames of a capture that show what was found, as pcapng")
      ->type_name("FILE");
  return [a] { return diagnose(*a); };
}

Action declare_simulate(CLI::App& app) {
  auto a = std::make_shared<SimulateArguments>();
  app.add_option("SITE", a->site, "Site file; - is standard input")->required()->type_name("SITE");
  add_duration(app, "--until", "T",
               "How long a time to simulate: 900s, 30min (default: until every timer has run out)",
               [a](base::Duration d) { a->until = d; });
  app.add_option("--series", a->series,
                 "Loads of all links and what all flows got over time, as CSV (docs/cli.md)")
      ->type_name("FILE");
  add_duration(app, "--every", "T", "Step of the series (default: 1s)",
               [a](base::Duration d) { a->every = d; });
  app.add_option("--capture", a->captures,
                 "Frames that pass a port, as pcapng; repeatable, ports with the same FILE share it")
      ->type_name("PORT=FILE")
      ->allow_extra_args(false);
  add_seed(app, a->seed);
  add_output(app, a->output,
             "Summary as JSON (docs/json-report.md) to stdout instead of text, or to FILE besides the text",
             "Only how the run went");
  return [a] { return simulate(*a); };
}

Action declare_explain(CLI::App& app) {
  auto a = std::make_shared<ExplainArguments>();
  app.add_option("SITE", a->site, "Site file; - is standard input")->required()->type_name("SITE");
  app.add_option("--to", a->to, "Whom the frames are for: a machine with one NIC, or machine:nic")
      ->required()
      ->type_name("STATION");
  app.add_option("--from", a->from, "Only frames of this sender, also when it sends none in this site")
      ->type_name("STATION");
  app.add_option("--at", a->at, "Only what this switch does, with all that could teach it the address")
      ->type_name("SWITCH");
  app.add_option_function<std::string>(
         "--when",
         [a](const std::string& text) {
           const auto time = base::parse_duration(text);
           if (!time) throw CLI::ValidationError("--when", time.error().what);
           a->when = *time;
         },
         "The site as it is after T of its timeline (default: after the last change)")
      ->type_name("T");
  add_output(
      app, a->output,
      "Explanation as JSON (docs/json-report.md) to stdout instead of text, or to FILE besides the text",
      "Only the last sentence");
  return [a] { return explain(*a); };
}

Action declare_lab(CLI::App& app) {
  auto a = std::make_shared<LabArguments>();
  app.add_option("ACTION", a->action, "What to do: plan, up, run, status, down")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kLabActions), std::end(kLabActions))))
      ->type_name("ACTION");
  app.add_option("SITE", a->site, "Site file; - is standard input")->type_name("SITE");
  app.add_option("--name", a->name, "Name of the lab (default: that of the site file, or of its folder)")
      ->type_name("NAME");
  app.add_option_function<std::string>(
         "--scale",
         [a](const std::string& text) {
           const auto scale = lab::parse_scale(text);
           if (!scale) throw CLI::ValidationError("--scale", scale.error().what);
           a->scale = *scale;
         },
         "Multiply all times of the site, to watch hours in minutes: 1/60 (default: 1)")
      ->type_name("S");
  add_duration(app, "--for", "T", "run: how long (default: 10s)", [a](base::Duration d) { a->run_for = d; });
  app.add_flag("--keep", a->keep, "run: leave the lab up that was built for the run");
  app.add_flag("--skip-unsupported", a->skip_unsupported,
               "Build what can be built, and tell what is left out");
  add_seed(app, a->seed);
  add_output(app, a->output,
             "What it tells as JSON (docs/lab.md) to stdout instead of text, or to FILE besides the text",
             "Only the summary");
  return [a] { return lab(*a); };
}

std::vector<std::string> format_choices() {
  const auto words = importers::format_words();
  return {words.begin(), words.end()};
}

Action declare_import(CLI::App& app) {
  auto a = std::make_shared<ImportArguments>();
  app.add_option("SOURCE", a->sources,
                 "Exports: files, folders of them, - (standard input), host:local, ssh:NAME")
      ->required()
      ->type_name("SOURCE");
  app.add_option("--from", a->format, "The format of all sources (default: told by their content)")
      ->check(CLI::IsMember(format_choices()))
      ->type_name("FORMAT");
  app.add_flag("-v,--verbose", a->verbose, "Cut no list short");
  return [a] { return import(*a); };
}

Action declare_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kShells), std::end(kShells))))
      ->type_name("SHELL");
  return [shell] {
    const auto done = print(completion_script(*shell, describe_verbs()));
    return done ? int{kClean} : complain(done.error());
  };
}

}  // namespace sekimori::cli
