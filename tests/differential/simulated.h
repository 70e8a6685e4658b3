// One bridge of a site in the simulator, asked frame by frame: what leaves at which of its ports.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/model.h"
#include "simulate/fabric.h"
#include "simulate/stacks.h"

namespace sekimori::differential {

class Simulated {
 public:
  Simulated(const model::Model& site, model::BridgeId bridge)
      : site_(site),
        bridge_(bridge),
        addresses_(site),
        audience_(addresses_),
        fabric_(site, addresses_, audience_, wires_, observer_, {}),
        stacks_(site, addresses_, audience_, wires_, observer_, fabric_) {}

  struct Frame {
    wire::Mac destination, source;
    std::uint16_t tag = 0;
    bool is_arp = false;
    // Of an ARP frame that matters as such: else they are equal. `is_nd`: of Neighbor Discovery, for targets
    // of `target_ip6`.
    bool is_reply = false, is_nd = false;
    std::uint32_t sender_ip = 0, target_ip = 0;
    wire::Ipv6 target_ip6{};
    // For a group that the site has: a packet, a report of who is in it, or, from that station, in all of its
    // groups; a general question, from `sender_ip` if it is one of IGMP.
    enum class ToGroup : std::uint8_t { kPacket, kOldReport, kReport, kQuery };
    std::optional<ToGroup> to_group{};
    wire::Group group{};
    model::StationId reporter{};
  };
  struct Copies {
    std::int64_t frames = 0, tagged = 0;
  };

  // By port, in the order of the bridge's. A multicast is one of VRRP to the simulator,
  // whatever group it is for.
  std::vector<Copies> relay(model::PortId in, const Frame& what, base::Time at) {
    wires_.advance(at);
    const auto before = counts();
    simulate::Frame frame;
    frame.src = addresses_.find(what.source);
    frame.dst = what.destination.is_group() ? simulate::kBroadcastAddress : addresses_.find(what.destination);
    frame.tag = what.tag;
    const bool multicast = what.destination.is_group() && !what.destination.is_broadcast();
    // UDP to the broadcast address is for a group.
    frame.kind = multicast                                         ? simulate::FrameKind::kAdvertisement
                 : !what.is_arp && what.destination.is_broadcast() ? simulate::FrameKind::kRarp
                 : !what.is_arp                                    ? simulate::FrameKind::kUdp
                 : what.is_reply                                   ? simulate::FrameKind::kArpReply
                                                                   : simulate::FrameKind::kArpRequest;
    frame.src_ip = what.sender_ip;
    frame.dst_ip = what.target_ip;
    if (what.is_nd) {
      frame.kind = what.is_reply ? simulate::FrameKind::kNeighborAdvertisement
                                 : simulate::FrameKind::kNeighborSolicitation;
      frame.dst_ip = addresses_.find(what.target_ip6);
      if (what.sender_ip == what.target_ip) frame.src_ip = frame.dst_ip;
      frame.number = frame.src;
    }
    if (what.is_arp) frame.number = frame.src;
    if (what.to_group) set_group(frame, what);
    fabric_.receive(in.value, frame);
    auto after = counts();
    std::vector<Copies> copies(after.size());
    for (std::size_t p = 0; p < after.size(); ++p) {
      const std::int64_t frames = after[p].frames - before[p].frames,
                         bytes = after[p].bytes - before[p].bytes;
      copies[p] = {frames, (bytes - frames * simulate::kLeastFrameBytes) / 4};
    }
    return copies;
  }

  // The bridge, a querier, begins to ask.
  void ask(base::Time at) {
    wires_.advance(at);
    fabric_.on_querier_timer(bridge_.value);
  }

  // The stations of a NIC that take a frame with this destination and tag, as each answers an ARP request
  // that comes so. They have IPv4 addresses.
  std::vector<model::StationId> takers(model::PortId nic, wire::Mac destination, std::uint16_t tag) {
    std::vector<model::StationId> takers;
    for (model::StationId s = site_[nic].station; s.valid(); s = site_[s].next_on_port) {
      simulate::Frame frame;
      frame.dst = destination.is_group() ? simulate::kBroadcastAddress : addresses_.find(destination);
      frame.src = frame.number = addresses_.of_station(s.value);
      frame.dst_ip = site_[s].ip.address.bits;
      frame.src_ip = ~frame.dst_ip;
      frame.tag = tag;
      frame.kind = simulate::FrameKind::kArpRequest;
      const auto before = stacks_.sent_by_station()[s.index()];
      stacks_.receive(nic.value, frame);
      if (stacks_.sent_by_station()[s.index()] != before) takers.push_back(s);
    }
    return takers;
  }

 private:
  void set_group(simulate::Frame& frame, const Frame& what) const {
    using simulate::FrameKind;
    constexpr FrameKind kKinds[] = {FrameKind::kUdp, FrameKind::kGroupReport, FrameKind::kGroupReport,
                                    FrameKind::kGroupQuery};
    frame.kind = kKinds[static_cast<std::size_t>(*what.to_group)];
    frame.dst_ip = addresses_.find_group(what.group);
    if (what.to_group == Frame::ToGroup::kQuery && what.sender_ip == 0) frame.src_ip = simulate::kNone;
    frame.ack = what.to_group != Frame::ToGroup::kReport;
    frame.number = what.reporter.value;
  }

  std::vector<simulate::LaneCounters> counts() {
    wires_.settle();
    std::vector<simulate::LaneCounters> all;
    for (const model::PortId port : site_[bridge_].ports) {
      const auto lane = fabric_.lane_out(port.value);
      all.push_back(lane == simulate::kNone ? simulate::LaneCounters{} : wires_.lane(lane).counters);
    }
    return all;
  }

  const model::Model& site_;
  model::BridgeId bridge_;
  simulate::Addresses addresses_;
  simulate::Audience audience_;
  simulate::Wires wires_;
  simulate::Observer observer_;
  simulate::Fabric fabric_;
  simulate::Stacks stacks_;
};

}  // namespace sekimori::differential
