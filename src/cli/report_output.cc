#include "cli/report_output.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "report/json.h"
#include "report/sarif.h"
#include "report/text.h"
#include "report/verdict.h"

namespace sekimori::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 26;  // half a million findings

Step<std::vector<report::BaselineEntry>> read_baseline(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    return stop(kBadInput,
                fmt::format("{}: there is no such baseline; --write-baseline={} makes it.", path, path));
  if (!fs::is_regular_file(status)) return stop(kBadInput, fmt::format("{}: is no file.", path));
  if (fs::file_size(path, error) > kMostBytes)
    return stop(kBadInput, fmt::format("{}: is too large for a baseline.", path));
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return stop(kBadInput, fmt::format("{}: can't be read: {}.", path, std::strerror(errno)));
  auto entries = report::parse_baseline(text, path);
  if (!entries) return stop(kBadInput, entries.error().what);
  return std::move(*entries);
}

Step<void> open_if_wanted(Outputs& outputs, const std::string& path, std::optional<sys::OutputFile>& file) {
  if (path.empty()) return {};
  auto opened = outputs.open(path);
  if (!opened) return std::unexpected(opened.error());
  file.emplace(std::move(*opened));
  return {};
}

}  // namespace

Step<ReportOutput> ReportOutput::prepare(const ReportArguments& arguments, const std::string& input) {
  ReportOutput out(arguments, input);
  if (!arguments.baseline.empty()) {
    auto known = read_baseline(arguments.baseline);
    if (!known) return std::unexpected(known.error());
    out.known_ = std::move(*known);
  }
  // What is there already must be a baseline: a mistyped name must not cost somebody else's file.
  if (std::error_code ignored; fs::is_regular_file(arguments.write_baseline, ignored)) {
    auto earlier = read_baseline(arguments.write_baseline);
    if (!earlier) return stop(earlier.error().exit, earlier.error().message + "\nIt is not overwritten.");
    out.earlier_ = std::move(*earlier);
  }
  out.earlier_.insert(out.earlier_.end(), out.known_.begin(), out.known_.end());

  if (auto done = open_if_wanted(out.outputs_, arguments.write_baseline, out.baseline_); !done)
    return std::unexpected(done.error());
  if (!arguments.baseline.empty()) out.outputs_.protect(arguments.baseline);
  if (auto done = open_if_wanted(out.outputs_, arguments.output.json, out.json_); !done)
    return std::unexpected(done.error());
  if (auto done = open_if_wanted(out.outputs_, arguments.sarif, out.sarif_); !done)
    return std::unexpected(done.error());
  return out;
}

Step<int> ReportOutput::tell(findings::Report& report) {
  if (!arguments_.baseline.empty()) report::apply_baseline(arguments_.baseline, known_, report);
  if (baseline_ && report.interrupted) {
    report.remarks.push_back(fmt::format(
        "Interrupted: {} is not written, it would lack what was not found yet.", arguments_.write_baseline));
    baseline_.reset();
  }
  // A person reads text; a program that asked for a file on stdout gets nothing else there.
  if (!outputs_.uses_stdout()) {
    if (auto done = print(report::text(report, text_options(arguments_.output))); !done)
      return std::unexpected(done.error());
  }
  if (auto done = write_files(report); !done) return std::unexpected(done.error());
  if (sys::interrupted()) return kInterrupted;
  if (report::fails(report, arguments_.fail_on)) return kFindings;
  return report.incomplete ? kBadInput : kClean;
}

Step<void> ReportOutput::write_files(const findings::Report& report) {
  const auto write = [](std::optional<sys::OutputFile>& file, auto make) -> Step<void> {
    return file ? finish(*file, make()) : Step<void>();
  };
  if (auto done = write(json_, [&] { return report::json(report); }); !done) return done;
  if (auto done = write(sarif_, [&] { return report::sarif(report, SEKIMORI_VERSION); }); !done) return done;
  return write(baseline_, [&] { return report::baseline_text(report, earlier_); });
}

}  // namespace sekimori::cli
