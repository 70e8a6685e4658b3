#include "simulate/first_hop.h"

#include <algorithm>

#include "switching/first_hop.h"

namespace sekimori::simulate {

using model::SharedKind;

bool FirstHops::plugged(const Member& m) const {
  return m.running && fabric_.has_carrier(settings(m).nic.value);
}

void FirstHops::start(const std::vector<bool>& running) {
  masters_.assign(model_.stations.size(), false);
  for (std::uint32_t s = 0; s < model_.shared.size(); ++s) {
    const model::SharedAddress& shared = model_.shared[s];
    if (shared.kind == SharedKind::kNlb) continue;
    for (std::uint32_t i = 0; i < shared.members.size(); ++i) {
      Member member{.shared = s, .index = i};
      member.timer = wires_.add_timer(TimerKind::kFirstHop, static_cast<std::uint32_t>(members_.size()));
      member.running = running[model_[shared.members[i].nic].machine.index()];
      fabric_.set_mute(shared.members[i].alias.value, true);
      members_.push_back(member);
    }
  }
  for (Member& m : members_) {
    const auto leads = [&](const Member& other) {
      return other.shared == m.shared && plugged(other) &&
             switching::outranks(switching::rank_of(model_, settings(other)),
                                 switching::rank_of(model_, settings(m)));
    };
    const auto better = std::ranges::count_if(members_, leads);
    m.standby = better == 1 && shared(m).kind == SharedKind::kHsrp;
    if (plugged(m) && better == 0) {
      rule(m, true);
      // Not in step, as they were not started in step.
      wires_.arm(m.timer, wires_.now() + base::milliseconds(1) * (m.shared % 1000 + 1));
    } else {
      wait(m);
    }
  }
}

void FirstHops::set_running(model::MachineId machine, bool running) {
  for (Member& m : members_) {
    if (model_[settings(m).nic].machine != machine || m.running == running) continue;
    m.running = running;
    rule(m, false);
    wait(m);
  }
}

void FirstHops::rule(Member& m, bool master) {
  m.master = master;
  m.standby &= !master;
  masters_[settings(m).alias.index()] = master;
  fabric_.set_mute(settings(m).alias.value, !master);
}

// For the master's next advertisement; who is standby looks up earlier, to say hello.
void FirstHops::wait(Member& m) {
  m.master_until = wires_.now() + switching::patience(shared(m), settings(m).priority);
  wires_.arm(m.timer, m.standby ? wires_.now() + shared(m).interval : m.master_until);
}

void FirstHops::advertise(const Member& m, std::uint32_t station) {
  Frame frame;
  frame.kind = FrameKind::kAdvertisement;
  frame.dst = kBroadcastAddress;  // a group that all routers are in; switches treat it alike
  frame.number = m.shared;
  frame.ack = m.index | (m.master ? 0 : Frame::kStandby);
  frame.bytes = switching::advertisement_bytes(shared(m));
  frame.sent = wires_.now();
  out_.transmit(station, frame);
}

void FirstHops::on_timer(std::uint32_t index) {
  Member& m = members_[index];
  const Time now = wires_.now();
  if (!plugged(m)) {
    if (m.master) rule(m, false);
    m.standby = false;
    return wait(m);
  }
  if (!m.master && now < m.master_until) {
    if (m.standby) advertise(m, settings(m).nic.value);
    if (!m.standby) return wires_.arm(m.timer, m.master_until);
    wires_.arm(m.timer, std::min(now + shared(m).interval, m.master_until));
    return;
  }
  const bool took_over = !m.master;
  if (took_over) rule(m, true);
  advertise(m, settings(m).alias.value);
  if (took_over) neighbours_.announce(settings(m).alias.value);
  if (took_over) observer_.took_over(m.shared, settings(m).nic.value, now);
  wires_.arm(m.timer, now + shared(m).interval);
}

void FirstHops::receive(std::uint32_t station, const Frame& frame) {
  for (Member& m : members_) {
    const model::SharedAddress& mine = shared(m);
    // Of another group with the same number, which tells another address, they are ignored (keepalived's
    // vrrp_check_packet; RFC 5798 section 7.1 leaves it open).
    if (m.shared != frame.number || settings(m).nic.value != station || !m.running) continue;
    const auto& sender = mine.members[frame.ack & ~Frame::kStandby];
    const bool better =
        switching::outranks(switching::rank_of(model_, sender), switching::rank_of(model_, settings(m)));
    if ((frame.ack & Frame::kStandby) != 0) {
      if (!better) continue;
      m.standby = false;
      m.better_until = wires_.now() + mine.hold;
      continue;
    }
    if (m.master) {
      if (better) {
        rule(m, false);
        m.standby = mine.kind == SharedKind::kHsrp;
        wait(m);
      }
      continue;
    }
    if (!better && mine.preempt) continue;  // left to run out, by which it takes over
    m.master_until = wires_.now() + switching::patience(mine, settings(m).priority);
    if (m.standby) continue;  // its timer is that of its hellos
    m.standby = mine.kind == SharedKind::kHsrp && wires_.now() >= m.better_until;
    wires_.arm(m.timer, m.standby ? wires_.now() + mine.interval : m.master_until);
  }
}

}  // namespace sekimori::simulate
