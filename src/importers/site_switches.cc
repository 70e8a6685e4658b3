// Switches, virtual switches and WANs, with their ports.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::BridgeId;
using model::BridgeKind;
using model::Mac;
using model::MachineId;
using model::MacOrigin;
using model::PortId;
using model::PortRole;
using model::StationId;

namespace {

// Keys that a kind of switch has no use for: written anyway, they are a misunderstanding and refused.
constexpr std::string_view kOfLearning[] = {"ageing",        "learning", "table-size", "vlan-aware",
                                            "stp",           "priority", "hello",      "max-age",
                                            "forward-delay", "flood",    "static"};

bool learns(BridgeKind kind) {
  return kind == BridgeKind::kSwitch || kind == BridgeKind::kLinuxBridge || kind == BridgeKind::kOvs ||
         kind == BridgeKind::kELan;
}

std::string_view a_or_an(BridgeKind kind) { return kind == BridgeKind::kEsxi ? "an" : "a"; }

// The last of them, `static`, has a use on an SR-IOV NIC: addresses added to its table by hand.
std::span<const std::string_view> meaningless_keys(BridgeKind kind) {
  const std::span<const std::string_view> all = kOfLearning;
  if (kind == BridgeKind::kSriov) return all.first(all.size() - 1);
  return learns(kind) ? all.first(0) : all;
}

constexpr BridgeKind kVirtualKinds[] = {
    BridgeKind::kHostedBridge, BridgeKind::kLinuxBridge, BridgeKind::kOvs,        BridgeKind::kEsxi,
    BridgeKind::kHyperV,       BridgeKind::kMacvlan,     BridgeKind::kSriov,      BridgeKind::kSwitch,
    BridgeKind::kHub,          BridgeKind::kLinuxBridge, BridgeKind::kLinuxBridge};
const std::initializer_list<std::string_view> kVirtualKindWords = {
    "hosted-bridge", "linux-bridge", "ovs", "esxi",   "hyperv", "macvlan",
    "sriov",         "switch",       "hub", "routed", "nat"};
// The last two are Linux bridges that their host routes.
model::Routing routing_of(std::optional<std::size_t> choice) {
  const std::size_t first = std::size(kVirtualKinds) - 2;
  if (!choice || *choice < first) return model::Routing::kNone;
  return *choice == first ? model::Routing::kRouted : model::Routing::kNat;
}

// Taps one NIC, or is one.
bool has_one_uplink(BridgeKind kind) {
  return kind == BridgeKind::kHostedBridge || kind == BridgeKind::kMacvlan || kind == BridgeKind::kSriov;
}

}  // namespace

// ---------------------------------------------------------------- virtual switches

void SiteReader::read_virtual_switches(MachineId machine, NodeId switches, const Instance& instance) {
  for (const Entry& entry : in_.entries(switches, "switches")) read_virtual_switch(machine, entry, instance);
}

void SiteReader::read_virtual_switch(MachineId machine, const Entry& entry, const Instance& instance) {
  const Fields fields = in_.fields(entry.value, sections::kVirtualSwitch);
  if (!in_.is_name(entry.name, "switch")) return;
  if (!fields.has("kind")) {
    in_.wrong(entry.name, fmt::format("the kind of '{}' is missing: {}", in_.text(entry.name),
                                      fmt::join(kVirtualKindWords, ", ")));
  }
  const auto choice = in_.choice(fields["kind"], "kind", kVirtualKindWords);
  // When the kind is wrong, any will do: what refers to the switch by name should not be reported as well.
  const BridgeKind kind = choice ? kVirtualKinds[*choice] : BridgeKind::kLinuxBridge;
  const auto bridge = build_.add_bridge(std::string(in_.text(entry.name)), kind, machine);
  if (!ok(entry.name, bridge)) return;
  model()[*bridge].line = in_.line(entry.name);
  if (const NodeId node = fields["filters-local"]; node.valid()) {
    if (model()[*bridge].kind != BridgeKind::kHostedBridge)
      in_.wrong(node, "only a hosted-bridge can filter-local");
    set(model()[*bridge].filters_local, in_.flag(node, "filters-local"));
  }
  read_kind_options(*bridge, fields);
  model()[*bridge].routing = routing_of(choice);
  if (model()[*bridge].routing == model::Routing::kNone) {
    read_uplinks(machine, *bridge, entry.name, fields["uplinks"]);
  } else {
    refuse_bridging(entry, fields, kVirtualKindWords.begin()[*choice]);
  }
  read_own_interface(machine, *bridge, entry, fields, instance);
  read_bridge(*bridge, fields);
}

