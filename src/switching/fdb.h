// The forwarding database of one bridge (IEEE 802.1Q-2018 section 8.8): (VLAN, address) -> port.
//
// A dynamic entry is made or refreshed by each frame that carries the address as its source, and is good for
// the ageing time after the last of them (8.8.3; Linux: net/bridge/br_fdb.c, has_expired()). Expiry is
// decided when the table is asked, not by a sweep, so a table that nobody asks costs nothing. Static entries
// neither move nor age.
//
// When the table holds as many live entries as it may, a new address is not learnt, or drives another out
// (Open vSwitch, ovs.h); expired ones make room first. Addresses are interned: an index stands for a MAC,
// which keeps a slot small and the comparison one word.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"

namespace sekimori::switching {

using base::Duration;
using base::Time;

using AddressIndex = std::uint32_t;  // an interned MAC
using PortIndex = std::uint32_t;

class Fdb {
 public:
  struct Slot {
    std::uint64_t key = 0;  // 0 is free; see make_key
    Time seen{0};           // last frame with this source
    PortIndex port = 0;
    bool is_static = false;
  };

  enum class Learnt : std::uint8_t { kRefreshed, kNew, kMoved, kRefused, kEvicted, kStatic };
  struct LearnResult {
    Learnt what;
    PortIndex before;  // kMoved: where it was
    // kEvicted: learnt, at the cost of this one.
    std::uint16_t evicted_vlan = 0;
    AddressIndex evicted = 0;
  };
  enum class WhenFull : std::uint8_t { kRefuse, kEvict };

  // Notes that a frame from `address` came in at `port`. `most` bounds the dynamic entries, or all
  // when one is to be evicted (0: no bound).
  LearnResult learn(std::uint16_t vlan, AddressIndex address, PortIndex port, Time now, Duration ageing,
                    std::uint32_t most, WhenFull when_full = WhenFull::kRefuse) {
    const std::uint64_t key = make_key(vlan, address);
    Slot* slot = find_slot(key);
    if (slot != nullptr && slot->key == key) [[likely]] {
      if (slot->is_static) return {Learnt::kStatic, slot->port};
      const PortIndex before = slot->port;
      const bool fresh = now - slot->seen < ageing;
      slot->seen = now;
      if (before == port) [[likely]]
        return {fresh ? Learnt::kRefreshed : Learnt::kNew, before};
      slot->port = port;
      return {fresh ? Learnt::kMoved : Learnt::kNew, before};
    }
    return insert(key, port, now, ageing, most, when_full);
  }

  enum class Found : std::uint8_t { kHit, kExpired, kNone };
  struct LookupResult {
    Found what;
    PortIndex port;
  };

  LookupResult lookup(std::uint16_t vlan, AddressIndex address, Time now, Duration ageing) const {
    const Slot* slot = find(vlan, address);
    if (slot == nullptr) return {Found::kNone, 0};
    if (!slot->is_static && now - slot->seen >= ageing) return {Found::kExpired, slot->port};
    return {Found::kHit, slot->port};
  }

  // The entry whatever its age, for whoever explains why a lookup failed; null if there never was one.
  const Slot* find(std::uint16_t vlan, AddressIndex address) const {
    const std::uint64_t key = make_key(vlan, address);
    const Slot* slot = const_cast<Fdb*>(this)->find_slot(key);
    return slot != nullptr && slot->key == key ? slot : nullptr;
  }

  void set_static(std::uint16_t vlan, AddressIndex address, PortIndex port);
  // Forgets the dynamic entries, as a vanished link makes bridges do.
  void flush();
  void flush_port(PortIndex port);
  // Forgets them because the topology changed; what they were can still be asked.
  void forget_port(PortIndex port);
  void forget_unheard(Time now, Duration ageing);
  static constexpr bool is_forgotten(const Slot& slot) { return slot.seen < Time{0} - kLongAgo / 2; }
  // The last frame with this source, whether the entry was forgotten since or not.
  static constexpr Time heard(const Slot& slot) {
    return is_forgotten(slot) ? slot.seen + kLongAgo : slot.seen;
  }
  // Live dynamic entries of one port; for MAC limits, so the cost is that of a walk through the table.
  std::uint32_t count_port(PortIndex port, Time now, Duration ageing) const;
  std::size_t slots() const { return slots_.size(); }

  // All slots, free ones included (key 0), for whoever lists the table.
  const std::vector<Slot>& entries() const { return slots_; }
  static constexpr AddressIndex address_of(const Slot& slot) { return static_cast<AddressIndex>(slot.key); }
  static constexpr std::uint16_t vlan_of(const Slot& slot) {
    return static_cast<std::uint16_t>(slot.key >> 32 & 0xfff);
  }

 private:
  // An entry that was forgotten was last seen so long ago that no ageing time (at most 30 days) reaches
  // there.
  static constexpr Duration kLongAgo = base::seconds(50L * 86'400);

  static constexpr std::uint64_t make_key(std::uint16_t vlan, AddressIndex address) {
    return std::uint64_t{1} << 63 | std::uint64_t{vlan} << 32 | address;
  }

  // The slot that holds the key, or the free one where it would go; null while nothing was ever stored.
  Slot* find_slot(std::uint64_t key) {
    if (slots_.empty()) return nullptr;
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = home(key);
    while (slots_[i].key != key && slots_[i].key != 0) i = (i + 1) & mask;
    return &slots_[i];
  }

  LearnResult insert(std::uint64_t key, PortIndex port, Time now, Duration ageing, std::uint32_t most,
                     WhenFull when_full);
  // The least recently used entry, be it static, of the port with most of them (of several such ports: the
  // lowest). O(size).
  std::size_t victim() const;
  void erase(std::size_t index);
  std::size_t home(std::uint64_t key) const { return (key * 0x9e3779b97f4a7c15u) >> shift_; }
  // Rebuilds with the entries that `keep` accepts, with room for as many again.
  template <class Keep>
  void rebuild(Keep keep);

  std::vector<Slot> slots_;  // linear probing, at most half full; size a power of two
  int shift_ = 64;
  std::uint32_t used_ = 0;     // slots taken, expired ones included
  std::uint32_t dynamic_ = 0;  // of these not static
  Time next_purge_{0};         // a full table is not swept again before
};

}  // namespace sekimori::switching
