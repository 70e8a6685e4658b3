#include "switching/stp.h"

#include <algorithm>
#include <tuple>

namespace sekimori::switching::tree {
namespace {

constexpr Duration kHold = base::seconds(1);                    // 802.1D-1998 table 8-3
constexpr Duration kAgeOfAHop = base::Duration{3'906'250'000};  // 1/256 s, the least a hop may add

State state_of(bool learns, bool forwards) {
  return forwards ? State::kForwarding : learns ? State::kLearning : State::kDiscarding;
}

}  // namespace

Stp::Stp(Identifier self, Times own, const std::vector<PortSettings>& ports)
    : self_(self), own_(own), times_(own), root_(self) {
  for (const PortSettings& settings : ports) {
    ports_.push_back({.settings = settings});
    become_designated(ports_.back());
  }
}

Role Stp::role(PortNumber number) const {
  const Port& port = ports_[number];
  if (port.phase == Phase::kDisabled) return Role::kDisabled;
  if (number == root_port_) return Role::kRoot;
  if (is_designated(port)) return Role::kDesignated;
  return port.heard.bridge == self_ ? Role::kBackup : Role::kAlternate;
}

State Stp::state(PortNumber number) const {
  const Phase phase = ports_[number].phase;
  return state_of(phase == Phase::kLearning, phase == Phase::kForwarding);
}

void Stp::set_phase(PortNumber number, Phase phase, Effects& out) {
  const State before = state(number);
  ports_[number].phase = phase;
  if (state(number) != before) out.states.emplace_back(number, state(number));
}

void Stp::settle(const std::vector<Settled>& settled, Time now, Effects& out) {
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    const Settled& found = settled[i];
    if (found.role == Role::kDisabled) continue;
    port.heard = found.vector;
    port.is_edge = port.settings.edge == PortSettings::Edge::kOn && !found.bridges;
    if (found.role == Role::kRoot) {
      root_port_ = i;
      root_ = found.vector.root;
      root_cost_ = found.vector.cost + port.settings.path_cost;
      times_ = found.times;
    }
    if (found.role != Role::kDesignated) port.age_due = now + found.times.max_age - kAgeOfAHop * found.hops;
    const bool forwards = found.role == Role::kRoot || found.role == Role::kDesignated;
    set_phase(i, forwards ? Phase::kForwarding : Phase::kBlocking, out);
  }
  if (is_root()) hello_due_ = now + own_.hello;
}

// 8.8.2, enabling a port.
void Stp::port_up(PortNumber number, Time now, Effects& out) {
  Port& port = ports_[number];
  port.is_edge = port.settings.edge == PortSettings::Edge::kOn || port.settings.is_filtered;
  become_designated(port);
  set_phase(number, Phase::kBlocking, out);
  port.must_acknowledge = port.is_pending = false;
  port.age_due = port.forward_due = base::kNever;
  select_states(now, out);
  if (is_root()) generate(now, out);
  if (is_root() && hello_due_ == base::kNever) hello_due_ = now + own_.hello;
}

// 8.8.3, disabling a port.
void Stp::port_down(PortNumber number, Time now, Effects& out) {
  const bool was_root = is_root();
  Port& port = ports_[number];
  become_designated(port);
  set_phase(number, Phase::kDisabled, out);
  port.must_acknowledge = port.is_pending = false;
  port.age_due = port.forward_due = base::kNever;
  update();
  select_states(now, out);
  if (is_root() && !was_root) become_root(now, out);
}

// 8.6.8, root selection.
void Stp::select_root() {
  root_port_ = kNoPort;
  std::tuple<Identifier, std::uint32_t, Identifier, std::uint32_t, std::uint32_t> best{self_, 0, 0, 0, 0};
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    const Port& port = ports_[i];
    if (port.phase == Phase::kDisabled || is_designated(port) || port.heard.root >= self_) continue;
    const std::tuple offer{port.heard.root, port.heard.cost + port.settings.path_cost, port.heard.bridge,
                           port.heard.port, port.settings.id};
    if (root_port_ != kNoPort && offer >= best) continue;
    root_port_ = i;
    best = offer;
  }
  root_ = std::get<0>(best);
  root_cost_ = std::get<1>(best);
}

