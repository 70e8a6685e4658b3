// Which stations have which IP address, and where a machine sends what is for it.
#pragma once

#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "check/forest.h"

namespace sekimori::check {

// IP addresses are 32 bits here: IPv4's own, and of IPv6 the index of an address of the site above kFirstIpv6
// (where IPv4 has 240/4, which no interface has). 0 is none.
using Ip = std::uint32_t;
constexpr Ip kFirstIpv6 = 0xf000'0000u;
constexpr bool is_ipv6(Ip ip) { return ip >= kFirstIpv6; }

class IpOwners {
 public:
  IpOwners(const model::Model& model, const Forest& forest);

  Ip of(StationId s, bool ipv6) const { return ipv6 ? ipv6_of_[s.index()] : m_[s].ip.address.bits; }
  bool owns(model::MachineId machine, Ip ip) const;
  // The NIC that the machine sends what is for `to` from, and the address that it then asks for.
  std::pair<StationId, Ip> hop_towards(model::MachineId machine, Ip to) const;
  using Owner = std::pair<Ip, StationId>;
  // The plugged stations that have the address.
  std::span<const Owner> owners(Ip ip) const;

 private:
  Ip number(const wire::Ipv6& address);

  const model::Model& m_;
  std::unordered_map<wire::Ipv6, Ip> number_;
  std::vector<wire::Ipv6> numbered_;
  std::vector<Ip> ipv6_of_;    // by station
  std::vector<Owner> owners_;  // by address
};

}  // namespace sekimori::check
