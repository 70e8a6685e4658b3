// Reads captures in one stream, whatever their format: pcap and pcapng, packed with gzip or zstd or not, from
// files of any size.
//
//   auto reader = CaptureReader::open(std::move(source), "trace.pcap");
//   if (!reader) return std::unexpected(reader.error());
//   for (Frame frame; reader->next(frame);) ...
//   if (reader->problem()) ...          // the frames so far are good; say that the rest is missing
//
// Cost: a block of 128 KiB is read at a time, and frames are views into it; nothing is allocated or copied
// per frame. A frame is valid until the next call of next(). Who wants to keep many gives a spare block
// before each call: when next() had to read on, it leaves the frames before where they are and retires their
// block.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "wire/block_buffer.h"
#include "wire/byte_source.h"
#include "wire/frame.h"
#include "wire/pcap_reader.h"
#include "wire/pcapng_reader.h"

namespace sekimori::wire {

class CaptureReader {
 public:
  // Reads the head of the file. `name` is for the messages; `block` is how much is asked of the source at a
  // time.
  static base::Result<CaptureReader> open(ByteSource source, std::string name,
                                          std::size_t block = BlockBuffer::kDefaultBlock);
  static base::Result<CaptureReader> open_file(const std::string& path);

  // The next frame; false at the end, or where the file cannot be read any further.
  bool next(Frame& frame) {
    if (is_pcap_) [[likely]]
      return pcap_.next(buffer_, frame);
    return pcapng_.next(buffer_, frame);
  }

  void give_spare(Buffer block) { buffer_.give_spare(std::move(block)); }
  bool has_retired() const { return buffer_.has_retired(); }
  Buffer take_retired() { return buffer_.take_retired(); }

  // After next() was false: why, if not because of the file's proper end. A whole sentence.
  std::optional<CaptureProblem> problem() const;

  // Interfaces described so far; a pcapng file may add some at any time.
  std::span<const CaptureInterface> interfaces() const;
  const std::string& name() const { return name_; }

 private:
  CaptureReader(BlockBuffer buffer, std::string name) : buffer_(std::move(buffer)), name_(std::move(name)) {}

  BlockBuffer buffer_;
  bool is_pcap_ = false;
  PcapReader pcap_;
  PcapngReader pcapng_;
  std::string name_;
};

}  // namespace sekimori::wire
