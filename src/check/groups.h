// Where packets for multicast groups go in the long run: what bridges that snoop (switching/snooping.h) have
// come to know, and keep, as somebody asks every now and then. Or, where nobody asks, what they have
// forgotten.
//
// In a component without rings one querier is elected, and its queries come to every bridge. That port is the
// bridge's way to routers. A member's reports then go over every bridge that hands them on, and make it known
// there. Where ports keep frames back, that is left open.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "check/forest.h"

namespace sekimori::check {

using model::Group;

// Who asks in a component, in one IP version.
struct AskedBy {
  StationId router;  // or
  BridgeId bridge;
  NodeIndex node = kNone;
  PortId port;               // of that node, where a router is plugged in
  bool is_old = false;       // asks in IGMPv2 or MLDv1, and is answered so
  bool has_address = false;  // of which others see that it is a router
  bool nobody() const { return !router.valid() && !bridge.valid(); }
};

class Groups {
 public:
  Groups(const model::Model& model, const Forest& forest);

  enum class Way : std::uint8_t { kEverywhere, kThese, kOpen };
  struct Ports {
    Way way = Way::kEverywhere;
    std::vector<PortId> ports;  // kThese
    bool lets(PortId port) const;
  };
  // What a node does with packets for the group.
  const Ports& at(NodeIndex node, const Group& group) const;
  // What it does with the report of a member.
  Ports reports_at(NodeIndex node, bool ipv6) const;
  const AskedBy& asked_by(std::uint32_t component, bool ipv6) const;
  // What happens there is open: ports keep frames back, or turn them off their way.
  bool is_uncertain(NodeIndex n) const;
  // The steps from that sender to the members, and to routers that ask, which may hand packets on; each once.
  std::vector<Step> ways_to_takers(StationId from, const Group& group) const;
  // Members that are plugged in and run.
  const std::vector<StationId>& members(const Group& group) const;

 private:
  bool snoops(NodeIndex n) const { return model_[forest_[n].bridge].snoops; }
  bool is_linux(NodeIndex n) const { return forest_[n].kind == model::BridgeKind::kLinuxBridge; }
  AskedBy elect(std::uint32_t component, const std::vector<StationId>& routers, bool ipv6) const;
  void join(const Group& group);
  std::vector<PortId> router_ports(NodeIndex n, const AskedBy& asked) const;
  PortId toward(NodeIndex n, const AskedBy& asked) const;
  bool hears_nobody(NodeIndex n, bool ipv6) const;
  void report(StationId member, bool ipv6, std::map<NodeIndex, std::vector<PortId>>& known) const;

  const model::Model& model_;
  const Forest& forest_;
  std::vector<StationId> routers_;             // that ask, in any component
  std::vector<std::array<AskedBy, 2>> asked_;  // by component and version
  struct Joined {
    std::vector<StationId> members;
    std::map<NodeIndex, Ports> ways;  // of nodes that snoop
  };
  std::map<Group, Joined> joined_;
};

}  // namespace sekimori::check
