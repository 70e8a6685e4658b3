// The Spanning Tree Protocol of IEEE 802.1D-1998 clause 8, which Linux's bridge speaks too
// (net/bridge/br_stp.c, br_stp_bpdu.c, br_stp_timer.c).
//
// The root sends a configuration every hello time (2 s), and every bridge hands it on, with its own cost
// added, on the ports where it is the designated bridge. A port that is to forward waits a forward delay (15
// s) listening and another one learning. What a port has heard is good for the max age (20 s): a failure that
// nobody sees as a lost link costs 50 s.
//
// A bridge whose port begins or ceases to forward tells the root, by TCNs through its root port, each bridge
// acknowledging and handing on; the root then says so in its configurations for max age + forward delay
// (35 s), and all bridges forget addresses after the forward delay instead of the ageing time meanwhile: a
// table keeps who has spoken within 15 s, and everybody else is flooded for.
//
// A port with `edge` is what vendors call portfast: it forwards at once, and its changes are nobody's matter
// (1998's parameter Change Detection Enabled, 8.5.5.10). That a lost link by itself tells no topology change
// is as the standard and Linux have it.
#pragma once

#include "switching/tree.h"

namespace sekimori::switching::tree {

class Stp {
 public:
  Stp(Identifier self, Times own, const std::vector<PortSettings>& ports);

  // The tree is there already, and was for long.
  void settle(const std::vector<Settled>& ports, Time now, Effects& out);
  void port_up(PortNumber port, Time now, Effects& out);
  void port_down(PortNumber port, Time now, Effects& out);
  void receive(PortNumber port, const Bpdu& bpdu, Time now, Effects& out);
  void on_time(Time now, Effects& out);
  Time next_due() const;

  Role role(PortNumber port) const;
  State state(PortNumber port) const;
  Identifier root() const { return root_; }
  std::uint32_t root_cost() const { return root_cost_; }
  bool is_root() const { return root_ == self_; }
  bool topology_change() const { return topology_change_; }

 private:
  enum class Phase : std::uint8_t { kDisabled, kBlocking, kListening, kLearning, kForwarding };
  struct Port {
    PortSettings settings;
    Phase phase = Phase::kDisabled;
    bool is_edge = false;  // until a BPDU says otherwise
    Vector heard{};        // the designated root, cost, bridge and port
    Time age_due = base::kNever, forward_due = base::kNever;
    Time hold_until{0};
    bool is_pending = false, must_acknowledge = false;
  };

  bool is_designated(const Port& port) const {
    return port.heard.bridge == self_ && port.heard.port == port.settings.id;
  }
  bool detects(const Port& port) const { return !port.is_edge; }
  void set_phase(PortNumber port, Phase phase, Effects& out);
  void become_designated(Port& port) { port.heard = {root_, root_cost_, self_, port.settings.id}; }
  void select_root();
  void select_designated();
  void update() { select_root(), select_designated(); }
  void select_states(Time now, Effects& out);
  void become_root(Time now, Effects& out);
  void set_topology_change(bool on, Effects& out);
  void detect(Time now, PortNumber at, Effects& out);
  void generate(Time now, Effects& out);
  void transmit(PortNumber port, Time now, Effects& out);
  void transmit_tcn(Effects& out);
  void take(PortNumber port, const Bpdu& bpdu, Time now, Effects& out);
  void on_forward_time(PortNumber port, Time now, Effects& out);
  void on_age_time(PortNumber port, Time now, Effects& out);

  static constexpr PortNumber kNoPort = ~PortNumber{0};
  Identifier self_;
  Times own_, times_;  // times_: the root's
  std::vector<Port> ports_;
  Identifier root_;
  std::uint32_t root_cost_ = 0;
  PortNumber root_port_ = kNoPort;
  bool detected_ = false, topology_change_ = false;
  Time hello_due_ = base::kNever, tcn_due_ = base::kNever, change_due_ = base::kNever;
};

}  // namespace sekimori::switching::tree
