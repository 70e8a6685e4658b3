// Fills a Builder from the tree of a site file, section by section. The spine is read() in site_reader.cc;
// the sections are in one file each.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "importers/site_values.h"
#include "model/builder.h"
#include "model/routing.h"

namespace sekimori::importers {

class SiteReader {
 public:
  SiteReader(const YamlTree& tree, Problems& problems) : in_(tree, problems), problems_(problems) {}

  // The model is only worth something when there are no problems.
  model::Model read(const std::string& name) &&;

 private:
  using Entry = Values::Entry;

  // One of the machines that `count` makes of an entry. Guests of a counted host carry its number, too.
  struct Instance {
    std::string suffix;        // "", "-3", "-3-20"
    std::uint32_t number = 0;  // from 0; added to the addresses
  };
  struct Nic {
    NodeId name;
    model::StationId station;
    Fields fields;
  };
  struct Address {
    std::optional<model::Mac> mac;
    model::MacOrigin origin = model::MacOrigin::kAllocated;
    std::uint8_t drawn_bits = 0;
  };
  // What a port of a WAN gives the link that plugs into it.
  struct Uni {
    model::BitRate rate;
    model::Duration delay;
  };
  struct End {
    model::PortId port;
    model::BridgeId virtual_switch;  // when the port belongs to one
  };
  struct Timed {
    model::Time at;
    Fields fields;
  };

  // site_reader.cc
  void read_header(const Fields& site);
  void read_note(NodeId node);
  void read_defaults(const Fields& defaults);
  std::string line_note(model::SourceLine line) const;
  std::string first_place(std::string_view name) const;
  template <class T>
  bool ok(NodeId node, const base::Result<T>& result, const std::string& note = {});
  const std::vector<std::string_view>& names_of_all();
  std::string hint(std::string_view name) { return in_.hint(name, names_of_all()); }
  model::MachineId machine(NodeId node, std::string_view name, std::string_view what);
  model::BridgeId virtual_switch(NodeId node, model::MachineId host, std::string_view name);

  // site_machines.cc
  template <class Read>
  void for_each_instance(NodeId count, const Instance& outer, Read read);
  model::MachineId add_machine(NodeId name, model::MachineKind kind, const Instance& instance,
                               model::MachineId host = {});
  void read_hosts(NodeId hosts);
  void read_host(const Entry& entry, const Fields& fields, const Instance& instance);
  void read_router(const Entry& entry);
  void read_guest(model::MachineId host, const Entry& entry, const Fields& fields, const Instance& instance,
                  model::ImageId image);
  void read_common(model::MachineId machine, const Fields& fields);
  std::vector<Nic> read_nics(model::MachineId machine, NodeId nics, const Instance& instance,
                             const Section& section);
  std::optional<Nic> read_nic(model::MachineId machine, const Entry& entry, const Instance& instance,
                              const Section& section);
  Address read_mac(NodeId node, std::string_view machine, std::string_view nic);
  Address draw_mac(NodeId range, std::string_view machine, std::string_view nic);
  std::optional<model::Ipv4Prefix> read_ip(NodeId node, const Instance& instance);
  void attach_guest_nics(model::MachineId host, std::span<const Nic> nics);
  void attach_guest_nic(model::MachineId host, const Nic& nic);
  template <class Prefix>
  void refuse_equal_addresses(model::MachineId machine, Prefix model::Station::* ip);
  void read_arp(const Fields& fields, model::ArpSettings& arp);
  void read_routes(model::MachineId machine, const Fields& fields);
  void add_route(model::MachineId machine, NodeId node, model::Ipv4Prefix to, model::Ipv4 via);

  void read_announce(NodeId node, model::ArpSettings& settings);

  // site_multicast.cc
  void read_groups(model::StationId station, const Fields& fields);
  std::optional<model::Group> read_group_address(NodeId node);
  void read_snooping(model::BridgeId bridge, const Fields& fields);
  std::optional<model::Group> group_of_flow(const Fields& fields) const;
  bool read_flow_to_group(const Fields& fields, model::Flow& flow);

  // site_images.cc
  model::ImageId read_image(NodeId node);
  std::string image_file(NodeId node, std::string_view what);

