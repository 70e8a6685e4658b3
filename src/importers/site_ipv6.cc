// IPv6 in a site file: addresses, gateways, routes, Neighbor Discovery's timers, and the way of traffic.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"

namespace sekimori::importers {

using model::Ipv6;
using model::Ipv6Prefix;
using model::MachineId;
using model::StationId;

namespace {

// Adds to the last 64 bits.
void count_up(Ipv6& address, std::uint32_t number) {
  std::uint64_t carry = number;
  for (std::size_t at = 16; at-- > 8 && carry > 0; carry >>= 8) {
    carry += address.octets[at];
    address.octets[at] = static_cast<std::uint8_t>(carry);
  }
}

}  // namespace

bool SiteReader::is_ipv6(NodeId node) const {
  return node.valid() && in_.tree().is_text(node) && in_.text(node).contains(':');
}

// One address of each family: `ip: 10.0.0.1/24`, `ip: "2001:db8::1/64"`, or a list of both.
void SiteReader::read_addresses(StationId station, NodeId node, const Instance& instance) {
  if (!node.valid()) return;
  if (in_.tree().kind(node) != YamlTree::Kind::kSequence) {
    if (is_ipv6(node)) {
      set(model()[station].ip6, read_ip6(node, instance));
    } else {
      set(model()[station].ip, read_ip(node, instance));
    }
    return;
  }
  bool has_ipv4 = false, has_ipv6 = false;
  for (const NodeId item : in_.tree().items(node)) {
    if (!in_.tree().is_text(item)) {
      in_.wrong(item, "ip is an address with its prefix length, or a list of an IPv4 and an IPv6 address");
      return;
    }
    bool& has = is_ipv6(item) ? has_ipv6 : has_ipv4;
    if (has) {
      in_.wrong(item, "a NIC has one IPv4 and one IPv6 address at most");
      return;
    }
    has = true;
    read_addresses(station, item, instance);
  }
}

std::optional<Ipv6Prefix> SiteReader::read_ip6(NodeId node, const Instance& instance) {
  const auto written = in_.word(node, "an IPv6 address with its prefix length as ip");
  if (!written) return std::nullopt;
  auto prefix = wire::parse_ipv6_prefix(*written);
  std::string why;
  if (!prefix) {
    why = "ip is an IPv6 address with its prefix length, like 2001:db8::1/64";
  } else if (!written->contains('/')) {
    why = fmt::format("ip needs its prefix length: write {}/64 (or what the subnet has)", *written);
  } else if (const std::string_view no = wire::why_no_interface(*prefix); !no.empty()) {
    why = fmt::format("ip {}", no);
  } else {
    const Ipv6Prefix first = *prefix;
    count_up(prefix->address, instance.number);
    if (first.contains(prefix->address)) return prefix;
    why = fmt::format("counted up for '{}', the address leaves its subnet", instance.suffix);
  }
  in_.wrong(node, fmt::format("{}, found '{}'", why, *written));
  return std::nullopt;
}

std::optional<Ipv6> SiteReader::address6(NodeId node, std::string_view what) {
  const auto address = wire::parse_ipv6(in_.text(node));
  if (!address || address->is_multicast() || address->is_unspecified()) {
    in_.wrong(node, fmt::format("{} is an IPv6 address like 2001:db8::1, found '{}'", what, in_.text(node)));
    return std::nullopt;
  }
  return address;
}

void SiteReader::add_route6(MachineId machine, const Ipv6Prefix& to, NodeId via) {
  const auto next = address6(via, "via");
  if (!next) return;
  std::vector<std::string> networks;
  for (const StationId id : model()[machine].stations) {
    const Ipv6Prefix& ip = model()[id].ip6;
    if (ip.address.is_zero()) continue;
    if (ip.address == *next)
      return in_.wrong(
          via, fmt::format("{} is an address of '{}' itself", wire::to_text(*next), model()[machine].name));
    if (ip.contains(*next)) {
      model()[machine].routes6.push_back({to, *next});
      return;
    }
    networks.push_back(wire::to_text(Ipv6Prefix{ip.network(), ip.length}));
  }
  in_.wrong(via, networks.empty()
                     ? fmt::format("'{}' has no IPv6 address, so it cannot reach {}", model()[machine].name,
                                   wire::to_text(*next))
                     : fmt::format("{} is in none of the networks of '{}' ({})", wire::to_text(*next),
                                   model()[machine].name, fmt::join(networks, ", ")));
}

void SiteReader::read_route6(MachineId machine, NodeId to, NodeId via) {
  if (in_.text(to) == "default") return add_route6(machine, {{}, 0}, via);
  const auto network = wire::parse_ipv6_prefix(in_.text(to));
  if (!network || network->address != network->network()) {
    in_.wrong(to, fmt::format("to is a network like 2001:db8:1::/48, or default, found '{}'", in_.text(to)));
    return;
  }
  if (!is_ipv6(via)) {
    in_.wrong(via, "a route for IPv6 goes via an IPv6 address");
    return;
  }
  add_route6(machine, *network, via);
}

void SiteReader::read_nd(MachineId machine, const Fields& fields) {
  model::Machine& m = model()[machine];
  const bool routes = m.kind == model::MachineKind::kRouter;
  // RFC 4861 section 6.2.1: MaxRtrAdvInterval.
  if (routes) m.advertise_every = base::seconds(600);
  if (!fields.node().valid()) return;
  constexpr Bounds<model::Duration> kReachable{"reachable", base::milliseconds(1), kLongestTime};
  constexpr Bounds<model::Duration> kAdvertise{"advertise", base::milliseconds(30), kLongestTime};
  set(m.nd.timeout, in_.duration(fields["reachable"], kReachable));
  read_announce(fields["announce"], m.nd);
  const NodeId advertise = fields["advertise"];
  if (!advertise.valid()) return;
  if (!routes) {
    in_.wrong(advertise, "only a router advertises itself");
  } else if (in_.tree().is_text(advertise) && in_.text(advertise) == "never") {
    m.advertise_every = model::Duration{0};
  } else {
    set(m.advertise_every, in_.duration(advertise, kAdvertise));
  }
}

// As why_no_route, without translation.
std::string SiteReader::why_no_route6(MachineId from, StationId to) {
  if (!to.valid()) return "the sender has no IPv6 address";
  constexpr int kMostHops = 64;
  const Ipv6 destination = model()[to].ip6.address;
  const std::string route = fmt::format("no route from {} to {} ({})", model()[from].name,
                                        name_of(model(), model()[to].machine), wire::to_text(destination));
  if (destination.is_zero()) return fmt::format("{}: it has no IPv6 address", route);
  MachineId here = from;
  for (int hop = 0; hop < kMostHops; ++hop) {
    const model::NextHop6 next = model::next_hop(model(), here, destination);
    if (!next.station.valid()) {
      return fmt::format("{}: {} is on no IPv6 network with it and has no {} that leads there", route,
                         model()[here].name,
                         model()[here].kind == model::MachineKind::kRouter ? "route" : "`gateway` or route");
    }
    if (next.address == destination) return "";
    const auto router = routers6_.find(next.address);
    if (router == routers6_.end()) {
      return fmt::format("{}: {} sends it to {}, which is no router's address", route, model()[here].name,
                         wire::to_text(next.address));
    }
    here = router->second;
    if (here == model()[to].machine) return "";
  }
  return fmt::format("{}: it goes in circles through {} routers", route, kMostHops);
}

}  // namespace sekimori::importers
