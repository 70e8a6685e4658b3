#include "load/reasons.h"

#include <fmt/format.h>

#include <algorithm>

namespace sekimori::load {

using check::Learning;
using check::Step;
using check::Stream;
using model::Model;

std::string way_text(const Learning& learning, StationId from, StationId to) {
  const Model& m = learning.model();
  std::vector<Step> way;
  learning.forest().way(learning.forest().place(from), learning.forest().place(to), way);
  std::string text = name_of(m, from);
  for (std::size_t i = 0; i < way.size(); ++i) {
    if (i == 6 && way.size() > 10) {
      text += fmt::format(" - {} more", way.size() - 8);
      i = way.size() - 3;
      continue;
    }
    text += " - " + name_of(m, learning.forest()[way[i].node].bridge);
  }
  return text + " - " + name_of(m, to);
}

std::vector<findings::Evidence> why_missing(const Learning& l, NodeIndex node, StationId station,
                                            std::size_t most) {
  const Model& m = l.model();
  std::vector<findings::Evidence> evidence;
  const std::string sw = name_of(m, l.forest()[node].bridge), name = name_of(m, station);
  if (m[station].hides_its_mac()) {
    evidence.push_back({std::nullopt, name,
                        fmt::format("sends from {}, and never from {}", wire::to_text(m[station].source),
                                    wire::to_text(m[station].mac))});
    return evidence;
  }
  std::vector<std::uint32_t> streams;
  for (const std::uint32_t i : l.streams_from(station)) {
    if (l.possible(i)) streams.push_back(i);
  }
  if (streams.empty()) {
    evidence.push_back({std::nullopt, name, "sends nothing at all"});
    return evidence;
  }
  std::ranges::stable_sort(streams, std::ranges::greater{},
                           [&](std::uint32_t i) { return l.streams()[i].most; });
  std::vector<Step> way;
  for (const std::uint32_t i : streams) {
    if (evidence.size() >= most) {
      evidence.push_back({std::nullopt, name, fmt::format("{} more streams of it", streams.size() - most)});
      break;
    }
    const Stream& stream = l.streams()[i];
    const std::string how_often =
        stream.gap == base::kNever ? "not for certain at all" : "at least every " + base::to_text(stream.gap);
    if (!stream.to.valid()) {
      evidence.push_back(
          {std::nullopt, name, fmt::format("{} go everywhere, {}", check::describe(m, stream), how_often)});
      continue;
    }
    l.forest().way(l.forest().place(stream.from), l.forest().place(stream.to), way);
    const bool passes = std::ranges::any_of(way, [&](const Step& s) { return s.node == node; });
    evidence.push_back(
        {std::nullopt, name,
         fmt::format("{}: {}; {}", check::describe(m, stream), way_text(l, stream.from, stream.to),
                     passes ? fmt::format("by {}, {}", sw, how_often) : fmt::format("not by {}", sw))});
  }
  return evidence;
}

}  // namespace sekimori::load
