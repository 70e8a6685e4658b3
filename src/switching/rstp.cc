#include "switching/rstp.h"

#include <algorithm>

namespace sekimori::switching::tree {
namespace {

constexpr Duration kMigrate = base::seconds(3);  // table 17-1
constexpr Duration kSecond = base::seconds(1);
constexpr std::uint8_t kTransmitHold = 6;

}  // namespace

Rstp::Rstp(Identifier self, Times own, const std::vector<PortSettings>& ports)
    : self_(self), own_(own), root_times_(own), told_(ports.size(), State::kDiscarding) {
  root_ = {self, 0, self, 0};
  for (const PortSettings& settings : ports) ports_.push_back({.settings = settings});
}

State Rstp::state(PortNumber number) const {
  const Port& port = ports_[number];
  return port.forward ? State::kForwarding : port.learn ? State::kLearning : State::kDiscarding;
}

bool Rstp::topology_change() const {
  return std::ranges::any_of(ports_, [&](const Port& p) { return p.tc_until > now_; });
}

void Rstp::settle(const std::vector<Settled>& settled, Time now, Effects& out) {
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    const Settled& found = settled[i];
    if (found.role == Role::kDisabled) continue;
    port.enabled = true;
    port.role = port.selected_role = found.role;
    port.priority = port.designated = found.vector;
    port.times = port.designated_times = found.times;
    port.info = found.role == Role::kDesignated ? InfoIs::kMine : InfoIs::kReceived;
    port.edge = !found.bridges && port.settings.edge != PortSettings::Edge::kOff;
    port.learn = port.forward = port.tc_active = joins(port);
    port.agree = found.role != Role::kDesignated;
    port.agreed = found.role == Role::kDesignated;
    if (port.edge) port.tc_active = false, port.tc_learning = true;
    if (port.info == InfoIs::kReceived) {
      port.info_due = now + 3 * found.times.hello;
      // With a message age of a second for each bridge on the way (17.21.23).
      port.times.message_age = kSecond * found.hops;
    }
    if (found.role == Role::kRoot) {
      root_port_ = i;
      root_ = found.vector;
      root_.cost += port.settings.path_cost;
      root_times_ = found.times;
      root_times_.message_age = kSecond * (found.hops + 1);
    }
    port.hello_due = now + found.times.hello;
  }
  for (Port& port : ports_) {
    port.designated = {root_.root, root_.cost, self_, port.settings.id};
    port.designated_times = root_times_;
    if (port.info == InfoIs::kMine) port.priority = port.designated, port.times = root_times_;
  }
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    told_[i] = state(i);
    if (told_[i] != State::kDiscarding) out.states.emplace_back(i, told_[i]);
  }
}

void Rstp::port_up(PortNumber number, Time now, Effects& out) {
  Port& port = ports_[number];
  port = {.settings = port.settings};
  port.enabled = true;
  port.edge = port.settings.edge == PortSettings::Edge::kOn || port.settings.is_filtered;
  port.migrate_due = now + kMigrate;
  port.hello_due = now + own_.hello;
  port.info = InfoIs::kAged;
  reselect_ = true;
  run(now, out);
}

void Rstp::port_down(PortNumber number, Time now, Effects& out) {
  Port& port = ports_[number];
  const bool had = port.tc_active || port.tc_learning;
  port = {.settings = port.settings};
  if (had) out.flushed.push_back(number);
  reselect_ = true;
  run(now, out);
}

void Rstp::receive(PortNumber number, const Bpdu& bpdu, Time now, Effects& out) {
  Port& port = ports_[number];
  if (!port.enabled || port.settings.is_filtered) return;
  port.edge = false;  // 17.25
  // Which protocol the neighbour speaks (17.24).
  const bool speaks_rstp = bpdu.is_rapid;
  if (speaks_rstp != port.sends_rstp && now >= port.migrate_due) {
    port.sends_rstp = speaks_rstp;
    port.migrate_due = now + kMigrate;
  }
  if (bpdu.is_tcn)
    port.rcvd_tcn = true;
  else
    take(port, bpdu, now);
  run(now, out);
}

