// Tunnels: bridges of several hosts joined over the hosts' IP network. What a VXLAN endpoint does stands at
// the head of switching/vxlan.h.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"
#include "model/segments.h"

namespace sekimori::importers {

using model::BridgeId;
using model::BridgeKind;
using model::MachineId;
using model::PortId;
using model::PortRole;
using model::StationId;

namespace {

constexpr std::size_t kMostMembers = 64;  // a link for each pair
constexpr Bounds<std::int64_t> kVniBounds{"vni", 0, 0xff'ffff};

// The packets of a tunnel take their time on the network below it, not here.
model::Link between_endpoints() {
  model::Link link;
  link.rate = base::gbit(10'000);
  link.delay = model::Duration{0};
  link.queue_bytes = 1 << 30;
  link.is_virtual = true;
  return link;
}

}  // namespace

void SiteReader::read_tunnel(const Entry& entry) {
  const Fields fields = in_.fields(entry.value, sections::kTunnel);
  if (!in_.is_name(entry.name, "tunnel")) return;
  in_.choice(fields["kind"], "kind", {"vxlan"});
  Tunnel tunnel{entry.name, {}, fields["static"]};
  const auto vni = in_.integer(fields["vni"], kVniBounds);
  const std::vector<NodeId> members = in_.list(fields["members"], "members");
  if (members.size() < 2 || members.size() > kMostMembers)
    return in_.wrong(entry.name, fmt::format("a tunnel joins 2 to {} virtual switches: `members: [hv1/br0, "
                                             "hv2/br0]`; found {}",
                                             kMostMembers, members.size()));
  for (const NodeId member : members) {
    const BridgeId end = read_member(tunnel, member);
    if (!end.valid()) return;
    model::Bridge& endpoint = model()[end];
    endpoint.line = in_.line(entry.name);
    endpoint.vni = static_cast<std::uint32_t>(vni.value_or(0));
    set(endpoint.ageing, default_ageing_);
    set(endpoint.ageing, in_.duration(fields["ageing"], kAgeingBounds));
    set(endpoint.learning, in_.flag(fields["learning"], "learning"));
    tunnel.ends.push_back(end);
  }
  join(tunnel);
  tunnels_.push_back(std::move(tunnel));
}

// "hv1/br0", or {on: hv1/br0, via: eth0}.
BridgeId SiteReader::read_member(const Tunnel& tunnel, NodeId node) {
  const bool is_short = in_.tree().is_text(node);
  const Fields fields = in_.fields(is_short ? NodeId{} : node, sections::kTunnelMember);
  const NodeId on = is_short ? node : fields["on"];
  const auto written = in_.word(on.valid() ? on : node, "a member as host/switch");
  if (!written) return {};
  const std::size_t slash = written->find('/');
  if (slash == std::string_view::npos) {
    in_.wrong(on, fmt::format("'{}' is no virtual switch; a member is written host/switch", *written));
    return {};
  }
  const MachineId host = machine(on, written->substr(0, slash), "a machine");
  if (!host.valid()) return {};
  const BridgeId bridge = virtual_switch(on, host, written->substr(slash + 1));
  if (!bridge.valid()) return {};
  const BridgeKind kind = model()[bridge].kind;
  if (kind != BridgeKind::kLinuxBridge && kind != BridgeKind::kOvs && kind != BridgeKind::kSwitch) {
    in_.wrong(on, fmt::format("a {} takes no tunnel; a linux-bridge, ovs or switch does", to_text(kind)));
    return {};
  }
  if (model()[bridge].stp) {
    in_.wrong(on, fmt::format("'{}' runs a spanning tree, and that is not played through tunnels",
                              name_of(model(), bridge)));
    return {};
  }
  const StationId underlay = underlay_of(host, bridge, fields["via"], on);
  if (!underlay.valid()) return {};
  const std::string name(in_.text(tunnel.name));
  const auto end = build_.add_bridge(name, BridgeKind::kVtep, host);
  if (!ok(on, end)) return {};
  model()[*end].underlay = underlay;
  const PortId inside = build_.bridge_port(*end, model()[bridge].name);
  model()[inside].learning = false;
  model::Link cable = model::virtual_cable();
  cable.line = in_.line(node);
  const auto link = build_.connect(inside, build_.bridge_port(bridge, name), cable);
  return ok(on, link) ? *end : BridgeId{};
}

// The host's address that the tunnel's packets bear: that of the NIC named, or the first that is not in the
// bridge itself.
StationId SiteReader::underlay_of(MachineId host, BridgeId bridge, NodeId via, NodeId place) {
  if (via.valid()) {
    const auto name = in_.word(via, "the name of a NIC");
    if (!name) return {};
    const StationId station = build_.find_station(host, *name);
    if (station.valid() && !model()[station].ip.address.is_zero()) return station;
    in_.wrong(via, fmt::format("'{}' has no NIC '{}' with an IPv4 address", model()[host].name, *name));
    return {};
  }
  for (const StationId station : model()[host].stations) {
    const PortId far = model::peer(model(), model()[station].port);
    const bool is_inside = far.valid() && model()[far].bridge == bridge;
    if (!is_inside && !model()[station].ip.address.is_zero()) return station;
  }
  in_.wrong(place, fmt::format("'{}' has no IPv4 address outside of '{}' for the tunnel's packets",
                               model()[host].name, model()[bridge].name));
  return {};
}

void SiteReader::join(const Tunnel& tunnel) {
  for (std::size_t a = 0; a < tunnel.ends.size(); ++a) {
    for (std::size_t b = a + 1; b < tunnel.ends.size(); ++b) {
      const auto port = [&](BridgeId at, BridgeId other) {
        const PortId id = build_.bridge_port(at, "to-" + model()[model()[other].machine].name);
        model()[id].tunnel = model()[id].isolated = true;
        return id;
      };
      model::Link link = between_endpoints();
      link.line = in_.line(tunnel.name);
      ok(tunnel.name,
         build_.connect(port(tunnel.ends[a], tunnel.ends[b]), port(tunnel.ends[b], tunnel.ends[a]), link));
    }
  }
}

// When all links, routes and addresses are known.
void SiteReader::check_tunnels() {
  if (tunnels_.empty() || !problems_.empty()) return;
  const model::Segments segments = model::segments(model());
  std::vector<bool> carried(segments.list.size(), false);
  for (std::size_t i = 0; i < segments.list.size(); ++i) {
    carried[i] = std::ranges::any_of(segments.list[i].bridges, [&](const auto& at) {
      return model()[at.first].kind == BridgeKind::kVtep;
    });
  }
  for (const Tunnel& tunnel : tunnels_) {
    for (const BridgeId end : tunnel.ends) {
      const StationId underlay = model()[end].underlay;
      if (carried[segments.of_station[underlay.index()]])
        return in_.wrong(tunnel.name,
                         fmt::format("{} is itself in a segment that a tunnel carries; tunnels in "
                                     "tunnels are not played",
                                     name_of(model(), underlay)));
      for (const BridgeId other : tunnel.ends) {
        if (other == end) continue;
        Translations translations;
        const std::string why = why_no_route(model()[end].machine, model()[other].underlay, translations);
        if (!why.empty()) return in_.wrong(tunnel.name, why);
      }
    }
  }
}

void SiteReader::read_tunnel_entries() {
  for (const Tunnel& tunnel : tunnels_) {
    for (const NodeId node : in_.list(tunnel.statics, "static"))
      read_tunnel_entry(tunnel, in_.fields(node, sections::kTunnelStatic, "{mac: ADDRESS, member: HOST}"));
  }
}

// At every other endpoint.
void SiteReader::read_tunnel_entry(const Tunnel& tunnel, const Fields& fields) {
  if (!fields.node().valid()) return;
  if (fields.has("mac") == fields.has("station"))
    return in_.wrong(fields.node(), "a static entry is for one of `mac: ADDRESS` and `station: machine:nic`");
  std::optional<model::Mac> mac = in_.mac(fields["mac"]);
  if (fields.has("station")) {
    const StationId station = read_station(fields["station"], nullptr);
    if (!station.valid()) return;
    mac = model()[station].mac;
  }
  const auto member = in_.word(fields["member"], "the host of a member");
  if (!fields.has("member"))
    in_.wrong(fields.node(), "a static entry needs a `member`: the host it leads to");
  if (!mac || !member) return;
  const MachineId host = machine(fields["member"], *member, "a machine");
  if (!host.valid()) return;
  const auto is_there = [&](BridgeId end) { return model()[end].machine == host; };
  if (std::ranges::none_of(tunnel.ends, is_there))
    return in_.wrong(fields["member"],
                     fmt::format("'{}' is no member of '{}'", *member, in_.text(tunnel.name)));
  for (const BridgeId end : tunnel.ends) {
    if (is_there(end)) continue;
    model()[end].static_entries.push_back({0, *mac, build_.bridge_port(end, "to-" + std::string(*member))});
  }
}

}  // namespace sekimori::importers
