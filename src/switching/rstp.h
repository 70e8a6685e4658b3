// The Rapid Spanning Tree Protocol of IEEE 802.1D-2004 clause 17.
//
// What STP waits for, RSTP asks for. A designated port that is to forward proposes; the bridge at the other
// end blocks whatever of its own could close a ring, agrees, and both forward within a few frames' time
// (17.10). Every bridge sends its own BPDUs each hello time, and what a port has heard is good for three of
// them: a lost neighbour costs 6 s, a lost link with an alternate port at hand costs nothing. Where nobody
// answers a proposal the timers are STP's.
//
// A topology change is a port that begins to forward, and is no edge port; one that ceases to is none
// (17.11). The bridge tells it on all its ports for a hello time + 1 s, and every bridge that hears of it
// forgets at once what it learnt on every other port, and hands it on. So one flapping port makes the whole
// tree flood.
//
// A port that proposes for 3 s and hears no bridge becomes an edge port by itself, where `edge` is auto
// (17.25, the standard's default; Cisco's switches don't). On the port of a bridge that speaks STP it speaks
// STP (17.24).
//
// The standard writes this as nine state machines for a port and one for the bridge, all of which run until
// nothing changes; so does run(), with its conditions in the standard's order and by its names. Timers that
// the standard counts down are deadlines here.
#pragma once

#include "switching/tree.h"

namespace sekimori::switching::tree {

class Rstp {
 public:
  Rstp(Identifier self, Times own, const std::vector<PortSettings>& ports);

  void settle(const std::vector<Settled>& ports, Time now, Effects& out);
  void port_up(PortNumber port, Time now, Effects& out);
  void port_down(PortNumber port, Time now, Effects& out);
  void receive(PortNumber port, const Bpdu& bpdu, Time now, Effects& out);
  void on_time(Time now, Effects& out);
  Time next_due() const;

  Role role(PortNumber port) const { return ports_[port].role; }
  State state(PortNumber port) const;
  Identifier root() const { return root_.root; }
  std::uint32_t root_cost() const { return root_.cost; }
  bool is_root() const { return root_.root == self_; }
  bool topology_change() const;

 private:
  enum class InfoIs : std::uint8_t { kDisabled, kAged, kMine, kReceived };
  struct Port {
    PortSettings settings;
    Role role = Role::kDisabled, selected_role = Role::kDisabled;
    InfoIs info = InfoIs::kDisabled;
    Vector priority{}, designated{};
    Times times{}, designated_times{};
    bool enabled = false, edge = false, sends_rstp = true;
    bool updates = false;  // updtInfo
    bool agree = false, agreed = false, proposed = false, proposing = false, disputed = false;
    bool sync = false, synced = true, re_root = false;
    bool learn = false, forward = false;
    bool new_info = false;
    bool tc_active = false;  // of the topology change machine: in ACTIVE; else in LEARNING or INACTIVE
    bool tc_learning = false;
    bool tc_prop = false, rcvd_tc = false, rcvd_tcn = false, rcvd_tc_ack = false, tc_ack = false;
    std::uint8_t sent = 0;  // txCount
    Time sent_due = base::kNever;
    Time info_due = base::kNever, forward_due = base::kNever, hello_due = base::kNever;
    Time edge_due = base::kNever, migrate_due{0};
    Time recent_root_until{0}, recent_backup_until{0}, tc_until{0};
  };

  static bool joins(const Port& p) { return p.role == Role::kRoot || p.role == Role::kDesignated; }
  bool all_synced() const;
  bool re_rooted(PortNumber except, Time now) const;
  void take(Port& port, const Bpdu& bpdu, Time now);
  static void record_agreement(Port& port, const Bpdu& bpdu);
  static void note_topology(Port& port, const Bpdu& bpdu);
  void select_roles();
  bool apply_information(Port& port);
  void enter_role(Port& port, Time now);
  bool role_transitions(PortNumber port, Time now);
  bool root_transitions(PortNumber number, Time now);
  bool advance(Port& port, Time now) const;
  bool designated_transitions(Port& port, Time now);
  bool alternate_transitions(PortNumber number);
  bool topology_transitions(PortNumber number, Time now, Effects& out);
  void tell_topology_change(Port& port, Time now);
  void propagate(PortNumber except);
  void transmit(PortNumber number, Time now, Effects& out);
  void run(Time now, Effects& out);

  Identifier self_;
  Times own_, root_times_;
  std::vector<Port> ports_;
  std::vector<State> told_;  // states that were handed out
  Vector root_;              // the bridge's root priority vector; cost is its own to the root
  PortNumber root_port_ = ~PortNumber{0};
  bool reselect_ = false;
  Time now_{0};      // of the last step
  Time looked_{-1};  // when timers were last looked at
};

}  // namespace sekimori::switching::tree
