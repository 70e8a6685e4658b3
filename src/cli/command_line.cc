// The only file that includes CLI11: it costs seconds to compile.
#include "cli/command_line.h"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/parse_units.h"
#include "base/text.h"
#include "cli/check.h"
#include "cli/diagnose.h"
#include "cli/exit.h"
#include "cli/explain.h"
#include "cli/output.h"
#include "cli/simulate.h"

namespace sekimori::cli {
namespace {

constexpr std::string_view kExitCodes =
    "Exit codes:\n"
    "  0    clean: nothing above a note, or below --fail-on (other verbs: done)\n"
    "  1    findings: something is broken or will break\n"
    "  2    the command line or an input can't be understood\n"
    "  3    an output can't be written, or an internal error\n"
    "  130  interrupted with Ctrl-C; what was known by then has been told\n";

constexpr std::string_view kFailLevels[] = {"note", "warning", "error", "never"};

// ---------------------------------------------------------------- kinds of options

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

constexpr const char* kReportAsJson =
    "Report as JSON (docs/json-report.md) to stdout instead of text, or to FILE besides the text";

// For verbs that judge a site.
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

// ---------------------------------------------------------------- the verbs

using Action = std::function<int()>;

Action declare_check(CLI::App& app) {
  auto a = std::make_shared<CheckArguments>();
  app.add_option("SITE", a->site, "Site file; - is standard input")->required()->type_name("SITE");
  app.add_flag_callback("--no-remedies", [a] { a->remedies = false; }, "Don't try what would end the faults");
  add_seed(app, a->seed);
  add_report(app, a->report);
  return [a] { return check(*a); };
}

constexpr std::string_view kPlaces[] = {"access", "guest", "uplink", "mirror", "tap"};

Action declare_diagnose(CLI::App& app) {
  auto a = std::make_shared<DiagnoseArguments>();
  app.add_option(
         "WHAT", a->what,
         "Site file or capture (pcap, pcapng, packed or not), - is standard input; or if:NAME, an interface")
      ->required()
      ->type_name("WHAT");
  add_duration(app, "--until", "T",
               "How long a time to simulate: 900s, 30min (default: until every timer has run out)",
               [a](base::Duration d) { a->until = d; });
  app.add_flag_callback("--no-remedies", [a] { a->remedies = false; }, "Don't try what would end the faults");
  app.add_option("--threads", a->threads, "Processors to use at most for trying remedies (default: all)")
      ->check(CLI::Range(1u, 1024u))
      ->type_name("N");
  add_seed(app, a->seed);
  add_report(app, a->report);
  app.add_option("--at", a->at,
                 "Where a capture was taken: access, guest, uplink, mirror, tap (default: inferred)")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kPlaces), std::end(kPlaces))))
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

// A further verb is a further line. `declare` adds its options and returns what runs it.
struct Verb {
  std::string_view name, summary, details;
  Action (*declare)(CLI::App&);
};
constexpr Verb kVerbs[] = {
    {"diagnose", "Is it broken or about to break, why, how bad, and what ends it",
     "Examples:\n"
     "  sekimori diagnose site.yaml\n"
     "  sekimori diagnose site.yaml --quiet\n"
     "  sekimori diagnose site.yaml --json | jq '.findings[].code'\n"
     "  sekimori diagnose quiet-port.pcapng --at access --evidence evidence.pcapng\n"
     "  sudo sekimori diagnose if:eth0 --promiscuous --for 10min\n\n",
     declare_diagnose},
    {"check", "Judge a site without playing it: quick, for every commit",
     "Examples:\n"
     "  sekimori check site.yaml\n"
     "  sekimori check site.yaml --sarif=check.sarif --baseline known.baseline\n"
     "  sekimori check site.yaml --write-baseline known.baseline --fail-on never\n\n",
     declare_check},
    {"explain", "Tell what each switch does with frames for a station, and why",
     "Examples:\n"
     "  sekimori explain site.yaml --to app\n"
     "  sekimori explain site.yaml --to app --at sw1\n"
     "  sekimori explain site.yaml --from desk --to app:net0 --quiet\n\n",
     declare_explain},
    {"simulate", "Play a site frame by frame: loads, series, captures",
     "Ports are named as reports name them: sw1:24, server/vmnet0:eth0, app:net0.\n\n"
     "Examples:\n"
     "  sekimori simulate site.yaml --until 900s\n"
     "  sekimori simulate site.yaml --series out.csv --every 10s\n"
     "  sekimori simulate site.yaml --capture sw1:24=wan.pcapng --capture sw1:2=desk.pcapng\n\n",
     declare_simulate},
    {"completion", "Print a completion script for a shell",
     "Examples:\n"
     "  source <(sekimori completion bash)\n"
     "  sekimori completion zsh > \"${fpath[1]}/_sekimori\"\n"
     "  sekimori completion fish | source\n\n",
     declare_completion},
};

// ---------------------------------------------------------------- describing them

std::unique_ptr<CLI::App> make_app(const Verb& verb, Action& action) {
  auto app = std::make_unique<CLI::App>(std::string(verb.summary), std::string(verb.name));
  app->set_help_flag("-h,--help", "Tell this");
  action = verb.declare(*app);
  return app;
}