// 8.6.9, designated port selection.
void Stp::select_designated() {
  for (Port& port : ports_) {
    if (port.phase == Phase::kDisabled) continue;
    const bool ours = is_designated(port) || port.heard.root != root_ ||
                      std::tuple(root_cost_, self_, port.settings.id) <
                          std::tuple(port.heard.cost, port.heard.bridge, port.heard.port);
    if (ours) become_designated(port);
  }
}

// 8.6.11, port state selection.
void Stp::select_states(Time now, Effects& out) {
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    Port& port = ports_[i];
    if (port.phase == Phase::kDisabled) continue;
    if (i == root_port_ || is_designated(port)) {
      if (i == root_port_)
        port.is_pending = port.must_acknowledge = false;
      else
        port.age_due = base::kNever;
      if (port.phase != Phase::kBlocking) continue;
      // 8.6.12. Linux forwards at once with a forward delay of 0 (br_make_forwarding).
      if (port.is_edge || times_.forward_delay.count() == 0) {
        set_phase(i, Phase::kForwarding, out);
        if (detects(port)) detect(now, i, out);
      } else {
        set_phase(i, Phase::kListening, out);
        port.forward_due = now + times_.forward_delay;
      }
      continue;
    }
    port.is_pending = port.must_acknowledge = false;  // 8.6.13
    if (port.phase == Phase::kBlocking) continue;
    const bool mattered = port.phase == Phase::kForwarding || port.phase == Phase::kLearning;
    set_phase(i, Phase::kBlocking, out);
    port.forward_due = base::kNever;
    if (mattered && detects(port)) detect(now, i, out);
  }
}

void Stp::become_root(Time now, Effects& out) {
  times_ = own_;
  detect(now, kNoPort, out);
  tcn_due_ = base::kNever;
  generate(now, out);
  hello_due_ = now + own_.hello;
}

void Stp::set_topology_change(bool on, Effects& out) {
  if (topology_change_ == on) return;
  topology_change_ = on;
  out.ageing = on ? times_.forward_delay : Duration{0};
}

// 8.6.14, topology change detection.
void Stp::detect(Time now, PortNumber at, Effects& out) {
  if (at != kNoPort) out.detected.push_back(at);
  if (is_root()) {
    set_topology_change(true, out);
    change_due_ = now + own_.max_age + own_.forward_delay;
  } else if (!detected_) {
    transmit_tcn(out);
    tcn_due_ = now + own_.hello;
  }
  detected_ = true;
}

void Stp::generate(Time now, Effects& out) {
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    if (ports_[i].phase != Phase::kDisabled && is_designated(ports_[i])) transmit(i, now, out);
  }
}

// 8.6.1, with the hold timer: no more than one configuration in a second.
void Stp::transmit(PortNumber number, Time now, Effects& out) {
  Port& port = ports_[number];
  if (now < port.hold_until) {
    port.is_pending = true;
    return;
  }
  Bpdu bpdu{.vector = {root_, root_cost_, self_, port.settings.id}, .times = times_};
  bpdu.times.message_age = Duration{0};
  if (root_port_ != kNoPort) {
    const Duration left = ports_[root_port_].age_due - now;
    bpdu.times.message_age = std::max(times_.max_age - left, Duration{0}) + kAgeOfAHop;
    if (bpdu.times.message_age >= times_.max_age) return;
  }
  bpdu.topology_change = topology_change_;
  bpdu.topology_change_ack = port.must_acknowledge;
  port.must_acknowledge = port.is_pending = false;
  port.hold_until = now + kHold;
  if (!port.settings.is_filtered) out.sent.emplace_back(number, bpdu);
}

void Stp::transmit_tcn(Effects& out) {
  if (root_port_ != kNoPort) out.sent.emplace_back(root_port_, Bpdu{.is_tcn = true});
}

