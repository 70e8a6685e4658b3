// Frames by the block, with their glances: the unit in which a reading thread hands them to the observing
// one.
//
// A batch owns the block that its frames point into. What interfaces the file describes is told before the
// first frame of one of them, so that the observer learns it at the same frame wherever blocks end.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "watch/glance.h"
#include "wire/capture_reader.h"

namespace sekimori::watch {

class Observer;

struct Batch {
  struct Described {
    std::size_t before = 0;  // index of a frame
    wire::CaptureInterface interface;
  };

  std::vector<wire::Frame> frames;
  std::vector<Glance> glances;  // of each frame
  std::vector<Described> described;
  wire::Buffer block;
};

// One reader's frames. The last batch points into the reader, which must outlive it.
class Batches {
 public:
  explicit Batches(wire::CaptureReader& reader) : reader_(reader) {}

  // Fills a batch, whose block is used again; false at the end.
  bool next(Batch& batch);

 private:
  void take_glance_at_last(Batch& batch);
  void describe(Batch& batch);

  wire::CaptureReader& reader_;
  std::optional<wire::Frame> pending_;  // the first of the next batch
  std::size_t described_ = 0;
};

void observe(Observer& observer, const Batch& batch);

}  // namespace sekimori::watch
