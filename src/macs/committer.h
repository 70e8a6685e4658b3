// Many requests, few commits: the work of all clients that wait at a moment is done in one transaction.
//
// A durable commit costs a write to the disk and a wait for it, 0.1 to 10 ms, whatever is in it. While one
// commit is under way requests gather; the next takes them all. So the rate follows the load by itself, with
// no timer and no delay when nobody else asks. (Group commit: DeWitt and others, "Implementation Techniques
// for Main Memory Database Systems", SIGMOD 1984.)
//
// Each request stays all or none in itself, and is answered only when the transaction that holds it is
// durable; if that fails, all of its requests failed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "macs/registry.h"

namespace sekimori::macs {

class Committer {
 public:
  using Open = std::function<Outcome<std::unique_ptr<Registry>>()>;
  // Both are called in a thread of this object's: `work`, unless the registry can't be opened, then `done`.
  struct Task {
    std::function<void(Registry&)> work;
    std::function<void(const Outcome<void>& committed)> done;
  };

  // `lanes` threads, each with a registry of its own, that take up to `most` tasks together. One lane and
  // many together suit a file; many lanes with one each a store that joins requests by itself.
  Committer(Open open, std::size_t lanes, std::size_t most);
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;
  ~Committer();  // what was added is done first

  void add(Task task);

  struct Numbers {
    std::uint64_t tasks, commits, waiting;
  };
  Numbers numbers() const;

 private:
  void run_lane();
  std::vector<Task> next();  // waits; none: the end
  void run(std::unique_ptr<Registry>& registry, const std::vector<Task>& tasks);

  Open open_;
  std::size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> waiting_;
  bool ends_ = false;
  std::atomic<std::uint64_t> tasks_ = 0, commits_ = 0;
  std::vector<std::thread> lanes_;
};

}  // namespace sekimori::macs
