#include "macs/follow.h"

#include <algorithm>

namespace sekimori::macs {

void Follower::set(const Entry& entry) {
  if (!matches(filter_, entry)) return gone(entry.mac);
  const auto [at, is_new] = known_.try_emplace(entry.mac, entry);
  if (!is_new && at->second == entry) return;
  at->second = entry;
  each_({has_begun_ ? Change::Kind::kSet : Change::Kind::kThere, entry});
}

void Follower::gone(Mac mac) {
  const auto at = known_.find(mac);
  if (at == known_.end()) return;
  each_({Change::Kind::kGone, at->second});
  known_.erase(at);
}

void Follower::is_all(const std::vector<Entry>& entries) {
  std::vector<Mac> over;
  for (const auto& [mac, entry] : known_) {
    if (!std::ranges::binary_search(entries, mac, {}, &Entry::mac)) over.push_back(mac);
  }
  for (const Mac mac : over) gone(mac);
  for (const Entry& entry : entries) set(entry);
  has_begun_ = true;
}

}  // namespace sekimori::macs