const std::vector<std::string>& choices_of(const std::string& value) {
  static const std::map<std::string, std::vector<std::string>> kChoices = {
      {"WHEN", {"auto", "always", "never"}},
      {"LEVEL", {std::begin(kFailLevels), std::end(kFailLevels)}},
      {"PLACE", {std::begin(kPlaces), std::end(kPlaces)}},
      {"SHELL", {std::begin(kShells), std::end(kShells)}}};
  static const std::vector<std::string> kNone;
  const auto found = kChoices.find(value);
  return found == kChoices.end() ? kNone : found->second;
}

// "TEXT:{a,b}" of CLI11 without what its checks append.
std::string value_name(const CLI::Option& option) {
  const std::string name = option.get_type_name();
  return name.substr(0, name.find(':'));
}

VerbText describe(const Verb& verb) {
  Action action;
  const auto app = make_app(verb, action);
  VerbText text{std::string(verb.name), std::string(verb.summary), std::string(verb.details), {}};
  if (verb.name == "diagnose" || verb.name == "check") text.details += kExitCodes;
  for (const CLI::Option* option : app->get_options()) {
    OptionText o;
    for (const std::string& name : option->get_snames()) o.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) o.names.push_back("--" + name);
    o.value_optional = option->check_lname("json") || option->check_lname("sarif");
    o.value = option->get_items_expected_max() > 0 || o.value_optional ? value_name(*option) : "";
    o.choices = choices_of(o.value);
    o.description = option->get_description();
    text.options.push_back(std::move(o));
  }
  return text;
}

std::size_t help_width() {
  return std::clamp<std::size_t>(sys::describe_terminal(STDOUT_FILENO, sys::ColourChoice::kNever).width, 40,
                                 100);
}

int tell(const std::string& text) {
  const auto done = print(text);
  return done ? int{kClean} : complain(done.error());
}

// ---------------------------------------------------------------- what goes wrong

std::string see_help(const Verb& verb) {
  return fmt::format("\"sekimori {} --help\" lists the options.", verb.name);
}

// The first argument that looks like an option and is none, with the nearest that is.
std::string unknown_option(const Verb& verb, std::span<const std::string> arguments) {
  const VerbText text = describe(verb);
  std::vector<std::string_view> known;
  for (const OptionText& option : text.options)
    known.insert(known.end(), option.names.begin(), option.names.end());
  for (const std::string& argument : arguments) {
    const std::string_view name = std::string_view(argument).substr(0, argument.find('='));
    if (!name.starts_with('-') || name == "-" || std::ranges::find(known, name) != known.end()) continue;
    const std::string_view nearest = base::nearest_word(name, known);
    return fmt::format("{} has no option {}{}", verb.name, name,
                       nearest.empty() ? "." : fmt::format(": did you mean {}?", nearest));
  }
  return "";
}

int misused(const Verb& verb, std::span<const std::string> arguments, const CLI::ParseError& error) {
  std::string what = unknown_option(verb, arguments);
  if (what.empty()) what = error.what();
  complain(fmt::format("{}\n{}", what, see_help(verb)));
  return kBadInput;
}

int unknown_verb(const std::string& word) {
  std::vector<std::string_view> names;
  for (const Verb& verb : kVerbs) names.push_back(verb.name);
  std::error_code ignored;
  const std::string_view nearest = base::nearest_word(word, names);
  std::string hint = fmt::format("The verbs are {}.", fmt::join(names, ", "));
  if (!nearest.empty()) hint = fmt::format("Did you mean {}?", nearest);
  if (nearest.empty() && std::filesystem::exists(word, ignored))
    hint = fmt::format("Did you mean \"sekimori diagnose {}\"?", word);
  complain(fmt::format("There is no verb \"{}\". {}", word, hint));
  return kBadInput;
}

int run_verb(const Verb& verb, std::span<const std::string> arguments) {
  Action action;
  const auto app = make_app(verb, action);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
    app->parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return tell(help(describe(verb), help_width()));
  } catch (const CLI::ParseError& error) {
    return misused(verb, arguments, error);
  }
  return action();
}

}  // namespace

std::vector<VerbText> describe_verbs() {
  std::vector<VerbText> texts;
  for (const Verb& verb : kVerbs) texts.push_back(describe(verb));
  return texts;
}

int run_command_line(std::span<const std::string> arguments) {
  const auto page = [] {
    return help(describe_verbs(),
                std::string("Example:\n  sekimori diagnose site.yaml\n\n").append(kExitCodes), help_width());
  };
  if (arguments.empty()) {
    std::fputs(page().c_str(), stderr);
    return kBadInput;
  }
  const std::string& word = arguments.front();
  if (word == "--help" || word == "-h" || word == "help") return tell(page());
  if (word == "--version") return tell("sekimori " SEKIMORI_VERSION "\n");
  const auto verb = std::ranges::find(kVerbs, word, &Verb::name);
  if (verb == std::end(kVerbs)) return unknown_verb(word);
  return run_verb(*verb, arguments.subspan(1));
}

}  // namespace sekimori::cli
