#include "cli/live_output.h"

#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/text.h"
#include "report/json.h"
#include "report/typeset.h"
#include "watch/case.h"

namespace sekimori::cli {
namespace {

using nlohmann::ordered_json;
using watch::FindingLog;

constexpr int kVersion = 1;
constexpr std::size_t kMostFindings = 10;  // in the view

ordered_json event(std::string_view what, base::Time at) {
  return {{"sekimori_live", kVersion}, {"event", what}, {"at_s", report::json_seconds(at)}};
}

std::string short_count(double value) {
  if (value >= 1e9) return base::short_number(value / 1e9, 2) + " G";
  if (value >= 1e6) return base::short_number(value / 1e6, 2) + " M";
  if (value >= 1e4) return base::short_number(value / 1e3, 1) + " k";
  return base::short_number(value, 0) + " ";
}

std::string clock_text(base::Time at) {
  const std::int64_t s = std::chrono::floor<std::chrono::seconds>(at).count();
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string seconds_text(base::Time at) {
  return base::to_text(std::chrono::floor<std::chrono::milliseconds>(at) / 100 * 100);
}

std::string in_short(const findings::Finding& f) {
  return fmt::format("{} {}: {}", findings::to_text(f.severity), findings::entry(f.code).word, f.headline);
}

}  // namespace

std::vector<std::string> live_lines(const LiveStart& start, base::Time at, const LiveStatistics& s,
                                    const FindingLog& log, std::size_t width, bool utf8) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& text) {
    lines.push_back(report::clip(report::printable(text, utf8), width, utf8));
  };
  add(fmt::format("{}  {}  {}frames/s  {} Mbit/s  {}frames  {}dropped  {}", start.interface, clock_text(at),
                  short_count(s.frames_per_second), base::short_number(s.mbit_per_second, 1),
                  short_count(static_cast<double>(s.frames)), short_count(static_cast<double>(s.dropped)),
                  s.stations == 1 ? "1 station" : fmt::format("{} stations", s.stations)));
  const auto& findings = log.present();
  if (findings.empty()) add("  nothing found so far");
  for (std::size_t i = 0; i < findings.size() && i < kMostFindings; ++i)
    add("  " + in_short(findings[i].finding));
  if (findings.size() > kMostFindings) add(fmt::format("  and {} more", findings.size() - kMostFindings));
  return lines;
}

std::string live_line(base::Time at, const FindingLog::Event& event) {
  return fmt::format("{}: {}: {}", seconds_text(at), watch::to_text(event.change), in_short(event.finding));
}

LiveOutput::LiveOutput(const OutputArguments& arguments, std::optional<sys::OutputFile> json, bool lines)
    : json_(std::move(json)),
      lines_(lines && !arguments.quiet),
      screen_(isatty(STDERR_FILENO) == 1 && !arguments.quiet),
      width_(sys::describe_terminal(STDERR_FILENO, sys::ColourChoice::kNever).width),
      utf8_(sys::locale_is_utf8(sys::process_environment)) {
  if (screen_.shown() && isatty(STDOUT_FILENO) == 1) lines_ = false;  // the view tells the same
}

Step<void> LiveOutput::put(const std::string& line) {
  if (auto done = json_->write(line); !done) return stop(kFailed, done.error().what);
  if (auto done = json_->flush(); !done) return stop(kFailed, done.error().what);
  return {};
}

Step<void> LiveOutput::start(const LiveStart& s) {
  start_ = s;
  if (!json_) return {};
  ordered_json json = event("start", {});
  json["unix_time_s"] = report::json_number(s.unix_time);
  json["interface"] = s.interface;
  json["mac"] = s.mac.is_zero() ? ordered_json(nullptr) : ordered_json(wire::to_text(s.mac));
  json["promiscuous"] = s.promiscuous;
  json["probe"] = s.probe;
  json["snap_length"] = s.snap_length;
  json["listen_s"] = s.listen ? report::json_seconds(*s.listen) : ordered_json(nullptr);
  return put(report::dump_line(json));
}

Step<void> LiveOutput::finding(base::Time at, const FindingLog::Event& e) {
  if (lines_) {
    screen_.erase();
    if (auto done = print(report::printable(live_line(at, e), utf8_) + "\n"); !done) return done;
  }
  if (!json_) return {};
  ordered_json json = event("finding", at);
  json["change"] = watch::to_text(e.change);
  json["id"] = e.id;
  json["finding"] = report::to_json(e.finding);
  return put(report::dump_line(json));
}

Step<void> LiveOutput::statistics(base::Time at, const LiveStatistics& s, std::size_t findings) {
  if (!json_) return {};
  ordered_json json = event("statistics", at);
  json["frames"] = s.frames;
  json["bytes"] = s.bytes;
  json["frames_per_s"] = report::json_number(s.frames_per_second);
  json["mbit_per_s"] = report::json_number(s.mbit_per_second);
  json["dropped"] = s.dropped;
  json["ring_full"] = s.freezes;
  json["stations"] = s.stations;
  json["findings"] = findings;
  json["saved"] = s.saved;
  return put(report::dump_line(json));
}

Step<void> LiveOutput::notice(base::Time at, const std::string& what) {
  screen_.erase();
  complain(what);
  if (!json_) return {};
  ordered_json json = event("notice", at);
  json["what"] = what;
  return put(report::dump_line(json));
}

Step<void> LiveOutput::probe(base::Time at, const ProbeNews& news) {
  screen_.erase();
  complain(news.what);
  if (!json_) return {};
  ordered_json json = event("probe", at);
  json["step"] = news.step;
  json["mac"] = wire::to_text(news.mac);
  json["ip"] = watch::to_text(news.ip);
  json["what"] = news.what;
  return put(report::dump_line(json));
}

Step<void> LiveOutput::end(base::Time at, std::string_view reason, const findings::Report& report) {
  if (!json_) return {};
  ordered_json json = event("end", at);
  json["reason"] = reason;
  json["report"] = report::to_json(report);
  if (auto done = put(report::dump_line(json)); !done) return done;
  if (auto done = json_->commit(); !done) return stop(kFailed, done.error().what);
  return {};
}

void LiveOutput::draw(base::Time at, const LiveStatistics& statistics, const FindingLog& log) {
  if (screen_.shown())
    screen_.draw(live_lines(start_, at, statistics, log, width_ > 1 ? width_ - 1 : 1, utf8_));
}

}  // namespace sekimori::cli
