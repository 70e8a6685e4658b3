#include "switching/first_hop.h"

#include <algorithm>

namespace sekimori::switching {

using base::Time;
using model::SharedKind;

wire::FirstHop advertisement(const model::SharedAddress& shared, std::size_t member, bool standby) {
  wire::FirstHop message;
  message.protocol =
      shared.kind == SharedKind::kVrrp ? wire::FirstHop::Protocol::vrrp : wire::FirstHop::Protocol::hsrp;
  message.version = shared.version;
  message.state = standby ? wire::FirstHop::kHsrpStandby : wire::FirstHop::kHsrpActive;
  message.group = shared.group;
  message.priority = shared.members[member].priority;
  message.hello_ms = static_cast<std::uint32_t>(shared.interval / base::milliseconds(1));
  message.virtual_ip = shared.ip;
  return message;
}

void FirstHopMember::settle(std::size_t better, bool plugged, Time now) {
  better_until_ = Time{0};
  master_ = false;
  standby_ = better == 1 && shared_.kind == SharedKind::kHsrp;
  if (!plugged || better > 0) return wait(now);
  rule(true);
  // Not in step, as they were not started in step.
  due_ = now + base::milliseconds(1) * (id_.value % 1000 + 1);
}

void FirstHopMember::restart(Time now) {
  rule(false);
  wait(now);
}

void FirstHopMember::rule(bool master) {
  master_ = master;
  standby_ &= !master;
}

// For the master's next advertisement; who is standby looks up earlier, to say hello.
void FirstHopMember::wait(Time now) {
  master_until_ = now + patience(shared_, settings().priority);
  due_ = standby_ ? now + shared_.interval : master_until_;
}

FirstHopMember::Turn FirstHopMember::on_time(bool plugged, Time now) {
  if (!plugged) {
    rule(false);
    standby_ = false;
    wait(now);
    return {};
  }
  if (!master_ && now < master_until_) {
    due_ = standby_ ? std::min(now + shared_.interval, master_until_) : master_until_;
    return {standby_ ? Says::kStandby : Says::kNothing, false};
  }
  const bool took_over = !master_;
  if (took_over) rule(true);
  due_ = now + shared_.interval;
  return {Says::kMaster, took_over};
}

void FirstHopMember::hear(std::size_t sender, bool sender_is_standby, Time now) {
  const bool better = outranks(rank_of(m_, shared_.members[sender]), rank_of(m_, settings()));
  if (sender_is_standby) {
    if (!better) return;
    standby_ = false;
    better_until_ = now + shared_.hold;
    return;
  }
  if (master_) {
    if (!better) return;
    rule(false);
    standby_ = shared_.kind == SharedKind::kHsrp;
    return wait(now);
  }
  if (!better && shared_.preempt) return;  // left to run out, by which it takes over
  master_until_ = now + patience(shared_, settings().priority);
  if (standby_) return;  // it looks up to say hello
  standby_ = shared_.kind == SharedKind::kHsrp && now >= better_until_;
  due_ = standby_ ? now + shared_.interval : master_until_;
}

}  // namespace sekimori::switching
