#include "simulate/encode.h"

#include <algorithm>

#include "base/random.h"
#include "model/multicast.h"
#include "simulate/bpdu.h"
#include "switching/first_hop.h"
#include "wire/emit.h"

namespace sekimori::simulate {
namespace {

constexpr std::uint16_t kDiscardPort = 9, kEchoPort = 7, kBulkPort = 5001;

std::uint32_t milliseconds_of(Time t) { return static_cast<std::uint32_t>(t / base::milliseconds(1)); }

// Each connection counts from a number of its own.
std::uint32_t initial_sequence(std::uint32_t flow, bool backward) {
  return static_cast<std::uint32_t>(base::mix64(std::uint64_t{flow} << 1 | backward));
}

void encode_advertisement(const model::Model& model, const Frame& frame, const wire::FrameShape& shape,
                          wire::Buffer& out) {
  const model::SharedAddress& shared = model.shared[frame.number];
  const bool standby = (frame.ack & Frame::kStandby) != 0;
  const std::size_t number = frame.ack & ~Frame::kStandby;
  const auto& member = shared.members[number];
  wire::Ipv4Header ip;
  ip.source = model[member.nic].ip.address;
  wire::append_first_hop(out, shape, ip, switching::advertisement(shared, number, standby));
}

wire::Tcp tcp_of(const model::Flow& flow, const Frame& frame) {
  const Ports ports = ports_of(frame);
  const std::uint32_t first = initial_sequence(frame.flow, false) + 1;
  const std::uint32_t answer = initial_sequence(frame.flow, true) + 1;
  wire::Tcp tcp;
  tcp.source_port = ports.source;
  tcp.destination_port = ports.destination;
  tcp.window = 512;
  tcp.flags = wire::Tcp::kAck;
  tcp.timestamps = wire::TcpTimestamps{milliseconds_of(frame.sent) + 1, milliseconds_of(frame.sent)};
  switch (frame.kind) {
    case FrameKind::kTcpSyn:
      tcp.flags = wire::Tcp::kSyn;
      tcp.seq = first - 1;
      tcp.mss = 1460;
      tcp.sack_permitted = true;
      tcp.window_scale = 7;
      tcp.timestamps->echo = 0;
      break;
    case FrameKind::kTcpSynAck:
      tcp.flags |= wire::Tcp::kSyn;
      tcp.seq = answer - 1;
      tcp.ack = first;
      tcp.mss = 1460;
      tcp.sack_permitted = true;
      tcp.window_scale = 7;
      break;
    case FrameKind::kTcpAck:
      tcp.seq = answer;
      tcp.ack = first + frame.ack * flow.payload;
      break;
    default:
      tcp.seq = first + frame.number * flow.payload;
      tcp.ack = answer;
      break;
  }
  return tcp;
}

void append_echo(const model::Flow& flow, const Frame& frame, const wire::FrameShape& shape,
                 const wire::Ipv4Header& ip, wire::Buffer& out) {
  const bool reply = frame.kind == FrameKind::kEchoReply;
  wire::append_icmp_echo(out, shape, ip,
                         {.type = reply ? wire::Icmp::kEchoReply : wire::Icmp::kEchoRequest,
                          .id = ports_of(frame).destination,
                          .sequence = static_cast<std::uint16_t>(frame.number)},
                         flow.payload);
}
void append_echo(const model::Flow& flow, const Frame& frame, const wire::FrameShape& shape,
                 const wire::Ipv6Header& ip, wire::Buffer& out) {
  const bool reply = frame.kind == FrameKind::kEchoReply;
  wire::append_icmpv6_echo(out, shape, ip,
                           {.type = reply ? wire::Icmpv6::kEchoReply : wire::Icmpv6::kEchoRequest,
                            .id = ports_of(frame).destination,
                            .sequence = static_cast<std::uint16_t>(frame.number)},
                           flow.payload);
}

// What an IP packet of either version carries.
template <class Ip>
void append_packet(const model::Flow& flow, const Frame& frame, wire::FrameShape& shape, const Ip& ip,
                   wire::Buffer& out) {
  const Ports ports = ports_of(frame);
  const wire::Udp udp{.source_port = ports.source, .destination_port = ports.destination};
  switch (frame.kind) {
    case FrameKind::kUdp:
    case FrameKind::kRequest:
      wire::append_udp(out, shape, ip, udp, flow.payload);
      return;
    case FrameKind::kResponse:
      wire::append_udp(out, shape, ip, udp);
      return;
    case FrameKind::kEchoRequest:
    case FrameKind::kEchoReply:
      append_echo(flow, frame, shape, ip, out);
      return;
    default: {
      const wire::Tcp tcp = tcp_of(flow, frame);
      const bool data = frame.kind == FrameKind::kTcpData;
      const std::size_t headers = wire::tcp_header_bytes(shape, tcp) + (flow.ipv6 ? kIpv6Beyond : 0);
      shape.bytes = std::max<std::size_t>({headers, wire::kLeastFrame, data ? shape.bytes : 0});
      wire::append_tcp(out, shape, ip, tcp, data ? std::optional<std::size_t>(flow.payload) : 0);
      return;
    }
  }
}

// Multicasts of Neighbor Discovery, which the simulator moves as broadcasts, have Ethernet addresses of their
// own.
void append_discovery(const model::Model& model, const Addresses& addresses, const Frame& frame,
                      wire::FrameShape& shape, wire::Buffer& out) {
  using wire::Icmpv6;
  const auto send_to = [&](const wire::Ipv6& group) {
    if (frame.dst == kBroadcastAddress) shape.destination = wire::group_mac(group);
  };
  const wire::Ipv6 sender = frame.src_ip == 0 ? wire::Ipv6{} : addresses.ipv6(frame.src_ip);
  const wire::Ipv6& about = addresses.ipv6(frame.dst_ip);
  if (frame.kind == FrameKind::kRouterAdvertisement) {
    const model::Station& router = model.stations[addresses.owners_of_ip(frame.src_ip).front()];
    const auto lifetime = model[router.machine].advertise_every * 3 / base::seconds(1);
    send_to(wire::kAllNodes);
    wire::append_router_advertisement(out, shape, router.ip6.address, router.ip6.length,
                                      static_cast<std::uint16_t>(std::min<std::int64_t>(lifetime, 9000)));
  } else if (frame.kind == FrameKind::kNeighborSolicitation) {
    const wire::Ipv6 group = wire::solicited_node(about);
    send_to(group);
    const auto own = frame.src_ip == 0 ? std::nullopt : std::optional(addresses.mac(frame.number));
    wire::append_neighbor(out, shape, sender, frame.dst == kBroadcastAddress ? group : about,
                          {.type = Icmpv6::kNeighborSolicitation, .target = about, .source_mac = own});
  } else {
    const bool solicited = frame.dst_ip != frame.src_ip;
    const model::Station& speaker = model.stations[addresses.owners_of_ip(frame.src_ip).front()];
    const bool routes = model[speaker.machine].kind == model::MachineKind::kRouter;
    send_to(wire::kAllNodes);
    wire::append_neighbor(out, shape, sender, solicited ? about : wire::kAllNodes,
                          {.type = Icmpv6::kNeighborAdvertisement,
                           .target = sender,
                           .from_router = routes,
                           .solicited = solicited,
                           .overrides = true,
                           .target_mac = addresses.mac(frame.number)});
  }
}

// MLD comes from link-local addresses (RFC 3810 section 5.1.14), which the model does not have.
void append_group_message(const model::Model& model, const Addresses& addresses, const Frame& frame,
                          const wire::FrameShape& shape, wire::Buffer& out) {
  using Kind = wire::Listening::Kind;
  wire::Listening message;
  message.ipv6 = is_ipv6(frame.dst_ip);
  message.source = message.ipv6 ? wire::link_local(shape.source)
                                : wire::to_group({frame.src_ip == kNone ? 0 : frame.src_ip});
  if (frame.kind == FrameKind::kGroupQuery) {
    message.is_old_query = frame.ack != 0;
    message.patience_ms = 10'000;
  } else if (frame.ack != 0) {
    message.kind = Kind::kOldReport;
    message.group = addresses.group(frame.dst_ip);
  } else {
    message.kind = Kind::kReport;
    for (const wire::Group& group : model::groups_of(model, model::StationId(frame.number), message.ipv6))
      message.records.push_back({group});
  }
  wire::append_listening(out, shape, message);
}

wire::FrameShape shape_of(const Addresses& addresses, const Frame& frame) {
  wire::FrameShape shape;
  shape.destination = addresses.mac(frame.dst);
  shape.source = addresses.mac(frame.src);
  if (frame.tag != 0) shape.tag = wire::VlanTag{.vid = frame.tag};
  shape.bytes = frame.wire_bytes();
  return shape;
}

wire::Ipv4Header ipv4_of(const Frame& frame) {
  wire::Ipv4Header ip;
  ip.source = {frame.src_ip};
  ip.destination = {frame.dst_ip};
  ip.ttl = frame.ttl;
  ip.id = static_cast<std::uint16_t>(frame.number);
  return ip;
}

}  // namespace

Ports ports_of(const Frame& frame) {
  const auto client = static_cast<std::uint16_t>(32768 + frame.flow % 28000);
  switch (frame.kind) {
    case FrameKind::kUdp:
      return {client, kDiscardPort};
    case FrameKind::kRequest:
      return {client, kEchoPort};
    case FrameKind::kResponse:
      return {kEchoPort, client};
    case FrameKind::kEchoRequest:
    case FrameKind::kEchoReply: {
      const auto type =
          frame.kind == FrameKind::kEchoReply ? wire::Icmp::kEchoReply : wire::Icmp::kEchoRequest;
      return {static_cast<std::uint16_t>(type << 8), static_cast<std::uint16_t>(frame.flow + 1)};
    }
    case FrameKind::kTcpSyn:
    case FrameKind::kTcpData:
      return {client, kBulkPort};
    case FrameKind::kTcpSynAck:
    case FrameKind::kTcpAck:
      return {kBulkPort, client};
    default:
      return {};
  }
}

void encode(const model::Model& model, const Addresses& addresses, const Frame& frame, wire::Buffer& out) {
  out.clear();
  wire::FrameShape shape = shape_of(addresses, frame);
  if (frame.kind == FrameKind::kArpRequest || frame.kind == FrameKind::kArpReply) {
    const bool reply = frame.kind == FrameKind::kArpReply;
    wire::append_arp(out, shape,
                     {.operation = reply ? wire::Arp::kReply : wire::Arp::kRequest,
                      .sender_mac = addresses.mac(frame.number),
                      .sender_ip = {frame.src_ip},
                      .target_mac = reply ? shape.destination : wire::Mac{},
                      .target_ip = {frame.dst_ip}});
    return;
  }
  if (frame.kind == FrameKind::kRarp) {
    wire::append_arp(out, shape, wire::notify_rarp(shape.source));
    return;
  }
  if (frame.kind == FrameKind::kLearning) {
    wire::append_loopback(out, shape);
    return;
  }
  if (frame.kind == FrameKind::kBeacon) {
    wire::append_beacon(out, shape, model.ports[frame.number].name);
    return;
  }
  if (frame.kind == FrameKind::kBpdu) {
    shape.destination = wire::kStpGroup;
    shape.source = address_of(model[model::PortId(frame.dst_ip)].bridge);
    wire::append_bpdu(out, shape, bytes_of_bpdu(model, frame));
    return;
  }
  if (frame.kind == FrameKind::kGroupQuery || frame.kind == FrameKind::kGroupReport)
    return append_group_message(model, addresses, frame, shape, out);
  if (is_multicast(frame) && frame.kind == FrameKind::kUdp)
    shape.destination = wire::group_mac(addresses.group(frame.dst_ip));
  if (frame.kind == FrameKind::kAdvertisement) return encode_advertisement(model, frame, shape, out);
  if (is_discovery(frame.kind)) {
    append_discovery(model, addresses, frame, shape, out);
  } else if (is_ipv6(frame.dst_ip)) {
    const wire::Ipv6Header ip{.source = addresses.ipv6(frame.src_ip),
                              .destination = addresses.ipv6(frame.dst_ip),
                              .hop_limit = frame.ttl};
    append_packet(model.flows[frame.flow], frame, shape, ip, out);
  } else {
    append_packet(model.flows[frame.flow], frame, shape, ipv4_of(frame), out);
  }
}

void encode_vxlan(const Addresses& addresses, const Frame& packet, std::uint32_t vni, wire::Bytes inner,
                  wire::Buffer& out) {
  out.clear();
  // A port for each conversation inside, so that links side by side share the load (RFC 7348 section 4.3).
  const auto source_port = static_cast<std::uint16_t>(49'152 + packet.flow % 16'384);
  wire::append_vxlan(out, shape_of(addresses, packet), ipv4_of(packet), source_port, vni, inner);
}

}  // namespace sekimori::simulate
