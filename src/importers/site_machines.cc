// Hosts, guests and routers, with their NICs, addresses and routes.
#include <fmt/format.h>

#include <algorithm>

#include "base/fingerprint.h"
#include "base/random.h"
#include "importers/site_reader.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::BridgeId;
using model::Ipv4;
using model::Ipv4Prefix;
using model::Mac;
using model::MachineId;
using model::MachineKind;
using model::MacOrigin;
using model::PortId;
using model::StationId;

template <class Prefix>
void SiteReader::refuse_equal_addresses(MachineId machine, Prefix model::Station::* ip) {
  const auto& stations = model()[machine].stations;
  if (stations.size() < 2) return;
  std::vector<std::pair<decltype(Prefix::address), StationId>> addresses;
  for (const StationId id : stations) {
    if (!(model()[id].*ip).address.is_zero()) addresses.emplace_back((model()[id].*ip).address, id);
  }
  std::ranges::sort(addresses);
  for (std::size_t i = 1; i < addresses.size(); ++i) {
    const auto& [address, id] = addresses[i];
    if (address != addresses[i - 1].first) continue;
    const model::Station& one = model()[addresses[i - 1].second];
    const unsigned line = model()[id].line;
    const std::size_t indent = problems_.lines().line_text(line).find_first_not_of(" 	");
    problems_.add_at(
        {line, static_cast<unsigned>(indent) + 1},
        fmt::format("'{}' has the address {} twice, on {} (line {}) and {}", model()[machine].name,
                    wire::to_text(address), one.name, one.line, model()[id].name));
  }
}

template <class Read>
void SiteReader::for_each_instance(NodeId count_node, const Instance& outer, Read read) {
  if (!count_node.valid()) return read(outer);
  const auto count = in_.integer(count_node, kCountBounds);
  if (!count) return;
  const std::size_t problems_before = problems_.size();
  for (std::uint32_t i = 0; i < *count; ++i) {
    read(Instance{fmt::format("{}-{}", outer.suffix, i + 1),
                  outer.number * static_cast<std::uint32_t>(*count) + i});
    // What is wrong with one is wrong with all.
    if (problems_.size() > problems_before || too_many_machines_) return;
  }
}

MachineId SiteReader::add_machine(NodeId name, MachineKind kind, const Instance& instance, MachineId host) {
  if (!in_.is_name(name, to_text(kind))) return {};
  if (model().machines.size() >= kMostMachines) {
    if (!too_many_machines_) {
      in_.wrong(name, fmt::format("from here on the site has more than {} machines; that is the limit",
                                  kMostMachines));
    }
    too_many_machines_ = true;
    return {};
  }
  const std::string full = fmt::format("{}{}", in_.text(name), instance.suffix);
  const auto id = build_.add_machine(full, kind, host);
  if (!id) {
    ok(name, id, first_place(full));
    return {};
  }
  model()[*id].line = in_.line(name);
  if (kind != MachineKind::kRouter) read_arp(in_.fields(default_arp_, sections::kArp), model()[*id].arp);
  return *id;
}

void SiteReader::read_hosts(NodeId hosts) {
  std::vector<std::pair<Entry, Fields>> all;
  std::size_t machines = 0;
  for (const Entry& host : in_.entries(hosts, "hosts")) {
    all.emplace_back(host, in_.fields(host.value, sections::kHost));
    const NodeId guests = all.back().second["guests"];
    machines += 1 + (guests.valid() ? in_.tree().items(guests).size() / 2 : 0);
  }
  build_.expect(machines);
  for (const auto& entry : all) {
    const Entry& host = entry.first;
    const Fields& fields = entry.second;
    for_each_instance(fields["count"], {}, [&](const Instance& i) { read_host(host, fields, i); });
  }
}

