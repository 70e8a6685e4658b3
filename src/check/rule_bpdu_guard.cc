// BPDU guard shuts a port for good when a BPDU comes in: edge ports face machines, which send none. But a
// guest that bridges may run a spanning tree, and its BPDUs cross the host's virtual switch, which relays
// them unless it runs one itself (Linux, net/bridge/br_input.c: with STP off, 01:80:c2:00:00:00 is forwarded
// like any other frame). One BPDU of one guest then shuts the uplink of its host, and all other guests are
// off the network. That is how the protection from the loops of guests (`loop-possible`) turns on their host;
// firewall appliances that bridge by default did it to oVirt hosts.
//
// A BPDU reaches a guarded port from wherever bridges relay it. So bridges without a spanning tree are joined
// over their links into relays; who can send into a relay can shut every guarded port that faces it. Links at
// guarded ports are left out: there the BPDU ends. E-LANs drop BPDUs of their customers.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "check/words.h"
#include "switching/kinds.h"

namespace sekimori::check {
namespace {

using model::BridgeId;
using model::BridgeKind;
using model::MachineId;
using model::MachineKind;
using model::PortId;

template <class Id>
void keep_one_of_each(std::vector<Id>& ids) {
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
}

class Relays {
 public:
  explicit Relays(const model::Model& m) : m_(m), parent_(m.bridges.size()) {
    std::iota(parent_.begin(), parent_.end(), 0u);
    for (const model::Link& link : m.links) {
      const BridgeId a = m[link.a].bridge, b = m[link.b].bridge;
      if (!a.valid() || !b.valid() || !link.up || is_guarded(link) || !relays(a) || !relays(b)) continue;
      parent_[root(a.value)] = root(b.value);
    }
  }

  bool relays(BridgeId bridge) const {
    return !m_[bridge].stp && switching::relays_bpdus(m_[bridge].kind) &&
           m_[bridge].kind != BridgeKind::kELan;
  }
  // Or filtered: there it ends as well.
  bool is_guarded(const model::Link& link) const {
    const auto ends = [&](PortId port) { return m_[port].bpdu_guard || m_[port].bpdu_filter; };
    return ends(link.a) || ends(link.b);
  }

  std::uint32_t root(std::uint32_t bridge) {
    while (parent_[bridge] != bridge) bridge = parent_[bridge] = parent_[parent_[bridge]];
    return bridge;
  }

 private:
  const model::Model& m_;
  std::vector<std::uint32_t> parent_;
};

// Who can send BPDUs into a relay.
struct Senders {
  std::vector<BridgeId> trees;        // run a spanning tree: they do
  std::vector<MachineId> may_bridge;  // have several NICs on it: they might
};

std::map<std::uint32_t, Senders> senders_of(const model::Model& m, Relays& relays) {
  std::map<std::uint32_t, Senders> senders;
  for (const model::Link& link : m.links) {
    const BridgeId a = m[link.a].bridge, b = m[link.b].bridge;
    if (!a.valid() || !b.valid() || !link.up || relays.is_guarded(link)) continue;
    if (m[a].stp && relays.relays(b)) senders[relays.root(b.value)].trees.push_back(a);
    if (m[b].stp && relays.relays(a)) senders[relays.root(a.value)].trees.push_back(b);
  }
  for (auto& entry : senders) keep_one_of_each(entry.second.trees);
  for (std::size_t i = 0; i < m.machines.size(); ++i) {
    if (m.machines[i].kind != MachineKind::kGuest || m.machines[i].stations.size() < 2) continue;
    std::map<std::uint32_t, std::vector<PortId>> plugged;  // by relay
    for (const model::StationId s : m.machines[i].stations) {
      const PortId port = peer(m, m[s].port);
      if (!port.valid() || !m[port].bridge.valid() || !m[m[port].link].up || m[port].bpdu_guard ||
          m[port].bpdu_filter)
        continue;
      if (m[port].role == model::PortRole::kGuest && relays.relays(m[port].bridge))
        plugged[relays.root(m[port].bridge.value)].push_back(port);
    }
    for (auto& [relay, ports] : plugged) {
      std::ranges::sort(ports);
      if (ports.front() != ports.back()) senders[relay].may_bridge.emplace_back(i);
    }
  }
  return senders;
}

// Is there something that the port's shutting would cut off? A guest's own port may be shut: that is its use.
bool is_worth_telling(const model::Port& port) {
  return port.bpdu_guard && !port.bpdu_filter && port.bridge.valid() && port.link.valid() &&
         port.role != model::PortRole::kGuest;
}

struct Told {
  std::vector<PortId> ports;
  Senders by;

