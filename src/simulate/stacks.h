// The machines: what their IP stacks do with frames, and the traffic they carry.
//
// Hosts and guests take what is addressed to their MAC and IP; routers pass the rest on by longest prefix
// (RFC 1812) in a new frame of their own, which is how they end a segment; so do hosts with routed and
// translated networks (model/routing.h). Traffic is constant-rate UDP,
// requests with responses, ping, and TCP (tcp.h).
#pragma once

#include <unordered_map>
#include <vector>

#include "simulate/fabric.h"
#include "simulate/first_hop.h"
#include "simulate/listeners.h"
#include "simulate/neighbours.h"
#include "simulate/tcp.h"

namespace sekimori::simulate {

class Stacks final : Neighbours::Transmitter {
 public:
  Stacks(const model::Model& model, const Addresses& addresses, Audience& audience, Wires& wires,
         Observer& observer, Fabric& fabric);

  // Announces whoever runs and starts the traffic.
  void start();
  // Sends a frame that left by a port of a tunnel to the host of the other end.
  void enter_tunnel(std::uint32_t port, const Frame& inner);
  // What a packet of a tunnel carries; null when it was sent too long ago.
  struct Inside {
    std::uint32_t number = kNone;
    std::uint32_t to_port = kNone;
    Frame frame{};
  };
  const Inside* inside(const Frame& packet) const;

  // A frame has arrived at a station's port.
  void receive(std::uint32_t port, Frame& frame);
  void on_timer(TimerKind kind, std::uint32_t subject);

  void set_running(model::MachineId machine, bool running);
  // Announces all IPv4, or IPv6, addresses of the machine now.
  void announce(model::MachineId machine);
  void announce(model::StationId station);  // with both families
  void announce_nd(model::MachineId machine);

  std::vector<NeighbourEntry> neighbours() const { return neighbours_.list(); }
  // Flow counters as of now.
  std::vector<FlowCounters> counters() const;
  std::vector<Reception> receptions() const;
  const std::vector<std::int64_t>& sent_by_station() const { return sent_; }

 private:
  struct FlowState {
    std::uint32_t from_machine, to_machine;
    std::uint32_t from_ip = 0, to_ip = 0;
    std::uint32_t seen_ip = 0;  // of `from`, as `to` sees it: another behind a NAT
    Duration interval{0};       // between two packets, as the application makes them; 0: as fast as TCP goes
    std::uint16_t frame_bytes = 0;
    std::uint16_t response_frames = 0, response_bytes = 0;
    TimerIndex source = kNone, retransmit = kNone, delayed_ack = kNone;
    std::uint32_t next_number = 0;
    bool connected = false;
    std::uint8_t syn_tries = 0;
    Time last_echo{0};  // of the segment that the next delayed ACK answers
    TcpSender sender{};
    TcpReceiver receiver{};
    FlowCounters counters{};
    std::vector<Reception> members{};  // of the group that it goes to
    Duration delay_of_members{0};      // over all they got
  };

  void transmit(std::uint32_t station, Frame& frame) override;
  // Sends an IP packet from the machine: route, resolve, transmit.
  void send(std::uint32_t machine, Frame& frame);
  NeighbourIndex route(std::uint32_t machine, std::uint32_t ip);
  bool owns(std::uint32_t machine, std::uint32_t ip) const;
  bool is_for_its_nic(model::StationId vlan_device, AddressIndex destination) const;
  bool takes_shared(std::uint32_t machine, model::StationId alias, const Frame& frame);
  void take(std::uint32_t station, Frame& frame);
  void forward(std::uint32_t station, Frame& frame);
  void leave_tunnel(std::uint32_t machine, const Frame& packet);
  bool turn_back(std::uint32_t machine, Frame& frame);
  void deliver(std::uint32_t machine, std::uint32_t station, const Frame& frame);

  void find_ends(model::FlowId flow, FlowState& state) const;
  TimerIndex announce_at_times(std::uint32_t machine, const model::ArpSettings& settings, TimerKind kind);
  void advertise_router(std::uint32_t machine);

  Frame make(std::uint32_t flow, FrameKind kind, bool backward) const;
  bool active(std::uint32_t flow) const;
  void on_source(std::uint32_t flow);
  void send_to_group(std::uint32_t flow, Frame& frame);
  void take_from_group(std::uint32_t station, const Frame& frame);
  static void count_worst_member(const FlowState& flow, FlowCounters& counters);
  void count_delivery(FlowState& state, const Frame& frame, std::int64_t payload);

  void tcp_connect(std::uint32_t flow);
  void tcp_pump(std::uint32_t flow);
  void tcp_send_segment(std::uint32_t flow, std::uint32_t number);
  void tcp_on_timer(std::uint32_t flow);
  void tcp_acknowledge(std::uint32_t flow);
  void tcp_on_data(std::uint32_t flow, const Frame& frame);
  void tcp_on_ack(std::uint32_t flow, const Frame& frame);
  std::uint32_t tcp_available(std::uint32_t flow) const;

  const model::Model& model_;
  const Addresses& addresses_;
  Wires& wires_;
  Observer& observer_;
  Fabric& fabric_;
  Neighbours neighbours_;
  FirstHops first_hops_;
  Listeners listeners_;
  std::vector<bool> running_;
  std::vector<FlowState> flows_;
  std::vector<std::int64_t> sent_;                            // frames, by station
  std::unordered_map<std::uint64_t, NeighbourIndex> routes_;  // machine << 32 | destination
  struct Hidden {
    std::uint32_t shown = 0, hidden = 0;  // IP addresses
  };
  std::unordered_map<std::uint64_t, Hidden> translations_;  // machine << 32 | flow
  std::vector<TimerIndex> announce_timers_, nd_timers_;     // by machine; kNone: never announces again
  std::unordered_map<std::uint32_t, TimerIndex> router_timers_;
  // The last so many frames that went into tunnels, by number. No link holds more packets than that.
  std::vector<Inside> tunnelled_;
  std::uint32_t next_tunnelled_ = 0;
  std::uint64_t advertised_ = 0;  // router advertisements so far
};

}  // namespace sekimori::simulate
