// For those who follow a registry: what they know, and what is news to them.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "macs/registry.h"

namespace sekimori::macs {

class Follower {
 public:
  Follower(const Filter& filter, const std::function<void(const Change&)>& each)
      : filter_(filter), each_(each) {}

  void set(const Entry& entry);
  void gone(Mac mac);
  // All that is there now, by address. The first time it is what was there from the beginning.
  void is_all(const std::vector<Entry>& entries);

 private:
  const Filter& filter_;
  const std::function<void(const Change&)>& each_;
  std::map<Mac, Entry> known_;
  bool has_begun_ = false;
};

}  // namespace sekimori::macs
