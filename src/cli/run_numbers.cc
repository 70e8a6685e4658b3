#include "cli/run_numbers.h"

#include <fmt/format.h>

#include "base/text.h"

namespace sekimori::cli {

using findings::FlowQuality;
using findings::LinkLoad;
using simulate::FlowCounters;
using simulate::LaneCounters;

namespace {

double mbit(std::int64_t bytes, base::Duration time) {
  return time.count() > 0 ? static_cast<double>(bytes) * 8e-6 / base::to_seconds(time) : 0;
}

// RFC 4180: quoted when it must be. Line breaks and other controls become spaces, as not every reader copes
// with them.
std::string csv(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  if (text.find_first_of(",\"") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string number(double value) { return base::short_number(value, 4); }

}  // namespace

LinkLoad load_of(const model::Model& model, std::size_t lane, const LaneCounters& before,
                 const LaneCounters& after, base::Duration time) {
  const model::LinkId id(lane / 2);
  const bool from_a = lane % 2 == 0;
  const model::Link& link = model[id];
  const std::int64_t flooded = after.flooded_bytes - before.flooded_bytes;
  LinkLoad load;
  load.from = model::name_of(model, from_a ? link.a : link.b);
  load.to = model::name_of(model, from_a ? link.b : link.a);
  load.link = id;
  load.from_is_a = from_a;
  load.capacity_mbit = base::to_mbit(link.rate);
  load.wanted_mbit = mbit(after.bytes - before.bytes - flooded, time);
  load.flooded_mbit = mbit(flooded, time);
  load.dropped_mbit = mbit(after.dropped_bytes - before.dropped_bytes, time);
  return load;
}

FlowQuality quality_of(const FlowCounters& before, const FlowCounters& after, base::Duration time) {
  const std::int64_t sent = after.sent_frames - before.sent_frames;
  const std::int64_t lost = after.lost_frames - before.lost_frames;
  const std::int64_t delivered = after.delivered_frames - before.delivered_frames;
  FlowQuality quality;
  quality.offered_mbit = mbit(after.offered_bytes - before.offered_bytes, time);
  quality.goodput_mbit = mbit(after.delivered_bytes - before.delivered_bytes, time);
  if (sent > 0) quality.loss_percent = 100 * static_cast<double>(lost) / static_cast<double>(sent);
  if (delivered > 0) {
    quality.delay_ms =
        1e3 * base::to_seconds(after.delay_sum - before.delay_sum) / static_cast<double>(delivered);
  }
  return quality;
}

std::vector<LinkLoad> link_averages(const model::Model& model, const simulate::RunResult& result) {
  std::vector<LinkLoad> links;
  for (std::size_t lane = 0; lane < result.lanes.size(); ++lane) {
    const LaneCounters& total = result.lanes[lane];
    if (total.frames > 0 || total.dropped_frames > 0)
      links.push_back(load_of(model, lane, {}, total, result.ended));
  }
  return links;
}

std::vector<findings::FlowImpact> flow_averages(const model::Model& model,
                                                const simulate::RunResult& result) {
  std::vector<findings::FlowImpact> flows;
  for (std::size_t i = 0; i < result.flows.size(); ++i) {
    const model::FlowId id(i);
    flows.push_back({model::name_of(model, id), id, {}, quality_of({}, result.flows[i], result.ended)});
  }
  return flows;
}

base::Result<void> write_series(const model::Model& model, const simulate::RunResult& result,
                                const std::function<base::Result<void>(std::string_view)>& write) {
  auto done = write(
      "time_s,kind,name,from,to,wanted_mbit,flooded_mbit,dropped_mbit,offered_mbit,goodput_mbit,loss_percent,"
      "delay_ms\n");
  if (!done) return done;
  // Names are formatted once, and lanes that never carry anything are left out.
  struct Lane {
    std::size_t lane;
    std::string head;
  };
  std::vector<Lane> lanes;
  for (std::size_t lane = 0; lane < result.lanes.size(); ++lane) {
    if (result.lanes[lane].frames == 0 && result.lanes[lane].dropped_frames == 0) continue;
    const LinkLoad load = load_of(model, lane, {}, {}, base::seconds(1));
    lanes.push_back({lane, fmt::format("link,{},{},{}", csv(model::name_of(model, load.link)), csv(load.from),
                                       csv(load.to))});
  }
  std::vector<std::string> flows;
  for (std::size_t i = 0; i < result.flows.size(); ++i) {
    const model::FlowId id(i);
    flows.push_back(fmt::format("flow,{},{},{}", csv(model::name_of(model, id)),
                                csv(model::name_of(model, model[id].from)),
                                csv(model::name_of(model, model[id].to))));
  }
  const simulate::Window nothing{.lanes = std::vector<LaneCounters>(result.lanes.size()),
                                 .bpdus = {},
                                 .flows = std::vector<FlowCounters>(result.flows.size())};
  const simulate::Window* before = &nothing;
  for (const simulate::Window& window : result.windows) {
    const base::Duration time = window.end - before->end;
    if (time.count() <= 0) continue;
    std::string rows;
    const std::string end = base::short_number(base::to_seconds(window.end), 6);
    for (const auto& [lane, head] : lanes) {
      if (window.lanes.empty()) break;
      const LinkLoad load = load_of(model, lane, before->lanes[lane], window.lanes[lane], time);
      rows += fmt::format("{},{},{},{},{},,,,\n", end, head, number(load.wanted_mbit),
                          number(load.flooded_mbit), number(load.dropped_mbit));
    }
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const FlowQuality q = quality_of(before->flows[i], window.flows[i], time);
      rows += fmt::format("{},{},,,,{},{},{},{}\n", end, flows[i], number(q.offered_mbit),
                          number(q.goodput_mbit), number(q.loss_percent), number(q.delay_ms));
    }
    if (done = write(rows); !done) return done;
    before = &window;
  }
  return {};
}

}  // namespace sekimori::cli
