// One bridge of a site as it decides about real frames: the primitives of switching/ put together for a
// switch whose clock is the machine's. The simulator puts the same ones together for its own
// (simulate/fabric.h), where copies that nobody looks at are elided; tests hold the two against each other.
//
// Pure: frames come in as what a switch reads of them, and copies go out as a list of ports and tags.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/model.h"
#include "switching/beacon.h"
#include "switching/fdb.h"
#include "switching/registered.h"
#include "switching/snooping.h"
#include "switching/suppression.h"
#include "switching/token_bucket.h"
#include "switching/tree.h"

namespace sekimori::lab {

class LiveSwitch {
 public:
  LiveSwitch(const model::Model& site, model::BridgeId bridge);

  // What an ARP or Neighbor Discovery frame is about (switching/suppression.h).
  struct About {
    bool is_question = false, is_about_itself = false;
    model::Ipv4 ip;
    model::Ipv6 ip6;  // where `ip` is zero
  };
  // What a switch reads of a frame.
  struct Frame {
    model::Mac destination, source;
    std::uint16_t tag = 0;  // VLAN ID; 0: untagged or priority-tagged
    std::uint32_t bytes = 0;
    bool is_arp = false, is_beacon = false;
    std::uint32_t source_ip = 0, destination_ip = 0;  // of an IPv4 packet
    std::optional<About> about{};                     // for a switch that suppresses
    // For a switch that snoops: where an IP packet to a group address of Ethernet is for, else zero; and IGMP
    // or MLD.
    wire::Group group{};
    std::optional<wire::Listening> listening{};
  };
  struct Copy {
    model::PortId port;
    std::uint16_t tag = 0;  // to leave with; 0: untagged
    friend bool operator==(const Copy&, const Copy&) = default;
  };
  // What leaves when that frame has come in at `in`, in the order of the bridge's ports.
  const std::vector<Copy>& relay(model::PortId in, const Frame& frame, base::Time now);
  // Who has the address that the frame just relayed asked for: the bridge itself answers it, from that MAC
  // and out of the port it came in at (switching/suppression.h).
  std::optional<model::Mac> answer() const { return answer_; }
  bool suppresses() const { return suppresses_; }

  // What the switch itself sends untagged in the VLAN, to everybody: copies as relay() tells them.
  const std::vector<Copy>& everywhere(std::uint16_t vlan);

  // None: it does not snoop (switching/snooping.h).
  switching::Snooping* snooping() { return snooping_ ? &*snooping_ : nullptr; }

  struct Entry {
    model::Mac mac;
    std::uint16_t vlan;
    model::PortId port;
    base::Duration unheard;
    bool is_static;
  };
  std::vector<Entry> table(base::Time now) const;  // live entries, by VLAN and address
  void flush();

  // Whether the port's cable carries. What was learnt there goes with the carrier, that of a group of links
  // with the last one; a group and a team of uplinks use those that carry.
  void set_carrier(model::PortId port, bool on);
  // The group that the port is in, by the first member (switching/lag.h), and whether one of them carries.
  model::PortId group_of(model::PortId port) const;
  bool group_carries(model::PortId port) const;
  // A member of the group that carries; the port itself when none does.
  model::PortId any_member(model::PortId port) const;

  // NICs whose frames leave by another uplink since the last call, and by which: they are to be announced
  // there.
  using NicsAt = std::vector<std::pair<model::PortId, model::PortId>>;
  NicsAt moved_nics();

  // A frame that is a beacon has come in. True when it is one of the switch's own team, which is for nobody
  // else (switching/beacon.h).
  bool hear_beacon(model::PortId in, const Frame& frame);
  // Once each kBeaconInterval: what leaves now, each copy from the address of its uplink.
  const std::vector<Copy>& next_beacons();
  bool probes_with_beacons() const { return beacons_.has_value(); }

