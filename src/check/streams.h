// The streams of a site: who sends frames to whom, how often at least and at most. Applications' flows are
// followed through routers, hop by hop; what answers them (TCP acknowledgements, responses, echo replies) and
// what address resolution sends of its own accord are streams of their own, because in layer 2 they are what
// keeps the tables filled (resolution.h, unasked.h).
//
// What only may be sent has least = 0 and gap = kNever.
#pragma once

#include <span>
#include <vector>

#include "check/forest.h"
#include "check/groups.h"

namespace sekimori::check {

using base::Duration;
using base::Time;

enum class StreamKind : std::uint8_t {
  kData,           // of a flow, towards its receiver
  kAnswer,         // of a flow, back
  kProbe,          // ARP request, or neighbor solicitation, by unicast
  kQuestion,       // by broadcast, or to the solicited-node group
  kReply,          // ARP reply, or neighbor advertisement
  kAnnouncement,   // gratuitous ARP, or an unsolicited advertisement, at an interval
  kAdvertisement,  // of a router
  kHello,          // of VRRP and HSRP
  kReport,         // of a member of multicast groups, to who asks
  kQuery,          // of a router: who is in which group?
  kTunnel,         // packets of a tunnel
};

struct Stream {
  StationId from, to;           // to: invalid for a broadcast
  Duration gap = base::kNever;  // between two frames, at most; kNever: not even one is certain
  double least = 0, most = 0;   // frames a second, in the long run
  std::uint16_t bytes = 60;     // of a frame without FCS and tag
  StreamKind kind = StreamKind::kData;
  bool on_delivery = false;  // sent in answer to a frame of `after` that arrived; else as `after` is sent
  bool as_it_gets = false;   // as fast as the slowest link of its way lets it
  std::uint32_t after =
      kNone;           // the stream without which there is not this one; it stands earlier in the list
  model::FlowId flow;  // invalid: address resolution
  bool ipv6 = false;
  StationId tunnel_from{}, tunnel_to{};  // kTunnel: the endpoints' addresses
  bool stray =
      false;  // carries copies that do not lead to their destination, whatever the way it takes itself
};

constexpr bool is_arp(const Stream& s) {
  return !s.ipv6 && (s.kind == StreamKind::kProbe || s.kind == StreamKind::kQuestion ||
                     s.kind == StreamKind::kReply || s.kind == StreamKind::kAnnouncement);
}
// Goes where bridges that snoop send it: to a group, or from a member of some.
constexpr bool is_snooped(const Stream& s) {
  return s.kind == StreamKind::kReport || (s.kind == StreamKind::kData && !s.to.valid() && s.flow.valid());
}

struct Carried;  // by tunnels: tunnels.h

struct Streams {
  std::vector<Stream> list;
  // Stations that share an IP address with another of their component: who gets what is sent there, and who
  // answers, depends on timing.
  std::vector<StationId> contested;
  // Flows that go nowhere: no route, nobody has the address, or its owner is off.
  std::vector<model::FlowId> lost;
};

// The streams while every flow that has neither ended nor not yet begun at `when` is active.
// O(n log n) in flows and stations.
Streams streams_of(const model::Model& model, const Forest& forest, const Groups& groups, Time when,
                   std::span<const Carried> tunnels = {});

// Endpoints of tunnels some of whose packets may not arrive, whatever the load.
std::vector<BridgeId> unsure_endpoints(const model::Model& model, const Forest& forest, const Groups& groups,
                                       Time when);

// A word for the stream: "tcp desk -> app", "what app answers to it", "ARP probes of desk".
std::string describe(const model::Model& model, const Stream& stream);

}  // namespace sekimori::check
