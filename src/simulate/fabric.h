// The bridges of a site, compiled to arrays, and what they do with a frame.
//
// The decisions are those of switching/; here they meet queues, and the copies nobody will look at are
// elided. For each bridge and VLAN a flood plan is kept: groups of leaf lanes (wires.h), which a flood fills
// in one sweep, and the ports that need a frame of their own. A plan depends on what is up, so it is made
// when first needed after a change.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/model.h"
#include "simulate/addresses.h"
#include "simulate/observer.h"
#include "simulate/tree.h"
#include "simulate/wires.h"
#include "switching/beacon.h"
#include "switching/bond.h"
#include "switching/fdb.h"
#include "switching/registered.h"
#include "switching/snooping.h"
#include "switching/token_bucket.h"

namespace sekimori::simulate {

class Fabric {
 public:
  Fabric(const model::Model& model, const Addresses& addresses, const Audience& audience, Wires& wires,
         Observer& observer, const std::vector<model::PortId>& captured);

  // A frame has arrived at a port of a bridge.
  void receive(std::uint32_t port, Frame& frame);

  // Called for each frame that leaves by a port of a tunnel; what comes out of one is received at the port at
  // the other end.
  std::function<void(std::uint32_t port, const Frame&)> on_tunnel;

  // Called for each station that is reached over another NIC of its bond from now on.
  std::function<void(std::uint32_t station)> on_new_way;

  bool is_bridge_port(std::uint32_t port) const { return ports_[port].bridge != kNone; }
  // The lane out of a port; kNone when nothing is plugged in.
  LaneIndex lane_out(std::uint32_t port) const { return ports_[port].lane_out; }
  LaneIndex lane_of(model::LinkId link, bool from_a) const { return lane_of_[lane_index(link, from_a)]; }

  // Changes while running.
  void set_link(model::LinkId link, bool up);
  bool link_up(model::LinkId link) const { return link_up_[link.index()]; }
  // The station is now on that port (of its own).
  void move_station(std::uint32_t station, std::uint32_t port);
  std::uint32_t port_of(std::uint32_t station) const { return station_port_[station]; }
  bool has_carrier(std::uint32_t station) const {
    const LaneIndex lane = ports_[station_port_[station]].lane_out;
    return lane != kNone && wires_.lane(lane).up;
  }
  // Frames get from one to the other over what is up.
  bool reaches(std::uint32_t from, std::uint32_t to);
  // It has its address no longer, or has it again: another router is master.
  void set_mute(std::uint32_t station, bool mute) {
    mute_.resize(model_.stations.size());
    mute_[station] = mute;
    forget_ways();
  }
  void set_option(model::BridgeId bridge, model::BridgeOption option, std::int64_t value);
  void on_tree_timer(std::uint32_t bridge);
  void on_bond_timer(std::uint32_t bridge);
  void on_querier_timer(std::uint32_t bridge);
  std::vector<GroupEntry> group_entries() const;  // of bridges that snoop
  void on_beacon_timer(std::uint32_t bridge);
  // Sent so far, those that a queue dropped left out; empty without a spanning tree.
  const std::vector<std::int64_t>& bpdus_by_lane() const { return bpdus_; }

  std::vector<TableEntry> tables() const;  // live entries of all bridges
  // For the report: when the bridge last heard that address, -1 if never.
  Time last_heard(model::BridgeId bridge, std::uint16_t vlan, wire::Mac mac) const;

 private:
  struct Port {
    std::uint32_t bridge = kNone;
    LaneIndex lane_out = kNone;
    std::uint32_t peer = kNone;  // the port at the other end
    bool blocked = false;        // by the spanning tree, which lets it
    bool learning = false;       // learn already, perhaps
    bool leaf = false;           // one plain station at the other end: copies for others may be elided
    bool policed = false;        // has storm control or a MAC limit
    bool tunnel = false;         // its wire is the network below: see on_tunnel
    bool in_lag = false;         // of a link aggregation group: see lags_
  };
  // A port of a switch that registers its NICs: whom it hears beside those, and the address of the NIC when a
  // guest bridges it.
  struct Plug {
    switching::Hearing hearing = switching::Hearing::kItsOwn;
    AddressIndex nested = kNone;
    std::uint32_t number = 0;  // among the ports of its bridge
  };
  struct FloodPlan {
    std::uint16_t vlan = 0;
    std::vector<std::uint32_t> groups;  // of leaf lanes, by wires_ group
    std::vector<std::uint32_t> ports;   // the others
  };
  struct Bridge {
    switching::Registrar registrar;
    switching::Family family;
    bool vlan_aware, learns, has_rules;
    bool suppresses;  // ARP and Neighbor Discovery, at some ports
    bool snoops;      // see snooping_
    Duration ageing;
    Duration configured_ageing;  // without a topology change
    std::uint32_t table_size;
    switching::Fdb fdb;
    std::vector<FloodPlan> plans;
    std::vector<std::uint32_t> trunks;  // its ports that lead to other bridges
    // Of a switch that registers its NICs: ports that need a look for every frame, and of these the uplinks.
    std::vector<std::uint32_t> watchful, uplinks;
  };
  struct Policer {
    switching::TokenBucket broadcast, multicast, unknown_unicast;
  };

