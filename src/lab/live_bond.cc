#include "lab/live_bond.h"

#include <algorithm>
#include <cstring>

#include "wire/emit.h"

namespace sekimori::lab {

using model::Mac;
using model::PortId;
using switching::Bond;

namespace {

constexpr std::size_t kSourceAt = 6, kMacBytes = 6, kArpSenderAt = 8;  // the last behind the EtherType

wire::Bytes octets(LiveBond::Bytes frame) {
  return {reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()};
}

void put_mac(std::vector<std::byte>& frame, std::size_t at, Mac mac) {
  std::memcpy(&frame[at], mac.octets().data(), kMacBytes);
}

switching::BondPacket read_packet(const wire::Packet& frame, const wire::Ethernet& ethernet) {
  switching::BondPacket packet{
      .destination = ethernet.destination, .source = ethernet.source, .ethertype = ethernet.type};
  if (const auto* ip = frame.get<wire::Ipv4Header>()) {
    packet.is_ip = true;
    packet.source_ip = ip->source.bits;
    packet.destination_ip = ip->destination.bits;
  } else if (const auto* ip6 = frame.get<wire::Ipv6Header>()) {
    packet.is_ip = true;
    packet.source_ip = switching::folded(ip6->source);
    packet.destination_ip = switching::folded(ip6->destination);
  }
  const auto set_ports = [&](std::uint16_t source, std::uint16_t destination) {
    packet.source_port = source;
    packet.destination_port = destination;
  };
  if (const auto* udp = frame.get<wire::Udp>()) set_ports(udp->source_port, udp->destination_port);
  if (const auto* tcp = frame.get<wire::Tcp>()) set_ports(tcp->source_port, tcp->destination_port);
  if (const auto* icmp = frame.get<wire::Icmp>(); icmp != nullptr && icmp->is_echo())
    packet.set_echo(icmp->type, icmp->code, icmp->id);
  return packet;
}

wire::FrameShape shape(Mac destination, Mac source, std::uint16_t tag) {
  wire::FrameShape shape{.destination = destination, .source = source};
  if (tag != 0) shape.tag = wire::VlanTag{.vid = tag};
  return shape;
}

}  // namespace

LiveBond::LiveBond(const model::Model& site, model::BridgeId id,
                   const std::function<bool(PortId)>& has_carrier, Send send)
    : site_(site),
      balances_(switching::balances_load(site[id].bond_mode)),
      bond_(site, id, has_carrier),
      send_(std::move(send)) {
  for (model::StationId s = site[model::peer(site, bond_.above())].station; s.valid();
       s = site[s].next_on_port)
    stations_.push_back(s);
  if (balances_) due_ = switching::kLearningPacketInterval;
}

void LiveBond::receive(PortId in, Bytes bytes) {
  const wire::Packet frame = wire::decode(wire::LinkType::ethernet, octets(bytes));
  const auto* ethernet = frame.get<wire::Ethernet>();
  if (ethernet == nullptr) return;
  if (in != bond_.above()) {
    const Nic nic = bond_.nic_at(in);
    if (nic == Bond::kNoNic || !bond_.takes(nic, ethernet->destination)) return;
    if (!balances_ || ethernet->destination != bond_.mac(nic)) return send_(bond_.above(), bytes);
    scratch_.assign(bytes.begin(), bytes.end());
    put_mac(scratch_, 0, bond_.own_mac());
    return send_(bond_.above(), scratch_);
  }
  if (balances_ && balance_arp(frame, bytes)) return;
  for (const Nic nic : bond_.leaves_by(read_packet(frame, *ethernet))) leave(nic, bytes);
}

void LiveBond::leave(Nic nic, Bytes frame) {
  const Mac source = Mac::from_octets(octets(frame).data() + kSourceAt);
  const Mac now = bond_.source_at(nic, source);
  if (now == source) return send_(bond_.port(nic), frame);
  scratch_.assign(frame.begin(), frame.end());
  put_mac(scratch_, kSourceAt, now);
  send_(bond_.port(nic), scratch_);
}

bool LiveBond::balance_arp(const wire::Packet& frame, Bytes bytes) {
  const auto* arp = frame.get<wire::Arp>();
  const auto* ethernet = frame.get<wire::Ethernet>();
  const bool is_reply = arp != nullptr && arp->operation == wire::Arp::kReply;
  const bool is_request = arp != nullptr && arp->operation == wire::Arp::kRequest;
  if ((!is_reply && !is_request) || arp->sender_mac != bond_.own_mac()) return false;
  const Nic nic = bond_.nic_of_client(arp->target_ip.bits);
  if (nic == Bond::kNoNic) return false;
  if (is_request) {
    leave(nic, bytes);
    tell_clients(arp->sender_ip);
    return true;
  }
  bond_.note_client({arp->target_ip.bits, arp->sender_ip.bits, arp->target_mac, ethernet->outer_vlan()});
  scratch_.assign(bytes.begin(), bytes.end());
  put_mac(scratch_, ethernet->header_bytes + kArpSenderAt, bond_.mac(nic));
  put_mac(scratch_, kSourceAt, bond_.source_at(nic, ethernet->source));
  send_(bond_.port(nic), scratch_);
  return true;
}

void LiveBond::tell_clients(model::Ipv4 own) {
  for (const auto& [nic, client] : bond_.notices(own.bits)) {
    const Mac mac = bond_.mac(nic);
    wire::Buffer reply;
    wire::append_arp(reply, shape(client.mac, mac, client.tag),
                     {wire::Arp::kReply, mac, {client.machine_ip}, client.mac, {client.ip}});
    send_made(bond_.port(nic), reply);
  }
}

void LiveBond::set_carrier(PortId port, bool on) {
  const Nic nic = bond_.nic_at(port);
  if (nic == Bond::kNoNic || !bond_.set_carrier(nic, on)) return;
  if (balances_) {
    send_learning_packets();
    tell_clients({});
    return;
  }
  for (const model::StationId s : stations_) announce(site_[s]);
}

void LiveBond::announce(const model::Station& station) {
  const PortId out = bond_.port(bond_.active());
  if (!station.ip.address.is_zero()) {
    wire::Buffer frame;
    wire::append_arp(frame, shape(wire::kBroadcast, station.mac, station.vlan),
                     wire::gratuitous_arp(station.mac, station.ip.address));
    send_made(out, frame);
  }
}

void LiveBond::on_time(base::Time now) {
  due_ = now + switching::kLearningPacketInterval;
  send_learning_packets();
}

void LiveBond::send_learning_packets() {
  for (Nic nic = 0; nic < bond_.size(); ++nic) {
    if (!bond_.works(nic)) continue;
    std::vector<std::uint16_t> tags{0};
    for (const model::StationId s : stations_) {
      if (site_[s].vlan != 0) tags.push_back(site_[s].vlan);
    }
    for (const std::uint16_t tag : tags) {
      wire::Buffer frame;
      wire::append_loopback(frame, shape(bond_.mac(nic), bond_.mac(nic), tag));
      send_made(bond_.port(nic), frame);
    }
  }
}

void LiveBond::send_made(PortId port, const wire::Buffer& frame) {
  send_(port, std::as_bytes(std::span(frame)));
}

}  // namespace sekimori::lab
