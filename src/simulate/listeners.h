// Machines in multicast groups: they say so when they start, and when somebody asks (RFC 3376, RFC 3810). And
// routers that ask.
//
// A site that has nothing to do with groups goes without: its machines don't speak of the solicited-node
// groups that IPv6 puts them in either, which nobody would listen to. A machine that is moved does not
// notice, and says nothing.
#pragma once

#include <vector>

#include "model/multicast.h"
#include "simulate/addresses.h"
#include "simulate/neighbours.h"
#include "simulate/wires.h"

namespace sekimori::simulate {

class Listeners {
 public:
  Listeners(const model::Model& model, const Addresses& addresses, Audience& audience, Wires& wires,
            Neighbours::Transmitter& transmitter);

  void start(const std::vector<bool>& running);
  void set_running(model::MachineId machine, bool running);
  // A query came to that NIC.
  void asked(std::uint32_t station, const Frame& query);
  void report(std::uint32_t listener, const std::vector<bool>& running);
  void ask(std::uint32_t querier, const std::vector<bool>& running);

 private:
  // A station in groups of one IP version.
  struct Listener {
    std::uint32_t station;
    bool ipv6;
    std::vector<wire::Group> groups;
    TimerIndex timer = kNone;
    Time due = base::kNever;
    bool to_old = false;  // the querier speaks IGMPv2 or MLDv1, and so does the answer
    int unsolicited = 0;  // reports left to send of its own accord
  };
  struct Querier {
    std::uint32_t station;
    bool ipv6;
    TimerIndex timer = kNone;
    int asked = 0;
    Time other_until{-1};  // one with a lower address asks
  };
  void arm(Listener& listener, Time due);
  void join(Listener& listener);

  const model::Model& model_;
  const Addresses& addresses_;
  Wires& wires_;
  Neighbours::Transmitter& out_;
  std::vector<Listener> listeners_;
  std::vector<Querier> queriers_;
  std::vector<std::uint32_t> first_;  // of a station's listeners; kNone: it has none
};

}  // namespace sekimori::simulate
