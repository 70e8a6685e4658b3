// Microsoft Network Load Balancing in unicast mode.
//
// The members of a cluster replace the address of their NICs by the cluster's, 02-bf and its IP address, and
// answer ARP for the cluster with it, and for their own IP addresses, too. So that frames for the cluster
// reach all of them although switches learn, no frame ever leaves with that address as its source: member h
// sends as 02-h-..., while its ARP messages go on to tell 02-bf ("MaskSourceMAC"). No switch can learn the
// cluster's address, and floods what is for it, for ever: that is the mechanism. Every member gets every
// frame, and a hash of the client's address, over the members that live, tells which one takes it.
//
// The hash itself is not published; here it is a mixed 32-bit number, as even as any. Not played: the
// heartbeats (one broadcast a second of each member, EtherType 0x886f), and the ten seconds until a member
// that has failed is missed. On one NIC the members can't talk to each other: their frames would be for their
// own address.
//
// Sources: Windows Server, "Network Load Balancing Technical Overview" (unicast mode), MaskSourceMacEnabled
// in Microsoft-Windows-NetworkLoadBalancing-Core; Microsoft KB 4494444 (what each mode asks of switches);
// https://blog.ipspace.net/2009/08/turn-switch-into-hub-microsoft-way.html
#pragma once

#include <cstdint>

#include "base/random.h"
#include "model/model.h"

namespace sekimori::model {

// The station stands for the cluster's address at one of the members.
inline bool is_cluster(const Model& m, StationId station) {
  return m[station].shared.valid() && m[station].hides_its_mac();
}

// The member that takes what this client sends; invalid when none lives. `alive(const Member&)`.
template <class Alive>
SharedAddress::Member serving(const SharedAddress& cluster, Ipv4 client, Alive alive) {
  std::uint64_t count = 0;
  for (const auto& member : cluster.members) count += alive(member) ? 1 : 0;
  if (count == 0) return {};
  std::uint64_t chosen = base::mix64(client.bits) % count;
  for (const auto& member : cluster.members) {
    if (alive(member) && chosen-- == 0) return member;
  }
  return {};
}

}  // namespace sekimori::model
