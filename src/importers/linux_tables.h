// What iproute2 prints with -j (`ip -d -j link|addr|neigh|route`, `bridge -d -j link|fdb|vlan`), as tables of
// one machine, and what it means: which interfaces are NICs with a socket, which are virtual switches, which
// are ports whose other end is somewhere else.
//
// Source of the fields: iproute2, ip/ipaddress.c, ip/iplink_bond.c, ip/iplink_bond_slave.c,
// ip/iplink_bridge.c, ip/iplink_bridge_slave.c, bridge/fdb.c, bridge/vlan.c, ip/ipneigh.c, ip/iproute.c, as
// of 6.1, and their output kept in tests/data/import.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "importers/data_tree.h"
#include "importers/facts.h"

namespace sekimori::importers {

// What is told of a bond and of one of its NICs.
struct LinuxBond {
  std::string mode, primary, reselect, active, hash_policy;
  std::optional<std::int64_t> aggregator;  // the one that works
  bool has_partner = false;
  std::vector<std::string> not_modelled;
};
struct LinuxBondNic {
  std::string mac;  // its own, not the bond's
  std::int64_t aggregator = 0;
};

struct LinuxInterface {
  std::string name, kind, slave_kind, master, below;  // below: the interface that a VLAN or macvlan is on
  std::uint32_t index = 0, peer_index = 0;
  bool far_namespace = false;  // its other end, or the interface below it, is in another namespace
  bool is_ethernet = true, up = true;
  std::string mac;
  std::vector<Ipv4Prefix> ips;
  std::uint16_t vlan_id = 0;
  std::optional<model::MacvlanMode> mode;  // of a macvlan
  std::vector<Mac> virtual_functions;
  std::uint64_t sent = 0;
  // of a bridge
  std::optional<std::int64_t> ageing_centiseconds;
  std::int64_t table_size = 0, priority = 32768;
  bool stp = false, vlan_filtering = false, snoops = true, querier = false;
  PortFacts port;  // as a bridge's port
  LinuxBond bond;
  LinuxBondNic bond_nic;
  Place place;
};

struct LinuxFdbEntry {
  FdbFacts entry;
  std::string bridge;
};

struct LinuxTables {
  std::string name, group;
  std::map<std::string, LinuxInterface, std::less<>> interfaces;
  std::vector<LinuxFdbEntry> fdb;
  std::vector<NeighbourFacts> neighbours;
  std::vector<RouteFacts> routes;
  bool has_fdb = false;
  Place place;
};

// True for one of the seven outputs; an empty list is one, too, but nobody knows which.
bool is_iproute(Data root);
void read_iproute(Data root, std::uint32_t file, Facts& facts, LinuxTables& tables);

// from_linux_bonds.cc: `info_data` of a bond; `info_slave_data` of one of its NICs.
LinuxBond read_bond(Data data);
LinuxBondNic read_bond_nic(Data data);
// The bond and those of the interfaces in it that a site file takes. Nothing when it is none that a site file
// knows: it is one NIC then, without those below it.
std::optional<BondFacts> linux_bond(const LinuxInterface& bond, std::vector<const LinuxInterface*> inside,
                                    Facts& facts);

MachineFacts linux_machine(const LinuxTables& tables, Facts& facts);
// A network namespace of a host, as containers have: a guest whose NICs end at the host's bridges or are
// macvlans on its NICs.
void make_container(MachineFacts& machine, const LinuxTables& host_tables, MachineFacts& host);

}  // namespace sekimori::importers
