// What was predicted beside what was measured: every direction of every link, every table entry, every
// neighbour, every member of a group that a switch knows.
#pragma once

#include <optional>
#include <vector>

#include "lab/run.h"

namespace sekimori::lab {

// As an engine predicts it, in the measurement's own terms.
struct Prediction {
  std::vector<LaneCount> lanes;  // as in Measurement
  std::vector<TableEntry> tables;
  std::vector<NeighbourEntry> neighbours;
  std::vector<GroupEntry> groups;
};

struct LaneComparison {
  model::LinkId link;
  bool from_a = true;
  LaneCount predicted, measured;
  double bytes_off = 0;  // (measured - predicted) / predicted; 1 when nothing was predicted
};

enum class Agreement : std::uint8_t {
  kEqual,
  kTiming,
  kDifferent
};  // kTiming: about to age out in one of the two

struct EntryComparison {
  model::BridgeId bridge;
  model::Mac mac;
  std::uint16_t vlan = 0;
  std::optional<model::PortId> predicted, measured;  // the port; none: no entry
  Agreement agreement = Agreement::kEqual;
};

struct NeighbourComparison {
  model::StationId station;
  model::Ipv4 ip;  // or, when this is 0.0.0.0, `ip6`
  model::Ipv6 ip6;
  std::optional<model::Mac> predicted, measured;
};

// A member behind the port.
struct GroupComparison {
  model::BridgeId bridge;
  model::Group group;
  model::PortId port;
  bool predicted = false, measured = false;
};

struct Comparison {
  std::vector<LaneComparison> lanes;  // those that carried something, biggest first
  std::vector<EntryComparison> entries;
  std::vector<NeighbourComparison> neighbours;
  std::vector<GroupComparison> groups;
};

Comparison compare(const model::Model& site, const Prediction& prediction, const Measurement& measurement);

}  // namespace sekimori::lab