// 17.27, the port information machine in its states CURRENT to NOT_DESIGNATED, with rcvInfo() of 17.21.8.
void Rstp::take(Port& port, const Bpdu& bpdu, Time now) {
  const Role said = bpdu.is_rapid ? bpdu.role : Role::kDesignated;
  if (said != Role::kDesignated) {
    if (bpdu.vector >= port.priority) {
      record_agreement(port, bpdu);
      note_topology(port, bpdu);
    }
    return;
  }
  const bool from_same = bpdu.vector.bridge == port.priority.bridge && bpdu.vector.port == port.priority.port;
  const bool differs = bpdu.vector != port.priority || bpdu.times != port.times;
  const bool is_superior = bpdu.vector < port.priority || (from_same && differs);
  const bool is_repeated = !differs && port.info == InfoIs::kReceived;
  if (!is_superior && !is_repeated) {
    // Somebody worse believes to be designated, and learns: he does not hear this bridge (802.1Q-2018,
    // recordDispute; 2004's own text lets both forward).
    if (bpdu.is_rapid && bpdu.learning) port.disputed = true, port.agreed = false;
    return;
  }
  if (is_superior) {
    port.agreed = port.proposing = false;
    port.agree = port.agree && bpdu.vector <= port.priority && port.info == InfoIs::kReceived;
  }
  port.proposed |= bpdu.is_rapid && bpdu.proposal;
  note_topology(port, bpdu);
  record_agreement(port, bpdu);
  if (is_superior) port.synced = port.synced && port.agreed;
  port.priority = bpdu.vector;
  port.times = bpdu.times;
  // 17.21.23: good for three hello times, unless it has come too far.
  const bool is_fresh = port.times.message_age + kSecond <= port.times.max_age;
  port.info_due = is_fresh ? now + 3 * port.times.hello : now;
  port.info = InfoIs::kReceived;
  reselect_ |= is_superior;
}

// 17.21.9.
void Rstp::record_agreement(Port& port, const Bpdu& bpdu) {
  if (!bpdu.is_rapid || !port.settings.is_point_to_point || !bpdu.agreement) return;
  port.agreed = true;
  port.proposing = false;
}

// 17.21.17, setTcFlags.
void Rstp::note_topology(Port& port, const Bpdu& bpdu) {
  port.rcvd_tc |= bpdu.topology_change;
  port.rcvd_tc_ack |= !bpdu.is_rapid && bpdu.topology_change_ack;
}

// 17.21.25, updtRolesTree.
void Rstp::select_roles() {
  root_ = {self_, 0, self_, 0};
  root_times_ = own_;
  root_port_ = ~PortNumber{0};
  std::uint32_t best_id = 0;
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    const Port& port = ports_[i];
    if (port.info != InfoIs::kReceived || port.priority.bridge == self_) continue;
    Vector offer = port.priority;
    offer.cost += port.settings.path_cost;
    if (offer > root_ || (offer == root_ && port.settings.id >= best_id)) continue;
    root_ = offer;
    root_port_ = i;
    best_id = port.settings.id;
    root_times_ = port.times;
    root_times_.message_age += kSecond;
  }
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    port.designated = {root_.root, root_.cost, self_, port.settings.id};
    port.designated_times = root_times_;
    port.updates = false;
    switch (port.info) {
      case InfoIs::kDisabled:
        port.selected_role = Role::kDisabled;
        break;
      case InfoIs::kAged:
        port.selected_role = Role::kDesignated;
        port.updates = true;
        break;
      case InfoIs::kMine:
        port.selected_role = Role::kDesignated;
        port.updates = port.priority != port.designated || port.times != port.designated_times;
        break;
      case InfoIs::kReceived:
        if (i == root_port_) {
          port.selected_role = Role::kRoot;
        } else if (port.designated < port.priority) {
          port.selected_role = Role::kDesignated;
          port.updates = true;
        } else {
          port.selected_role = port.priority.bridge == self_ ? Role::kBackup : Role::kAlternate;
        }
        break;
    }
  }
}

