#include "switching/bpdu.h"

namespace sekimori::switching {

using tree::Role;
using wire::Bpdu;

namespace {

// Figure 9-4: bits 3 and 4 of the flags.
constexpr unsigned kRoleShift = 2, kRoleMask = 3, kAlternate = 1, kRoot = 2, kDesignated = 3;

unsigned role_bits(Role role) {
  return role == Role::kDesignated ? kDesignated : role == Role::kRoot ? kRoot : kAlternate;
}

}  // namespace

Bpdu to_wire(const tree::Bpdu& bpdu) {
  Bpdu bytes;
  if (bpdu.is_tcn) {
    bytes.type = Bpdu::kTcn;
    return bytes;
  }
  const auto flag = [](bool on, std::uint8_t bit) { return on ? unsigned{bit} : 0u; };
  unsigned flags = flag(bpdu.topology_change, Bpdu::kTopologyChange) |
                   flag(bpdu.topology_change_ack, Bpdu::kTopologyChangeAck);
  if (bpdu.is_rapid) {
    flags |= flag(bpdu.proposal, Bpdu::kProposal) | flag(bpdu.learning, Bpdu::kLearning) |
             flag(bpdu.forwarding, Bpdu::kForwarding) | flag(bpdu.agreement, Bpdu::kAgreement) |
             role_bits(bpdu.role) << kRoleShift;
  }
  bytes.version = bpdu.is_rapid ? 2 : 0;
  bytes.type = bpdu.is_rapid ? Bpdu::kRapid : Bpdu::kConfiguration;
  bytes.flags = static_cast<std::uint8_t>(flags);
  bytes.root = wire_bridge(bpdu.vector.root);
  bytes.root_path_cost = bpdu.vector.cost;
  bytes.bridge = wire_bridge(bpdu.vector.bridge);
  bytes.port = static_cast<std::uint16_t>(bpdu.vector.port);
  bytes.message_age = bpdu.times.message_age;
  bytes.max_age = bpdu.times.max_age;
  bytes.hello = bpdu.times.hello;
  bytes.forward_delay = bpdu.times.forward_delay;
  return bytes;
}

tree::Bpdu from_wire(const Bpdu& bytes) {
  tree::Bpdu bpdu;
  bpdu.is_tcn = bytes.is_tcn();
  if (bpdu.is_tcn) return bpdu;
  const auto has = [&](std::uint8_t bit) { return (bytes.flags & bit) != 0; };
  bpdu.is_rapid = bytes.type == Bpdu::kRapid;
  if (bpdu.is_rapid) {
    // Clause 9.3.3: without a known role it says what a configuration of STP says.
    const unsigned role = bytes.flags >> kRoleShift & kRoleMask;
    bpdu.role = role == kRoot ? Role::kRoot : role == kAlternate ? Role::kAlternate : Role::kDesignated;
    bpdu.proposal = has(Bpdu::kProposal);
    bpdu.learning = has(Bpdu::kLearning);
    bpdu.forwarding = has(Bpdu::kForwarding);
    bpdu.agreement = has(Bpdu::kAgreement);
  }
  bpdu.topology_change = has(Bpdu::kTopologyChange);
  bpdu.topology_change_ack = has(Bpdu::kTopologyChangeAck);
  bpdu.vector = {identifier_of(bytes.root), bytes.root_path_cost, identifier_of(bytes.bridge), bytes.port};
  bpdu.times = {bytes.message_age, bytes.max_age, bytes.hello, bytes.forward_delay};
  return bpdu;
}

}  // namespace sekimori::switching
