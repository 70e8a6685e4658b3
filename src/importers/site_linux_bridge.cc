// What only Linux' bridge has: frames for bridges that it hands on, and ARP that it answers.
#include <fmt/format.h>

#include <charconv>

#include "importers/site_reader.h"
#include "model/group_forward.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::BridgeId;
using model::BridgeKind;
using model::PortId;

namespace {

std::optional<std::uint16_t> parse_mask(std::string_view text) {
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  if (is_hex) text.remove_prefix(2);
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, is_hex ? 16 : 10);
  const bool is_whole = !text.empty() && end == text.data() + text.size() && error == std::errc();
  return is_whole ? std::optional(value) : std::nullopt;
}

}  // namespace

void SiteReader::read_group_mask(NodeId node, std::uint16_t refused, std::uint16_t& mask) {
  if (!node.valid()) return;
  const auto value = in_.tree().is_text(node) ? parse_mask(in_.text(node)) : std::nullopt;
  if (!value)
    return in_.wrong(node, fmt::format("group-fwd-mask is a number from 0 to 0xffff, as 0x4000 for LLDP; "
                                       "found {}",
                                       in_.found(node)));
  if ((*value & refused) != 0)
    return in_.wrong(
        node, refused == model::kBridgeMayNotForward
                  ? "a bridge takes none of the first three bits, of spanning trees (0x1), pause (0x2) "
                    "and LACP (0x4); LACP is let in by its ports, with a mask of their own"
                  : "a port does not take the bits of spanning trees (0x1) and pause (0x2): BPDUs pass "
                    "a bridge without a spanning tree anyway, and no other is to hand them on");
  mask = *value;
}

void SiteReader::read_linux_bridge(BridgeId bridge, const Fields& fields) {
  const BridgeKind kind = model()[bridge].kind;
  for (const std::string_view key : {std::string_view("group-fwd-mask"), std::string_view("neighbours")}) {
    if (kind != BridgeKind::kLinuxBridge && fields.has(key))
      return in_.wrong(fields[key],
                       fmt::format("only a linux-bridge has `{}`, not a {}", key, to_text(kind)));
  }
  read_group_mask(fields["group-fwd-mask"], model::kBridgeMayNotForward, model()[bridge].group_forward_mask);
  if (fields.has("neighbours")) neighbour_lists_.emplace_back(bridge, fields["neighbours"]);
}

void SiteReader::read_linux_bridge_port(PortId port, const Fields& fields) {
  const BridgeKind kind = model()[model()[port].bridge].kind;
  for (const std::string_view key :
       {std::string_view("group-fwd-mask"), std::string_view("neigh-suppress")}) {
    if (kind != BridgeKind::kLinuxBridge && fields.has(key))
      return in_.wrong(fields[key],
                       fmt::format("only a port of a linux-bridge has `{}`, not a {}", key, to_text(kind)));
  }
  // A port could be told to forward BPDUs past its bridge's spanning tree, which nobody wants.
  read_group_mask(fields["group-fwd-mask"], model::kPortMayNotForward | 0x0001,
                  model()[port].group_forward_mask);
  set(model()[port].neigh_suppress, in_.flag(fields["neigh-suppress"], "neigh-suppress"));
  if (model()[port].neigh_suppress) suppressing_.emplace_back(port, fields["neigh-suppress"]);
}

// When all NICs have their addresses, and all ports their VLANs.
void SiteReader::read_neighbours() {
  for (const auto& [port, node] : suppressing_) {
    if (model()[model()[port].bridge].vlan_aware)
      in_.wrong(node,
                fmt::format("'{}' knows VLANs, and suppression in VLANs is not modelled; give each VLAN a "
                            "bridge of its own",
                            name_of(model(), model()[port].bridge)));
  }
  for (const auto& [bridge, nodes] : neighbour_lists_) {
    for (const NodeId node : in_.list(nodes, "neighbours")) read_neighbour(bridge, node);
  }
}

void SiteReader::read_neighbour(BridgeId bridge, NodeId node) {
  model::KnownNeighbour known;
  known.line = in_.line(node);
  NodeId named = node;
  std::optional<model::Mac> mac;
  if (!in_.tree().is_text(node)) {
    const Fields fields =
        in_.fields(node, sections::kNeighbour, "machine:nic, or {station: machine:nic, mac: ADDRESS}");
    if (!fields.node().valid()) return;
    named = fields["station"];
    if (!named.valid()) return in_.wrong(node, "a neighbour is a `station: machine:nic`");
    mac = in_.mac(fields["mac"]);
  }
  const model::StationId station = read_station(named, nullptr);
  if (!station.valid()) return;
  const model::Station& nic = model()[station];
  known.mac = mac.value_or(nic.mac);
  if (nic.ip.address.is_zero() && nic.ip6.address.is_zero())
    return in_.wrong(
        named, fmt::format("'{}' has no IP address that anybody could ask for", name_of(model(), station)));
  if (!nic.ip.address.is_zero()) {
    known.ip = nic.ip.address;
    model()[bridge].neighbours.push_back(known);
  }
  if (!nic.ip6.address.is_zero()) {
    known.ip = {};
    known.ip6 = nic.ip6.address;
    model()[bridge].neighbours.push_back(known);
  }
}

}  // namespace sekimori::importers
