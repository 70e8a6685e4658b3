// The tables in which the learning analysis (learning.h) keeps what it has proved: of each address, which
// streams support an entry for it, table by table.
#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "check/streams.h"

namespace sekimori::check {

// What supports an entry.
struct Support {
  Duration gap = base::kNever;   // the shortest certain one
  double least = 0;              // how often a second the most frequent certain one refreshes it at least
  double most = 0;               // frames a second of all possible ones together
  std::uint32_t count = 0;       // possible supports
  std::uint32_t stream = kNone;  // the certain one with the shortest gap, else the first possible one
  friend bool operator==(const Support&, const Support&) = default;

  // One more. `refreshes` a second are certain; 0 when it is only possible.
  void add(const Stream& s, std::uint32_t index, double refreshes) {
    if (refreshes > 0 && s.gap < gap) {
      gap = s.gap;
      stream = index;
    }
    least = std::max(least, refreshes);
    most += s.most;
    if (count++ == 0 && stream == kNone) stream = index;
  }
};

// What supports the entries of every address: table by table, and everywhere in the address's component at
// once.
struct Supports {
  struct Item {
    std::uint32_t table;
    Support support;
    friend bool operator==(const Item&, const Item&) = default;
  };
  std::vector<std::size_t> first;  // by address, into items
  std::vector<Item> items;         // one for each table
  std::vector<Support> everywhere;

  std::span<const Item> of(std::uint32_t address) const {
    return {items.data() + first[address], first[address + 1] - first[address]};
  }
  bool nowhere(std::uint32_t address) const { return of(address).empty() && everywhere[address].count == 0; }
  void clear(std::size_t addresses) {
    first.assign(addresses + 1, 0);
    items.clear();
    everywhere.assign(addresses, {});
  }
};

// Lists of numbers below `count` by key, as one array. What has the key kNone is in none.
struct Lists {
  std::vector<std::uint32_t> first, items;
  std::span<const std::uint32_t> of(std::uint32_t key) const {
    return {items.data() + first[key], first[key + 1] - first[key]};
  }
  template <class Key>
  static Lists by(std::size_t keys, std::size_t count, Key key) {
    Lists lists;
    lists.first.assign(keys + 1, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (key(i) != kNone) ++lists.first[key(i) + 1];
    }
    std::partial_sum(lists.first.begin(), lists.first.end(), lists.first.begin());
    lists.items.resize(lists.first.back());
    std::vector<std::uint32_t> at(lists.first.begin(), lists.first.end() - 1);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (key(i) != kNone) lists.items[at[key(i)]++] = i;
    }
    return lists;
  }
};

}  // namespace sekimori::check
