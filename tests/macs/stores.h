// The stores that the registry's tests run on, each with a server of its own where it needs one.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "macs/sqlite_registry.h"
#include "tests/support/folder.h"

namespace sekimori::macs_tests {

using macs::Outcome;
using macs::Registry;
using testing::Folder;

template <class T>
T must(Outcome<T> outcome) {
  if (!outcome) throw std::runtime_error(outcome.error().what);
  return std::move(*outcome);
}
inline void must(Outcome<void> outcome) {
  if (!outcome) throw std::runtime_error(outcome.error().what);
}

inline macs::Pool pool(const std::string& name, std::string_view range,
                       macs::Policy policy = macs::Policy::kRandom, macs::Seconds quarantine = 100) {
  return {name, *macs::parse_pool_range(range), policy, quarantine};
}

inline std::vector<macs::Entry> everything(Registry& registry, const macs::Filter& filter = {}) {
  std::vector<macs::Entry> list;
  must(registry.list(filter, [&](const macs::Entry& entry) { list.push_back(entry); }));
  return list;
}

}  // namespace sekimori::macs_tests