void SiteReader::refuse_bridging(const Entry& entry, const Fields& fields, std::string_view kind) {
  if (fields.has("uplinks")) {
    in_.wrong(fields["uplinks"],
              fmt::format("a {} network has no uplinks: its machine routes between '{}' and its own NICs",
                          kind, in_.text(entry.name)));
  }
  if (!fields.has("ip")) {
    in_.wrong(entry.name, fmt::format("'{}' is the router of what is on it and needs an address: "
                                      "`ip: 192.168.122.1/24`",
                                      in_.text(entry.name)));
  }
}

void SiteReader::read_uplinks(MachineId machine, BridgeId bridge, NodeId name, NodeId uplinks) {
  const std::vector<NodeId> nics = in_.list(uplinks, "uplinks", true);
  if (has_one_uplink(model()[bridge].kind) && nics.size() != 1) {
    in_.wrong(uplinks.valid() ? uplinks : name,
              fmt::format("{} {} has exactly one NIC of its host under it: write `uplinks: [eth0]`; found {}",
                          a_or_an(model()[bridge].kind), to_text(model()[bridge].kind), nics.size()));
    return;
  }
  for (const NodeId nic : nics) read_uplink(machine, bridge, nic);
}

void SiteReader::read_uplink(MachineId machine, BridgeId bridge, NodeId node) {
  const auto name = in_.word(node, "the name of a NIC");
  if (!name) return;
  const StationId nic = build_.find_station(machine, *name);
  if (!nic.valid()) {
    std::vector<std::string_view> known;
    for (const StationId id : model()[machine].stations) known.emplace_back(model()[id].name);
    const bool is_switch = build_.find_bridge(machine, *name).valid();
    in_.wrong(
        node,
        is_switch
            ? fmt::format("'{}' is a virtual switch, not a NIC; two virtual switches of a machine are "
                          "joined by a link, as [{}/{}:a, {}/{}:b]",
                          *name, model()[machine].name, model()[bridge].name, model()[machine].name, *name)
            : fmt::format("'{}' has no NIC '{}'{}", model()[machine].name, *name, in_.hint(*name, known)));
    return;
  }
  if (model()[nic].vlan != 0) {
    in_.wrong(
        node,
        fmt::format("'{}' is a VLAN of a NIC and cannot be an uplink here; make the NIC itself the uplink, "
                    "with `ports: {{{}: {{trunk: [{}]}}}}` and guests with `access: {}`",
                    *name, model()[model()[nic].port].name, model()[nic].vlan, model()[nic].vlan));
    return;
  }
  ok(node, build_.enslave(nic, bridge));
}

// A Linux bridge is an interface of its machine as well. Its MAC is the lowest of its ports' unless one is
// set (net/bridge/br_stp_if.c, br_stp_recalculate_bridge_id), and is filled in when the ports have theirs.
void SiteReader::read_own_interface(MachineId machine, BridgeId bridge, const Entry& entry,
                                    const Fields& fields, const Instance& instance) {
  const NodeId ip = fields["ip"], mac = fields["mac"];
  if (!ip.valid() && !mac.valid()) return;
  if (model()[bridge].kind != BridgeKind::kLinuxBridge && model()[bridge].kind != BridgeKind::kOvs) {
    in_.wrong(ip.valid() ? ip : mac,
              "only a linux-bridge or ovs is an interface of its machine, with `ip` and `mac`; give "
              "the address to the NIC instead");
    return;
  }
  const std::string name(in_.text(entry.name));
  Address address = read_mac(mac, model()[machine].name, name);
  const bool is_from_ports =
      !address.mac && fields.has("uplinks") && model()[bridge].routing == model::Routing::kNone;
  // libvirt gives its networks a MAC of their own (src/network/bridge_driver.c).
  model()[bridge].mac_is_set = address.mac.has_value() || model()[bridge].routing != model::Routing::kNone;
  constexpr Mac kFilledInLater{0x02'0000'000000 + 1};
  if (is_from_ports) {
    for (const PortId port : model()[bridge].ports) {
      const PortId far = model::peer(model(), port);
      if (model()[port].role != PortRole::kHost || !far.valid()) continue;
      for (model::StationId s = model()[far].station; s.valid(); s = model()[s].next_on_port) {
        const model::Station& nic = model()[s];
        // Its VLANs are below the bridge (switching/vlan_devices.h).
        if (nic.vlan != 0 || (nic.ip.address.is_zero() && nic.ip6.address.is_zero())) continue;
        in_.wrong(
            ip, fmt::format(
                    "both '{}' and its uplink '{}' (line {}) have an address, and one MAC; a bridged NIC is "
                    "reached through its bridge: keep the address of '{}'",
                    name, nic.name, nic.line, name));
        return;
      }
    }
    address = {kFilledInLater};
  }
  const auto station = build_.add_station(machine, name, address.mac, address.origin);
  if (!ok(entry.name, station)) return;
  model()[*station].drawn_bits = address.drawn_bits;
  model()[*station].line = in_.line(entry.name);
  read_addresses(*station, ip, instance);
  ok(entry.name, build_.attach(*station, bridge, PortRole::kHost));
  if (is_from_ports) macs_from_ports_.emplace_back(bridge, *station);
}

