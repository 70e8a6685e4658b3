// What a machine does with a packet that is for somebody else: hosts and guests drop it, routers pass it on
// (RFC 1812), and so do hosts with a virtual network of kind `routed` or `nat`.
//
// Such a network is a Linux bridge without uplinks whose own interface is its router, as libvirt makes them
// ("default", virbr0). A routed one needs a route to it outside. A `nat` one hides its stations behind the
// host: what they send beyond their network leaves with the address of the interface it leaves by, and only
// answers are let in (netfilter's MASQUERADE and connection tracking, with the rules of libvirt's
// src/network/network_iptables.c: new connections into the network are rejected, those from another network
// of the same host, too). The host itself reaches its guests directly.
//
// IPv6 is routed, not translated, through either, as libvirt does unless a network says <nat ipv6='yes'/>.
//
// A connection is tracked for as long as it lasts: netfilter forgets an idle UDP pair after 30 to 120 s
// (nf_conntrack_udp_timeout), which matters only to answers that come later than that.
#pragma once

#include "model/model.h"

namespace sekimori::model {

// Passes on what is not for itself.
bool forwards(const Model& m, MachineId machine);

// Of the virtual switch whose own interface the station is; else kNone.
Routing routing_of(const Model& m, StationId station);

// What a machine that forwards does with a packet of a new connection, or of one that it does not translate.
enum class Passage : std::uint8_t {
  kAsItIs,
  kTranslated,  // its source becomes the address of `out`; answers to that address are turned back
  kRefused,
};
Passage passage(const Model& m, StationId in, StationId out);

// A source address that `by` has replaced on the way.
struct Translation {
  MachineId by;
  Ipv4 shown, hidden;
};

// How long after its last router advertisement the machine's next one comes (RFC 4861 section 6.2.4): drawn
// uniformly between the least time, a third of the most, and the most. `number`: of the advertisement, among
// those of all routers.
Duration until_next_advertisement(const Model& m, MachineId router, std::uint64_t number);

}  // namespace sekimori::model
