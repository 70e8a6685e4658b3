#include "macs/inventory.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/segments.h"

namespace sekimori::macs {

Text Texts::keep(std::string_view text) {
  if (const auto at = index_.find(text); at != index_.end()) return Text(at->second);
  const std::string_view kept = storage_.emplace_back(text);
  texts_.push_back(kept);
  index_.emplace(kept, static_cast<std::uint32_t>(texts_.size() - 1));
  return Text(texts_.size() - 1);
}

void Inventory::omit(std::string_view source, unsigned line, std::string what) {
  ++omitted;
  if (omissions.size() < kMostOmissions) omissions.push_back({std::string(source), line, std::move(what)});
}

bool Inventory::several_managers() const {
  for (; judged_ < nics.size() && !several_; ++judged_) several_ = nics[judged_].manager != nics[0].manager;
  return several_;
}

std::string Inventory::name_of(const Nic& nic) const {
  std::string name;
  if (several_managers()) name += std::string(texts[nic.manager]) + "/";
  name += texts[nic.machine];
  if (nic.nic != kNothing) name += fmt::format(":{}", texts[nic.nic]);
  if (nic.name != kNothing && nic.name != nic.machine) name += fmt::format(" ({})", texts[nic.name]);
  return name;
}

Owner Inventory::owner_of(const Nic& nic) const {
  return {std::string(texts[nic.manager]), std::string(texts[nic.machine]), std::string(texts[nic.nic])};
}

// ---------------------------------------------------------------- a site

namespace {

Origin origin_of(model::MacOrigin origin) {
  switch (origin) {
    case model::MacOrigin::kAllocated:
      return Origin::kAllocated;
    case model::MacOrigin::kDrawn:
      return Origin::kDrawn;
    case model::MacOrigin::kDeclared:
    case model::MacOrigin::kCloned:
      return Origin::kFixed;
  }
  return Origin::kUnknown;
}

// A bridge and a VLAN are in one segment only, so they can name it.
std::string segment_name(const model::Model& m, const model::Segment& segment, const std::string& source) {
  if (segment.bridges.empty()) return fmt::format("{}: {}", source, name_of(m, segment.stations.front()));
  const auto& [bridge, vlan] = *std::ranges::min_element(segment.bridges);
  return fmt::format("{}: {}{}", source, name_of(m, bridge), vlan > 1 ? fmt::format(", VLAN {}", vlan) : "");
}

// The NIC under a bridge has the bridge's own address, and speaks through it.
bool is_under_a_bridge(const model::Model& m, const model::Station& s) {
  if (m[s.port].link.valid()) return false;
  return std::ranges::any_of(m[s.machine].bridges, [&](model::BridgeId bridge) {
    return std::ranges::any_of(m[bridge].ports, [&](model::PortId port) {
      return m[port].role == model::PortRole::kUplink && m[port].name == m[s.port].name;
    });
  });
}

}  // namespace

void read_model(const model::Model& model, const std::string& source, Inventory& inventory) {
  Texts& texts = inventory.texts;
  const model::Segments segments = model::segments(model);
  std::vector<Text> segment_of;
  for (const model::Segment& segment : segments.list)
    segment_of.push_back(texts.keep(segment_name(model, segment, source)));
  std::vector<bool> starts(model.machines.size());
  for (const model::Change& change : model.changes) {
    if (const auto* start = std::get_if<model::StartMachine>(&change.what))
      starts[start->machine.index()] = true;
  }
  const Text from = texts.keep(source);
  inventory.nics.reserve(inventory.nics.size() + model.stations.size());
  for (std::size_t s = 0; s < model.stations.size(); ++s) {
    const model::Station& station = model.stations[s];
    const model::Machine& machine = model[station.machine];
    if (is_under_a_bridge(model, station)) continue;
    Nic nic;
    nic.manager = nic.source = from;
    nic.machine = nic.name = texts.keep(machine.name);
    nic.nic = texts.keep(station.name);
    nic.port = texts.keep(fmt::format("#{}", station.port.index()));
    nic.mac = station.mac;
    nic.segment = segment_of[segments.of_station[s]];
    nic.line = station.line != 0 ? station.line : machine.line;
    nic.power = machine.running || starts[station.machine.index()] ? Power::kRunning : Power::kOff;
    nic.role = machine.kind == model::MachineKind::kGuest ? Role::kGuest : Role::kHost;
    nic.origin = origin_of(station.mac_origin);
    nic.drawn_bits = station.drawn_bits;
    if (machine.clone_of.valid()) nic.clone_of = texts.keep(model[machine.clone_of].name);
    inventory.nics.push_back(nic);
  }
  for (model::MacPool pool : model.pools) {
    pool.name = fmt::format("{}: {}", source, pool.name);
    pool.hosts.clear();
    inventory.pools.push_back(std::move(pool));
  }
}

}  // namespace sekimori::macs
