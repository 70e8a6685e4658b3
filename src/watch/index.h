// An open-addressed index over records that lie in a vector: 8 bytes a slot, half of them a tag, so that a
// miss hardly ever touches a record.
#pragma once

#include <cstdint>
#include <vector>

namespace sekimori::watch {

class Index {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  explicit Index(std::size_t slots = 1024) : slots_(slots, kEmpty) {}

  // The record with this hash for which `same(record)` holds, or kNone.
  template <class Same>
  std::uint32_t find(std::uint64_t hash, Same same) const {
    const std::size_t mask = slots_.size() - 1;
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
      const std::uint64_t slot = slots_[i];
      if (slot == kEmpty) return kNone;
      if (static_cast<std::uint32_t>(slot >> 32) == tag && same(static_cast<std::uint32_t>(slot))) {
        return static_cast<std::uint32_t>(slot);
      }
    }
  }

  // For looking ahead: asks the memory for the slot; and the record that very likely has this hash, or kNone.
  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }
  std::uint32_t guess(std::uint64_t hash) const {
    const std::uint64_t slot = slots_[hash & (slots_.size() - 1)];
    return slot != kEmpty && slot >> 32 == hash >> 32 ? static_cast<std::uint32_t>(slot) : kNone;
  }

  // `hash_of(record)` is asked again when the index grows.
  template <class HashOf>
  void insert(std::uint64_t hash, std::uint32_t record, HashOf hash_of) {
    if (2 * (count_ + 1) > slots_.size()) {
      std::vector<std::uint64_t> old(slots_.size() * 2, kEmpty);
      old.swap(slots_);
      for (const std::uint64_t slot : old) {
        if (slot != kEmpty)
          place(hash_of(static_cast<std::uint32_t>(slot)), static_cast<std::uint32_t>(slot));
      }
    }
    place(hash, record);
    ++count_;
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

  void place(std::uint64_t hash, std::uint32_t record) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash & mask;
    while (slots_[i] != kEmpty) i = (i + 1) & mask;
    slots_[i] = (hash >> 32) << 32 | record;
  }

  std::vector<std::uint64_t> slots_;
  std::size_t count_ = 0;
};

}  // namespace sekimori::watch