void SiteReader::read_host(const Entry& entry, const Fields& fields, const Instance& instance) {
  const MachineId host = add_machine(entry.name, MachineKind::kHost, instance);
  if (!host.valid()) return;
  read_nics(host, fields["nics"], instance, sections::kNic);
  read_bonds(host, fields["bonds"], instance);
  read_virtual_switches(host, fields["switches"], instance);
  close_bonds();
  read_common(host, fields);
  for (const Entry& guest : in_.entries(fields["guests"], "guests")) {
    const Fields guest_fields = in_.fields(guest.value, sections::kGuest);
    const model::ImageId image = read_image(guest_fields["image"]);
    for_each_instance(guest_fields["count"], instance,
                      [&](const Instance& i) { read_guest(host, guest, guest_fields, i, image); });
  }
}

void SiteReader::read_router(const Entry& entry) {
  const Fields fields = in_.fields(entry.value, sections::kRouter);
  const MachineId router = add_machine(entry.name, MachineKind::kRouter, {});
  if (!router.valid()) return;
  read_nics(router, fields["nics"], {}, sections::kNic);
  read_bonds(router, fields["bonds"], {});
  close_bonds();
  read_common(router, fields);
}

void SiteReader::read_guest(MachineId host, const Entry& entry, const Fields& fields,
                            const Instance& instance, model::ImageId image) {
  const MachineId guest = add_machine(entry.name, MachineKind::kGuest, instance, host);
  if (!guest.valid()) return;
  model()[guest].image = image;
  const std::vector<Nic> nics = read_nics(guest, fields["nics"], instance, sections::kGuestNic);
  // These take its NICs before they are plugged in.
  read_bonds(guest, fields["bonds"], instance);
  read_virtual_switches(guest, fields["switches"], instance);
  close_bonds();
  attach_guest_nics(host, nics);
  read_common(guest, fields);
}

void SiteReader::read_common(MachineId machine, const Fields& fields) {
  refuse_equal_addresses(machine, &model::Station::ip);
  refuse_equal_addresses(machine, &model::Station::ip6);
  read_arp(in_.fields(fields["arp"], sections::kArp), model()[machine].arp);
  read_nd(machine, in_.fields(fields["nd"], sections::kNd));
  read_routes(machine, fields);
  if (model::forwards(model(), machine)) {
    for (const StationId id : model()[machine].stations) {
      routers_.emplace(model()[id].ip.address, machine);
      routers6_.try_emplace(model()[id].ip6.address, machine);
    }
  }
  if (const auto state = in_.choice(fields["state"], "state", {"running", "stopped"})) {
    model()[machine].running = *state == 0;
  }
}

// ---------------------------------------------------------------- NICs

std::vector<SiteReader::Nic> SiteReader::read_nics(MachineId machine, NodeId nics, const Instance& instance,
                                                   const Section& section) {
  std::vector<Nic> result;
  for (const Entry& entry : in_.entries(nics, "nics")) {
    if (const auto nic = read_nic(machine, entry, instance, section)) result.push_back(*nic);
  }
  return result;
}

// `eth0: 10.0.0.1/24` is short for `eth0: {ip: 10.0.0.1/24}`.
std::optional<SiteReader::Nic> SiteReader::read_nic(MachineId machine, const Entry& entry,
                                                    const Instance& instance, const Section& section) {
  const bool is_short = in_.tree().is_text(entry.value);
  const Fields fields = in_.fields(is_short ? NodeId{} : entry.value, section);
  if (!in_.is_name(entry.name, "NIC")) return std::nullopt;
  const std::string_view name = in_.text(entry.name);
  const Address address = read_mac(fields["mac"], model()[machine].name, name);
  const auto station = build_.add_station(machine, std::string(name), address.mac, address.origin);
  if (!ok(entry.name, station)) return std::nullopt;
  model()[*station].drawn_bits = address.drawn_bits;
  model()[*station].line = in_.line(entry.name);
  read_addresses(*station, is_short ? entry.value : fields["ip"], instance);
  set(model()[*station].promiscuous, in_.flag(fields["promiscuous"], "promiscuous"));
  read_groups(*station, fields);
  return Nic{entry.name, *station, fields};
}

