#include "remedy/remedies.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "check/teams.h"
#include "model/segments.h"
#include "model/shared.h"
#include "remedy/edit.h"
#include "remedy/multicast.h"
#include "switching/registered.h"

namespace sekimori::remedy {

using findings::Code;
using findings::Finding;
using model::BridgeId;
using model::BridgeKind;
using model::MachineId;
using model::Model;
using model::PortId;
using model::PortRole;
using model::StationId;

namespace {

using switching::learns;

// The bridges of the finding's segments: where entries are missing, and where ports can be told to block.
std::vector<BridgeId> bridges_around(const Model& m, const Finding& f) {
  const model::Segments segments = model::segments(m);
  std::vector<BridgeId> found;
  const auto add_segment = [&](std::uint32_t index) {
    if (index >= segments.list.size()) return;
    for (const auto& [bridge, vlan] : segments.list[index].bridges) {
      if (std::ranges::find(found, bridge) == found.end()) found.push_back(bridge);
    }
  };
  for (const StationId s : f.stations) add_segment(segments.of_station[s.index()]);
  if (f.stations.empty() && f.bridge.valid()) found.push_back(f.bridge);
  return found;
}

base::Duration shortest_ageing(const Model& m, const Finding& f) {
  base::Duration least = base::kNever;
  for (const BridgeId b : bridges_around(m, f)) {
    if (learns(m[b].kind) && m[b].ageing.count() > 0) least = std::min(least, m[b].ageing);
  }
  return least == base::kNever ? base::seconds(300) : least;
}

template <class Id>
std::string names(const Model& m, const std::vector<Id>& ids) {
  std::vector<std::string> list;
  for (const Id id : ids) list.push_back(name_of(m, id));
  return base::list_words(list, 4);
}

// ---------------------------------------------------------------- at the virtual switch

std::optional<Trial> guard(const Model& m, const Finding& f) {
  Trial trial{"guard", {}, m};
  for (const PortId port : m[f.bridge].ports) {
    if (m[port].role != PortRole::kUplink) continue;
    trial.model[port].guard = true;
    trial.description =
        fmt::format("at {} drop frames for the machine's own guests before they leave", name_of(m, port));
  }
  return trial.description.empty() ? std::nullopt : std::optional(std::move(trial));
}

std::optional<Trial> filter_in_product(const Model& m, const Finding& f) {
  if (m[f.bridge].kind != BridgeKind::kHostedBridge) return std::nullopt;
  Trial trial{"filters-local",
              fmt::format("let {} filter local frames itself, if the product can (filters-local)",
                          name_of(m, f.bridge)),
              m};
  trial.model[f.bridge].filters_local = true;
  return trial;
}

std::optional<Trial> learning_bridge(const Model& m, const Finding& f) {
  if (m[f.bridge].kind != BridgeKind::kHostedBridge) return std::nullopt;
  Trial trial{"linux-bridge",
              fmt::format("a learning bridge under the host's stack in place of {}", name_of(m, f.bridge)),
              m};
  model::Bridge& bridge = trial.model[f.bridge];
  bridge.kind = BridgeKind::kLinuxBridge;
  for (const PortId port : bridge.ports) {
    if (m[port].role != PortRole::kHost) continue;
    trial.model[port].floods_unknown = false;
    const StationId host = m[peer(m, port)].station;
    if (host.valid()) bridge.static_entries.push_back({m[port].pvid, m[host].mac, port});
  }
  return trial;
}

// The segment ends at the host. Behind a NAT nobody outside needs a route, and nobody gets in.
std::optional<Trial> route_at_host(const Model& m, const Finding& f, model::Routing routing) {
  if (m[f.bridge].kind != BridgeKind::kHostedBridge) return std::nullopt;
  const bool is_nat = routing == model::Routing::kNat;
  Trial trial{is_nat ? "nat" : "routed", {}, m};
  const model::Ipv4Prefix inside = route_instead(trial.model, f.bridge, routing);
  if (inside.length == 0) return std::nullopt;
  trial.description =
      fmt::format("let {} route what is on {} ({}) {}", m[m[f.bridge].machine].name, name_of(m, f.bridge),
                  wire::to_text(inside), is_nat ? "behind its own address" : "in place of bridging it");
  return trial;
}
std::optional<Trial> routed(const Model& m, const Finding& f) {
  return route_at_host(m, f, model::Routing::kRouted);
}
// Where all connections begin inside.
std::optional<Trial> translated(const Model& m, const Finding& f) {
  const auto is_on = [&](MachineId machine) {
    return std::ranges::any_of(m[machine].stations, [&](StationId s) {
      const PortId far = peer(m, m[s].port);
      return far.valid() && m[far].bridge == f.bridge;
    });
  };
  for (const model::Flow& flow : m.flows) {
    if (flow.to.valid() && is_on(flow.to) && flow.to != m[f.bridge].machine && !is_on(flow.from))
      return std::nullopt;
  }
  return route_at_host(m, f, model::Routing::kNat);
}

// Flows that output learn as well when NORMAL is one of their outputs.
std::optional<Trial> learn_in_flows(const Model& m, const Finding& f) {
  Trial trial{"normal", fmt::format("add NORMAL to what the flows of {} output", name_of(m, f.bridge)), m};
  for (model::FlowRule& rule : trial.model[f.bridge].flow_rules) {
    if (rule.normal || rule.out.empty()) continue;
    rule.normal = true;
    // NORMAL sends to where the destination is; what the flow sent there itself would come twice.
    for (std::size_t s = 0; s < m.stations.size(); ++s) {
      if (m.stations[s].mac != rule.destination) continue;
      const PortId at = peer(m, m.stations[s].port);
      if (!at.valid() || m[at].bridge != f.bridge || std::erase(rule.out, at) == 0) continue;
      trial.model[f.bridge].static_entries.push_back({m[at].pvid, rule.destination, at});
    }
  }
  return trial;
}

// The addresses of the stations behind the PF, in the NIC's table.
std::optional<Trial> entries_at_pf(const Model& m, const Finding& f) {
  Trial trial{"fdb-entry", {}, m};
  for (const PortId port : m[f.bridge].ports) {
    if (m[port].role != PortRole::kHost && m[port].role != PortRole::kNetwork) continue;
    for (const StationId s : f.stations)
      trial.model[f.bridge].static_entries.push_back({m[port].pvid, m[s].mac, port});
    trial.description = fmt::format("add {} to the table of {}: bridge fdb add ADDRESS dev PF self",
                                    names(m, f.stations), name_of(m, f.bridge));
  }
  return trial.description.empty() ? std::nullopt : std::optional(std::move(trial));
}

std::optional<Trial> team_by_port(const Model& m, const Finding& f) {
  if (m[f.bridge].kind == BridgeKind::kBond) return std::nullopt;
  Trial trial{"teaming",
              fmt::format("let {} choose the uplink by port (teaming: port-id)", name_of(m, f.bridge)), m};
  trial.model[f.bridge].teaming = model::Teaming::kPortId;
  return trial;
}

std::optional<Trial> bond_mode(const Model& m, const Finding& f, model::BondMode mode) {
  if (m[f.bridge].kind != BridgeKind::kBond || m[f.bridge].bond_mode == mode) return std::nullopt;
  Trial trial{"bond-mode", fmt::format("{} in mode {}", name_of(m, f.bridge), to_text(mode)), m};
  trial.model[f.bridge].bond_mode = mode;
  return trial;
}
std::optional<Trial> one_active_nic(const Model& m, const Finding& f) {
  return bond_mode(m, f, model::BondMode::kActiveBackup);
}
std::optional<Trial> aggregate_by_lacp(const Model& m, const Finding& f) {
  return bond_mode(m, f, model::BondMode::kLacp);
}

// The ports of one switch that the team is plugged into become a group.
std::optional<Trial> aggregate_outside(const Model& m, const Finding& f) {
  const std::vector<PortId> outside = check::ports_outside(m, m[f.bridge]);
  if (outside.size() < 2) return std::nullopt;
  const model::Bridge& other = m[m[outside.front()].bridge];
  const bool may = other.kind == BridgeKind::kSwitch || other.kind == BridgeKind::kLinuxBridge ||
                   other.kind == BridgeKind::kOvs;
  const auto is_free = [&](PortId port) {
    return m[port].bridge == m[outside.front()].bridge && m[port].lag == 0;
  };
  if (!may || !std::ranges::all_of(outside, is_free)) return std::nullopt;
  std::uint16_t number = 1;
  for (const PortId port : other.ports) {
    if (m[port].lag >= number) number = static_cast<std::uint16_t>(m[port].lag + 1);
  }
  Trial trial{"aggregation", fmt::format("make {} one link aggregation group", names(m, outside)), m};
  for (const PortId port : outside) trial.model[port].lag = number;
  return trial;
}

// And no longer are.
std::optional<Trial> separate_outside(const Model& m, const Finding& f) {
  Trial trial{"aggregation", {}, m};
  std::vector<PortId> members;
  for (const PortId port : check::ports_outside(m, m[f.bridge])) {
    if (m[port].lag == 0) continue;
    trial.model[port].lag = 0;
    members.push_back(port);
  }
  if (members.empty()) return std::nullopt;
  trial.description =
      fmt::format("make {} ports of their own, without a link aggregation group", names(m, members));
  return trial;
}

// What lets a guest be a bridge.
std::optional<Trial> open_policies(const Model& m, const Finding& f) {
  if (m[f.bridge].kind != BridgeKind::kEsxi && m[f.bridge].kind != BridgeKind::kHyperV) return std::nullopt;
  const bool esxi = m[f.bridge].kind == BridgeKind::kEsxi;
  Trial trial{"policies",
              fmt::format("at {}, for guests that bridge: {}", name_of(m, f.bridge),
                          esxi ? "promiscuous-mode and forged-transmits on" : "mac-spoofing on"),
              m};
  for (const PortId port : m[f.bridge].ports) {
    const PortId far = peer(m, port);
    if (m[port].role != PortRole::kGuest || !far.valid() || !m[far].bridge.valid()) continue;
    trial.model[port].forged_transmits = true;
    trial.model[port].promiscuous = esxi;
  }
  return trial;
}

// ---------------------------------------------------------------- in the network

std::optional<Trial> router_before_wan(const Model& m, const Finding& f) {
  for (const BridgeId wan : bridges_around(m, f)) {
    if (m[wan].kind != BridgeKind::kELan) continue;
    // On the side of the stations at fault: the UNI that the near part of the segment is on.
    for (const PortId uni : m[wan].ports) {
      const PortId keep = peer(m, uni);
      if (!keep.valid() || !m[keep].bridge.valid()) continue;
      Trial trial{"router", {}, m};
      const std::string router = insert_router(trial.model, m[uni].link, keep);
      if (router.empty()) continue;
      const model::Segments after = model::segments(trial.model);
      const auto reaches_wan = [&](StationId s) {
        return after.of_bridge(wan, 0) == after.of_station[s.index()];
      };
      if (std::ranges::any_of(f.stations, reaches_wan)) continue;
      trial.description =
          fmt::format("end the segment at a router between {} and {}", name_of(m, keep), name_of(m, uni));
      return trial;
    }
  }
  return std::nullopt;
}

std::optional<Trial> spanning_tree(const Model& m, const Finding&) {
  Trial trial{"stp", {}, m};
  std::vector<BridgeId> on;
  for (std::size_t i = 0; i < m.bridges.size(); ++i) {
    const BridgeId b(i);
    if (m[b].stp || (m[b].kind != BridgeKind::kSwitch && m[b].kind != BridgeKind::kLinuxBridge)) continue;
    trial.model[b].stp = true;
    on.push_back(b);
  }
  if (on.empty()) return std::nullopt;
  trial.description = fmt::format("spanning tree on {}", names(m, on));
  return trial;
}

std::optional<Trial> no_filter(const Model& m, const Finding&) {
  Trial trial{"no-bpdu-filter", {}, m};
  std::vector<std::string> ports;
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    const PortId port(p), far = peer(m, port);
    if (!m[port].bpdu_filter || !far.valid() || !m[far].bridge.valid()) continue;
    trial.model[port].bpdu_filter = false;
    ports.push_back(name_of(m, port));
  }
  if (ports.empty()) return std::nullopt;
  trial.description = fmt::format("no BPDU filter at {}", base::list_words(ports, 4));
  return trial;
}

// Ports with nothing but machines behind them.
std::optional<Trial> edge_ports(const Model& m, const Finding&) {
  Trial trial{"edge-ports", {}, m};
  std::vector<BridgeId> at;
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    const PortId port(p), far = peer(m, port);
    const BridgeId bridge = m[port].bridge;
    if (!bridge.valid() || !m[bridge].stp || !far.valid() || m[far].bridge.valid()) continue;
    if (m[port].edge == model::EdgePort::kOn) continue;
    trial.model[port].edge = model::EdgePort::kOn;
    if (at.empty() || at.back() != bridge) at.push_back(bridge);
  }
  if (at.empty()) return std::nullopt;
  std::ranges::sort(at);
  at.erase(std::ranges::unique(at).begin(), at.end());
  trial.description = fmt::format("edge ports towards machines at {}", names(m, at));
  return trial;
}

