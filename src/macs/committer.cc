#include "macs/committer.h"

#include <algorithm>
#include <utility>

namespace sekimori::macs {

Committer::Committer(Open open, std::size_t lanes, std::size_t most) : open_(std::move(open)), most_(most) {
  for (std::size_t i = 0; i < lanes; ++i) lanes_.emplace_back([this] { run_lane(); });
}

Committer::~Committer() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  for (std::thread& lane : lanes_) lane.join();
}

void Committer::add(Task task) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(task));
  }
  changed_.notify_one();
}

Committer::Numbers Committer::numbers() const {
  const std::lock_guard lock(mutex_);
  return {tasks_, commits_, waiting_.size()};
}

std::vector<Committer::Task> Committer::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
  const auto count = static_cast<std::ptrdiff_t>(std::min(most_, waiting_.size()));
  std::vector<Task> tasks(std::move_iterator(waiting_.begin()), std::move_iterator(waiting_.begin() + count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  return tasks;
}

void Committer::run_lane() {
  std::unique_ptr<Registry> registry;
  for (;;) {
    const std::vector<Task> tasks = next();
    if (tasks.empty()) return;
    run(registry, tasks);
  }
}

void Committer::run(std::unique_ptr<Registry>& registry, const std::vector<Task>& tasks) {
  Outcome<void> committed;
  if (!registry) {
    auto opened = open_();
    if (opened)
      registry = std::move(*opened);
    else
      committed = std::unexpected(opened.error());
  }
  if (registry) {
    const auto work = [&] {
      for (const Task& task : tasks) task.work(*registry);
    };
    if (most_ > 1)
      committed = registry->together(work);
    else if (committed = registry->still_there(); committed)
      work();
    // It may have been mended or replaced when the next one comes.
    if (!committed && committed.error().kind == Failure::Kind::kDamaged) registry.reset();
  }
  tasks_ += tasks.size();
  ++commits_;
  for (const Task& task : tasks) task.done(committed);
}

}  // namespace sekimori::macs
