#include "lab/suppression.h"

#include "wire/decode.h"
#include "wire/emit.h"

namespace sekimori::lab {

using wire::Arp;
using wire::Icmpv6;

std::optional<LiveSwitch::About> read_about(wire::Bytes frame) {
  const wire::Packet packet = wire::decode(wire::LinkType::ethernet, frame);
  if (const Arp* arp = packet.get<Arp>(); arp != nullptr && !arp->is_reverse()) {
    return LiveSwitch::About{.is_question = arp->operation == Arp::kRequest,
                             .is_about_itself = arp->sender_ip.is_zero() || arp->sender_ip == arp->target_ip,
                             .ip = arp->target_ip,
                             .ip6 = {}};
  }
  const auto* ip = packet.get<wire::Ipv6Header>();
  const auto* message = packet.get<Icmpv6>();
  if (ip == nullptr || message == nullptr || !message->is_neighbor() || message->code != 0)
    return std::nullopt;
  const bool asks = message->type == Icmpv6::kNeighborSolicitation;
  return LiveSwitch::About{
      .is_question = asks,
      .is_about_itself =
          asks ? ip->source.is_unspecified() || ip->source == ip->destination : !message->solicited,
      .ip = {},
      .ip6 = message->target};
}

void write_answer(wire::Bytes question, model::Mac mac, wire::Buffer& out) {
  out.clear();
  const wire::Packet packet = wire::decode(wire::LinkType::ethernet, question);
  const auto* link = packet.get<wire::Ethernet>();
  if (link == nullptr) return;
  wire::FrameShape shape{.destination = link->source, .source = mac};
  if (link->tags > 0) shape.tag = link->outer;
  if (const Arp* arp = packet.get<Arp>()) {
    shape.destination = arp->sender_mac;
    wire::append_arp(out, shape,
                     {.operation = Arp::kReply,
                      .sender_mac = mac,
                      .sender_ip = arp->target_ip,
                      .target_mac = arp->sender_mac,
                      .target_ip = arp->sender_ip});
    return;
  }
  const auto* ip = packet.get<wire::Ipv6Header>();
  const auto* asked = packet.get<Icmpv6>();
  if (ip == nullptr || asked == nullptr) return;
  constexpr std::size_t kAdvertisementBytes = 72;  // 40 + 24 + 8: with the MAC
  shape.bytes = wire::ethernet_header_bytes(shape) + kAdvertisementBytes;
  shape.destination = asked->source_mac.value_or(link->source);
  wire::append_neighbor(out, shape, asked->target, ip->source,
                        {.type = Icmpv6::kNeighborAdvertisement,
                         .target = asked->target,
                         .solicited = true,
                         .overrides = true,
                         .target_mac = mac});
}

}  // namespace sekimori::lab
