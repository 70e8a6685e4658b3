// Hands values from one thread to another, in order. A relay may hold any number of them: what bounds it is
// that the values are few, and go back and forth between two relays.
#pragma once

#include <atomic>
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
      held_.store(values_.size(), std::memory_order_relaxed);
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
    for (unsigned i = 0; i < kPauses && held_.load(std::memory_order_relaxed) == 0; ++i) pause();
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !values_.empty() || closed_; });
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    held_.store(values_.size(), std::memory_order_relaxed);
    return value;
  }

 private:
  // Going to sleep and being woken costs both sides more than a value that comes every 20 us; so a taker
  // looks for about 200 us before it sleeps.
  static constexpr unsigned kPauses = 5000;
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::atomic<std::size_t> held_ = 0;  // values_.size(), to be looked at without the lock
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<T> values_;
  bool closed_ = false;
};

}  // namespace sekimori::base
