#include <fmt/format.h>

#include <algorithm>

#include "cli/usage.h"
#include "report/typeset.h"

namespace sekimori::cli {
namespace {

constexpr std::size_t kTerm = 24;  // columns for the name of an option

// "  term      description, wrapped", the description on the next line when the term is long.
std::string entry(std::string_view term, std::string_view description, std::size_t term_width,
                  std::size_t width) {
  std::string out = fmt::format("  {}", report::left(term, term_width));
  const std::size_t indent = 2 + term_width + 2;
  bool first = report::columns(term) <= term_width;
  if (!first) out += "\n";
  for (const std::string& line :
       report::wrap(description, std::max<std::size_t>(width, indent + 20) - indent, true)) {
    out += (first ? "  " : std::string(indent, ' ')) + line + "\n";
    first = false;
  }
  return out;
}

std::string term_of(const OptionText& option) {
  std::string term = fmt::format("{}", fmt::join(option.names, ", "));
  if (option.value.empty()) return term;
  return term + (option.value_optional ? fmt::format("[={}]", option.value) : " " + option.value);
}

}  // namespace

std::string help(const VerbText& verb, std::size_t width) {
  std::string usage, positionals;
  for (const OptionText& option : verb.options) {
    if (!option.names.empty()) continue;
    usage += " " + option.value;
    positionals += entry(option.value, option.description, kTerm, width);
  }
  std::string out = fmt::format("sekimori {} - {}\n\n", verb.name, verb.summary);
  out += fmt::format("Usage: sekimori {}{} [OPTIONS]\n\n", verb.name, usage);
  if (!positionals.empty()) out += positionals + "\n";
  out += "Options:\n";
  for (const OptionText& option : verb.options) {
    if (!option.names.empty()) out += entry(term_of(option), option.description, kTerm, width);
  }
  return out + "\n" + verb.details;
}

std::string help(std::span<const VerbText> verbs, std::string_view footer, std::size_t width) {
  std::string out =
      "sekimori - finds, explains and ends the layer-2 faults of virtual switches\n\n"
      "Usage: sekimori VERB ... [OPTIONS]\n\nVerbs:\n";
  for (const VerbText& verb : verbs) out += entry(verb.name, verb.summary, 10, width);
  out += "\n  sekimori VERB --help tells more; sekimori --version tells the version.\n\n";
  return out.append(footer);
}

}  // namespace sekimori::cli
