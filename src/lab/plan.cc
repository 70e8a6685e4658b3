#include "lab/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "lab/names.h"
#include "model/multicast.h"

namespace sekimori::lab {

using model::Bridge;
using model::BridgeId;
using model::BridgeKind;
using model::LinkId;
using model::Mac;
using model::MachineId;
using model::Model;
using model::Port;
using model::PortId;
using model::PortRole;
using model::Station;
using model::StationId;

namespace {

constexpr std::size_t kLongestGuest = 32;  // paths of Unix sockets have 107 characters at most

class Planner {
 public:
  Planner(const Model& site, std::string lab, const Facilities& facilities) : site_(site) {
    plan_.lab = std::move(lab);
    plan_.facilities = facilities;
  }

  Plan make() && {
    plan_.ports.resize(site_.ports.size());
    plan_.stations.resize(site_.stations.size());
    for (const Station& station : site_.stations) used_macs_.insert(station.mac.bits);
    add_machines();
    add_guests();
    add_bridges();
    add_junctions();
    for (std::size_t l = 0; l < site_.links.size(); ++l) add_link(LinkId(l));
    for (std::size_t n = 0; n < site_.stations.size(); ++n) {
      Device& device = plan_.stations[n];
      if (!device.built() && !plan_.boots(site_.stations[n].machine))
        device = plan_.ports[site_.stations[n].port.index()];
    }
    for (std::size_t m = 0; m < site_.machines.size(); ++m) remark_on_machine(MachineId(m));
    for (std::size_t f = 0; f < site_.flows.size(); ++f) remark_on_traffic_of_guests(model::FlowId(f));
    for (const model::Change& change : site_.changes) remark_on_change(change);
    return std::move(plan_);
  }

 private:
  void leave_out(std::string part, std::string what) {
    plan_.unsupported.push_back({std::move(part), std::move(what)});
  }
  void approximate(std::string part, std::string what) {
    plan_.approximations.push_back({std::move(part), std::move(what)});
  }
  void need(Feature feature, std::string part) { plan_.needs.push_back({feature, std::move(part)}); }

  SpaceIndex add_space(const std::string& wanted, MachineId machine, BridgeId bridge) {
    plan_.spaces.push_back({space_names_.take(wanted, 128), machine, bridge});
    device_names_.emplace_back();
    return static_cast<SpaceIndex>(plan_.spaces.size() - 1);
  }

  void add_machines() {
    for (std::size_t m = 0; m < site_.machines.size(); ++m)
      add_space(site_.machines[m].name, MachineId(m), BridgeId());
  }

  void add_guests() {
    NamePool names;
    for (std::size_t m = 0; m < site_.machines.size(); ++m) {
      const model::Machine& machine = site_.machines[m];
      const GuestChoice choice = choose_guest(site_, MachineId(m), plan_.facilities);
      if (!choice.why_not.empty()) leave_out(machine.name, choice.why_not + ": a namespace stands for it.");
      if (!choice.boots) continue;
      PlannedGuest guest{
          .machine = MachineId(m), .name = names.take(machine.name, kLongestGuest), .nics = {}};
      for (const StationId nic : machine.stations) {
        const PortId port = site_[nic].port;
        if (site_[port].link.valid() && std::ranges::find(guest.nics, port) == guest.nics.end())
          guest.nics.push_back(port);
      }
      if (plan_.qemu == kNone) plan_.qemu = add_space("guests", MachineId(), BridgeId());
      need(Feature::kTap, machine.name);
      approximate(machine.name, site_[machine.image].disk.empty()
                                    ? "Its ARP timers and announcements are those of its own system."
                                    : "It has the addresses, ARP timers and announcements of its disk.");
      plan_.guests.push_back(std::move(guest));
    }
  }

  void add_bridges() {
    for (std::size_t b = 0; b < site_.bridges.size(); ++b) {
      const BridgeId id(b);
      const Bridge& bridge = site_[id];
      Choice choice = choose_engine(site_, id, plan_.facilities);
      PlannedBridge planned{
          .bridge = id, .engine = choice.engine, .live_because = std::move(choice.why_live)};
      planned.space = space_for(planned);
      // Those of spanning trees are in the order of the model. Queries teach other switches the predicted
      // one.
      planned.mac = bridge.querier && !bridge.stp ? model::address_of(id) : own_mac();
      if (planned.of_the_kernel()) need_bridge(id, planned);
      if (planned.engine == Engine::kOpenVSwitch)
        planned.device = device_names_[planned.space].take(bridge.name, kLongestDevice);
      if (bridge.routing == model::Routing::kNat) need(Feature::kTranslation, model::name_of(site_, id));
      if (planned.engine == Engine::kVxlan) plan_tunnel_end(planned);
      plan_.bridges.push_back(std::move(planned));
    }
  }

