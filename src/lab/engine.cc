#include "lab/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/time.h"
#include "model/multicast.h"
#include "switching/lag.h"
#include "switching/spanning_tree.h"

namespace sekimori::lab {

using model::Bridge;
using model::BridgeId;
using model::BridgeKind;
using model::Model;
using model::Port;
using model::PortId;

namespace {

bool is_aggregated(const Model& site, const Bridge& bridge, const Port& port) {
  return std::ranges::count_if(bridge.ports, [&](PortId other) {
           return switching::is_one_group(port, site[other]) && site[other].link.valid();
         }) > 1;
}

// The first port of which the judge has something to say, and that; ports without a cable don't count.
template <class Judge>
std::string first_objection(const Model& site, const Bridge& bridge, Judge judge) {
  for (const PortId id : bridge.ports) {
    if (!site[id].link.valid()) continue;
    if (const std::string what = judge(site[id]); !what.empty())
      return fmt::format("{} {}", model::name_of(site, id), what);
  }
  return "";
}

// What only our own code has.
std::string beyond_others(const Port& port) {
  if (port.guard) return "has a guard";
  if (port.mac_limit != 0) return "has a MAC limit";
  if (port.storm_control != 0) return "has storm control";
  return "";
}

// Linux' STP is that of 802.1D-1998 without edge ports. Its guard stops a port of the tree only, and it has
// no filter (net/bridge/br_stp_bpdu.c).
std::string beyond_linux_stp(const Model& site, const Bridge& bridge, const Port& port) {
  constexpr std::uint32_t kMostCost = 65'535;  // net/bridge/br_private_stp.h, BR_MAX_PATH_COST
  if (port.bpdu_guard) return "has a BPDU guard";
  if (port.bpdu_filter) return "filters BPDUs";
  if (!bridge.stp) return "";
  if (port.edge == model::EdgePort::kOn) return "is an edge port of a spanning tree";
  const PortId id = site[site[port.link].a].bridge == port.bridge ? site[port.link].a : site[port.link].b;
  const std::uint32_t cost = switching::path_cost(site, id);
  return cost > kMostCost ? fmt::format("has a path cost of {}, more than Linux takes", cost) : "";
}

// Whether the timeline changes this of the switch to that.
bool is_set(const Model& site, BridgeId bridge, model::BridgeOption option) {
  return std::ranges::any_of(site.changes, [&](const model::Change& change) {
    const auto* set = std::get_if<model::SetBridge>(&change.what);
    return set != nullptr && set->bridge == bridge && set->option == option;
  });
}

// What of multicast snooping Linux' bridge has otherwise.
std::string beyond_linux_snooping(const Model& site, BridgeId id) {
  const Bridge& bridge = site[id];
  if (!bridge.snoops || !model::uses_groups(site)) return "";
  if (bridge.kind != BridgeKind::kLinuxBridge) return "it snoops, and Linux' bridge does that otherwise";
  if (bridge.querier_ip.is_zero()) return "";
  const bool is_its_own = std::ranges::any_of(bridge.ports, [&](PortId port) {
    if (site[port].role != model::PortRole::kHost) return false;
    const PortId far = model::peer(site, port);
    return far.valid() && site[site[far].station].ip.address == bridge.querier_ip;
  });
  return is_its_own ? "" : "it asks from an address that is not its interface's";
}

// Whether the other end of the port's cable sends frames with tags, which a bridge that filters no VLANs
// would pass on: a NIC with VLANs, or a switch with a trunk there and other VLANs than 1 in use.
const Port& far_end(const Model& site, const Port& port) {
  const PortId a = site[port.link].a;
  return site[&site[a] == &port ? site[port.link].b : a];
}
bool has_nic_with_vlan(const Model& site, const Port& port) {
  for (model::StationId s = port.station; s.valid(); s = site[s].next_on_port) {
    if (site[s].vlan != 0) return true;
  }
  return false;
}
bool hears_tags(const Model& site, const Port& port) {
  const Port& far = far_end(site, port);
  if (!far.bridge.valid()) return has_nic_with_vlan(site, far);
  if (!site[far.bridge].vlan_aware || site.vlan_sets[far.tagged_vlans].none()) return false;
  return std::ranges::any_of(site[far.bridge].ports, [&](PortId other) {
    const Port& in = site[other];
    if (&in == &far || !in.link.valid() || in.role == model::PortRole::kUplink) return false;
    if (in.role == model::PortRole::kHost) return has_nic_with_vlan(site, far_end(site, in));
    return in.pvid > 1 || site.vlan_sets[in.tagged_vlans].any();
  });
}

// Why Linux' bridge can't be this switch; empty when it can.
std::string beyond_linux(const Model& site, BridgeId id) {
  const Bridge& bridge = site[id];
  if (is_set(site, id, model::BridgeOption::kStp)) return "its spanning tree is switched in the timeline";
  if (bridge.stp && bridge.stp_is_rapid) return "Linux speaks STP, not RSTP";
  if (std::string what = beyond_linux_snooping(site, id); !what.empty()) return what;
  std::uint16_t pvid = 0;
  return first_objection(site, bridge, [&](const Port& port) -> std::string {
    if (std::string what = beyond_others(port); !what.empty()) return what;
    if (is_aggregated(site, bridge, port)) return "is of an aggregation group";
    if (std::string what = beyond_linux_stp(site, bridge, port); !what.empty()) return what;
    if (!bridge.vlan_aware) return "";
    if (site.vlan_sets[port.tagged_vlans].any()) return "carries tagged VLANs";
    if (pvid != 0 && port.pvid != pvid) return fmt::format("is in VLAN {}", port.pvid);
    if (hears_tags(site, port)) return "is sent tagged frames, which it is to drop";
    pvid = port.pvid;
    return pvid == 0 ? "takes no untagged frames" : "";
  });
}

// Likewise of Open vSwitch. It counts ageing in seconds, 15 to 3600 of them (lib/mac-learning.c), and has
// `no-flood` for broadcasts and unknown unicast together only (ovs-ofctl(8), mod-port).
std::string beyond_open_vswitch(const Model& site, BridgeId id) {
  const Bridge& bridge = site[id];
  if (is_set(site, id, model::BridgeOption::kStp)) return "its spanning tree is switched in the timeline";
  if (!bridge.learning || is_set(site, id, model::BridgeOption::kLearning))
    return "learning is off, which Open vSwitch's NORMAL does not know";
  if (bridge.ageing < base::seconds(15) || bridge.ageing > base::seconds(3600) ||
      (bridge.ageing % base::seconds(1)).count() != 0) {
    return fmt::format("Open vSwitch keeps entries for 15 to 3600 whole seconds, and not for {}",
                       base::to_text(bridge.ageing));
  }
  if (bridge.stp) return "it has a spanning tree";
  return first_objection(site, bridge, [](const Port& port) -> std::string {
    if (std::string what = beyond_others(port); !what.empty()) return what;
    if (port.lag != 0) return "is of an aggregation group";
    if (port.hairpin) return "is a hairpin port";
    if (!port.learning) return "does not learn";
    if (!port.floods_unknown || !port.floods_broadcast || !port.floods_multicast) return "does not flood";
    return port.locked ? "is locked" : "";
  });
}

bool is_changed(const Model& site, model::MachineId machine) {
  return std::ranges::any_of(site.changes, [&](const model::Change& change) {
    const auto* start = std::get_if<model::StartMachine>(&change.what);
    const auto* stop = std::get_if<model::StopMachine>(&change.what);
    return (start != nullptr && start->machine == machine) || (stop != nullptr && stop->machine == machine);
  });
}

bool is_moved(const Model& site, model::LinkId link) {
  return std::ranges::any_of(site.changes, [&](const model::Change& change) {
    const auto* move = std::get_if<model::MigrateMachine>(&change.what);
    return move != nullptr && std::ranges::any_of(move->moves, [&](const auto& m) {
             return site[m.second].link == link || site[site[m.first].port].link == link;
           });
  });
}

// Why macvlan devices can't be this switch. Each is at once the guest's NIC and its port, and the host's own
// stack can't be taken off the NIC that they are on.
std::string beyond_macvlan(const Model& site, const Bridge& bridge, const Facilities& facilities) {
  std::size_t guests = 0;
  bool has_uplink = false;
  std::vector<model::Mac> macs;
  if (!bridge.static_entries.empty()) return "it has static entries";
  std::string objection = first_objection(site, bridge, [&](const Port& port) -> std::string {
    if (std::string what = beyond_others(port); !what.empty()) return what;
    if (port.isolated) return "is isolated";
    has_uplink |= port.role == model::PortRole::kUplink;
    if (port.role == model::PortRole::kUplink) return "";
    const model::Link& link = site[port.link];
    const Port& far = site[site[link.a].bridge == port.bridge ? link.b : link.a];
    if (!far.station.valid() || is_moved(site, port.link)) return "is no NIC that stays";
    const model::Station& nic = site[far.station];
    if (nic.vlan != 0 || nic.next_on_port.valid()) return "has a NIC with VLANs";
    if (choose_guest(site, nic.machine, facilities).boots) return "has a guest that boots an image";
    macs.push_back(nic.mac);
    if (port.role == model::PortRole::kHost) {
      if (!site[nic.machine].running || is_changed(site, nic.machine))
        return "has a host that is switched off";
      const bool is_used = bridge.macvlan_mode == model::MacvlanMode::kPassthru && !nic.ip.address.is_zero();
      return is_used ? "has an address, and passthru takes the NIC away from its host" : "";
    }
    ++guests;
    if (link.rate < kShapedBelow || link.delay >= kDelayedFrom) return "has a rate or a delay of its own";
    return "";
  });
  if (!objection.empty()) return objection;
  if (!has_uplink) return "nothing is plugged into its NIC";
  if (bridge.macvlan_mode == model::MacvlanMode::kPassthru && guests != 1) return "passthru is for one guest";
  std::ranges::sort(macs);
  return std::ranges::adjacent_find(macs) != macs.end() ? "two of its NICs have one address" : "";
}

}  // namespace

bool can_change(Engine engine, model::BridgeOption option) {
  using enum model::BridgeOption;
  switch (engine) {
    case Engine::kLinuxBridge:
      return option == kAgeing || option == kLearning || option == kTableSize;
    case Engine::kOpenVSwitch:
      return option == kAgeing || option == kTableSize;
    case Engine::kLive:
      return true;
    case Engine::kMacvlan:
    case Engine::kVxlan:
      break;
  }
  return false;
}

GuestChoice choose_guest(const Model& site, model::MachineId id, const Facilities& facilities) {
  const model::Machine& guest = site[id];
  if (!guest.image.valid()) return {};
  if (!guest.bridges.empty())
    return {.why_not = "The lab can't see into a guest, and it has virtual switches or bonds"};
  for (const model::StationId nic : guest.stations) {
    if (const model::LinkId link = site[site[nic].port].link; link.valid() && is_moved(site, link))
      return {.why_not = "A guest that boots an image can't move to another host yet"};
  }
  if (!facilities.qemu) return {.why_not = "QEMU (qemu-system-x86_64) is not installed"};
  const model::Image& image = site[guest.image];
  for (const std::string& file : {image.disk, image.kernel, image.initrd}) {
    if (!file.empty() && std::ranges::find(facilities.lost_files, file) != facilities.lost_files.end())
      return {.why_not = fmt::format("There is no file {}, of its image, that can be read", file)};
  }
  return {.boots = true};
}

Choice choose_engine(const Model& site, BridgeId id, const Facilities& facilities) {
  const Bridge& bridge = site[id];
  const auto unless = [](Engine engine, std::string objection) {
    return objection.empty() ? Choice{engine} : Choice{Engine::kLive, std::move(objection)};
  };
  switch (bridge.kind) {
    case BridgeKind::kSwitch:
    case BridgeKind::kLinuxBridge:
    case BridgeKind::kHub:
    case BridgeKind::kELan:
      return unless(Engine::kLinuxBridge, beyond_linux(site, id));
    case BridgeKind::kVtep:
      return {Engine::kVxlan};
    case BridgeKind::kOvs:
      if (!facilities.open_vswitch) return {Engine::kLive, "Open vSwitch is not installed"};
      return unless(Engine::kOpenVSwitch, beyond_open_vswitch(site, id));
    case BridgeKind::kMacvlan:
      if (!facilities.macvlan) return {Engine::kLive, "the kernel has no macvlan"};
      return unless(Engine::kMacvlan, beyond_macvlan(site, bridge, facilities));
    case BridgeKind::kHostedBridge:
    case BridgeKind::kEsxi:
    case BridgeKind::kHyperV:
    case BridgeKind::kSriov:
    case BridgeKind::kBond:
    case BridgeKind::kVlanDevices:
      break;
  }
  if (bridge.kind == BridgeKind::kBond) return {Engine::kLive, "the kernel's bonding is not used"};
  if (bridge.kind == BridgeKind::kVlanDevices)
    return {Engine::kLive, "the kernel's VLAN devices are not used"};
  return {Engine::kLive, fmt::format("Linux' bridge is no {}", model::to_text(bridge.kind))};
}

}  // namespace sekimori::lab
