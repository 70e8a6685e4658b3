// What machines say unasked: gratuitous ARP, unsolicited neighbor advertisements, router advertisements, and
// who is in which multicast group that routers ask, and that Neighbor Discovery's groups have members, at the
// start, at their intervals, after a move, and when
// a machine is switched on. The simulator sends the same ones (simulate/stacks.cc). The kernel is kept from
// sending any of its own (build_ipv6.h).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "sys/namespaces.h"
#include "sys/packet_socket.h"

namespace sekimori::lab {

class Announcements {
 public:
  // `spaces`: the plan's namespaces.
  static base::Result<Announcements> open(const model::Model& site, const Plan& plan,
                                          const std::vector<sys::Namespace>& spaces);

  // Sends what is due; returns when the next one is.
  base::Time turn(base::Time now);
  // All addresses of the machine, at once.
  void announce(model::MachineId machine);
  // It has been switched on: first it asks whether anybody has its IPv6 addresses.
  void start(model::MachineId machine, base::Time now);

 private:
  enum class Kind : std::uint8_t { kArp, kNd, kRouter, kDuplicates, kGroupQuery, kGroupReport };
  struct Speaker {
    model::StationId station;
    sys::PacketSocket socket;
  };
  struct Timer {
    model::MachineId machine;
    Kind kind;
    base::Time due;
    int said = 0;
  };

  explicit Announcements(const model::Model& site) : site_(site) {}
  base::Result<void> add_speakers(const Plan& plan, const std::vector<sys::Namespace>& spaces);
  void add_timers(model::MachineId machine);
  void say(model::MachineId machine, Kind kind);
  base::Duration until_next(const Timer& timer);
  void ask(model::MachineId machine, bool first);

  const model::Model& site_;
  std::vector<Speaker> speakers_;
  std::vector<Timer> timers_;
  std::uint64_t advertised_ = 0;  // router advertisements so far
};

}  // namespace sekimori::lab