// A guest that bridges two of its NICs is the usual cause of a loop in a host: one of them goes.
std::optional<Trial> unplug(const Model& m, const Finding&) {
  for (const model::Bridge& bridge : m.bridges) {
    if (!bridge.machine.valid() || m[bridge.machine].kind != model::MachineKind::kGuest) continue;
    std::vector<PortId> uplinks;
    for (const PortId port : bridge.ports) {
      if (m[port].role == PortRole::kUplink && m[port].link.valid()) uplinks.push_back(port);
    }
    if (uplinks.size() < 2) continue;
    Trial trial{"unplug",
                fmt::format("unplug {} of the guest that bridges its NICs", name_of(m, uplinks.back())), m};
    trial.model[m[uplinks.back()].link].up = false;
    return trial;
  }
  return std::nullopt;
}

std::optional<Trial> learning_on(const Model& m, const Finding& f) {
  Trial trial{"learning", fmt::format("switch learning on at {}, ageing 300 s", name_of(m, f.bridge)), m};
  trial.model[f.bridge].learning = true;
  if (m[f.bridge].ageing.count() == 0) trial.model[f.bridge].ageing = base::seconds(300);
  for (const PortId port : m[f.bridge].ports) trial.model[port].learning = true;
  return trial;
}

std::optional<Trial> larger_table(const Model& m, const Finding& f) {
  const std::uint32_t size =
      static_cast<std::uint32_t>(std::max<std::size_t>(m[f.bridge].table_size, m.stations.size() * 2));
  Trial trial{"larger-table",
              fmt::format("a switch with room for {} addresses in place of {}", size, name_of(m, f.bridge)),
              m};
  trial.model[f.bridge].table_size = size;
  return trial;
}