  void plan_tunnel_end(PlannedBridge& planned) {
    const Bridge& bridge = site_[planned.bridge];
    const std::string name = model::name_of(site_, planned.bridge);
    if (!plan_.facilities.vxlan)
      return leave_out(name, "The kernel has no VXLAN devices (CONFIG_VXLAN), so what it joins stays apart.");
    planned.device = device_names_[planned.space].take(bridge.name, kLongestDevice);
    if ((bridge.ageing % base::seconds(1)).count() != 0)
      approximate(name, "Linux counts the ageing time of a tunnel's endpoint in whole seconds.");
  }

  SpaceIndex space_for(const PlannedBridge& planned) {
    const Bridge& bridge = site_[planned.bridge];
    if (planned.engine == Engine::kVxlan) {  // that of the switch which has it as a port, and came before it
      const PortId member = model::peer(site_, bridge.ports.front());
      return plan_.bridges[site_[member].bridge.index()].space;
    }
    if (planned.engine == Engine::kOpenVSwitch) {
      if (plan_.open_vswitch == kNone) {
        plan_.open_vswitch = add_space("open-vswitch", MachineId(), BridgeId());
        device_names_.back().take("ovs-netdev", kLongestDevice);  // what its datapath makes for itself
      }
      return plan_.open_vswitch;
    }
    const bool is_inside = planned.engine == Engine::kMacvlan ||
                           (planned.of_the_kernel() && bridge.kind == BridgeKind::kLinuxBridge);
    if (is_inside && bridge.machine.valid()) return static_cast<SpaceIndex>(bridge.machine.value);
    return add_space(
        bridge.machine.valid() ? fmt::format("{}.{}", site_[bridge.machine].name, bridge.name) : bridge.name,
        MachineId(), planned.bridge);
  }

  void need_bridge(BridgeId id, PlannedBridge& planned) {
    const Bridge& bridge = site_[id];
    const std::string name = model::name_of(site_, id);
    planned.device = device_names_[planned.space].take(bridge.name, kLongestDevice);
    need(Feature::kBridge, name);
    if (bridge.stp) need(Feature::kSpanningTree, name);
    if (bridge.stp) approximate(name, "The forward delay of its spanning tree is 2 s.");
    if (!bridge.static_entries.empty()) need(Feature::kStickyEntries, name);
    // Whoever has fewer stations than entries can't tell the difference.
    if (bridge.table_size != 0 && bridge.table_size < site_.stations.size())
      need(Feature::kSmallTables, name);
    if (const auto ticks = bridge.ageing % base::milliseconds(10); ticks.count() != 0)
      approximate(name, "Linux counts the ageing time in steps of 10 ms.");
  }

  // Addresses of what has none in the site. They are never the source of a frame.
  Mac own_mac() {
    do ++own_macs_;
    while (used_macs_.contains(own_macs_));
    return Mac{own_macs_};
  }

  // The port's device, in the space where its machine or bridge is.
  Device make_device(PortId id) {
    const Port& port = site_[id];
    Device device;
    std::string wanted = port.name;
    if (const auto junction = junction_of_.find(id); junction != junction_of_.end()) {
      device.space = cables_space();
      device.mac = own_mac();
      wanted = fmt::format("j{}-{}", junction->second, wanted);
    } else if (port.station.valid()) {
      device.space = static_cast<SpaceIndex>(site_[port.station].machine.value);
      device.mac = site_[port.station].mac;
    } else {
      device.space = plan_.bridges[port.bridge.index()].space;
      device.mac = own_mac();
      if (wanted.empty()) wanted = name_after_peer(id);
    }
    device.name = device_names_[device.space].take(wanted, kLongestDevice);
    return device;
  }

  // The unnamed port of a virtual switch is called after what is plugged in: "app.net0".
  std::string name_after_peer(PortId id) const {
    const PortId far = model::peer(site_, id);
    if (!far.valid()) return "port";
    const StationId station = site_[far].station;
    if (!station.valid()) return site_[far].name;
    if (site_[id].role == PortRole::kHost) return "to-" + site_[station].name;
    const std::string& machine = site_[site_[station].machine].name;
    const std::string& nic = site_[far].name;
    // The NIC's name is kept whole: it is what tells a machine's NICs apart.
    const std::size_t room = kLongestDevice - std::min(kLongestDevice - 1, nic.size() + 1);
    return fmt::format("{}.{}", std::string_view(machine).substr(0, room), nic);
  }

