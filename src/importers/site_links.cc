// Cables: between NICs, switches and WAN sites, and virtual ones between two virtual switches of a machine.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"

namespace sekimori::importers {

using model::BridgeId;
using model::BridgeKind;
using model::Link;
using model::MachineId;
using model::MachineKind;
using model::PortId;
using model::StationId;

// [a, b], [a, b, rate] or {between: [a, b], rate: ..., delay: ...}.
void SiteReader::read_link(NodeId node) {
  const bool is_short = in_.tree().kind(node) == YamlTree::Kind::kSequence;
  const Fields fields = in_.fields(is_short ? NodeId{} : node, sections::kLink);
  if (!is_short && !fields.node().valid() && in_.tree().kind(node) != YamlTree::Kind::kNull) return;
  const std::vector<NodeId> ends = in_.list(is_short ? node : fields["between"], "between");
  if (ends.size() != 2 && !(is_short && ends.size() == 3)) {
    return in_.wrong(
        node,
        "a link is [end, end], [end, end, rate] or {between: [end, end], rate: ..., delay: ...}; an "
        "end is machine:nic, switch:port or wan:site");
  }
  const auto rate = in_.rate(is_short ? (ends.size() == 3 ? ends[2] : NodeId{}) : fields["rate"]);
  const auto delay = in_.duration(fields["delay"], kDelayBounds);
  const auto queue = in_.bytes(fields["queue"], kQueueBounds);
  const auto state = in_.choice(fields["state"], "state", {"up", "down"});
  const auto a = read_end(ends[0], Ports::kMake);
  const auto b = read_end(ends[1], Ports::kMake);
  if (!a || !b || !may_join(node, *a, *b)) return;

  Link link = a->virtual_switch.valid() ? model::virtual_cable() : default_link_;
  set(link.rate, rate);
  set(link.delay, delay);
  set(link.queue_bytes, queue);
  link.up = state != 1;
  link.line = in_.line(node);
  for (const PortId port : {a->port, b->port}) {
    const auto uni = unis_.find(port);
    if (uni == unis_.end()) continue;
    link.rate = rate ? std::min(link.rate, uni->second.rate) : uni->second.rate;
    if (!delay && uni->second.delay.count() > 0) link.delay = model::Duration{0};
    link.delay += uni->second.delay;
  }
  const bool is_second = model()[b->port].link.valid() && !model()[a->port].link.valid();
  const model::LinkId other = model()[is_second ? b->port : a->port].link;
  ok(ends[is_second ? 1 : 0], build_.connect(a->port, b->port, link),
     other.valid() ? line_note(model()[other].line) : "");
}

bool SiteReader::may_join(NodeId node, const End& a, const End& b) {
  if (!a.virtual_switch.valid() && !b.virtual_switch.valid()) return true;
  for (const End* end : {&a, &b}) {
    if (!end->virtual_switch.valid()) continue;
    const BridgeKind kind = model()[end->virtual_switch].kind;
    if (kind != BridgeKind::kEsxi && kind != BridgeKind::kHyperV && kind != BridgeKind::kMacvlan &&
        kind != BridgeKind::kBond)
      continue;
    in_.wrong(node,
              fmt::format("{} has ports for NICs only: a {} is not joined to another switch of its machine",
                          name_of(model(), end->virtual_switch), to_text(kind)));
    return false;
  }
  const auto owner = [&](const End& end) {
    return end.virtual_switch.valid() ? model()[end.virtual_switch].machine : MachineId{};
  };
  if (owner(a).valid() && owner(a) == owner(b)) return true;
  const bool are_two = owner(a).valid() && owner(b).valid();
  const std::string one = name_of(model(), owner(a).valid() ? a.virtual_switch : b.virtual_switch);
  in_.wrong(node,
            are_two
                ? fmt::format("{} and {} are in different machines; a virtual cable stays in one. Join them "
                              "through uplink NICs",
                              one, name_of(model(), b.virtual_switch))
                : fmt::format("{} is inside a machine; the outside reaches it through a NIC that is its "
                              "uplink, so link that NIC",
                              one));
  return false;
}

// "server:eth0", "sw1:24", "ether:tokyo", "server/vmnet0:a".
std::optional<SiteReader::End> SiteReader::read_end(NodeId node, Ports ports) {
  const auto written = in_.word(node, "an end of a link, as machine:nic or switch:port");
  if (!written) return std::nullopt;
  const std::size_t colon = written->find(':');
  const std::string_view owner = written->substr(0, colon);
  if (colon == std::string_view::npos || colon + 1 == written->size() || owner.empty()) {
    in_.wrong(node,
              fmt::format("'{}' names no port; an end is machine:nic, switch:port or wan:site", *written));
    return std::nullopt;
  }
  const std::string_view port = written->substr(colon + 1);
  if (owner.contains('/')) return virtual_port(node, owner, port, ports);
  if (const MachineId machine = build_.find_machine(owner); machine.valid())
    return nic_port(node, machine, port, ports);
  if (const BridgeId bridge = build_.find_bridge({}, owner); bridge.valid()) {
    return switch_port(node, bridge, port, ports);
  }
  if (!problems_.overflows())
    in_.wrong(node, fmt::format("there is no machine, switch or WAN '{}'{}", owner, hint(owner)));
  return std::nullopt;
}

std::optional<SiteReader::End> SiteReader::virtual_port(NodeId node, std::string_view owner,
                                                        std::string_view port, Ports ports) {
  const std::size_t slash = owner.find('/');
  const MachineId host = machine(node, owner.substr(0, slash), "a machine");
  if (!host.valid()) return std::nullopt;
  const BridgeId bridge = virtual_switch(node, host, owner.substr(slash + 1));
  if (!bridge.valid()) return std::nullopt;
  auto end = switch_port(node, bridge, port, ports);
  if (end) end->virtual_switch = bridge;
  return end;
}

std::optional<SiteReader::End> SiteReader::nic_port(NodeId node, MachineId machine, std::string_view nic,
                                                    Ports ports) {
  if (model()[machine].kind == MachineKind::kGuest && ports == Ports::kMake) {
    in_.wrong(node, fmt::format("'{}' is a guest; its NICs are joined by `on`, not by links",
                                model()[machine].name));
    return std::nullopt;
  }
  if (const model::BridgeId bond = build_.find_bridge(machine, nic);
      bond.valid() && model()[bond].kind == model::BridgeKind::kBond && ports == Ports::kMake) {
    in_.wrong(node, fmt::format("'{}' is a bond; link its NICs", name_of(model(), bond)));
    return std::nullopt;
  }
  std::vector<std::string_view> known;
  for (const StationId id : model()[machine].stations) {
    const model::Station& station = model()[id];
    if (model()[station.port].name == nic) {
      // A bridge's own interface has no socket.
      const PortId far = model::peer(model(), station.port);
      const bool is_inside =
          far.valid() && model()[far].role == model::PortRole::kHost && build_.wire_port(id) == station.port;
      if (!is_inside) return End{build_.wire_port(id), {}};
    }
    if (station.vlan == 0 && !station.shared.valid()) known.emplace_back(station.name);
  }
  if (known.empty()) {
    in_.wrong(node, fmt::format("'{}' has no NICs", model()[machine].name));
  } else {
    in_.wrong(node, fmt::format("'{}' has no NIC '{}' for a cable{}", model()[machine].name, nic,
                                in_.hint(nic, known)));
  }
  return std::nullopt;
}

std::optional<SiteReader::End> SiteReader::switch_port(NodeId node, BridgeId bridge, std::string_view port,
                                                       Ports ports) {
  const bool has_sites = model()[bridge].kind == BridgeKind::kELan;
  if (ports == Ports::kMake && !has_sites) return End{build_.bridge_port(bridge, port), {}};
  std::vector<std::string_view> known;
  for (const PortId id : model()[bridge].ports) {
    if (model()[id].name == port) return End{id, {}};
    if (!model()[id].name.empty()) known.emplace_back(model()[id].name);
  }
  in_.wrong(node, fmt::format("'{}' has no {} '{}'{}", name_of(model(), bridge),
                              has_sites ? "site" : "port in use", port, in_.hint(port, known)));
  return std::nullopt;
}

// "server" or "server:eth0": the machine goes to *machine; the station is invalid when none is named, or
// nothing fits.
StationId SiteReader::read_station(NodeId node, MachineId* machine_out) {
  const auto written = in_.word(node, "machine:nic");
  if (!written) return {};
  const std::size_t colon = written->find(':');
  const MachineId owner = machine(node, written->substr(0, colon), "a machine");
  if (machine_out != nullptr) *machine_out = owner;
  if (!owner.valid() || (colon == std::string_view::npos && machine_out != nullptr)) return {};
  if (machine_out != nullptr) *machine_out = {};  // until the NIC is known to exist
  if (colon == std::string_view::npos) {
    in_.wrong(node, fmt::format("'{}' names no NIC; write machine:nic", *written));
    return {};
  }
  const std::string_view nic = written->substr(colon + 1);
  const StationId station = build_.find_station(owner, nic);
  if (!station.valid()) {
    std::vector<std::string_view> known;
    for (const StationId id : model()[owner].stations) {
      if (!model()[id].shared.valid()) known.emplace_back(model()[id].name);
    }
    in_.wrong(node, fmt::format("'{}' has no NIC '{}'{}", model()[owner].name, nic, in_.hint(nic, known)));
  } else if (machine_out != nullptr) {
    *machine_out = owner;
  }
  return station;
}

}  // namespace sekimori::importers
