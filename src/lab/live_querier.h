// A live switch that asks who is in which multicast group: the timers of switching/snooping.h with the
// machine's clock, and queries on the wire. The simulator's bridges ask alike (simulate/fabric_multicast.cc).
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "lab/live_switch.h"

namespace sekimori::lab {

class LiveQuerier {
 public:
  // Puts an untagged frame on the port with that tag.
  using Send = std::function<void(LiveSwitch::Copy out, std::span<const std::byte> frame)>;
  // Queries bear the address `mac`. `bridge` must outlive it.
  LiveQuerier(const model::Model& site, model::BridgeId id, model::Mac mac, LiveSwitch& bridge, Send send);

  // As at the start of a run.
  void begin(base::Time now);
  // Says nothing for a while, so that hosts can join before the run begins.
  void pause(base::Time now);
  void on_time(base::Time now);
  base::Time next_due() const { return due_; }

 private:
  void ask(std::uint16_t vlan, const wire::Group& own);

  const model::Model& site_;
  model::BridgeId id_;
  model::Mac mac_;
  LiveSwitch& bridge_;
  Send send_;
  std::vector<std::uint16_t> vlans_;
  base::Duration offset_;  // so that one is elected
  base::Time due_{0};
  int asked_ = 0;
};

}  // namespace sekimori::lab