void Stp::receive(PortNumber number, const Bpdu& bpdu, Time now, Effects& out) {
  Port& port = ports_[number];
  if (port.phase == Phase::kDisabled || port.settings.is_filtered) return;
  port.is_edge = false;
  if (bpdu.is_tcn) {  // 8.7.2
    if (!is_designated(port)) return;
    detect(now, kNoPort, out);
    port.must_acknowledge = true;
    transmit(number, now, out);
    return;
  }
  // RSTP's kind is of a version that this one does not know: read as a configuration (9.3.4 keeps them
  // alike); only designated ports send configurations.
  if (bpdu.is_rapid) return;
  // 8.6.2, supersedes port information.
  const Vector& said = bpdu.vector;
  const auto rank = [](const Vector& v) { return std::tuple(v.root, v.cost, v.bridge); };
  const bool supersedes =
      rank(said) < rank(port.heard) ||
      (rank(said) == rank(port.heard) && (said.bridge != self_ || said.port <= port.heard.port));
  if (supersedes) {
    take(number, bpdu, now, out);
  } else if (is_designated(port)) {
    transmit(number, now, out);  // 8.6.5, reply
  }
}

// 8.7.1, of a configuration that is as good as what the port has heard, or better.
void Stp::take(PortNumber number, const Bpdu& bpdu, Time now, Effects& out) {
  Port& port = ports_[number];
  const bool was_root = is_root();
  port.heard = bpdu.vector;
  port.age_due = now + bpdu.times.max_age - bpdu.times.message_age;
  update();
  select_states(now, out);
  if (was_root && !is_root()) {
    hello_due_ = base::kNever;
    if (detected_) {
      change_due_ = base::kNever;
      transmit_tcn(out);
      tcn_due_ = now + own_.hello;
    }
  }
  if (number != root_port_) return;
  times_ = bpdu.times;
  set_topology_change(bpdu.topology_change, out);
  generate(now, out);
  if (bpdu.topology_change_ack) {
    detected_ = false;
    tcn_due_ = base::kNever;
  }
}

void Stp::on_forward_time(PortNumber number, Time now, Effects& out) {
  Port& port = ports_[number];
  port.forward_due = base::kNever;
  if (port.phase == Phase::kListening) {
    set_phase(number, Phase::kLearning, out);
    port.forward_due = now + times_.forward_delay;
  } else if (port.phase == Phase::kLearning) {
    set_phase(number, Phase::kForwarding, out);
    const bool is_of_use = std::ranges::any_of(
        ports_, [&](const Port& p) { return p.phase != Phase::kDisabled && is_designated(p); });
    if (is_of_use && detects(port)) detect(now, number, out);
  }
}

// 8.7.4: nobody says any more what the port has heard.
void Stp::on_age_time(PortNumber number, Time now, Effects& out) {
  const bool was_root = is_root();
  ports_[number].age_due = base::kNever;
  become_designated(ports_[number]);
  update();
  select_states(now, out);
  if (is_root() && !was_root) become_root(now, out);
}

void Stp::on_time(Time now, Effects& out) {
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    if (ports_[i].age_due <= now) on_age_time(i, now, out);
  }
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    if (ports_[i].forward_due <= now) on_forward_time(i, now, out);
  }
  if (hello_due_ <= now) {
    hello_due_ = now + own_.hello;
    generate(now, out);
  }
  if (tcn_due_ <= now) {
    tcn_due_ = now + own_.hello;
    transmit_tcn(out);
  }
  if (change_due_ <= now) {
    change_due_ = base::kNever;
    detected_ = false;
    set_topology_change(false, out);
  }
  for (PortNumber i = 0; i < ports_.size(); ++i) {
    if (ports_[i].is_pending && ports_[i].hold_until <= now) transmit(i, now, out);
  }
}

Time Stp::next_due() const {
  Time due = std::min({hello_due_, tcn_due_, change_due_});
  for (const Port& port : ports_) {
    due = std::min({due, port.age_due, port.forward_due});
    if (port.is_pending) due = std::min(due, port.hold_until);
  }
  return due;
}

}  // namespace sekimori::switching::tree
