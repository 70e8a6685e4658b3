#include "naive.h"

#include <optional>

#include "switching/vlan.h"

namespace sekimori::agreement {

using model::BridgeId;
using model::BridgeKind;
using model::Model;
using model::PortId;
using model::StationId;

std::int64_t ageing_ticks(const Model& m, BridgeId bridge) { return m[bridge].ageing / base::seconds(1); }

bool learns(const Model& m, BridgeId bridge) {
  return m[bridge].learning && m[bridge].ageing.count() > 0 && m[bridge].kind != BridgeKind::kHub;
}

namespace {

// The VLAN inside the bridge of a frame that comes in with that tag; the tag itself on a bridge that knows
// none.
std::optional<std::uint16_t> enter(const Model& m, PortId in, std::uint16_t tag) {
  if (!m[m[in].bridge].vlan_aware) return tag;
  return switching::classify(m[m[in].bridge].kind, m[in], m.vlan_sets[m[in].tagged_vlans], tag);
}
std::optional<std::uint16_t> leave(const Model& m, PortId out, std::uint16_t vlan) {
  if (!m[m[out].bridge].vlan_aware) return vlan;
  return switching::egress_tag(m[out], m.vlan_sets[m[out].tagged_vlans], vlan);
}
Entry entry_of(const Model& m, BridgeId bridge, std::uint16_t vlan, StationId station) {
  return {bridge, m[bridge].vlan_aware ? vlan : std::uint16_t{0}, m[station].mac};
}

bool leads_to(const Model& m, PortId port, PortId goal) {
  const PortId far = peer(m, port);
  if (!far.valid() || far == goal) return far.valid();
  if (!m[far].bridge.valid()) return false;
  for (const PortId next : m[m[far].bridge].ports) {
    if (next != far && leads_to(m, next, goal)) return true;
  }
  return false;
}

}  // namespace

PortId port_toward(const Model& m, BridgeId bridge, StationId station) {
  for (const PortId port : m[bridge].ports) {
    if (leads_to(m, port, m[station].port)) return port;
  }
  return {};
}

// ---------------------------------------------------------------- the fixed point

Entries refreshed(const Model& m, const NaiveStream& stream, const Entries& present) {
  struct Copy {
    PortId in;
    std::uint16_t tag;
  };
  Entries result;
  std::set<std::pair<PortId, std::uint16_t>> visited;
  std::vector<Copy> open{{peer(m, m[stream.from].port), m[stream.from].vlan}};
  while (!open.empty()) {
    const Copy copy = open.back();
    open.pop_back();
    if (!copy.in.valid() || !visited.insert({copy.in, copy.tag}).second) continue;
    const BridgeId bridge = m[copy.in].bridge;
    if (!bridge.valid()) continue;  // a station
    const auto vlan = enter(m, copy.in, copy.tag);
    if (!vlan) continue;
    if (learns(m, bridge) && m[copy.in].learning) result.insert(entry_of(m, bridge, *vlan, stream.from));
    const bool known = stream.to.valid() && present.contains(entry_of(m, bridge, *vlan, stream.to));
    for (const PortId out : m[bridge].ports) {
      if (out == copy.in || (known && out != port_toward(m, bridge, stream.to))) continue;
      if (const auto tag = leave(m, out, *vlan)) open.push_back({peer(m, out), *tag});
    }
  }
  return result;
}

Entries must(const Model& m, const std::vector<NaiveStream>& streams, const Entries& present) {
  Entries result;
  for (const NaiveStream& stream : streams) {
    for (const Entry& entry : refreshed(m, stream, present)) {
      if (stream.gap < ageing_ticks(m, entry.bridge)) result.insert(entry);
    }
  }
  return result;
}

Entries may(const Model& m, const std::vector<NaiveStream>& streams, const Entries& present) {
  Entries result;
  for (const NaiveStream& stream : streams) result.merge(refreshed(m, stream, present));
  return result;
}

FixedPoint naive_fixed_point(const Model& m, const std::vector<NaiveStream>& streams) {
  FixedPoint point;
  for (;;) {
    Entries upper = may(m, streams, point.lower);
    Entries lower = must(m, streams, upper);
    const bool settled = upper == point.upper && lower == point.lower;
    point.upper.swap(upper);
    point.lower.swap(lower);
    if (settled) return point;
  }
}

// ---------------------------------------------------------------- tick by tick

void TickSimulator::know_everyone() {
  for (std::size_t b = 0; b < m_.bridges.size(); ++b) {
    for (std::size_t s = 0; s < m_.stations.size(); ++s) {
      const PortId port = port_toward(m_, BridgeId(b), StationId(s));
      if (!learns(m_, BridgeId(b)) || !port.valid() || !m_[port].learning) continue;
      for (std::uint16_t vlan = 0; vlan < 4; ++vlan)
        table_[entry_of(m_, BridgeId(b), vlan, StationId(s))] = {now_, port};
    }
  }
}

void TickSimulator::tick() {
  for (const NaiveStream& stream : streams_) {
    if (now_ < stream.phase || (now_ - stream.phase) % stream.gap != 0) continue;
    send(m_[stream.from].port, {m_[stream.from].mac, stream.to, m_[stream.from].vlan, false});
  }
  ++now_;
}

const TickSimulator::Seen* TickSimulator::live(const Entry& entry) const {
  const auto found = table_.find(entry);
  const bool is_live = found != table_.end() && now_ - found->second.at < ageing_ticks(m_, entry.bridge);
  return is_live ? &found->second : nullptr;
}

bool TickSimulator::knew(const Entry& entry) const {
  const auto found = table_.find(entry);
  return found != table_.end() && now_ - 1 - found->second.at < ageing_ticks(m_, entry.bridge);
}

void TickSimulator::send(PortId out, Frame frame) {
  const PortId far = peer(m_, out);
  if (!far.valid()) return;
  const model::LinkId link = m_[out].link;
  Lane& lane = lanes_[2 * link.index() + (m_[link].a == out ? 0 : 1)];
  ++lane.frames;
  lane.flooded += frame.stray;
  if (m_[far].bridge.valid()) arrive(far, frame);
}

void TickSimulator::arrive(PortId in, const Frame& frame) {
  const BridgeId bridge = m_[in].bridge;
  const auto vlan = enter(m_, in, frame.tag);
  if (!vlan) return;
  const std::uint16_t fid = m_[bridge].vlan_aware ? *vlan : std::uint16_t{0};
  if (learns(m_, bridge) && m_[in].learning) table_[{bridge, fid, frame.source}] = {now_, in};
  const bool unicast = frame.to.valid() && m_[bridge].kind != BridgeKind::kHub;
  if (const Seen* seen = unicast ? live(entry_of(m_, bridge, *vlan, frame.to)) : nullptr) {
    if (seen->port != in) relay(in, seen->port, *vlan, frame);
    return;
  }
  const PortId wanted = unicast ? port_toward(m_, bridge, frame.to) : PortId{};
  for (const PortId out : m_[bridge].ports) {
    if (out == in || (unicast && !m_[out].floods_unknown)) continue;
    Frame copy = frame;
    copy.stray = frame.stray || (unicast && out != wanted);
    relay(in, out, *vlan, copy);
  }
}

void TickSimulator::relay(PortId in, PortId out, std::uint16_t vlan, Frame frame) {
  const auto tag = leave(m_, out, vlan);
  if (!tag || in == out) return;
  frame.tag = *tag;
  send(out, frame);
}

}  // namespace sekimori::agreement
