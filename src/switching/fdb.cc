#include "switching/fdb.h"

#include <bit>

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

Fdb::LearnResult Fdb::insert(std::uint64_t key, PortIndex port, Time now, Duration ageing,
                             std::uint32_t most) {
  const auto live = [&](const Slot& slot) { return slot.is_static || now - slot.seen < ageing; };
  if (most != 0 && dynamic_ >= most) {
    // Expired entries still count in dynamic_. Drop them, but not at every frame of a table that stays full.
    if (now >= next_purge_) {
      rebuild(live);
      next_purge_ = now + ageing / 64;
    }
    if (dynamic_ >= most) return {Learnt::kRefused, 0};
  }
  if (std::size_t{used_} * 2 >= slots_.size()) rebuild([](const Slot&) { return true; });
  *find_slot(key) = {key, now, port, false};
  ++used_;
  ++dynamic_;
  return {Learnt::kNew, port};
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

std::uint32_t Fdb::count_port(PortIndex port, Time now, Duration ageing) const {
  std::uint32_t count = 0;
  for (const Slot& slot : slots_) {
    count += slot.key != 0 && !slot.is_static && slot.port == port && now - slot.seen < ageing;
  }
  return count;
}

}  // namespace sekimori::switching
