// A guest that is a bridge or a hypervisor itself, on a virtual switch that knows the addresses of NICs and
// nothing else (switching/registered.h). Frames for the stations behind the guest are for nobody that the
// switch knows, and frames from them bear an address that is not the NIC's: unless the port's policies say
// otherwise, both are dropped, without a trace in any table. The guest itself is reached as ever, which makes
// the fault hard to see.
//
// Sources: heads of switching/esxi.h (promiscuous mode and forged transmits; Hyper-V's MAC address spoofing),
// macvlan.h and sriov.h (neither knows more than one address of a guest).
#include <fmt/format.h>

#include <algorithm>

#include "check/words.h"
#include "switching/registered.h"

namespace sekimori::check {
namespace {

using model::BridgeKind;
using model::PortId;
using model::StationId;

// Something behind the guest's bridge has an address of its own.
bool hides_stations(const model::Model& m, PortId port) {
  const PortId inside = peer(m, port);
  const wire::Mac own = nic_address(m, port);
  return std::ranges::any_of(m[m[inside].bridge].ports, [&](PortId other) {
    const PortId far = peer(m, other);
    if (other == inside || !far.valid()) return false;
    return m[far].bridge.valid() || m[m[far].station].mac != own;
  });
}

// What the port's settings lack; empty when all is well.
std::string missing(const model::Bridge& bridge, const model::Port& port) {
  switch (bridge.kind) {
    case BridgeKind::kEsxi:
      if (port.promiscuous && port.forged_transmits) return "";
      return port.promiscuous        ? "forged-transmits: on"
             : port.forged_transmits ? "promiscuous-mode: on"
                                     : "promiscuous-mode: on and forged-transmits: on";
    case BridgeKind::kHyperV:
      return port.forged_transmits ? "" : "mac-spoofing: on";
    case BridgeKind::kMacvlan:
      return bridge.macvlan_mode == model::MacvlanMode::kPassthru ? "" : "mode: passthru";
    case BridgeKind::kSriov:
      return "a NIC of another kind: a virtual function has one address";
    default:
      return "";
  }
}

}  // namespace

void rule_blackhole_nested(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    const PortId port(p);
    const model::Port& settings = m[port];
    if (!settings.bridge.valid() || settings.role != model::PortRole::kGuest) continue;
    const PortId inside = peer(m, port);
    if (!inside.valid() || !m[inside].bridge.valid()) continue;
    const model::Bridge& bridge = m[settings.bridge];
    if (!switching::registers(bridge.kind)) continue;
    const std::string lacks = missing(bridge, settings);
    if (lacks.empty() || !hides_stations(m, port)) continue;
    findings::Finding f = proved(findings::Code::kBlackholeNested);
    f.bridge = settings.bridge;
    f.line = bridge.line;
    f.where = name_of(m, f.bridge);
    const std::string guest = name_of(m, m[inside].bridge);
    f.headline = fmt::format("{} drops frames for and from the stations behind {}", f.where, guest);
    f.cause = fmt::format(
        "{} ({}) knows the address of the NIC that {} bridges, and no others. Frames for the stations behind "
        "it "
        "are for nobody there; frames from them are not the NIC's. The port lacks {}.",
        f.where, to_text(bridge.kind), guest, lacks);
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
