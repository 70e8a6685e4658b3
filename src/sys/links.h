// Links, bridges, addresses, routes, tables and counters of one network namespace, by rtnetlink (RFC 3549,
// linux/rtnetlink.h, linux/if_link.h) and, for offloads, SIOCETHTOOL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rate.h"
#include "base/result.h"
#include "base/time.h"
#include "sys/namespaces.h"
#include "sys/netlink.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/mac.h"

namespace sekimori::sys {

// Frames and bytes without FCS, as the device counts them (IFLA_STATS64).
struct LinkCounters {
  std::int64_t rx_frames = 0, rx_bytes = 0, tx_frames = 0, tx_bytes = 0;
};

struct LinkState {
  int index = 0, master = 0;
  std::string name;
  std::string alias;  // what somebody has noted about it (IFLA_IFALIAS)
  wire::Mac mac;
  bool up = false;
  bool carrier = false;
  // Frames pass: it has a carrier, and the kernel has taken note of that (linkwatch does so a little later);
  // a port of a bridge forwards.
  bool passes = false;
  LinkCounters counters;
};

// Where a device is made, and what it is called.
struct VethEnd {
  const Namespace& where;
  std::string name;
  wire::Mac mac;
};

struct BridgeSettings {
  wire::Mac mac;
  base::Duration ageing = base::seconds(300);  // in steps of 10 ms; 0: nothing is learnt
  bool stp = false;
  std::uint16_t priority = 32768;
  base::Duration forward_delay = base::seconds(15);
  std::uint32_t most_learnt = 0;         // 0: no bound. Linux 6.7 and later; older ones ignore it
  std::uint16_t group_forward_mask = 0;  // of 01-80-C2-00-00-0x
  bool vlan_filtering = false;  // no port is in any VLAN at first. Needs CONFIG_BRIDGE_VLAN_FILTERING
  // Of multicasts. A querier asks from its own address when it uses it, else from 0.0.0.0.
  bool snoops = false, querier = false, querier_uses_address = false;
};

struct BridgePortSettings {
  bool learning = true, floods_unknown = true, floods_multicast = true, floods_broadcast = true,
       isolated = false, hairpin = false, locked = false, neigh_suppress = false;
  std::uint16_t group_forward_mask = 0;
  std::uint32_t path_cost = 0;  // of the spanning tree, at most 65535; 0: as the kernel has it
};

enum class MacvlanMode : std::uint8_t { kBridge, kVepa, kPrivate, kPassthru };

struct FdbEntry {
  wire::Mac mac;
  int port = 0;  // the port's index, or the bridge's own for its own addresses
  std::uint16_t vlan = 0;
  bool permanent = false;  // of the bridge itself: frames for it are handed up
  bool is_static = false;
  base::Duration unheard{0};  // since a frame with this source came by
};

// What a bridge that snoops knows.
struct GroupMember {
  wire::Group group;
  int port = 0;  // the port's index, or the bridge's own
  std::uint16_t vlan = 0;
};

struct NeighbourState {
  wire::Ipv4 ip;  // or, when this is 0.0.0.0,
  wire::Ipv6 ip6;
  wire::Mac mac;
  int device = 0;
  bool usable = false;     // resolved: reachable, stale, delay, probe or permanent
  bool permanent = false;  // entered by hand
};

// A token bucket filter at a device's egress.
struct Shaper {
  base::BitRate rate;
  std::uint32_t overhead = 0;  // bytes that a frame takes of the wire beside its own
  std::uint32_t least = 0;     // bytes that even the shortest frame takes, overhead included
  std::uint32_t queue_bytes = 128 * 1024;
};

// An endpoint of VXLAN tunnels.
struct VxlanSettings {
  std::uint32_t vni = 0;
  wire::Ipv4 local{};  // of the namespace in which it is made
  std::uint16_t port = 4789;
  bool learning = true;
  base::Duration ageing = base::seconds(300);  // whole seconds count
  std::uint32_t mtu = 1500;
};
struct RemoteEntry {
  wire::Mac mac;
  wire::Ipv4 remote;
  bool is_static = false;
  base::Duration unheard{0};
};

class Links {
 public:
  static base::Result<Links> open(const Namespace& where);
  Links(Links&& other) noexcept
      : netlink_(std::move(other.netlink_)), control_(std::exchange(other.control_, -1)) {}
  Links& operator=(Links&&) = delete;
  ~Links();

