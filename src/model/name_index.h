// Finds things by name among millions. It holds ids only: the names stay in the arrays of the model, and the
// caller compares. Eight bytes a slot, at most half of the slots in use, no allocation per entry.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"

namespace sekimori::model {

class NameIndex {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  // Names are unique within an owner: a port's in its bridge, a NIC's in its machine.
  static std::uint64_t hash(std::uint32_t owner, std::string_view name) {
    return base::mix64(std::hash<std::string_view>()(name) ^ std::uint64_t{owner} << 32);
  }

  // `is_it(id)` compares owner and name. Answers kNone when there is none.
  template <class IsIt>
  std::uint32_t find(std::uint64_t hash, IsIt is_it) const {
    if (slots_.empty()) return kNone;
    return slots_[find_slot(hash, is_it)].id;
  }

  // The id of that name, and true when it is the one just added.
  template <class IsIt>
  std::pair<std::uint32_t, bool> add(std::uint64_t hash, std::uint32_t id, IsIt is_it) {
    if (2 * (used_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[find_slot(hash, is_it)];
    if (slot.id != kNone) return {slot.id, false};
    slot = {static_cast<std::uint32_t>(hash), id};
    ++used_;
    return {id, true};
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;  // the low half
    std::uint32_t id = kNone;
  };

  template <class IsIt>
  std::size_t find_slot(std::uint64_t hash, IsIt is_it) const {
    const auto low = static_cast<std::uint32_t>(hash);
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = low & mask;
    while (slots_[i].id != kNone && (slots_[i].hash != low || !is_it(slots_[i].id))) i = (i + 1) & mask;
    return i;
  }

  void grow() {
    constexpr std::size_t kLeast = 64;
    std::vector<Slot> before(slots_.empty() ? kLeast : slots_.size() * 2);
    before.swap(slots_);
    for (const Slot& slot : before) {
      if (slot.id != kNone) slots_[find_slot(slot.hash, [](std::uint32_t) { return false; })] = slot;
    }
  }

  std::vector<Slot> slots_;  // linear probing; the size is a power of two
  std::size_t used_ = 0;
};

}  // namespace sekimori::model
