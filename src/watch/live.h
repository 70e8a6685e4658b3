// Diagnosing while frames go on coming: detections now and then, and what became of each finding since the
// last.
//
// A detection works on a copy of the observations, in a thread of its own, so that reading waits only for the
// copy. Its cost grows with what was seen, so the pause after it does, too: copy and detection together take
// a few percent of the time at most.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "findings/finding.h"
#include "watch/observer.h"
#include "watch/probe.h"

namespace sekimori::watch {

class Detections {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kLeastPause = std::chrono::milliseconds(500);
  static constexpr int kPauseFactor = 40;  // of what copy and detection took: 2.5 % of the time

  struct Detected {
    findings::Report report;
    std::vector<ProbeTarget> floods;  // that may be asked about
  };
  using Detect = std::function<Detected(const Observations&)>;
  explicit Detections(Detect detect) : detect_(std::move(detect)) {}

  // Begins a detection when it is time, and returns what one that is done has found.
  std::optional<Detected> poll(const Observer& observer, Clock::time_point now);

 private:
  struct Done {
    Detected detected;
    Clock::duration took{};
  };
  Detect detect_;
  std::future<Done> running_;
  Clock::time_point next_{};  // the first at once
  Clock::duration copied_{};
};

// Follows findings from detection to detection. Their numbers grow and their causes become clearer, and yet
// they are the same; what stays is the first frame that shows them, or else their code and place.
class FindingLog {
 public:
  enum class Change : std::uint8_t { kNew, kChanged, kGone };
  struct Event {
    Change change = Change::kNew;
    std::uint64_t id = 0;  // the same for all events of a finding, from 1
    findings::Finding finding;
  };

  // `now` are all findings of the latest detection. A change is one of code, severity, certainty, place or of
  // the causes that remain; growing numbers are none.
  std::vector<Event> update(const std::vector<findings::Finding>& now);

  struct Entry {
    std::uint64_t id = 0;
    findings::Finding finding;
  };
  // Those of the latest detection, in its order.
  const std::vector<Entry>& present() const { return present_; }

 private:
  std::vector<Entry> present_;
  std::uint64_t last_id_ = 0;
};

std::string_view to_text(FindingLog::Change change);  // "new", "changed", "gone"

}  // namespace sekimori::watch