  // Makes both ends where they belong; neither is ever seen in another namespace.
  static base::Result<void> add_veth(const VethEnd& a, const VethEnd& b);
  base::Result<void> add_bridge(const std::string& name, const BridgeSettings& settings);
  // A device with an address of its own on `lower`, which takes all groups; made where it belongs. passthru:
  // it has the lower device's address, whatever the end says.
  // It begins to ask anew, or ends.
  base::Result<void> set_querier(const std::string& bridge, bool on);
  base::Result<void> add_macvlan(const VethEnd& end, const std::string& lower, MacvlanMode mode);
  // A device that belongs to another namespace, and whose packets belong to this one.
  base::Result<void> add_vxlan(const VethEnd& end, const VxlanSettings& settings);
  // Sends frames for that address there; for the address of zeros all that are for nobody known. Several
  // remotes can have that one.
  base::Result<void> add_remote(const std::string& vxlan, wire::Mac mac, wire::Ipv4 remote);
  base::Result<std::vector<RemoteEntry>> remotes(const std::string& vxlan);  // without those of zeros
  base::Result<void> flush_remotes(const std::string& vxlan);                // what was learnt
  base::Result<void> set_mtu(const std::string& name, std::uint32_t bytes);
  // "eth0.10": VLAN 10 on `lower`, with that one's address unless it has its own. Needs CONFIG_VLAN_8021Q.
  base::Result<void> add_vlan_device(const std::string& name, const std::string& lower, std::uint16_t vlan,
                                     std::optional<wire::Mac> mac);
  base::Result<void> set_ageing(const std::string& bridge, base::Duration ageing);
  base::Result<void> set_stp(const std::string& bridge, bool on);
  base::Result<void> set_most_learnt(const std::string& bridge, std::uint32_t most);  // Linux 6.7 and later
  base::Result<void> set_learning(const std::string& port, bool on);
  base::Result<void> remove(const std::string& name);

  base::Result<void> set_up(const std::string& name, bool up);
  base::Result<void> set_alias(const std::string& name, std::string_view alias);
  base::Result<void> enslave(const std::string& name, const std::string& bridge);
  base::Result<void> set_port(const std::string& name, const BridgePortSettings& settings);
  // Frames of this device leave as they are: no segmentation, aggregation or checksums are left to hardware.
  base::Result<void> disable_offloads(const std::string& name);
  base::Result<void> shape(const std::string& name, const Shaper& shaper);

  base::Result<void> add_address(const std::string& name, wire::Ipv4Prefix address);
  base::Result<void> add_route(wire::Ipv4Prefix destination, wire::Ipv4 via);
  // In use at once: nobody is asked whether it is taken (RFC 4862 section 5.4).
  base::Result<void> add_address(const std::string& name, const wire::Ipv6Prefix& address);
  base::Result<void> add_route(const wire::Ipv6Prefix& destination, const wire::Ipv6& via);
  // Makes a port of a bridge with VLAN filtering, or the bridge's own interface, a member. The PVID is the
  // VLAN of untagged frames, which leave untagged.
  base::Result<void> add_vlan(const std::string& name, std::uint16_t vlan, bool is_pvid, bool is_bridge);
  // An entry that does not age, and (sticky) that no frame from elsewhere moves. VLAN 0: of a bridge without
  // VLAN filtering.
  base::Result<void> add_fdb_entry(const std::string& port, wire::Mac mac, bool sticky,
                                   std::uint16_t vlan = 0);
  base::Result<void> remove_fdb_entry(const std::string& port, wire::Mac mac);
  base::Result<void> flush_fdb(const std::string& bridge);  // the dynamic entries
  base::Result<void> flush_neighbours();                    // those that were learnt
  // An entry that neither ages nor is asked for.
  base::Result<void> add_neighbour(const std::string& name, wire::Ipv4 ip, wire::Mac mac);
  base::Result<void> add_neighbour(const std::string& name, const wire::Ipv6& ip, wire::Mac mac);

  base::Result<std::vector<LinkState>> list();
  base::Result<std::uint32_t> most_learnt(const std::string& bridge);  // 0 on kernels that know no bound
  base::Result<std::vector<FdbEntry>> fdb(const std::string& bridge);
  base::Result<std::vector<GroupMember>> group_members(const std::string& bridge);
  base::Result<std::vector<NeighbourState>> neighbours();  // of both versions of IP
  base::Result<int> index(const std::string& name);

 private:
  Links(NetlinkSocket netlink, int control) : netlink_(std::move(netlink)), control_(control) {}
  base::Result<void> execute(NetlinkRequest& request, const std::string& what);
  base::Result<void> list_neighbours(std::uint8_t family, std::vector<NeighbourState>& into);
  template <class Prefix, class Address>
  base::Result<void> enter_route(const Prefix& destination, const Address& via);
  template <class Address>
  base::Result<void> add_permanent(const std::string& name, const Address& ip, wire::Mac mac);

  NetlinkSocket netlink_;
  int control_;  // a datagram socket, for ioctl
};

}  // namespace sekimori::sys
