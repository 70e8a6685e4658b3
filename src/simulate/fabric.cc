// Bridges at work: the path of a frame through a bridge. Setting up and changing them is in fabric_setup.cc.
#include "simulate/fabric.h"

#include <algorithm>

#include "base/random.h"
#include "switching/linux_bridge.h"
#include "switching/ovs.h"
#include "switching/suppression.h"
#include "switching/vlan.h"

namespace sekimori::simulate {

using model::BridgeKind;
using switching::Family;
using switching::Fdb;

void Fabric::receive(std::uint32_t in, Frame& frame) {
  if (ports_[in].in_lag) [[unlikely]]
    in = logical(in);
  const Port& port = ports_[in];
  Bridge& bridge = bridges_[port.bridge];
  if (port.blocked || frame.kind == FrameKind::kBpdu) [[unlikely]] {
    if (frame.kind == FrameKind::kBpdu)
      receive_bpdu(in, frame);
    else if (port.learning)
      learn_only(in, frame);
    return;
  }
  // A bond hands nothing from one NIC to another, so it is in no ring.
  if (bridge.family == Family::kBonds) [[unlikely]]
    return relay_bond(in, frame);
  // Having passed more bridges than there are, it passed one twice.
  if (++frame.hops > bridges_.size()) [[unlikely]] {
    observer_.circulated(port.bridge, in, wires_.now());
    frame.hops = 1;
  }

  if (bridge.has_rules && by_rule(bridge, in, frame)) [[unlikely]]
    return;
  const auto classified = bridge.vlan_aware ? classify(in, frame.tag) : std::uint16_t{0};
  if (!classified) return;
  const std::uint16_t vlan = *classified;
  const bool group = frame.dst == kBroadcastAddress;
  if (port.policed && group && !admitted(in, frame, false)) return;

  switch (bridge.family) {
    case Family::kRegisters:
      relay_registered(bridge, in, vlan, frame);
      return;
    case Family::kRepeats:
      flood(bridge, in, vlan, frame, false);
      return;
    case Family::kLearns:
    case Family::kBonds:
      break;
  }
  if (!learn(bridge, in, vlan, frame)) return;
  const bool suppressed = bridge.suppresses && suppress(bridge, in, vlan, frame);
  if (bridge.snoops && is_multicast(frame)) [[unlikely]] {
    const switching::Spread spread = listen(in, vlan, frame);
    if (spread != switching::Spread::kEverywhere) return multicast(in, vlan, frame, spread);
  }
  if (group || port.tunnel) {  // out of a tunnel it is handed on, whatever the table says (switching/vxlan.h)
    flood(bridge, in, vlan, frame, false, suppressed);
    return;
  }
  const auto entry = bridge.fdb.lookup(vlan, frame.dst, wires_.now(), bridge.ageing);
  if (entry.what == Fdb::Found::kHit) [[likely]] {
    forward(in, entry.port, vlan, frame);
    return;
  }
  if (port.policed && !admitted(in, frame, true)) return;
  flood(bridge, in, vlan, frame, true, suppressed);
}

std::optional<std::uint16_t> Fabric::classify(std::uint32_t in, std::uint16_t tag) const {
  const model::Port& settings = model_.ports[in];
  return switching::classify(bridges_[ports_[in].bridge].registrar.kind, settings,
                             model_.vlan_sets[settings.tagged_vlans], tag);
}

// IEEE 802.1Q-2018 section 8.7. Returns false when the frame must not be relayed (its address is over the
// port's limit).
bool Fabric::learn(Bridge& bridge, std::uint32_t in, std::uint16_t vlan, const Frame& frame) {
  const model::Port& settings = model_.ports[in];
  // net/bridge/br_input.c, br_handle_frame_finish: BR_PORT_LOCKED.
  if (settings.locked) [[unlikely]] {
    const auto entry = bridge.fdb.lookup(vlan, frame.src, wires_.now(), bridge.ageing);
    if (entry.what != Fdb::Found::kHit || entry.port != in) return false;
  }
  // A Linux bridge with ageing 0 learns nothing (br_fdb_update: "some users want to always flood").
  if (!bridge.learns || bridge.ageing.count() == 0 || !settings.learning) return true;
  const Time now = wires_.now();
  if (settings.mac_limit != 0 &&
      bridge.fdb.lookup(vlan, frame.src, now, bridge.ageing).what != Fdb::Found::kHit &&
      bridge.fdb.count_port(in, now, bridge.ageing) >= settings.mac_limit) {
    return false;
  }
  const auto when_full =
      bridge.registrar.kind == BridgeKind::kOvs ? Fdb::WhenFull::kEvict : Fdb::WhenFull::kRefuse;
  const auto learnt = bridge.fdb.learn(vlan, frame.src, in, now, bridge.ageing, bridge.table_size, when_full);
  if (learnt.what == Fdb::Learnt::kMoved) [[unlikely]] {
    observer_.moved(ports_[in].bridge, vlan, frame.src, addresses_.mac(frame.src), learnt.before, in, now);
  } else if (learnt.what == Fdb::Learnt::kRefused) [[unlikely]] {
    observer_.refused(ports_[in].bridge, vlan, frame.src);
  } else if (learnt.what == Fdb::Learnt::kEvicted) [[unlikely]] {
    observer_.refused(ports_[in].bridge, learnt.evicted_vlan, learnt.evicted);
  }
  return true;
}

// A flow of Open vSwitch that outputs by itself, whatever the VLANs of the ports, and as the frame came in
// (switching/ovs.h). True when that was all; false when NORMAL is to follow.
bool Fabric::by_rule(const Bridge& bridge, std::uint32_t in, Frame& frame) {
  const model::Bridge& settings = model_.bridges[ports_[in].bridge];
  const bool is_arp = frame.kind == FrameKind::kArpRequest || frame.kind == FrameKind::kArpReply;
  const model::FlowRule* rule =
      switching::match_rule(settings, model::PortId(in), addresses_.mac(frame.dst), is_arp);
  if (rule == nullptr) return false;
  const model::Port& from = model_.ports[in];
  const std::uint16_t vlan = bridge.vlan_aware ? classify(in, frame.tag).value_or(0) : frame.tag;
  const bool was_stray = frame.stray;
  const std::uint32_t wanted =
      frame.dst == kBroadcastAddress ? kNone : towards(ports_[in].bridge, vlan, frame.dst);
  for (const model::PortId out : rule->out) {
    const model::Port& to = model_[out];
    if (out.value == in || ports_[out.index()].blocked || (to.isolated && from.isolated)) continue;
    if (to.guard && guarded(out.value, frame)) continue;
    frame.stray = was_stray || (wanted != kNone && astray(ports_[in].bridge, vlan, frame, wanted, out.value));
    emit(out.value, frame);
  }
  frame.stray = was_stray;
  return !rule->normal;
}

bool Fabric::suppress(const Bridge& bridge, std::uint32_t in, std::uint16_t vlan, const Frame& frame) {
  const bool is_arp = frame.kind == FrameKind::kArpRequest || frame.kind == FrameKind::kArpReply;
  if (!is_arp && frame.kind != FrameKind::kNeighborSolicitation &&
      frame.kind != FrameKind::kNeighborAdvertisement)
    return false;
  const std::uint32_t self = ports_[in].bridge;
  const switching::Asking asking{
      .is_question = frame.kind == FrameKind::kArpRequest || frame.kind == FrameKind::kNeighborSolicitation,
      .is_unicast = frame.dst != kBroadcastAddress,
      .is_about_itself = frame.src_ip == 0 || frame.src_ip == frame.dst_ip};
  switching::Asked asked;
  for (const std::uint32_t station : addresses_.owners_of_ip(frame.dst_ip)) {
    const std::uint32_t at = attachment(station);
    asked.is_own |=
        at != kNone && ports_[at].bridge == self && model_.ports[at].role == model::PortRole::kHost;
  }
  AddressIndex mac = kNone;
  for (const model::KnownNeighbour& known : model_.bridges[self].neighbours) {
    if ((known.ip.is_zero() ? addresses_.find(known.ip6) : known.ip.bits) != frame.dst_ip) continue;
    mac = addresses_.find(known.mac);
    const auto entry = bridge.fdb.lookup(vlan, mac, wires_.now(), bridge.ageing);
    asked.is_known = entry.what == Fdb::Found::kHit;
    asked.behind_suppressing = asked.is_known && model_.ports[entry.port].neigh_suppress;
    break;
  }
  const auto suppressed = switching::suppress(model_.ports[in].neigh_suppress, asking, asked);
  if (suppressed.answered) {
    Frame answer = frame;
    answer.kind = is_arp ? FrameKind::kArpReply : FrameKind::kNeighborAdvertisement;
    answer.src = answer.number = mac;
    answer.dst = frame.number;
    answer.src_ip = frame.dst_ip;
    answer.dst_ip = frame.src_ip;
    answer.sent = wires_.now();
    answer.hops = 0;
    emit(in, answer);
  }
  return suppressed.withheld;
}

bool Fabric::admitted(std::uint32_t in, const Frame& frame, bool unknown) {
  const model::StormControl& limits = model_.storm_controls[model_.ports[in].storm_control];
  const bool multicast = is_multicast(frame);
  const model::BitRate rate = unknown     ? limits.unknown_unicast
                              : multicast ? limits.multicast
                                          : limits.broadcast;
  if (rate.bits_per_second == 0) return true;
  Policer& policer = policers_[in];
  switching::TokenBucket& bucket = unknown     ? policer.unknown_unicast
                                   : multicast ? policer.multicast
                                               : policer.broadcast;
  return bucket.admit(frame.wire_bytes(), rate, wires_.now());
}

// One copy to one port: a frame in flight, or mere occupation when the station there discards it.
void Fabric::emit(std::uint32_t out, const Frame& frame) {
  if (ports_[out].in_lag) [[unlikely]]
    out = member_for(out, frame);
  const Port& port = ports_[out];
  if (port.lane_out == kNone) return;
  if (port.tunnel) [[unlikely]] {
    wires_.send_unseen(port.lane_out, frame);
    on_tunnel(out, frame);
    return;
  }
  if (port.leaf && frame.dst != kBroadcastAddress &&
      addresses_.of_station(model_.ports[port.peer].station.value) != frame.dst) {
    wires_.send_unseen(port.lane_out, frame);
  } else {
    wires_.send(port.lane_out, frame);
  }
}

bool Fabric::guarded(std::uint32_t out, const Frame& frame) const {
  if (!model_.ports[out].guard) return false;
  const std::uint32_t bridge = ports_[out].bridge;
  for (const std::uint32_t station : addresses_.stations_with(frame.dst)) {
    const std::uint32_t at = attachment(station);
    if (at != kNone && at != out && ports_[at].bridge == bridge) return true;
  }
  return false;
}

std::optional<std::uint16_t> Fabric::tag_at(std::uint32_t out, std::uint16_t vlan,
                                            std::uint16_t tag_in) const {
  if (!bridges_[ports_[out].bridge].vlan_aware) return tag_in;
  const model::Port& settings = model_.ports[out];
  return switching::egress_tag(settings, model_.vlan_sets[settings.tagged_vlans], vlan);
}

void Fabric::forward(std::uint32_t in, std::uint32_t out, std::uint16_t vlan, Frame& frame) {
  // The destination is where the frame came from: nothing to do (802.1Q 8.6.1: not among the potential
  // ports), unless the port sends back (net/bridge/br_forward.c, should_deliver: BR_HAIRPIN_MODE).
  if (ports_[out].blocked || (out == in && !model_.ports[in].hairpin)) return;
  const model::Port& settings = model_.ports[out];
  if (bridges_[ports_[out].bridge].vlan_aware) {
    const auto tag = switching::egress_tag_when_known(bridges_[ports_[out].bridge].registrar.kind, settings,
                                                      model_.vlan_sets[settings.tagged_vlans], vlan);
    if (!tag) return;
    frame.tag = *tag;
  }
  if (settings.isolated && model_.ports[in].isolated) return;
  if (settings.guard && guarded(out, frame)) return;
  emit(out, frame);
}

void Fabric::flood(Bridge& bridge, std::uint32_t in, std::uint16_t vlan, Frame& frame, bool unknown,
                   bool suppressed) {
  const std::uint32_t self = ports_[in].bridge;
  const FloodPlan& plan = this->plan(bridge, self, vlan);
  FloodState* const state = unknown ? &flood_state(self, vlan, frame) : nullptr;
  const std::uint32_t wanted = unknown ? state->towards : kNone;
  const bool was_stray = frame.stray;
  const std::uint16_t tag_in = frame.tag;
  bool copied = !plan.groups.empty() && flood_leaves(plan, in, vlan, frame, unknown, wanted);

  bool withheld = false;
  const bool multicast = is_multicast(frame), is_data = multicast && frame.kind == FrameKind::kUdp;
  const auto what = unknown     ? switching::FloodOf::kUnknownUnicast
                    : multicast ? switching::FloodOf::kMulticast
                                : switching::FloodOf::kBroadcast;
  const bool from_isolated = model_.ports[in].isolated;
  for (const std::uint32_t out : plan.ports) {
    const model::Port& settings = model_.ports[out];
    if ((out == in && !settings.hairpin) || (from_isolated && settings.isolated)) continue;
    if (!switching::takes_flood(model_.ports[in], settings, what)) {
      withheld |= unknown && out == wanted;
      continue;
    }
    if (suppressed && settings.neigh_suppress) continue;
    if (settings.guard && guarded(out, frame)) continue;
    // A plan has members of the VLAN only, so there is a tag to leave with.
    frame.tag = *tag_at(out, vlan, tag_in);
    frame.stray = is_data ? !leads_to_a_taker(self, vlan, frame, out)
                          : was_stray || (unknown && astray(self, vlan, frame, wanted, out));
    emit(out, frame);
    copied = true;
  }
  frame.stray = was_stray;
  if (unknown) {
    const auto& sources = addresses_.stations_with(frame.src);
    observer_.flooded(state->record, frame, sources.empty() ? kNone : sources.front(), in,
                      why_missing(self, vlan, frame.dst), copied, withheld, wires_.now());
  }
}

Fabric::FloodState& Fabric::flood_state(std::uint32_t self, std::uint16_t vlan, const Frame& frame) {
  // On a bridge that knows no VLANs the tag tells apart what its FDB does not.
  const std::uint16_t inside = bridges_[self].vlan_aware ? vlan : frame.tag;
  const std::uint64_t key = base::mix64(std::uint64_t{self} << 44 ^ std::uint64_t{inside} << 32 ^ frame.dst);
  const auto [entry, is_new] = flood_states_.try_emplace(key, FloodState{kUnknown, 0});
  if (is_new)
    entry->second.record = observer_.open_flood(self, vlan, addresses_.mac(frame.dst), wires_.now());
  if (entry->second.towards == kUnknown) entry->second.towards = towards(self, inside, frame.dst);
  return entry->second;
}

// The grouped leaves get copies that are only counted, except where a copy matters and where the frame came
// from. Returns whether anybody got one.
bool Fabric::flood_leaves(const FloodPlan& plan, std::uint32_t in, std::uint16_t vlan, Frame& frame,
                          bool unknown, std::uint32_t wanted) {
  const std::uint32_t self = ports_[in].bridge;
  const bool was_stray = frame.stray;
  spared_.clear();
  spared_ports_.clear();
  const auto spare = [&](std::uint32_t port) {
    if (port == kNone || port == in || ports_[port].bridge != self || ports_[port].lane_out == kNone) return;
    if (wires_.lane(ports_[port].lane_out).group == 0) return;
    if (bridges_[self].vlan_aware && model_.ports[port].pvid != vlan) return;
    if (std::ranges::find(spared_ports_, port) != spared_ports_.end()) return;
    spared_ports_.push_back(port);
    spared_.push_back(ports_[port].lane_out);
  };
  if (frame.dst == kBroadcastAddress) {
    audience_.each(frame, [&](std::uint32_t station) { spare(attachment(station)); });
  } else {
    for (const std::uint32_t station : addresses_.stations_with(frame.dst)) spare(attachment(station));
  }
  const LaneIndex back = ports_[in].lane_out;
  if (back != kNone && wires_.lane(back).group != 0) spared_.push_back(back);

  if (bridges_[self].vlan_aware) frame.tag = 0;  // leaves are untagged members
  const bool is_data = is_multicast(frame) && frame.kind == FrameKind::kUdp;
  frame.stray = was_stray || unknown || is_data;
  std::size_t leaves = 0;
  for (const std::uint32_t group : plan.groups) {
    wires_.send_unseen_to_group(group, frame, spared_);
    leaves += wires_.group(group).count;
  }
  for (const std::uint32_t port : spared_ports_) {
    frame.stray =
        is_data ? !leads_to_a_taker(self, vlan, frame, port) : was_stray || (unknown && port != wanted);
    wires_.send(ports_[port].lane_out, frame);
  }
  frame.stray = was_stray;
  return leaves > spared_.size() - spared_ports_.size();
}

FloodReason Fabric::why_missing(std::uint32_t self, std::uint16_t vlan, AddressIndex address) const {
  const Bridge& bridge = bridges_[self];
  if (!bridge.learns || bridge.ageing.count() == 0) return FloodReason::kNoLearning;
  if (const auto* slot = bridge.fdb.find(vlan, address); slot != nullptr) {
    const bool still_good = wires_.now() - Fdb::heard(*slot) < bridge.configured_ageing;
    return still_good ? FloodReason::kForgotten : FloodReason::kExpired;
  }
  return observer_.was_refused(self, vlan, address) ? FloodReason::kTableFull : FloodReason::kNoEntry;
}

}  // namespace sekimori::simulate
