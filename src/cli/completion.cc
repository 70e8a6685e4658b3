#include <fmt/format.h>

#include "base/assert.h"
#include "cli/usage.h"

namespace sekimori::cli {
namespace {

std::string words_of(std::span<const VerbText> verbs) {
  std::string words;
  for (const VerbText& verb : verbs) words += (words.empty() ? "" : " ") + verb.name;
  return words;
}

// In single quotes of a shell.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash(std::span<const VerbText> verbs) {
  std::string out = fmt::format(
      "# sekimori completion for bash: source <(sekimori completion bash)\n"
      "_sekimori() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words= choices=\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W \"{} --help --version\" -- \"$cur\"))\n"
      "    return\n"
      "  fi\n"
      "  [[ $cur == = ]] && cur=\n"
      "  [[ $prev == = ]] && prev=${{COMP_WORDS[COMP_CWORD-2]}}\n"
      "  case ${{COMP_WORDS[1]}} in\n",
      words_of(verbs));
  for (const VerbText& verb : verbs) {
    std::string words, choices, positional;
    for (const OptionText& option : verb.options) {
      for (const std::string& name : option.names) words += (words.empty() ? "" : " ") + name;
      if (option.choices.empty()) continue;
      const std::string list = fmt::format("{}", fmt::join(option.choices, " "));
      if (option.names.empty()) positional = list;
      if (!option.names.empty()) {
        choices += fmt::format("        {}) choices=\"{}\" ;;\n", fmt::join(option.names, "|"), list);
      }
    }
    out += fmt::format("    {})\n      words=\"{}\"\n", verb.name, words);
    if (!choices.empty()) out += fmt::format("      case $prev in\n{}      esac\n", choices);
    if (!positional.empty())
      out += fmt::format("      [[ -z $choices && $cur != -* ]] && choices=\"{}\"\n", positional);
    out += "      ;;\n";
  }
  return out +
         "  esac\n"
         "  if [[ -n $choices ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$choices\" -- \"$cur\"))\n"
         // Bash takes a colon for a word of its own.
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
      "_sekimori() {\n"
      "  local -a verbs=(\n";
  for (const VerbText& verb : verbs)
    out += fmt::format("    {}\n", quoted(verb.name + ":" + zsh_text(verb.summary)));
  out +=
      "  )\n"
      "  if ((CURRENT == 2)); then\n"
      "    _describe verb verbs\n"
      "    return\n"
      "  fi\n"
      "  local verb=$words[2]\n"
      "  shift words\n"
      "  ((CURRENT--))\n"
      "  case $verb in\n";
  for (const VerbText& verb : verbs) {
    out += fmt::format("    {})\n      _arguments", verb.name);
    for (const OptionText& option : verb.options) {
      const std::string action =
          option.choices.empty() ? "_files" : fmt::format("({})", fmt::join(option.choices, " "));
      if (option.names.empty()) {
        out += fmt::format(" \\\n        {}", quoted(fmt::format("1:{}:{}", zsh_text(option.value), action)));
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
        out += " \\\n        " + quoted(spec);
      }
    }
    out += "\n      ;;\n";
  }
  return out + "  esac\n}\n_sekimori \"$@\"\n";
}

std::string fish(std::span<const VerbText> verbs) {
  std::string out = "# sekimori completion for fish: sekimori completion fish | source\n";
  for (const VerbText& verb : verbs) {
    out += fmt::format("complete -c sekimori -n __fish_use_subcommand -f -a {} -d {}\n", verb.name,
                       quoted(verb.summary));
  }
  for (const VerbText& verb : verbs) {
    for (const OptionText& option : verb.options) {
      if (option.names.empty() && option.choices.empty()) continue;  // a file, which fish offers anyway
      out += fmt::format("complete -c sekimori -n '__fish_seen_subcommand_from {}'", verb.name);
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (!option.choices.empty())
        out += fmt::format(" -f -a {}", quoted(fmt::format("{}", fmt::join(option.choices, " "))));
      if (!option.names.empty() && !option.value.empty() && !option.value_optional) out += " -r";
      out += fmt::format(" -d {}\n", quoted(option.description));
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
