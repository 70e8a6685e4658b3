#include "report/loads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/typeset.h"

namespace sekimori::report {

using findings::FlowImpact;
using findings::LinkLoad;

namespace {

constexpr std::size_t kBar = 8;     // columns
constexpr double kBoundless = 1e7;  // Mbit/s: the most that a site may say, and what a tunnel has

// Wanted, then flooded, then room: "██▒▒▒···" or "==###...". A little is a thin stroke; what does not fit is
// not shown.
std::string bar(const Page& page, const LinkLoad& load) {
  if (load.capacity_mbit <= 0) return "";
  const auto cells = [&](double mbit) {
    return static_cast<std::size_t>(std::lround(std::clamp(mbit / load.capacity_mbit, 0.0, 1.0) * kBar));
  };
  const std::size_t used = cells(load.wanted_mbit + load.flooded_mbit);
  const std::size_t wanted = std::min(cells(load.wanted_mbit), used);
  if (used == 0 && load.wanted_mbit + load.flooded_mbit >= 0.005 * load.capacity_mbit) {
    return fmt::format("{}{}", page.glyph("▏", "|"), repeat(page.glyph("·", "."), kBar - 1));
  }
  return repeat(page.glyph("█", "="), wanted) + repeat(page.glyph("▒", "#"), used - wanted) +
         repeat(page.glyph("·", "."), kBar - used);
}

std::string percent(const LinkLoad& load) {
  if (load.capacity_mbit <= 0) return "";
  const double used = 100 * (load.wanted_mbit + load.flooded_mbit) / load.capacity_mbit;
  return used > 0 && used < 0.5 ? "<1%" : fmt::format("{:.0f}%", used);
}

std::string name(const Page& page, const LinkLoad& load) {
  return fmt::format("{} {} {}", load.from, page.glyph("→", "->"), load.to);
}

void rest(Page& page, std::size_t indent, std::size_t count, std::string_view what, std::string_view bound) {
  page.paragraph(indent, fmt::format("and {} more {}{}", count, what, bound), Style::kDim);
}

}  // namespace

std::string column_number(double value) {
  if (!std::isfinite(value)) return "?";
  if (value == 0) return "-";
  if (std::abs(value) < 0.05) return value > 0 ? "<0.1" : "-";
  return fmt::format("{:.{}f}", value, std::abs(value) < 10'000 ? 1 : 0);
}

std::vector<std::string> changes(const Page& page, std::span<const std::pair<double, double>> pairs) {
  std::vector<std::pair<std::string, std::string>> texts;
  std::size_t before = 0, after = 0;
  double most = 0;
  for (const auto& [a, b] : pairs) most = std::max({most, std::abs(a), std::abs(b)});
  const bool tiny = most > 0 && most < 0.1;  // a few pings: one decimal would tell nothing
  const auto number = [tiny](double v) {
    if (tiny) return fmt::format("{:.3f}", v);
    return v == 0 ? std::string("0.0") : column_number(v);
  };
  for (const auto& [a, b] : pairs) {
    texts.emplace_back(number(a), number(b));
    before = std::max(before, texts.back().first.size());
    after = std::max(after, texts.back().second.size());
  }
  std::vector<std::string> shown;
  shown.reserve(texts.size());
  for (const auto& [a, b] : texts) {
    shown.push_back(fmt::format("{:>{}} {} {:>{}}", a, before, page.glyph("→", "->"), b, after));
  }
  return shown;
}

double share(const LinkLoad& load) {
  const double asked = load.wanted_mbit + load.flooded_mbit + load.dropped_mbit;
  return load.capacity_mbit > 0 ? asked / load.capacity_mbit : asked;
}

std::vector<LinkLoad> by_load(std::span<const LinkLoad> links) {
  std::vector<LinkLoad> sorted(links.begin(), links.end());
  std::ranges::stable_sort(sorted, std::greater{}, share);
  return sorted;
}

void link_table(Page& page, std::size_t indent, std::span<const LinkLoad> links, std::size_t most) {
  if (links.empty()) return;
  const std::size_t shown = most == 0 ? links.size() : std::min(most, links.size());
  Table table{.headers = {"Mbit/s", "rate", "wanted", "flooded", "dropped", "in use", ""},
              .rows = {},
              .last_is_left = true};
  for (const LinkLoad& load : links.first(shown)) {
    const bool full = load.dropped_mbit >= 0.05;
    table.rows.push_back({.cells = {{name(page, load)},
                                    {load.capacity_mbit > 0 && load.capacity_mbit != kBoundless
                                         ? base::short_number(load.capacity_mbit)
                                         : "-"},
                                    {column_number(load.wanted_mbit)},
                                    {column_number(load.flooded_mbit),
                                     load.flooded_mbit >= 0.05 ? Style::kYellow : Style::kPlain},
                                    {column_number(load.dropped_mbit), full ? Style::kRed : Style::kPlain},
                                    {percent(load), full ? Style::kRed : Style::kPlain},
                                    {bar(page, load), full ? Style::kRed : Style::kPlain}},
                          .below = {}});
  }
  page.table(indent, table);
  if (shown == links.size()) return;
  double most_used = 0;
  for (const LinkLoad& load : links.subspan(shown)) most_used = std::max(most_used, share(load));
  rest(page, indent, links.size() - shown, "directions of links",
       most_used < 0.005 ? ", all below 1 %"
                         : fmt::format(", none above {:.0f} %", std::ceil(100 * most_used)));
}

void flow_impact_table(Page& page, std::size_t indent, std::span<const FlowImpact> flows, std::size_t most) {
  if (flows.empty()) return;
  const std::size_t shown = most == 0 ? flows.size() : std::min(most, flows.size());
  std::vector<std::pair<double, double>> goodput, loss, delay;
  for (const FlowImpact& flow : flows.first(shown)) {
    goodput.emplace_back(flow.before.goodput_mbit, flow.after.goodput_mbit);
    loss.emplace_back(flow.before.loss_percent, flow.after.loss_percent);
    delay.emplace_back(flow.before.delay_ms, flow.after.delay_ms);
  }
  const auto goodputs = changes(page, goodput), losses = changes(page, loss), delays = changes(page, delay);
  Table table{.headers = {"", "goodput Mbit/s", "lost %", "delay ms"}, .rows = {}};
  for (std::size_t i = 0; i < shown; ++i) {
    const bool slower = flows[i].after.goodput_mbit < 0.95 * flows[i].before.goodput_mbit;
    const bool loses = flows[i].after.loss_percent >= flows[i].before.loss_percent + 1;
    table.rows.push_back({.cells = {{flows[i].flow},
                                    {goodputs[i], slower ? Style::kRed : Style::kPlain},
                                    {losses[i], loses ? Style::kRed : Style::kPlain},
                                    {delays[i]}},
                          .below = {}});
  }
  page.table(indent, table);
  if (shown < flows.size()) rest(page, indent, flows.size() - shown, "flows", "");
}

void flow_table(Page& page, std::size_t indent, std::span<const FlowImpact> flows, std::size_t most) {
  if (flows.empty()) return;
  const std::size_t shown = most == 0 ? flows.size() : std::min(most, flows.size());
  Table table{.headers = {"", "offered Mbit/s", "goodput", "lost %", "delay ms"}, .rows = {}};
  for (const FlowImpact& flow : flows.first(shown)) {
    table.rows.push_back({.cells = {{flow.flow},
                                    {column_number(flow.after.offered_mbit)},
                                    {column_number(flow.after.goodput_mbit)},
                                    {column_number(flow.after.loss_percent),
                                     flow.after.loss_percent >= 1 ? Style::kRed : Style::kPlain},
                                    {column_number(flow.after.delay_ms)}},
                          .below = {}});
  }
  page.table(indent, table);
  if (shown < flows.size()) rest(page, indent, flows.size() - shown, "flows", "");
}

}  // namespace sekimori::report