  // Whether this station is the own interface of the Linux bridge at the other end.
  bool takes_bridge_interface(PortId station_port, PortId bridge_port) {
    if (!site_[station_port].station.valid() || !site_[bridge_port].bridge.valid()) return false;
    if (junction_of_.contains(station_port)) return false;
    const PlannedBridge& bridge = plan_.bridges[site_[bridge_port].bridge.index()];
    const Bridge& site_bridge = site_[bridge.bridge];
    return bridge.of_the_kernel() && site_bridge.kind == BridgeKind::kLinuxBridge &&
           site_[bridge_port].role == PortRole::kHost &&
           site_[site_[station_port].station].machine == site_bridge.machine &&
           with_interface_.insert(bridge.bridge.value).second;
  }

  void add_link(LinkId id) {
    const model::Link& link = site_[id];
    if (site_[link.a].tunnel) return;
    PlannedLink planned{.link = id};
    for (const auto& [near, far] : {std::pair(link.a, link.b), std::pair(link.b, link.a)}) {
      if (!takes_bridge_interface(near, far)) continue;
      planned.kind = LinkKind::kBridgeInterface;
      PlannedBridge& bridge = plan_.bridges[site_[far].bridge.index()];
      bridge.mac = site_[site_[near].station].mac;
      plan_.ports[near.index()] = plan_.ports[far.index()] = {bridge.space, bridge.device, bridge.mac};
      plan_.links.push_back(std::move(planned));
      return;
    }
    if (add_vxlan_link(planned)) {
      if (planned.kind == LinkKind::kVxlan) plan_.links.push_back(std::move(planned));
      return;
    }
    if (add_macvlan_link(planned) || add_tap(planned)) {
      plan_.links.push_back(std::move(planned));
      return;
    }
    for (const PortId end : {link.a, link.b}) {
      const BridgeId bridge = site_[end].bridge;
      const bool is_lower = bridge.valid() && plan_.bridges[bridge.index()].engine == Engine::kMacvlan;
      plan_.ports[end.index()] = is_lower ? lower_device(bridge) : make_device(end);
    }
    const std::string name = model::name_of(site_, id);
    need(Feature::kVeth, name);
    planned.shaped = link.rate < kShapedBelow;
    if (planned.shaped) need(Feature::kTokenBucket, name);
    planned.delayed = link.delay >= kDelayedFrom;
    if (planned.delayed) add_delay_line(planned);
    plan_.links.push_back(std::move(planned));
  }

  // True when it is the link of a guest that boots its image.
  bool add_tap(PlannedLink& planned) {
    const model::Link& link = site_[planned.link];
    for (const auto& [near, far] : {std::pair(link.a, link.b), std::pair(link.b, link.a)}) {
      if (!site_[near].station.valid() || !plan_.boots(site_[site_[near].station].machine)) continue;
      planned.kind = LinkKind::kTap;
      plan_.ports[near.index()] = plan_.ports[far.index()] = make_device(far);
      if (link.rate < kShapedBelow || link.delay >= kDelayedFrom)
        leave_out(model::name_of(site_, planned.link),
                  "The NIC of a guest that boots has no rate and no delay.");
      return true;
    }
    return false;
  }

  SpaceIndex cables_space() {
    if (cables_ == kNone) cables_ = add_space("cables", MachineId(), BridgeId());
    return cables_;
  }

  // A device of a live piece of a cable.
  Device make_piece(const std::string& wanted) {
    const SpaceIndex space = cables_space();
    return {space, device_names_[space].take(wanted, kLongestDevice), own_mac()};
  }

  // Every NIC with a VLAN, with a second place, or with a part in a shared address.
  void add_junctions() {
    std::unordered_map<PortId, std::vector<PortId>> standbys;
    for (const model::Change& change : site_.changes) {
      const auto* move = std::get_if<model::MigrateMachine>(&change.what);
      if (move == nullptr) continue;
      for (const auto& [station, port] : move->moves) {
        std::vector<PortId>& places = standbys[site_[station].port];
        if (std::ranges::find(places, port) == places.end()) places.push_back(port);
      }
    }
    for (std::size_t n = 0; n < site_.stations.size(); ++n) {
      const PortId port = site_.stations[n].port;
      const auto places = standbys.find(port);
      const bool needs_one = site_.stations[n].vlan != 0 || site_.stations[n].shared.valid();
      if (!site_[port].link.valid() || junction_of_.contains(port)) continue;
      if (plan_.boots(site_.stations[n].machine)) continue;  // it has VLANs of its own
      if (needs_one || places != standbys.end())
        add_junction(port, places == standbys.end() ? std::vector<PortId>{} : places->second);
    }
  }

