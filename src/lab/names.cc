#include "lab/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/plan.h"

namespace sekimori::lab {
namespace {

constexpr std::size_t kLongestLab = 32;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// What the kernel, `ip` and file systems all take; `ip` reads some words as its own.
std::string plain_name(std::string_view wanted, std::size_t longest) {
  std::string name(wanted.substr(0, longest));
  for (char& c : name) {
    if (!is_plain(c) && c != '.') c = '-';
  }
  static constexpr std::string_view kTaken[] = {"",        ".",  "..",   "lo",  "all",
                                                "default", "up", "down", "dev", "type"};
  if (std::ranges::find(kTaken, name) != std::end(kTaken) || name.front() == '-' || name.front() == '.')
    name = "x" + name.substr(0, longest - 1);
  return name;
}

}  // namespace

std::string NamePool::take(std::string_view wanted, std::size_t longest) {
  std::string name = plain_name(wanted, longest);
  if (taken_.insert(name).second) return name;
  for (int n = 2;; ++n) {
    const std::string number = fmt::format("~{}", n);
    std::string candidate = name.substr(0, std::min(name.size(), longest - number.size())) + number;
    if (taken_.insert(candidate).second) return candidate;
  }
}

std::string namespace_prefix(std::string_view lab) { return fmt::format("sekimori.{}.", lab); }

std::string default_lab_name(std::string_view path) {
  const auto last_of = [](std::string_view text) {
    const auto slash = text.rfind('/');
    return slash == text.npos ? text : text.substr(slash + 1);
  };
  std::string_view name = last_of(path);
  if (const auto dot = name.rfind('.'); dot != name.npos && dot != 0) name = name.substr(0, dot);
  if (name == "site") {
    const std::string_view folder = path.substr(0, path.size() - last_of(path).size());
    if (folder.size() > 1) name = last_of(folder.substr(0, folder.size() - 1));
  }
  std::string lab(name.substr(0, kLongestLab));
  for (char& c : lab) {
    if (!is_plain(c)) c = '-';
  }
  return lab.empty() || lab.front() == '-' ? "lab" : lab;
}

base::Result<std::string> check_lab_name(std::string name) {
  if (name.empty() || name.size() > kLongestLab || name.front() == '-' ||
      !std::ranges::all_of(name, is_plain)) {
    return base::fail(fmt::format(
        "\"{}\" is no name for a lab: letters, digits, - and _, at most {} of them.", name, kLongestLab));
  }
  return name;
}

}  // namespace sekimori::lab