void SiteReader::give_bridges_their_macs() {
  for (const auto& [bridge, own] : macs_from_ports_) {
    Mac lowest = wire::kBroadcast;
    MacOrigin origin{};
    for (const StationId id : model()[model()[own].machine].stations) {
      const PortId wire = build_.wire_port(id);
      if (id != own && wire != model()[id].port && model()[wire].bridge == bridge &&
          model()[id].mac < lowest) {
        lowest = model()[id].mac;
        origin = model()[id].mac_origin;
      }
    }
    if (lowest.is_broadcast()) continue;
    model()[own].mac = lowest;
    model()[own].mac_origin = origin;
  }
}

// ---------------------------------------------------------------- switches of their own, WANs

void SiteReader::read_switch(const Entry& entry) {
  const Fields fields = in_.fields(entry.value, sections::kSwitch);
  if (!in_.is_name(entry.name, "switch")) return;
  BridgeKind kind = BridgeKind::kSwitch;
  if (const auto choice = in_.choice(fields["kind"], "kind", {"switch", "linux-bridge", "ovs", "hub"})) {
    constexpr BridgeKind kKinds[] = {BridgeKind::kSwitch, BridgeKind::kLinuxBridge, BridgeKind::kOvs,
                                     BridgeKind::kHub};
    kind = kKinds[*choice];
  }
  const auto bridge = build_.add_bridge(std::string(in_.text(entry.name)), kind);
  if (!ok(entry.name, bridge, first_place(in_.text(entry.name)))) return;
  model()[*bridge].line = in_.line(entry.name);
  read_bridge(*bridge, fields);
}

void SiteReader::read_bridge(BridgeId bridge, const Fields& fields) {
  const BridgeKind kind = model()[bridge].kind;
  for (const std::string_view key : meaningless_keys(kind)) {
    if (fields.has(key))
      in_.wrong(fields[key], fmt::format("'{}' means nothing to a {}", key, to_text(kind)));
  }
  set(model()[bridge].ageing, default_ageing_);
  set(model()[bridge].ageing, in_.duration(fields["ageing"], kAgeingBounds));
  set(model()[bridge].learning, in_.flag(fields["learning"], "learning"));
  set(model()[bridge].table_size, in_.integer(fields["table-size"], kTableBounds));
  read_tree(bridge, fields);
  if (const auto aware = in_.flag(fields["vlan-aware"], "vlan-aware")) {
    model()[bridge].vlan_aware = *aware;
    if (!*aware) not_vlan_aware_.insert(bridge);
  }
  if (in_.flag(fields["flood"], "flood") == false) flood_off_.insert(bridge);
  for (const Entry& port : in_.entries(fields["ports"], "ports")) {
    const PortId id = build_.bridge_port(bridge, in_.text(port.name));
    read_port(id, in_.fields(port.value, sections::kPort));
  }
  read_snooping(bridge, fields);
  read_linux_bridge(bridge, fields);
  if (fields.has("static")) static_lists_.emplace_back(bridge, fields["static"]);
  if (const NodeId rules = fields["flows"]; rules.valid()) {
    if (kind == BridgeKind::kOvs)
      rule_lists_.emplace_back(bridge, rules);
    else
      in_.wrong(rules, fmt::format("only ovs has flows; '{}' means nothing to a {}", "flows", to_text(kind)));
  }
}

