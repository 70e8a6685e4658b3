#include "check/ip_owners.h"

#include <algorithm>

#include "model/routing.h"

namespace sekimori::check {

IpOwners::IpOwners(const model::Model& model, const Forest& forest) : m_(model) {
  for (std::size_t i = 0; i < m_.stations.size(); ++i) {
    const model::Station& s = m_.stations[i];
    ipv6_of_.push_back(s.ip6.address.is_zero() ? 0 : number(s.ip6.address));
    if (!forest.place(StationId(i)).plugged()) continue;
    for (const bool ipv6 : {false, true}) {
      if (const Ip ip = of(StationId(i), ipv6); ip != 0) owners_.emplace_back(ip, StationId(i));
    }
  }
  std::ranges::sort(owners_);
  for (const model::Machine& machine : m_.machines) {
    for (const model::Route6& route : machine.routes6) number(route.via);
  }
}

Ip IpOwners::number(const wire::Ipv6& address) {
  const auto [entry, is_new] = number_.try_emplace(address, kFirstIpv6 + static_cast<Ip>(numbered_.size()));
  if (is_new) numbered_.push_back(address);
  return entry->second;
}

bool IpOwners::owns(model::MachineId machine, Ip ip) const {
  return std::ranges::any_of(m_[machine].stations, [&](StationId s) { return of(s, is_ipv6(ip)) == ip; });
}

std::pair<StationId, Ip> IpOwners::hop_towards(model::MachineId machine, Ip to) const {
  if (!is_ipv6(to)) {
    const model::NextHop hop = next_hop(m_, machine, model::Ipv4{to});
    return {hop.station, hop.address.bits};
  }
  const model::NextHop6 hop = next_hop(m_, machine, numbered_[to - kFirstIpv6]);
  return {hop.station, hop.station.valid() ? number_.at(hop.address) : 0};
}

std::span<const IpOwners::Owner> IpOwners::owners(Ip ip) const {
  const auto found = std::ranges::equal_range(owners_, ip, {}, &Owner::first);
  return {found.begin(), found.end()};
}

}  // namespace sekimori::check
