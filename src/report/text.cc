#include "report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "report/loads.h"
#include "report/page.h"
#include "report/typeset.h"
#include "report/verdict.h"

namespace sekimori::report {

using findings::Certainty;
using findings::Evidence;
using findings::Finding;
using findings::FlowImpact;
using findings::LinkLoad;
using findings::RemedyOutcome;
using findings::Report;
using findings::Severity;

namespace {

// How much of each list a person reads before it is in the way. Verbosity::kAll shows everything.
constexpr std::size_t kStories = 10;      // findings told in full
constexpr std::size_t kLines = 40;        // further ones told in a line each
constexpr std::size_t kEvidence = 6;      // of a finding
constexpr std::size_t kFindingFlows = 6;  // victims of a finding
constexpr std::size_t kFindingLinks = 6;  // links that a finding loads
constexpr std::size_t kSiteLinks = 20;    // links at the end
constexpr std::size_t kStale = 6;         // entries of a baseline that match nothing
constexpr std::size_t kWhere = 24;        // columns of the place in a line of evidence

constexpr std::size_t kLabel = 7;  // "ends it"

std::size_t at_most(const TextOptions& options, std::size_t limit) {
  return options.verbosity == Verbosity::kAll ? 0 : limit;
}

Style style_of(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return Style::kCyan;
    case Severity::kWarning:
      return Style::kYellow;
    case Severity::kError:
      return Style::kRed;
  }
  return Style::kPlain;
}

std::string_view word_of(const Finding& finding) { return findings::entry(finding.code).word; }

// A heading for findings whose engine left it out.
std::string_view headline_of(const Finding& finding) {
  return finding.headline.empty() ? findings::entry(finding.code).title : std::string_view(finding.headline);
}

std::string number_of(std::size_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

// Those that a report tells in full: the ones that no baseline accepts.
std::vector<const Finding*> to_tell(const Report& report) {
  std::vector<const Finding*> list;
  for (const Finding& finding : report.findings) {
    if (!finding.accepted) list.push_back(&finding);
  }
  return list;
}

std::string counted(const Report& report) {
  const Counts counts = count(report);
  std::vector<std::string> parts;
  if (counts.errors > 0) parts.push_back(number_of(counts.errors, "error"));
  if (counts.warnings > 0) parts.push_back(number_of(counts.warnings, "warning"));
  if (counts.notes > 0) parts.push_back(number_of(counts.notes, "note"));
  if (parts.empty()) return counts.accepted > 0 ? "nothing new" : "nothing found";
  return base::list_words(parts);
}

// ---------------------------------------------------------------- the verdict

void verdict_line(Page& page, const Report& report) {
  const Verdict verdict = verdict_of(report);
  const auto said = [&]() -> std::pair<std::string_view, Style> {
    if (verdict == Verdict::kBroken) return {"BROKEN", Style::kRed};
    if (verdict == Verdict::kWillBreak) return {"WILL BREAK", Style::kYellow};
    if (report.interrupted) return {"NOT KNOWN", Style::kYellow};
    return {"CLEAN", Style::kGreen};
  }();
  std::string line = fmt::format("{}: {}", said.first, counted(report));
  if (report.interrupted) {
    const std::string after = report.simulated ? " after " + base::to_text(*report.simulated) : "";
    line += fmt::format(" (interrupted{}; there may be more)", after);
  }
  if (report.incomplete) line += " (in what could be read of the input)";
  page.paragraph(0, line, said.second);
}

// "tcp desk -> branch falls from 5.0 to 1.2 Mbit/s, loses 23.4 % of its frames and takes 143 ms instead of 8
// ms"
std::string harm_to(const FlowImpact& flow) {
  const auto& [before, after] = std::pair(flow.before, flow.after);
  const auto number = [](double v) {
    return v > 0 && v < 0.05 ? std::string("less than 0.1") : base::short_number(v, v < 100 ? 1 : 0);
  };
  std::vector<std::string> parts;
  if (before.goodput_mbit >= 0.1 && after.goodput_mbit < 0.95 * before.goodput_mbit) {
    parts.push_back(
        fmt::format("falls from {} to {} Mbit/s", number(before.goodput_mbit), number(after.goodput_mbit)));
  }
  if (after.loss_percent >= before.loss_percent + 0.1) {
    parts.push_back(fmt::format("loses {} % of its frames", number(after.loss_percent)));
  }
  if (after.delay_ms >= 1.5 * before.delay_ms && after.delay_ms >= before.delay_ms + 1) {
    parts.push_back(
        fmt::format("takes {} ms instead of {} ms", number(after.delay_ms), number(before.delay_ms)));
  }
  return parts.empty() ? "" : fmt::format("{} {}", flow.flow, base::list_words(parts));
}

std::string harm_to(const Page& page, const LinkLoad& load) {
  const std::string name = fmt::format("{} {} {}", load.from, page.glyph("→", "->"), load.to);
  if (load.dropped_mbit >= 0.05) {
    return fmt::format("{} ({} Mbit/s) is full and drops {} Mbit/s", name,
                       base::short_number(load.capacity_mbit), base::short_number(load.dropped_mbit, 1));
  }
  if (load.flooded_mbit >= 0.05) {
    return fmt::format("{} ({} Mbit/s) carries {} Mbit/s that nobody there wants", name,
                       base::short_number(load.capacity_mbit), base::short_number(load.flooded_mbit, 1));
  }
  return "";
}

// The worst flow and the worst link of a finding, in a sentence; empty when it harms none.
std::string harm(const Page& page, const Finding& finding) {
  std::vector<std::string> parts;
  if (!finding.flows.empty()) parts.push_back(harm_to(finding.flows.front()));
  const auto link = std::ranges::max_element(finding.links, {}, [](const LinkLoad& load) {
    return std::pair(load.dropped_mbit, load.flooded_mbit / std::max(load.capacity_mbit, 1e-3));
  });
  if (link != finding.links.end()) parts.push_back(harm_to(page, *link));
  std::erase(parts, "");
  return fmt::format("{}", fmt::join(parts, "; "));
}

// What the Mbit/s of a remedy are.
std::string_view unit_of(const Finding& finding) {
  return finding.code == findings::Code::kLoop ? "load" : "flood";
}

// "flood 20.9 → 0 Mbit/s, loss 23.4 → 0 %"
std::string effect(const Page& page, const Finding& finding, const RemedyOutcome& remedy) {
  const std::string_view arrow = page.glyph("→", "->");
  std::vector<std::string> parts;
  if (remedy.before_mbit > 0 || remedy.after_mbit > 0) {
    parts.push_back(fmt::format("{} {} {} {} Mbit/s", unit_of(finding),
                                base::short_number(remedy.before_mbit, 1), arrow,
                                base::short_number(remedy.after_mbit, 1)));
  }
  if (remedy.before_loss_percent > 0 || remedy.after_loss_percent > 0) {
    parts.push_back(fmt::format("loss {} {} {} %", base::short_number(remedy.before_loss_percent, 1), arrow,
                                base::short_number(remedy.after_loss_percent, 1)));
  }
  return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", "));
}

