// Bridges that snoop (switching/snooping.h), and those that ask who is in which multicast group.
//
// A site in which nobody asks has no need of what Linux' bridges know, as they flood then anyway; so these
// snoop where somebody does.
#include <algorithm>

#include "model/multicast.h"
#include "simulate/fabric.h"

namespace sekimori::simulate {

using switching::Heard;
using switching::Spread;

void Fabric::note_snooping() {
  const bool is_asked = model::has_querier(model_);
  Time first_query = base::milliseconds(1);  // one after the other, so that one is elected
  for (std::uint32_t b = 0; b < bridges_.size(); ++b) {
    const model::Bridge& settings = model_.bridges[b];
    if (!settings.snoops || (settings.kind == model::BridgeKind::kLinuxBridge && !is_asked)) continue;
    bridges_[b].snoops = true;
    SnoopingPlay play{switching::Snooping(settings), {}, kNone, 0};
    if (settings.querier) {
      play.vlans = model::vlans_of(model_, model::BridgeId(b));
      play.timer = wires_.add_timer(TimerKind::kBridgeQuerier, b);
      wires_.arm(play.timer, first_query);
      first_query += base::seconds(1);
    }
    snooping_.emplace(b, std::move(play));
  }
}

// What is to be learnt from the frame, and where it goes.
Spread Fabric::listen(std::uint32_t in, std::uint16_t vlan, const Frame& frame) {
  const Time now = wires_.now();
  const std::uint32_t port = logical(in);
  switching::Snooping& state = snooping_.at(ports_[in].bridge).state;
  switch (frame.kind) {
    case FrameKind::kGroupQuery: {
      const std::uint32_t source = frame.src_ip == kNone ? 0 : frame.src_ip;
      const bool ipv6 = is_ipv6(frame.dst_ip);
      state.query(
          vlan, ipv6 && source == 0 ? wire::link_local(addresses_.mac(frame.src)) : addresses_.group(source),
          switching::kQueryResponse, port, now);
      return state.spread(vlan, addresses_.group(frame.dst_ip), Heard::kQuery, now);
    }
    case FrameKind::kGroupReport: {
      const bool is_old = frame.ack != 0, ipv6 = is_ipv6(frame.dst_ip);
      if (is_old) {
        state.join(vlan, addresses_.group(frame.dst_ip), port, now);
      } else {
        for (const wire::Group& group : model::groups_of(model_, model::StationId(frame.number), ipv6))
          state.join(vlan, group, port, now);
      }
      return state.spread(vlan, addresses_.group(frame.dst_ip), is_old ? Heard::kOldReport : Heard::kReport,
                          now);
    }
    case FrameKind::kNeighborSolicitation:
      return state.spread(vlan, wire::solicited_node(addresses_.ipv6(frame.dst_ip)), Heard::kPacket, now);
    case FrameKind::kUdp:
      return state.spread(vlan, addresses_.group(frame.dst_ip), Heard::kPacket, now);
    default:  // to all nodes, or of VRRP and HSRP
      return Spread::kEverywhere;
  }
}

// A member of the group that it goes to, or a router, which may hand it on.
bool Fabric::leads_to_a_taker(std::uint32_t bridge, std::uint16_t vlan, const Frame& frame,
                              std::uint32_t port) {
  const std::uint16_t inside = bridges_[bridge].vlan_aware ? vlan : frame.tag;
  return audience_.any_taker(frame.dst_ip, [&](std::uint32_t station) {
    const Ways& ways = ways_to(station);
    const auto way = ways.find(std::uint64_t{bridge} << 16 | inside);
    return way != ways.end() && way->second == port;
  });
}

void Fabric::multicast(std::uint32_t in, std::uint16_t vlan, Frame& frame, Spread spread) {
  const std::uint32_t self = ports_[in].bridge;
  const bool asks = frame.kind == FrameKind::kNeighborSolicitation;
  const wire::Group group =
      asks ? wire::solicited_node(addresses_.ipv6(frame.dst_ip)) : addresses_.group(frame.dst_ip);
  const std::uint16_t tag_in = frame.tag;
  const bool is_data = frame.kind == FrameKind::kUdp;
  for (const std::uint32_t out : snooping_.at(self).state.ports(vlan, group, spread, wires_.now())) {
    const model::Port& settings = model_.ports[out];
    if (ports_[out].blocked || (out == logical(in) && !settings.hairpin) || !any_member_up(out) ||
        (settings.isolated && model_.ports[in].isolated))
      continue;
    const auto tag = tag_at(out, vlan, tag_in);
    if (!tag) continue;
    frame.tag = *tag;
    if (is_data) frame.stray = !leads_to_a_taker(self, vlan, frame, out);
    emit(out, frame);
  }
}

void Fabric::on_querier_timer(std::uint32_t bridge) {
  SnoopingPlay& play = snooping_.at(bridge);
  // Twice in the beginning, a quarter as long apart (RFC 3376 section 8.6).
  wires_.arm(play.timer,
             wires_.now() + (play.asked++ == 0 ? switching::kStartupQuery : switching::kQueryInterval));
  for (const std::uint16_t vlan : play.vlans) {
    for (const bool ipv6 : {false, true}) {
      const wire::Group own = ipv6 ? wire::link_local(model::querier_mac(model_, model::BridgeId(bridge)))
                                   : wire::to_group(model_.bridges[bridge].querier_ip);
      if (model::asks_for(model_, model::BridgeId(bridge), ipv6) && play.state.asks(vlan, own, wires_.now()))
        ask(bridge, vlan, ipv6);
    }
  }
}

void Fabric::ask(std::uint32_t bridge, std::uint16_t vlan, bool ipv6) {
  const model::Bridge& settings = model_.bridges[bridge];
  Frame query;
  query.kind = FrameKind::kGroupQuery;
  query.src = addresses_.find(model::querier_mac(model_, model::BridgeId(bridge)));
  query.src_ip = ipv6 || settings.querier_ip.is_zero() ? kNone : settings.querier_ip.bits;
  query.dst_ip = ipv6 ? addresses_.all_nodes() : wire::kAllHosts.bits;
  query.ack = 1;  // IGMPv2 and MLDv1: what Linux' bridge and switches ask in unless told otherwise
  query.bytes = ipv6 ? wire::kOldMldBytes : kLeastFrameBytes;
  query.sent = wires_.now();
  for (const model::PortId id : settings.ports) {
    const std::uint32_t out = id.value;
    if (ports_[out].lane_out == kNone || ports_[out].blocked || logical(out) != out || !any_member_up(out))
      continue;
    const auto tag = tag_at(out, vlan, 0);
    if (!tag) continue;
    query.tag = *tag;
    emit(out, query);
  }
}

std::vector<GroupEntry> Fabric::group_entries() const {
  std::vector<GroupEntry> entries;
  for (std::uint32_t b = 0; b < bridges_.size(); ++b) {
    const auto play = snooping_.find(b);
    if (play == snooping_.end()) continue;
    for (const auto& member : play->second.state.members(wires_.now()))
      entries.push_back({model::BridgeId(b), member.vlan, member.group, model::PortId(member.port)});
  }
  return entries;
}

}  // namespace sekimori::simulate