// 17.27, UPDATE: the port says what the bridge believes.
bool Rstp::apply_information(Port& port) {
  if (!port.updates) return false;
  const bool worse = port.designated > port.priority || port.info != InfoIs::kMine;
  port.proposing = port.proposed = false;
  port.agreed = port.agreed && !worse;
  port.synced = port.synced && port.agreed;
  port.priority = port.designated;
  port.times = port.designated_times;
  port.updates = false;
  port.info = InfoIs::kMine;
  port.info_due = base::kNever;
  port.new_info = true;
  return true;
}

// 17.20.3.
bool Rstp::all_synced() const {
  return std::ranges::all_of(ports_, [](const Port& p) {
    return p.role == p.selected_role && (p.synced || p.role == Role::kRoot || p.role == Role::kDisabled);
  });
}

bool Rstp::re_rooted(PortNumber except, Time now) const {
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    if (i != except && ports_[i].recent_root_until > now) return false;
  }
  return true;
}

// 17.29, entering a role.
void Rstp::enter_role(Port& port, Time now) {
  const Role before = port.role;
  port.role = port.selected_role;
  const bool kept_waiting = before == Role::kAlternate || before == Role::kBackup;
  switch (port.role) {
    case Role::kDisabled:
      port.learn = port.forward = false;
      port.synced = true;
      port.sync = port.re_root = false;
      port.forward_due = base::kNever;
      port.recent_root_until = Time{0};
      break;
    case Role::kAlternate:
    case Role::kBackup:
      port.learn = port.forward = false;
      port.synced = true;
      port.sync = port.re_root = false;
      port.recent_root_until = Time{0};
      port.forward_due = base::kNever;
      break;
    case Role::kRoot:
    case Role::kDesignated:
      if (port.forward || port.learn) break;
      if (before == Role::kDisabled)
        port.forward_due = now + root_times_.max_age;
      else if (kept_waiting)
        port.forward_due = now + root_times_.forward_delay;
      break;
  }
  if (before == Role::kRoot && port.role == Role::kDesignated)
    port.recent_root_until = now + root_times_.forward_delay;
  if (before == Role::kBackup) port.recent_backup_until = now + 2 * root_times_.hello;
}

// 17.29.2, a root port. Returns whether anything changed.
bool Rstp::root_transitions(PortNumber number, Time now) {
  Port& port = ports_[number];
  if (port.proposed && !port.agree) {
    port.proposed = false;
    for (Port& other : ports_) other.sync = true;  // setSyncTree
    port.sync = false;
    return true;
  }
  if ((all_synced() && !port.agree) || (port.proposed && port.agree)) {
    port.proposed = port.sync = false;
    port.agree = port.new_info = true;
    return true;
  }
  if (!port.forward && !port.re_root) {
    for (Port& other : ports_) other.re_root = true;  // setReRootTree
    return true;
  }
  if (port.re_root && port.forward) {
    port.re_root = false;
    return true;
  }
  const bool may = port.forward_due <= now || (re_rooted(number, now) && port.recent_backup_until <= now);
  return may && advance(port, now);
}

// From discarding to learning, and from there to forwarding.
bool Rstp::advance(Port& port, Time now) const {
  if (port.forward) return false;
  if (port.learn) {
    port.forward = true;
    port.forward_due = base::kNever;
  } else {
    port.learn = true;
    port.forward_due = now + root_times_.forward_delay;
  }
  return true;
}