  // What a spanning tree says: what a port does (without one all forward), that what was learnt there is
  // void, that entries age after this time; zero: as configured.
  void set_state(model::PortId port, switching::tree::State state) { states_[port] = state; }
  void forget(model::PortId port) { fdb_.forget_port(port.value); }
  void set_fast_ageing(base::Duration ageing, base::Time now);
  void clear_states();  // its spanning tree is switched off

  // A change of its settings in use; of the spanning tree it knows nothing.
  void set(model::BridgeOption option, std::int64_t value);

 private:
  struct Policer {
    switching::TokenBucket broadcast, multicast, unknown_unicast;
  };
  // Addresses as small numbers. What comes after the bound is never learnt.
  static constexpr std::size_t kMostAddresses = 1 << 20;
  switching::AddressIndex intern(model::Mac mac);

  switching::tree::State state_of(model::PortId port) const {
    const auto known = states_.find(port);
    return known == states_.end() ? switching::tree::State::kForwarding : known->second;
  }
  bool forwards(model::PortId port) const {
    return states_.empty() || state_of(port) == switching::tree::State::kForwarding;
  }
  std::optional<std::uint16_t> vlan_of(model::PortId in, const Frame& frame) const;
  bool learn(model::PortId in, std::uint16_t vlan, model::Mac source, base::Time now);
  // As learn(), at a port that is not locked.
  bool remember(model::PortId in, std::uint16_t vlan, model::Mac source, base::Time now);
  bool admitted(model::PortId in, const Frame& frame, bool unknown, base::Time now);
  bool by_rule(model::PortId in, const Frame& frame);
  switching::Suppressed suppress(model::PortId in, std::uint16_t vlan, const Frame& frame, base::Time now);
  bool is_own(const About& about) const;
  // Where the frame goes by its group; none: nowhere.
  std::optional<switching::Spread> listen(model::PortId in, std::uint16_t vlan, const Frame& frame,
                                          base::Time now);
  void copy_to(model::PortId in, model::PortId out, std::optional<std::uint16_t> tag, const Frame& frame);
  std::optional<std::uint16_t> tag_at(model::PortId out, std::uint16_t vlan, const Frame& frame) const;
  bool guarded(model::PortId out, model::Mac destination) const;

  // Of the family `registers`.
  void relay_registered(model::PortId in, std::uint16_t vlan, const Frame& frame);
  switching::Destination registered_as(std::uint16_t vlan, const Frame& frame);
  void push(model::PortId out, std::uint16_t tag, const Frame& frame);
  NicsAt nics_at_uplinks() const;
  model::PortId chosen_uplink(model::PortId from, std::uint16_t vlan, model::Mac source,
                              const Frame* packet) const;
  bool is_plugged_in_at(model::PortId port, model::Mac mac) const;

  const model::Model& site_;
  model::Bridge bridge_;   // as it is now
  base::Duration ageing_;  // likewise
  switching::Fdb fdb_;
  std::unordered_map<model::PortId, switching::tree::State> states_;  // by a spanning tree
  std::unordered_map<model::Mac, switching::AddressIndex> addresses_;
  std::vector<model::Mac> macs_;
  std::unordered_multimap<model::Mac, model::PortId> attached_;  // stations that are plugged in here
  std::vector<model::PortId> uplinks_;
  std::optional<switching::Beacons> beacons_;
  std::unordered_map<model::PortId, std::vector<model::PortId>> groups_;  // of links, by each member
  std::unordered_set<model::PortId> dead_;                                // ports without a carrier
  NicsAt nics_at_;                                                        // of a team: NIC's port, uplink
  std::vector<model::PortId> registered_;                                 // scratch: where the destination is
  std::unordered_map<model::PortId, Policer> policers_;
  std::vector<Copy> copies_;
  bool suppresses_;
  std::optional<switching::Snooping> snooping_;
  std::vector<model::StationId> own_;  // what has its own interface as its NIC
  std::optional<model::Mac> answer_;
};

}  // namespace sekimori::lab
