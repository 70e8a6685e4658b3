#include "simulate/first_hop.h"

#include <algorithm>

namespace sekimori::simulate {

using model::SharedKind;
using Says = switching::FirstHopMember::Says;

bool FirstHops::plugged(const Member& m) const {
  return m.running && fabric_.has_carrier(settings(m).nic.value);
}

// What follows from a step of the protocol: who has the address, when to look up.
void FirstHops::follow(Member& m) {
  const std::uint32_t alias = settings(m).alias.value;
  if (masters_[alias] != m.protocol.is_master()) {
    masters_[alias] = m.protocol.is_master();
    fabric_.set_mute(alias, !m.protocol.is_master());
  }
  if (m.armed == m.protocol.next_due()) return;
  m.armed = m.protocol.next_due();
  wires_.arm(m.timer, m.armed);
}

void FirstHops::start(const std::vector<bool>& running) {
  masters_.assign(model_.stations.size(), false);
  for (std::uint32_t s = 0; s < model_.shared.size(); ++s) {
    const model::SharedAddress& shared = model_.shared[s];
    if (shared.kind == SharedKind::kNlb) continue;
    for (std::uint32_t i = 0; i < shared.members.size(); ++i) {
      Member member{.protocol = {model_, model::SharedId(s), i}};
      member.timer = wires_.add_timer(TimerKind::kFirstHop, static_cast<std::uint32_t>(members_.size()));
      member.running = running[model_[shared.members[i].nic].machine.index()];
      fabric_.set_mute(shared.members[i].alias.value, true);
      members_.push_back(member);
    }
  }
  for (Member& m : members_) {
    const auto leads = [&](const Member& other) {
      return other.protocol.shared() == m.protocol.shared() && plugged(other) &&
             switching::outranks(switching::rank_of(model_, settings(other)),
                                 switching::rank_of(model_, settings(m)));
    };
    const auto better = static_cast<std::size_t>(std::ranges::count_if(members_, leads));
    m.protocol.settle(better, plugged(m), wires_.now());
    follow(m);
  }
}

void FirstHops::set_running(model::MachineId machine, bool running) {
  for (Member& m : members_) {
    if (model_[settings(m).nic].machine != machine || m.running == running) continue;
    m.running = running;
    m.protocol.restart(wires_.now());
    follow(m);
  }
}

void FirstHops::advertise(const Member& m, bool standby) {
  Frame frame;
  frame.kind = FrameKind::kAdvertisement;
  frame.dst = kBroadcastAddress;  // a group that all routers are in; switches treat it alike
  frame.number = m.protocol.shared().value;
  frame.ack = static_cast<std::uint32_t>(m.protocol.number()) | (standby ? Frame::kStandby : 0);
  frame.bytes = switching::advertisement_bytes(shared(m));
  frame.sent = wires_.now();
  out_.transmit(standby ? settings(m).nic.value : settings(m).alias.value, frame);
}

void FirstHops::on_timer(std::uint32_t index) {
  Member& m = members_[index];
  const Time now = wires_.now();
  const auto turn = m.protocol.on_time(plugged(m), now);
  follow(m);
  if (turn.says != Says::kNothing) advertise(m, turn.says == Says::kStandby);
  if (!turn.took_over) return;
  neighbours_.announce(settings(m).alias.value);
  observer_.took_over(m.protocol.shared().value, settings(m).nic.value, now);
}

void FirstHops::receive(std::uint32_t station, const Frame& frame) {
  for (Member& m : members_) {
    // Of another group with the same number, which tells another address, they are ignored (keepalived's
    // vrrp_check_packet; RFC 5798 section 7.1 leaves it open).
    if (m.protocol.shared().value != frame.number || settings(m).nic.value != station || !m.running) continue;
    const bool standby = (frame.ack & Frame::kStandby) != 0;
    m.protocol.hear(frame.ack & ~Frame::kStandby, standby, wires_.now());
    follow(m);
  }
}

}  // namespace sekimori::simulate