std::string what_ends_it(const Page& page, const Finding& finding) {
  if (finding.remedies.empty()) return "";
  const RemedyOutcome* best = best_remedy(finding);
  if (best == nullptr)
    return fmt::format("none of the {} tried", number_of(finding.remedies.size(), "remedy"));
  std::vector<std::string> others;
  for (const RemedyOutcome& remedy : finding.remedies) {
    const bool free = remedy.ends_fault && remedy.side_effects.empty();
    if (free && &remedy != best) others.push_back(remedy.word);
  }
  std::string text = fmt::format("{}: {}{}", best->word, best->description, effect(page, finding, *best));
  if (!best->side_effects.empty()) text += "; but: " + best->side_effects.front();
  if (!others.empty()) text += "; also " + base::list_words(others, 3);
  return text;
}

std::string undecided(const Finding& finding) {
  std::string text = "undecided";
  if (finding.candidates.size() > 1) text += fmt::format(" between {} causes", finding.candidates.size());
  if (!finding.to_decide.empty()) text += ". " + finding.to_decide;
  return text;
}

// "error flood-leak: sw1 floods 20.9 Mbit/s to 3 ports"
std::string one_line(const Finding& finding) {
  return fmt::format("{} {}: {}", findings::to_text(finding.severity), word_of(finding),
                     headline_of(finding));
}