  void add_junction(PortId port, std::vector<PortId> places) {
    const std::size_t number = plan_.junctions.size();
    places.insert(places.begin(), port);
    for (const PortId place : places) junction_of_[place] = number;
    Junction junction{.legs = {}, .places = std::move(places)};
    for (StationId s = site_[port].station; s.valid(); s = site_[s].next_on_port) {
      const model::SharedId shared = site_[s].shared;
      if (shared.valid() && site_[shared].kind == model::SharedKind::kNlb) {
        plan_.stations[s.index()] = junction.legs.back().there;  // a second address of the NIC before it
        continue;
      }
      const auto space = static_cast<SpaceIndex>(site_[s].machine.value);
      const Device there{space, device_names_[space].take(site_[s].name, kLongestDevice), site_[s].mac};
      plan_.stations[s.index()] = there;
      const std::string piece =
          fmt::format("j{}.{}", number, shared.valid() ? there.name : std::to_string(site_[s].vlan));
      junction.legs.push_back({s, there, make_piece(piece), shared.valid()});
    }
    need(Feature::kVeth, model::name_of(site_, port));
    plan_.junctions.push_back(std::move(junction));
  }

  // True when it is one between an endpoint of a tunnel and its switch, whose device it is; where it has none
  // it is not built.
  bool add_vxlan_link(PlannedLink& planned) {
    const model::Link& link = site_[planned.link];
    for (const PortId end : {link.a, link.b}) {
      const BridgeId bridge = site_[end].bridge;
      if (!bridge.valid() || plan_.bridges[bridge.index()].engine != Engine::kVxlan) continue;
      const PlannedBridge& tunnel = plan_.bridges[bridge.index()];
      if (tunnel.device.empty()) return true;
      planned.kind = LinkKind::kVxlan;
      plan_.ports[link.a.index()] = plan_.ports[link.b.index()] = {tunnel.space, tunnel.device, tunnel.mac};
      return true;
    }
    return false;
  }

  // True when it is one between macvlan devices and their switch, which is none.
  bool add_macvlan_link(PlannedLink& planned) {
    const model::Link& link = site_[planned.link];
    for (const auto& [near, far] : {std::pair(link.a, link.b), std::pair(link.b, link.a)}) {
      const BridgeId bridge = site_[far].bridge;
      if (!bridge.valid() || plan_.bridges[bridge.index()].engine != Engine::kMacvlan) continue;
      if (site_[far].role == PortRole::kUplink) return false;
      planned.kind = site_[far].role == PortRole::kHost ? LinkKind::kMacvlanHost : LinkKind::kMacvlan;
      plan_.ports[near.index()] = plan_.ports[far.index()] =
          planned.kind == LinkKind::kMacvlanHost ? lower_device(bridge) : make_device(near);
      return true;
    }
    return false;
  }

  // The NIC that macvlan devices are on. One in passthru mode takes it over, with its own address.
  const Device& lower_device(BridgeId id) {
    Device& device = lower_devices_[id.value];
    if (device.built()) return device;
    const Bridge& bridge = site_[id];
    device.space = plan_.bridges[id.index()].space;
    device.mac = own_mac();
    std::string name = "nic";
    for (const PortId port : bridge.ports) {
      const PortId far = model::peer(site_, port);
      if (!far.valid() || !site_[far].station.valid()) continue;
      const Station& nic = site_[site_[far].station];
      const bool is_host = site_[port].role == PortRole::kHost;
      if (is_host) name = nic.name;
      if (is_host != (bridge.macvlan_mode == model::MacvlanMode::kPassthru)) device.mac = nic.mac;
    }
    device.name = device_names_[device.space].take(name, kLongestDevice);
    return device;
  }

  void add_delay_line(PlannedLink& planned) {
    const auto relay = [&](char end) { return make_piece(fmt::format("l{}{}", planned.link.value, end)); };
    planned.relay_a = relay('a');
    planned.relay_b = relay('b');
  }

