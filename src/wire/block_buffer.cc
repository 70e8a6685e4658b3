#include "wire/block_buffer.h"

#include <algorithm>

namespace sekimori::wire {

void BlockBuffer::give_spare(Buffer block) {
  if (block.size() != block_) block = Buffer(block_);  // one that grew for a large record has done its work
  spare_ = std::move(block);
}

// What is left of the block is moved to the front of the next, or of itself.
void BlockBuffer::make_room(std::size_t count) {
  const Bytes left = available();
  const std::size_t size = std::max(count, block_);
  if (!spare_.empty()) {
    Buffer next = std::exchange(spare_, {});
    if (next.size() < size) next.resize(size);
    std::copy(left.begin(), left.end(), next.begin());
    retired_ = std::exchange(storage_, std::move(next));
  } else {
    std::memmove(storage_.data(), left.data(), left.size());
    if (storage_.size() < size) storage_.resize(size);
  }
  base_ += begin_;
  end_ -= begin_;
  begin_ = 0;
}

bool BlockBuffer::refill(std::size_t count) {
  if (ended_) return false;
  make_room(count);
  while (end_ < count) {
    const auto got = source_(std::span(storage_).subspan(end_));
    if (!got) error_ = got.error();
    if (!got || *got == 0) {
      ended_ = true;
      return false;
    }
    end_ += *got;
  }
  return true;
}

bool BlockBuffer::skip(std::uint64_t count) {
  while (count > 0) {
    if (!have(1)) return false;
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(count, end_ - begin_));
    drop(now);
    count -= now;
  }
  return true;
}

}  // namespace sekimori::wire
