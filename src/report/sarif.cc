#include "report/sarif.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

#include "report/json.h"
#include "report/typeset.h"

namespace sekimori::report {

using findings::CatalogueEntry;
using findings::Certainty;
using findings::Finding;
using findings::Report;
using nlohmann::ordered_json;

namespace {

constexpr std::string_view kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

// Braces are placeholders in messages and stand doubled for themselves; "](" would make a link of a name.
ordered_json message(std::string_view text) {
  std::string out;
  for (const char c : printable(text, true)) {
    if (c == '(' && out.ends_with(']')) out += ' ';
    out += c;
    if (c == '{' || c == '}') out += c;
  }
  return {{"text", out}};
}

// ---------------------------------------------------------------- the rules

std::string sentence(std::string_view clause) {
  std::string text(clause);
  if (text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text + ".";
}

ordered_json rule(const CatalogueEntry& entry) {
  return {
      {"id", entry.word},
      {"shortDescription", {{"text", sentence(entry.title)}}},
      {"help",
       {{"text", fmt::format("{} Cause, symptoms, remedies and sources: docs/findings.md, section {}.",
                             sentence(entry.title), entry.word)}}},
      {"defaultConfiguration", {{"level", findings::to_text(entry.severity)}}},
  };
}

ordered_json driver(std::string_view version) {
  ordered_json rules = ordered_json::array();
  for (const CatalogueEntry& entry : findings::catalogue()) rules.push_back(rule(entry));
  return {{"name", "sekimori"}, {"version", version}, {"rules", std::move(rules)}};
}

// ---------------------------------------------------------------- a result

// A path as a URI reference (RFC 3986), relative if it is.
std::string uri_of(const std::string& path) {
  const std::string normal = std::filesystem::path(path).lexically_normal().string();
  std::string uri = normal.starts_with('/') ? "file://" : "";
  for (const char c : normal) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").contains(c);
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

// The thing at fault, and the links that it loads.
ordered_json logical_locations(const Finding& finding) {
  ordered_json list = ordered_json::array();
  const auto add = [&](const std::string& name, std::string_view kind) {
    ordered_json location = {{"fullyQualifiedName", printable(name, true)}, {"kind", kind}};
    if (std::ranges::find(list, location) == list.end()) list.push_back(std::move(location));
  };
  if (!finding.where.empty()) add(finding.where, "resource");
  for (const findings::LinkLoad& load : finding.links)
    add(fmt::format("{} -> {}", load.from, load.to), "link");
  return list;
}

ordered_json locations(const Report& report, const Finding& finding) {
  ordered_json location = ordered_json::object();
  if (!report.source.empty() && report.source != "-") {
    location["physicalLocation"]["artifactLocation"]["uri"] = uri_of(report.source);
    if (finding.line > 0) location["physicalLocation"]["region"]["startLine"] = finding.line;
  }
  if (ordered_json logical = logical_locations(finding); !logical.empty())
    location["logicalLocations"] = std::move(logical);
  return location.empty() ? ordered_json::array() : ordered_json::array({std::move(location)});
}

std::string story(const Finding& finding) {
  std::string text =
      finding.headline.empty() ? std::string(findings::entry(finding.code).title) : finding.headline;
  text += ".";
  if (!finding.cause.empty()) text += " " + finding.cause;
  if (finding.certainty != Certainty::kUndecided) return text;
  if (!finding.candidates.empty())
    text += fmt::format(" Undecided: {}.", fmt::join(finding.candidates, "; or "));
  if (!finding.to_decide.empty()) text += " " + finding.to_decide;
  return text;
}

ordered_json suppressions(const Report& report, const Finding& finding) {
  if (!finding.accepted) return ordered_json::array();  // looked at, and not suppressed
  ordered_json suppression = {{"kind", "external"}, {"status", "accepted"}};
  if (!finding.accepted->empty()) suppression["justification"] = printable(*finding.accepted, true);
  suppression["location"]["physicalLocation"]["artifactLocation"]["uri"] = uri_of(report.baseline->file);
  return ordered_json::array({std::move(suppression)});
}

ordered_json result(const Report& report, const Finding& finding) {
  const CatalogueEntry& entry = findings::entry(finding.code);
  ordered_json result = {
      {"ruleId", entry.word},
      {"ruleIndex", &entry - findings::catalogue().data()},
      {"level", findings::to_text(finding.severity)},
      {"message", message(story(finding))},
      {"locations", locations(report, finding)},
  };
  if (finding.fingerprint != 0) {
    const std::string fingerprint = json_fingerprint(finding.fingerprint);
    result["partialFingerprints"] = {{"sekimoriFinding/v1", fingerprint},
                                     {"primaryLocationLineHash", fingerprint + ":1"}};
  }
  if (report.baseline) {
    result["baselineState"] = finding.accepted ? "unchanged" : "new";
    result["suppressions"] = suppressions(report, finding);
  }
  return result;
}

// ---------------------------------------------------------------- how it went

ordered_json notification(std::string_view text) { return {{"level", "note"}, {"message", message(text)}}; }

ordered_json invocation(const Report& report) {
  ordered_json notifications = ordered_json::array();
  for (const std::string& remark : report.remarks) notifications.push_back(notification(remark));
  ordered_json configuration = ordered_json::array();
  if (report.baseline) {
    for (const findings::BaselineUse::Stale& stale : report.baseline->stale) {
      configuration.push_back(notification(fmt::format("{}:{}: {} {} was not found.", report.baseline->file,
                                                       stale.line, stale.code, stale.where)));
    }
  }
  return {{"executionSuccessful", !report.interrupted},
          {"toolExecutionNotifications", std::move(notifications)},
          {"toolConfigurationNotifications", std::move(configuration)}};
}

}  // namespace

std::string sarif(const Report& report, std::string_view version) {
  ordered_json results = ordered_json::array();
  for (const Finding& finding : report.findings) results.push_back(result(report, finding));
  ordered_json run = {{"tool", {{"driver", driver(version)}}},
                      {"invocations", ordered_json::array({invocation(report)})},
                      {"results", std::move(results)}};
  return dump({{"$schema", kSchema}, {"version", "2.1.0"}, {"runs", ordered_json::array({std::move(run)})}});
}

}  // namespace sekimori::report
