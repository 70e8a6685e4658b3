// What a live diagnosis tells while it goes on: to a person a few lines redrawn in place, to a pipe a line
// for each finding as it comes, to a machine JSON lines (docs/json-report.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/live_probe.h"
#include "cli/output.h"
#include "findings/finding.h"
#include "sys/screen.h"
#include "watch/live.h"
#include "wire/mac.h"

namespace sekimori::cli {

struct LiveStart {
  std::string interface;
  wire::Mac mac{};
  bool promiscuous = false, probe = false;
  std::uint32_t snap_length = 0;
  std::optional<base::Duration> listen;
  double unix_time = 0;
};

struct LiveStatistics {
  std::uint64_t frames = 0, bytes = 0;
  double frames_per_second = 0, mbit_per_second = 0;  // since the last ones
  std::uint64_t dropped = 0, freezes = 0, saved = 0;
  std::size_t stations = 0;
};

// The lines of the view, each of at most `width` columns.
std::vector<std::string> live_lines(const LiveStart& start, base::Time at, const LiveStatistics& statistics,
                                    const watch::FindingLog& log, std::size_t width, bool utf8);
// "12.5s: new: error flood-timers: unicast for ..."
std::string live_line(base::Time at, const watch::FindingLog::Event& event);

class LiveOutput {
 public:
  // `json`: where JSON lines go; none. `lines`: whether stdout is free for lines of text.
  LiveOutput(const OutputArguments& arguments, std::optional<sys::OutputFile> json, bool lines);

  // Each may fail, when nobody reads the JSON lines any more.
  Step<void> start(const LiveStart& start);
  Step<void> finding(base::Time at, const watch::FindingLog::Event& event);
  Step<void> statistics(base::Time at, const LiveStatistics& statistics, std::size_t findings);
  // Something a user should know now: to stderr, too.
  Step<void> notice(base::Time at, const std::string& what);
  Step<void> probe(base::Time at, const ProbeNews& news);
  // `reason`: "time", "interrupt", "interface".
  Step<void> end(base::Time at, std::string_view reason, const findings::Report& report);

  void draw(base::Time at, const LiveStatistics& statistics, const watch::FindingLog& log);
  void erase() { screen_.erase(); }

 private:
  Step<void> put(const std::string& line);

  LiveStart start_;
  std::optional<sys::OutputFile> json_;
  bool lines_;
  sys::Screen screen_;
  std::size_t width_;
  bool utf8_;
};

}  // namespace sekimori::cli