void SiteReader::read_wan(const Entry& entry) {
  const Fields fields = in_.fields(entry.value, sections::kWan);
  if (!in_.is_name(entry.name, "WAN")) return;
  in_.choice(fields["kind"], "kind", {"e-lan"});
  const auto wan = build_.add_bridge(std::string(in_.text(entry.name)), BridgeKind::kELan);
  if (!ok(entry.name, wan, first_place(in_.text(entry.name)))) return;
  model()[*wan].line = in_.line(entry.name);
  set(model()[*wan].ageing, default_ageing_);
  set(model()[*wan].ageing, in_.duration(fields["ageing"], kAgeingBounds));
  set(model()[*wan].table_size, in_.integer(fields["table-size"], kTableBounds));
  const model::Duration between_sites =
      in_.duration(fields["delay"], kDelayBounds).value_or(model::Duration{0});
  const auto sites = in_.entries(fields["sites"], "sites");
  if (sites.empty())
    in_.wrong(entry.name,
              fmt::format("'{}' has no sites; write `sites: {{tokyo: 100Mbit/s}}`", in_.text(entry.name)));
  for (const Entry& site : sites) {
    if (!in_.is_name(site.name, "site")) continue;
    const bool is_short = in_.tree().is_text(site.value);
    const Fields options = in_.fields(is_short ? NodeId{} : site.value, sections::kWanSite);
    const PortId port = build_.bridge_port(*wan, in_.text(site.name));
    Uni uni{default_link_.rate, between_sites / 2};
    set(uni.rate, in_.rate(is_short ? site.value : options["rate"]));
    set(uni.delay, in_.duration(options["delay"], kDelayBounds));
    set(model()[port].mac_limit, in_.integer(options["mac-limit"], kMacLimitBounds));
    model()[port].storm_control = read_storm_control(options["storm-control"]);
    unis_.emplace(port, uni);
  }
}

// ---------------------------------------------------------------- ports

void SiteReader::read_port(PortId port, const Fields& fields) {
  if (!fields.node().valid()) return;
  read_port_vlans(port, fields);
  if (const auto flood = in_.flag(fields["flood"], "flood")) {
    model()[port].floods_unknown = *flood;
    flood_set_.insert(port);
  }
  set(model()[port].learning, in_.flag(fields["learning"], "learning"));
  set(model()[port].isolated, in_.flag(fields["isolated"], "isolated"));
  read_policies(port, fields);
  read_linux_bridge_port(port, fields);
  set(model()[port].guard, in_.flag(fields["guard"], "guard"));
  read_tree_port(port, fields);
  set(model()[port].mac_limit, in_.integer(fields["mac-limit"], kMacLimitBounds));
  if (fields.has("storm-control")) model()[port].storm_control = read_storm_control(fields["storm-control"]);
}

void SiteReader::read_port_vlans(PortId port, const Fields& fields) {
  const NodeId access = fields["access"], trunk = fields["trunk"], native = fields["native"];
  const NodeId any = access.valid() ? access : trunk.valid() ? trunk : native;
  if (!any.valid()) return;
  const BridgeId bridge = model()[port].bridge;
  const BridgeKind kind = model()[bridge].kind;
  if (kind != BridgeKind::kSwitch && kind != BridgeKind::kLinuxBridge && kind != BridgeKind::kOvs &&
      kind != BridgeKind::kEsxi && kind != BridgeKind::kHyperV) {
    in_.wrong(any, fmt::format("a {} knows no VLANs; it passes tagged frames as they are", to_text(kind)));
    return;
  }
  if (not_vlan_aware_.contains(bridge)) {
    in_.wrong(any, fmt::format("'{}' is not VLAN-aware (`vlan-aware: off`), so its ports have no VLANs",
                               name_of(model(), bridge)));
    return;
  }
  if (access.valid() && (trunk.valid() || native.valid())) {
    in_.wrong(access, "a port is either `access` (one VLAN, untagged) or `trunk` with `native`, not both");
    return;
  }
  model()[bridge].vlan_aware = true;
  set(model()[port].pvid, in_.integer(access, kVlanBounds));
  if (native.valid() && in_.tree().is_text(native) && in_.text(native) == "none") {
    model()[port].pvid = 0;
  } else {
    set(model()[port].pvid, in_.integer(native, {"native VLAN (or none)", 1, 4094}));
  }
  if (auto tagged = in_.vlan_set(trunk)) {
    tagged->reset(model()[port].pvid);  // the native VLAN is untagged
    model()[port].tagged_vlans = build_.intern(*tagged);
  }
}

