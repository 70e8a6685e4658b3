#include "wire/block_buffer.h"

#include <algorithm>

namespace sekimori::wire {

bool BlockBuffer::refill(std::size_t count) {
  if (ended_) return false;
  std::memmove(storage_.data(), storage_.data() + begin_, end_ - begin_);
  base_ += begin_;
  end_ -= begin_;
  begin_ = 0;
  if (count > storage_.size()) storage_.resize(count);
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