// 17.29.3, a designated port.
bool Rstp::designated_transitions(Port& port, Time now) {
  const bool was_root_lately = port.recent_root_until > now;
  if (!port.forward && !port.agreed && !port.proposing && !port.edge) {
    port.proposing = port.new_info = true;
    port.edge_due = now + (port.settings.is_point_to_point ? kMigrate : own_.max_age);
    return true;
  }
  if ((!port.learn && !port.forward && !port.synced) || (port.agreed && !port.synced) ||
      (port.edge && !port.synced) || (port.sync && port.synced)) {
    port.recent_root_until = Time{0};
    port.synced = true;
    port.sync = false;
    return true;
  }
  if (!was_root_lately && port.re_root) {
    port.re_root = false;
    return true;
  }
  const bool must_discard = (port.sync && !port.synced) || (port.re_root && was_root_lately) || port.disputed;
  if (must_discard && !port.edge && (port.learn || port.forward)) {
    port.learn = port.forward = port.disputed = false;
    port.forward_due = now + root_times_.forward_delay;
    return true;
  }
  const bool may = (port.forward_due <= now || port.agreed || port.edge) &&
                   !(was_root_lately && port.re_root) && !port.sync;
  if (!may || !advance(port, now)) return false;
  if (port.forward) port.agreed = port.sends_rstp;
  return true;
}

// 17.29.4, alternate and backup ports.
bool Rstp::alternate_transitions(PortNumber number) {
  Port& port = ports_[number];
  if (port.sync || port.re_root || !port.synced) {
    port.sync = port.re_root = false;
    port.synced = true;
    return true;
  }
  if (port.proposed && !port.agree) {
    port.proposed = false;
    for (Port& other : ports_) other.sync = true;
    port.sync = false;
    return true;
  }
  if ((all_synced() && !port.agree) || (port.proposed && port.agree)) {
    port.proposed = false;
    port.agree = port.new_info = true;
    return true;
  }
  return false;
}

bool Rstp::role_transitions(PortNumber number, Time now) {
  Port& port = ports_[number];
  if (port.role != port.selected_role) {
    enter_role(port, now);
    return true;
  }
  switch (port.role) {
    case Role::kRoot:
      return root_transitions(number, now);
    case Role::kDesignated:
      return designated_transitions(port, now);
    case Role::kAlternate:
    case Role::kBackup:
      return alternate_transitions(number);
    case Role::kDisabled:
      port.sync = port.re_root = false;
      port.synced = true;
      return false;
  }
  return false;
}

// 17.21.7, newTcWhile.
void Rstp::tell_topology_change(Port& port, Time now) {
  if (port.tc_until > now) return;
  port.tc_until =
      now + (port.sends_rstp ? own_.hello + kSecond : root_times_.max_age + root_times_.forward_delay);
  if (port.sends_rstp) port.new_info = true;
}

// 17.21.18, setTcPropTree.
void Rstp::propagate(PortNumber except) {
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    if (i != except) ports_[i].tc_prop = true;
  }
}

// 17.31, the topology change machine.
bool Rstp::topology_transitions(PortNumber number, Time now, Effects& out) {
  Port& port = ports_[number];
  if (port.tc_active && (!joins(port) || port.edge)) {
    port.tc_active = false;
    port.tc_learning = true;
    port.rcvd_tc = port.rcvd_tcn = port.rcvd_tc_ack = port.tc_prop = false;
    return true;
  }
  if (!port.tc_active) {
    if (!port.tc_learning && port.learn) {
      port.tc_learning = true;
      return true;
    }
    if (joins(port) && port.forward && !port.edge) {  // DETECTED
      port.tc_active = true;
      port.rcvd_tc = port.rcvd_tcn = port.rcvd_tc_ack = port.tc_prop = false;
      out.detected.push_back(number);
      tell_topology_change(port, now);
      propagate(number);
      port.new_info = true;
      return true;
    }
    if (port.tc_learning && !joins(port) && !port.learn) {  // INACTIVE
      port.tc_learning = port.tc_ack = false;
      port.tc_until = Time{0};
      out.flushed.push_back(number);
      return true;
    }
    port.rcvd_tc = port.rcvd_tcn = port.rcvd_tc_ack = port.tc_prop = false;
    return false;
  }
  if (port.rcvd_tcn || port.rcvd_tc) {
    if (port.rcvd_tcn) tell_topology_change(port, now);
    if (port.rcvd_tcn && port.role == Role::kDesignated) port.tc_ack = port.new_info = true;
    port.rcvd_tc = port.rcvd_tcn = false;
    propagate(number);
    return true;
  }
  if (port.tc_prop) {
    port.tc_prop = false;
    tell_topology_change(port, now);
    out.flushed.push_back(number);
    return true;
  }
  if (port.rcvd_tc_ack) {
    port.tc_until = Time{0};
    port.rcvd_tc_ack = false;
    return true;
  }
  return false;
}

