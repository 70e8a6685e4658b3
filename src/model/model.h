// The model of a site: what every importer produces and every engine reads (the first waist of the program).
//
// It is a plain graph. **Stations** are NICs with a MAC; **bridges** are whatever forwards frames: physical
// switches, virtual switches inside a machine, hubs, provider E-LANs. Both have **ports**, and a **link**
// joins two ports. A virtual cable (guest NIC to virtual switch, or a host's own stack to the virtual switch
// above its NIC) is a link like any other. **Machines** own stations and bridges: hosts, guests and routers.
//
// A host NIC that is the uplink of a virtual switch splits in two, as in the kernel: its wire side is a port
// of the bridge with role `uplink`, and the host's own use of it is a station on a port with role `host`:
//
//        station server:eth0 ── [host] vmnet0 [guest] ── station app:net0
//                                    [uplink] ── cable ── sw1:1
//
// Everything refers by typed index into the arrays of Model. The arrays are append-only while a Builder
// works, and never change afterwards; a remedy is tried on a copy.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/rate.h"
#include "base/time.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/mac.h"

namespace sekimori::model {

using base::BitRate;
using base::Duration;
using base::Time;
using wire::Group;
using wire::Ipv4;
using wire::Ipv4Prefix;
using wire::Ipv6;
using wire::Ipv6Prefix;
using wire::Mac;

using MachineId = base::Id<struct MachineTag>;
using StationId = base::Id<struct StationTag>;
using BridgeId = base::Id<struct BridgeTag>;
using PortId = base::Id<struct PortTag>;
using LinkId = base::Id<struct LinkTag>;
using FlowId = base::Id<struct FlowTag>;
using SharedId = base::Id<struct SharedTag>;
using ImageId = base::Id<struct ImageTag>;

// Line of the site file that declares a thing, 1-based; 0 when it does not come from a file.
using SourceLine = std::uint32_t;

// ---------------------------------------------------------------- machines

enum class MachineKind : std::uint8_t { kHost, kGuest, kRouter };

// How a machine keeps its address resolutions (ARP: RFC 826; timers: RFC 1122 section 2.3.2.1).
struct ArpSettings {
  // An entry not confirmed for this long is confirmed again when it is next used. Linux: base_reachable_time,
  // 30 s; routers commonly 14 400 s.
  Duration timeout = base::seconds(30);
  // Progress of an upper layer (a TCP acknowledgement) confirms an entry, as Linux's dst_confirm does.
  bool confirm_by_progress = true;
  // An entry to be confirmed is asked for by unicast and used meanwhile (RFC 1122 (2), Linux's PROBE state).
  // Without it the entry is dropped and asked for again by broadcast.
  bool confirm_by_probe = true;
  // Gratuitous ARP (RFC 5227 announcement) when the machine starts, and then at this interval (0: never
  // again).
  bool announce_at_start = true;
  Duration announce_every{0};
  friend bool operator==(const ArpSettings&, const ArpSettings&) = default;
};

struct Route {
  Ipv4Prefix destination;
  Ipv4 via;
};
struct Route6 {
  Ipv6Prefix destination;
  Ipv6 via;
};

struct Machine {
  std::string name;  // unique in the site
  MachineKind kind = MachineKind::kHost;
  MachineId host;  // of a guest: the machine it runs on
  bool running = true;
  ArpSettings arp;
  // The same of Neighbor Discovery (RFC 4861): reachable time, and the unsolicited advertisements in place of
  // gratuitous ARP. Every stack probes by unicast (section 7.3), routers as well.
  ArpSettings nd;
  // Of a router with IPv6 addresses: the longest time between two router advertisements, to all nodes; the
  // shortest is a third of it (section 6.2.1). 0: none.
  Duration advertise_every{0};
  std::vector<StationId> stations;
  std::vector<BridgeId> bridges;
  std::vector<Route> routes;  // beside the connected ones; longest prefix wins
  std::vector<Route6> routes6;
  MachineId clone_of;  // this guest is a clone of that one (same MACs)
  ImageId image;       // of a guest: what it boots from in a lab
  SourceLine line = 0;
};

// What a guest boots from where it really runs, which is in a lab only: a disk, or a kernel with its initial
// RAM disk. Paths are as the caller of the reader can open them.
struct Image {
  std::string disk;                  // qcow2 or raw; or
  std::string kernel, initrd;        // initrd: may be empty
  std::string append;                // to the kernel's command line
  std::uint64_t memory = 256 << 20;  // bytes
};

// ---------------------------------------------------------------- stations

// Where a station's MAC comes from. It decides how a duplicate is explained and which remedies make sense.
enum class MacOrigin : std::uint8_t {
  kAllocated,  // left out in the site file: allocated, unique in the site
  kDeclared,   // written by hand
  kDrawn,      // drawn at random from a range, without asking whether it is in use
  kCloned,     // came along with a clone
};

struct Station {
  MachineId machine;
  std::string name;  // of the NIC, unique in its machine; "eth0.10" is VLAN 10 on eth0
  Mac mac;
  MacOrigin mac_origin = MacOrigin::kAllocated;
  std::uint8_t drawn_bits = 0;  // kDrawn: from the 2^n addresses that differ in the last n bits
  bool promiscuous = false;     // takes frames for any destination up to its stack
  bool querier = false;         // of a router: asks who is in which multicast group (switching/snooping.h)
  std::uint32_t groups = 0;     // that it is a member of: index into Model::group_sets
  Ipv4Prefix ip;                // 0.0.0.0 when it has none
  Ipv6Prefix ip6;               // :: when it has none
  std::uint16_t vlan = 0;       // sends and expects frames tagged with this VID; 0 untagged
  PortId port;                  // stations that are VLANs of one NIC share its port
  StationId next_on_port;       // the next of them
  SourceLine line = 0;
  // What its frames bear as their source, where that is not `mac` (a cluster that hides it); else zero.
  Mac source;
  SharedId shared;  // it stands for a shared address, on the port of a NIC of its machine
  bool hides_its_mac() const { return !source.is_zero(); }
};

// ---------------------------------------------------------------- shared addresses

enum class SharedKind : std::uint8_t { kNlb, kVrrp, kHsrp };

// An IP address, with a MAC of its own, that several NICs have: all at once (a Network Load Balancing cluster
// in unicast mode, model/nlb.h) or the one of them that is master (VRRP, HSRP: switching/first_hop.h).
struct SharedAddress {
  struct Member {
    StationId nic;
    StationId alias;  // the station that has the address, on the NIC's port
    std::uint8_t priority = 100;
  };
  std::string name;  // unique among machines, gear and these
  SharedKind kind = SharedKind::kNlb;
  Ipv4 ip;
  Mac mac;
  std::uint16_t group = 0;      // the VRID, or the number of the HSRP group
  std::uint8_t version = 0;     // of HSRP
  Duration interval{0};         // between two advertisements of the master
  Duration hold{0};             // HSRP: without hellos for that long another takes over
  bool preempt = true;          // a better one takes over from a master that works
  std::vector<Member> members;  // the best first
  SourceLine line = 0;
};

// ---------------------------------------------------------------- bridges

// What each kind does with a frame is in switching/, one file per kind.
enum class BridgeKind : std::uint8_t {
  kSwitch,
  kLinuxBridge,
  kHub,
  kHostedBridge,
  kELan,
  kOvs,
  kEsxi,
  kHyperV,
  kMacvlan,
  kSriov,
  kVtep,  // an endpoint of a VXLAN tunnel: switching/vxlan.h
  kBond,  // NICs of a machine that are one: switching/bond.h
  // A NIC with VLAN devices that is the uplink of a bridge: these are below it (switching/vlan_devices.h).
  kVlanDevices,
};

// macvlan: what frames of one guest for another do (IFLA_MACVLAN_MODE).
enum class MacvlanMode : std::uint8_t { kBridge, kVepa, kPrivate, kPassthru };

// esxi, hyperv: which of several uplinks a frame leaves by.
enum class Teaming : std::uint8_t {
  kPortId,    // the port it came in at decides
  kMacHash,   // its source address
  kIpHash,    // its IP addresses
  kFailover,  // the first uplink that is up
};

// bond: what its NICs are to one another (Linux: BOND_MODE_*, in this order).
enum class BondMode : std::uint8_t {
  kBalanceRr,
  kActiveBackup,
  kBalanceXor,
  kBroadcast,
  kLacp,  // 802.3ad
  kBalanceTlb,
  kBalanceAlb,
};

// bond: what of a frame decides on the NIC (xmit_hash_policy): MACs and EtherType; with the IP addresses; or
// these with the ports.
enum class HashPolicy : std::uint8_t { kLayer2, kLayer23, kLayer34 };

// linux-bridge of a machine: whether the machine passes packets on between its own interface there and its
// other ones (routing.h).
enum class Routing : std::uint8_t { kNone, kRouted, kNat };

// ovs: an OpenFlow flow that outputs. The first that matches decides, before anything is learnt.
enum class FlowRuleType : std::uint8_t { kAny, kArp, kIp };

struct StaticEntry {
  std::uint16_t vlan;
  Mac mac;
  PortId port;
};

struct FlowRule {
  PortId in;                               // invalid: any
  Mac destination;                         // zero: any
  FlowRuleType type = FlowRuleType::kAny;  // by the frame's EtherType
  std::vector<PortId> out;                 // never the one it came in at (OpenFlow 1.3 section 5.12)
  bool normal = false;                     // and is switched and learnt as without a rule
  SourceLine line = 0;
};

// linux-bridge: what it answers ARP, or Neighbor Discovery, from (switching/suppression.h).
struct KnownNeighbour {
  Ipv4 ip;   // 0.0.0.0: it is
  Ipv6 ip6;  // this one
  Mac mac;
  SourceLine line = 0;
};

struct Bridge {
  std::string name;  // unique in its machine, or in the site when it has none
  BridgeKind kind = BridgeKind::kSwitch;
  MachineId machine;                     // that contains this virtual switch; invalid for gear of its own
  Duration ageing = base::seconds(300);  // 0: entries are forgotten at once, so nothing is learnt
  bool learning = true;
  std::uint32_t table_size = 8192;  // entries; when full nothing more is learnt
  // False: tags mean nothing to it, frames pass as they are and share one FDB (a Linux bridge without
  // vlan_filtering, hosted bridges, an E-LAN, hubs). The ports' pvid and tagged_vlans are then ignored.
  bool vlan_aware = false;
  bool stp = false;           // runs a spanning tree:
  bool stp_is_rapid = false;  // RSTP, not STP
  std::uint16_t stp_priority = 32768;
  Duration hello_time = base::seconds(2), max_age = base::seconds(20), forward_delay = base::seconds(15);
  // linux-bridge: its own interface has a MAC of its own; otherwise it has the lowest of the ports'.
  bool mac_is_set = false;
  Routing routing = Routing::kNone;  // the site file's kinds `routed` and `nat`
  // hosted-bridge: frames of the host for one of its guests are kept off the wire (what some products can
  // do).
  bool filters_local = false;
  MacvlanMode macvlan_mode = MacvlanMode::kBridge;
  // esxi, hyperv: with several uplinks.
  Teaming teaming = Teaming::kPortId;
  bool notify_switches = true;  // a NIC that takes another uplink is announced there, by RARP
  bool beacon_probing = false;  // esxi: each uplink broadcasts beacons for the others to hear
  BondMode bond_mode = BondMode::kBalanceRr;
  HashPolicy hash_policy = HashPolicy::kLayer2;
  PortId primary;                    // bond: active whenever its link is up
  std::vector<FlowRule> flow_rules;  // ovs, by priority
  // linux-bridge: bit n set hands on frames for 01-80-C2-00-00-0n (switching/link_local.h).
  std::uint16_t group_forward_mask = 0;
  std::vector<KnownNeighbour> neighbours;  // linux-bridge
  // Multicasts go to those who want them only: switching/snooping.h.
  bool snoops = false;
  bool querier = false;             // it asks who that is
  Ipv4 querier_ip;                  // from this address; 0.0.0.0: none
  bool floods_unregistered = true;  // what no member is known of goes everywhere; else to routers only
  std::uint32_t vni = 0;            // VTEP
  StationId underlay;               // VTEP: whose address its packets bear
  std::vector<PortId> ports;
  std::vector<StaticEntry> static_entries;
  SourceLine line = 0;
};

// Whether nobody behind a port bridges, so that it forwards at once ("portfast"). kAuto: RSTP finds out, STP
// can't.
enum class EdgePort : std::uint8_t { kAuto, kOff, kOn };

enum class PortRole : std::uint8_t {
  kNetwork,  // of a physical switch, hub or E-LAN (there: the UNI)
  kHost,     // the machine's own stack
  kGuest,    // a guest's NIC
  kUplink,   // the wire side of the machine's NIC
};

// VLANs carried tagged by a port. Interned: ports share the sets in Model::vlan_sets by index; set 0 is
// empty.
using VlanSet = std::bitset<4096>;

// The PVID, which no tag can be, of ports that hand on untagged frames as they are.
constexpr std::uint16_t kUntaggedOnly = 4095;

// Upper bounds for what a port lets in, in bit/s of frames without FCS; 0 is no bound. IEEE 802.1Q has no
// storm control; these are the three classes that switches commonly police.
struct StormControl {
  BitRate broadcast, multicast, unknown_unicast;
  friend bool operator==(const StormControl&, const StormControl&) = default;
};

// A port belongs to a bridge or to a station, never both.
struct Port {
  std::string name;  // "24", "eth0", "tokyo"; empty for the far end of a guest's virtual cable
  BridgeId bridge;
  StationId station;  // the first on this port
  LinkId link;        // invalid: nothing plugged in
  PortRole role = PortRole::kNetwork;
  // VLAN of untagged frames (PVID / native VLAN); 0: untagged frames are dropped.
  std::uint16_t pvid = 1;
  std::uint32_t tagged_vlans = 0;  // index into Model::vlan_sets
  // Whether floods leave here (switching/linux_bridge.h); the first of them is unknown-unicast block.
  bool floods_unknown = true, floods_broadcast = true, floods_multicast = true;
  bool learning = true;
  bool locked = false;  // takes frames only from addresses that the table has at this port
  bool isolated =
      false;  // exchanges no frames with other isolated ports (also the split horizon of an E-LAN)
  // Frames leaving here for a station on another port of the same machine's virtual switch are dropped: the
  // remedy `guard`, as an eBPF program on the uplink does it.
  bool guard = false;
  // esxi, hyperv: the guest may send with addresses that are not its NIC's ("forged transmits", "MAC address
  // spoofing"), and hears what is for others ("promiscuous mode").
  bool forged_transmits = true;
  bool promiscuous = false;
  // linux-bridge: questions for addresses that are known do not leave here, nor do announcements; the bridge
  // answers for what is behind the port (switching/suppression.h).
  bool neigh_suppress = false;
  std::uint16_t group_forward_mask = 0;  // linux-bridge: the same as the bridge's, for what comes in here
  bool tunnel = false;                   // of a VTEP: leads to another, through the network below
  bool hairpin = false;                  // frames may leave where they came in (Linux: `hairpin on`, VEPA)
  std::uint16_t lag = 0;            // ports of one bridge with the same number are one link aggregation group
  bool bpdu_guard = false;          // a BPDU that comes in shuts the port for good
  bool bpdu_filter = false;         // BPDUs neither come in nor leave here
  EdgePort edge = EdgePort::kAuto;  // of a bridge with a spanning tree
  std::uint32_t path_cost = 0;      // likewise; 0: by the link's rate
  std::uint32_t mac_limit = 0;      // learnt MACs on this port; 0 is no bound
  std::uint32_t storm_control = 0;  // index into Model::storm_controls; 0 is none
};

// ---------------------------------------------------------------- links

struct Link {
  PortId a, b;
  BitRate rate = base::gbit(1);
  Duration delay = base::microseconds(1);
  std::uint32_t queue_bytes = 128 * 1024;  // in each direction, drop-tail
  bool up = true;
  bool is_virtual = false;  // a virtual cable inside a machine
  SourceLine line = 0;
};

// ---------------------------------------------------------------- traffic

enum class FlowKind : std::uint8_t {
  kUdp,      // one way at a constant rate; nobody answers
  kRequest,  // a request at an interval, answered with a response
  kPing,     // ICMP echo at an interval
  kTcp,      // one way, ACK-clocked, with congestion control; rate bounds what the application offers
};

struct Flow {
  FlowKind kind = FlowKind::kUdp;
  MachineId from, to;  // to: invalid when it is for a group
  StationId from_station,
      to_station;                // invalid: chosen by the routes (from) / the first with an address (to)
  BitRate rate;                  // udp, tcp: payload offered; tcp 0: as much as it gets
  Duration interval{0};          // request, ping: between two; udp: between two, when no rate is given
  std::uint32_t payload = 1448;  // bytes of payload in a frame; request: of the request
  std::uint32_t response = 0;    // request: bytes of payload of the response
  Time start{0};
  Time stop = base::kNever;
  bool ipv6 = false;
  Group group;  // udp: whoever is a member gets it; else zero
  bool is_multicast() const { return !group.is_zero(); }
  SourceLine line = 0;
};

// ---------------------------------------------------------------- changes

struct StartMachine {
  MachineId machine;
};
struct StopMachine {
  MachineId machine;
};
// The station leaves its port and continues on `port`, whose link is down until then.
struct MigrateMachine {
  MachineId machine;
  MachineId to_host;
  std::vector<std::pair<StationId, PortId>> moves;
  bool announce = true;  // gratuitous ARP (or RARP) from the new place
};
struct SetLink {
  LinkId link;
  bool up;
};
enum class BridgeOption : std::uint8_t { kAgeing, kLearning, kTableSize, kFiltersLocal, kStp };
struct SetBridge {
  BridgeId bridge;
  BridgeOption option;
  std::int64_t value;  // picoseconds for kAgeing, 0/1 for switches, entries for the table
};

struct Change {
  Time at{0};
  std::variant<StartMachine, StopMachine, MigrateMachine, SetLink, SetBridge> what;
  SourceLine line = 0;
};

// ---------------------------------------------------------------- MAC pools

enum class PoolKind : std::uint8_t { kRange, kHyperV, kVCenter, kOVirt, kKubeMacPool };

// Addresses that a manager (a vCenter, a cluster, a single host) gives to the guests of its hosts.
struct MacPool {
  std::string name;  // unique among the pools
  PoolKind kind = PoolKind::kRange;
  Mac first, last;
  std::vector<MachineId> hosts;  // whose guests it serves; empty: not known
  SourceLine line = 0;
};

// ---------------------------------------------------------------- notes

// What whoever made the site wants a diagnosis to say along with its findings. Importers write them: what no
// export tells is assumed, and what exports tell against one another is suspect.
struct Note {
  enum class Kind : std::uint8_t { kAssumed, kSuspect } kind = Kind::kAssumed;
  std::string text;
  SourceLine line = 0;
};

// ---------------------------------------------------------------- the site

struct Model {
  std::string title;
  std::string source;  // file name, for messages
  std::uint64_t seed = 1;
  std::vector<Machine> machines;
  std::vector<Station> stations;
  std::vector<Bridge> bridges;
  std::vector<Port> ports;
  std::vector<Link> links;
  std::vector<Flow> flows;
  std::vector<Change> changes;  // by time, ties in file order
  std::vector<MacPool> pools;
  std::vector<SharedAddress> shared;
  std::vector<Image> images;
  std::vector<Note> notes;
  std::vector<VlanSet> vlan_sets{VlanSet{}};
  std::vector<StormControl> storm_controls{StormControl{}};
  std::vector<std::vector<Group>> group_sets{{}};  // in order

