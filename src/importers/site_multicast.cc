// Multicast: who is in which groups, who asks for it, which switches listen, and traffic to a group.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

namespace sekimori::importers {

using model::BridgeId;
using model::BridgeKind;
using model::Flow;
using model::Group;
using model::StationId;

namespace {

constexpr std::size_t kMostGroups = 64;

std::optional<Group> parse_group(std::string_view text) {
  if (const auto ip = wire::parse_ipv4(text); ip && ip->is_multicast()) return wire::to_group(*ip);
  const auto ip6 = wire::parse_ipv6(text);
  return ip6 && ip6->is_multicast() ? ip6 : std::nullopt;
}

}  // namespace

std::optional<Group> SiteReader::read_group_address(NodeId node) {
  const auto word = in_.word(node, "a multicast group, as 239.1.1.1 or \"ff15::1\"");
  if (!word) return std::nullopt;
  const auto group = parse_group(*word);
  if (!group)
    in_.wrong(node,
              fmt::format("'{}' is no multicast group: 224.0.0.0 to 239.255.255.255, or ff00::/8", *word));
  return group;
}

void SiteReader::read_groups(StationId station, const Fields& fields) {
  if (fields.has("querier")) {
    if (model()[model()[station].machine].kind == model::MachineKind::kRouter)
      set(model()[station].querier, in_.flag(fields["querier"], "querier"));
    else
      in_.wrong(fields["querier"],
                "only a router's NIC is a `querier`; of a switch it is `multicast-querier: on`");
  }
  if (!fields.has("groups")) return;
  std::vector<Group> groups;
  for (const NodeId node : in_.list(fields["groups"], "groups", true)) {
    if (const auto group = read_group_address(node)) groups.push_back(*group);
  }
  std::ranges::sort(groups);
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  if (groups.empty()) return;
  if (groups.size() > kMostGroups)
    return in_.wrong(fields["groups"],
                     fmt::format("a NIC is in at most {} groups, which fit a report; found {}", kMostGroups,
                                 groups.size()));
  auto& sets = model().group_sets;
  const auto [known, is_new] = group_sets_.try_emplace(groups, static_cast<std::uint32_t>(sets.size()));
  model()[station].groups = known->second;
  if (is_new) sets.push_back(std::move(groups));
}

void SiteReader::read_snooping(BridgeId bridge, const Fields& fields) {
  const BridgeKind kind = model()[bridge].kind;
  const bool can_snoop =
      kind == BridgeKind::kSwitch || kind == BridgeKind::kLinuxBridge || kind == BridgeKind::kOvs;
  for (const std::string_view key :
       {std::string_view("multicast-snooping"), std::string_view("multicast-querier"),
        std::string_view("unregistered-multicast")}) {
    if (!can_snoop && fields.has(key))
      return in_.wrong(fields[key], fmt::format("only a switch, linux-bridge or ovs has `{}`, not a {}", key,
                                                to_text(kind)));
  }
  set(model()[bridge].snoops, in_.flag(fields["multicast-snooping"], "multicast-snooping"));
  if (const NodeId node = fields["multicast-querier"]; node.valid()) {
    const auto address =
        in_.tree().is_text(node) ? wire::parse_ipv4(in_.text(node)) : std::optional<model::Ipv4>{};
    if (kind == BridgeKind::kOvs) return in_.wrong(node, "Open vSwitch never asks who is in a group");
    if (address) {
      model()[bridge].querier = true;
      model()[bridge].querier_ip = *address;
      if (!wire::why_no_interface({*address, 32}).empty())
        in_.wrong(node, fmt::format("a querier can't have the address {}", wire::to_text(*address)));
    } else {
      set(model()[bridge].querier, in_.flag(node, "multicast-querier"));
    }
    if (model()[bridge].querier && !model()[bridge].snoops)
      in_.wrong(node,
                "a switch that asks who is in a group listens to the answers: `multicast-snooping: on`");
  }
  const NodeId node = fields["unregistered-multicast"];
  if (!node.valid()) return;
  if (kind == BridgeKind::kLinuxBridge)
    return in_.wrong(
        node,
        "a linux-bridge floods what nobody has joined while there is no querier, and sends it to "
        "routers while there is one; it has no choice");
  if (const auto choice = in_.choice(node, "unregistered-multicast", {"flood", "routers"}))
    model()[bridge].floods_unregistered = *choice == 0;
}

std::optional<Group> SiteReader::group_of_flow(const Fields& fields) const {
  const NodeId node = fields["to"];
  return node.valid() && in_.tree().is_text(node) ? parse_group(in_.text(node)) : std::nullopt;
}

// It leaves by the NIC that is named, or by the first with an address of that version.
bool SiteReader::read_flow_to_group(const Fields& fields, Flow& flow) {
  if (!flow.from.valid()) return false;
  flow.ipv6 = !wire::is_ipv4(flow.group);
  if (const auto family = in_.choice(fields["family"], "family", {"ipv4", "ipv6"});
      family && (*family == 1) != flow.ipv6) {
    in_.wrong(fields["family"],
              fmt::format("{} is a group of the other version", wire::group_text(flow.group)));
    return false;
  }
  const auto has_address = [&](StationId id) {
    return flow.ipv6 ? !model()[id].ip6.address.is_zero() : !model()[id].ip.address.is_zero();
  };
  const auto& stations = model()[flow.from].stations;
  if (const auto first = std::ranges::find_if(stations, has_address);
      !flow.from_station.valid() && first != stations.end())
    flow.from_station = *first;
  if (flow.from_station.valid() && has_address(flow.from_station)) return true;
  in_.wrong(fields["from"], fmt::format("'{}' has no IPv{} address to send from", in_.text(fields["from"]),
                                        flow.ipv6 ? 6 : 4));
  return false;
}

}  // namespace sekimori::importers
