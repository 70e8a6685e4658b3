// A Linux bridge whose MAC has not been set takes the lowest MAC of its ports, and works it out anew whenever
// a port comes or goes (net/bridge/br_stp_if.c, br_stp_recalculate_bridge_id). The host's own address is on
// the bridge, so plugging in a guest whose port has a lower MAC changes the host's MAC: neighbours hold the
// old one until their ARP entries run out, and DHCP may hand out another address.
//
// The port of a guest is a tap or veth. libvirt gives it the guest's MAC with the first octet FE, just so
// that it is never the lowest; other tools leave the guest's MAC or a random one there. MACs that the site
// file leaves out are placeholders, so only addresses that are known are compared.
#include <fmt/format.h>

#include "check/words.h"

namespace sekimori::check {
namespace {

using model::MacOrigin;
using model::PortId;
using model::PortRole;
using model::StationId;

StationId station_at(const model::Model& m, PortId port) {
  const PortId far = peer(m, port);
  return far.valid() ? m[far].station : StationId{};
}

}  // namespace

void rule_mac_bridge_changes(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    const model::Bridge& bridge = m.bridges[b];
    if (bridge.kind != model::BridgeKind::kLinuxBridge || bridge.mac_is_set || !bridge.machine.valid())
      continue;
    StationId own;
    std::vector<StationId> lower;
    for (const PortId port : bridge.ports) {
      const StationId s = station_at(m, port);
      if (m[port].role == PortRole::kHost && s.valid() && m[s].mac_origin != MacOrigin::kAllocated) own = s;
    }
    if (!own.valid()) continue;
    for (const PortId port : bridge.ports) {
      const StationId s = station_at(m, port);
      if (m[port].role != PortRole::kGuest || !s.valid()) continue;
      if (m[s].mac_origin != MacOrigin::kAllocated && m[s].mac < m[own].mac) lower.push_back(s);
    }
    if (lower.empty()) continue;
    findings::Finding f = proved(findings::Code::kMacBridgeChanges);
    f.bridge = model::BridgeId(b);
    f.stations = {own};
    f.line = bridge.line;
    f.where = name_of(m, f.bridge);
    f.headline = fmt::format("the MAC of {} may change from {} when {} is plugged in or out", f.where,
                             wire::to_text(m[own].mac), names(m, lower, 2));
    f.cause = fmt::format(
        "The MAC of {} is not set, so it is the lowest of its ports', and the host {} uses it as its own. {} "
        "{} a lower one. Where the port of the guest has the guest's MAC, the host changes its address under "
        "its neighbours, who keep the old one until their ARP entries run out. libvirt gives such ports "
        "addresses that begin with FE to avoid it; `mac` at the bridge rules it out everywhere.",
        f.where, name_of(m, bridge.machine), names(m, lower), lower.size() == 1 ? "has" : "have");
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
