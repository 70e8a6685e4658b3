// The report for programs: docs/json-report.md describes every field, docs/json-report.schema.json is its
// schema.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

#include "findings/finding.h"

namespace sekimori::report {

// Counts up when a field changes its meaning or goes away; new fields may come at any time.
constexpr int kJsonVersion = 1;

nlohmann::ordered_json to_json(const findings::Report& report);
nlohmann::ordered_json to_json(const findings::Finding& finding);
nlohmann::ordered_json to_json(const findings::LinkLoad& load);
nlohmann::ordered_json to_json(const findings::FlowQuality& quality);

// Two spaces of indentation, a newline at the end. ASCII only: other characters are escaped, so that it is
// safe to print whatever the names hold; bytes that are no UTF-8 become U+FFFD.
std::string dump(const nlohmann::ordered_json& value);
// The same on one line, for JSON lines.
std::string dump_line(const nlohmann::ordered_json& value);

std::string json(const findings::Report& report);

// As JSON numbers: rounded to a tenth of a permille of anything a person cares about, never 19.999999. Null
// for what is no number.
nlohmann::ordered_json json_number(double value, int decimals = 3);
nlohmann::ordered_json json_seconds(base::Duration time);

// 64 bits do not fit the numbers of most JSON readers: 16 hexadecimal digits.
std::string json_fingerprint(std::uint64_t value);

}  // namespace sekimori::report