  void add(PortId port, const Senders& senders) {
    ports.push_back(port);
    by.trees.insert(by.trees.end(), senders.trees.begin(), senders.trees.end());
    by.may_bridge.insert(by.may_bridge.end(), senders.may_bridge.begin(), senders.may_bridge.end());
  }
};

findings::Finding tell(const model::Model& m, Told& told) {
  keep_one_of_each(told.by.trees);
  keep_one_of_each(told.by.may_bridge);
  const bool is_certain = !told.by.trees.empty();
  const std::string who = is_certain ? names(m, told.by.trees, 3) : names(m, told.by.may_bridge, 3);
  const bool is_one = told.ports.size() == 1;
  findings::Finding f = proved(findings::Code::kBpduGuard);
  f.severity = is_certain ? findings::Severity::kError : findings::Severity::kWarning;
  f.where = names(m, told.ports, 4);
  f.bridge = m[told.ports.front()].bridge;
  f.line = m[f.bridge].line;
  f.headline = is_certain ? fmt::format("BPDUs of {} shut {}", who, f.where)
                          : fmt::format("one BPDU of {} shuts {}", who, f.where);
  f.cause = fmt::format("{} {} a BPDU guard, and nothing between keeps BPDUs of {} from it. ", f.where,
                        is_one ? "has" : "have", who);
  f.cause += is_certain
                 ? fmt::format(
                       "{} {} a spanning tree and sends BPDUs when it starts; the port shuts, and everything "
                       "behind it is off the network.",
                       who, told.by.trees.size() == 1 ? "runs" : "run")
                 : fmt::format(
                       "{} {} several NICs there; an appliance that bridges them and runs a spanning tree "
                       "sends BPDUs. The port then shuts, with all other guests of the host behind it. A "
                       "`bpdu-guard` at the guest's own port, on the virtual switch, shuts that one instead.",
                       who, told.by.may_bridge.size() == 1 ? "has" : "have");
  return f;
}

}  // namespace

void rule_bpdu_guard(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  if (std::ranges::none_of(m.ports, is_worth_telling)) return;
  Relays relays(m);
  const auto senders = senders_of(m, relays);
  // By who sends, as one line of the site file may make many of them; those that do apart from those that
  // might.
  std::map<std::pair<bool, model::SourceLine>, Told> told;
  for (std::size_t p = 0; p < m.ports.size(); ++p) {
    if (!is_worth_telling(m.ports[p])) continue;
    const BridgeId bridge = m[peer(m, PortId(p))].bridge;
    if (!bridge.valid() || bridge == m.ports[p].bridge || m[peer(m, PortId(p))].bpdu_filter) continue;
    Senders by;
    if (m[bridge].stp) {
      by.trees = {bridge};
    } else if (const auto behind = senders.find(relays.root(bridge.value)); behind != senders.end()) {
      by = behind->second;
      std::erase(by.trees, m.ports[p].bridge);  // its own come back only round a ring
    }
    if (by.trees.empty() && by.may_bridge.empty()) continue;
    const bool is_certain = !by.trees.empty();
    told[{is_certain, is_certain ? m[by.trees.front()].line : m[by.may_bridge.front()].line}].add(PortId(p),
                                                                                                  by);
  }
  for (auto& entry : told) out.push_back(tell(m, entry.second));
}

}  // namespace sekimori::check
