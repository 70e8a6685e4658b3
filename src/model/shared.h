// Addresses that several NICs share: how they come into a model.
//
// Each member gets an *alias*, a station of its own on the NIC's port with the shared IP address and the
// shared MAC. Whatever asks who has an address, or where frames for a MAC are to go, finds aliases as it
// finds any station. Which of them speaks is for the engines (switching/first_hop.h, model/nlb.h).
//
// The IP address of an alias is a host route, /32: it answers for the address, but it leads nowhere.
#pragma once

#include "base/result.h"
#include "model/model.h"

namespace sekimori::model {

// Adds it with an alias for each member; `members` say their NICs and priorities. Refused where a member has
// no address in the network of the shared one, or is in another cluster that hides its MAC. An `mac` of zero
// is the one that the protocol derives.
base::Result<SharedId> share(Model& model, SharedAddress shared);

// The MAC that the protocol gives such an address.
//   NLB, unicast: 02-bf and the cluster's IP address.
//   VRRP: 00-00-5e-00-01-{VRID} (RFC 5798 section 7.3).
//   HSRP: 00-00-0c-07-ac-{group} (RFC 2281 section 5.1); version 2: 00-00-0c-9f-f{group, 12 bits}.
Mac derived_mac(const SharedAddress& shared);

}  // namespace sekimori::model
