#include "simulate/encode.h"

#include "base/random.h"
#include "simulate/bpdu.h"
#include "wire/emit.h"

namespace sekimori::simulate {
namespace {

constexpr std::uint16_t kDiscardPort = 9, kEchoPort = 7, kBulkPort = 5001;

std::uint32_t milliseconds_of(Time t) { return static_cast<std::uint32_t>(t / base::milliseconds(1)); }

// Each connection counts from a number of its own.
std::uint32_t initial_sequence(std::uint32_t flow, bool backward) {
  return static_cast<std::uint32_t>(base::mix64(std::uint64_t{flow} << 1 | backward));
}

wire::Tcp tcp_of(const model::Flow& flow, const Frame& frame) {
  const bool backward = frame.kind == FrameKind::kTcpAck || frame.kind == FrameKind::kTcpSynAck;
  const auto client = static_cast<std::uint16_t>(32768 + frame.flow % 28000);
  const std::uint32_t first = initial_sequence(frame.flow, false) + 1;
  const std::uint32_t answer = initial_sequence(frame.flow, true) + 1;
  wire::Tcp tcp;
  tcp.source_port = backward ? kBulkPort : client;
  tcp.destination_port = backward ? client : kBulkPort;
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

}  // namespace

void encode(const model::Model& model, const Addresses& addresses, const Frame& frame, wire::Buffer& out) {
  out.clear();
  wire::FrameShape shape;
  shape.destination = addresses.mac(frame.dst);
  shape.source = addresses.mac(frame.src);
  if (frame.tag != 0) shape.tag = wire::VlanTag{.vid = frame.tag};
  shape.bytes = frame.wire_bytes();
  if (frame.kind == FrameKind::kArpRequest || frame.kind == FrameKind::kArpReply) {
    const bool reply = frame.kind == FrameKind::kArpReply;
    wire::append_arp(out, shape,
                     {.operation = reply ? wire::Arp::kReply : wire::Arp::kRequest,
                      .sender_mac = shape.source,
                      .sender_ip = {frame.src_ip},
                      .target_mac = reply ? shape.destination : wire::Mac{},
                      .target_ip = {frame.dst_ip}});
    return;
  }
  if (frame.kind == FrameKind::kRarp) {
    wire::append_arp(out, shape, wire::notify_rarp(shape.source));
    return;
  }
  if (frame.kind == FrameKind::kBpdu) {
    shape.destination = wire::kStpGroup;
    shape.source = address_of(model[model::PortId(frame.dst_ip)].bridge);
    wire::append_bpdu(out, shape, bytes_of_bpdu(model, frame));
    return;
  }
  const model::Flow& flow = model.flows[frame.flow];
  wire::Ipv4Header ip;
  ip.source = {frame.src_ip};
  ip.destination = {frame.dst_ip};
  ip.ttl = frame.ttl;
  ip.id = static_cast<std::uint16_t>(frame.number);
  const auto client = static_cast<std::uint16_t>(32768 + frame.flow % 28000);
  switch (frame.kind) {
    case FrameKind::kUdp:
      wire::append_udp(out, shape, ip, {.source_port = client, .destination_port = kDiscardPort},
                       flow.payload);
      return;
    case FrameKind::kRequest:
      wire::append_udp(out, shape, ip, {.source_port = client, .destination_port = kEchoPort}, flow.payload);
      return;
    case FrameKind::kResponse:
      wire::append_udp(out, shape, ip, {.source_port = kEchoPort, .destination_port = client});
      return;
    case FrameKind::kEchoRequest:
    case FrameKind::kEchoReply:
      wire::append_icmp_echo(
          out, shape, ip,
          {.type = frame.kind == FrameKind::kEchoReply ? wire::Icmp::kEchoReply : wire::Icmp::kEchoRequest,
           .id = static_cast<std::uint16_t>(frame.flow + 1),
           .sequence = static_cast<std::uint16_t>(frame.number)},
          flow.payload);
      return;
    default: {
      const wire::Tcp tcp = tcp_of(flow, frame);
      const bool data = frame.kind == FrameKind::kTcpData;
      shape.bytes = std::max<std::size_t>(
          {wire::tcp_header_bytes(shape, tcp), wire::kLeastFrame, data ? shape.bytes : 0});
      wire::append_tcp(out, shape, ip, tcp, data ? std::optional<std::size_t>(flow.payload) : 0);
      return;
    }
  }
}

}  // namespace sekimori::simulate