SiteReader::Address SiteReader::read_mac(NodeId node, std::string_view machine, std::string_view nic) {
  if (!node.valid() || in_.tree().kind(node) == YamlTree::Kind::kNull) return {};
  if (in_.tree().kind(node) != YamlTree::Kind::kMapping) return {in_.mac(node), MacOrigin::kDeclared};
  const Fields fields = in_.fields(node, sections::kDrawnMac);
  if (in_.tree().items(node).empty())
    in_.wrong(node, "a mac is an address or {drawn-from: \"00:1a:4a:1a:83:00/40\"}");
  return draw_mac(fields["drawn-from"], machine, nic);
}

// Depends on the site's seed and the NIC's name only, so that adding a machine changes no other's address.
SiteReader::Address SiteReader::draw_mac(NodeId node, std::string_view machine, std::string_view nic) {
  const auto written = in_.word(node, "a range of MAC addresses");
  if (!written) return {};
  const std::size_t slash = written->find('/');
  const auto base = wire::parse_mac(written->substr(0, slash));
  const std::string_view digits = slash == std::string_view::npos ? "" : written->substr(slash + 1);
  int length = -1;
  if (digits.size() == 1 || digits.size() == 2) {
    length = 0;
    for (const char c : digits) length = c >= '0' && c <= '9' ? length * 10 + (c - '0') : 1000;
  }
  if (!base || base->is_group() || length < 8 || length > 47) {
    in_.wrong(
        node,
        fmt::format("a range of MAC addresses is written 00:1a:4a:1a:83:00/40 (unicast, prefix length 8 to "
                    "47), found {}",
                    in_.found(node)));
    return {};
  }
  base::Fingerprint print;
  print.add(model().seed);
  print.add(machine);
  print.add(nic);
  base::Random random(print.value());
  const std::uint64_t free_bits = (std::uint64_t{1} << (48 - length)) - 1;
  Mac mac;
  while (mac.is_zero()) mac = Mac{(base->bits & ~free_bits) | (random.next() & free_bits)};
  return {mac, MacOrigin::kDrawn, static_cast<std::uint8_t>(48 - length)};
}

std::optional<Ipv4Prefix> SiteReader::read_ip(NodeId node, const Instance& instance) {
  auto ip = in_.interface_address(node, "ip");
  if (!ip || instance.number == 0) return ip;
  const std::uint64_t counted = std::uint64_t{ip->address.bits} + instance.number;
  const std::uint64_t last = (ip->address.bits | ~ip->mask()) - (ip->length < 31 ? 1u : 0u);
  if (counted > last) {
    in_.wrong(
        node,
        fmt::format("counted up for '{}', the {}th, the address leaves its subnet; {} has room for {} from "
                    "here on",
                    instance.suffix, instance.number + 1, wire::to_text(*ip), last - ip->address.bits + 1));
    return std::nullopt;
  }
  ip->address.bits = static_cast<std::uint32_t>(counted);
  return ip;
}

void SiteReader::attach_guest_nics(MachineId host, std::span<const Nic> nics) {
  for (const Nic& nic : nics) {
    if (nic.fields.has("on")) attach_guest_nic(host, nic);
  }
  for (const Nic& nic : nics) {
    if (nic.fields.has("on") || model()[build_.wire_port(nic.station)].link.valid()) continue;
    in_.wrong(nic.name,
              fmt::format("NIC '{}' is on no virtual switch; write `on: NAME`", in_.text(nic.name)));
  }
}

void SiteReader::attach_guest_nic(MachineId host, const Nic& nic) {
  const NodeId on = nic.fields["on"];
  const auto name = in_.word(on, "the name of a virtual switch");
  if (!name) return;
  const MachineId guest = model()[nic.station].machine;
  const bool is_own = *name == model()[guest].name || build_.find_bridge(guest, *name).valid();
  if (is_own && !build_.find_bridge(host, *name).valid()) {
    in_.wrong(on, fmt::format("'{}' cannot be on itself; `on` names a virtual switch of its host '{}'", *name,
                              model()[host].name));
    return;
  }
  const BridgeId bridge = virtual_switch(on, host, *name);
  if (!bridge.valid()) return;
  if (model()[bridge].kind == model::BridgeKind::kBond) {
    return in_.wrong(on,
                     fmt::format("'{}' is a bond and takes no guests; put a virtual switch above it, with "
                                 "`uplinks: [{}]`, and the guests on that",
                                 *name, *name));
  }
  const auto port = build_.attach(nic.station, bridge, model::PortRole::kGuest);
  if (ok(on, port)) read_port(*port, nic.fields);
}