std::optional<Trial> ageing_above_arp(const Model& m, const Finding& f) {
  base::Duration longest{0};
  for (const model::Machine& machine : m.machines) {
    if (machine.arp.timeout < base::seconds(7L * 86'400)) longest = std::max(longest, machine.arp.timeout);
  }
  const base::Duration ageing = longest + base::seconds(60);
  Trial trial{"ageing", {}, m};
  std::vector<BridgeId> changed;
  for (const BridgeId b : bridges_around(m, f)) {
    if (!learns(m[b].kind) || m[b].ageing >= ageing) continue;
    trial.model[b].ageing = ageing;
    changed.push_back(b);
  }
  if (changed.empty()) return std::nullopt;
  trial.description = fmt::format("ageing time {} on {}, longer than any ARP timeout", base::to_text(ageing),
                                  names(m, changed));
  return trial;
}

std::optional<Trial> arp_below_ageing(const Model& m, const Finding& f) {
  const base::Duration ageing = shortest_ageing(m, f);
  Trial trial{"arp-timeout", {}, m};
  std::vector<std::string> changed;
  for (model::Machine& machine : trial.model.machines) {
    if (machine.arp.timeout < ageing && machine.nd.timeout < ageing) continue;
    for (base::Duration* timeout : {&machine.arp.timeout, &machine.nd.timeout}) {
      if (*timeout >= ageing) *timeout = ageing * 3 / 4;
    }
    changed.push_back(machine.name);
  }
  if (changed.empty()) return std::nullopt;
  trial.description = fmt::format("ARP timeout {} on {}, below the ageing time",
                                  base::to_text(ageing * 3 / 4), base::list_words(changed, 4));
  return trial;
}

// ---------------------------------------------------------------- stopgaps

std::optional<Trial> static_entry(const Model& m, const Finding& f) {
  Trial trial{"static-entry", {}, m};
  std::vector<BridgeId> changed;
  const model::Segments segments = model::segments(m);
  for (const StationId s : f.stations) {
    // From the station's own bridge outwards: the port by which each bridge of the segment reaches it.
    std::vector<PortId> open;
    std::vector<bool> seen(m.bridges.size(), false);
    const auto visit = [&](PortId port) {
      if (!port.valid() || !m[port].bridge.valid() || seen[m[port].bridge.index()]) return;
      const BridgeId b = m[port].bridge;
      seen[b.index()] = true;
      open.push_back(port);
      if (!learns(m[b].kind)) return;
      for (const auto& [bridge, vlan] : segments.list[segments.of_station[s.index()]].bridges) {
        if (bridge == b) trial.model[b].static_entries.push_back({vlan, m[s].mac, port});
      }
      if (std::ranges::find(changed, b) == changed.end()) changed.push_back(b);
    };
    visit(peer(m, m[s].port));
    for (std::size_t i = 0; i < open.size(); ++i) {
      for (const PortId next : m[m[open[i]].bridge].ports) {
        if (m[next].link.valid() && m[m[next].link].up) visit(peer(m, next));
      }
    }
  }
  if (changed.empty()) return std::nullopt;
  trial.description = fmt::format("static entry for {} on {}", names(m, f.stations), names(m, changed));
  return trial;
}

std::optional<Trial> gratuitous_arp(const Model& m, const Finding& f) {
  const base::Duration every = shortest_ageing(m, f) / 3;
  Trial trial{"gratuitous-arp", {}, m};
  for (const StationId s : f.stations) {
    model::Machine& machine = trial.model[m[s].machine];
    if (!m[s].ip.address.is_zero()) machine.arp.announce_every = every;
    if (!m[s].ip6.address.is_zero()) machine.nd.announce_every = every;
  }
  if (f.stations.empty()) return std::nullopt;
  trial.description = fmt::format("gratuitous ARP from {} every {}, a third of the ageing time",
                                  names(m, f.stations), base::to_text(every));
  return trial;
}

std::optional<Trial> block_unknown(const Model& m, const Finding& f) {
  Trial trial{"unknown-unicast-block", {}, m};
  std::vector<BridgeId> changed;
  for (const BridgeId b : bridges_around(m, f)) {
    if (m[b].kind != BridgeKind::kSwitch && m[b].kind != BridgeKind::kLinuxBridge) continue;
    if (m[b].machine.valid()) continue;
    for (const PortId port : m[b].ports) trial.model[port].floods_unknown = false;
    changed.push_back(b);
  }
  if (changed.empty()) return std::nullopt;
  trial.description = fmt::format("block unknown unicast on every port of {}", names(m, changed));
  return trial;
}

std::optional<Trial> allow_unknown(const Model& m, const Finding& f) {
  Trial trial{"unknown-unicast-flood",
              fmt::format("let {} flood unknown unicast again", name_of(m, f.bridge)), m};
  for (const PortId port : m[f.bridge].ports) trial.model[port].floods_unknown = true;
  return trial;
}

// ---------------------------------------------------------------- shared addresses

model::SharedId shared_of(const Model& m, const Finding& f) {
  return f.stations.empty() ? model::SharedId{} : m[f.stations.front()].shared;
}

// The cluster's NICs on a switch of their own, and a router between it and the rest.
std::optional<Trial> segment_of_its_own(const Model& m, const Finding& f) {
  Trial trial{"own-segment", {}, m};
  const PortId first = f.stations.empty() ? PortId{} : peer(m, m[f.stations.front()].port);
  if (!first.valid() || !m[first].bridge.valid()) return std::nullopt;
  const PortId keep = part(trial.model, f.stations, m[first].bridge);
  if (!keep.valid() || insert_router(trial.model, trial.model[keep].link, keep).empty()) return std::nullopt;
  trial.description = fmt::format("a VLAN and subnet of its own for {}, behind a router",
                                  f.where.empty() ? names(m, f.stations) : f.where);
  return trial;
}

// On switches that have all of a cluster behind one port.
std::optional<Trial> static_entry_upstream(const Model& m, const Finding& f) {
  if (f.stations.empty()) return std::nullopt;
  Trial trial{"static-entry", {}, m};
  std::vector<BridgeId> changed;
  const model::Segments segments = model::segments(m);
  for (const auto& [bridge, vlan] : segments.list[segments.of_station[f.stations.front().index()]].bridges) {
    if (!learns(m[bridge].kind)) continue;
    const PortId port = one_way_to(m, bridge, f.stations);
    if (!port.valid()) continue;
    trial.model[bridge].static_entries.push_back({vlan, m[f.stations.front()].mac, port});
    changed.push_back(bridge);
  }
  if (changed.empty()) return std::nullopt;
  trial.description = fmt::format("static entry for {} on {}, towards the switch of the cluster",
                                  wire::to_text(m[f.stations.front()].mac), names(m, changed));
  return trial;
}

// Lets the routers of a group hear each other.
std::optional<Trial> pass_advertisements(const Model& m, const Finding& f) {
  if (!shared_of(m, f).valid()) return std::nullopt;
  Trial trial{"pass-advertisements", {}, m};
  std::vector<std::string> ports;
  for (const StationId s : f.stations) {
    const PortId at = peer(m, m[s].port);
    if (!at.valid() || !m[at].bridge.valid() || (!m[at].isolated && m[at].floods_multicast)) continue;
    trial.model[at].isolated = false;
    trial.model[at].floods_multicast = true;
    ports.push_back(name_of(m, at));
  }
  if (ports.empty()) return std::nullopt;
  trial.description =
      fmt::format("let multicasts pass between the routers: {} neither isolated nor without multicasts",
                  base::list_words(ports, 4));
  return trial;
}

// A number that no other group of the site has.
std::optional<Trial> another_number(const Model& m, const Finding& f) {
  if (f.stations.empty()) return std::nullopt;
  const model::SharedId id = m[f.stations.back()].shared;
  if (!id.valid() || id == shared_of(m, f)) return std::nullopt;
  model::SharedAddress shared = m[id];
  const auto taken = [&] {
    return std::ranges::any_of(m.shared, [&](const auto& other) { return other.mac == shared.mac; });
  };
  for (shared.group = 1; shared.group < 256; ++shared.group) {
    shared.mac = derived_mac(shared);
    if (!taken()) break;
  }
  if (shared.group == 256) return std::nullopt;
  Trial trial{"another-number", fmt::format("number {} for {}", shared.group, shared.name), m};
  for (const auto& member : shared.members) trial.model[member.alias].mac = shared.mac;
  trial.model.shared[id.index()] = shared;
  return trial;
}

// ---------------------------------------------------------------- addresses

std::optional<Trial> fresh_mac(const Model& m, const Finding& f) {
  if (f.stations.size() < 2 || shared_of(m, f).valid()) return std::nullopt;
  Trial trial{"fresh-mac", {}, m};
  std::vector<StationId> renewed(f.stations.begin() + 1, f.stations.end());
  for (const StationId s : renewed) assign_fresh_mac(trial.model, s);
  trial.description = fmt::format("a MAC of its own for {}, allocated, not fixed by hand", names(m, renewed));
  return trial;
}

std::optional<Trial> fresh_ip(const Model& m, const Finding& f) {
  if (f.stations.size() < 2) return std::nullopt;
  Trial trial{"fresh-ip", {}, m};
  std::vector<StationId> renewed(f.stations.begin() + 1, f.stations.end());
  for (const StationId s : renewed) {
    if (assign_fresh_ip(trial.model, s).is_zero()) return std::nullopt;
  }
  trial.description = fmt::format("an IP address of its own for {}", names(m, renewed));
  return trial;
}

// What a bridge answers ARP with (switching/suppression.h).
std::optional<Trial> right_neighbours(const Model& m, const Finding& f) {
  Trial trial{"neighbour-entry", {}, m};
  for (model::KnownNeighbour& known : trial.model[f.bridge].neighbours) {
    for (const StationId s : f.stations) {
      const bool is_it = known.ip.is_zero() ? known.ip6 == m[s].ip6.address : known.ip == m[s].ip.address;
      if (is_it) known.mac = m[s].mac;
    }
  }
  trial.description =
      fmt::format("the MAC of {} in what {} answers from", names(m, f.stations), name_of(m, f.bridge));
  return trial;
}
std::optional<Trial> no_suppression(const Model& m, const Finding& f) {
  Trial trial{"no-suppression", fmt::format("`neigh-suppress: off` at the ports of {}", name_of(m, f.bridge)),
              m};
  for (const PortId port : m[f.bridge].ports) trial.model[port].neigh_suppress = false;
  return trial;
}

struct Row {
  Code code;
  std::vector<Make> remedies;
};

const std::vector<Row>& table() {
  static const std::vector<Row> kTable = {
      {Code::kFloodLeak,
       {guard, filter_in_product, learning_bridge, routed, translated, router_before_wan, static_entry,
        gratuitous_arp, block_unknown}},
      {Code::kLeakLatent, {guard, filter_in_product, learning_bridge}},
      {Code::kFloodBypass, {learn_in_flows, static_entry}},
      {Code::kFloodVeb, {entries_at_pf, block_unknown}},
      {Code::kFlapTeaming, {team_by_port, one_active_nic, aggregate_outside}},
      {Code::kBondMismatch, {aggregate_by_lacp, aggregate_outside, separate_outside}},
      {Code::kBlackholeNested, {open_policies}},
      {Code::kBlackholeNeighbour, {right_neighbours, no_suppression}},
      {Code::kBlackholeSnooping, {querier, flood_unregistered, no_snooping}},
      {Code::kFloodMulticast, {snooping, querier, router_before_wan}},
      {Code::kFloodNoLearning, {learning_on, router_before_wan}},
      {Code::kFloodTableFull, {larger_table, router_before_wan, block_unknown}},
      {Code::kFloodSilent,
       {gratuitous_arp, arp_below_ageing, static_entry, router_before_wan, block_unknown}},
      {Code::kFloodTimers, {arp_below_ageing, ageing_above_arp, gratuitous_arp, static_entry, block_unknown}},
      {Code::kFloodAsymmetric,
       {arp_below_ageing, ageing_above_arp, gratuitous_arp, static_entry, block_unknown}},
      {Code::kFloodUndecided, {router_before_wan, block_unknown}},
      {Code::kBlackholeSuppressed, {arp_below_ageing, gratuitous_arp, static_entry, allow_unknown}},
      {Code::kFloodMasked, {segment_of_its_own, static_entry_upstream}},
      {Code::kMacDuplicate, {fresh_mac, pass_advertisements, another_number}},
      {Code::kMacDuplicateLatent, {fresh_mac}},
      {Code::kIpDuplicate, {fresh_ip}},
      {Code::kLoop, {spanning_tree, no_filter, unplug}},
      {Code::kFloodTopologyChange, {edge_ports, router_before_wan}},
      {Code::kTopologyChanges, {edge_ports}},
      {Code::kSegmentOverWan, {router_before_wan}},
  };
  return kTable;
}

}  // namespace

std::span<const Make> remedies_for(Code code) {
  const auto row = std::ranges::find(table(), code, &Row::code);
  return row == table().end() ? std::span<const Make>{} : row->remedies;
}

}  // namespace sekimori::remedy