  void note_lags();
  std::uint32_t logical(std::uint32_t port) const {
    return ports_[port].in_lag ? lags_.at(port).front() : port;
  }
  bool any_member_up(std::uint32_t port) const;
  std::uint32_t member_for(std::uint32_t port, const Frame& frame) const;
  // Ports of NICs, and the uplinks that their frames leave by; kNone: none is up.
  using NicsAt = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
  void notify_switches(std::uint32_t bridge, const NicsAt& before);
  NicsAt nics_at_uplinks(std::uint32_t bridge) const;
  void number_lanes();
  bool groupable(std::uint32_t port) const;
  FloodPlan& plan(Bridge& bridge, std::uint32_t index, std::uint16_t vlan);
  void forget_plans(std::uint32_t bridge);

  bool learn(Bridge& bridge, std::uint32_t port, std::uint16_t vlan, const Frame& frame);
  bool admitted(std::uint32_t port, const Frame& frame, bool unknown);
  // The tag with which a frame of that VLAN, which has come in with `tag_in`, leaves there; none: it does
  // not.
  std::optional<std::uint16_t> tag_at(std::uint32_t out, std::uint16_t vlan, std::uint16_t tag_in) const;
  void forward(std::uint32_t in, std::uint32_t out, std::uint16_t vlan, Frame& frame);
  void flood(Bridge& bridge, std::uint32_t in, std::uint16_t vlan, Frame& frame, bool unknown,
             bool suppressed = false);
  // The VLAN, inside a bridge that knows VLANs, of what comes in there; none: the port does not take it.
  std::optional<std::uint16_t> classify(std::uint32_t in, std::uint16_t tag) const;
  bool by_rule(const Bridge& bridge, std::uint32_t in, Frame& frame);
  // Whether the frame does not leave by ports that suppress. Answers it, if the bridge does that.
  bool suppress(const Bridge& bridge, std::uint32_t in, std::uint16_t vlan, const Frame& frame);
  // fabric_tree.cc
  Tree& add_tree(std::uint32_t bridge);
  void settle_trees();
  void set_tree(std::uint32_t bridge, bool on);
  void set_tree_port(std::uint32_t port);
  void receive_bpdu(std::uint32_t in, Frame& frame);
  void learn_only(std::uint32_t in, const Frame& frame);
  void relay_bpdu(std::uint32_t in, Frame& frame);
  void send_bpdu(std::uint32_t out, const Frame& frame);
  void carry_out(std::uint32_t bridge, Tree& tree);
  void shut(std::uint32_t port, std::uint32_t sender);
  // fabric_registered.cc
  struct Registered {
    switching::Destination destination;
    std::uint32_t guest_station;  // one that is on this switch and has the destination's address
  };
  void note_registration(std::uint32_t bridge);
  Registered find_registered(std::uint32_t bridge, std::uint16_t vlan, const Frame& frame);
  bool is_source(std::uint32_t port, const Frame& frame) const;
  std::uint32_t chosen_uplink(const Bridge& bridge, std::uint32_t in, std::uint16_t vlan, wire::Mac source,
                              const Frame* packet) const;
  void relay_registered(Bridge& bridge, std::uint32_t in, std::uint16_t vlan, Frame& frame);
  // fabric_multicast.cc
  struct SnoopingPlay {
    switching::Snooping state;
    std::vector<std::uint16_t> vlans;  // that it asks in
    TimerIndex timer = kNone;
    int asked = 0;
  };
  void note_snooping();
  switching::Spread listen(std::uint32_t in, std::uint16_t vlan, const Frame& frame);
  bool leads_to_a_taker(std::uint32_t bridge, std::uint16_t vlan, const Frame& frame, std::uint32_t port);
  void multicast(std::uint32_t in, std::uint16_t vlan, Frame& frame, switching::Spread spread);
  void ask(std::uint32_t bridge, std::uint16_t vlan, bool ipv6);
  // fabric_beacon.cc
  struct BeaconPlay {
    switching::Beacons beacons;
    TimerIndex timer = kNone;
  };
  void note_beacons();
  const switching::Beacons* beacons_of(std::uint32_t bridge) const;
  bool hear_beacon(std::uint32_t in, std::uint16_t vlan, const Frame& frame);
  void send_beacons(std::uint32_t bridge);
  // fabric_bond.cc
  struct BondPlay {
    switching::Bond bond;
    AddressIndex own = kNone;  // its MAC
    TimerIndex timer = kNone;
  };
  void note_bonds();
  void relay_bond(std::uint32_t in, Frame& frame);
  bool balance_arp(BondPlay& play, Frame& frame);
  void tell_clients(const BondPlay& play, std::uint32_t machine_ip);
  model::StationId first_above(const BondPlay& play) const;
  void set_bond_link(std::uint32_t port, bool up);
  void send_learning_packets(const BondPlay& play);
  void leave_bond(const BondPlay& play, switching::Bond::Nic nic, Frame frame);
  void emit(std::uint32_t out, const Frame& frame);
  bool guarded(std::uint32_t out, const Frame& frame) const;
  FloodReason why_missing(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address) const;
  bool flood_leaves(const FloodPlan& plan, std::uint32_t in, std::uint16_t vlan, Frame& frame, bool unknown,
                    std::uint32_t wanted);
  // The port by which `bridge` would reach the station with this address; kNone when there is none, or no
  // way.
  std::uint32_t towards(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address);
  using Ways = std::unordered_map<std::uint64_t, std::uint32_t>;  // (bridge, VLAN) -> port
  void find_ways(const std::vector<std::uint32_t>& stations, Ways& ways);
  // It leads to some station with this address, of which there are several by design.
  const Ways& ways_to(std::uint32_t station);
  bool leads_to_a_member(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address, std::uint32_t port);
  // Whether a copy that leaves there is one that nobody behind the port is meant to have.
  bool astray(std::uint32_t bridge, std::uint16_t vlan, const Frame& frame, std::uint32_t wanted,
              std::uint32_t out) {
    return out != wanted &&
           !(addresses_.is_hidden(frame.dst) && leads_to_a_member(bridge, vlan, frame.dst, out));
  }
  // The bridge port that a station is plugged into; kNone when it is not on a bridge, or switched off: a
  // virtual switch does not know the NIC of a guest that is off.
  std::uint32_t attachment(std::uint32_t station) const {
    std::uint32_t at = ports_[station_port_[station]].peer;
    if (at == kNone && !bond_nics_.empty()) [[unlikely]] {
      if (const auto nic = bond_nics_.find(station); nic != bond_nics_.end()) at = nic->second;
    }
    return at != kNone && wires_.lane(ports_[at].lane_out).up ? at : kNone;
  }

