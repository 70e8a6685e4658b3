// One pass over the frames: the cheap path for every frame, the deep one for the few that carry more than
// addresses.
//
// Cheap: both MACs and the tags are read, one hash finds the pair, and the pair knows its two stations. Three
// records are touched, each within one cache line. Deep: control protocols (ARP, Neighbor Discovery, DHCP,
// BPDUs, first-hop redundancy, LLDP, tunnels), every group frame (hashed whole, to know it again), and
// unicast to a station that has been silent for more than a second.
//
// Memory: a fixed number of bytes for each station, pair and address, up to Limits. What comes after a table
// is full is only counted (Untracked), and those who came first are kept: a flood of made-up addresses cannot
// push out what was known before it.
#pragma once

#include <span>

#include "watch/glance.h"
#include "watch/index.h"
#include "watch/observations.h"
#include "watch/twins.h"
#include "wire/decode.h"

namespace sekimori::watch {

class Observer {
 public:
  explicit Observer(Limits limits = {});

  // Interfaces must be told before their first frame; telling them again is harmless.
  void interfaces(std::span<const wire::CaptureInterface> known);
  void describe(const wire::CaptureInterface& next);  // the one after those that were told
  void frame(const wire::Frame& frame) { this->frame(frame, glance_at(frame)); }
  // Many at once cost less each: the memory is asked ahead for what they will touch.
  void frames(std::span<const wire::Frame> frames);
  // Likewise, where the glances were taken already.
  void frames(std::span<const wire::Frame> frames, std::span<const Glance> glances);

  // What finish() would give now.
  Observations so_far() const { return Observer(*this).finish(); }
  // Counters that are good at any time.
  std::size_t stations() const { return o_.stations.size(); }

  // Ends the pass. What is under way is closed; the observer must not be used any further.
  Observations finish();

 private:
  // A frame on its way through the observer.
  struct Seen {
    FrameRef ref;
    std::uint32_t scope = 0;
    Mac source{}, destination{};
    std::uint32_t from = kNobody, to = kNobody;
    wire::Direction direction = wire::Direction::unknown;
    std::uint32_t length = 0;
  };
  struct Recent {  // a group frame, to know it again
    std::uint64_t hash = 0;
    std::uint32_t copies = 0, replica = kNobody;
    wire::Direction direction = wire::Direction::unknown;
    FrameRef first, last;
  };
  struct Twin {  // a group frame, to know it at another interface
    std::uint64_t hash = 0;
    std::uint32_t interface = kNobody;
    Nanos at = 0;
  };
  struct Home {  // of a station, in captures of several interfaces
    std::uint32_t interface = 0, move = kNobody;
  };

  // observer.cc: the spine, and the tables.
  static constexpr std::size_t kAhead = 16;
  void ask_slots(std::span<const Glance> glances) const;
  void ask_pairs(std::span<const Glance> glances) const;
  void ask_stations(std::span<const Glance> glances) const;
  void frame(const wire::Frame& frame, const Glance& glance);
  void ethernet(Seen& seen, const Glance& glance, wire::Bytes bytes);
  void impossible_source(const Seen& seen, const Glance& glance, wire::Bytes bytes);
  void heard(const Seen& seen, const Glance& glance, wire::Bytes bytes);
  void cooked(Seen& seen, wire::Bytes bytes, wire::LinkType type);
  std::uint32_t scope_of(const Scope& scope);
  std::uint32_t scope_of(const Glance& glance, std::uint32_t interface);
  std::uint32_t station_of(std::uint32_t scope, Mac mac);
  std::uint32_t pair_of(Seen& seen, std::uint64_t hash);

  // observe_unicast.cc: floods, and how stations present themselves.
  void unicast(const Seen& seen, Station& to, std::uint32_t pair, wire::Bytes bytes);
  void spell_of(const Seen& seen, Station& to, wire::Bytes bytes);
  void close_spell(Station& station);
  void quiet_unicast(const Seen& seen, Station& to, std::uint32_t pair, wire::Bytes bytes);
  void presents_itself(const Seen& seen, Station& from, wire::Bytes packet);
  void persona(const Seen& seen, Station& station, std::uint8_t protocol, wire::Ipv4 ip, std::uint8_t ttl);
  void relayed(const Seen& seen, wire::Ipv4 from, wire::Ipv4 to);

  // observe_group.cc: copies, and stations in two places.
  void group(const Seen& seen, const wire::Ethernet& header, wire::Bytes bytes);
  bool replica(const Seen& seen, const wire::Ethernet& header, Recent& recent);
  bool reflected(const Seen& seen, const Recent& recent);
  bool twin(const Seen& seen, std::uint64_t hash);
  void crossing(const Seen& seen, Station& from, wire::Bytes bytes);
  void arrival(const Seen& seen, wire::Bytes bytes);

  // observe_control.cc: control protocols.
  void deep(const Seen& seen, wire::LinkType type, wire::Bytes bytes);
  void tcp(const Seen& seen, const wire::Packet& packet, const wire::Tcp& tcp);
  void arp(const Seen& seen, const wire::Arp& arp);
  void neighbour(const Seen& seen, const wire::Icmpv6& message, const wire::Ipv6Header& ip);
  void claim(const Seen& seen, const IpAddress& ip, Mac mac, bool reply, bool gratuitous, Mac told);
  void answer(const Seen& seen, Binding& binding, Claimant& claimant, Mac told);
  void probed(const Seen& seen, const IpAddress& ip);
  static void refuse(Binding& binding, FrameRef frame, Mac by);
  void asked(const Seen& seen, const IpAddress& ip);
  void dhcp(const Seen& seen, const wire::Dhcp& dhcp);
  void dhcp_client(const Seen& seen, const wire::Dhcp& dhcp);
  void dhcp_race(const Seen& seen, std::uint32_t xid, std::uint32_t server);
  void bpdu(const Seen& seen, const wire::Bpdu& bpdu);
  void topology(const Seen& seen, std::uint16_t instance, const wire::BridgeId& bridge, std::uint16_t port,
                bool flag);
  void first_hop(const Seen& seen, const wire::FirstHop& hello, wire::Ipv4 sender);
  void discovery(const Seen& seen, const wire::Discovery& discovery);
  const Binding* find_binding(std::uint32_t scope, const IpAddress& ip) const;
  Binding* binding(std::uint32_t scope, const IpAddress& ip);

  Observations o_;
  Index station_index_, pair_index_{1 << 14}, binding_index_;
  std::map<Scope, std::uint32_t> scope_index_;
  struct KnownScope {
    std::uint64_t key = ~std::uint64_t{0};
    std::uint32_t scope = kNobody;
  };
  std::array<KnownScope, 256> known_scopes_;  // of frames before; one that is not here is looked up
  std::vector<Recent> recent_;
  std::vector<Twin> twins_;
  TwinWatch twin_watch_;
  std::map<std::array<std::uint64_t, 2>, Home> homes_;
  std::size_t spells_kept_ = 0;
};

// The IPv4 address that a frame's sender gives itself, in ARP or IP; zero if none.
wire::Ipv4 sender_address(const wire::Ethernet& header, wire::Bytes bytes);
// Likewise the address that an IPv4 packet is for.
wire::Ipv4 receiver_address(const wire::Ethernet& header, wire::Bytes bytes);

}  // namespace sekimori::watch
