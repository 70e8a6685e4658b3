// Typed indices: a site is plain arrays, and things refer to each other by index. The tag keeps a port's
// index from being used as a link's.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <limits>

namespace sekimori::base {

template <class Tag>
struct Id {
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t value = kNone;

  constexpr Id() = default;
  constexpr explicit Id(std::size_t v) : value(static_cast<std::uint32_t>(v)) {}

  constexpr bool valid() const { return value != kNone; }
  constexpr std::size_t index() const { return value; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

}  // namespace sekimori::base

template <class Tag>
struct std::hash<sekimori::base::Id<Tag>> {
  std::size_t operator()(sekimori::base::Id<Tag> id) const noexcept { return id.value; }
};
