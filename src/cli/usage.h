// What --help and shell completion say, both made from one description of the command line.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sekimori::cli {

struct OptionText {
  std::vector<std::string> names;    // "--until", "-h"; empty: a positional argument
  std::string value;                 // what it takes, for people: "T", "FILE"; empty: nothing
  bool value_optional = false;       // --json[=FILE]
  std::vector<std::string> choices;  // the words it takes, if only these
  std::string description;
};

struct VerbText {
  std::string name, summary, details;
  std::vector<OptionText> options;  // positional arguments in their order
};

constexpr std::string_view kShells[] = {"bash", "zsh", "fish"};

// `shell` is one of kShells.
std::string completion_script(std::string_view shell, std::span<const VerbText> verbs);

// "sekimori --help" and "sekimori VERB --help", for a page of `width` columns.
std::string help(std::span<const VerbText> verbs, std::string_view footer, std::size_t width);
std::string help(const VerbText& verb, std::size_t width);

}  // namespace sekimori::cli
