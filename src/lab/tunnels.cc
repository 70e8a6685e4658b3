#include "lab/tunnels.h"

#include <algorithm>
#include <map>

#include "switching/vxlan.h"
#include "sys/links.h"

namespace sekimori::lab {

using base::Result;
using model::PortId;

namespace {

// The address of the endpoint to which a port of another leads.
model::Ipv4 far_end(const model::Model& site, PortId tunnel_port) {
  const model::Bridge& far = site[site[model::peer(site, tunnel_port)].bridge];
  return site[far.underlay].ip.address;
}

}  // namespace

bool has_tunnels(const model::Model& site) {
  return std::ranges::any_of(site.bridges,
                             [](const model::Bridge& b) { return b.kind == model::BridgeKind::kVtep; });
}

Result<void> make_tunnel_end(const model::Model& site, const PlannedBridge& end,
                             const sys::Namespace& machine, const sys::Namespace& where) {
  const model::Bridge& bridge = site[end.bridge];
  auto below = sys::Links::open(machine);
  if (!below) return std::unexpected(below.error());
  auto made = below->add_vxlan({where, end.device, end.mac}, {.vni = bridge.vni,
                                                              .local = site[bridge.underlay].ip.address,
                                                              .port = switching::kVxlanPort,
                                                              .learning = bridge.learning,
                                                              .ageing = bridge.ageing,
                                                              .mtu = kInnerMtu});
  if (!made) return made;
  auto links = sys::Links::open(where);
  if (!links) return std::unexpected(links.error());
  for (const PortId port : bridge.ports) {
    if (!site[port].tunnel) continue;
    if (auto added = links->add_remote(end.device, {}, far_end(site, port)); !added) return added;
  }
  for (const model::StaticEntry& entry : bridge.static_entries) {
    if (!site[entry.port].tunnel) continue;
    if (auto added = links->add_remote(end.device, entry.mac, far_end(site, entry.port)); !added)
      return added;
  }
  return {};
}

Result<void> flush_tunnel_end(const PlannedBridge& end, const sys::Namespace& where) {
  auto links = sys::Links::open(where);
  return links ? links->flush_remotes(end.device) : std::unexpected(links.error());
}

Result<std::vector<TableEntry>> read_tunnel_end(const model::Model& site, const PlannedBridge& end,
                                                const sys::Namespace& where) {
  auto links = sys::Links::open(where);
  if (!links) return std::unexpected(links.error());
  const auto remotes = links->remotes(end.device);
  if (!remotes) return std::unexpected(remotes.error());
  std::map<model::Ipv4, PortId> port_to;
  for (const PortId port : site[end.bridge].ports) {
    if (site[port].tunnel) port_to.emplace(far_end(site, port), port);
  }
  std::vector<TableEntry> entries;
  for (const sys::RemoteEntry& remote : *remotes) {
    const auto port = port_to.find(remote.remote);
    if (port == port_to.end()) continue;
    entries.push_back({end.bridge, remote.mac, 0, port->second, remote.unheard, remote.is_static});
  }
  return entries;
}

}  // namespace sekimori::lab
