// The addresses of a site: MACs interned to small numbers, and who has which.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "model/model.h"
#include "model/multicast.h"
#include "simulate/frame.h"
#include "switching/beacon.h"

namespace sekimori::simulate {

class Addresses {
 public:
  explicit Addresses(const model::Model& model) {
    const bool uses_groups = model::uses_groups(model);
    macs_.push_back(wire::kBroadcast);
    stations_.emplace_back();
    of_station_.reserve(model.stations.size());
    sources_.reserve(model.stations.size());
    index_.reserve(model.stations.size());
    for (std::uint32_t i = 0; i < model.stations.size(); ++i) {
      const model::Station& station = model.stations[i];
      const AddressIndex address = intern(station.mac);
      of_station_.push_back(address);
      stations_[address].push_back(i);
      sources_.push_back(address);
      if (station.hides_its_mac()) {
        if (!is_hidden(address)) hidden_.push_back(address);
        sources_.back() = intern(station.source);
        stations_[sources_.back()].push_back(i);
      }
      if (!station.ip.address.is_zero()) owners_[station.ip.address.bits].push_back(i);
      ip6_of_station_.push_back(station.ip6.address.is_zero() ? 0 : intern(station.ip6.address));
      if (ip6_of_station_.back() != 0) owners_[ip6_of_station_.back()].push_back(i);
      if (ip6_of_station_.back() != 0 && uses_groups) intern(wire::solicited_node(station.ip6.address));
    }
    for (const model::Machine& machine : model.machines) {
      for (const model::Route6& route : machine.routes6) intern(route.via);
    }
    all_nodes_ = intern(wire::kAllNodes);
    all_mld_routers_ = intern(wire::kAllMldv2Routers);
    for (std::size_t b = 0; b < model.bridges.size(); ++b) {
      if (model.bridges[b].querier) intern(model::querier_mac(model, model::BridgeId(b)));
    }
    for (const auto& groups : model.group_sets) {
      for (const wire::Group& group : groups) ip_of(group);
    }
    for (const model::Flow& flow : model.flows) {
      if (flow.is_multicast()) ip_of(flow.group);
    }
    for (const model::Bridge& bridge : model.bridges) {
      if (switching::probes_with_beacons(model, bridge)) {
        for (const model::PortId port : bridge.ports) {
          if (model[port].role == model::PortRole::kUplink) intern(switching::beacon_address(port));
        }
      }
      // What bridges answer for others, whoever has it.
      for (const model::KnownNeighbour& known : bridge.neighbours) intern(known.mac);
    }
  }

  // 0 when it has none.
  std::uint32_t ip6_of_station(std::uint32_t station) const { return ip6_of_station_[station]; }
  const wire::Ipv6& ipv6(std::uint32_t ip) const { return ipv6_[ip - kFirstIpv6]; }
  // Of an address that a station or a route of the site has; 0 for any other.
  std::uint32_t find(const wire::Ipv6& address) const {
    const auto found = ipv6_index_.find(address);
    return found == ipv6_index_.end() ? 0 : found->second;
  }

  std::uint32_t all_nodes() const { return all_nodes_; }
  std::uint32_t all_mld_routers() const { return all_mld_routers_; }
  // A multicast group as frames bear it in dst_ip, and back.
  std::uint32_t ip_of(const wire::Group& group) {
    return wire::is_ipv4(group) ? wire::ipv4_of(group).bits : intern(group);
  }
  std::uint32_t find_group(const wire::Group& group) const {
    return wire::is_ipv4(group) ? wire::ipv4_of(group).bits : find(group);
  }
  wire::Group group(std::uint32_t ip) const { return is_ipv6(ip) ? ipv6(ip) : wire::to_group({ip}); }

  AddressIndex intern(wire::Mac mac) {
    const auto [entry, is_new] = index_.try_emplace(mac, static_cast<AddressIndex>(macs_.size()));
    if (is_new) {
      macs_.push_back(mac);
      stations_.emplace_back();
    }
    return entry->second;
  }

