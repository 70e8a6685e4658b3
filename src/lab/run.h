// A lab at work: its tables emptied, the site's traffic and timeline played, and what there is to count and
// to see read from the kernel.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "lab/traffic.h"

namespace sekimori::lab {

// Of one direction of a link, as interface counters count: without FCS.
struct LaneCount {
  std::int64_t frames = 0, bytes = 0;
};

struct TableEntry {
  model::BridgeId bridge;
  model::Mac mac;
  std::uint16_t vlan = 0;
  model::PortId port;
  base::Duration unheard{0};
  bool is_static = false;
};

struct NeighbourEntry {
  model::StationId station;
  model::Ipv4 ip;  // or, when this is 0.0.0.0, `ip6`
  model::Mac mac;
  model::Ipv6 ip6{};
};

// At a switch that snoops, of groups that the site speaks of.
struct GroupEntry {
  model::BridgeId bridge;
  std::uint16_t vlan = 0;
  model::Group group;
  model::PortId port;
};

struct Measurement {
  base::Duration time{0};
  bool stopped = false;                         // options.progress said so
  std::vector<std::optional<LaneCount>> lanes;  // 2 * link: from its end a; 2 * link + 1: from its end b
  std::vector<TableEntry> tables;               // without the bridges' own addresses
  std::vector<NeighbourEntry> neighbours;
  std::vector<GroupEntry> groups;
  std::vector<model::MachineId> closed;  // guests that boot images: nobody sees their ARP caches
  std::vector<FlowResult> flows;
};

struct RunOptions {
  base::Duration time = base::seconds(10);
  std::function<bool(double share)> progress;
};

// The lab must be up.
base::Result<Measurement> run(const model::Model& site, const Plan& plan, const RunOptions& options);

}  // namespace sekimori::lab
