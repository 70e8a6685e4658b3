// First-hop redundancy: VRRP (RFC 5798; RFC 3768) and HSRP (RFC 2281). Routers share an IP address, the
// gateway of a segment's hosts, and a virtual MAC that goes with it. One of them, the master (HSRP: active),
// has both.
//
// The master sends advertisements to a group of the protocol's own, every second (HSRP: hellos, every 3 s),
// and these have the virtual MAC as their source (RFC 5798 section 7.3; RFC 2281 section 5.1: "Hello packets
// from the active router use the virtual MAC address"). It answers ARP for the virtual address with the
// virtual MAC (RFC 5798 section 8.1.2). What it forwards leaves with the MAC of its own interface, as most
// products do it (keepalived, FRR, IOS): so the switches of the segment know the virtual MAC by the
// advertisements, and where these don't come, not at all.
//
// A backup that hears nothing for three intervals and a skew, which is the shorter the higher its priority
// (RFC 5798 section 6.1), is master then, and announces the address (gratuitous ARP, section 6.4.2), by which
// the switches learn the new place. A master that hears a better one gives way (6.4.3); a backup that hears a
// worse one takes over if it may preempt. In HSRP a standby, the best of the others, says hello as well, from
// its own MAC, and takes over after the hold time, 10 s.
//
// HSRP's states before Standby are not played, nor is VRRP's priority 0, by which a master resigns: a machine
// that stops is one that fails.
//
// FirstHopMember is a member's part in it, without a clock and without frames: the simulator
// (simulate/first_hop.h) and the lab (lab/live_shared.h) play the same one.
#pragma once

#include <cstddef>

#include "model/model.h"
#include "wire/first_hop.h"

namespace sekimori::switching {

struct FirstHopRank {
  std::uint8_t priority;
  model::Ipv4 address;  // of the router's own, on that NIC
};
// The higher priority wins, then the higher address (RFC 5798 section 6.4.3; RFC 2281 section 5.5.1).
constexpr bool outranks(FirstHopRank a, FirstHopRank b) {
  return a.priority != b.priority ? a.priority > b.priority : a.address.bits > b.address.bits;
}

inline FirstHopRank rank_of(const model::Model& m, const model::SharedAddress::Member& member) {
  return {member.priority, m[member.nic].ip.address};
}

// How long a backup waits for the next advertisement.
inline base::Duration patience(const model::SharedAddress& shared, std::uint8_t priority) {
  const base::Duration skew = shared.interval * (256 - priority) / 256;
  return shared.kind == model::SharedKind::kHsrp ? shared.hold + skew / 16 : 3 * shared.interval + skew;
}

// Of an advertisement without FCS: VRRP 14 + 20 + 20 (padded), HSRP 14 + 20 + 8 + 20, version 2 a TLV of 42.
inline std::uint16_t advertisement_bytes(const model::SharedAddress& shared) {
  if (shared.kind == model::SharedKind::kVrrp) return 60;
  return shared.version == 2 ? 84 : 62;
}

// What a member says, as master or as standby.
wire::FirstHop advertisement(const model::SharedAddress& shared, std::size_t member, bool standby);

class FirstHopMember {
 public:
  FirstHopMember(const model::Model& m, model::SharedId shared, std::size_t member)
      : m_(m), shared_(m[shared]), id_(shared), number_(member) {}

  // Begins with the network as it has settled: the best member that is plugged in is master. `better`: how
  // many that are plugged in outrank this one.
  void settle(std::size_t better, bool plugged, base::Time now);
  // Its machine has been switched on or off: it is no master, and begins as a backup.
  void restart(base::Time now);
  // An advertisement of another member.
  void hear(std::size_t sender, bool sender_is_standby, base::Time now);

  enum class Says : std::uint8_t { kNothing, kMaster, kStandby };
  struct Turn {
    Says says = Says::kNothing;
    bool took_over = false;  // and is to announce the address
  };
  // At the time that next_due() tells. Who is not plugged in, or whose machine is off, is no member.
  Turn on_time(bool plugged, base::Time now);
  base::Time next_due() const { return due_; }

  bool is_master() const { return master_; }
  model::SharedId shared() const { return id_; }
  std::size_t number() const { return number_; }
  const model::SharedAddress::Member& settings() const { return shared_.members[number_]; }

 private:
  void rule(bool master);
  void wait(base::Time now);

  const model::Model& m_;
  const model::SharedAddress& shared_;
  model::SharedId id_;
  std::size_t number_;
  bool master_ = false;
  bool standby_ = false;        // of HSRP, and says so
  base::Time better_until_{0};  // a better standby is believed to be there until then
  base::Time master_until_{0};  // and a master until then
  base::Time due_ = base::kNever;
};

}  // namespace sekimori::switching
