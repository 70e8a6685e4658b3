#include "wire/pcap_reader.h"

#include <fmt/format.h>

namespace sekimori::wire {
namespace {

constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4, kNanoseconds = 0xa1b23c4d;
// Alexey Kuznetzov's patched libpcap of the nineties put more into each record's header.
constexpr std::uint32_t kKuznetzov = 0xa1b2cd34;

}  // namespace

bool PcapReader::is_magic(const std::uint8_t* p) {
  std::uint32_t magic;
  std::memcpy(&magic, p, sizeof magic);
  for (const std::uint32_t known : {kMicroseconds, kNanoseconds, kKuznetzov}) {
    if (magic == known || magic == __builtin_bswap32(known)) return true;
  }
  return false;
}

base::Result<void> PcapReader::start(BlockBuffer& buffer) {
  if (!buffer.have(kFileHeader)) return base::fail("ends within the header of a pcap file.");
  const std::uint8_t* header = buffer.data();
  std::uint32_t magic;
  std::memcpy(&magic, header, sizeof magic);
  swapped_ = magic != kMicroseconds && magic != kNanoseconds && magic != kKuznetzov;
  magic = load(header);
  if (magic == kKuznetzov) {
    return base::fail(
        "is a pcap file in Kuznetzov's modified format (magic a1b2cd34), whose records differ; "
        "convert it with `editcap -F pcap IN OUT`.");
  }
  unit_ns_ = magic == kNanoseconds ? 1 : 1'000;
  const std::uint32_t version = load(header + 4);
  const std::uint32_t major =
      swapped_ == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) ? version >> 16 : version & 0xffff;
  if (major != 2)
    return base::fail(fmt::format("is a pcap file of version {}; version 2 was expected.", major));
  interface_.snap_length = load(header + 16);
  interface_.link_type =
      static_cast<LinkType>(load(header + 20) & 0xffff);  // above: whether frames have an FCS
  buffer.drop(kFileHeader);
  return {};
}

bool PcapReader::stop_at_end(const BlockBuffer& buffer) {
  if (buffer.error()) {
    problem_ = {false, buffer.error()->what};
  } else if (!buffer.available().empty()) {
    problem_ = {true, fmt::format("ends within the record of frame {} (at byte {}): {} bytes are there.",
                                  count_ + 1, buffer.position(), buffer.available().size())};
  }
  return false;
}

bool PcapReader::stop_damaged(const BlockBuffer& buffer, std::uint32_t captured) {
  problem_ = {
      false, fmt::format("is damaged: frame {} (at byte {}) claims {} captured bytes; at most {} make sense.",
                         count_ + 1, buffer.position(), captured, kMostCaptured)};
  return false;
}

}  // namespace sekimori::wire
