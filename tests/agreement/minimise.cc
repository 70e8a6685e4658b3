#include "minimise.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace sekimori::agreement {
namespace {

using Lines = std::vector<std::string>;

Lines split(const std::string& text) {
  Lines lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

bool is_header(const std::string& line) { return !line.empty() && line[0] != ' ' && line.ends_with(":"); }

// Headers with nothing below are left out: YAML would take them for null.
std::string join(const Lines& lines) {
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (is_header(lines[i]) && (i + 1 == lines.size() || lines[i + 1][0] != ' ')) continue;
    text += lines[i] + "\n";
  }
  return text;
}

// "h1" of "  h1: {...}"; empty for the items of a list.
std::string declared(const std::string& line) {
  const std::size_t from = line.find_first_not_of(' ');
  if (from == 0 || from == std::string::npos || line[from] == '-') return "";
  return line.substr(from, line.find(':') - from);
}

bool names(const std::string& line, const std::string& name) {
  const auto in_a_name = [&](std::size_t i) {
    return i < line.size() && (std::isalnum(static_cast<unsigned char>(line[i])) != 0 || line[i] == '-');
  };
  for (std::size_t at = line.find(name); at != std::string::npos; at = line.find(name, at + 1)) {
    if ((at == 0 || !in_a_name(at - 1)) && !in_a_name(at + name.size())) return true;
  }
  return false;
}

// A member of a {...} or [...]: [begin, end) of the line, with the comma that goes with it.
struct Member {
  std::size_t begin, end;
};

std::vector<Member> members(const std::string& line) {
  std::vector<Member> found;
  std::vector<std::size_t> begin;  // of the member that is open, by depth
  const auto close = [&](std::size_t end) {
    const std::size_t from = begin.back();
    if (end <= from) return;
    const bool first = line[from - 1] != ',';
    const bool last = line[end] != ',';
    found.push_back({first ? from : from - 1, first && !last ? end + 1 : end});
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      i = line.find('"', i + 1);
      if (i == std::string::npos) return {};
    } else if (c == '{' || c == '[') {
      begin.push_back(i + 1);
    } else if (!begin.empty() && (c == ',' || c == '}' || c == ']')) {
      close(i);
      if (c == ',') {
        begin.back() = i + 1;
      } else {
        begin.pop_back();
      }
    }
  }
  // The larger ones first.
  std::ranges::stable_sort(
      found, [](const Member& a, const Member& b) { return a.end - a.begin > b.end - b.begin; });
  return found;
}

class Minimiser {
 public:
  Minimiser(const std::string& text, const std::function<bool(const std::string&)>& holds)
      : lines_(split(text)), holds_(holds) {}

  std::string run() {
    for (bool any = true; any;) {
      any = take_lines();
      any |= take_members();
    }
    return join(lines_);
  }

 private:
  bool take(const Lines& candidate) {
    if (!holds_(join(candidate))) return false;
    lines_ = candidate;
    return true;
  }

  // From the end: what refers to something stands below it.
  bool take_lines() {
    bool any = false;
    for (std::size_t i = lines_.size(); i-- > 0;) {
      if (i >= lines_.size() || is_header(lines_[i])) continue;
      Lines without = lines_;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
      if (take(without)) {
        any = true;
        continue;
      }
      const std::string name = declared(lines_[i]);
      if (name.empty()) continue;
      std::erase_if(without, [&](const std::string& line) { return line[0] == ' ' && names(line, name); });
      any |= without.size() + 1 < lines_.size() && take(without);
    }
    return any;
  }

  bool take_members() {
    bool any = false;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      for (bool again = true; again;) {
        again = false;
        for (const Member& member : members(lines_[i])) {
          Lines without = lines_;
          without[i].erase(member.begin, member.end - member.begin);
          if (!take(without)) continue;
          any = again = true;
          break;
        }
      }
    }
    return any;
  }

  Lines lines_;
  const std::function<bool(const std::string&)>& holds_;
};

}  // namespace

std::string minimise(const std::string& text, const std::function<bool(const std::string&)>& holds) {
  return Minimiser(text, holds).run();
}

}  // namespace sekimori::agreement
