// Joins what several exports say into one site. The steps are in run(), in merge.cc; what each knows, and
// from what, is said at its head. What follows from no export is assumed, and every assumption becomes a
// note.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "importers/draft.h"

namespace sekimori::importers {

// The site file's word for a kind of virtual switch.
std::string_view site_word(SwitchKind kind);

class Merge {
 public:
  explicit Merge(Facts& facts) : facts_(facts) {}
  Draft run() &&;

 private:
  // A NIC of a machine of the draft.
  struct End {
    std::size_t machine = kNone, nic = kNone;
    bool valid() const { return machine != kNone; }
    friend auto operator<=>(const End&, const End&) = default;
  };
  // A port of a virtual switch whose other end is not in this machine.
  struct OutsidePort {
    std::size_t machine = kNone, in_switch = kNone;
    const PortFacts* port = nullptr;
    bool claimed = false;
  };
  struct Placed {
    std::size_t machine = kNone, in_switch = kNone;
  };
  // A socket of gear.
  struct Socket {
    std::size_t gear = kNone;
    std::string port;
    friend auto operator<=>(const Socket&, const Socket&) = default;
  };

  // merge.cc: hosts, virtual switches
  void turn_veths_into_cables();
  void index_networks();
  void take_hosts();
  void take_host(std::size_t index);
  void take_routes(std::size_t id, const MachineFacts& facts);
  void take_switch(std::size_t machine, const SwitchFacts& facts, const MachineFacts& owner);
  void take_uplink(std::size_t machine, DraftSwitch& bridge, const PortFacts& port,
                   const MachineFacts& owner);
  void split_vlans(std::size_t machine, std::string_view bridge, const NicFacts& nic);

  // merge_guests.cc
  void take_guests();
  void take_guest(std::size_t index);
  bool is_told_twice(const MachineFacts& guest, std::size_t host);
  std::size_t host_for(const MachineFacts& guest);
  std::size_t host_of_group(std::string_view group) const;  // kNone: there is none in it or above it
  std::size_t make_host(const std::string& name, std::string_view why);
  void take_strays();
  void take_stray(const OutsidePort& outside);

  // merge_rules.cc: what refers to ports and so comes last, and what a kind of switch has no word for
  void add_rules();
  void add_statics(std::size_t machine, const SwitchFacts& facts, DraftSwitch& bridge);
  void add_flow_rules(std::size_t machine, const SwitchFacts& facts, DraftSwitch& bridge);
  std::vector<std::string> site_ports(std::size_t machine, const DraftSwitch& bridge,
                                      std::string_view port) const;
  void fit_to_kinds();
  void fit_to_kind(DraftSwitch& bridge, std::string_view owner);
  void assume_policies();

  // merge_plug.cc: what guests' NICs are plugged into
  void plug(std::size_t guest, const NicFacts& facts, DraftNic& nic);
  bool plug_by_tap(std::size_t host, const NicFacts& facts, DraftNic& nic);
  std::string plug_into_port_group(std::size_t host, const NicFacts& facts, DraftNic& nic,
                                   std::string_view why);
  const PortGroupFacts* port_group(std::size_t host, std::string_view name) const;
  void let_host_route(std::size_t host, const NetworkFacts& network, std::string_view on);
  std::string plug_into_network(std::size_t host, std::size_t guest, const NicFacts& facts, DraftNic& nic);
  std::string switch_named(std::size_t host, const std::string& name, SwitchKind kind, std::string_view why);
  std::string switch_above(std::size_t host, SwitchKind kind, const std::string& nic, std::string_view why,
                           std::optional<model::MacvlanMode> mode = {});
  void put_below(std::size_t host, DraftSwitch& bridge, DraftSwitch& veb, const std::string& nic);
  std::string physical_function(std::size_t host, std::optional<Mac> mac) const;
  std::string lonely_switch(std::size_t host, std::string_view what, std::size_t guest, const DraftNic& nic);
  std::string host_nic(std::size_t host, const std::string& wanted, std::string_view why);
  const NetworkFacts* network_of(std::size_t host, std::string_view manager, std::string_view name) const;

  // merge_bonds.cc: NICs that are one
  void take_bonds(std::size_t machine, const MachineFacts& facts,
                  const std::map<std::string_view, std::string>& names);
  const DraftBond* bond_of(End nic) const;      // that the NIC is in; null: none
  const DraftBond* bond_at(End bond) const;     // that the NIC is; null: it is none
  End whole(End nic) const;                     // the bond that it is in, or itself
  std::vector<End> cable_ends(End wire) const;  // the NICs of a bond, or itself
  std::vector<End> open_ends(End wire) const;   // of these, those without a cable that may have one
  bool is_cabled(End wire) const;
  void connect_bond(End bond, const Socket& to, const std::string& comment);
  bool connect_apart(End nic);  // false: it is where the others of its segment are
  DraftPort& port_of_gear(const Socket& socket);
  void aggregate();
  void aggregate(std::size_t machine, const DraftBond& bond, const BondFacts& facts);

