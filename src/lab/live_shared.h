// Shared addresses of a lab, at the junctions of their members' NICs (plan.h).
//
//   VRRP, HSRP   the protocol of switching/first_hop.h with the machine's clock, advertisements on the wire
//   and
//                the carriers of the NICs. The address has a device of its own with the virtual MAC in the
//                member's machine, as keepalived's "use_vmac" makes one; it is on at the master only
//   NLB          the address is the NIC's second one. The NIC answers ARP for it with the cluster's MAC, the
//                junction puts the member's own in its place as the source of what leaves (Live::pass), and
//                keeps from the machine what another member serves
#pragma once

#include <functional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "switching/first_hop.h"
#include "sys/link_watcher.h"
#include "sys/links.h"

namespace sekimori::lab {

class LiveShared {
 public:
  using Frame = std::span<const std::byte>;
  // Puts a frame on the cable of that NIC.
  using Send = std::function<void(model::StationId nic, Frame frame)>;

  static base::Result<LiveShared> open(const model::Model& site, const Plan& plan, Send send, base::Time now);

  // As at the start of a run: the best member that is plugged in is master.
  void settle(base::Time now);
  void set_running(model::MachineId machine, bool running, base::Time now);
  // To be read when something about the NICs' cables has changed.
  int watch_fd() const { return watcher_.fd(); }
  void look_at_cables();

  void on_time(base::Time now);
  base::Time next_due() const;

  // A frame from the network came to a NIC: whether the machine's device of that station gets it. Takes note
  // of advertisements.
  void hear(model::StationId nic, Frame frame, base::Time now);
  bool gets(model::StationId station, Frame frame) const;

 private:
  struct Member {
    switching::FirstHopMember protocol;
    sys::Links links;  // of its machine
    bool on = false;   // the address's device
  };

  LiveShared(const model::Model& site, const Plan& plan, Send send, sys::LinkWatcher watcher,
             sys::Links cables)
      : site_(site),
        plan_(plan),
        send_(std::move(send)),
        watcher_(std::move(watcher)),
        cables_(std::move(cables)),
        running_(site.machines.size(), true) {}
  bool plugged(const model::SharedAddress::Member& member) const;
  void follow(Member& member);
  void advertise(const Member& member, bool standby);
  void announce(const Member& member);

  const model::Model& site_;
  const Plan& plan_;
  Send send_;
  sys::LinkWatcher watcher_;
  sys::Links cables_;
  std::vector<bool> running_;                          // by machine
  std::unordered_set<model::StationId> with_carrier_;  // NICs
  std::vector<Member> members_;
};

}  // namespace sekimori::lab
