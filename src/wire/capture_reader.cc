#include "wire/capture_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace sekimori::wire {
namespace {

struct Lookalike {
  std::string_view magic;
  std::string_view advice;
};

// What people hand over instead of a capture, and what to do with it.
constexpr std::array kLookalikes = {
    Lookalike{"BZh", "It looks packed by bzip2: unpack it first."},
    Lookalike{"\xfd\x37zXZ", "It looks packed by xz: unpack it first."},
    Lookalike{"\x04\x22\x4d\x18", "It looks packed by lz4: unpack it first."},
    Lookalike{"PK\x03\x04", "It looks like a zip archive: unpack it first."},
    Lookalike{"snoop", "It looks like a snoop capture: convert it with `editcap -F pcapng IN OUT`."},
};

std::string not_a_capture(Bytes head) {
  const auto* lookalike =
      std::find_if(kLookalikes.begin(), kLookalikes.end(),
                   [&](const Lookalike& candidate) { return as_text(head).starts_with(candidate.magic); });
  return fmt::format(
      "is not a capture: it starts with {:02x}; pcap (a1b2c3d4 or a1b23c4d in either byte order) or pcapng "
      "(0a0d0d0a), "
      "plain or packed with gzip or zstd, was expected.{}{}",
      fmt::join(head.first(std::min<std::size_t>(head.size(), 4)), " "),
      lookalike != kLookalikes.end() ? " " : "", lookalike != kLookalikes.end() ? lookalike->advice : "");
}

}  // namespace

base::Result<CaptureReader> CaptureReader::open(ByteSource source, std::string name, std::size_t block) {
  auto unpacked = decompressed(std::move(source), name);
  if (!unpacked) return std::unexpected(unpacked.error());
  CaptureReader reader{BlockBuffer(std::move(*unpacked), block), std::move(name)};
  BlockBuffer& buffer = reader.buffer_;
  if (!buffer.have(5)) {  // the longest magic number above; every capture has more
    if (buffer.error()) return std::unexpected(*buffer.error());
    if (buffer.available().empty()) return base::fail(fmt::format("{} is empty.", reader.name_));
    return base::fail(fmt::format("{} {}", reader.name_, not_a_capture(buffer.available())));
  }
  base::Result<void> started;
  if (PcapReader::is_magic(buffer.data())) {
    reader.is_pcap_ = true;
    started = reader.pcap_.start(buffer);
  } else if (PcapngReader::is_magic(buffer.data())) {
    started = reader.pcapng_.start(buffer);
  } else {
    started = base::fail(not_a_capture(buffer.available()));
  }
  if (!started) return base::fail(fmt::format("{} {}", reader.name_, started.error().what));
  return reader;
}

base::Result<CaptureReader> CaptureReader::open_file(const std::string& path) {
  auto source = file_source(path);
  if (!source) return std::unexpected(source.error());
  return open(std::move(*source), path);
}

std::optional<CaptureProblem> CaptureReader::problem() const {
  auto problem = is_pcap_ ? pcap_.problem() : pcapng_.problem();
  // What the source says has the name in it.
  if (problem && !buffer_.error()) problem->what = fmt::format("{} {}", name_, problem->what);
  return problem;
}

std::span<const CaptureInterface> CaptureReader::interfaces() const {
  if (is_pcap_) return {&pcap_.interface(), 1};
  return pcapng_.interfaces();
}

}  // namespace sekimori::wire
