// What only some kinds of switch have: modes and teams of virtual switches, policies of their ports, and the
// flows of Open vSwitch.
#include <fmt/format.h>

#include "importers/site_reader.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::BridgeId;
using model::BridgeKind;
using model::PortId;
using model::PortRole;

void SiteReader::read_kind_options(BridgeId bridge, const Fields& fields) {
  const BridgeKind kind = model()[bridge].kind;
  if (const NodeId mode = fields["mode"]; mode.valid()) {
    constexpr model::MacvlanMode kModes[] = {model::MacvlanMode::kBridge, model::MacvlanMode::kVepa,
                                             model::MacvlanMode::kPrivate, model::MacvlanMode::kPassthru};
    if (kind != BridgeKind::kMacvlan)
      in_.wrong(mode, fmt::format("only a macvlan has a mode, not a {}", to_text(kind)));
    else if (const auto choice = in_.choice(mode, "mode", {"bridge", "vepa", "private", "passthru"}))
      model()[bridge].macvlan_mode = kModes[*choice];
  }
  if (const NodeId teaming = fields["teaming"]; teaming.valid()) {
    constexpr model::Teaming kTeamings[] = {model::Teaming::kPortId, model::Teaming::kMacHash,
                                            model::Teaming::kIpHash, model::Teaming::kFailover};
    if (kind != BridgeKind::kEsxi && kind != BridgeKind::kHyperV)
      in_.wrong(teaming, fmt::format("only esxi and hyperv team their uplinks, not a {}", to_text(kind)));
    else if (const auto choice =
                 in_.choice(teaming, "teaming", {"port-id", "mac-hash", "ip-hash", "failover"}))
      model()[bridge].teaming = kTeamings[*choice];
  }
  read_team_options(bridge, fields);
}

void SiteReader::read_team_options(BridgeId bridge, const Fields& fields) {
  const BridgeKind kind = model()[bridge].kind;
  const auto read = [&](std::string_view key, bool is_there, bool& option) {
    if (!fields.has(key)) return;
    if (is_there)
      set(option, in_.flag(fields[key], key));
    else
      in_.wrong(fields[key], fmt::format("'{}' means nothing to a {}", key, to_text(kind)));
  };
  read("notify-switches", kind == BridgeKind::kEsxi || kind == BridgeKind::kHyperV,
       model()[bridge].notify_switches);
  read("beacon-probing", kind == BridgeKind::kEsxi, model()[bridge].beacon_probing);
}

void SiteReader::read_policies(PortId port, const Fields& fields) {
  const BridgeKind kind = model()[model()[port].bridge].kind;
  const auto only = [&](std::string_view key, bool is_there, std::string_view where) {
    if (!fields.has(key)) return false;
    if (!is_there)
      in_.wrong(fields[key], fmt::format("only {} has `{}`, not a {}", where, key, to_text(kind)));
    return is_there;
  };
  if (only("hairpin", kind == BridgeKind::kSwitch || kind == BridgeKind::kLinuxBridge,
           "a port of a switch or linux-bridge"))
    set(model()[port].hairpin, in_.flag(fields["hairpin"], "hairpin"));
  const bool has_table =
      kind == BridgeKind::kSwitch || kind == BridgeKind::kLinuxBridge || kind == BridgeKind::kOvs;
  if (only("lag", has_table, "a port of a switch, linux-bridge or ovs"))
    set(model()[port].lag, in_.integer(fields["lag"], {"lag", 1, 65535}));
  if (only("locked", kind == BridgeKind::kLinuxBridge, "a port of a linux-bridge"))
    set(model()[port].locked, in_.flag(fields["locked"], "locked"));
  if (only("broadcast-flood", kind == BridgeKind::kLinuxBridge, "a port of a linux-bridge"))
    set(model()[port].floods_broadcast, in_.flag(fields["broadcast-flood"], "broadcast-flood"));
  if (only("multicast-flood", kind == BridgeKind::kLinuxBridge, "a port of a linux-bridge"))
    set(model()[port].floods_multicast, in_.flag(fields["multicast-flood"], "multicast-flood"));
  if (only("promiscuous-mode", kind == BridgeKind::kEsxi, "a port of esxi"))
    set(model()[port].promiscuous, in_.flag(fields["promiscuous-mode"], "promiscuous-mode"));
  if (only("forged-transmits", kind == BridgeKind::kEsxi, "a port of esxi"))
    set(model()[port].forged_transmits, in_.flag(fields["forged-transmits"], "forged-transmits"));
  if (only("mac-spoofing", kind == BridgeKind::kHyperV, "a port of hyperv"))
    set(model()[port].forged_transmits, in_.flag(fields["mac-spoofing"], "mac-spoofing"));
}

// ---------------------------------------------------------------- flows of Open vSwitch

void SiteReader::read_flow_rules() {
  for (const auto& [bridge, nodes] : rule_lists_) {
    for (const NodeId node : in_.list(nodes, "flows"))
      read_flow_rule(bridge,
                     in_.fields(node, sections::kFlowRule, "{in-port: NAME, output: [NAME, normal]}"));
  }
}

void SiteReader::read_flow_rule(BridgeId bridge, const Fields& fields) {
  if (!fields.node().valid()) return;
  // The port of the machine's own stack is LOCAL, as Open vSwitch calls it.
  const auto port_named = [&](NodeId node) -> PortId {
    if (in_.tree().is_text(node) && in_.text(node) == "LOCAL") {
      for (const PortId port : model()[bridge].ports) {
        if (model()[port].role == PortRole::kHost) return port;
      }
      in_.wrong(node, fmt::format("'{}' has no LOCAL port: give it an `ip`", name_of(model(), bridge)));
      return {};
    }
    return static_port(bridge, node);
  };
  model::FlowRule rule;
  rule.line = in_.line(fields.node());
  if (fields.has("in-port")) {
    rule.in = port_named(fields["in-port"]);
    if (!rule.in.valid()) return;
  }
  if (fields.has("mac") && fields.has("station"))
    return in_.wrong(fields.node(), "a flow matches one of `mac: ADDRESS` and `station: machine:nic`");
  set(rule.destination, in_.mac(fields["mac"]));
  if (fields.has("station")) {
    const model::StationId station = read_station(fields["station"], nullptr);
    if (!station.valid()) return;
    rule.destination = model()[station].mac;
  }
  constexpr model::FlowRuleType kTypes[] = {model::FlowRuleType::kArp, model::FlowRuleType::kIp};
  if (const auto type = in_.choice(fields["type"], "type", {"arp", "ip"})) rule.type = kTypes[*type];
  if (!fields.has("output"))
    return in_.wrong(fields.node(), "a flow needs an `output`: ports, `normal`, or [] to drop");
  for (const NodeId node : in_.list(fields["output"], "output", true)) {
    if (in_.tree().is_text(node) && in_.text(node) == "normal") {
      rule.normal = true;
    } else if (const PortId port = port_named(node); port.valid()) {
      rule.out.push_back(port);
    }
  }
  model()[bridge].flow_rules.push_back(std::move(rule));
}

}  // namespace sekimori::importers