  // merge_cables.cc: what is cabled to what
  void index_macs();
  void join_veths();
  std::unordered_map<Mac, std::set<End>> heard_at_ports() const;
  void read_lldp();
  void read_tables();
  void join_lans();
  void connect(End a, const Socket& to, std::string comment);
  std::size_t gear_named(const std::string& name, std::string_view comment);
  std::size_t machine_of_device(const CableFacts& cable, bool far) const;
  End end_of(std::size_t machine, std::string_view nic) const;
  End wire_of(End station) const;  // the NIC through which its frames leave its host
  End way_out(std::size_t machine, const DraftSwitch& bridge) const;
  std::vector<std::size_t> subnets_of(End wire) const;
  std::size_t lan(std::string_view name, std::string_view comment);
  bool sends_tags(End wire) const;

  // merge_traffic.cc: addresses, stations that only tables know, traffic, suspects
  void give_addresses();
  void add_strangers();
  void add_traffic();
  void add_suspects();
  const DraftSwitch* switch_of(std::size_t machine, std::string_view name) const;
  DraftSwitch* switch_of(std::size_t machine, std::string_view name) {
    return const_cast<DraftSwitch*>(std::as_const(*this).switch_of(machine, name));
  }
  std::optional<Ipv4Prefix> address_at(std::size_t machine, std::string_view nic) const;
  bool has_address(std::size_t machine, Ipv4 ip) const;
  bool goes_by(std::size_t machine, Ipv4 ip) const;
  bool is_known_near(std::size_t machine, std::string_view nic, Mac mac) const;

  // helpers
  // Whose address it is, when one NIC alone has it.
  std::optional<End> only_one_with(Mac mac) const;
  std::string unique_name(std::string_view wanted);
  static bool is_vlan_name(std::string_view nic);  // "eth0.10"
  static std::set<std::string_view> bonds_and_nics(const MachineFacts& facts);
  static bool has_nic_below(const MachineFacts& facts, std::string_view vlan);
  static std::string clean_name(std::string_view wanted, std::string_view otherwise);
  void assume(std::string text);
  void suspect(std::string text) { draft_.notes.push_back({true, std::move(text)}); }
  DraftMachine& at(std::size_t machine) { return draft_.machines[machine]; }
  const DraftMachine& at(std::size_t machine) const { return draft_.machines[machine]; }
  std::size_t add_machine(DraftMachine machine, std::size_t from);
  std::string end_name(End end) const;
  const MachineFacts* facts_of(std::size_t machine) const {
    return from_[machine] == kNone ? nullptr : &facts_.machines[from_[machine]];
  }

  Facts& facts_;
  Draft draft_;
  std::vector<std::size_t> from_;                    // by machine of the draft: its facts, or kNone
  std::unordered_map<std::string, unsigned> names_;  // and the number of the next of that name
  std::size_t assumptions_ = 0;
  std::map<std::string, std::size_t, std::less<>> hosts_by_group_, hosts_by_name_;
  std::vector<OutsidePort> outside_;
  std::map<std::pair<std::size_t, std::string>, std::vector<std::size_t>>
      outside_by_name_;                                                         // by host and port
  std::unordered_map<std::string, std::vector<std::size_t>> networks_by_name_;  // "manager/name"
  // By "manager/name" and folder or one above it.
  std::map<std::pair<std::string, std::string>, std::size_t> networks_by_folder_;
  std::unordered_map<std::size_t, std::string> folder_of_host_;
  // Of machines with many: by name, and how many are known.
  struct SwitchIndex {
    std::unordered_map<std::string_view, std::size_t> by_name;
    std::deque<std::string> names;
  };
  mutable std::unordered_map<std::size_t, SwitchIndex> switches_by_name_;
  std::unordered_set<std::string> link_ends_;
  std::map<std::tuple<std::string, std::string, std::size_t>, std::size_t> seen_;  // manager, id, host
  std::multimap<std::string, std::size_t> uuids_;
  std::unordered_multimap<Mac, End> by_mac_;
  std::map<End, Socket> cabled_;   // NICs that lead to gear
  std::set<End> cabled_directly_;  // NICs that lead to each other
  std::map<Socket, End> sockets_;
  std::map<std::string, std::size_t, std::less<>> gear_by_name_;
  std::map<std::size_t, GearFacts> gear_facts_;  // by gear, of all files that tell of it
  std::map<std::size_t, unsigned> last_lag_;     // by gear
  std::map<End, std::size_t> lan_of_;            // the gear that stands for the segment of a wire
  std::map<std::string, std::set<std::size_t>, std::less<>> policies_not_told_;  // hosts, by kind
  std::map<std::pair<std::string, std::string>, std::size_t> port_groups_;       // by host and name
};

}  // namespace sekimori::importers
