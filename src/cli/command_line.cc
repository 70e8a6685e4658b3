#include "cli/command_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include "base/text.h"
#include "cli/declare.h"
#include "cli/exit.h"
#include "cli/lab.h"
#include "cli/mac.h"
#include "cli/output.h"
#include "cli/usage.h"

namespace sekimori::cli {
namespace {

constexpr std::string_view kExitCodes =
    "Exit codes:\n"
    "  0    clean: nothing above a note, or below --fail-on (other verbs: done)\n"
    "  1    findings: something is broken or will break\n"
    "  2    the command line or an input can't be understood\n"
    "  3    an output can't be written, or an internal error\n"
    "  130  interrupted with Ctrl-C; what was known by then has been told\n";

// ---------------------------------------------------------------- the verbs

// A further verb is a further line; its name may have several words. `declare` adds its options and returns
// what runs it.
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
     "  sudo sekimori diagnose if:eth0 --promiscuous --for 10min\n"
     "  sekimori diagnose exports/\n"
     "  sekimori diagnose host:local\n\n",
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
    {"mac audit", "Find duplicate, latent, well-known and invalid MACs in inventories",
     "Examples:\n"
     "  sekimori mac audit site.yaml netbox.csv arp.txt\n"
     "  sekimori mac audit vc1.csv vc2.csv --registry macs.db --json | jq '.findings[].where'\n\n",
     declare_mac_audit},
    {"mac fix", "Plan how to end what the audit finds; changes nothing itself",
     "Prints which NICs get a new address, those that interrupt nothing first, and the commands.\n\n"
     "Examples:\n"
     "  sekimori mac fix vc1.csv pve.csv --registry macs.db\n"
     "  sekimori mac fix fleet.csv --manager rack7=libvirt\n\n",
     declare_mac_fix},
    {"mac hook libvirt", "Refuse to start a guest whose MAC another has",
     "To be called by /etc/libvirt/hooks/qemu, with the domain's XML on standard input (docs/macs.md).\n\n"
     "Examples:\n"
     "  exec sekimori mac hook libvirt \"$@\" --registry /var/lib/sekimori/macs.db\n"
     "  virsh dumpxml web01 | sekimori mac hook libvirt web01 prepare begin - --registry macs.db\n\n",
     declare_mac_hook_libvirt},
    {"mac allocate", "Hand out addresses that nobody has",
     "Text: one address a line, in the order of the owners.\n\n"
     "Examples:\n"
     "  sekimori mac allocate --registry macs.db --count 20\n"
     "  sekimori mac allocate --registry macs.db --owner vc1/vm-7/net0 --owner vc1/vm-7/net1\n\n",
     declare_mac_allocate},
    {"mac reserve", "Record addresses that are in use",
     "Examples:\n"
     "  sekimori mac reserve 02:ab:00:00:00:07 --registry macs.db --note \"printer, fixed by hand\"\n"
     "  sekimori mac reserve --from netbox.csv --registry macs.db\n\n",
     declare_mac_reserve},
    {"mac release", "Give addresses back",
     "Examples:\n"
     "  sekimori mac release 02:ab:00:00:00:07 --registry macs.db\n"
     "  sekimori mac release --owner vc1/vm-7 --registry macs.db\n\n",
     declare_mac_release},
    {"mac renew", "Begin the leases of addresses anew",
     "Examples:\n"
     "  sekimori mac renew 02:ab:00:00:00:07 --lease 1d --registry macs.db\n\n",
     declare_mac_renew},
    {"mac lookup", "Tell who has an address",
     "Examples:\n"
     "  sekimori mac lookup 02ab.0000.0007 --registry macs.db\n\n",
     declare_mac_lookup},
    {"mac list", "List what a registry holds, also as CSV",
     "Examples:\n"
     "  sekimori mac list --registry macs.db --pool lab\n"
     "  sekimori mac list --registry macs.db --csv > macs.csv\n\n",
     declare_mac_list},
    {"mac serve", "Serve a registry over HTTP until Ctrl-C",
     "GET /openapi.json describes what it answers (docs/macs.md). Requests that wait are committed\n"
     "together, and answered when they are durable. Prints its address when it is ready.\n\n"
     "Examples:\n"
     "  sekimori mac serve --registry macs.db\n"
     "  curl --json '{\"owners\": [\"vc1/vm-7/net0\"]}' http://127.0.0.1:8470/v1/allocate\n"
     "  sekimori mac serve --registry macs.db --listen 10.0.0.5:8470 --token-file token\n\n",
     declare_mac_serve},
    {"mac pool add", "Add a pool of addresses; makes the registry if there is none",
     "Examples:\n"
     "  sekimori mac pool add lab 02:ab:00:00:00:00/24 --registry macs.db\n"
     "  sekimori mac pool add vc1 02:ac:00:00:00:00-02:ac:00:00:ff:ff --policy derived --registry "
     "macs.db\n\n",
     declare_mac_pool_add},
    {"mac pool list", "List the pools of a registry",
     "Examples:\n"
     "  sekimori mac pool list --registry macs.db\n\n",
     declare_mac_pool_list},
    {"mac pool remove", "Remove a pool of which nothing is in use",
     "Examples:\n"
     "  sekimori mac pool remove lab --registry macs.db\n\n",
     declare_mac_pool_remove},
    {"lab", "Build the site on this kernel, with real frames in network namespaces",
     "  plan    what would be built, without building it\n"
     "  up      build it (as root): a namespace for each machine and switch, a veth pair for each link\n"
     "  run     play the site's traffic in it, and tell what was predicted beside what is measured\n"
     "  status  whether it is there and whole; without SITE all labs\n"
     "  down    remove it, also what a crash left\n\n"
     "Examples:\n"
     "  sekimori lab plan site.yaml\n"
     "  sudo sekimori lab up site.yaml --scale 1/60\n"
     "  sudo sekimori lab run site.yaml --for 20s\n"
     "  sudo ip netns exec sekimori.site.desk ping 10.0.0.1\n"
     "  sudo sekimori lab down site.yaml\n\n",
     declare_lab},
    {"import", "Make a site file of what runs: exports of hosts, managers and switches",
     "What was left out, and why, goes to stderr; the exit code is then 1.\n\n"
     "Examples:\n"
     "  sekimori import exports/ > site.yaml\n"
     "  sekimori import host:local > site.yaml\n"
     "  sekimori import ssh:server1 ssh:server2 sw1-mac-table.txt > site.yaml\n\n",
     declare_import},
    {"completion", "Print a completion script for a shell",
     "Examples:\n"
     "  source <(sekimori completion bash)\n"
     "  sekimori completion zsh > \"${fpath[1]}/_sekimori\"\n"
     "  sekimori completion fish | source\n\n",
     declare_completion},
};

// Verbs of several words, told as one on the first page.
struct Group {
  std::string_view name, summary;
};
constexpr Group kGroups[] = {
    {"mac", "MACs that cannot collide: allocate, audit, fix"},
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
      {"POLICY", {std::begin(macs::kPolicies), std::end(macs::kPolicies)}},
      {"STATE", {"allocated", "reserved", "freed"}},
      {"ACTION", {std::begin(kLabActions), std::end(kLabActions)}},
      {"FORMAT", format_choices()},
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
  if (verb.name == "diagnose" || verb.name == "check" || verb.name == "mac audit") text.details += kExitCodes;
  for (const CLI::Option* option : app->get_options()) {
    OptionText o;
    for (const std::string& name : option->get_snames()) o.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) o.names.push_back("--" + name);
    o.value_optional =
        option->check_lname("json") || option->check_lname("sarif") || option->check_lname("csv");
    o.value = option->get_items_expected_max() > 0 || o.value_optional ? value_name(*option) : "";
    o.choices = choices_of(o.value);
    o.description = option->get_description();
    text.options.push_back(std::move(o));
  }
  return text;
}

