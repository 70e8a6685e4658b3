// Bonds at work (switching/bond.h): which NIC a frame takes, what its source becomes there, and who is told
// when another NIC takes over. Links are lost at once here; Linux looks every `miimon`, 100 ms by default.
#include "base/assert.h"
#include "simulate/encode.h"
#include "simulate/fabric.h"
#include "wire/ethernet.h"

namespace sekimori::simulate {

using model::PortId;
using switching::Bond;

namespace {

std::uint32_t word_of(const Addresses& addresses, std::uint32_t ip) {
  return is_ipv6(ip) ? switching::folded(addresses.ipv6(ip)) : ip;
}

switching::BondPacket packet_of(const Addresses& addresses, const Frame& frame) {
  switching::BondPacket packet{.destination = addresses.mac(frame.dst), .source = addresses.mac(frame.src)};
  switch (frame.kind) {
    case FrameKind::kArpRequest:
    case FrameKind::kArpReply:
      packet.ethertype = wire::ethertype::kArp;
      return packet;
    case FrameKind::kRarp:
      packet.ethertype = wire::ethertype::kRarp;
      return packet;
    case FrameKind::kLearning:
      packet.ethertype = wire::ethertype::kLoopback;
      return packet;
    case FrameKind::kBeacon:
      packet.ethertype = wire::ethertype::kVmwareBeacon;
      return packet;
    default:
      break;
  }
  const bool v6 = is_ipv6(frame.src_ip) || is_ipv6(frame.dst_ip);
  packet.ethertype = v6 ? wire::ethertype::kIpv6 : wire::ethertype::kIpv4;
  packet.is_ip = true;
  packet.source_ip = word_of(addresses, frame.src_ip);
  packet.destination_ip = word_of(addresses, frame.dst_ip);
  const Ports ports = ports_of(frame);
  if (frame.kind == FrameKind::kEchoRequest || frame.kind == FrameKind::kEchoReply) {
    packet.set_echo(static_cast<std::uint8_t>(ports.source >> 8), 0, ports.destination);
    return packet;
  }
  packet.source_port = ports.source;
  packet.destination_port = ports.destination;
  return packet;
}

}  // namespace

void Fabric::note_bonds() {
  for (std::uint32_t b = 0; b < bridges_.size(); ++b) {
    if (bridges_[b].family != switching::Family::kBonds) continue;
    const auto is_up = [&](PortId port) { return wires_.lane(ports_[port.index()].lane_out).up; };
    BondPlay play{.bond = Bond(model_, model::BridgeId(b), is_up)};
    play.own = addresses_.find(play.bond.own_mac());
    SEKIMORI_ASSERT(play.bond.above().valid());
    for (Bond::Nic nic = 0; nic < play.bond.size(); ++nic) {
      const Port& port = ports_[play.bond.port(nic).index()];
      if (port.lane_out == kNone) continue;
      for (const model::StationId station : model_[model_.bridges[b].machine].stations) {
        if (model_[station].name == model_[play.bond.port(nic)].name)
          bond_nics_.emplace(station.value, port.peer);
      }
    }
    if (switching::balances_load(model_.bridges[b].bond_mode)) {
      play.timer = wires_.add_timer(TimerKind::kBond, b);
      wires_.arm(play.timer, switching::kLearningPacketInterval);
    }
    bonds_.emplace(b, std::move(play));
  }
}

void Fabric::relay_bond(std::uint32_t in, Frame& frame) {
  BondPlay& play = bonds_.at(ports_[in].bridge);
  if (in != play.bond.above().value) {
    const Bond::Nic nic = play.bond.nic_at(PortId(in));
    if (!play.bond.takes(nic, addresses_.mac(frame.dst))) return;
    // bond_handle_frame: for whoever is above, the bond has one MAC.
    if (play.timer != kNone && addresses_.mac(frame.dst) == play.bond.mac(nic)) frame.dst = play.own;
    emit(play.bond.above().value, frame);
    return;
  }
  if (play.timer != kNone && balance_arp(play, frame)) return;
  for (const Bond::Nic nic : play.bond.leaves_by(packet_of(addresses_, frame))) leave_bond(play, nic, frame);
}

void Fabric::leave_bond(const BondPlay& play, Bond::Nic nic, Frame frame) {
  frame.src = addresses_.find(play.bond.source_at(nic, addresses_.mac(frame.src)));
  emit(play.bond.port(nic).value, frame);
}

// balance-alb: ARP of the machine itself leaves by the NIC that the client is to use, and an answer says that
// NIC's MAC. True when that was all.
bool Fabric::balance_arp(BondPlay& play, Frame& frame) {
  const bool is_request = frame.kind == FrameKind::kArpRequest;
  if ((!is_request && frame.kind != FrameKind::kArpReply) || frame.number != play.own) return false;
  const Bond::Nic nic = play.bond.nic_of_client(frame.dst_ip);
  if (nic == Bond::kNoNic) return false;
  if (is_request) {
    leave_bond(play, nic, frame);
    tell_clients(play, frame.src_ip);
    return true;
  }
  play.bond.note_client({frame.dst_ip, frame.src_ip, addresses_.mac(frame.dst), frame.tag});
  frame.number = addresses_.find(play.bond.mac(nic));
  leave_bond(play, nic, frame);
  return true;
}

// Its own question has told everybody the bond's MAC; the clients are told theirs again. Linux does so within
// half a second (RLB_UPDATE_DELAY), here at once.
void Fabric::tell_clients(const BondPlay& play, std::uint32_t machine_ip) {
  for (const auto& [nic, client] : play.bond.notices(machine_ip)) {
    Frame reply;
    reply.kind = FrameKind::kArpReply;
    reply.src = reply.number = addresses_.find(play.bond.mac(nic));
    reply.dst = addresses_.find(client.mac);
    reply.src_ip = client.machine_ip;
    reply.dst_ip = client.ip;
    reply.tag = client.tag;
    reply.sent = wires_.now();
    emit(play.bond.port(nic).value, reply);
  }
}

// The machine's own stations on it, the others behind next_on_port; invalid when a bridge is above.
model::StationId Fabric::first_above(const BondPlay& play) const {
  return model_[model::peer(model_, play.bond.above())].station;
}

void Fabric::set_bond_link(std::uint32_t port, bool up) {
  const std::uint32_t index = ports_[port].bridge;
  BondPlay& play = bonds_.at(index);
  const Bond::Nic nic = play.bond.nic_at(PortId(port));
  if (nic == Bond::kNoNic || !play.bond.set_carrier(nic, up)) return;
  if (play.timer != kNone) {
    send_learning_packets(play);
    tell_clients(play, 0);
    return;
  }
  // num_grat_arp: of the bond's own addresses. What is on a bridge above it is nobody's business.
  for (model::StationId s = first_above(play); s.valid(); s = model_[s].next_on_port) on_new_way(s.value);
}

void Fabric::on_bond_timer(std::uint32_t index) {
  const BondPlay& play = bonds_.at(index);
  wires_.arm(play.timer, wires_.now() + switching::kLearningPacketInterval);
  send_learning_packets(play);
}

void Fabric::send_learning_packets(const BondPlay& play) {
  for (Bond::Nic nic = 0; nic < play.bond.size(); ++nic) {
    if (!play.bond.works(nic)) continue;
    const std::uint32_t port = play.bond.port(nic).value;
    Frame packet;
    packet.kind = FrameKind::kLearning;
    packet.src = packet.dst = addresses_.find(play.bond.mac(nic));
    packet.bytes = kLeastFrameBytes;
    packet.sent = wires_.now();
    // One for each VLAN of the bond (alb_send_learning_packets).
    for (model::StationId s = first_above(play); s.valid(); s = model_[s].next_on_port) {
      if (model_[s].vlan == 0) continue;
      packet.tag = model_[s].vlan;
      emit(port, packet);
    }
    packet.tag = 0;
    emit(port, packet);
  }
}

}  // namespace sekimori::simulate
