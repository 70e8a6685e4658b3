// Multicast snooping: a bridge listens to IGMP (RFC 2236, 3376) and MLD (RFC 2710, 3810) and sends packets
// for a group only where somebody said that he wants them, and to routers. How is RFC 4541.
//
// A host says so when it joins, and again when a *querier* asks, every 125 s. A bridge that hears no report
// for the membership interval (260 s: RFC 3376 section 8.4) takes it that nobody is left. So without a
// querier all are forgotten, and what becomes of packets for a group without members is what products differ
// in:
//
//   linux-bridge  floods everything while it neither hears a querier nor is one; with one it sends what
//                 nobody joined to routers only. A querier that appears is not believed before everybody
//                 could answer (net/bridge/br_multicast.c: br_multicast_querier_exists,
//                 br_multicast_update_query_timer). Reports of IGMPv3 and MLDv2 and who leaves are heard
//                 everywhere, older reports by routers.
//   switch        RFC 4541 section 2.1: reports go to routers only, and packets for unregistered groups to
//                 all ports, or, as many products have it, to routers only.
//   ovs           the same (ofproto/ofproto-dpif-xlate.c, xlate_normal), members are kept for 300 s
//                 (lib/mcast-snooping.h), and who leaves is gone at once. It never asks.
//
// A *router port* is one at which a query came in, unless from 0.0.0.0 (RFC 4541 section 2.1.1). Packets for
// 224.0.0.0/24 and ff02::1 always go everywhere. State is kept for each VLAN; Linux does so with
// `mcast_vlan_snooping`.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "model/model.h"
#include "wire/listening.h"

namespace sekimori::switching {

using base::Duration;
using base::Time;
using model::Group;

// RFC 3376 sections 8.2, 8.3, 8.4, 8.5, 8.7, 8.8; Linux and others have the same defaults.
constexpr Duration kQueryInterval = base::seconds(125), kQueryResponse = base::seconds(10),
                   kMembershipInterval = base::seconds(260), kOtherQuerier = base::seconds(255),
                   kStartupQuery = base::milliseconds(31'250), kLastMember = base::seconds(2);

// What a packet is to a bridge that snoops. What of IGMP and MLD is garbled goes nowhere.
enum class Heard : std::uint8_t {
  kPacket,
  kQuery,
  kOldReport,  // IGMPv1, IGMPv2, MLDv1: to the group itself
  kReport,     // IGMPv3, MLDv2: to all routers that can read it
  kLeave,
};
// Where it goes.
enum class Spread : std::uint8_t { kEverywhere, kMembers /* and routers */, kRouters };

// Always for everybody: 224.0.0.0/24 (RFC 4541 section 2.1.2), ff02::1 (section 3).
bool is_for_everybody(const Group& group);

class Snooping {
 public:
  explicit Snooping(const model::Bridge& bridge);

  // Notes what the message tells that came in at the port.
  Heard hear(std::uint16_t vlan, const wire::Listening& message, std::uint32_t port, Time now);

  // Somebody behind the port is a member, or no longer.
  void join(std::uint16_t vlan, const Group& group, std::uint32_t port, Time now);
  void leave(std::uint16_t vlan, const Group& group, std::uint32_t port, Time now);
  // A general query has come in. `source`: its address, that of IPv4 as a group has it; `patience`: until
  // when hosts are to answer.
  void query(std::uint16_t vlan, const Group& source, Duration patience, std::uint32_t port, Time now);
  // One about a single group: who does not answer twice is gone.
  void query_group(std::uint16_t vlan, const Group& source, const Group& group, Duration patience,
                   std::uint32_t port, Time now);

  // Whether the bridge, which is a querier, is to ask now from `own`, which may be 0.0.0.0: no other does. It
  // has asked then.
  bool asks(std::uint16_t vlan, const Group& own, Time now);

  Spread spread(std::uint16_t vlan, const Group& group, Heard heard, Time now) const;
  // Ports that get what spreads so, without that it came in at, in no order.
  const std::vector<std::uint32_t>& ports(std::uint16_t vlan, const Group& group, Spread spread, Time now);

  // What was known of a port goes with its carrier.
  void forget_port(std::uint32_t port);

  struct Member {
    std::uint16_t vlan;
    Group group;
    std::uint32_t port;
    friend auto operator<=>(const Member&, const Member&) = default;
  };
  std::vector<Member> members(Time now) const;  // in order
  std::vector<std::uint32_t> router_ports(std::uint16_t vlan, bool ipv6, Time now) const;

 private:
  struct Until {
    std::uint32_t port;
    Time until;
  };
  struct Key {
    std::uint16_t vlan;
    Group group;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& k) const noexcept { return std::hash<Group>()(k.group) * 31 + k.vlan; }
  };
  // Of a VLAN and an IP version.
  struct Querier {
    Time other_until{-1};   // heard another
    Time believed_from{0};  // since when it counts
    Time asked{-1};         // itself; -1: not since another was heard
    bool is_own = false;    // the bridge would ask if nobody else did
    Group elected{};        // the address of who asks
    std::vector<Until> routers;
  };
  static std::uint32_t index(std::uint16_t vlan, bool ipv6) { return vlan * 2U + ipv6; }
  Querier& querier(std::uint16_t vlan, bool ipv6) { return queriers_[index(vlan, ipv6)]; }
  const Querier* find_querier(std::uint16_t vlan, bool ipv6) const {
    const auto known = queriers_.find(index(vlan, ipv6));
    return known == queriers_.end() ? nullptr : &known->second;
  }
  bool has_querier(std::uint16_t vlan, bool ipv6, Time now) const;
  bool elects(const Querier& querier, const Group& source, Time now) const;
  static void extend(std::vector<Until>& list, std::uint32_t port, Time until);
  void shorten(Key key, std::optional<std::uint32_t> port, Time until);

  // net/bridge/br_private.h, BR_MULTICAST_DEFAULT_HASH_MAX: with one more Linux gives snooping up.
  static constexpr std::size_t kMostGroups = 4096;

  bool is_linux_, leaves_at_once_, queries_;
  bool floods_unregistered_;
  Duration membership_;
  bool overflowed_ = false;
  std::unordered_map<Key, std::vector<Until>, Hash> groups_;
  std::unordered_map<std::uint32_t, Querier> queriers_;
  std::vector<std::uint32_t> ports_;  // scratch
};

}  // namespace sekimori::switching