std::uint32_t SiteReader::read_storm_control(NodeId node) {
  const Fields fields = in_.fields(node, sections::kStormControl);
  model::StormControl limits;
  set(limits.broadcast, in_.rate(fields["broadcast"]));
  set(limits.multicast, in_.rate(fields["multicast"]));
  set(limits.unknown_unicast, in_.rate(fields["unknown-unicast"]));
  return build_.intern(limits);
}

void SiteReader::block_floods() {
  for (const BridgeId bridge : flood_off_) {
    for (const PortId port : model()[bridge].ports) {
      if (!flood_set_.contains(port)) model()[port].floods_unknown = false;
    }
  }
}

// ---------------------------------------------------------------- static entries

void SiteReader::read_static_entries() {
  for (const auto& [bridge, nodes] : static_lists_) {
    for (const NodeId node : in_.list(nodes, "static")) {
      read_static_entry(bridge, in_.fields(node, sections::kStaticEntry, "{mac: ADDRESS, port: NAME}"));
    }
  }
}

void SiteReader::read_static_entry(BridgeId bridge, const Fields& fields) {
  if (!fields.node().valid()) return;
  if (fields.has("mac") == fields.has("station")) {
    return in_.wrong(fields.node(), "a static entry is for one of `mac: ADDRESS` and `station: machine:nic`");
  }
  std::optional<Mac> mac = in_.mac(fields["mac"]);
  PortId port;
  if (fields.has("station")) {
    const StationId station = read_station(fields["station"], nullptr);
    if (!station.valid()) return;
    mac = model()[station].mac;
    const PortId far = model::peer(model(), build_.wire_port(station));
    if (far.valid() && model()[far].bridge == bridge) port = far;
  }
  if (fields.has("port")) {
    port = static_port(bridge, fields["port"]);
    if (!port.valid()) return;
  }
  if (!port.valid()) in_.wrong(fields.node(), "a static entry needs a `port`");
  if (!mac || !port.valid()) return;
  const auto written = in_.integer(fields["vlan"], kVlanBounds);
  const auto vlan = static_cast<std::uint16_t>(written.value_or(model()[port].pvid));
  // net/bridge/br_fdb.c, __br_fdb_add.
  const model::Bridge& settings = model()[bridge];
  if (settings.kind == BridgeKind::kLinuxBridge && settings.vlan_aware &&
      (vlan == 0 || !model::carries(model(), port, vlan))) {
    return in_.wrong(
        fields.has("vlan") ? fields["vlan"] : fields.node(),
        vlan == 0 ? fmt::format("'{}' takes no untagged frames: say the `vlan`", name_of(model(), port))
                  : fmt::format("'{}' is not in VLAN {}, and a Linux bridge takes no entry for it",
                                name_of(model(), port), vlan));
  }
  model()[bridge].static_entries.push_back({vlan, *mac, port});
}

// A port by its name, or by the guest NIC plugged into it.
PortId SiteReader::static_port(BridgeId bridge, NodeId node) {
  const auto name = in_.word(node, "a port");
  if (!name) return {};
  std::vector<std::string_view> known;
  for (const PortId port : model()[bridge].ports) {
    const PortId far = model::peer(model(), port);
    if (!model()[port].name.empty() && model()[port].name == *name) return port;
    if (far.valid() && model()[port].name.empty() && name_of(model(), far) == *name) return port;
    known.emplace_back(model()[port].name);
  }
  std::erase(known, std::string_view());
  in_.wrong(node, fmt::format("'{}' has no port '{}' that is linked or listed{}", name_of(model(), bridge),
                              *name, in_.hint(*name, known)));
  return {};
}

}  // namespace sekimori::importers