  void remark_on_change(const model::Change& change) {
    const auto* set = std::get_if<model::SetBridge>(&change.what);
    if (set == nullptr) return;
    const PlannedBridge& bridge = plan_.bridges[set->bridge.index()];
    const std::string name = model::name_of(site_, set->bridge);
    if (!can_change(bridge.engine, set->option)) leave_out(name, "This change of its settings is not made.");
    if (bridge.of_the_kernel() && set->option == model::BridgeOption::kTableSize)
      need(Feature::kSmallTables, name);
  }

  void remark_on_traffic_of_guests(model::FlowId id) {
    const model::Flow& flow = site_[id];
    const bool is_answered = flow.kind == model::FlowKind::kTcp || flow.kind == model::FlowKind::kRequest;
    if (plan_.boots(flow.from)) {
      leave_out(model::name_of(site_, id), "The lab starts no senders in a guest that boots an image.");
    } else if (is_answered && flow.to.valid() && plan_.boots(flow.to)) {
      leave_out(model::name_of(site_, id), "The lab starts no servers in a guest that boots an image.");
    } else if (flow.kind == model::FlowKind::kUdp && flow.to.valid() && plan_.boots(flow.to)) {
      approximate(model::name_of(site_, id),
                  "Nobody takes it in a guest that boots an image: it may answer with ICMP errors.");
    }
  }

  void remark_on_machine(MachineId id) {
    const model::Machine& machine = site_[id];
    if (plan_.boots(id)) return;
    for (const StationId s : machine.stations) {
      const Station& station = site_[s];
      if (station.shared.valid()) continue;
      const bool has_ipv6 = !station.ip6.address.is_zero();
      if (plan_.stations[s.index()].built() && has_ipv6) {
        need(Feature::kIpv6, model::name_of(site_, s));
        need(Feature::kListenerFilter, model::name_of(site_, s));
      }
      if (!plan_.stations[s.index()].built() && (has_ipv6 || !station.ip.address.is_zero()))
        leave_out(model::name_of(site_, s), "Nothing is plugged in, so it is not built.");
    }
    if (!machine.arp.confirm_by_progress && !machine.stations.empty())
      approximate(machine.name, "Linux always confirms ARP entries by the progress of TCP.");
  }

  const Model& site_;
  Plan plan_;
  NamePool space_names_;
  std::vector<NamePool> device_names_;  // by space
  std::unordered_set<std::uint64_t> used_macs_;
  std::unordered_set<std::uint32_t> with_interface_;  // bridges whose interface is a station's
  std::uint64_t own_macs_ = 0x0e5e'0000'0000;         // the last one given
  SpaceIndex cables_ = kNone;
  std::unordered_map<PortId, std::size_t> junction_of_;
  std::unordered_map<std::uint32_t, Device> lower_devices_;  // by switch
};

}  // namespace

std::string_view to_text(Feature feature) {
  switch (feature) {
    case Feature::kVeth:
      return "veth pairs (CONFIG_VETH)";
    case Feature::kBridge:
      return "bridges (CONFIG_BRIDGE)";
    case Feature::kTokenBucket:
      return "token bucket filters (CONFIG_NET_SCH_TBF)";
    case Feature::kSpanningTree:
      return "the spanning tree of bridges";
    case Feature::kSmallTables:
      return "bounded tables of bridges (fdb_max_learned, Linux 6.7)";
    case Feature::kStickyEntries:
      return "sticky table entries (Linux 4.20)";
    case Feature::kIpv6:
      return "IPv6 (CONFIG_IPV6)";
    case Feature::kListenerFilter:
      return "a packet filter for IPv6 (CONFIG_NF_TABLES_IPV6)";
    case Feature::kTranslation:
      return "address translation (CONFIG_NFT_MASQ, CONFIG_NF_TABLES_IPV4)";
    case Feature::kTap:
      return "tap devices (CONFIG_TUN)";
  }
  return "?";
}

std::string Plan::namespace_of(SpaceIndex space) const { return namespace_prefix(lab) + spaces[space].name; }

bool Plan::boots(MachineId machine) const {
  return std::ranges::binary_search(guests, machine, {}, &PlannedGuest::machine);
}

bool Plan::has_live() const {
  return std::ranges::any_of(bridges, &PlannedBridge::live) ||
         std::ranges::any_of(links, &PlannedLink::delayed) || !junctions.empty();
}

Plan make_plan(const Model& site, std::string lab, const Facilities& facilities) {
  return Planner(site, std::move(lab), facilities).make();
}

}  // namespace sekimori::lab