  const Machine& operator[](MachineId i) const { return machines[i.index()]; }
  const Station& operator[](StationId i) const { return stations[i.index()]; }
  const Bridge& operator[](BridgeId i) const { return bridges[i.index()]; }
  const Port& operator[](PortId i) const { return ports[i.index()]; }
  const Link& operator[](LinkId i) const { return links[i.index()]; }
  const Flow& operator[](FlowId i) const { return flows[i.index()]; }
  const SharedAddress& operator[](SharedId i) const { return shared[i.index()]; }
  const Image& operator[](ImageId i) const { return images[i.index()]; }
  Machine& operator[](MachineId i) { return machines[i.index()]; }
  Station& operator[](StationId i) { return stations[i.index()]; }
  Bridge& operator[](BridgeId i) { return bridges[i.index()]; }
  Port& operator[](PortId i) { return ports[i.index()]; }
  Link& operator[](LinkId i) { return links[i.index()]; }
  Flow& operator[](FlowId i) { return flows[i.index()]; }
};

// ---------------------------------------------------------------- names and small questions

std::string_view to_text(BridgeKind kind);  // "hosted-bridge", as in the site file
std::string_view to_text(BondMode mode);
std::string_view to_text(FlowKind kind);
std::string_view to_text(MachineKind kind);
std::string_view to_text(PoolKind kind);    // "hyperv"
std::string_view to_text(SharedKind kind);  // "nlb"

std::string name_of(const Model& m, MachineId id);
std::string name_of(const Model& m, StationId id);  // "app:net0"
std::string name_of(const Model& m, BridgeId id);   // "sw1", "server/vmnet0"
std::string name_of(const Model& m, PortId id);     // "sw1:24", "server/vmnet0:eth0", "app:net0"
std::string name_of(const Model& m, LinkId id);     // "sw1:24 - ether:tokyo"
std::string name_of(const Model& m, FlowId id);     // "tcp desk -> branch"

// The model has no addresses for switches; these stand for them.
Mac address_of(BridgeId bridge);

// Between two packets of the flow, as its application makes them; 0: as fast as TCP gets them away.
Duration interval_of(const Flow& flow);

// The port at the other end of this port's link; invalid when nothing is plugged in.
PortId peer(const Model& m, PortId port);

// The address of the NIC that is plugged into a bridge's port, also when a guest bridges it; zero when it is
// none.
Mac nic_address(const Model& m, PortId bridge_port);

// True when the bridge port lets frames of this VLAN in and out, tagged or untagged.
bool carries(const Model& m, PortId port, std::uint16_t vlan);

// The station by which `machine` reaches `destination`, and the next hop's address (the destination itself
// when it is on the station's own subnet). Longest prefix wins; invalid station when there is no route.
struct NextHop {
  StationId station;
  Ipv4 address;
};
NextHop next_hop(const Model& m, MachineId machine, Ipv4 destination);
struct NextHop6 {
  StationId station;
  Ipv6 address;
};
NextHop6 next_hop(const Model& m, MachineId machine, const Ipv6& destination);

}  // namespace sekimori::model