  const model::Model& model_;
  const Addresses& addresses_;
  const Audience& audience_;
  Wires& wires_;
  Observer& observer_;
  std::vector<Port> ports_;  // by model port
  std::vector<Plug> plugs_;  // likewise
  std::vector<Bridge> bridges_;
  std::vector<LaneIndex> lane_of_;           // by lane_index
  std::vector<std::uint32_t> station_port_;  // where each station is now
  std::vector<bool> link_up_;
  std::vector<bool> captured_;  // by link
  // The members of a link aggregation group, by each of them; the first stands for the group.
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> lags_;
  std::unordered_map<std::uint32_t, Policer> policers_;
  // Of every (bridge, VLAN, destination) that was ever flooded.
  struct FloodState {
    std::uint32_t towards;  // the port towards the destination; kNone: no way; kUnknown: to be found
    std::uint32_t record;   // the observer's
  };
  static constexpr std::uint32_t kUnknown = kNone - 1;
  FloodState& flood_state(std::uint32_t bridge, std::uint16_t vlan, const Frame& frame);
  std::unordered_map<std::uint64_t, FloodState> flood_states_;
  // Per address: (bridge, vlan) -> port towards it. Filled when something is flooded for the address.
  std::unordered_map<AddressIndex, Ways> towards_;
  std::unordered_map<std::uint32_t, Ways> towards_member_;  // by station, of addresses that several share
  std::vector<bool> mute_;                                  // by station; empty: none is
  void forget_ways();
  std::vector<std::uint32_t> registered_, leaving_;  // scratch of relay_registered()
  std::vector<LaneIndex> spared_;                    // scratch of flood()
  std::vector<std::uint32_t> spared_ports_;
  std::unordered_map<std::uint32_t, Tree> trees_;  // of the bridges that run a spanning tree
  std::unordered_map<std::uint32_t, BondPlay> bonds_;
  std::unordered_map<std::uint32_t, SnoopingPlay> snooping_;  // of the bridges that snoop
  std::unordered_map<std::uint32_t, BeaconPlay> beacons_;     // of the teams that probe
  // What the wire of a bond's NIC is plugged into, by the NIC's station, whose own port leads nowhere.
  std::unordered_map<std::uint32_t, std::uint32_t> bond_nics_;
  std::vector<bool> shut_;           // by link; empty: none is
  std::vector<std::int64_t> bpdus_;  // by lane
};

}  // namespace sekimori::simulate
