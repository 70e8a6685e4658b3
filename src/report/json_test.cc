#include "report/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <regex>

#include "report/test_support.h"

namespace sekimori::report {
namespace {

using nlohmann::ordered_json;

// As much of JSON Schema as docs/json-report.schema.json uses, and strict in one more way: a key that the
// schema does not know is an error, so that no field stays undocumented.
class Schema {
 public:
  explicit Schema(const std::string& path) : root_(ordered_json::parse(std::ifstream(path))) {}

  std::vector<std::string> errors(const ordered_json& value) const {
    std::vector<std::string> found;
    check(root_, value, "$", found);
    return found;
  }

 private:
  static bool is(const ordered_json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_number_integer();
    return type == "number" && value.is_number();
  }

  void check(const ordered_json& schema, const ordered_json& value, const std::string& path,
             std::vector<std::string>& found) const {
    if (schema.contains("$ref")) {
      const std::string ref = schema["$ref"];
      return check(root_.at(ordered_json::json_pointer(ref.substr(1))), value, path, found);
    }
    if (schema.contains("const") && schema["const"] != value) found.push_back(path + " is not the constant");
    if (schema.contains("enum") && std::ranges::find(schema["enum"], value) == schema["enum"].end()) {
      found.push_back(path + " is none of the words");
    }
    if (schema.contains("type")) {
      const ordered_json types =
          schema["type"].is_array() ? schema["type"] : ordered_json::array({schema["type"]});
      if (std::ranges::none_of(types, [&](const auto& type) { return is(value, type); })) {
        found.push_back(path + " has another type");
      }
    }
    if (value.is_number() && schema.contains("minimum") && value < schema["minimum"])
      found.push_back(path + " is less");
    if (value.is_string() && schema.contains("pattern") &&
        !std::regex_search(value.get<std::string>(), std::regex(schema["pattern"].get<std::string>()))) {
      found.push_back(path + " does not match");
    }
    if (value.is_object()) {
      for (const auto& key : schema.value("required", ordered_json::array())) {
        if (!value.contains(key.get<std::string>()))
          found.push_back(path + " lacks " + key.get<std::string>());
      }
      for (const auto& [key, item] : value.items()) {
        if (!schema["properties"].contains(key)) {
          found.push_back(path + "." + key + " is not in the schema");
        } else {
          check(schema["properties"][key], item, path + "." + key, found);
        }
      }
    }
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        check(schema["items"], value[i], path + "[" + std::to_string(i) + "]", found);
      }
    }
  }

  ordered_json root_;
};

TEST(Json, HoldsToItsSchema) {
  const Schema schema("docs/json-report.schema.json");
  for (const findings::Report& report :
       {test::clean(), test::figure(), test::figure_with_baseline(), test::undecided(), test::many(50),
        test::hostile(), findings::Report{}}) {
    EXPECT_EQ(schema.errors(ordered_json::parse(json(report))), std::vector<std::string>{});
  }
}

TEST(Json, TheCheckerFindsFaults) {
  const Schema schema("docs/json-report.schema.json");
  ordered_json value = to_json(test::figure());
  value["findings"][0]["severity"] = "bad";
  value["findings"][0].erase("cause");
  value["findings"][1]["remedies"] = 3;
  value["links"][0]["extra"] = 1;
  value["sekimori_report"] = 2;
  value["counts"]["error"] = -1;
  value["fingerprint"] = "zz";
  EXPECT_EQ(schema.errors(value).size(), 7u);
}

TEST(Json, NumbersAreRound) {
  const auto number = [](double v) { return json_number(v).dump(); };
  EXPECT_EQ(number(19.999999), "20");
  EXPECT_EQ(number(20.9000001), "20.9");
  EXPECT_EQ(number(0.1 + 0.2), "0.3");
  EXPECT_EQ(number(-0.00001), "0");
  EXPECT_EQ(number(1e300), "1e+300");
  EXPECT_EQ(number(std::nan("")), "null");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(json_seconds(base::milliseconds(300'013)).dump(), "300.013");
}

TEST(Json, SaysWhatTheReportSays) {
  const ordered_json value = ordered_json::parse(json(test::figure()));
  EXPECT_EQ(value.begin().key(), "sekimori_report");
  EXPECT_EQ(value["verdict"], "broken");
  EXPECT_EQ(value["counts"]["warning"], 1);
  EXPECT_EQ(value["fingerprint"], "9c4b1f0e2a7733d1");
  EXPECT_EQ(value["findings"][0]["code"], "flood-leak");
  EXPECT_EQ(value["findings"][0]["onset_s"], 300.013);
  EXPECT_EQ(value["findings"][0]["flows"][0]["after"]["goodput_mbit"], 1.2);
  EXPECT_EQ(value["findings"][0]["remedies"][1]["remedy"], "guard");
  EXPECT_EQ(value["findings"][1]["line"], nullptr);
  EXPECT_EQ(value["baseline"], nullptr);
}

TEST(Json, FlagsWhatABaselineAccepts) {
  const ordered_json value = ordered_json::parse(json(test::figure_with_baseline()));
  EXPECT_EQ(value["counts"]["error"], 1);
  EXPECT_EQ(value["counts"]["warning"], 0);
  EXPECT_EQ(value["counts"]["accepted"], 1);
  EXPECT_EQ(value["findings"][0]["accepted"], false);
  EXPECT_EQ(value["findings"][0]["fingerprint"], "1111111111111111");
  EXPECT_EQ(value["findings"][1]["accepted"], true);
  EXPECT_EQ(value["baseline"]["file"], "known.baseline");
  EXPECT_EQ(value["baseline"]["stale"][0]["line"], 4);
}

TEST(Json, IsAsciiWhateverTheNames) {
  const std::string text = json(test::hostile());
  for (const char c : text) ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << int{c};
  EXPECT_TRUE(text.ends_with("}\n"));
}

}  // namespace
}  // namespace sekimori::report