// The verbs of a page: those that begin with `prefix`, and the groups among them in a line each.
std::vector<VerbText> verbs_of(std::string_view prefix) {
  std::vector<VerbText> texts;
  for (const Verb& verb : kVerbs) {
    if (!verb.name.starts_with(prefix)) continue;
    const auto group = std::ranges::find_if(kGroups, [&](const Group& g) {
      return prefix.empty() && verb.name.starts_with(std::string(g.name) + " ");
    });
    if (group == std::end(kGroups))
      texts.push_back({std::string(verb.name), std::string(verb.summary), "", {}});
    else if (texts.empty() || texts.back().name != group->name)
      texts.push_back({std::string(group->name), std::string(group->summary), "", {}});
  }
  return texts;
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

// `before` is the group that was found, with a space, or empty.
int unknown_verb(const std::string& before, const std::string& word) {
  std::vector<std::string> names;
  for (const VerbText& verb : verbs_of(before)) names.push_back(verb.name);
  const std::vector<std::string_view> known(names.begin(), names.end());
  std::error_code ignored;
  const std::string_view nearest = base::nearest_word(before + word, known);
  std::string hint = fmt::format("The verbs are {}.", fmt::join(names, ", "));
  if (!nearest.empty()) hint = fmt::format("Did you mean {}?", nearest);
  if (nearest.empty() && before.empty() && std::filesystem::exists(word, ignored))
    hint = fmt::format("Did you mean \"sekimori diagnose {}\"?", word);
  complain(fmt::format("There is no verb \"{}{}\". {}", before, word, hint));
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

constexpr std::size_t kMostWords = 3;  // of a verb's name

int run_command_line(std::span<const std::string> arguments) {
  const auto page = [] {
    return help(verbs_of(""), std::string("Example:\n  sekimori diagnose site.yaml\n\n").append(kExitCodes),
                help_width());
  };
  if (arguments.empty()) {
    std::fputs(page().c_str(), stderr);
    return kBadInput;
  }
  const std::string& word = arguments.front();
  if (word == "--help" || word == "-h" || word == "help") return tell(page());
  if (word == "--version") return tell("sekimori " SEKIMORI_VERSION "\n");
  std::string name;
  for (std::size_t words = 1; words <= std::min(kMostWords, arguments.size()); ++words) {
    name += (words > 1 ? " " : "") + arguments[words - 1];
    const auto verb = std::ranges::find(kVerbs, name, &Verb::name);
    if (verb != std::end(kVerbs)) return run_verb(*verb, arguments.subspan(words));
  }
  if (std::ranges::find(kGroups, word, &Group::name) == std::end(kGroups)) return unknown_verb("", word);
  if (arguments.size() > 1 && !arguments[1].starts_with('-')) {
    const bool further = arguments.size() > 2 && !arguments[2].starts_with('-') &&
                         !verbs_of(word + " " + arguments[1] + " ").empty();
    return unknown_verb(word + " ", further ? arguments[1] + " " + arguments[2] : arguments[1]);
  }
  const std::string text = help(verbs_of(word + " "), "", help_width());
  if (arguments.size() > 1) return tell(text);
  std::fputs(text.c_str(), stderr);
  return kBadInput;
}

}  // namespace sekimori::cli
