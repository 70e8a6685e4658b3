#include "watch/batches.h"

#include <span>
#include <utility>

#include "watch/observer.h"

namespace sekimori::watch {

void Batches::describe(Batch& batch) {
  const auto known = reader_.interfaces();
  while (described_ < known.size()) batch.described.push_back({batch.glances.size(), known[described_++]});
}

void Batches::take_glance_at_last(Batch& batch) {
  if (batch.frames.back().interface >= described_) [[unlikely]]
    describe(batch);
  take_glance(batch.frames.back(), batch.glances.emplace_back());
}

bool Batches::next(Batch& batch) {
  auto& frames = batch.frames;
  frames.clear();
  batch.glances.clear();
  batch.described.clear();
  if (pending_) {
    frames.push_back(*std::exchange(pending_, std::nullopt));
    take_glance_at_last(batch);
  }
  reader_.give_spare(std::move(batch.block));
  while (reader_.next(frames.emplace_back())) {
    if (reader_.has_retired()) [[unlikely]] {
      batch.block = reader_.take_retired();
      if (frames.size() > 1) {
        pending_ = frames.back();
        frames.pop_back();
        return true;
      }
      reader_.give_spare(std::move(batch.block));
    }
    take_glance_at_last(batch);
  }
  frames.pop_back();
  describe(batch);
  // The last frames point into the block that was retired at the end, or that the reader holds.
  if (reader_.has_retired()) batch.block = reader_.take_retired();
  return !frames.empty() || !batch.described.empty();
}

void observe(Observer& observer, const Batch& batch) {
  std::size_t done = 0;
  const std::span<const wire::Frame> frames(batch.frames);
  const std::span<const Glance> glances(batch.glances);
  const auto up_to = [&](std::size_t end) {
    observer.frames(frames.subspan(done, end - done), glances.subspan(done, end - done));
    done = end;
  };
  for (const Batch::Described& described : batch.described) {
    up_to(described.before);
    observer.describe(described.interface);
  }
  up_to(frames.size());
}

}  // namespace sekimori::watch
