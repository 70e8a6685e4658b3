// Routers that share an address, played: who is master, when another takes over (switching/first_hop.h).
//
// A run begins with the network as it has settled: the best member that runs is master. A member whose
// machine is off, or whose NIC has no carrier, is no member; it comes back as a backup.
#pragma once

#include <vector>

#include "simulate/fabric.h"
#include "simulate/neighbours.h"
#include "simulate/wires.h"
#include "switching/first_hop.h"

namespace sekimori::simulate {

class FirstHops {
 public:
  FirstHops(const model::Model& model, Wires& wires, Observer& observer, Fabric& fabric,
            Neighbours& neighbours, Neighbours::Transmitter& transmitter)
      : model_(model),
        wires_(wires),
        observer_(observer),
        fabric_(fabric),
        neighbours_(neighbours),
        out_(transmitter) {}

  void start(const std::vector<bool>& running);
  void set_running(model::MachineId machine, bool running);
  // An advertisement came to that NIC.
  void receive(std::uint32_t station, const Frame& frame);
  void on_timer(std::uint32_t member);
  // The alias has its address now. Others always have.
  bool has_address(std::uint32_t station) const {
    const model::SharedId shared = model_.stations[station].shared;
    return !shared.valid() || model_[shared].kind == model::SharedKind::kNlb || masters_[station];
  }

 private:
  struct Member {
    switching::FirstHopMember protocol;
    TimerIndex timer = kNone;
    Time armed = base::kNever;
    bool running = false;
  };

  const model::SharedAddress& shared(const Member& m) const { return model_[m.protocol.shared()]; }
  const model::SharedAddress::Member& settings(const Member& m) const { return m.protocol.settings(); }
  bool plugged(const Member& m) const;
  void follow(Member& m);
  void advertise(const Member& m, bool standby);

  const model::Model& model_;
  Wires& wires_;
  Observer& observer_;
  Fabric& fabric_;
  Neighbours& neighbours_;
  Neighbours::Transmitter& out_;
  std::vector<Member> members_;
  std::vector<bool> masters_;  // by station
};

}  // namespace sekimori::simulate
