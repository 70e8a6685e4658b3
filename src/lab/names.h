// Names that the kernel, `ip` and file systems all take, and that tell a lab's things apart.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>

namespace sekimori::lab {

constexpr std::size_t kLongestDevice = 15;  // IFNAMSIZ without the zero

// Of one namespace, or of one lab.
class NamePool {
 public:
  // As near to what is wanted as can be, and of nobody else.
  std::string take(std::string_view wanted, std::size_t longest);

 private:
  std::unordered_set<std::string> taken_;
};

}  // namespace sekimori::lab