// ---------------------------------------------------------------- ARP and routes

void SiteReader::read_arp(const Fields& fields, model::ArpSettings& arp) {
  if (!fields.node().valid()) return;
  constexpr Bounds<model::Duration> kTimeout{"timeout", base::milliseconds(1), kLongestTime};
  set(arp.timeout, in_.duration(fields["timeout"], kTimeout));
  if (const NodeId confirm = fields["confirm"]; confirm.valid()) {
    arp.confirm_by_progress = arp.confirm_by_probe = false;
    for (const NodeId item : in_.list(confirm, "confirm", true)) {
      const auto how = in_.choice(item, "confirm", {"progress", "probe", "none"});
      if (how == 0) arp.confirm_by_progress = true;
      if (how == 1) arp.confirm_by_probe = true;
    }
  }
  read_announce(fields["announce"], arp);
}

void SiteReader::read_announce(NodeId announce, model::ArpSettings& settings) {
  if (!announce.valid()) return;
  constexpr Bounds<model::Duration> kAnnounce{"announce", base::milliseconds(1), kLongestTime};
  settings.announce_at_start = false;
  settings.announce_every = model::Duration{0};
  for (const NodeId item : in_.list(announce, "announce", true)) {
    const std::string_view word = in_.tree().is_text(item) ? in_.text(item) : std::string_view();
    const bool is_time = !word.empty() && word.front() >= '0' && word.front() <= '9';
    if (is_time) {
      set(settings.announce_every, in_.duration(item, kAnnounce));
    } else if (in_.choice(item, "announce (beside an interval like 100s)", {"start", "never"}) == 0) {
      settings.announce_at_start = true;
    }
  }
}

void SiteReader::read_routes(MachineId machine, const Fields& fields) {
  for (const NodeId node : in_.list(fields["gateway"], "gateway", true)) {
    if (is_ipv6(node)) {
      add_route6(machine, {{}, 0}, node);
    } else if (const auto gateway = in_.address(node, "gateway")) {
      add_route(machine, node, {{}, 0}, *gateway);
    }
  }
  for (const NodeId node : in_.list(fields["routes"], "routes")) {
    const Fields route = in_.fields(node, sections::kRoute, "{to: NETWORK, via: ADDRESS}");
    if (!route.node().valid()) continue;
    if (is_ipv6(route["to"]) || (is_ipv6(route["via"]) && route.has("to"))) {
      if (route.has("via")) {
        read_route6(machine, route["to"], route["via"]);
      } else {
        in_.wrong(node, "a route is {to: NETWORK, via: ADDRESS}");
      }
      continue;
    }
    const auto to = in_.network(route["to"], "to");
    const auto via = in_.address(route["via"], "via");
    if (!route.has("to") || !route.has("via")) in_.wrong(node, "a route is {to: NETWORK, via: ADDRESS}");
    if (to && via) add_route(machine, route["via"], *to, *via);
  }
}

void SiteReader::add_route(MachineId machine, NodeId node, Ipv4Prefix to, Ipv4 via) {
  std::vector<std::string> networks;
  for (const StationId id : model()[machine].stations) {
    const Ipv4Prefix& ip = model()[id].ip;
    if (ip.address.is_zero()) continue;
    if (ip.address == via)
      return in_.wrong(
          node, fmt::format("{} is an address of '{}' itself", wire::to_text(via), model()[machine].name));
    if (ip.contains(via)) {
      model()[machine].routes.push_back({to, via});
      return;
    }
    networks.push_back(wire::to_text(Ipv4Prefix{ip.network(), ip.length}));
  }
  in_.wrong(node, networks.empty()
                      ? fmt::format("'{}' has no address, so it cannot reach {}", model()[machine].name,
                                    wire::to_text(via))
                      : fmt::format("{} is in none of the networks of '{}' ({})", wire::to_text(via),
                                    model()[machine].name, fmt::join(networks, ", ")));
}

}  // namespace sekimori::importers
