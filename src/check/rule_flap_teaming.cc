// A team of uplinks that hashes IP addresses sends frames of one NIC by several uplinks
// (switching/teaming.h). Where the network outside takes these for independent ports, it hears one address
// now here, now there: its entry flaps with every packet, and what comes back goes to whichever port was
// last. ESXi's "route based on IP hash" therefore needs a static link aggregation group at the other end, of
// all uplinks on one switch or one stack.
//
// Beacon probing (switching/beacon.h) does not go with a team that is one link: knowledge.broadcom.com
// 394235, elatov.github.io/2012/03/beacon-probes-with-port-channel-causing-mac-flapping. Of two uplinks it
// cannot tell which is lost, and uses both: vSphere Networking 6.5, "Network Failure Detection Policy".
//
// Sources: knowledge.broadcom.com 402719, 440179; vSphere Networking 6.7, "Route Based on IP Hash".
#include <fmt/format.h>

#include "check/teams.h"
#include "check/words.h"

namespace sekimori::check {
namespace {

using model::BridgeId;
using model::PortId;

findings::Finding beacons(const model::Model& m, BridgeId bridge, const std::vector<PortId>& outside,
                          bool aggregated) {
  findings::Finding f = proved(findings::Code::kFlapTeaming);
  f.severity = findings::Severity::kWarning;
  f.bridge = bridge;
  f.line = m[bridge].line;
  f.where = name_of(m, bridge);
  f.headline = fmt::format("{} probes with beacons over uplinks that {}", f.where,
                           aggregated ? "are one link outside" : "it chooses by IP hash");
  f.cause = fmt::format(
      "Each uplink of {} sends beacons for the others to hear, with its own address, and an address of the "
      "hypervisor is the same as an uplink's. {} Beacons of one uplink never reach another that way, so all "
      "uplinks are taken for dead, every frame leaves by all of them, and addresses are heard at several "
      "ports. Use link status only, and beacon probing not below three uplinks.",
      f.where,
      aggregated ? fmt::format("{} are one link aggregation group.", names(m, outside))
                 : fmt::format("IP hash sends that address by {} too.", names(m, outside)));
  return f;
}

findings::Finding too_few(const model::Model& m, BridgeId bridge, const std::vector<PortId>& outside) {
  findings::Finding f = proved(findings::Code::kFlapTeaming);
  f.severity = findings::Severity::kNote;
  f.bridge = bridge;
  f.line = m[bridge].line;
  f.where = name_of(m, bridge);
  f.headline =
      fmt::format("{} probes two uplinks with beacons, and can't tell which of them is lost", f.where);
  f.cause = fmt::format(
      "An uplink is taken for lost when it hears no beacon of the others. When the way behind one of {} is "
      "lost, neither hears the other, so {} sends every frame by both, and takes what is for everybody from "
      "both. With three uplinks one of them may be lost.",
      names(m, outside), f.where);
  return f;
}

}  // namespace

void rule_flap_teaming(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    const model::Bridge& bridge = m.bridges[b];
    if (bridge.kind != model::BridgeKind::kEsxi && bridge.kind != model::BridgeKind::kHyperV) continue;
    const std::vector<PortId> outside = opposite(m, bridge);
    if (outside.size() < 2 || !meet_outside(m, outside, BridgeId(b))) continue;
    const bool aggregated = are_one(m, outside);
    if (bridge.beacon_probing && (aggregated || bridge.teaming == model::Teaming::kIpHash)) {
      out.push_back(beacons(m, BridgeId(b), outside, aggregated));
    }
    if (aggregated) continue;
    if (bridge.teaming != model::Teaming::kIpHash) {
      if (bridge.beacon_probing && outside.size() == 2) out.push_back(too_few(m, BridgeId(b), outside));
      continue;
    }
    findings::Finding f = proved(findings::Code::kFlapTeaming);
    f.bridge = BridgeId(b);
    f.line = bridge.line;
    f.where = name_of(m, f.bridge);
    f.headline = fmt::format(
        "{} sends each of its NICs' frames by {} uplinks, and nothing outside knows that "
        "they are a team",
        f.where, outside.size());
    f.cause = fmt::format(
        "The teaming of {} chooses the uplink by the IP addresses of each packet (ip-hash). {} are "
        "independent "
        "ports: whoever is there hears one address at all of them in turn, moves its entry each time and "
        "sends what comes back to the last. IP hash needs a static link aggregation group at the other end; "
        "without one, choose by port (port-id) or address (mac-hash).",
        f.where, names(m, outside));
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
