#include "cli/saved_frames.h"

#include <fmt/format.h>

namespace sekimori::cli {
namespace {

constexpr std::size_t kBlockBytes = 48;  // of a packet's block with its direction, without the frame

}  // namespace

Step<SavedFrames> SavedFrames::open(const std::string& path, std::uint64_t limit,
                                    const wire::CaptureInterface& interface, Outputs& outputs) {
  auto opened = outputs.open(path);
  if (!opened) return std::unexpected(opened.error());
  auto file = std::make_unique<File>(std::move(*opened));
  file->writer.add_interface({.name = interface.name,
                              .link_type = interface.link_type,
                              .snap_length = interface.snap_length,
                              .mac = interface.mac});
  return SavedFrames(std::move(file), limit);
}

std::optional<std::string> SavedFrames::add(const wire::Frame& frame) {
  if (ended_) return std::nullopt;
  const std::uint64_t bytes = frame.bytes.size() + kBlockBytes;
  if (bytes > left_) {
    ended_ = true;
    return fmt::format("{}: the limit is reached: frames from number {} on are not saved (--save-limit).",
                       file_->file.path(), frame.number);
  }
  left_ -= bytes;
  const auto done = file_->writer.write({.timestamp_ns = frame.timestamp_ns,
                                         .bytes = frame.bytes,
                                         .original_length = frame.original_length,
                                         .direction = frame.direction});
  if (!done) {
    ended_ = failed_ = true;
    return done.error().what + " No frames are saved any more; listening goes on.";
  }
  ++count_;
  return std::nullopt;
}

Step<void> SavedFrames::commit() {
  if (failed_) return {};  // it was told, and no half of a file remains
  if (auto done = file_->writer.flush(); !done) return stop(kFailed, done.error().what);
  if (auto done = file_->file.commit(); !done) return stop(kFailed, done.error().what);
  return {};
}

}  // namespace sekimori::cli
