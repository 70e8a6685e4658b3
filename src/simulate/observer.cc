#include "simulate/observer.h"

#include <algorithm>

namespace sekimori::simulate {
namespace {

// Two floods closer than this are one spell: talkers pause, a flood does not end for that.
constexpr Duration kSpellGap = base::seconds(2);
// A loop that has passed on this many frames feeds itself.
constexpr std::int64_t kStormFrames = 2'000;

template <class Record>
Record& record_of(std::unordered_map<std::uint64_t, std::uint32_t>& index, std::vector<Record>& records,
                  std::uint64_t key, Time now) {
  const auto [entry, is_new] = index.try_emplace(key, static_cast<std::uint32_t>(records.size()));
  if (is_new) {
    records.emplace_back();
    records.back().first = now;
  }
  return records[entry->second];
}

}  // namespace

std::uint32_t Observer::open_flood(std::uint32_t bridge, std::uint16_t vlan, wire::Mac destination,
                                   Time now) {
  FloodRecord record;
  record.bridge = model::BridgeId(bridge);
  record.vlan = vlan;
  record.destination = destination;
  record.first = now;
  record.spells = 1;
  floods_.push_back(record);
  spells_.push_back({now, now});
  return static_cast<std::uint32_t>(floods_.size() - 1);
}

void Observer::flooded(std::uint32_t index, const Frame& frame, std::uint32_t source_station,
                       std::uint32_t ingress, FloodReason reason, bool copied, bool withheld, Time now) {
  FloodRecord& record = floods_[index];
  Spell& spell = spells_[index];
  record.frames += copied;
  record.bytes += copied ? frame.wire_bytes() : 0;
  ++record.by_reason[static_cast<std::size_t>(reason)];
  record.withheld_frames += withheld;
  // Blocked everywhere, and nobody misses it: that is what blocking is for.
  if (!copied && !withheld) return;
  if (now - spell.end > kSpellGap) {
    close(record, spell);
    ++record.spells;
    spell.start = now;
  }
  spell.end = record.last = now;
  record.last_ingress = model::PortId(ingress);
  record.last_source = model::StationId(source_station);
  record.last_flow = model::FlowId(frame.flow);
}

void Observer::close(FloodRecord& record, const Spell& spell) {
  const Duration length = spell.end - spell.start;
  record.flooding += length;
  if (length >= record.longest_spell) {
    record.longest_spell = length;
    record.longest_spell_start = spell.start;
  }
}

void Observer::leaked(std::uint32_t bridge, std::uint32_t guest, const Frame& frame, Time now) {
  LeakRecord& record = record_of(leak_index_, leaks_, key(bridge, 0, guest), now);
  record.bridge = model::BridgeId(bridge);
  record.guest = model::StationId(guest);
  ++record.frames;
  record.bytes += frame.wire_bytes();
  record.last = now;
}

void Observer::moved(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address, wire::Mac mac,
                     std::uint32_t from, std::uint32_t to, Time now) {
  MoveRecord& record = record_of(move_index_, moves_, key(bridge, vlan, address), now);
  record.bridge = model::BridgeId(bridge);
  record.vlan = vlan;
  record.mac = mac;
  ++record.moves;
  record.last = now;
  record.from = model::PortId(from);
  record.to = model::PortId(to);
}

void Observer::misdelivered(std::uint32_t at, std::uint32_t intended, Time now) {
  MisdeliveryRecord& record =
      record_of(misdelivery_index_, misdeliveries_, std::uint64_t{at} << 32 | intended, now);
  record.at = model::StationId(at);
  if (intended != kNone) record.intended = model::StationId(intended);
  ++record.frames;
  record.last = now;
}

void Observer::conflict(std::uint32_t ip, std::uint32_t station_a, std::uint32_t station_b, Time now) {
  AddressConflictRecord& record = record_of(conflict_index_, conflicts_, ip, now);
  record.ip = {ip};
  ++record.changes;
  for (const std::uint32_t station : {station_a, station_b}) {
    const model::StationId id(station);
    if (station != kNone && std::ranges::find(record.stations, id) == record.stations.end())
      record.stations.push_back(id);
  }
}

void Observer::topology_changed(std::uint32_t port, Time now) {
  const auto known = std::ranges::find(topology_changes_, model::PortId(port), &TopologyChangeRecord::port);
  if (known == topology_changes_.end()) {
    topology_changes_.push_back({model::PortId(port), 1, now, now});
  } else {
    ++known->changes;
    known->last = now;
  }
}

void Observer::circulated(std::uint32_t bridge, std::uint32_t port, Time now) {
  const auto known = std::ranges::find(loops_, model::BridgeId(bridge), &LoopRecord::bridge);
  if (known == loops_.end()) {
    loops_.push_back({model::BridgeId(bridge), model::PortId(port), now, 1, false});
  } else {
    ++known->frames;
  }
  if (++circulating_ == kStormFrames) {
    storm_since_ = now;
    for (LoopRecord& loop : loops_) loop.storm = true;
  }
}

void Observer::finish(RunResult& result) {
  for (std::size_t i = 0; i < floods_.size(); ++i) close(floods_[i], spells_[i]);
  result.floods = std::move(floods_);
  result.leaks = std::move(leaks_);
  result.moves = std::move(moves_);
  result.misdeliveries = std::move(misdeliveries_);
  result.address_conflicts = std::move(conflicts_);
  result.loops = std::move(loops_);
  result.topology_changes = std::move(topology_changes_);
  result.shuts = std::move(shuts_);
  result.takeovers = std::move(takeovers_);
}

}  // namespace sekimori::simulate
