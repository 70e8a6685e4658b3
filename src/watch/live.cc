#include "watch/live.h"

#include <algorithm>
#include <utility>

namespace sekimori::watch {
namespace {

std::uint64_t first_frame(const findings::Finding& f) {
  return f.evidence.empty() ? 0 : f.evidence.front().frame;
}

// How surely two findings of different detections are one, most surely first.
using Alike = bool (*)(const findings::Finding& a, const findings::Finding& b);
constexpr Alike kAlike[] = {
    [](const findings::Finding& a, const findings::Finding& b) {
      return a.code == b.code && a.where == b.where && first_frame(a) != 0 &&
             first_frame(a) == first_frame(b);
    },
    [](const findings::Finding& a, const findings::Finding& b) {
      return a.where == b.where && first_frame(a) != 0 && first_frame(a) == first_frame(b);
    },
    [](const findings::Finding& a, const findings::Finding& b) {
      return a.code == b.code && a.where == b.where;
    },
};

bool changed(const findings::Finding& a, const findings::Finding& b) {
  return a.code != b.code || a.severity != b.severity || a.certainty != b.certainty ||
         a.candidates.size() != b.candidates.size();
}

}  // namespace

std::optional<Detections::Detected> Detections::poll(const Observer& observer, Clock::time_point now) {
  if (running_.valid()) {
    if (running_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
    Done done = running_.get();
    next_ = now + std::max<Clock::duration>(kLeastPause, kPauseFactor * (copied_ + done.took));
    return std::move(done.detected);
  }
  if (now < next_) return std::nullopt;
  const auto start = Clock::now();
  running_ = std::async(std::launch::async, [detect = detect_, seen = observer.so_far()] {
    const auto begin = Clock::now();
    Done done{detect(seen), {}};
    done.took = Clock::now() - begin;
    return done;
  });
  copied_ = Clock::now() - start;
  return std::nullopt;
}

std::vector<FindingLog::Event> FindingLog::update(const std::vector<findings::Finding>& now) {
  std::vector<std::uint64_t> ids(now.size(), 0);
  std::vector<bool> met(present_.size(), false);
  std::vector<Event> events;
  for (const Alike alike : kAlike) {
    for (std::size_t i = 0; i < now.size(); ++i) {
      for (std::size_t j = 0; j < present_.size() && ids[i] == 0; ++j) {
        if (met[j] || !alike(present_[j].finding, now[i])) continue;
        met[j] = true;
        ids[i] = present_[j].id;
        if (changed(present_[j].finding, now[i])) events.push_back({Change::kChanged, ids[i], now[i]});
      }
    }
  }
  for (std::size_t j = 0; j < present_.size(); ++j) {
    if (!met[j]) events.push_back({Change::kGone, present_[j].id, std::move(present_[j].finding)});
  }
  present_.clear();
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (ids[i] == 0) {
      ids[i] = ++last_id_;
      events.push_back({Change::kNew, ids[i], now[i]});
    }
    present_.push_back({ids[i], now[i]});
  }
  return events;
}

std::string_view to_text(FindingLog::Change change) {
  switch (change) {
    case FindingLog::Change::kNew:
      return "new";
    case FindingLog::Change::kChanged:
      return "changed";
    case FindingLog::Change::kGone:
      return "gone";
  }
  return "?";
}

}  // namespace sekimori::watch