// "3 known findings are accepted by known.baseline"; empty when there are none.
std::string accepted(const Report& report) {
  const std::size_t count = report::count(report).accepted;
  if (count == 0 || !report.baseline) return "";
  return fmt::format("{} {} accepted by {}", number_of(count, "known finding"), count == 1 ? "is" : "are",
                     report.baseline->file);
}

// What is not found without a run need not be gone.
std::string_view gone(const Report& report) {
  return report.simulated ? "is not found any more" : "is not found without a run";
}

void known(Page& page, const Report& report, const TextOptions& options) {
  if (const std::string text = accepted(report); !text.empty()) page.labelled(2, "known", kLabel, text);
  if (options.verbosity == Verbosity::kAll) {
    for (const Finding& finding : report.findings) {
      if (!finding.accepted) continue;
      const std::string why = finding.accepted->empty() ? "" : fmt::format(" (# {})", *finding.accepted);
      page.labelled(2, "", kLabel, one_line(finding) + why);
    }
  }
  if (!report.baseline) return;
  const auto& stale = report.baseline->stale;
  const std::size_t limit = at_most(options, kStale);
  const std::size_t shown = limit == 0 ? stale.size() : std::min(limit, stale.size());
  for (std::size_t i = 0; i < shown; ++i) {
    page.labelled(2, i == 0 ? "stale" : "", kLabel,
                  fmt::format("{}:{}: {} {} {}", report.baseline->file, stale[i].line, stale[i].code,
                              stale[i].where, gone(report)));
  }
  if (shown < stale.size()) page.labelled(2, "", kLabel, fmt::format("and {} more", stale.size() - shown));
}

void verdict(Page& page, const Report& report, const TextOptions& options) {
  verdict_line(page, report);
  if (const Finding* finding = worst(report)) {
    page.labelled(2, "worst", kLabel, headline_of(*finding), Style::kBold);
    if (const std::string text = harm(page, *finding); !text.empty()) page.labelled(2, "harm", kLabel, text);
    if (finding->certainty == Certainty::kUndecided) {
      page.labelled(2, "cause", kLabel, undecided(*finding));
    }
    if (const std::string text = what_ends_it(page, *finding); !text.empty())
      page.labelled(2, "ends it", kLabel, text);
  }
  std::string site = report.title;
  if (!report.source.empty()) site += site.empty() ? report.source : fmt::format(" ({})", report.source);
  if (report.simulated)
    site += fmt::format("{}simulated {}", site.empty() ? "" : ", ", base::to_text(*report.simulated));
  if (!site.empty()) page.labelled(2, report.kind, kLabel, site);
  known(page, report, options);
}

// ---------------------------------------------------------------- a finding

