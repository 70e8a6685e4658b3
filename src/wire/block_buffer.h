// A window on a byte source: large blocks in, contiguous spans out, without copying but for the record that a
// block's end cuts.
//
// A block is read over by the next, unless there is a spare one: then the buffer goes on in that and retires
// the block, whose spans stay good for as long as its taker keeps it.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/result.h"
#include "wire/byte_source.h"
#include "wire/bytes.h"

namespace sekimori::wire {

class BlockBuffer {
 public:
  // A few of them fit into the cache of a core (2 MiB, where this was measured). Larger ones were no faster,
  // smaller ones no slower.
  static constexpr std::size_t kDefaultBlock = std::size_t{128} * 1024;

  explicit BlockBuffer(ByteSource source, std::size_t block = kDefaultBlock)
      : source_(std::move(source)), block_(block), storage_(block) {}

  // Whether `count` bytes lie at data(). If not, the source has ended (or failed, see error()).
  bool have(std::size_t count) {
    if (end_ - begin_ >= count) [[likely]]
      return true;
    return refill(count);
  }
  const std::uint8_t* data() const { return storage_.data() + begin_; }
  Bytes available() const { return Bytes(storage_).subspan(begin_, end_ - begin_); }
  // Only after have(count).
  void drop(std::size_t count) { begin_ += count; }
  // Drops bytes that need not be held at once; false if the source ends before.
  bool skip(std::uint64_t count);

  // For the next refill; used once. What it holds does not matter.
  void give_spare(Buffer block);
  bool has_retired() const { return !retired_.empty(); }
  Buffer take_retired() { return std::exchange(retired_, {}); }

  // Bytes dropped so far: the position in the (decompressed) file.
  std::uint64_t position() const { return base_ + begin_; }
  const std::optional<base::Error>& error() const { return error_; }

 private:
  bool refill(std::size_t count);
  void make_room(std::size_t count);

  ByteSource source_;
  std::size_t block_;
  Buffer storage_, spare_, retired_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t base_ = 0;  // position of the storage's first byte
  bool ended_ = false;
  std::optional<base::Error> error_;
};

}  // namespace sekimori::wire
