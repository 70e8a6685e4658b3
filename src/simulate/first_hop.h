// Routers that share an address, played: who is master, when another takes over (switching/first_hop.h).
//
// A run begins with the network as it has settled: the best member that runs is master. A member whose
// machine is off, or whose NIC has no carrier, is no member; it comes back as a backup.
#pragma once

#include <vector>

#include "simulate/fabric.h"
#include "simulate/neighbours.h"
#include "simulate/wires.h"

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
    std::uint32_t shared, index;  // of Model::shared, and of its members
    TimerIndex timer = kNone;
    bool running = false, master = false;
    bool standby = false;  // of HSRP, and says so
    Time better_until{0};  // a better standby is believed to be there until then
    Time master_until{0};  // and a master until then
  };

  const model::SharedAddress& shared(const Member& m) const { return model_.shared[m.shared]; }
  const model::SharedAddress::Member& settings(const Member& m) const { return shared(m).members[m.index]; }
  bool plugged(const Member& m) const;
  void rule(Member& m, bool master);
  void wait(Member& m);
  void advertise(const Member& m, std::uint32_t station);

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
