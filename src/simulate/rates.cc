#include "simulate/rates.h"

#include <algorithm>

namespace sekimori::simulate {
namespace {

double mbit_per_second(std::int64_t bytes, double seconds) {
  return seconds > 0 ? static_cast<double>(bytes) * 8e-6 / seconds : 0;
}

}  // namespace

Span Rates::between(Time from, Time to) const {
  const auto& windows = result_.windows;
  const auto begin_of = [&](std::size_t w) { return w == 0 ? Time{0} : windows[w - 1].end; };
  Span span;
  Duration best{-1};
  Span overlapping;
  bool found = false;
  for (std::size_t w = 0; w < windows.size(); ++w) {
    const Time begin = begin_of(w), end = windows[w].end;
    if (begin >= from && end <= to && end > begin) {
      if (!found) span = {w, w, begin, begin};
      found = true;
      span.last = w + 1;
      span.end = end;
    } else if (const Duration overlap = std::min(end, to) - std::max(begin, from); overlap > best) {
      best = overlap;
      overlapping = {w, w + 1, begin, end};
    }
  }
  return found ? span : best > Duration{0} ? overlapping : Span{};
}

LaneCounters Rates::lane(std::size_t index, const Span& span) const {
  if (!has_lanes()) return result_.lanes[index];
  LaneCounters c = result_.windows[span.last - 1].lanes[index];
  if (span.first > 0) {
    const LaneCounters& before = result_.windows[span.first - 1].lanes[index];
    c.frames -= before.frames, c.bytes -= before.bytes;
    c.flooded_frames -= before.flooded_frames, c.flooded_bytes -= before.flooded_bytes;
    c.dropped_frames -= before.dropped_frames, c.dropped_bytes -= before.dropped_bytes;
  }
  return c;
}

findings::LinkLoad Rates::load(model::LinkId link, bool from_a, const Span& span) const {
  const model::Link& l = model_[link];
  const LaneCounters c = lane(lane_index(link, from_a), span);
  const double seconds = has_lanes() ? span.seconds() : base::to_seconds(result_.ended);
  findings::LinkLoad load;
  load.from = name_of(model_, from_a ? l.a : l.b);
  load.to = name_of(model_, from_a ? l.b : l.a);
  load.link = link;
  load.from_is_a = from_a;
  load.capacity_mbit = base::to_mbit(l.rate);
  load.flooded_mbit = mbit_per_second(c.flooded_bytes, seconds);
  load.wanted_mbit = mbit_per_second(c.bytes - c.flooded_bytes, seconds);
  load.dropped_mbit = mbit_per_second(c.dropped_bytes, seconds);
  return load;
}

std::vector<findings::LinkLoad> Rates::loads(const Span& span, By by, std::size_t most) const {
  if (span.empty()) return {};
  // Rank by counters first: names are made for the few that are shown.
  struct Ranked {
    std::int64_t bytes;
    std::size_t lane;
  };
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < result_.lanes.size(); ++i) {
    if (result_.lanes[i].frames == 0 && result_.lanes[i].dropped_frames == 0) continue;
    const LaneCounters c = lane(i, span);
    const std::int64_t bytes = by == By::kFlooded ? c.flooded_bytes : c.bytes + c.dropped_bytes;
    if (bytes > 0) ranked.push_back({bytes, i});
  }
  std::ranges::stable_sort(ranked, std::ranges::greater{}, &Ranked::bytes);
  if (ranked.size() > most) ranked.resize(most);
  std::vector<findings::LinkLoad> loads;
  for (const Ranked& r : ranked) loads.push_back(load(model::LinkId(r.lane / 2), r.lane % 2 == 0, span));
  return loads;
}

findings::FlowQuality Rates::quality(model::FlowId flow, const Span& span) const {
  FlowCounters c = result_.windows[span.last - 1].flows[flow.index()];
  if (span.first > 0) {
    const FlowCounters& before = result_.windows[span.first - 1].flows[flow.index()];
    c.offered_bytes -= before.offered_bytes;
    c.sent_frames -= before.sent_frames;
    c.delivered_frames -= before.delivered_frames;
    c.delivered_bytes -= before.delivered_bytes;
    c.answered -= before.answered;
    c.delay_sum -= before.delay_sum;
  }
  const model::FlowKind kind = model_[flow].kind;
  const bool two_way = kind == model::FlowKind::kPing || kind == model::FlowKind::kRequest;
  findings::FlowQuality quality;
  quality.offered_mbit = mbit_per_second(c.offered_bytes, span.seconds());
  quality.goodput_mbit = mbit_per_second(c.delivered_bytes, span.seconds());
  // What users of a request notice is the missing answer. Frames in flight at the borders can make it one too
  // many.
  const std::int64_t arrived = two_way ? c.answered : c.delivered_frames;
  if (c.sent_frames > 0) {
    quality.loss_percent =
        std::clamp(100.0 * static_cast<double>(c.sent_frames - arrived) / static_cast<double>(c.sent_frames),
                   0.0, 100.0);
    if (c.sent_frames - arrived <= 1 && c.sent_frames > 20) quality.loss_percent = 0;
  }
  if (c.delivered_frames > 0) quality.delay_ms = base::to_seconds(c.delay_sum / c.delivered_frames) * 1e3;
  return quality;
}

}  // namespace sekimori::simulate
