// ARP and Neighbor Discovery suppression of a Linux bridge (`neigh_suppress`): ports that lead into a tunnel
// are spared the questions whose answers are known already, as EVPN's control plane tells them (RFC 9161).
//
// The bridge has a table of IP addresses and MACs: the neighbour table of its own interface, which a routing
// daemon fills, or an administrator (`ip neigh add ... dev br0`). A frame that comes in at a port without the
// flag
//
//   asks for an address of the bridge's own interface    does not leave by ports with the flag
//   asks for an address in the table, and the FDB has    the same; and if that entry is at a port with the
//   an entry for its MAC                                 flag, the bridge answers, from that MAC
//   asks for another one                                 is forwarded as without the flag
//   is about its sender's own address: an announcement,  does not leave by ports with the flag
//   or a probe for duplicates
//
// Requests by unicast are forwarded, and what comes in at a port with the flag, too. Ports without the flag
// get what they would get.
//
// What follows for layer 2: a broadcast no longer teaches the far side where its sender is, and who is asked
// for does not hear it and does not answer, so tables beyond are refreshed by data alone. And an entry with a
// MAC that the station has no longer is believed by all who ask: their frames go to nobody.
//
// On a bridge with VLAN filtering the table is that of a VLAN's device (br0.10); that is not modelled.
//
// Source: net/bridge/br_arp_nd_proxy.c, br_do_proxy_suppress_arp, br_do_suppress_nd; br_forward.c, br_flood.
// Unicast requests are forwarded by Linux 6.18; older kernels answered them as well.
#pragma once

#include <optional>

#include "model/model.h"

namespace sekimori::switching {

// What of an ARP or Neighbor Discovery frame matters.
struct Asking {
  bool is_question = false;
  bool is_unicast = false;
  // Its sender's own address: an announcement, an unsolicited advertisement, or a probe for duplicates.
  bool is_about_itself = false;
};

struct Suppressed {
  bool withheld = false;  // from ports with the flag
  bool answered = false;  // by the bridge, out of the port it came in at
};

// What the tables say about the address that is asked for.
struct Asked {
  bool is_own = false;              // of the bridge's own interface
  bool is_known = false;            // in the table, with an FDB entry for the MAC
  bool behind_suppressing = false;  // and that is at a port with the flag
};

constexpr Suppressed suppress(bool in_has_flag, Asking asking, Asked asked) {
  if (in_has_flag || (asking.is_question && asking.is_unicast)) return {};
  if (asking.is_about_itself) return {.withheld = true};
  if (!asking.is_question) return {};
  if (asked.is_own) return {.withheld = true};
  return {.withheld = asked.is_known, .answered = asked.is_known && asked.behind_suppressing};
}

inline bool suppresses(const model::Model& m, const model::Bridge& bridge) {
  for (const model::PortId port : bridge.ports) {
    if (m[port].neigh_suppress) return true;
  }
  return false;
}

}  // namespace sekimori::switching
