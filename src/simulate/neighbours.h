// Address resolution (RFC 826) with the timers and states of real stacks.
//
// An entry is good for its machine's ARP timeout after the last confirmation. Then, on its next use:
//   - a stack that probes (Linux: include/net/neighbour.h, net/core/neighbour.c; RFC 1122 2.3.2.1) goes on
//   using it,
//     waits 5 s for an upper layer to show progress, and asks the address itself by unicast, three times a
//     second apart, before it gives up and asks by broadcast;
//   - any other (a typical router) forgets it and asks by broadcast; what is to be sent waits.
// Which of these frames pass which switch decides what the switches know: a unicast probe and its answer
// refresh every table on the way between the two, a broadcast refreshes the asker's entry everywhere.
#pragma once

#include <unordered_map>
#include <vector>

#include "model/model.h"
#include "simulate/addresses.h"
#include "simulate/observer.h"
#include "simulate/wires.h"

namespace sekimori::simulate {

using NeighbourIndex = std::uint32_t;

class Neighbours {
 public:
  // `transmit` puts a frame on the wire of a station.
  class Transmitter {
   public:
    virtual void transmit(std::uint32_t station, Frame& frame) = 0;

   protected:
    ~Transmitter() = default;
  };

  Neighbours(const model::Model& model, const Addresses& addresses, Audience& audience, Wires& wires,
             Observer& observer, Transmitter& transmitter)
      : model_(model),
        addresses_(addresses),
        audience_(audience),
        wires_(wires),
        observer_(observer),
        out_(transmitter) {}

  // The station's entry for that address, made when it is first asked for.
  NeighbourIndex entry(std::uint32_t station, std::uint32_t ip);

  std::uint32_t station_of(NeighbourIndex neighbour) const { return neighbours_[neighbour].station; }

  // Sends the frame to the neighbour, resolving first if need be; what waits longer than three tries is lost.
  void send(NeighbourIndex neighbour, Frame& frame);

  // An upper layer saw progress towards the neighbour.
  void confirm(NeighbourIndex neighbour) {
    Neighbour& n = neighbours_[neighbour];
    if (!settings(n).confirm_by_progress || n.address == kNone) return;
    n.confirmed = wires_.now();
    if (n.state == State::kDelay || n.state == State::kProbe) become(n, State::kKnown);
  }

  // An ARP frame arrived at a station that runs.
  void receive(std::uint32_t station, const Frame& frame);
  void announce(std::uint32_t station);

  // Neighbor Discovery (RFC 4861), for stations with an IPv6 address.
  void receive_discovery(std::uint32_t station, const Frame& frame);
  void advertise(std::uint32_t station);  // unsolicited, section 7.2.6
  void advertise_router(std::uint32_t station);
  void probe_duplicates(std::uint32_t station);  // RFC 4862 section 5.4

  void on_timer(NeighbourIndex index);

  std::vector<NeighbourEntry> list() const;  // those with an address

 private:
  enum class State : std::uint8_t {
    kNothing,  // no address, nobody asked
    kAsking,   // broadcast request under way
    kKnown,    // in use; stale once the timeout has passed since the confirmation
    kDelay,    // stale and used: waiting for progress
    kProbe,    // unicast requests under way, in use meanwhile
  };
  struct Neighbour {
    std::uint32_t station, ip;
    AddressIndex address = kNone;
    State state = State::kNothing;
    std::uint8_t tries = 0;
    Time confirmed{0}, updated{0};
    TimerIndex timer = kNone;
    std::vector<Frame> waiting{};
  };

  const model::ArpSettings& settings(const Neighbour& n) const {
    const model::Machine& machine = model_[model_.stations[n.station].machine];
    return is_ipv6(n.ip) ? machine.nd : machine.arp;
  }
  void become(Neighbour& n, State state);
  void ask(Neighbour& n, AddressIndex to);
  Frame discovery(std::uint32_t station, FrameKind kind, std::uint32_t about, AddressIndex to) const;
  void learn(Neighbour& n, const Frame& frame, bool solicited);
  void dispatch(const Neighbour& n, Frame& frame);
  void arm(NeighbourIndex index, Duration after);

  const model::Model& model_;
  const Addresses& addresses_;
  Audience& audience_;
  Wires& wires_;
  Observer& observer_;
  Transmitter& out_;
  std::vector<Neighbour> neighbours_;
  std::unordered_map<std::uint64_t, NeighbourIndex> index_;  // station << 32 | ip
};

}  // namespace sekimori::simulate
