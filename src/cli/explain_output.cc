// How explanations look: a page of text, and JSON (docs/json-report.md, "An explanation").
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/explain.h"
#include "report/json.h"
#include "report/page.h"

namespace sekimori::cli {
namespace {

using load::EntryState;
using load::Explanation;
using load::Passing;
using load::Stop;
using load::Way;
using nlohmann::ordered_json;
using report::Page;
using report::Style;

constexpr std::size_t kLabel = 5;       // "entry"
constexpr std::size_t kMostIndent = 4;  // levels of bridges off the way that are set off
constexpr std::size_t kHeard = 12;      // streams of the station, told with --at
constexpr std::size_t kStreams = 3;     // of a way, named

// ---------------------------------------------------------------- text

Style style_of(const Stop& stop) {
  using enum load::Action;
  switch (stop.doing.action) {
    case kFloods:
    case kDrops:
      return Style::kRed;
    case kForwardsOrFloods:
    case kFiltersOrFloods:
    case kForwardsOrDrops:
      return Style::kYellow;
    default:
      return Style::kPlain;
  }
}

std::string kind_of(const Stop& stop) {
  std::string text = stop.kind == "hosted-bridge"  ? "hosted bridge"
                     : stop.kind == "linux-bridge" ? "Linux bridge"
                     : stop.kind == "e-lan"        ? "E-LAN"
                                                   : stop.kind;
  if (stop.vlan > 1) text += fmt::format(", VLAN {}", stop.vlan);
  return text;
}

std::string joined(const std::vector<std::string>& sentences) {
  return fmt::format("{}", fmt::join(sentences, " "));
}

std::string_view comes_text(load::Comes comes) {
  switch (comes) {
    case load::Comes::kOnWay:
      return "comes by";
    case load::Comes::kAside:
      return "comes by, as a copy that others flood";
    case load::Comes::kPerhaps:
      return "may come by, as a copy that others flood";
    case load::Comes::kNot:
      return "does not come by";
    case load::Comes::kUnsent:
      return "is never sent: what it answers never arrives";
    case load::Comes::kNotProved:
      return "goes to an address that several have";
  }
  return "";
}

// The station's streams, as the bridge hears them.
void passings(Page& page, std::size_t indent, const Stop& stop, std::size_t most) {
  if (stop.entry.passings.empty()) return;
  page.paragraph(indent, fmt::format("what {} could hear:", stop.bridge), Style::kDim);
  for (std::size_t i = 0; i < stop.entry.passings.size(); ++i) {
    const Passing& p = stop.entry.passings[i];
    if (most > 0 && i == most) {
      page.paragraph(indent + 2, fmt::format("and {} more (--verbose tells)", stop.entry.passings.size() - i),
                     Style::kDim);
      break;
    }
    std::string text(comes_text(p.comes));
    if (p.comes == load::Comes::kNot && !p.turns_off.empty())
      text = fmt::format("turns off at {}, to {}", p.turns_off, p.turns_to);
    if (p.comes != load::Comes::kUnsent) {
      text += p.gap == base::kNever ? "; not sent for certain"
                                    : fmt::format("; sent at least {}", load::every(p.gap));
    }
    page.paragraph(indent + 2, p.what);
    page.paragraph(indent + 4, text, Style::kDim);
    page.paragraph(indent + 4, fmt::format("way: {}", p.way), Style::kDim);
  }
}

void stop_text(Page& page, const Stop& stop, std::size_t number, bool detailed, std::size_t most_heard) {
  const std::size_t indent = 2 + (detailed ? 0 : 2 * std::min<std::size_t>(stop.aside, kMostIndent));
  const std::string head = stop.aside > 0 && !detailed
                               ? fmt::format("{} {}", page.glyph("↳", "+>"), stop.bridge)
                           : number > 0 ? fmt::format("{} {}", number, stop.bridge)
                                        : stop.bridge;
  page.paragraph(indent, fmt::format("{} ({})", head, kind_of(stop)), Style::kBold);
  const std::size_t inner = indent + 2;
  if (stop.reached) {
    std::string in = fmt::format("{}from {}", stop.aside > 0 ? "a copy " : "", stop.in_from);
    if (!stop.in.ends_with("(" + stop.in_from + ")")) in += ", at " + stop.in;
    if (stop.in_tag != 0) in += fmt::format(", tagged {}", stop.in_tag);
    if (stop.bytes.most > 0) in += ": " + load::rate_text(stop.bytes);
    page.labelled(inner, "in", kLabel, in);
  }
  std::string entry = stop.entry.what;
  const bool known = !stop.as_at.empty();
  const bool aside = stop.doing.action == load::Action::kFilters && stop.aside > 0;
  if (known)
    entry += detailed || stop.as_at == stop.bridge ? ", as above" : fmt::format(", as at {}", stop.as_at);
  else if (!stop.entry.why.empty() && (!aside || detailed))
    entry += ". " + joined(stop.entry.why);
  page.labelled(inner, "entry", kLabel, entry);
  if (stop.reached) page.labelled(inner, "does", kLabel, joined(stop.doing.says), style_of(stop));
  if (stop.left_out > 0) {
    page.paragraph(inner,
                   fmt::format("{} further switch{} further on get copies (--verbose tells)", stop.left_out,
                               stop.left_out == 1 ? "" : "es"),
                   Style::kDim);
  }
  if (detailed && !known) passings(page, inner, stop, most_heard);
}

std::string heading(const Way& way) {
  if (way.from.empty()) return fmt::format("No frame for {} comes by", way.to);
  std::string text = fmt::format("From {} to {}", way.from, way.to);
  if (way.what.empty()) return text + ": a single frame";
  text += ": " + base::list_words(way.what, kStreams);
  return text;
}

void way_text(Page& page, const Way& way, bool detailed, bool conclude, std::size_t most_heard) {
  page.blank();
  page.paragraph(0, heading(way), Style::kCyan);
  std::size_t number = 0;
  for (const Stop& stop : way.stops) {
    if (stop.aside == 0) ++number;
    stop_text(page, stop, detailed ? 0 : number, detailed, most_heard);
  }
  if (way.cable) page.paragraph(2, "a plain cable; no switch sees them", Style::kDim);
  if (conclude) page.paragraph(2, way.conclusion, Style::kBold);
}

// ---------------------------------------------------------------- JSON

ordered_json range_json(load::Range bytes) {
  return {{"least", report::json_number(bytes.least * 8e-6, 6)},
          {"most", report::json_number(bytes.most * 8e-6, 6)}};
}
ordered_json share_json(double least, double most) {
  return {{"least", report::json_number(least, 6)}, {"most", report::json_number(most, 6)}};
}
ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

ordered_json passing_json(const Passing& p) {
  return {{"stream", p.what},
          {"comes_by", load::to_text(p.comes)},
          {"at_least_every_s", p.gap == base::kNever ? ordered_json(nullptr) : report::json_seconds(p.gap)},
          {"way", p.way},
          {"turns_off_at", text_or_null(p.turns_off)},
          {"turns_to", text_or_null(p.turns_to)}};
}

ordered_json stop_json(const Stop& stop, bool detailed) {
  ordered_json heard = ordered_json::array();
  for (std::size_t i = 0; detailed && i < stop.entry.passings.size(); ++i)
    heard.push_back(passing_json(stop.entry.passings[i]));
  const bool table = stop.entry.state != EntryState::kNoTable;
  return {{"bridge", stop.bridge},
          {"kind", stop.kind},
          {"vlan", stop.vlan == 0 ? ordered_json(nullptr) : ordered_json(stop.vlan)},
          {"reached", stop.reached},
          {"aside", stop.aside},
          {"in", text_or_null(stop.in)},
          {"in_tag", stop.in_tag},
          {"in_mbit", range_json(stop.bytes)},
          {"entry",
           {{"state", load::to_text(stop.entry.state)},
            {"share",
             table ? share_json(stop.entry.presence.least, stop.entry.presence.most) : ordered_json(nullptr)},
            {"cause", stop.entry.cause},
            {"what", stop.entry.what},
            {"why", stop.entry.why},
            {"heard", heard}}},
          {"action", stop.reached ? ordered_json(load::to_text(stop.doing.action)) : ordered_json(nullptr)},
          {"does", stop.doing.says},
          {"out", stop.out},
          {"copied_mbit", range_json(stop.copied)},
          {"left_out", stop.left_out}};
}

ordered_json way_json(const Way& way, bool detailed) {
  ordered_json stops = ordered_json::array();
  for (const Stop& stop : way.stops) stops.push_back(stop_json(stop, detailed));
  return {{"from", text_or_null(way.from)},
          {"to", way.to},
          {"streams", way.what},
          {"sent_mbit", range_json(way.bytes)},
          {"stops", stops},
          {"arrives",
           way.from.empty() ? ordered_json(nullptr) : share_json(way.arriving.least, way.arriving.most)},
          {"flooded_mbit", range_json(way.flooded)},
          {"flooded_links", way.flooded_links},
          {"unasked", way.unasked},
          {"conclusion", way.conclusion}};
}

}  // namespace

std::string explain_text(const Explanation& e, std::optional<base::Time> when,
                         const report::TextOptions& options) {
  if (options.verbosity == report::Verbosity::kQuiet) {
    Page page(1'000'000, options.colour, options.utf8);
    page.paragraph(0, e.conclusion);
    return page.take();
  }
  Page page(report::page_width(options.width), options.colour, options.utf8);
  std::string head = fmt::format("{} ({})", e.to, e.address);
  if (!e.place.empty()) head += fmt::format(" is at {}", e.place);
  page.paragraph(0, head, Style::kBold);
  if (when) {
    page.paragraph(0, fmt::format("The site as it is {} after its start.", base::to_text(*when)),
                   Style::kDim);
  }
  for (const std::string& remark : e.remarks) page.paragraph(0, remark, Style::kYellow);
  const bool several = e.ways.size() + e.ways_left_out > 1;
  const std::size_t most_heard = options.verbosity == report::Verbosity::kAll ? 0 : kHeard;
  for (const Way& way : e.ways) way_text(page, way, !e.at.empty(), several && e.at.empty(), most_heard);
  if (e.ways_left_out > 0) {
    page.blank();
    page.paragraph(0,
                   fmt::format("{} further sender{}: --from names one, --verbose tells all", e.ways_left_out,
                               e.ways_left_out == 1 ? "" : "s"),
                   Style::kDim);
  }
  page.blank();
  page.paragraph(0, e.conclusion, Style::kBold);
  return page.take();
}

std::string explain_json(const model::Model& model, const Explanation& e, base::Time when) {
  ordered_json ways = ordered_json::array();
  for (const Way& way : e.ways) ways.push_back(way_json(way, !e.at.empty()));
  return report::dump({{"sekimori_explanation", 1},
                       {"title", model.title},
                       {"source", model.source},
                       {"when_s", report::json_seconds(when)},
                       {"to", e.to},
                       {"address", e.address},
                       {"place", text_or_null(e.place)},
                       {"at", text_or_null(e.at)},
                       {"trouble", text_or_null(e.trouble)},
                       {"ways", ways},
                       {"ways_left_out", e.ways_left_out},
                       {"remarks", e.remarks},
                       {"conclusion", e.conclusion}});
}

}  // namespace sekimori::cli
