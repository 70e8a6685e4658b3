// What exports say, before anybody makes sense of it: plain facts, each with the place that says it. Every
// format (from_*.cc) turns its text into facts; merge.h joins those of several sources into one site.
//
// A machine is known by its manager and the manager's id, never by a MAC: two machines with one MAC are two
// machines, and that they have one MAC is the finding (inventories that keyed by MAC have merged clones).
//
// Exports lie in **groups**: a group is the folder of a file, and what lies in the folder of a host, or below
// it, belongs to that host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"

namespace sekimori::importers {

using model::Ipv4;
using model::Ipv4Prefix;
using model::Mac;

struct Place {
  std::uint32_t file = 0;  // index into Facts::files
  std::uint32_t line = 0;  // 1-based; 0: the file as a whole
};

enum class Power : std::uint8_t { kUnknown, kOn, kOff };

// What a virtual switch is. merge has the table of the site file's words.
enum class SwitchKind : std::uint8_t {
  kLinuxBridge,
  kOvs,
  kHostedBridge,
  kMacvlan,
  kSriov,
  kEsxi,
  kHyperV,
  kNat,     // a network behind the host, which translates addresses
  kRouted,  // a network behind the host, which routes
};

struct VlanFacts {
  std::uint16_t untagged = 0;                                   // 0: nothing is said
  bool untagged_dropped = false;                                // untagged frames are not taken
  std::vector<std::pair<std::uint16_t, std::uint16_t>> tagged;  // ranges
  bool any() const { return untagged != 0 || untagged_dropped || !tagged.empty(); }
};

// What the far end of a virtual NIC is.
enum class Plug : std::uint8_t {
  kSocket,    // a NIC with a socket for a cable, or nothing is known
  kSwitch,    // a virtual switch of the host, `to` is its name
  kNetwork,   // a network of the manager, `to` is its name
  kHostNic,   // bridged to the host's NIC `to` by the driver of a hosted hypervisor
  kMacvlan,   // macvlan or macvtap on the host's NIC `to`
  kVf,        // a virtual function of the host's NIC `to`
  kNat,       // behind the address of the host
  kHostOnly,  // a network of its own with the host, `to` is its name
  kNowhere,   // unplugged
};

// What a port of ESXi or Hyper-V lets its guest do. Nothing: the export does not tell.
struct PolicyFacts {
  std::optional<bool> promiscuous;  // ESXi: hear everything
  std::optional<bool> forged;       // ESXi: forged transmits; Hyper-V: MAC address spoofing
};

struct NicFacts {
  std::string name;
  std::optional<Mac> mac;
  std::vector<Ipv4Prefix> ips;
  Plug plug = Plug::kSocket;
  std::string to;
  SwitchKind on = SwitchKind::kLinuxBridge;  // kSwitch: what `to` is
  std::optional<model::MacvlanMode> mode;    // kMacvlan
  PolicyFacts policy;
  std::string tap;  // the host's name of its other end: "vnet0"
  VlanFacts vlans;
  bool up = true;
  std::vector<Mac> virtual_functions;  // SR-IOV: of this physical function
  // A veth whose other end is in another network namespace: both indexes. 0: it is none.
  std::uint32_t index = 0, peer_index = 0;
  Place place;
};

// NICs of a machine that are one. The bond is a NIC itself, of its name; its NICs have no addresses.
struct BondFacts {
  std::string name;
  model::BondMode mode = model::BondMode::kActiveBackup;
  std::vector<std::string> nics;  // the active one first
  std::string primary;            // empty: none
  model::HashPolicy hash_policy = model::HashPolicy::kLayer2;
  // 802.3ad: the NICs that a partner aggregates, which are none when nobody answers. Nothing: not told.
  std::optional<std::vector<std::string>> aggregated;
  std::vector<std::string> not_modelled;  // of its settings
  Place place;
};

struct FdbFacts {
  Mac mac;
  std::string port;
  std::uint16_t vlan = 0;
  bool is_static = false;
  Place place;
};

struct PortFacts {
  std::string name;
  // What it leads to: a NIC of the machine, another virtual switch of it (`peer` is the port there), or
  // something outside of what was exported: a guest's tap, a container.
  enum class To : std::uint8_t { kNic, kSwitch, kOutside } to = To::kNic;
  std::string peer;
  bool learning = true, flood = true, isolated = false, up = true;
  VlanFacts vlans;
  std::optional<Mac> mac;  // of the tap itself
  std::uint32_t index = 0, peer_index = 0;
  std::uint64_t sent = 0;  // frames that left here; 0: none, or not known
  Place place;
};

// A flow of OVS that outputs by itself, and so teaches the table nothing; or that switches as usual
// (`normal`). Ports are called as OVS does: by the interface, LOCAL.
struct FlowRuleFacts {
  std::string in;  // empty: any
  std::optional<Mac> destination;
  model::FlowRuleType type = model::FlowRuleType::kAny;
  std::vector<std::string> out;
  bool normal = false;
  Place place;
};

struct SwitchFacts {
  std::string name;
  SwitchKind kind = SwitchKind::kLinuxBridge;
  std::optional<model::Duration> ageing;
  std::optional<std::uint32_t> table_size;
  bool learning = true, stp = false, vlan_aware = false;
  std::optional<std::uint16_t> priority;
  std::optional<Mac> mac;  // of its own interface, when it is not that of a port
  std::vector<Ipv4Prefix> ips;
  std::vector<PortFacts> ports;
  std::vector<FdbFacts> fdb;
  bool has_table = false;  // the export told the table, so what is not in it is not there
  // OVS: what decides before the table, first things first. Of flows that a site file can't say only the
  // place is kept.
  std::vector<FlowRuleFacts> flow_rules;
  std::vector<Place> unread_flows;
  // ESXi, Hyper-V
  std::optional<model::Teaming> teaming;
  std::optional<bool> notify_switches, beacon_probing;
  std::optional<bool> snoops;  // multicast; none: not told
  bool querier = false, floods_unregistered = true;
  PolicyFacts policy;
  Place place;
};

// An entry of a machine's ARP table: whom it has sent to, or means to.
struct NeighbourFacts {
  Ipv4 ip;
  Mac mac;
  std::string nic;
  Place place;
};

struct RouteFacts {
  Ipv4Prefix to;  // 0.0.0.0/0: the gateway
  Ipv4 via;
  Place place;
};

struct MachineFacts {
  std::string manager;  // "linux", "libvirt", ...
  std::string id;       // the manager's
  std::string name;
  std::string uuid;  // evidence for clones; may be empty
  std::string group;
  std::string host;  // name of the host when the manager says it; empty: that of the group
  model::MachineKind kind = model::MachineKind::kGuest;
  Power power = Power::kUnknown;
  std::vector<NicFacts> nics;
  std::vector<BondFacts> bonds;
  std::vector<SwitchFacts> switches;
  std::vector<NeighbourFacts> neighbours;
  std::vector<RouteFacts> routes;
  Place place;
};

// A network that a manager defines and guests name.
struct NetworkFacts {
  std::string manager, name, group;
  Plug kind = Plug::kSwitch;  // kSwitch, kNat, kHostOnly, kMacvlan, kVf
  bool routed = false;
  std::string to;  // the bridge, or the NIC below
  SwitchKind on = SwitchKind::kLinuxBridge;
  std::optional<model::MacvlanMode> mode;
  std::optional<Ipv4Prefix> ip;
  VlanFacts vlans;
  Place place;
};

// A port group of ESXi: what a guest's NIC is in, and what it may do there.
struct PortGroupFacts {
  std::string name, in_switch, host;  // without a host: distributed, of all hosts
  VlanFacts vlans;
  PolicyFacts policy;
  std::optional<model::Teaming> teaming;
  Place place;
};

// A switch of its own, as its console tells it.
struct GearFacts {
  std::string name;
  std::vector<FdbFacts> fdb;
  Place place;
};

// An LLDP neighbour: at this port of this device that port of that device was heard.
struct CableFacts {
  std::string device, port;  // without a device: the host of the group
  std::string group;
  std::string far_device, far_port;  // the names they call themselves
  std::optional<Mac> far_device_mac, far_port_mac;
  Place place;
};

// What was not imported, and why.
struct Omission {
  Place place;
  std::string what;
};

struct Facts {
  std::vector<std::string> files;
  std::vector<MachineFacts> machines;
  std::vector<NetworkFacts> networks;
  std::vector<PortGroupFacts> port_groups;
  std::vector<GearFacts> gear;
  std::vector<CableFacts> cables;
  std::vector<Omission> left_out;
  std::size_t left_out_more = 0;  // beyond what is kept

  static constexpr std::size_t kMostOmissions = 10'000;
  void leave_out(Place place, std::string what) {
    if (left_out.size() < kMostOmissions) {
      left_out.push_back({place, std::move(what)});
    } else {
      ++left_out_more;
    }
  }
  // "exports/app.xml:12"
  std::string text(Place place) const;
};

// A MAC as somebody wrote it; says so when it is none that a NIC can have.
std::optional<Mac> nic_mac(Facts& facts, Place place, std::string_view written, std::string_view whose);
std::uint16_t vlan_number(std::string_view written);  // 0: it is none
std::optional<Ipv4Prefix> interface_ip(std::string_view address, int length);

}  // namespace sekimori::importers