  // site_ipv6.cc
  bool is_ipv6(NodeId node) const;
  void read_addresses(model::StationId station, NodeId node, const Instance& instance);
  std::optional<model::Ipv6Prefix> read_ip6(NodeId node, const Instance& instance);
  std::optional<model::Ipv6> address6(NodeId node, std::string_view what);
  void add_route6(model::MachineId machine, const model::Ipv6Prefix& to, NodeId via);
  void read_route6(model::MachineId machine, NodeId to, NodeId via);
  void read_nd(model::MachineId machine, const Fields& fields);
  std::string why_no_route6(model::MachineId from, model::StationId to);

  // site_tunnels.cc
  struct Tunnel {
    NodeId name;
    std::vector<model::BridgeId> ends;
    NodeId statics;
  };
  void read_tunnel(const Entry& entry);
  model::BridgeId read_member(const Tunnel& tunnel, NodeId node);
  model::StationId underlay_of(model::MachineId host, model::BridgeId bridge, NodeId via, NodeId place);
  void join(const Tunnel& tunnel);
  void read_tunnel_entries();
  void read_tunnel_entry(const Tunnel& tunnel, const Fields& fields);
  void check_tunnels();

  // site_bonds.cc
  void read_bonds(model::MachineId machine, NodeId bonds, const Instance& instance);
  void read_bond(model::MachineId machine, const Entry& entry, const Instance& instance);
  model::StationId read_bond_nics(model::MachineId machine, model::BridgeId bridge, const Entry& entry,
                                  const Fields& fields);
  void read_bond_choice(model::BridgeId bridge, const Fields& fields);
  void close_bonds();
  void give_bonds_their_macs();

  // site_switches.cc
  void read_virtual_switches(model::MachineId machine, NodeId switches, const Instance& instance);
  void read_virtual_switch(model::MachineId machine, const Entry& entry, const Instance& instance);
  void refuse_bridging(const Entry& entry, const Fields& fields, std::string_view kind);
  void read_uplinks(model::MachineId machine, model::BridgeId bridge, NodeId node, NodeId uplinks);
  void read_uplink(model::MachineId machine, model::BridgeId bridge, NodeId node);
  void read_own_interface(model::MachineId machine, model::BridgeId bridge, const Entry& entry,
                          const Fields& fields, const Instance& instance);
  void read_switch(const Entry& entry);
  void read_bridge(model::BridgeId bridge, const Fields& fields);
  void read_port(model::PortId port, const Fields& fields);
  // site_tree.cc
  void read_tree(model::BridgeId bridge, const Fields& fields);
  void read_tree_port(model::PortId port, const Fields& fields);
  void read_port_vlans(model::PortId port, const Fields& fields);
  std::uint32_t read_storm_control(NodeId node);
  void read_wan(const Entry& entry);
  // site_linux_bridge.cc
  void read_linux_bridge(model::BridgeId bridge, const Fields& fields);
  void read_linux_bridge_port(model::PortId port, const Fields& fields);
  void read_group_mask(NodeId node, std::uint16_t refused, std::uint16_t& mask);
  void read_neighbours();
  void read_neighbour(model::BridgeId bridge, NodeId node);
  void give_bridges_their_macs();
  void read_static_entries();
  void read_static_entry(model::BridgeId bridge, const Fields& fields);
  void read_kind_options(model::BridgeId bridge, const Fields& fields);
  void read_team_options(model::BridgeId bridge, const Fields& fields);
  void read_policies(model::PortId port, const Fields& fields);
  void read_flow_rules();
  void read_flow_rule(model::BridgeId bridge, const Fields& fields);
  model::PortId static_port(model::BridgeId bridge, NodeId node);
  void block_floods();

  // site_links.cc
  void read_link(NodeId node);
  enum class Ports : std::uint8_t { kMake, kFind };  // may a switch's port be made by naming it?
  std::optional<End> read_end(NodeId node, Ports ports);
  std::optional<End> virtual_port(NodeId node, std::string_view owner, std::string_view port, Ports ports);
  std::optional<End> nic_port(NodeId node, model::MachineId machine, std::string_view nic, Ports ports);
  std::optional<End> switch_port(NodeId node, model::BridgeId bridge, std::string_view port, Ports ports);
  bool may_join(NodeId node, const End& a, const End& b);
  model::StationId read_station(NodeId node, model::MachineId* machine);

