// Bytes as they travel: spans of octets, big-endian numbers ("network order"), and why a decoder may give up.
//
// Nothing here trusts a length found in a frame. `Cursor` is the one way in which decoders walk over bytes: a
// read past the end yields zero, reads nothing, and is remembered, so a decoder reads straight on and asks
// once at the end whether all of it was there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::wire {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

// Why a header could not be decoded.
enum class Defect : std::uint8_t {
  truncated,    // the captured bytes end before the header does: a short capture length, or a cut frame
  malformed,    // the fields contradict each other or the standard
  unsupported,  // another protocol or version than this decoder knows
};

template <class T>
using Parsed = std::expected<T, Defect>;

constexpr std::uint16_t read_be16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}
constexpr std::uint32_t read_be32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

// Bytes as text, for names that protocols carry; not checked to be printable.
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Cursor {
 public:
  constexpr explicit Cursor(Bytes bytes) : rest_(bytes) {}

  constexpr bool ok() const { return ok_; }
  constexpr bool empty() const { return rest_.empty(); }
  constexpr std::size_t left() const { return rest_.size(); }
  constexpr Bytes rest() const { return rest_; }

  constexpr std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  constexpr std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  constexpr std::uint32_t u24() { return static_cast<std::uint32_t>(number(3)); }
  constexpr std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  constexpr Mac mac() { return Mac{number(6)}; }
  constexpr Ipv4 ipv4() { return Ipv4{u32()}; }
  constexpr void skip(std::size_t count) { take(count); }

  // The next `count` bytes, or nothing at all.
  constexpr Bytes take(std::size_t count) {
    if (count > rest_.size()) {
      fail();
      return {};
    }
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  // What is there of the next `count` bytes: for payloads, of which a short capture keeps only the start.
  constexpr Bytes take_up_to(std::size_t count) { return take(count < rest_.size() ? count : rest_.size()); }

 private:
  constexpr std::uint64_t number(std::size_t octets) {
    std::uint64_t value = 0;
    for (const std::uint8_t octet : take(octets)) value = value << 8 | octet;
    return value;
  }
  constexpr void fail() {
    ok_ = false;
    rest_ = {};
  }

  Bytes rest_;
  bool ok_ = true;
};

// Appending, for those who build frames.
inline void put_u8(Buffer& out, std::uint8_t v) { out.push_back(v); }
inline void put_be16(Buffer& out, std::uint16_t v) {
  out.push_back(static_cast<std::uint8_t>(v >> 8));
  out.push_back(static_cast<std::uint8_t>(v));
}
inline void put_be32(Buffer& out, std::uint32_t v) {
  put_be16(out, static_cast<std::uint16_t>(v >> 16));
  put_be16(out, static_cast<std::uint16_t>(v));
}
inline void put_mac(Buffer& out, Mac mac) {
  for (const std::uint8_t octet : mac.octets()) out.push_back(octet);
}

}  // namespace sekimori::wire