void evidence(Page& page, const Finding& finding, const TextOptions& options) {
  if (finding.evidence.empty()) return;
  page.line(2, "what shows it", Style::kDim);
  const std::size_t limit = at_most(options, kEvidence);
  const std::size_t shown = limit == 0 ? finding.evidence.size() : std::min(limit, finding.evidence.size());
  const auto first = std::span(finding.evidence).first(shown);
  const auto time_of = [](const Evidence& e) { return e.at ? base::to_text(*e.at) : ""; };
  const auto where_of = [&](const Evidence& e) {
    return shorten(printable(e.where, page.utf8()), kWhere, page.utf8());
  };
  std::size_t times = 0, wheres = 0;
  for (const Evidence& e : first) {
    times = std::max(times, columns(time_of(e)));
    wheres = std::max(wheres, columns(where_of(e)));
  }
  const std::size_t gap = times > 0 && wheres > 0 ? 2 : 0;
  for (const Evidence& e : first) {
    const std::string place = right(time_of(e), times) + std::string(gap, ' ') + left(where_of(e), wheres);
    page.labelled(4, place, times + gap + wheres, e.what);
  }
  if (shown < finding.evidence.size()) {
    page.line(4, fmt::format("and {} more", finding.evidence.size() - shown), Style::kDim);
  }
}

void remedies(Page& page, const Finding& finding) {
  if (finding.remedies.empty()) return;
  std::vector<const RemedyOutcome*> sorted;
  sorted.reserve(finding.remedies.size());
  for (const RemedyOutcome& remedy : finding.remedies) sorted.push_back(&remedy);
  std::ranges::stable_sort(sorted, [](const auto* a, const auto* b) { return serves_better(*a, *b); });
  std::vector<std::pair<double, double>> mbit, loss;
  for (const RemedyOutcome* remedy : sorted) {
    mbit.emplace_back(remedy->before_mbit, remedy->after_mbit);
    loss.emplace_back(remedy->before_loss_percent, remedy->after_loss_percent);
  }
  const auto any = [](const auto& pairs) {
    return std::ranges::any_of(pairs, [](const auto& p) { return p.first != 0 || p.second != 0; });
  };
  Table table{.headers = {"remedy, tried out", "ends it"}, .rows = {}};
  if (any(mbit)) table.headers.push_back(fmt::format("{} Mbit/s", unit_of(finding)));
  if (any(loss)) table.headers.push_back("lost %");
  const auto mbits = changes(page, mbit), losses = changes(page, loss);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const RemedyOutcome& remedy = *sorted[i];
    Table::Row row;
    row.cells = {{remedy.word, Style::kBold},
                 {remedy.ends_fault ? "yes" : "no", remedy.ends_fault ? Style::kGreen : Style::kRed}};
    if (any(mbit)) row.cells.push_back({mbits[i]});
    if (any(loss)) row.cells.push_back({losses[i]});
    if (!remedy.description.empty()) row.below.push_back({remedy.description});
    for (const std::string& effect : remedy.side_effects)
      row.below.push_back({"but: " + effect, Style::kYellow});
    table.rows.push_back(std::move(row));
  }
  page.table(2, table);
}

void cause(Page& page, const Finding& finding) {
  if (finding.certainty == Certainty::kUndecided) {
    if (!finding.cause.empty()) page.labelled(2, "known", kLabel, finding.cause);
    std::string label = "either";
    for (const std::string& candidate : finding.candidates) {
      page.labelled(2, label, kLabel, candidate);
      label = "or";
    }
    if (!finding.to_decide.empty()) page.labelled(2, "decide", kLabel, finding.to_decide);
  } else if (!finding.cause.empty()) {
    page.labelled(2, "why", kLabel, finding.cause);
  }
}

std::string_view to_text(Certainty certainty) {
  switch (certainty) {
    case Certainty::kProved:
      return "cause proved";
    case Certainty::kObserved:
      return "cause observed";
    case Certainty::kUndecided:
      return "cause undecided";
  }
  return "?";
}

