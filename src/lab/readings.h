// What there is to count and to see in a lab: counters of devices, tables of switches, caches of machines.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "lab/run.h"
#include "sys/links.h"
#include "sys/namespaces.h"

namespace sekimori::lab {

class Readings {
 public:
  // `spaces`: the plan's namespaces.
  Readings(const model::Model& site, const Plan& plan, const std::vector<sys::Namespace>& spaces)
      : site_(site), plan_(plan), spaces_(spaces) {}

  // By namespace and device.
  using Counters = std::vector<std::unordered_map<std::string, sys::LinkCounters>>;
  base::Result<Counters> counters() const;
  // What has passed between the two, as in Measurement.
  std::vector<std::optional<LaneCount>> lanes(const Counters& before, const Counters& after) const;
  // `live`: what the live switches tell of theirs (live.h).
  base::Result<std::vector<TableEntry>> tables(const std::string& live) const;
  base::Result<std::vector<NeighbourEntry>> neighbours() const;
  base::Result<std::vector<GroupEntry>> groups(const std::string& live) const;

 private:
  base::Result<sys::Links> links_of(SpaceIndex space) const { return sys::Links::open(spaces_[space]); }
  std::optional<LaneCount> tunnel_lane(model::PortId from, const sys::LinkCounters& counted) const;
  base::Result<void> read_bridge(const PlannedBridge& bridge, std::vector<TableEntry>& into) const;
  base::Result<void> read_groups(const PlannedBridge& bridge, std::vector<GroupEntry>& into) const;
  std::unordered_map<int, model::PortId> ports_by_index(const PlannedBridge& bridge, sys::Links& links) const;
  void read_live(const std::string& live, std::vector<TableEntry>& into) const;

  const model::Model& site_;
  const Plan& plan_;
  const std::vector<sys::Namespace>& spaces_;
};

}  // namespace sekimori::lab
