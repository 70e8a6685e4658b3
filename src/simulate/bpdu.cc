#include "simulate/bpdu.h"

#include <algorithm>

#include "model/multicast.h"
#include "switching/bpdu.h"
#include "switching/spanning_tree.h"

namespace sekimori::simulate {

namespace tree = switching::tree;

namespace {

constexpr Duration kUnit = wire::Bpdu::kTimerUnit;

// The flags in `ack`, beside the role in its lowest three bits.
enum Flag : std::uint32_t {
  kTcn = 1u << 3,
  kRapid = 1u << 4,
  kChange = 1u << 5,
  kChangeAck = 1u << 6,
  kProposal = 1u << 7,
  kAgreement = 1u << 8,
  kLearns = 1u << 9,
  kForwards = 1u << 10,
};
constexpr std::uint32_t kRoleBits = 7;

// Of a configuration and a TCN: 802.3 with LLC, padded to the least frame.
constexpr std::uint16_t kBpduFrameBytes = kLeastFrameBytes;

}  // namespace

Frame pack(const tree::Bpdu& bpdu, std::uint32_t port, Time now) {
  Frame frame;
  frame.kind = FrameKind::kBpdu;
  frame.src = frame.dst = kBroadcastAddress;
  frame.src_ip = switching::bridge_of(bpdu.vector.root).value;
  frame.dst_ip = port;
  frame.number = bpdu.vector.cost;
  const auto flag = [&](bool on, Flag bit) { return on ? static_cast<std::uint32_t>(bit) : 0u; };
  frame.ack = static_cast<std::uint32_t>(bpdu.times.message_age / kUnit) << 16 |
              static_cast<std::uint32_t>(bpdu.role) | flag(bpdu.is_tcn, kTcn) | flag(bpdu.is_rapid, kRapid) |
              flag(bpdu.topology_change, kChange) | flag(bpdu.topology_change_ack, kChangeAck) |
              flag(bpdu.proposal, kProposal) | flag(bpdu.agreement, kAgreement) |
              flag(bpdu.learning, kLearns) | flag(bpdu.forwarding, kForwards);
  frame.bytes = kBpduFrameBytes;
  frame.sent = now;
  return frame;
}

tree::Bpdu unpack(const model::Model& m, const Frame& frame) {
  const auto has = [&](Flag bit) { return (frame.ack & bit) != 0; };
  tree::Bpdu bpdu;
  bpdu.is_tcn = has(kTcn);
  if (bpdu.is_tcn) return bpdu;
  const model::BridgeId root(frame.src_ip);
  const model::PortId port(frame.dst_ip);
  bpdu.is_rapid = has(kRapid);
  bpdu.role = static_cast<tree::Role>(frame.ack & kRoleBits);
  bpdu.vector = {switching::identifier(m, root), frame.number, switching::identifier(m, m[port].bridge),
                 port.value};
  bpdu.times = switching::timers(m[root]);
  bpdu.times.message_age = kUnit * (frame.ack >> 16);
  bpdu.topology_change = has(kChange);
  bpdu.topology_change_ack = has(kChangeAck);
  bpdu.proposal = has(kProposal);
  bpdu.agreement = has(kAgreement);
  bpdu.learning = has(kLearns);
  bpdu.forwarding = has(kForwards);
  return bpdu;
}

wire::Bpdu bytes_of_bpdu(const model::Model& m, const Frame& frame) {
  tree::Bpdu bpdu = unpack(m, frame);
  if (bpdu.is_tcn) return switching::to_wire(bpdu);
  const auto id_of = [&](model::BridgeId bridge) {
    return switching::identifier_of({m[bridge].stp_priority, address_of(bridge)});
  };
  const model::PortId port(frame.dst_ip);
  const auto& ports = m[m[port].bridge].ports;
  const auto place = static_cast<std::size_t>(std::ranges::find(ports, port) - ports.begin());
  bpdu.vector.root = id_of(switching::bridge_of(bpdu.vector.root));
  bpdu.vector.bridge = id_of(m[port].bridge);
  bpdu.vector.port = switching::wire_port(place);
  return switching::to_wire(bpdu);
}

}  // namespace sekimori::simulate
