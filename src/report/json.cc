#include "report/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

#include "report/verdict.h"

namespace sekimori::report {

using findings::BaselineUse;
using findings::Certainty;
using findings::Evidence;
using findings::Finding;
using findings::FlowImpact;
using findings::FlowQuality;
using findings::LinkLoad;
using findings::RemedyOutcome;
using findings::Report;
using nlohmann::ordered_json;

namespace {

std::string_view to_text(Certainty certainty) {
  switch (certainty) {
    case Certainty::kProved:
      return "proved";
    case Certainty::kObserved:
      return "observed";
    case Certainty::kUndecided:
      return "undecided";
  }
  return "?";
}

ordered_json optional_time(const std::optional<base::Time>& time) {
  return time ? json_seconds(*time) : ordered_json(nullptr);
}

template <class T, class F>
ordered_json array_of(const std::vector<T>& items, F&& convert) {
  ordered_json array = ordered_json::array();
  for (const T& item : items) array.push_back(convert(item));
  return array;
}

ordered_json to_json(const Evidence& evidence) {
  return {{"at_s", optional_time(evidence.at)},
          {"where", evidence.where},
          {"what", evidence.what},
          {"frame", evidence.frame > 0 ? ordered_json(evidence.frame) : ordered_json(nullptr)}};
}

ordered_json to_json(const FlowImpact& flow) {
  return {
      {"flow", flow.flow}, {"before", report::to_json(flow.before)}, {"after", report::to_json(flow.after)}};
}

ordered_json to_json(const RemedyOutcome& remedy) {
  return {
      {"remedy", remedy.word},
      {"description", remedy.description},
      {"ends_fault", remedy.ends_fault},
      {"before_mbit", json_number(remedy.before_mbit)},
      {"after_mbit", json_number(remedy.after_mbit)},
      {"before_loss_percent", json_number(remedy.before_loss_percent)},
      {"after_loss_percent", json_number(remedy.after_loss_percent)},
      {"side_effects", remedy.side_effects},
  };
}

ordered_json to_json(const BaselineUse& baseline) {
  return {{"file", baseline.file}, {"stale", array_of(baseline.stale, [](const BaselineUse::Stale& s) {
                                      return ordered_json{
                                          {"line", s.line}, {"code", s.code}, {"where", s.where}};
                                    })}};
}

ordered_json links_of(const std::vector<LinkLoad>& links) {
  return array_of(links, [](const LinkLoad& load) { return report::to_json(load); });
}

ordered_json flows_of(const std::vector<FlowImpact>& flows) {
  return array_of(flows, [](const FlowImpact& flow) { return to_json(flow); });
}

}  // namespace

ordered_json to_json(const Finding& finding) {
  return {
      {"code", findings::entry(finding.code).word},
      {"severity", findings::to_text(finding.severity)},
      {"certainty", to_text(finding.certainty)},
      {"where", finding.where},
      {"fingerprint", finding.fingerprint != 0 ? ordered_json(json_fingerprint(finding.fingerprint))
                                               : ordered_json(nullptr)},
      {"accepted", finding.accepted.has_value()},
      {"line", finding.line > 0 ? ordered_json(finding.line) : ordered_json(nullptr)},
      {"headline", finding.headline},
      {"cause", finding.cause},
      {"candidates", finding.candidates},
      {"to_decide", finding.to_decide},
      {"onset_s", optional_time(finding.onset)},
      {"evidence", array_of(finding.evidence, [](const Evidence& e) { return to_json(e); })},
      {"flows", flows_of(finding.flows)},
      {"links", links_of(finding.links)},
      {"remedies", array_of(finding.remedies, [](const RemedyOutcome& r) { return to_json(r); })},
  };
}

ordered_json json_number(double value, int decimals) {
  if (!std::isfinite(value)) return nullptr;
  const double scale = std::pow(10.0, decimals);
  const double rounded = std::round(value * scale) / scale;
  if (rounded == 0) return 0;  // not -0.0
  // Whole numbers as integers, so that 20 is not printed as 20.0.
  if (rounded == std::trunc(rounded) && std::abs(rounded) < 1e15) return static_cast<std::int64_t>(rounded);
  return rounded;
}

ordered_json json_seconds(base::Duration time) { return json_number(base::to_seconds(time), 6); }

std::string json_fingerprint(std::uint64_t value) { return fmt::format("{:016x}", value); }

ordered_json to_json(const LinkLoad& load) {
  return {
      {"from", load.from},
      {"to", load.to},
      {"capacity_mbit", json_number(load.capacity_mbit)},
      {"wanted_mbit", json_number(load.wanted_mbit)},
      {"flooded_mbit", json_number(load.flooded_mbit)},
      {"dropped_mbit", json_number(load.dropped_mbit)},
  };
}

ordered_json to_json(const FlowQuality& quality) {
  return {
      {"offered_mbit", json_number(quality.offered_mbit)},
      {"goodput_mbit", json_number(quality.goodput_mbit)},
      {"loss_percent", json_number(quality.loss_percent)},
      {"delay_ms", json_number(quality.delay_ms)},
  };
}

ordered_json to_json(const Report& report) {
  const Counts counts = count(report);
  return {
      {"sekimori_report", kJsonVersion},
      {"verdict", report::to_text(verdict_of(report))},
      {"interrupted", report.interrupted},
      {"incomplete", report.incomplete},
      {"counts",
       {{"error", counts.errors},
        {"warning", counts.warnings},
        {"note", counts.notes},
        {"accepted", counts.accepted}}},
      {"title", report.title},
      {"source", report.source},
      {"kind", report.kind},
      {"simulated_s", optional_time(report.simulated)},
      {"fingerprint",
       report.fingerprint ? ordered_json(json_fingerprint(*report.fingerprint)) : ordered_json(nullptr)},
      {"baseline", report.baseline ? to_json(*report.baseline) : ordered_json(nullptr)},
      {"findings",
       array_of(report.findings, [](const Finding& finding) { return report::to_json(finding); })},
      {"links", links_of(report.links)},
      {"flows", flows_of(report.flows)},
      {"remarks", report.remarks},
  };
}

std::string dump(const ordered_json& value) {
  return value.dump(2, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

std::string dump_line(const ordered_json& value) {
  return value.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n";
}

std::string json(const Report& report) { return dump(to_json(report)); }

}  // namespace sekimori::report
