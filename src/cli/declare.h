// What the verbs understand: each declares its options to CLI11 and returns what runs it. CLI11 costs seconds
// to compile, so it is included in few files: these.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/output.h"
#include "cli/report_output.h"

namespace sekimori::cli {

using Action = std::function<int()>;

inline constexpr std::string_view kFailLevels[] = {"note", "warning", "error", "never"};
inline constexpr std::string_view kPlaces[] = {"access", "guest", "uplink", "mirror", "tap"};
std::vector<std::string> format_choices();  // of import

// ---------------------------------------------------------------- kinds of options

inline constexpr const char* kReportAsJson =
    "Report as JSON (docs/json-report.md) to stdout instead of text, or to FILE besides the text";

// A time of more than 0.
void add_duration(CLI::App& app, const std::string& name, const std::string& value,
                  const std::string& description, std::function<void(base::Duration)> set);
void add_seed(CLI::App& app, std::optional<std::uint64_t>& seed);
void add_output(CLI::App& app, OutputArguments& output, const std::string& json, const std::string& quiet);
// For verbs that judge a site.
void add_report(CLI::App& app, ReportArguments& report);

// ---------------------------------------------------------------- the verbs

Action declare_check(CLI::App& app);
Action declare_diagnose(CLI::App& app);
Action declare_simulate(CLI::App& app);
Action declare_explain(CLI::App& app);
Action declare_lab(CLI::App& app);
Action declare_import(CLI::App& app);
Action declare_completion(CLI::App& app);

// declare_mac.cc
Action declare_mac_audit(CLI::App& app);
Action declare_mac_fix(CLI::App& app);
Action declare_mac_hook_libvirt(CLI::App& app);
Action declare_mac_serve(CLI::App& app);
Action declare_mac_allocate(CLI::App& app);
Action declare_mac_reserve(CLI::App& app);
Action declare_mac_release(CLI::App& app);
Action declare_mac_renew(CLI::App& app);
Action declare_mac_lookup(CLI::App& app);
Action declare_mac_list(CLI::App& app);
Action declare_mac_pool_add(CLI::App& app);
Action declare_mac_pool_list(CLI::App& app);
Action declare_mac_pool_remove(CLI::App& app);

}  // namespace sekimori::cli
