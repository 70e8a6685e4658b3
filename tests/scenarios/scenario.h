// Sites as text, played and explained: what the scenario tests share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "check/rules.h"
#include "importers/site.h"
#include "simulate/findings.h"
#include "simulate/run.h"

namespace sekimori::scenarios {

inline model::Model site(std::string_view yaml) {
  auto model = importers::parse_site(std::string("sekimori: 1\n") + std::string(yaml), "test");
  if (!model) ADD_FAILURE() << model.error().text();
  return model ? *model : model::Model{};
}

inline model::Model story(const std::string& name) {
  auto model = importers::load_site("examples/" + name + "/site.yaml");
  if (!model) ADD_FAILURE() << model.error().text();
  return model ? *model : model::Model{};
}

// The site with another text in one place.
inline std::string with(std::string_view site, std::string_view from, std::string_view to) {
  std::string text(site);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

inline simulate::RunResult play(const model::Model& model, base::Time until,
                                base::Duration window = base::seconds(1)) {
  simulate::Options options;
  options.until = until;
  options.window = window;
  auto result = simulate::run(model, options);
  EXPECT_TRUE(result) << result.error().what;
  return *result;
}

inline findings::Report diagnose(const model::Model& model, std::optional<base::Time> until = std::nullopt) {
  const simulate::Options options = simulate::diagnosing_options(model, until);
  findings::Report report;
  report.findings = check::structural(model);
  const auto result = simulate::run(model, options);
  EXPECT_TRUE(result);
  simulate::explain(model, options, *result, report);
  return report;
}

inline const findings::Finding* find(const findings::Report& report, findings::Code code) {
  for (const auto& f : report.findings) {
    if (f.code == code) return &f;
  }
  return nullptr;
}

// The words of all findings above note level, in the report's order.
inline std::string codes(const findings::Report& report) {
  std::string words;
  for (const auto& f : report.findings) {
    if (f.severity == findings::Severity::kNote) continue;
    if (!words.empty()) words += ' ';
    words += findings::entry(f.code).word;
  }
  return words;
}

// Counters of the lane that leaves the named port ("sw1:24") at the end of the run, or of one window.
inline const simulate::LaneCounters& lane_from(const model::Model& model,
                                               const std::vector<simulate::LaneCounters>& lanes,
                                               std::string_view port) {
  for (std::size_t l = 0; l < model.links.size(); ++l) {
    if (name_of(model, model.links[l].a) == port) return lanes[simulate::lane_index(model::LinkId(l), true)];
    if (name_of(model, model.links[l].b) == port) return lanes[simulate::lane_index(model::LinkId(l), false)];
  }
  ADD_FAILURE() << "no port " << port;
  return lanes.front();
}

// Flooded Mbit/s out of the port between two ends of windows.
inline double flooded_mbit(const model::Model& model, const simulate::RunResult& run, std::string_view port,
                           int from_s, int to_s) {
  const auto at = [&](int second) {
    return lane_from(model, run.windows[second - 1].lanes, port).flooded_bytes;
  };
  return static_cast<double>(at(to_s) - (from_s > 0 ? at(from_s) : 0)) * 8e-6 / (to_s - from_s);
}

}  // namespace sekimori::scenarios
