#include "report/baseline.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/text.h"
#include "report/json.h"
#include "report/typeset.h"

namespace sekimori::report {

using base::fail;
using findings::Finding;
using findings::Report;
using findings::Severity;
using nlohmann::ordered_json;

namespace {

constexpr std::string_view kHeader =
    "# Known findings that sekimori accepts with --baseline (docs/cli.md, Baselines).\n"
    "# FINGERPRINT SEVERITY CODE \"WHERE\"  # why it is accepted\n";

constexpr std::string_view kForm = "A line is: FINGERPRINT SEVERITY CODE \"WHERE\"  # comment";

constexpr Severity kSeverities[] = {Severity::kNote, Severity::kWarning, Severity::kError};

// Takes the next word off the line.
std::string_view next_word(std::string_view& rest) {
  rest = base::trim(rest);
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

base::Result<std::uint64_t> read_fingerprint(std::string_view word) {
  const bool hexadecimal = word.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  if (hexadecimal && word.size() == 16) return std::stoull(std::string(word), nullptr, 16);
  return fail(fmt::format("a fingerprint of 16 hexadecimal digits is expected, not \"{}\"", word));
}

base::Result<Severity> read_severity(std::string_view word) {
  const auto found = std::ranges::find(kSeverities, word, [](Severity s) { return findings::to_text(s); });
  if (found != std::end(kSeverities)) return *found;
  return fail(fmt::format("note, warning or error is expected, not \"{}\"", word));
}

base::Result<findings::Code> read_code(std::string_view word) {
  if (const auto code = findings::code_of(word)) return *code;
  std::vector<std::string_view> known;
  for (const findings::CatalogueEntry& entry : findings::catalogue()) known.push_back(entry.word);
  const std::string_view nearest = base::nearest_word(word, known);
  return fail(fmt::format("\"{}\" is no code of a finding{}", word,
                          nearest.empty() ? "" : fmt::format(": did you mean {}?", nearest)));
}

// A string in quotes, escaped as in JSON.
base::Result<std::string> read_where(std::string_view& rest) {
  rest = base::trim(rest);
  std::size_t end = rest.starts_with('"') ? 1 : rest.size();
  while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
  const bool closed = end < rest.size();
  const ordered_json text =
      closed ? ordered_json::parse(rest.substr(0, end + 1), nullptr, false) : ordered_json();
  if (!text.is_string()) return fail("the place in \"quotes\" is expected after the code");
  rest.remove_prefix(end + 1);
  return text.get<std::string>();
}

base::Result<std::string> read_comment(std::string_view rest) {
  rest = base::trim(rest);
  if (rest.empty()) return "";
  if (!rest.starts_with('#')) return fail("a comment begins with #");
  return std::string(base::trim(rest.substr(1)));
}

base::Result<BaselineEntry> read_entry(std::string_view line) {
  const auto fingerprint = read_fingerprint(next_word(line));
  if (!fingerprint) return std::unexpected(fingerprint.error());
  const auto severity = read_severity(next_word(line));
  if (!severity) return std::unexpected(severity.error());
  const auto code = read_code(next_word(line));
  if (!code) return std::unexpected(code.error());
  auto where = read_where(line);
  if (!where) return std::unexpected(where.error());
  auto comment = read_comment(line);
  if (!comment) return std::unexpected(comment.error());
  return BaselineEntry{*fingerprint, *severity, *code, std::move(*where), std::move(*comment), 0};
}

bool is_conflict(std::string_view line) {
  return line.starts_with("<<<<<<<") || line.starts_with("=======") || line.starts_with(">>>>>>>");
}

}  // namespace

base::Result<std::vector<BaselineEntry>> parse_baseline(std::string_view text, std::string_view file) {
  std::vector<BaselineEntry> entries;
  unsigned number = 0;
  for (const std::string_view line : base::split(text, '\n')) {
    ++number;
    const std::string_view content = base::trim(line);
    if (content.empty() || content.starts_with('#')) continue;
    if (is_conflict(content)) {
      return fail(fmt::format("{}:{}: a merge left a conflict here. Both sides may stay: delete this line.",
                              file, number));
    }
    auto entry = read_entry(content);
    if (!entry) return fail(fmt::format("{}:{}: {}.\n{}", file, number, entry.error().what, kForm));
    entry->line = number;
    entries.push_back(std::move(*entry));
  }
  return entries;
}

void apply_baseline(std::string_view file, std::span<const BaselineEntry> entries, Report& report) {
  std::unordered_map<std::uint64_t, const BaselineEntry*> known;
  for (const BaselineEntry& entry : entries) {
    // A merge may leave an entry twice; the wider one counts.
    const BaselineEntry*& first = known.emplace(entry.fingerprint, &entry).first->second;
    if (entry.severity > first->severity) first = &entry;
  }
  std::set<std::uint64_t> found;
  for (Finding& finding : report.findings) {
    const auto entry = known.find(finding.fingerprint);
    if (entry == known.end()) continue;
    found.insert(finding.fingerprint);
    if (finding.severity <= entry->second->severity) finding.accepted = entry->second->comment;
  }
  report.baseline = findings::BaselineUse{std::string(file), {}};
  if (report.interrupted) return;  // what was not found may only not have been found yet
  for (const BaselineEntry& entry : entries) {
    if (found.contains(entry.fingerprint)) continue;
    report.baseline->stale.push_back(
        {entry.line, std::string(findings::entry(entry.code).word), entry.where});
  }
}

std::string baseline_text(const Report& report, std::span<const BaselineEntry> earlier) {
  std::vector<const Finding*> sorted;
  for (const Finding& finding : report.findings) sorted.push_back(&finding);
  std::ranges::sort(sorted, {}, [](const Finding* f) {
    return std::tuple(findings::entry(f->code).word, std::string_view(f->where), f->fingerprint);
  });
  std::string text(kHeader);
  for (const Finding* f : sorted) {
    text += fmt::format("{} {} {} {}", json_fingerprint(f->fingerprint), findings::to_text(f->severity),
                        findings::entry(f->code).word, ordered_json(printable(f->where, true)).dump());
    const auto known = std::ranges::find_if(earlier, [&](const BaselineEntry& entry) {
      return entry.fingerprint == f->fingerprint && !entry.comment.empty();
    });
    if (known != earlier.end()) text += "  # " + known->comment;
    text += '\n';
  }
  return text;
}

}  // namespace sekimori::report
