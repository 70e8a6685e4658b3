#include "switching/fdb.h"

#include <bit>
#include <map>

namespace sekimori::switching {

template <class Keep>
void Fdb::rebuild(Keep keep) {
  std::vector<Slot> old;
  old.swap(slots_);
  std::uint32_t kept = 0;
  for (const Slot& slot : old) kept += slot.key != 0 && keep(slot);
  const std::size_t size = std::bit_ceil(std::size_t{kept} * 4 + 16);
  slots_.assign(size, Slot{});
  shift_ = 64 - std::countr_zero(size);
  used_ = kept;
  dynamic_ = 0;
  for (const Slot& slot : old) {
    if (slot.key == 0 || !keep(slot)) continue;
    *find_slot(slot.key) = slot;
    dynamic_ += !slot.is_static;
  }
}

std::size_t Fdb::victim() const {
  std::map<PortIndex, std::uint32_t> counts;
  for (const Slot& slot : slots_) {
    if (slot.key != 0) ++counts[slot.port];
  }
  PortIndex fullest = 0;
  std::uint32_t most = 0;
  for (const auto& [port, count] : counts) {
    if (count > most) most = count, fullest = port;
  }
  std::size_t oldest = slots_.size();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.key == 0 || slot.port != fullest) continue;
    const bool older = oldest == slots_.size() || slot.seen < slots_[oldest].seen ||
                       (slot.seen == slots_[oldest].seen && slot.key < slots_[oldest].key);
    if (older) oldest = i;
  }
  return oldest;
}

// Linear probing: whoever stands behind the gap, and would rather stand before, moves up (Knuth, TAOCP 3,
// 6.4, algorithm R).
void Fdb::erase(std::size_t gap) {
  const bool was_static = slots_[gap].is_static;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = (gap + 1) & mask; slots_[i].key != 0; i = (i + 1) & mask) {
    const std::size_t wanted = home(slots_[i].key);
    if (((i - wanted) & mask) < ((i - gap) & mask)) continue;
    slots_[gap] = slots_[i];
    gap = i;
  }
  dynamic_ -= !was_static;
  slots_[gap] = Slot{};
  --used_;
}

Fdb::LearnResult Fdb::insert(std::uint64_t key, PortIndex port, Time now, Duration ageing, std::uint32_t most,
                             WhenFull when_full) {
  std::uint64_t evicted = 0;
  const auto live = [&](const Slot& slot) { return slot.is_static || now - slot.seen < ageing; };
  const bool evicts = when_full == WhenFull::kEvict;
  const auto full = [&] { return most != 0 && (evicts ? used_ : dynamic_) >= most; };
  if (full()) {
    // Expired entries still count. Drop them, but not at every frame of a table that refuses.
    if (evicts || now >= next_purge_) {
      rebuild(live);
      next_purge_ = now + ageing / 64;
    }
    if (full()) {
      if (!evicts) return {Learnt::kRefused, 0};
      const std::size_t index = victim();
      evicted = slots_[index].key;
      erase(index);
    }
  }
  if (std::size_t{used_} * 2 >= slots_.size()) rebuild([](const Slot&) { return true; });
  *find_slot(key) = {key, now, port, false};
  ++used_;
  ++dynamic_;
  if (evicted == 0) return {Learnt::kNew, port};
  return {Learnt::kEvicted, port, static_cast<std::uint16_t>(evicted >> 32),
          static_cast<AddressIndex>(evicted)};
}

void Fdb::set_static(std::uint16_t vlan, AddressIndex address, PortIndex port) {
  const std::uint64_t key = make_key(vlan, address);
  if (std::size_t{used_} * 2 >= slots_.size()) rebuild([](const Slot&) { return true; });
  Slot* slot = find_slot(key);
  if (slot->key == key) {
    dynamic_ -= !slot->is_static;
  } else {
    ++used_;
  }
  *slot = {key, Time{0}, port, true};
}

void Fdb::flush() {
  rebuild([](const Slot& slot) { return slot.is_static; });
}

void Fdb::flush_port(PortIndex port) {
  rebuild([&](const Slot& slot) { return slot.is_static || slot.port != port; });
}

void Fdb::forget_port(PortIndex port) {
  for (Slot& slot : slots_) {
    if (slot.key != 0 && !slot.is_static && slot.port == port && !is_forgotten(slot)) slot.seen -= kLongAgo;
  }
}

void Fdb::forget_unheard(Time now, Duration ageing) {
  for (Slot& slot : slots_) {
    if (slot.key != 0 && !slot.is_static && now - slot.seen >= ageing && !is_forgotten(slot))
      slot.seen -= kLongAgo;
  }
}

std::uint32_t Fdb::count_port(PortIndex port, Time now, Duration ageing) const {
  std::uint32_t count = 0;
  for (const Slot& slot : slots_) {
    count += slot.key != 0 && !slot.is_static && slot.port == port && now - slot.seen < ageing;
  }
  return count;
}

}  // namespace sekimori::switching
