#include "report/sarif.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

#include "report/test_support.h"

namespace sekimori::report {
namespace {

using nlohmann::ordered_json;

ordered_json run_of(const findings::Report& report) {
  return ordered_json::parse(sarif(report, "1.2.3"))["runs"][0];
}

// What the schema of SARIF 2.1.0 requires of the objects that are written, and of these only members that it
// knows. `path` is for the message.
void expect_members(const ordered_json& value, const std::string& path, const std::set<std::string>& required,
                    const std::set<std::string>& optional) {
  ASSERT_TRUE(value.is_object()) << path;
  for (const std::string& key : required) EXPECT_TRUE(value.contains(key)) << path << " lacks " << key;
  for (const auto& [key, item] : value.items()) {
    EXPECT_TRUE(required.contains(key) || optional.contains(key)) << path << "." << key;
    EXPECT_FALSE(item.is_null()) << path << "." << key;
  }
}

void expect_message(const ordered_json& value, const std::string& path) {
  expect_members(value, path, {"text"}, {});
  EXPECT_TRUE(value["text"].is_string() && !value["text"].empty()) << path;
}

void expect_level(const ordered_json& level) {
  EXPECT_TRUE(level == "note" || level == "warning" || level == "error") << level;
}

void expect_uri(const std::string& uri) {
  for (const char c : uri) {
    EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-._~/%:").contains(c))
        << uri;
  }
}

void expect_driver(const ordered_json& driver) {
  expect_members(driver, "driver", {"name"}, {"version", "rules"});
  ASSERT_EQ(driver["rules"].size(), findings::catalogue().size());
  for (const ordered_json& rule : driver["rules"]) {
    expect_members(rule, "rule", {"id"}, {"shortDescription", "help", "defaultConfiguration"});
    expect_message(rule["shortDescription"], "shortDescription");
    expect_message(rule["help"], "help");
    expect_level(rule["defaultConfiguration"]["level"]);
  }
}

void expect_location(const ordered_json& location) {
  expect_members(location, "location", {}, {"physicalLocation", "logicalLocations"});
  if (location.contains("physicalLocation")) {
    const ordered_json& physical = location["physicalLocation"];
    expect_members(physical, "physicalLocation", {"artifactLocation"}, {"region"});
    expect_members(physical["artifactLocation"], "artifactLocation", {"uri"}, {});
    expect_uri(physical["artifactLocation"]["uri"]);
    if (physical.contains("region")) {
      expect_members(physical["region"], "region", {"startLine"}, {});
      EXPECT_GE(physical["region"]["startLine"], 1);
    }
  }
  std::set<std::string> seen;
  for (const ordered_json& logical : location.value("logicalLocations", ordered_json::array())) {
    expect_members(logical, "logicalLocation", {"fullyQualifiedName"}, {"kind"});
    EXPECT_TRUE(seen.insert(logical.dump()).second) << "the schema wants them unique: " << logical;
  }
}

void expect_result(const ordered_json& result, const ordered_json& driver) {
  expect_members(
      result, "result", {"message"},
      {"ruleId", "ruleIndex", "level", "locations", "partialFingerprints", "baselineState", "suppressions"});
  expect_message(result["message"], "message");
  expect_level(result["level"]);
  EXPECT_EQ(driver["rules"].at(result["ruleIndex"].get<std::size_t>())["id"], result["ruleId"]);
  for (const ordered_json& location : result["locations"]) expect_location(location);
  for (const ordered_json& value : result.value("partialFingerprints", ordered_json::object()))
    EXPECT_TRUE(value.is_string()) << value;
  for (const ordered_json& suppression : result.value("suppressions", ordered_json::array())) {
    expect_members(suppression, "suppression", {"kind"}, {"status", "justification", "location"});
    EXPECT_EQ(suppression["kind"], "external");
    expect_location(suppression["location"]);
  }
}

TEST(Sarif, HasWhatTheSchemaRequires) {
  for (const findings::Report& report :
       {test::clean(), test::figure(), test::figure_with_baseline(), test::undecided(), test::many(50),
        test::hostile(), findings::Report{}}) {
    const ordered_json log = ordered_json::parse(sarif(report, "1.2.3"));
    expect_members(log, "log", {"version", "runs"}, {"$schema"});
    EXPECT_EQ(log["version"], "2.1.0");
    ASSERT_EQ(log["runs"].size(), 1u);
    const ordered_json& run = log["runs"][0];
    expect_members(run, "run", {"tool"}, {"invocations", "results"});
    expect_members(run["tool"], "tool", {"driver"}, {});
    expect_driver(run["tool"]["driver"]);
    ASSERT_EQ(run["results"].size(), report.findings.size());
    for (const ordered_json& result : run["results"]) expect_result(result, run["tool"]["driver"]);
    const ordered_json& invocation = run["invocations"].at(0);
    expect_members(invocation, "invocation", {"executionSuccessful"},
                   {"toolExecutionNotifications", "toolConfigurationNotifications"});
    for (const char* kind : {"toolExecutionNotifications", "toolConfigurationNotifications"}) {
      for (const ordered_json& notification : invocation[kind]) {
        expect_members(notification, kind, {"message"}, {"level"});
        expect_message(notification["message"], kind);
      }
    }
  }
}

TEST(Sarif, SaysWhatTheReportSays) {
  const ordered_json run = run_of(test::figure_with_baseline());
  EXPECT_EQ(run["tool"]["driver"]["version"], "1.2.3");
  const ordered_json& leak = run["results"][0];
  EXPECT_EQ(leak["ruleId"], "flood-leak");
  EXPECT_EQ(leak["level"], "error");
  EXPECT_TRUE(leak["message"]["text"].get<std::string>().starts_with("server sends what it has"));
  const ordered_json& place = leak["locations"][0];
  EXPECT_EQ(place["physicalLocation"]["artifactLocation"]["uri"], "examples/figure/site.yaml");
  EXPECT_EQ(place["physicalLocation"]["region"]["startLine"], 7);
  EXPECT_EQ(place["logicalLocations"][0]["fullyQualifiedName"], "server/vmnet0");
  EXPECT_EQ(place["logicalLocations"][1]["fullyQualifiedName"], "ether:osaka -> sw2:24");
  EXPECT_EQ(leak["partialFingerprints"]["sekimoriFinding/v1"], "1111111111111111");
  EXPECT_EQ(leak["partialFingerprints"]["primaryLocationLineHash"], "1111111111111111:1");
  EXPECT_EQ(leak["baselineState"], "new");
  EXPECT_EQ(leak["suppressions"], ordered_json::array());
  const ordered_json& wan = run["results"][1];
  EXPECT_FALSE(wan["locations"][0]["physicalLocation"].contains("region")) << "the line is not known";
  EXPECT_EQ(wan["baselineState"], "unchanged");
  EXPECT_EQ(wan["suppressions"][0]["status"], "accepted");
  EXPECT_EQ(wan["suppressions"][0]["justification"], "the WAN stays as it is, NET-12");
  EXPECT_EQ(run["invocations"][0]["executionSuccessful"], true);
  EXPECT_EQ(run["invocations"][0]["toolConfigurationNotifications"][0]["message"]["text"],
            "known.baseline:4: loop sw1, sw2 and sw3 was not found.");
}

TEST(Sarif, WithoutABaselineNothingIsSaidOfIt) {
  const ordered_json run = run_of(test::figure());
  EXPECT_FALSE(run["results"][0].contains("baselineState"));
  EXPECT_FALSE(run["results"][0].contains("suppressions"));
}

TEST(Sarif, AnInterruptedRunIsNoSuccess) {
  findings::Report report = test::clean();
  report.interrupted = true;
  EXPECT_EQ(run_of(report)["invocations"][0]["executionSuccessful"], false);
}

std::string uri_of(const std::string& source) {
  findings::Report report = test::figure();
  report.source = source;
  return run_of(report)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
}

TEST(Sarif, PathsBecomeUris) {
  EXPECT_EQ(uri_of("./a//b/../site.yaml"), "a/site.yaml");
  EXPECT_EQ(uri_of("../site.yaml"), "../site.yaml");
  EXPECT_EQ(uri_of("/tmp/a b/%#?.yaml"), "file:///tmp/a%20b/%25%23%3F.yaml");
  EXPECT_EQ(uri_of("http://x"), "http%3A/x") << "a path is no address";
  EXPECT_EQ(uri_of("\xff\x1b"), "%FF%1B");
  EXPECT_EQ(uri_of("関.yaml"), "%E9%96%A2.yaml");
}

TEST(Sarif, StandardInputHasNoPlace) {
  findings::Report report = test::figure();
  report.source = "-";
  const ordered_json run = run_of(report);
  EXPECT_FALSE(run["results"][0]["locations"][0].contains("physicalLocation"));
  EXPECT_TRUE(run["results"][0]["locations"][0].contains("logicalLocations"));
}

TEST(Sarif, NamesAreNoMarkup) {
  findings::Report report;
  report.findings.resize(1);
  report.findings[0].headline = "[here](http://evil) {0} \x1b[2J\xff \u202e";
  EXPECT_EQ(run_of(report)["results"][0]["message"]["text"],
            "[here] (http://evil) {{0}} \\x1b[2J\\xff \\u{{202e}}.");
}

TEST(Sarif, IsAsciiWhateverTheNames) {
  const std::string text = sarif(test::hostile(), "1.2.3");
  for (const char c : text) ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << int{c};
  EXPECT_TRUE(text.ends_with("}\n"));
}

}  // namespace
}  // namespace sekimori::report