  // site_pools.cc
  void read_pool(const Entry& entry);
  std::optional<MacRange> pool_range(const Entry& entry, const Fields& fields, model::PoolKind kind);
  void read_pool_hosts(model::MacPool& pool, NodeId hosts);

  // site_shared.cc
  void read_shared(const Entry& entry);
  void read_group(const Entry& entry, const Fields& fields, model::SharedAddress& shared);
  std::vector<model::SharedAddress::Member> read_members(NodeId node, const Fields& fields);
  const model::SharedAddress* find_shared(std::string_view name) const;
  bool within_cluster(const model::Flow& flow) const;
  bool read_shared_end(const Fields& fields, model::Flow& flow);

  // site_traffic.cc
  void read_flow(NodeId node);
  bool read_flow_ends(const Fields& fields, model::Flow& flow);
  bool choose_family(const Fields& fields, model::Flow& flow);
  void read_flow_shape(const Fields& fields, model::Flow& flow);
  std::string why_not(const model::Flow& flow);
  std::string why_not6(const model::Flow& flow);
  using Translations = std::vector<model::Translation>;
  std::string why_no_route(model::MachineId from, model::StationId to, Translations& translations);
  model::MachineId router_with(model::Ipv4 address, model::MachineId asker) const;
  std::string behind_nat(model::StationId station) const;

  // site_changes.cc
  void read_changes(NodeId changes);
  void read_change(const Timed& change);
  bool refuse_stray_keys(const Fields& fields, std::string_view action);
  model::MachineId machine_now(NodeId node, model::Time at);
  void read_clone(const Timed& change);
  void read_migration(const Timed& change);
  void read_link_change(const Timed& change, NodeId node, bool up);
  void read_setting(const Timed& change);
  model::BridgeId target_switch(NodeId node, model::MachineId guest, model::MachineId host, NodeId on);
  void add_change(const Timed& change, decltype(model::Change::what) what);

  model::Model& model() { return build_.model(); }
  const model::Model& model() const { return build_.model(); }

  Values in_;
  Problems& problems_;
  model::Builder build_;

  model::Link default_link_;
  std::optional<model::Duration> default_ageing_;
  NodeId default_arp_;

  std::vector<std::string_view> names_;  // of machines and gear; for hints
  std::size_t names_known_ = 0;
  std::unordered_map<model::PortId, Uni> unis_;
  std::vector<std::pair<model::BridgeId, NodeId>> static_lists_, rule_lists_, neighbour_lists_;
  std::map<std::vector<model::Group>, std::uint32_t> group_sets_;  // into Model::group_sets
  std::vector<std::pair<model::PortId, NodeId>> suppressing_;      // ports, and where it says so
  std::vector<std::pair<model::BridgeId, model::StationId>> macs_from_ports_;
  struct OpenBond {
    NodeId name;
    model::BridgeId bridge;
    model::StationId station;
  };
  std::vector<OpenBond> open_bonds_;  // not yet joined to what is above
  std::vector<std::pair<model::StationId, model::StationId>> macs_from_nics_;  // bond, its first NIC
  std::unordered_set<model::BridgeId> not_vlan_aware_;                         // said so in the file
  std::unordered_set<model::BridgeId> flood_off_;
  std::unordered_set<model::PortId> flood_set_;  // ports with a `flood` of their own
  std::unordered_map<std::string_view, std::pair<model::Time, NodeId>> clones_;  // name -> when and where
  std::unordered_map<model::MachineId, model::MachineId> moved_to_;
  std::unordered_multimap<model::Ipv4, model::MachineId> routers_;  // by address
  std::unordered_map<model::Ipv6, model::MachineId> routers6_;
  std::vector<Tunnel> tunnels_;
  bool too_many_machines_ = false;
};

template <class T>
bool SiteReader::ok(NodeId node, const base::Result<T>& result, const std::string& note) {
  if (!result) in_.wrong(node, result.error().what + note);
  return result.has_value();
}

}  // namespace sekimori::importers