// 17.26, the port transmit machine.
void Rstp::transmit(PortNumber number, Time now, Effects& out) {
  Port& port = ports_[number];
  if (!port.new_info || port.role == Role::kDisabled || port.sent >= kTransmitHold) return;
  port.new_info = false;
  const bool says_change = port.tc_until > now;
  if (!port.sends_rstp && !joins(port)) return;
  if (port.sent++ == 0) port.sent_due = now + kSecond;
  if (port.settings.is_filtered) return;
  if (!port.sends_rstp && port.role == Role::kRoot) {
    if (says_change) out.sent.emplace_back(number, Bpdu{.is_tcn = true});
    return;
  }
  Bpdu bpdu{.is_rapid = port.sends_rstp,
            .role = port.role,
            .vector = port.designated,
            .times = port.designated_times};
  bpdu.topology_change = says_change;
  bpdu.topology_change_ack = port.tc_ack && !port.sends_rstp;
  bpdu.proposal = port.role == Role::kDesignated && port.proposing;
  bpdu.agreement = port.agree && port.role != Role::kDesignated;
  bpdu.learning = port.learn;
  bpdu.forwarding = port.forward;
  port.tc_ack = false;
  out.sent.emplace_back(number, bpdu);
}

void Rstp::run(Time now, Effects& out) {
  now_ = now;
  for (bool changed = true; changed;) {
    changed = false;
    if (reselect_) {
      reselect_ = false;
      for (Port& port : ports_) {
        if (port.enabled && port.info == InfoIs::kDisabled) port.info = InfoIs::kAged;
      }
      select_roles();
    }
    for (PortNumber i = 0; i < ports_.size(); ++i) {
      changed |= apply_information(ports_[i]);
      while (role_transitions(i, now)) changed = true;
      while (topology_transitions(i, now, out)) changed = true;
    }
  }
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    transmit(i, now, out);
    if (told_[i] == state(i)) continue;
    told_[i] = state(i);
    out.states.emplace_back(i, told_[i]);
  }
}

void Rstp::on_time(Time now, Effects& out) {
  looked_ = now;
  for (Port& port : ports_) {
    if (!port.enabled) continue;
    if (port.info == InfoIs::kReceived && port.info_due <= now) {
      port.info = InfoIs::kAged;
      reselect_ = true;
    }
    if (port.edge_due <= now) {
      port.edge_due = base::kNever;
      if (port.settings.edge != PortSettings::Edge::kOff && port.sends_rstp && port.proposing)
        port.edge = true;
    }
    if (port.sent_due <= now) {
      port.sent_due = --port.sent != 0 ? now + kSecond : base::kNever;
    }
    if (port.hello_due <= now) {
      port.hello_due = now + root_times_.hello;
      port.new_info |= port.role == Role::kDesignated || (port.role == Role::kRoot && port.tc_until > now);
    }
  }
  run(now, out);
}

// What was due when the timers were last looked at has been seen to, or waits for something else.
Time Rstp::next_due() const {
  Time due = base::kNever;
  const auto consider = [&](Time t) {
    if (t > looked_ && t < due) due = t;
  };
  for (const Port& port : ports_) {
    if (!port.enabled) continue;
    for (const Time t : {port.hello_due, port.sent_due, port.edge_due, port.recent_root_until}) consider(t);
    if (port.info == InfoIs::kReceived) consider(port.info_due);
    if (port.forward || !joins(port)) continue;
    consider(port.forward_due);
    consider(port.recent_backup_until);
  }
  return due;
}

}  // namespace sekimori::switching::tree
