#include "simulate/stacks.h"

#include <algorithm>

#include "base/random.h"
#include "model/multicast.h"
#include "model/nlb.h"
#include "model/routing.h"
#include "switching/vxlan.h"

namespace sekimori::simulate {

using model::FlowKind;

namespace {

constexpr std::uint32_t kLargestPayload = 1448;           // of a response's frames
constexpr Duration kDelayedAck = base::milliseconds(40);  // Linux: TCP_DELACK_MIN

std::uint16_t frame_bytes(std::uint32_t payload, std::uint16_t headers) {
  return static_cast<std::uint16_t>(std::max<std::uint32_t>(kLeastFrameBytes, payload + headers));
}

// Frames that travel from a flow's `to` back to its `from`.
bool is_backward(FrameKind kind) {
  return kind == FrameKind::kResponse || kind == FrameKind::kEchoReply || kind == FrameKind::kTcpAck ||
         kind == FrameKind::kTcpSynAck;
}

}  // namespace

Stacks::Stacks(const model::Model& model, const Addresses& addresses, Audience& audience, Wires& wires,
               Observer& observer, Fabric& fabric)
    : model_(model),
      addresses_(addresses),
      wires_(wires),
      observer_(observer),
      fabric_(fabric),
      neighbours_(model, addresses, audience, wires, observer, *this),
      first_hops_(model, wires, observer, fabric, neighbours_, *this),
      listeners_(model, addresses, audience, wires, *this),
      sent_(model.stations.size(), 0) {
  for (const model::Machine& machine : model.machines) running_.push_back(machine.running);
  for (const model::Flow& flow : model.flows) {
    FlowState state{.from_machine = flow.from.value, .to_machine = flow.to.value};
    find_ends(model::FlowId(flows_.size()), state);
    const bool tcp = flow.kind == FlowKind::kTcp;
    const std::uint16_t beyond = flow.ipv6 ? kIpv6Beyond : 0;
    const auto headers =
        static_cast<std::uint16_t>((tcp ? kEthernetIpTcpBytes : kEthernetIpUdpBytes) + beyond);
    state.frame_bytes = frame_bytes(flow.payload, headers);
    state.interval = model::interval_of(flow);
    if (flow.kind == FlowKind::kRequest) {
      const std::uint32_t response = std::max<std::uint32_t>(flow.response, 1);
      state.response_frames = static_cast<std::uint16_t>((response + kLargestPayload - 1) / kLargestPayload);
      state.response_bytes = frame_bytes(response / state.response_frames,
                                         static_cast<std::uint16_t>(kEthernetIpUdpBytes + beyond));
    }
    flows_.push_back(state);
  }
}

void Stacks::find_ends(model::FlowId id, FlowState& state) const {
  const model::Flow& flow = model_[id];
  const auto ip_of = [&](model::StationId s) {
    return flow.ipv6 ? addresses_.ip6_of_station(s.value) : model_[s].ip.address.bits;
  };
  if (flow.is_multicast()) {
    state.to_ip = addresses_.find_group(flow.group);
    state.from_ip = state.seen_ip = ip_of(flow.from_station);
    for (std::uint32_t s = 0; s < model_.stations.size(); ++s) {
      if (model::is_member(model_, model::StationId(s), flow.group) &&
          model_.stations[s].machine != flow.from)
        state.members.push_back({id, model::StationId(s)});
    }
    return;
  }
  for (const model::StationId s : model_[flow.to].stations) {
    if (state.to_ip == 0) state.to_ip = ip_of(s);
  }
  if (flow.to_station.valid()) state.to_ip = ip_of(flow.to_station);
  if (state.to_ip == 0) return;
  model::StationId out = flow.from_station;
  if (!out.valid() && flow.ipv6) out = next_hop(model_, flow.from, addresses_.ipv6(state.to_ip)).station;
  if (!out.valid() && !flow.ipv6) out = next_hop(model_, flow.from, model::Ipv4{state.to_ip}).station;
  if (out.valid()) state.from_ip = state.seen_ip = ip_of(out);
}

void Stacks::start() {
  first_hops_.start(running_);
  listeners_.start(running_);
  announce_timers_.assign(model_.machines.size(), kNone);
  nd_timers_.assign(model_.machines.size(), kNone);
  for (std::uint32_t m = 0; m < model_.machines.size(); ++m) {
    const model::Machine& machine = model_.machines[m];
    announce_timers_[m] = announce_at_times(m, machine.arp, TimerKind::kAnnounce);
    const bool speaks_ipv6 = std::ranges::any_of(
        machine.stations, [&](model::StationId s) { return addresses_.ip6_of_station(s.value) != 0; });
    if (!speaks_ipv6) continue;
    nd_timers_[m] = announce_at_times(m, machine.nd, TimerKind::kAnnounceNd);
    if (machine.advertise_every.count() == 0) continue;
    const TimerIndex timer = wires_.add_timer(TimerKind::kAdvertiseRouter, m);
    router_timers_.emplace(m, timer);
    wires_.arm(timer, model::until_next_advertisement(model_, model::MachineId(m), advertised_++));
  }
  for (std::uint32_t f = 0; f < flows_.size(); ++f) {
    FlowState& flow = flows_[f];
    if (flow.from_ip == 0 || flow.to_ip == 0) continue;
    flow.source = wires_.add_timer(TimerKind::kSource, f);
    // Neither do applications; but not before the machines have announced themselves.
    const std::int64_t spread =
        std::clamp<std::int64_t>(flow.interval.count(), 1, base::milliseconds(10).count());
    const Duration offset{static_cast<std::int64_t>(base::mix64(model_.seed ^ ~std::uint64_t{f}) %
                                                    static_cast<std::uint64_t>(spread))};
    wires_.arm(flow.source, model_.flows[f].start + base::milliseconds(2) + offset);
  }
}

// Machines do not start in step: each has its own fraction of a millisecond.
TimerIndex Stacks::announce_at_times(std::uint32_t m, const model::ArpSettings& settings, TimerKind kind) {
  if (!settings.announce_at_start && settings.announce_every.count() == 0) return kNone;
  const TimerIndex timer = wires_.add_timer(kind, m);
  if (!running_[m]) return timer;
  const Duration offset{static_cast<std::int64_t>(base::mix64(model_.seed ^ m) % 1'000'000'000)};
  wires_.arm(timer, settings.announce_at_start ? offset : offset + settings.announce_every);
  return timer;
}

// ---------------------------------------------------------------- frames in and out

void Stacks::transmit(std::uint32_t station, Frame& frame) {
  if (!running_[model_.stations[station].machine.index()] || !first_hops_.has_address(station)) return;
  const LaneIndex lane = fabric_.lane_out(fabric_.port_of(station));
  if (lane == kNone) return;
  frame.src = addresses_.source_of(station);
  frame.tag = model_.stations[station].vlan;
  frame.hops = 0;
  if (frame.kind != FrameKind::kVxlan) frame.stray = false;
  ++sent_[station];
  wires_.send(lane, frame);
}

NeighbourIndex Stacks::route(std::uint32_t machine, std::uint32_t ip) {
  const auto [known, is_new] = routes_.try_emplace(std::uint64_t{machine} << 32 | ip, kNone);
  if (is_new && is_ipv6(ip)) {
    const auto hop = model::next_hop(model_, model::MachineId(machine), addresses_.ipv6(ip));
    if (hop.station.valid())
      known->second = neighbours_.entry(hop.station.value, addresses_.find(hop.address));
  } else if (is_new) {
    const auto hop = model::next_hop(model_, model::MachineId(machine), model::Ipv4{ip});
    if (hop.station.valid()) known->second = neighbours_.entry(hop.station.value, hop.address.bits);
  }
  return known->second;
}

void Stacks::send(std::uint32_t machine, Frame& frame) {
  if (!running_[machine]) return;
  const NeighbourIndex neighbour = route(machine, frame.dst_ip);
  if (neighbour != kNone) neighbours_.send(neighbour, frame);
}

bool Stacks::owns(std::uint32_t machine, std::uint32_t ip) const {
  return std::ranges::any_of(model_.machines[machine].stations, [&](model::StationId s) {
    return (is_ipv6(ip) ? addresses_.ip6_of_station(s.value) : model_[s].ip.address.bits) == ip &&
           first_hops_.has_address(s.value);
  });
}

// A VLAN device with an address of its own takes what is for its NIC's, too: it only adds to what is for the
// machine (net/8021q/vlan_core.c, vlan_do_receive).
bool Stacks::is_for_its_nic(model::StationId vlan_device, AddressIndex destination) const {
  if (model_[vlan_device].vlan == 0) return false;
  model::StationId nic = model_[model_[vlan_device].port].station;
  while (nic.valid() && model_[nic].vlan != 0) nic = model_[nic].next_on_port;
  return nic.valid() && addresses_.of_station(nic.value) == destination;
}

void Stacks::receive(std::uint32_t port, Frame& frame) {
  for (model::StationId id = model_.ports[port].station; id.valid(); id = model_[id].next_on_port) {
    const model::Station& station = model_[id];
    if (station.vlan != frame.tag || !running_[station.machine.index()]) continue;
    if (!first_hops_.has_address(id.value)) continue;
    const bool mine = addresses_.of_station(id.value) == frame.dst || is_for_its_nic(id, frame.dst);
    if (!mine && frame.dst != kBroadcastAddress) continue;
    if (frame.kind == FrameKind::kAdvertisement) {
      first_hops_.receive(id.value, frame);
      continue;
    }
    if (is_multicast(frame) && !is_discovery(frame.kind)) {
      if (frame.kind == FrameKind::kGroupQuery) listeners_.asked(id.value, frame);
      if (frame.kind == FrameKind::kUdp) take_from_group(id.value, frame);
      continue;
    }
    if (frame.kind == FrameKind::kArpRequest || frame.kind == FrameKind::kArpReply) {
      neighbours_.receive(id.value, frame);
    } else if (is_discovery(frame.kind)) {
      neighbours_.receive_discovery(id.value, frame);
    } else if (mine) {
      take(id.value, frame);
      return;
    }
  }
}

void Stacks::take(std::uint32_t station, Frame& frame) {
  const std::uint32_t machine = model_.stations[station].machine.value;
  if (owns(machine, frame.dst_ip)) {
    if (frame.kind == FrameKind::kVxlan) return leave_tunnel(machine, frame);
    if (!turn_back(machine, frame)) deliver(machine, station, frame);
    return;
  }
  if (model::forwards(model_, model::MachineId(machine))) {
    forward(station, frame);
    return;
  }
  // The members of a cluster all hear what is for any of them.
  if (model_.stations[station].hides_its_mac()) return;
  const auto& owners = addresses_.owners_of_ip(frame.dst_ip);
  observer_.misdelivered(station, owners.empty() ? kNone : owners.front(), wires_.now());
}

void Stacks::forward(std::uint32_t station, Frame& frame) {
  const std::uint32_t machine = model_.stations[station].machine.value;
  const NeighbourIndex neighbour = route(machine, frame.dst_ip);
  if (--frame.ttl == 0 || neighbour == kNone || !running_[machine]) return;
  const model::StationId out(neighbours_.station_of(neighbour));
  const bool translates = !is_ipv6(frame.dst_ip);  // libvirt routes IPv6 unless told otherwise
  switch (translates ? model::passage(model_, model::StationId(station), out) : model::Passage::kAsItIs) {
    case model::Passage::kRefused:
      return;
    case model::Passage::kTranslated:
      translations_[std::uint64_t{machine} << 32 | frame.flow] = {model_[out].ip.address.bits, frame.src_ip};
      frame.src_ip = model_[out].ip.address.bits;
      break;
    case model::Passage::kAsItIs:
      break;
  }
  neighbours_.send(neighbour, frame);
}

// An answer to what has been translated here goes on to whom it is meant for.
bool Stacks::turn_back(std::uint32_t machine, Frame& frame) {
  if (translations_.empty() || !is_backward(frame.kind)) return false;
  const auto known = translations_.find(std::uint64_t{machine} << 32 | frame.flow);
  if (known == translations_.end() || known->second.shown != frame.dst_ip) return false;
  frame.dst_ip = known->second.hidden;
  if (--frame.ttl > 0) send(machine, frame);
  return true;
}

void Stacks::deliver(std::uint32_t machine, std::uint32_t station, const Frame& frame) {
  const std::uint32_t f = frame.flow;
  FlowState& flow = flows_[f];
  if (const model::StationId to = model_.flows[f].to_station;
      to.valid() && model_[to].shared.valid() && !is_backward(frame.kind)) {
    if (!takes_shared(machine, to, frame)) return;
    flow.to_machine = machine;
  }
  const std::uint32_t meant = is_backward(frame.kind) ? flow.from_machine : flow.to_machine;
  if (machine != meant) {
    // Another machine with the same IP address. It would answer a ping as well as the right one does.
    const auto& stations = model_.machines[meant].stations;
    observer_.misdelivered(station, stations.empty() ? kNone : stations.front().value, wires_.now());
    if (frame.kind != FrameKind::kEchoRequest) return;
  }
  if (!is_backward(frame.kind)) flow.seen_ip = frame.src_ip;
  switch (frame.kind) {
    case FrameKind::kUdp:
      count_delivery(flow, frame, model_.flows[f].payload);
      return;
    case FrameKind::kRequest:
    case FrameKind::kEchoRequest: {
      count_delivery(flow, frame, model_.flows[f].payload);
      const bool ping = frame.kind == FrameKind::kEchoRequest;
      Frame answer = make(f, ping ? FrameKind::kEchoReply : FrameKind::kResponse, true);
      answer.number = frame.number;
      answer.sent = frame.sent;
      answer.bytes = ping ? frame.bytes : flow.response_bytes;
      for (std::uint32_t left = ping ? 1 : flow.response_frames; left > 0; --left) {
        answer.ack = left;
        send(machine, answer);
      }
      return;
    }
    case FrameKind::kResponse:
    case FrameKind::kEchoReply:
      flow.counters.answered += frame.kind == FrameKind::kEchoReply || frame.ack == 1;
      return;
    case FrameKind::kTcpSyn: {
      Frame answer = make(f, FrameKind::kTcpSynAck, true);
      answer.sent = frame.sent;
      send(machine, answer);
      return;
    }
    case FrameKind::kTcpSynAck:
    case FrameKind::kTcpAck:
      tcp_on_ack(f, frame);
      return;
    case FrameKind::kTcpData:
      tcp_on_data(f, frame);
      return;
    case FrameKind::kArpRequest:
    case FrameKind::kArpReply:
    case FrameKind::kNeighborSolicitation:
    case FrameKind::kNeighborAdvertisement:
    case FrameKind::kRouterAdvertisement:
    case FrameKind::kGroupQuery:
    case FrameKind::kGroupReport:
    case FrameKind::kRarp:
    case FrameKind::kLearning:
    case FrameKind::kBeacon:
    case FrameKind::kBpdu:
    case FrameKind::kAdvertisement:
    case FrameKind::kVxlan:
      return;
  }
}

// Whether the machine is the one that answers what this client sends to a shared address.
bool Stacks::takes_shared(std::uint32_t machine, model::StationId alias, const Frame& frame) {
  const model::SharedAddress& shared = model_[model_[alias].shared];
  if (shared.kind != model::SharedKind::kNlb) return true;  // only the master has the address
  const auto self = std::ranges::find_if(
      shared.members, [&](const auto& member) { return model_[member.nic].machine.value == machine; });
  if (self == shared.members.end()) return false;
  // Members that don't reach each other are clusters of their own.
  const auto alive = [&](const auto& member) {
    return running_[model_[member.nic].machine.index()] && fabric_.reaches(self->nic.value, member.nic.value);
  };
  const auto serving = model::serving(shared, {frame.src_ip}, alive);
  return serving.nic.valid() && model_[serving.nic].machine.value == machine;
}

// ---------------------------------------------------------------- tunnels

void Stacks::enter_tunnel(std::uint32_t port, const Frame& inner) {
  constexpr std::size_t kRemembered = std::size_t{1} << 20;
  const std::uint32_t to = model::peer(model_, model::PortId(port)).value;
  const model::Bridge& from_end = model_[model_.ports[port].bridge];
  const model::Bridge& to_end = model_[model_.ports[to].bridge];
  const std::uint32_t number = next_tunnelled_++;
  if (tunnelled_.size() < kRemembered) tunnelled_.emplace_back();
  tunnelled_[number % kRemembered] = {number, to, inner};
  Frame packet;
  packet.kind = FrameKind::kVxlan;
  packet.flow = inner.flow;
  packet.number = number;
  packet.src_ip = model_[from_end.underlay].ip.address.bits;
  packet.dst_ip = model_[to_end.underlay].ip.address.bits;
  packet.bytes = static_cast<std::uint16_t>(inner.wire_bytes() + switching::kVxlanBytes);
  packet.sent = wires_.now();
  packet.stray = inner.stray;
  send(from_end.machine.value, packet);
}

const Stacks::Inside* Stacks::inside(const Frame& packet) const {
  const Inside& found = tunnelled_[packet.number % std::max<std::size_t>(tunnelled_.size(), 1)];
  return found.number == packet.number ? &found : nullptr;
}

void Stacks::leave_tunnel(std::uint32_t machine, const Frame& packet) {
  const Inside* const found = inside(packet);
  if (found == nullptr || model_[model_.ports[found->to_port].bridge].machine.value != machine) return;
  Frame inner = found->frame;
  fabric_.receive(found->to_port, inner);
}

// ---------------------------------------------------------------- traffic

Frame Stacks::make(std::uint32_t f, FrameKind kind, bool backward) const {
  const FlowState& flow = flows_[f];
  Frame frame;
  frame.kind = kind;
  frame.flow = f;
  frame.src_ip = backward ? flow.to_ip : flow.from_ip;
  frame.dst_ip = backward ? flow.seen_ip : flow.to_ip;
  frame.bytes = static_cast<std::uint16_t>(kEthernetIpTcpBytes + (model_.flows[f].ipv6 ? kIpv6Beyond : 0));
  frame.sent = wires_.now();
  return frame;
}

bool Stacks::active(std::uint32_t f) const {
  return running_[flows_[f].from_machine] && wires_.now() < model_.flows[f].stop;
}

void Stacks::on_timer(TimerKind kind, std::uint32_t subject) {
  switch (kind) {
    case TimerKind::kNeighbour:
      neighbours_.on_timer(subject);
      return;
    case TimerKind::kSource:
      on_source(subject);
      return;
    case TimerKind::kRetransmit:
      tcp_on_timer(subject);
      return;
    case TimerKind::kDelayedAck:
      tcp_acknowledge(subject);
      return;
    case TimerKind::kAnnounce:
      if (!running_[subject]) return;
      announce(model::MachineId(subject));
      if (const Duration every = model_.machines[subject].arp.announce_every; every.count() > 0) {
        wires_.arm(announce_timers_[subject], wires_.now() + every);
      }
      return;
    case TimerKind::kAnnounceNd:
      if (!running_[subject]) return;
      announce_nd(model::MachineId(subject));
      if (const Duration every = model_.machines[subject].nd.announce_every; every.count() > 0)
        wires_.arm(nd_timers_[subject], wires_.now() + every);
      return;
    case TimerKind::kAdvertiseRouter:
      advertise_router(subject);
      return;
    case TimerKind::kFirstHop:
      first_hops_.on_timer(subject);
      return;
    case TimerKind::kReport:
      listeners_.report(subject, running_);
      return;
    case TimerKind::kQuerier:
      listeners_.ask(subject, running_);
      return;
    case TimerKind::kBridgeQuerier:
    case TimerKind::kChange:
    case TimerKind::kSpanningTree:
    case TimerKind::kBond:
    case TimerKind::kBeacon:
      return;
  }
}

void Stacks::on_source(std::uint32_t f) {
  FlowState& flow = flows_[f];
  const model::Flow& settings = model_.flows[f];
  if (wires_.now() >= settings.stop) return;
  if (settings.kind == FlowKind::kTcp) {
    flow.connected ? tcp_pump(f) : tcp_connect(f);
    return;
  }
  wires_.arm(flow.source, wires_.now() + flow.interval);
  if (!active(f)) return;
  constexpr FrameKind kKinds[] = {FrameKind::kUdp, FrameKind::kRequest, FrameKind::kEchoRequest};
  Frame frame = make(f, kKinds[static_cast<std::size_t>(settings.kind)], false);
  frame.bytes = flow.frame_bytes;
  frame.number = flow.next_number++;
  flow.counters.offered_bytes += settings.payload;
  ++flow.counters.sent_frames;
  if (settings.is_multicast()) return send_to_group(f, frame);
  send(flow.from_machine, frame);
}

// From the NIC that it is said to leave by; no router hands it on.
void Stacks::send_to_group(std::uint32_t f, Frame& frame) {
  frame.dst = kBroadcastAddress;
  frame.ttl = 1;
  transmit(model_.flows[f].from_station.value, frame);
}

void Stacks::take_from_group(std::uint32_t station, const Frame& frame) {
  const auto member = std::ranges::find(flows_[frame.flow].members, station,
                                        [](const Reception& r) { return r.member.value; });
  if (member == flows_[frame.flow].members.end()) return;
  ++member->frames;
  member->bytes += model_.flows[frame.flow].payload;
  if (const Duration gap = wires_.now() - member->last;
      member->last >= Time{0} && gap > member->longest_gap) {
    member->longest_gap = gap;
    member->longest_gap_end = wires_.now();
  }
  member->last = wires_.now();
  flows_[frame.flow].delay_of_members += wires_.now() - frame.sent;
}

void Stacks::count_delivery(FlowState& flow, const Frame& frame, std::int64_t payload) {
  ++flow.counters.delivered_frames;
  flow.counters.delivered_bytes += payload;
  flow.counters.delay_sum += wires_.now() - frame.sent;
}

void Stacks::tcp_connect(std::uint32_t f) {
  FlowState& flow = flows_[f];
  if (flow.retransmit == kNone) flow.retransmit = wires_.add_timer(TimerKind::kRetransmit, f);
  const int backoff = std::min<int>(flow.syn_tries++, 6);
  wires_.arm(flow.retransmit, wires_.now() + base::seconds(std::int64_t{1} << backoff));
  if (!active(f)) return;
  Frame syn = make(f, FrameKind::kTcpSyn, false);
  send(flow.from_machine, syn);
}

std::uint32_t Stacks::tcp_available(std::uint32_t f) const {
  const Duration interval = flows_[f].interval;
  if (interval.count() == 0) return ~std::uint32_t{0};
  const Time until = std::min(wires_.now(), model_.flows[f].stop);
  return static_cast<std::uint32_t>(std::max<std::int64_t>((until - model_.flows[f].start) / interval, 0));
}

void Stacks::tcp_pump(std::uint32_t f) {
  FlowState& flow = flows_[f];
  if (!active(f)) {
    // Switched off: look again now and then.
    if (wires_.now() < model_.flows[f].stop) wires_.arm(flow.source, wires_.now() + base::seconds(1));
    return;
  }
  const std::uint32_t available = tcp_available(f);
  while (flow.sender.may_send(available)) tcp_send_segment(f, flow.sender.take_next());
  if (flow.sender.in_flight() && !wires_.armed(flow.retransmit)) {
    wires_.arm(flow.retransmit, wires_.now() + flow.sender.timeout());
  }
  // All written has been sent: wake when the application writes the next segment.
  if (flow.sender.next() >= available && flow.interval.count() > 0) {
    const Time next = model_.flows[f].start + flow.interval * (std::int64_t{available} + 1);
    if (next < model_.flows[f].stop) wires_.arm(flow.source, next);
  }
}

void Stacks::tcp_send_segment(std::uint32_t f, std::uint32_t number) {
  FlowState& flow = flows_[f];
  Frame frame = make(f, FrameKind::kTcpData, false);
  frame.bytes = flow.frame_bytes;
  frame.number = number;
  ++flow.counters.sent_frames;
  flow.counters.repeated_frames += number < flow.next_number;
  flow.next_number = std::max(flow.next_number, number + 1);
  send(flow.from_machine, frame);
}

void Stacks::tcp_on_timer(std::uint32_t f) {
  FlowState& flow = flows_[f];
  if (!flow.connected) {
    tcp_connect(f);
    return;
  }
  if (!flow.sender.in_flight()) return;
  flow.sender.on_timeout();
  tcp_pump(f);
}

void Stacks::tcp_on_data(std::uint32_t f, const Frame& frame) {
  FlowState& flow = flows_[f];
  const auto outcome = flow.receiver.on_segment(frame.number);
  count_delivery(flow, frame, std::int64_t{outcome.advanced} * model_.flows[f].payload);
  flow.last_echo = frame.sent;
  if (outcome.acknowledge_now) {
    tcp_acknowledge(f);
  } else {
    if (flow.delayed_ack == kNone) flow.delayed_ack = wires_.add_timer(TimerKind::kDelayedAck, f);
    wires_.arm(flow.delayed_ack, wires_.now() + kDelayedAck);
  }
}

void Stacks::tcp_acknowledge(std::uint32_t f) {
  FlowState& flow = flows_[f];
  if (flow.delayed_ack != kNone) wires_.disarm(flow.delayed_ack);
  flow.receiver.acknowledged();
  Frame ack = make(f, FrameKind::kTcpAck, true);
  ack.ack = flow.receiver.expected();
  ack.sent = flow.last_echo;
  send(flow.to_machine, ack);
}

void Stacks::tcp_on_ack(std::uint32_t f, const Frame& frame) {
  FlowState& flow = flows_[f];
  if (!flow.connected) {
    flow.connected = true;
    wires_.disarm(flow.retransmit);
    tcp_pump(f);
    return;
  }
  if (frame.kind == FrameKind::kTcpSynAck) return;
  const auto reaction = flow.sender.on_ack(frame.ack, wires_.now() - frame.sent);
  if (reaction == TcpSender::Reaction::kNothing) {
    tcp_pump(f);
    return;
  }
  if (frame.ack >= flow.sender.acknowledged()) {
    const NeighbourIndex neighbour = route(flow.from_machine, flow.to_ip);
    if (neighbour != kNone) neighbours_.confirm(neighbour);
  }
  if (reaction == TcpSender::Reaction::kRetransmit) tcp_send_segment(f, flow.sender.acknowledged());
  if (flow.sender.in_flight()) {
    wires_.arm(flow.retransmit, wires_.now() + flow.sender.timeout());
  } else {
    wires_.disarm(flow.retransmit);
  }
  tcp_pump(f);
}

// ---------------------------------------------------------------- changes and counters

void Stacks::set_running(model::MachineId machine, bool running) {
  running_[machine.index()] = running;
  first_hops_.set_running(machine, running);
  listeners_.set_running(machine, running);
  if (!running) return;
  for (const TimerIndex timer : {announce_timers_[machine.index()], nd_timers_[machine.index()]}) {
    if (timer != kNone) wires_.arm(timer, wires_.now() + base::milliseconds(1));
  }
  // Whether anybody has the address already is asked before anything else is sent (RFC 4862 section 5.4). The
  // second that follows is not waited.
  for (const model::StationId station : model_[machine].stations) neighbours_.probe_duplicates(station.value);
}

void Stacks::announce(model::MachineId machine) {
  for (const model::StationId station : model_[machine].stations) neighbours_.announce(station.value);
}

void Stacks::announce(model::StationId station) {
  neighbours_.announce(station.value);
  neighbours_.advertise(station.value);
}

void Stacks::announce_nd(model::MachineId machine) {
  for (const model::StationId station : model_[machine].stations) neighbours_.advertise(station.value);
}

void Stacks::advertise_router(std::uint32_t machine) {
  const model::MachineId router(machine);
  wires_.arm(router_timers_.at(machine),
             wires_.now() + model::until_next_advertisement(model_, router, advertised_++));
  if (!running_[machine]) return;
  for (const model::StationId station : model_.machines[machine].stations)
    neighbours_.advertise_router(station.value);
}

// What the member got that got least, at the delay of all.
void Stacks::count_worst_member(const FlowState& flow, FlowCounters& counters) {
  const auto& worst = *std::ranges::min_element(flow.members, {}, &Reception::frames);
  std::int64_t all = 0;
  for (const Reception& member : flow.members) all += member.frames;
  counters.delivered_frames = worst.frames;
  counters.delivered_bytes = worst.bytes;
  counters.delay_sum = all > 0 ? flow.delay_of_members / all * worst.frames : Duration{0};
}

std::vector<Reception> Stacks::receptions() const {
  std::vector<Reception> all;
  for (const FlowState& flow : flows_) all.insert(all.end(), flow.members.begin(), flow.members.end());
  return all;
}

std::vector<FlowCounters> Stacks::counters() const {
  std::vector<FlowCounters> counters;
  counters.reserve(flows_.size());
  for (std::uint32_t f = 0; f < flows_.size(); ++f) {
    FlowCounters c = flows_[f].counters;
    if (!flows_[f].members.empty()) count_worst_member(flows_[f], c);
    if (model_.flows[f].kind == FlowKind::kTcp) {
      c.offered_bytes =
          flows_[f].interval.count() > 0 ? std::int64_t{tcp_available(f)} * model_.flows[f].payload : 0;
    }
    c.lost_frames = std::max<std::int64_t>(c.sent_frames - c.delivered_frames, 0);
    counters.push_back(c);
  }
  return counters;
}

}  // namespace sekimori::simulate
