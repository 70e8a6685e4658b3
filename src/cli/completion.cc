#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "cli/usage.h"

namespace sekimori::cli {
namespace {

// What may follow the words so far of a verb's name, "" or "mac": each word once.
std::vector<std::string> next_words(std::span<const VerbText> verbs, std::string_view so_far) {
  std::vector<std::string> words;
  for (const VerbText& verb : verbs) {
    std::string_view rest = verb.name;
    if (!so_far.empty()) {
      if (!rest.starts_with(so_far) || rest.size() == so_far.size() || rest[so_far.size()] != ' ') continue;
      rest.remove_prefix(so_far.size() + 1);
    }
    std::string word(rest.substr(0, rest.find(' ')));
    if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
  }
  return words;
}

// The beginnings of verbs' names that are no names: "mac", "mac pool".
std::vector<std::string> groups_of(std::span<const VerbText> verbs) {
  std::vector<std::string> groups;
  for (const VerbText& verb : verbs) {
    for (std::size_t at = verb.name.find(' '); at != std::string::npos; at = verb.name.find(' ', at + 1)) {
      const std::string group = verb.name.substr(0, at);
      if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
    }
  }
  return groups;
}

// In single quotes of a shell.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash(std::span<const VerbText> verbs) {
  std::string groups, group_cases;
  for (const std::string& group : groups_of(verbs)) {
    std::string dotted = group;
    std::ranges::replace(dotted, ' ', '.');
    groups += (groups.empty() ? "" : " ") + dotted;
    group_cases +=
        fmt::format("        \"{}\") words=\"{}\" ;;\n", group, fmt::join(next_words(verbs, group), " "));
  }
  std::string out = fmt::format(
      "# sekimori completion for bash: source <(sekimori completion bash)\n"
      "_sekimori() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words= choices=\n"
      "  local verb=${{COMP_WORDS[1]}} at=2\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W \"{} --help --version\" -- \"$cur\"))\n"
      "    return\n"
      "  fi\n"
      "  while [[ \" {} \" == *\" ${{verb// /.}} \"* ]]; do\n"
      "    if ((COMP_CWORD == at)); then\n"
      "      case $verb in\n{}      esac\n"
      "      COMPREPLY=($(compgen -W \"$words --help\" -- \"$cur\"))\n"
      "      return\n"
      "    fi\n"
      "    verb+=\" ${{COMP_WORDS[at]}}\"\n"
      "    ((at++))\n"
      "  done\n"
      "  [[ $cur == = ]] && cur=\n"
      "  [[ $prev == = ]] && prev=${{COMP_WORDS[COMP_CWORD-2]}}\n"
      "  case $verb in\n",
      fmt::join(next_words(verbs, ""), " "), groups, group_cases);
  for (const VerbText& verb : verbs) {
    std::string words, choices, positionals;
    int place = -1;  // after the verb
    for (const OptionText& option : verb.options) {
      for (const std::string& name : option.names) words += (words.empty() ? "" : " ") + name;
      place += option.names.empty();
      if (option.choices.empty()) continue;
      const std::string list = fmt::format("{}", fmt::join(option.choices, " "));
      if (option.names.empty()) {
        positionals += fmt::format(
            "      [[ -z $choices && $cur != -* ]] && ((COMP_CWORD == at + {})) && choices=\"{}\"\n", place,
            list);
      } else {
        choices += fmt::format("        {}) choices=\"{}\" ;;\n", fmt::join(option.names, "|"), list);
      }
    }
    out += fmt::format("    \"{}\")\n      words=\"{}\"\n", verb.name, words);
    if (!choices.empty()) out += fmt::format("      case $prev in\n{}      esac\n", choices);
    out += positionals + "      ;;\n";
  }
  return out +
         "  esac\n"
         "  if [[ -n $choices ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$choices\" -- \"$cur\"))\n"
         // Bash takes a colon for a word of its own, unless COMP_WORDBREAKS was changed.
         "  elif [[ $cur == if:* ]]; then\n"
         "    COMPREPLY=($(compgen -P if: -W \"$(ls /sys/class/net 2>/dev/null)\" -- \"${cur#if:}\"))\n"
         "  elif [[ $prev$cur == if: || ${COMP_WORDS[COMP_CWORD-2]}$prev == if: ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$(ls /sys/class/net 2>/dev/null)\" -- \"${cur#:}\"))\n"
         "  elif [[ $cur == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "  else\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    COMPREPLY=($(compgen -f -- \"$cur\"))\n"
         "  fi\n"
         "}\n"
         "complete -F _sekimori sekimori\n";
}

// Whether a network interface may stand there.
bool takes_interface(const OptionText& option) {
  return option.names.empty() && option.description.find("if:NAME") != std::string::npos;
}

// A description inside of zsh's [...]: brackets and colons mean something there.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh(std::span<const VerbText> verbs) {
  std::string out =
      "#compdef sekimori\n"
      "# sekimori completion for zsh: sekimori completion zsh > \"${fpath[1]}/_sekimori\"\n"
      "_sekimori_source() {\n"
      "  if compset -P if:; then\n"
      "    compadd -- /sys/class/net/*(N:t)\n"
      "  else\n"
      "    _files\n"
      "    compadd -S '' -- if:\n"
      "  fi\n"
      "}\n"
      "_sekimori() {\n"
      "  local -a verbs=(\n";
  const auto described = [&](std::string_view group) {
    std::string list;
    for (const std::string& word : next_words(verbs, group)) {
      const std::string name = group.empty() ? word : fmt::format("{} {}", group, word);
      const auto verb = std::ranges::find(verbs, name, &VerbText::name);
      const std::string summary = verb == verbs.end() ? "..." : zsh_text(verb->summary);
      list += fmt::format("    {}\n", in_quotes(fmt::format("{}:{}", word, summary)));
    }
    return list;
  };
  out += described("");
  out +=
      "  )\n"
      "  if ((CURRENT == 2)); then\n"
      "    _describe verb verbs\n"
      "    return\n"
      "  fi\n"
      "  local verb=$words[2]\n"
      "  shift words\n"
      "  ((CURRENT--))\n";
  for (const std::string& group : groups_of(verbs)) {
    out += fmt::format(
        "  if [[ $verb == \"{}\" ]]; then\n"
        "    verbs=(\n{}    )\n"
        "    if ((CURRENT == 2)); then\n"
        "      _describe verb verbs\n"
        "      return\n"
        "    fi\n"
        "    verb+=\" $words[2]\"\n"
        "    shift words\n"
        "    ((CURRENT--))\n"
        "  fi\n",
        group, described(group));
  }
  out += "  case $verb in\n";
  for (const VerbText& verb : verbs) {
    out += fmt::format("    \"{}\")\n      _arguments", verb.name);
    int position = 0;
    for (const OptionText& option : verb.options) {
      const std::string action = takes_interface(option) ? "_sekimori_source"
                                 : option.choices.empty()
                                     ? "_files"
                                     : fmt::format("({})", fmt::join(option.choices, " "));
      if (option.names.empty()) {
        out += fmt::format(" \\\n        {}",
                           in_quotes(fmt::format("{}:{}:{}", ++position, zsh_text(option.value), action)));
      }
      for (const std::string& name : option.names) {
        std::string spec = name;
        if (option.value_optional)
          spec += "=-";
        else if (!option.value.empty())
          spec += "=";
        spec += fmt::format("[{}]", zsh_text(option.description));
        if (!option.value.empty()) {
          spec += fmt::format("{}{}:{}", option.value_optional ? "::" : ":", zsh_text(option.value), action);
        }
        out += " \\\n        " + in_quotes(spec);
      }
    }
    out += "\n      ;;\n";
  }
  return out + "  esac\n}\n_sekimori \"$@\"\n";
}

std::string fish(std::span<const VerbText> verbs) {
  std::string out = "# sekimori completion for fish: sekimori completion fish | source\n";
  for (const VerbText& verb : verbs) {
    // "mac pool add": `mac` first, `pool` after it, `add` after both.
    std::string seen;
    for (const std::string_view word : base::split(verb.name, ' ')) {
      const std::string group = verb.name.substr(0, static_cast<std::size_t>(word.data() - verb.name.data()));
      const std::string siblings = fmt::format("{}", fmt::join(next_words(verbs, base::trim(group)), " "));
      const std::string condition =
          seen.empty() ? "__fish_use_subcommand"
                       : in_quotes(fmt::format("{}; and not __fish_seen_subcommand_from {}", seen, siblings));
      const bool is_last = word.data() + word.size() == verb.name.data() + verb.name.size();
      out += fmt::format("complete -c sekimori -n {} -f -a {}{}\n", condition, word,
                         is_last ? " -d " + in_quotes(verb.summary) : "");
      seen += fmt::format("{}__fish_seen_subcommand_from {}", seen.empty() ? "" : "; and ", word);
    }
  }
  for (const VerbText& verb : verbs) {
    for (const OptionText& option : verb.options) {
      const bool is_source = takes_interface(option);  // beside files, which fish offers anyway
      if (option.names.empty() && option.choices.empty() && !is_source) continue;
      std::string seen;
      for (const std::string_view word : base::split(verb.name, ' '))
        seen += fmt::format("{}__fish_seen_subcommand_from {}", seen.empty() ? "" : "; and ", word);
      out += fmt::format("complete -c sekimori -n '{}'", seen);
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (is_source) out += " -a '(string replace -r \".*/\" if: /sys/class/net/*)'";
      if (!option.choices.empty())
        out += fmt::format(" -f -a {}", in_quotes(fmt::format("{}", fmt::join(option.choices, " "))));
      if (!option.names.empty() && !option.value.empty() && !option.value_optional) out += " -r";
      out += fmt::format(" -d {}\n", in_quotes(option.description));
    }
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell, std::span<const VerbText> verbs) {
  if (shell == "bash") return bash(verbs);
  if (shell == "zsh") return zsh(verbs);
  SEKIMORI_ASSERT(shell == "fish");
  return fish(verbs);
}

}  // namespace sekimori::cli
