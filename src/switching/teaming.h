// Teaming: which of several uplinks a frame takes that leaves a virtual switch of a server (esxi.h).
//
//   port ID     the virtual port a NIC is plugged into decides (VMware's default): a NIC stays on its uplink
//   MAC hash    the source address, by its value modulo the number of uplinks
//   IP hash     each pair of IP addresses: the last octets XORed, modulo the number of uplinks. One NIC then
//               sends by *several* uplinks. The switch outside must know that they are one (a static link
//               aggregation group); if it does not, it sees one address at two ports, and its entry flaps
//               (`flap-teaming`)
//   failover    the first uplink of the list that is up
//
// Frames without IP addresses (ARP) are hashed by the bytes in their place, which for ARP are those of the
// sender's address and so constant for a NIC; only uplinks that are up count. The choice decides the way in
// as well: a port takes group frames from its own uplink only, or it would get every copy that comes in by
// the team. With IP hash it has no uplink of its own and takes them from any: the switch outside is trusted
// to treat the team as one link and send one copy.
//
// Source: vSphere Networking 6.7, "Load Balancing Algorithms Available for Virtual Switches"
// (docs.vmware.com GUID-AB50CD25..., GUID-523FDFBD...); blah.cloud/virtualisation/
// vmware-nic-load-balancing-and-teaming-the-math for the modulus; Net.ReversePathFwdCheckPromisc for the way
// in. The modulo of the port's number is an assumption: VMware promises no more than an even spread.
#pragma once

#include <cstddef>

#include "model/model.h"

namespace sekimori::switching {

struct TeamMember {
  std::size_t port_number = 0;  // of the port it came in at, among those that are not uplinks
  model::Mac source;
  std::uint32_t source_ip = 0, destination_ip = 0;  // 0: no IP packet
};

constexpr bool has_own_uplink(model::Teaming teaming) { return teaming != model::Teaming::kIpHash; }

// An index into the uplinks that are up; `up` > 0.
constexpr std::size_t choose_uplink(model::Teaming teaming, const TeamMember& from, std::size_t up) {
  switch (teaming) {
    case model::Teaming::kPortId:
      return from.port_number % up;
    case model::Teaming::kMacHash:
      return from.source.bits % up;
    case model::Teaming::kIpHash:
      if (from.source_ip == 0 || from.destination_ip == 0) return from.source.bits % up;
      return ((from.source_ip ^ from.destination_ip) & 0xff) % up;
    case model::Teaming::kFailover:
      return 0;
  }
  return 0;
}

}  // namespace sekimori::switching
