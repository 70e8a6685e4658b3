// The stores that the registry's tests run on, each with a server of its own where it needs one.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "macs/sqlite_registry.h"

namespace sekimori::macs_tests {

using macs::Outcome;
using macs::Registry;

// A folder under the system's own for temporary files, gone at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sekimori-macs-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

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