std::string upper(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

void story(Page& page, const Finding& finding, std::size_t number, std::size_t count,
           const TextOptions& options) {
  const std::string_view dot = page.glyph("·", "-");
  page.rule(fmt::format("{}/{} {} {} {} {}", number, count, upper(findings::to_text(finding.severity)),
                        word_of(finding), dot, to_text(finding.certainty)),
            style_of(finding.severity));
  page.paragraph(0, headline_of(finding), Style::kBold);
  std::string where = finding.where;
  if (finding.line > 0)
    where += fmt::format("{}line {} of the site file", where.empty() ? "" : ", ", finding.line);
  if (finding.onset)
    where += fmt::format("{}since {}", where.empty() ? "" : ", ", base::to_text(*finding.onset));
  if (!where.empty()) page.labelled(2, "where", kLabel, where);
  cause(page, finding);
  evidence(page, finding, options);
  if (!finding.flows.empty()) {
    page.blank();
    page.line(2, fmt::format("who suffers: before {} while it lasts", page.glyph("→", "->")), Style::kDim);
    flow_impact_table(page, 4, finding.flows, at_most(options, kFindingFlows));
  }
  if (!finding.links.empty()) {
    page.blank();
    page.line(2, "links that it loads", Style::kDim);
    link_table(page, 4, finding.links, at_most(options, kFindingLinks));
  }
  if (!finding.remedies.empty()) page.blank();
  remedies(page, finding);
}

void stories(Page& page, const Report& report, const TextOptions& options) {
  const bool all = options.verbosity == Verbosity::kAll;
  const std::vector<const Finding*> findings = to_tell(report);
  const std::size_t count = findings.size();
  const std::size_t told = all ? count : std::min(count, kStories);
  const std::size_t listed = std::min(count, told + kLines);
  for (std::size_t i = 0; i < told; ++i) {
    page.blank();
    story(page, *findings[i], i + 1, count, options);
  }
  if (told == count) return;
  page.blank();
  page.rule(fmt::format("{} more findings", count - told), Style::kBold);
  for (std::size_t i = told; i < listed; ++i) {
    page.line(0, one_line(*findings[i]), style_of(findings[i]->severity));
  }
  std::map<std::string, std::size_t, std::less<>> rest;
  for (std::size_t i = listed; i < count; ++i) rest[std::string(word_of(*findings[i]))] += 1;
  std::vector<std::string> words;
  words.reserve(rest.size());
  for (const auto& [word, times] : rest) words.push_back(fmt::format("{} {}", times, word));
  const std::string cut = words.empty() ? "" : fmt::format("and {}; ", base::list_words(words, words.size()));
  page.paragraph(0, fmt::format("{}--verbose tells all of them in full", cut), Style::kDim);
}

std::string quiet(const Report& report, const TextOptions& options) {
  constexpr std::size_t kUnbounded = 1'000'000;
  Page page(options.width == 0 ? kUnbounded : std::max<std::size_t>(options.width, 20), options.colour,
            options.utf8);
  verdict_line(page, report);
  for (const Finding* finding : to_tell(report))
    page.line(0, one_line(*finding), style_of(finding->severity));
  if (const std::string text = accepted(report); !text.empty()) page.line(0, text);
  if (report.baseline && !report.baseline->stale.empty()) {
    page.line(0, fmt::format("{} of {}: what is accepted there {}",
                             number_of(report.baseline->stale.size(), "line"), report.baseline->file,
                             gone(report)));
  }
  return page.take();
}

}  // namespace

std::string text(const Report& report, const TextOptions& options) {
  if (options.verbosity == Verbosity::kQuiet) return quiet(report, options);
  Page page(page_width(options.width), options.colour, options.utf8);
  verdict(page, report, options);
  stories(page, report, options);
  if (!report.links.empty()) {
    page.blank();
    page.rule("all links, most loaded first", Style::kBold);
    const auto sorted = by_load(report.links);
    link_table(page, 0, sorted, at_most(options, kSiteLinks));
  }
  if (!report.remarks.empty() || report.fingerprint) page.blank();
  for (const std::string& remark : report.remarks) page.paragraph(0, "note: " + remark, Style::kDim);
  if (report.fingerprint) page.line(0, fmt::format("fingerprint {:016x}", *report.fingerprint), Style::kDim);
  return page.take();
}

}  // namespace sekimori::report
