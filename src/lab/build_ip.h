// IPv6 and address translation of a lab's machines, for `up` (build.cc).
//
// A kernel with IPv6 speaks unasked: it solicits routers, asks whether its addresses are taken, reports what
// groups it listens to (RFC 3810), and all of that teaches switches what the site does not. So IPv6 is on for
// the NICs that have an address of it only, settings keep the kernel from the first two, and the packet
// filter drops the third, which no setting does (net/ipv6/mcast.c, mld_sendpack), but for sites that are
// about groups. What else the site's machines say by themselves is sent by announcements.h.
//
// A NIC has the link-local address of its MAC as well: Linux probes a neighbour, and a router asks for one,
// from there (net/ipv6/ndisc.c, ndisc_solicit, ndisc_ns_create).
//
// Networks of kind `nat` are masqueraded, and nothing is let in but answers (model/routing.h).
#pragma once

#include <string>

#include "base/result.h"
#include "lab/plan.h"
#include "sys/links.h"
#include "sys/namespaces.h"

namespace sekimori::lab {

// Whether one of its NICs has an IPv6 address.
bool speaks_ipv6(const model::Model& site, model::MachineId machine);

// Settings of the machine's namespace, before there are devices in it.
// `unasked`: what the kernel may say.
enum class Unasked : std::uint8_t { kNothing, kReports, kAll };
base::Result<void> prepare_ipv6(const sys::Namespace& space, bool forwards, Unasked unasked);

// The station's IPv6 addresses and timers.
base::Result<void> give_ipv6(const model::Model& site, const model::Station& station,
                             const std::string& device, const sys::Namespace& space, sys::Links& links);

// The kernel forgets that address when the NIC is switched off, and keeps the others (addrconf_ifdown).
void restore_link_local(const model::Station& station, const std::string& device, sys::Links& links);

// For the machine's networks of kind `nat`; nothing when it has none.
base::Result<void> translate(const model::Model& site, const Plan& plan, model::MachineId machine,
                             const sys::Namespace& space);

}  // namespace sekimori::lab
