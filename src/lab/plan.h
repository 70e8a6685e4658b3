// What a site becomes on a kernel: a network namespace for every machine and for every switch that stands for
// itself, a veth pair for every link, a Linux bridge for what Linux can do, and our own switching code on
// packet sockets ("live") for what it can't. Pure: nothing here touches the system, and equal sites give
// equal plans.
//
//   machine                     a namespace with its NICs, addresses and routes; routers forward
//   switch, e-lan, hub          a namespace with one Linux bridge
//   linux-bridge of a machine   a bridge in the machine's own namespace; the first of the machine's stations
//   on it
//                               is the bridge's own interface
//   ovs                         Open vSwitch, where it is installed; all of them in one namespace
//   macvlan                     macvlan devices on the NIC of the host
//   endpoint of a tunnel        a VXLAN device, which is the port of its switch
//   other virtual switches      live, in a namespace of their own beside the machine's
//   VLANs, storm control, MAC limits, guards                   live
//   link                        a veth pair; slower than 1 Gbit/s: a token bucket filter at each end
//   link with a delay           a second pair, and a live delay line between the two
//   guest with an image         QEMU; each NIC is a tap device, which is the port of the switch
//   VLANs of a NIC, guests that move    a live junction between the NIC's devices and its cables
//
// A port of the model is one device of the lab (`Plan::ports`), which is how predictions and measurements
// find each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/engine.h"
#include "model/model.h"

namespace sekimori::lab {

using SpaceIndex = std::uint32_t;
constexpr std::uint32_t kNone = 0xffff'ffffu;

struct Space {
  std::string name;          // of the namespace, without the lab's prefix
  model::MachineId machine;  // whose it is, or
  model::BridgeId bridge;    // what stands in it; neither: live pieces of cables
};

struct Device {
  SpaceIndex space = kNone;  // kNone: not built
  std::string name{};
  model::Mac mac{};
  bool built() const { return space != kNone; }
  friend bool operator==(const Device&, const Device&) = default;
};

struct PlannedBridge {
  model::BridgeId bridge;
  SpaceIndex space = 0;
  Engine engine = Engine::kLinuxBridge;
  std::string device{};        // empty: live
  model::Mac mac{};            // of the bridge's own interface
  std::string live_because{};  // "Linux' bridge is no hosted-bridge", "sw1:3 has storm control"
  bool live() const { return engine == Engine::kLive; }
  bool of_the_kernel() const { return engine == Engine::kLinuxBridge; }
};

enum class LinkKind : std::uint8_t {
  kVeth,             // a pair, an end for each port
  kBridgeInterface,  // one end is the own interface of the bridge at the other end: one device
  kMacvlan,          // one device, which is a guest's NIC and its port
  kMacvlanHost,      // the NIC of the host, with macvlan devices on it: the device of the uplink
  kVxlan,            // one device, which is the endpoint of a tunnel and its port of the switch
  kTap,              // one device, the port; the NIC of the guest is in QEMU
};

struct PlannedLink {
  model::LinkId link;
  LinkKind kind = LinkKind::kVeth;
  bool shaped = false;
  bool delayed = false;
  Device relay_a{}, relay_b{};  // delayed: the far ends of the two pairs
};

// Between a machine's NIC and its cable, where the NIC has VLANs, has a part in a shared address or moves to
// another host: a live piece that gives each station of the NIC a device of its own, puts the VLAN's tag on
// what comes from it and takes it off what goes to it, and has a cable for each place, of which one is
// plugged in. A guest that moves keeps its device, addresses, routes and ARP cache, as one that is really
// moved does. What it does for shared addresses is in live_shared.h.
struct Junction {
  struct Leg {
    model::StationId station;
    Device there, here;      // a pair: in the machine, and in the namespace of the live pieces
    bool of_master = false;  // a virtual router's address: on where it is master
  };
  std::vector<Leg> legs;
  std::vector<model::PortId> places;  // the first is where it is at the start; their devices are in `ports`
};

// One that boots its image. Its own namespace is empty.
struct PlannedGuest {
  model::MachineId machine;
  std::string name;                 // of its files, short
  std::vector<model::PortId> nics;  // in the order in which it finds them; their devices are in `ports`
};

// Something of the site that the lab does not build, or builds otherwise.
struct Remark {
  std::string part;  // "sw1:3", "gw:lan.20"
  std::string what;  // a sentence
  friend bool operator==(const Remark&, const Remark&) = default;
};

enum class Feature : std::uint8_t {
  kVeth,
  kBridge,
  kTokenBucket,
  kSpanningTree,
  kSmallTables,
  kStickyEntries,
  kIpv6,
  kListenerFilter,  // that keeps the kernel from reporting its IPv6 groups
  kTranslation,
  kTap
};
std::string_view to_text(Feature feature);  // "veth pairs (CONFIG_VETH)"

struct Need {
  Feature feature;
  std::string part;
};

struct Plan {
  std::string lab;
  Facilities facilities;  // that it makes use of
  std::vector<Space> spaces;
  std::vector<PlannedBridge> bridges;  // by BridgeId
  std::vector<PlannedLink> links;      // those that are built
  std::vector<Device> ports;           // by PortId: where its cable ends
  std::vector<Device> stations;        // by StationId: where its addresses are
  std::vector<Junction> junctions;
  SpaceIndex open_vswitch = kNone;     // where all switches of that kind are
  std::vector<PlannedGuest> guests;    // those that boot their images, by machine
  SpaceIndex qemu = kNone;             // where their QEMUs run
  std::vector<Need> needs;             // of the kernel
  std::vector<Remark> unsupported;     // left out
  std::vector<Remark> approximations;  // built, not quite as the site says

  // "sekimori.LAB.SPACE"
  std::string namespace_of(SpaceIndex space) const;
  bool has_live() const;
  bool boots(model::MachineId machine) const;  // it is one of `guests`
};

// What all namespaces of a lab begin with. No lab's name contains a dot, so no prefix is another's.
std::string namespace_prefix(std::string_view lab);

// The lab's name for a site file: "hosted-server" for hosted-server.yaml and for hosted-server/site.yaml.
std::string default_lab_name(std::string_view path);
// Letters, digits, - and _, at most 32.
base::Result<std::string> check_lab_name(std::string name);

Plan make_plan(const model::Model& site, std::string lab, const Facilities& facilities = {});

}  // namespace sekimori::lab