  // kNone when no station has it.
  AddressIndex find(wire::Mac mac) const {
    const auto found = index_.find(mac);
    return found == index_.end() ? kNone : found->second;
  }
  wire::Mac mac(AddressIndex address) const { return macs_[address]; }
  AddressIndex of_station(std::uint32_t station) const { return of_station_[station]; }
  // What its frames bear as their source: its address, unless it hides it.
  AddressIndex source_of(std::uint32_t station) const { return sources_[station]; }
  // It is a cluster's, whose members never send from it.
  bool is_hidden(AddressIndex address) const {
    return !hidden_.empty() && std::ranges::find(hidden_, address) != hidden_.end();
  }
  // More than one when the MAC is duplicated.
  const std::vector<std::uint32_t>& stations_with(AddressIndex address) const { return stations_[address]; }
  const std::vector<std::uint32_t>& owners_of_ip(std::uint32_t ip) const {
    static const std::vector<std::uint32_t> kNobody;
    const auto found = owners_.find(ip);
    return found == owners_.end() ? kNobody : found->second;
  }
  std::size_t size() const { return macs_.size(); }

 private:
  std::uint32_t intern(const wire::Ipv6& address) {
    const auto [entry, is_new] =
        ipv6_index_.try_emplace(address, kFirstIpv6 + static_cast<std::uint32_t>(ipv6_.size()));
    if (is_new) ipv6_.push_back(address);
    return entry->second;
  }

  std::uint32_t all_nodes_ = 0, all_mld_routers_ = 0;
  std::vector<wire::Ipv6> ipv6_;
  std::vector<std::uint32_t> ip6_of_station_;
  std::unordered_map<wire::Ipv6, std::uint32_t> ipv6_index_;
  std::vector<wire::Mac> macs_;
  std::vector<std::vector<std::uint32_t>> stations_;
  std::vector<AddressIndex> of_station_, sources_, hidden_;
  std::unordered_map<wire::Mac, AddressIndex> index_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> owners_;
};

// Which stations a broadcast ARP can mean something to: whoever has the address asked for, and whoever keeps
// an entry for the sender's (RFC 826: others learn nothing from it). The rest of a segment receives copies
// without effect.
class Audience {
 public:
  explicit Audience(const Addresses& addresses) : addresses_(addresses) {}

  // `station` takes what is for this group, or, of general queries, for all nodes.
  void takes_group(std::uint32_t ip, std::uint32_t station) { members_[ip].push_back(station); }

  // `station` is a router's that asks for members, and gets what is for any group.
  void routes_groups(std::uint32_t station) { routers_.push_back(station); }
  // Who is meant to have what is for that group.
  template <class Visit>
  bool any_taker(std::uint32_t group, Visit visit) const {
    const auto members = members_.find(group);
    return (members != members_.end() && std::ranges::any_of(members->second, visit)) ||
           std::ranges::any_of(routers_, visit);
  }

  // `station` keeps an ARP entry for `ip` from now on.
  void keeps_entry(std::uint32_t ip, std::uint32_t station) { keepers_[ip].push_back(station); }

  template <class Visit>
  void each(const Frame& arp, Visit visit) const {
    if (arp.kind == FrameKind::kUdp || arp.kind == FrameKind::kGroupQuery) {
      any_taker(arp.dst_ip, [&](std::uint32_t station) {
        visit(station);
        return false;
      });
      return;
    }
    for (const std::uint32_t station : addresses_.owners_of_ip(arp.dst_ip)) visit(station);
    if (arp.src_ip != arp.dst_ip) {
      for (const std::uint32_t station : addresses_.owners_of_ip(arp.src_ip)) visit(station);
    }
    const auto keepers = keepers_.find(arp.src_ip);
    if (keepers == keepers_.end()) return;
    for (const std::uint32_t station : keepers->second) visit(station);
  }

 private:
  const Addresses& addresses_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> keepers_, members_;
  std::vector<std::uint32_t> routers_;
};

}  // namespace sekimori::simulate
