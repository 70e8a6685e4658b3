// Hands values from one thread to another, in order. A relay may hold any number of them: what bounds it is
// that the values are few, and go back and forth between two relays.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace sekimori::base {

template <class T>
class Relay {
 public:
  void put(T value) {
    {
      const std::scoped_lock lock(mutex_);
      values_.push_back(std::move(value));
    }
    arrived_.notify_one();
  }

  // No more will come, or nobody wants them.
  void close() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    arrived_.notify_all();
  }

  // Waits for the next; none when the relay is closed and empty.
  std::optional<T> take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !values_.empty() || closed_; });
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<T> values_;
  bool closed_ = false;
};

}  // namespace sekimori::base
