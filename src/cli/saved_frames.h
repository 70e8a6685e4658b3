// The frames of a live diagnosis in a pcapng file, from the first on and without gaps, so that their numbers
// in the file are those of the report.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cli/output.h"
#include "wire/frame.h"
#include "wire/pcapng_writer.h"

namespace sekimori::cli {

class SavedFrames {
 public:
  // `interface` tells where the frames come from; `limit` is in bytes of the file.
  static Step<SavedFrames> open(const std::string& path, std::uint64_t limit,
                                const wire::CaptureInterface& interface, Outputs& outputs);

  // Why saving ends with this frame: the limit is reached, or the disk is full.
  std::optional<std::string> add(const wire::Frame& frame);
  std::uint64_t count() const { return count_; }
  // Gives the file its name.
  Step<void> commit();

 private:
  struct File {
    explicit File(sys::OutputFile f)
        : file(std::move(f)),
          writer([this](wire::Bytes bytes) { return file.write(std::as_bytes(bytes)); }) {}
    sys::OutputFile file;
    wire::PcapngWriter writer;
  };
  SavedFrames(std::unique_ptr<File> file, std::uint64_t limit) : file_(std::move(file)), left_(limit) {}

  std::unique_ptr<File> file_;
  std::uint64_t left_ = 0, count_ = 0;
  bool ended_ = false, failed_ = false;
};

}  // namespace sekimori::cli
