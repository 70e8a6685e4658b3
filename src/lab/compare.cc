#include "lab/compare.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace sekimori::lab {
namespace {

// An entry that has lived for so much of its time may be there in one of the two and gone in the other.
constexpr double kNearItsEnd = 0.75;

std::vector<LaneComparison> compare_lanes(const Prediction& prediction, const Measurement& measurement) {
  std::vector<LaneComparison> lanes;
  for (std::size_t l = 0; l < measurement.lanes.size(); ++l) {
    if (!measurement.lanes[l]) continue;  // not built
    const LaneCount predicted = l < prediction.lanes.size() ? prediction.lanes[l] : LaneCount{};
    const LaneCount measured = *measurement.lanes[l];
    if (predicted.frames == 0 && measured.frames == 0) continue;
    const double off = predicted.bytes == 0 ? 1.0
                                            : static_cast<double>(measured.bytes - predicted.bytes) /
                                                  static_cast<double>(predicted.bytes);
    lanes.push_back({model::LinkId(l / 2), l % 2 == 0, predicted, measured, off});
  }
  std::ranges::stable_sort(lanes, std::greater{}, [](const LaneComparison& lane) {
    return std::max(lane.predicted.bytes, lane.measured.bytes);
  });
  return lanes;
}

bool near_its_end(const model::Model& site, const TableEntry& entry) {
  if (entry.is_static) return false;
  return base::to_seconds(entry.unheard) > kNearItsEnd * base::to_seconds(site[entry.bridge].ageing);
}

std::vector<EntryComparison> compare_tables(const model::Model& site, const Prediction& prediction,
                                            const Measurement& measurement) {
  struct Pair {
    const TableEntry* predicted = nullptr;
    const TableEntry* measured = nullptr;
  };
  std::map<std::tuple<model::BridgeId, std::uint16_t, model::Mac>, Pair> pairs;
  const auto key = [&](const TableEntry& e) {
    // Linux knows no VLANs where the site has only one.
    return std::tuple(e.bridge, std::uint16_t{0}, e.mac);
  };
  const auto is_own = [&](const TableEntry& e) {  // the bridge's interface, which the measurement leaves out
    return e.is_static && site[e.port].role == model::PortRole::kHost;
  };
  for (const TableEntry& e : prediction.tables) {
    if (!is_own(e)) pairs[key(e)].predicted = &e;
  }
  for (const TableEntry& e : measurement.tables) pairs[key(e)].measured = &e;
  std::vector<EntryComparison> entries;
  for (const auto& [which, pair] : pairs) {
    const auto& [predicted, measured] = pair;
    EntryComparison entry{std::get<0>(which), std::get<2>(which), 0, {}, {}};
    if (predicted != nullptr) entry.predicted = predicted->port;
    if (measured != nullptr) entry.measured = measured->port;
    if (entry.predicted != entry.measured) {
      const TableEntry* only = predicted == nullptr ? measured : measured == nullptr ? predicted : nullptr;
      entry.agreement =
          only != nullptr && near_its_end(site, *only) ? Agreement::kTiming : Agreement::kDifferent;
    }
    entries.push_back(entry);
  }
  return entries;
}

// A cluster's address and the NIC's own have one cache on a kernel, as they are on one device.
model::StationId cache_of(const model::Model& site, model::StationId station) {
  const model::SharedId shared = site[station].shared;
  if (!shared.valid() || site[shared].kind != model::SharedKind::kNlb) return station;
  const auto& members = site[shared].members;
  return std::ranges::find(members, station, &model::SharedAddress::Member::alias)->nic;
}

std::vector<NeighbourComparison> compare_neighbours(const model::Model& site, const Prediction& prediction,
                                                    const Measurement& measurement) {
  std::map<std::tuple<model::StationId, model::Ipv4, model::Ipv6>, NeighbourComparison> pairs;
  const auto at = [&](const NeighbourEntry& e) -> NeighbourComparison& {
    const NeighbourComparison none{cache_of(site, e.station), e.ip, e.ip6, {}, {}};
    return pairs.try_emplace({none.station, e.ip, e.ip6}, none).first->second;
  };
  for (const NeighbourEntry& e : prediction.neighbours) {
    if (!std::ranges::binary_search(measurement.closed, site[e.station].machine)) at(e).predicted = e.mac;
  }
  for (const NeighbourEntry& e : measurement.neighbours) at(e).measured = e.mac;
  std::vector<NeighbourComparison> neighbours;
  for (const auto& [which, pair] : pairs) neighbours.push_back(pair);
  return neighbours;
}

// Linux knows no VLANs where the site has only one.
std::vector<GroupComparison> compare_groups(const Prediction& prediction, const Measurement& measurement) {
  std::map<std::tuple<model::BridgeId, model::Group, model::PortId>, GroupComparison> pairs;
  const auto at = [&](const GroupEntry& e) -> GroupComparison& {
    return pairs.try_emplace({e.bridge, e.group, e.port}, GroupComparison{e.bridge, e.group, e.port})
        .first->second;
  };
  for (const GroupEntry& e : prediction.groups) at(e).predicted = true;
  for (const GroupEntry& e : measurement.groups) at(e).measured = true;
  std::vector<GroupComparison> groups;
  for (const auto& [which, pair] : pairs) groups.push_back(pair);
  return groups;
}

}  // namespace

Comparison compare(const model::Model& site, const Prediction& prediction, const Measurement& measurement) {
  return {compare_lanes(prediction, measurement), compare_tables(site, prediction, measurement),
          compare_neighbours(site, prediction, measurement), compare_groups(prediction, measurement)};
}

}  // namespace sekimori::lab
