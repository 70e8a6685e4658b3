// Three wrongs, three mechanisms: a bad network is a Finding, a bad world (input, system) is an Error in a
// Result, and our own bug is an assertion (base/assert.h).
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace sekimori::base {

// `what` is a whole sentence for the user: what is wrong, where, what was expected or what to do.
struct Error {
  std::string what;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string what) { return std::unexpected(Error{std::move(what)}); }

}  // namespace sekimori::base
