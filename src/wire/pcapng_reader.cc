#include "wire/pcapng_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace sekimori::wire {
namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a, kInterfaceDescription = 1, kObsoletePacket = 2;
constexpr std::uint32_t kSimplePacket = 3, kEnhancedPacket = 6;
// No frames, but Wireshark shows and counts them as if they were: journal entries, system calls, custom
// blocks.
constexpr std::uint32_t kJournal = 9, kSystemCall = 0x204, kCustom = 0xbad, kCustomLocal = 0x40000bad;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;

constexpr std::uint16_t kIfName = 2, kIfDescription = 3, kIfMac = 6, kIfResolution = 9, kIfOffset = 14,
                        kPacketFlags = 2;

constexpr std::size_t kBlockOverhead = 12;  // type, length, and the length again
// Of a block that is held in memory: a frame, and some dozens of the longest options.
constexpr std::uint32_t kMostBlock = 4 * 1024 * 1024;

// More interfaces than this, over all sections, come from a damaged file; longer names are cut.
constexpr std::size_t kMostInterfaces = 1 << 17, kMostName = 256;

std::size_t padded(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

template <class T>
T load_native(const std::uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

std::string_view name_in(Bytes value) { return as_text(value.first(std::min(value.size(), kMostName))); }

bool is_held(std::uint32_t type) {
  return type == kEnhancedPacket || type == kSimplePacket || type == kObsoletePacket ||
         type == kInterfaceDescription;
}

bool is_counted(std::uint32_t type) {
  return type == kJournal || type == kSystemCall || type == kCustom || type == kCustomLocal;
}

}  // namespace

std::uint16_t PcapngReader::load16(const std::uint8_t* p) const {
  const auto v = load_native<std::uint16_t>(p);
  return swapped_ ? __builtin_bswap16(v) : v;
}
std::uint32_t PcapngReader::load32(const std::uint8_t* p) const {
  const auto v = load_native<std::uint32_t>(p);
  return swapped_ ? __builtin_bswap32(v) : v;
}
std::uint64_t PcapngReader::load64(const std::uint8_t* p) const {
  const auto v = load_native<std::uint64_t>(p);
  return swapped_ ? __builtin_bswap64(v) : v;
}

// The section header's type is a palindrome, so that it can be told before the byte order is known.
bool PcapngReader::is_magic(const std::uint8_t* p) { return load_native<std::uint32_t>(p) == kSectionHeader; }

base::Result<void> PcapngReader::start(BlockBuffer& buffer) {
  if (!read_section(buffer)) return base::fail(problem_->what);
  return {};
}

bool PcapngReader::next(BlockBuffer& buffer, Frame& frame) {
  while (!problem_) {
    block_position_ = buffer.position();
    if (!buffer.have(8)) {
      if (buffer.error() || !buffer.available().empty()) return ended_within(buffer, "the head of a block");
      return false;
    }
    const std::uint32_t type = load32(buffer.data());
    if (type == kSectionHeader) {
      if (!read_section(buffer)) return false;
      continue;
    }
    const std::uint32_t length = load32(buffer.data() + 4);
    if (length < kBlockOverhead || length % 4 != 0) {
      return damaged(fmt::format("a block of {} bytes cannot be", length));
    }
    if (!is_held(type)) {
      if (!buffer.skip(length)) return ended_within(buffer, "a block");
      if (is_counted(type)) ++count_;
      continue;
    }
    if (length > kMostBlock) return damaged(fmt::format("a block of {} bytes makes no sense", length));
    if (!buffer.have(length)) return ended_within(buffer, "a block");
    const std::uint8_t* block = buffer.data();
    if (load32(block + length - 4) != length) return damaged("the lengths at a block's ends differ");
    buffer.drop(length);  // stays readable until the next have()
    const Bytes body(block + 8, length - kBlockOverhead);
    if (type == kEnhancedPacket) return read_enhanced(body, frame);
    if (type == kObsoletePacket) return read_obsolete(body, frame);
    if (type == kSimplePacket) return read_simple(body, frame);
    if (!read_interface(body)) return false;
  }
  return false;
}

bool PcapngReader::read_section(BlockBuffer& buffer) {
  block_position_ = buffer.position();
  if (!buffer.have(28)) return ended_within(buffer, "a section header");
  const auto order = load_native<std::uint32_t>(buffer.data() + 8);
  if (order != kByteOrderMagic && order != __builtin_bswap32(kByteOrderMagic)) {
    return damaged(
        fmt::format("a section header has the byte-order magic {:08x}; 1a2b3c4d was expected", order));
  }
  swapped_ = order != kByteOrderMagic;
  const std::uint32_t length = load32(buffer.data() + 4);
  const std::uint16_t major = load16(buffer.data() + 12), minor = load16(buffer.data() + 14);
  if (major != 1)
    return damaged(fmt::format("pcapng of version {}.{}; version 1 was expected", major, minor));
  if (length < 28 || length % 4 != 0 || length > kMostBlock) {
    return damaged(fmt::format("a section header of {} bytes cannot be", length));
  }
  if (!buffer.skip(length)) return ended_within(buffer, "a section header");
  first_interface_ = interfaces_.size();
  ++sections_;
  return true;
}

bool PcapngReader::read_interface(Bytes body) {
  if (body.size() < 8) return damaged("an interface description is too short");
  if (interfaces_.size() == kMostInterfaces)
    return damaged(fmt::format("it describes more than {} interfaces", kMostInterfaces));
  CaptureInterface interface;
  Clock clock;
  interface.link_type = static_cast<LinkType>(load16(body.data()));
  interface.snap_length = load32(body.data() + 4);
  interface.section = sections_ - 1;
  Bytes options = body.subspan(8);
  while (const auto option = next_option(options)) {
    if (option->code == kIfName) interface.name = name_in(option->value);
    if (option->code == kIfDescription) interface.description = name_in(option->value);
    if (option->code == kIfMac && option->value.size() == 6)
      interface.mac = Mac::from_octets(option->value.data());
    if (option->code == kIfOffset && option->value.size() == 8) {
      clock.offset_seconds = static_cast<std::int64_t>(load64(option->value.data()));
    }
    if (option->code == kIfResolution && option->value.size() == 1 &&
        !set_resolution(clock, option->value[0])) {
      return false;
    }
  }
  interfaces_.push_back(std::move(interface));
  clocks_.push_back(clock);
  return true;
}

// Negative powers of ten, or with the highest bit set, of two.
bool PcapngReader::set_resolution(Clock& clock, std::uint8_t resolution) {
  const int exponent = resolution & 0x7f;
  if ((resolution & 0x80) != 0) {
    if (exponent > 63) return damaged(fmt::format("a clock of 2^-{} s is not supported", exponent));
    clock.multiplier = 1'000'000'000;
    clock.divisor = std::uint64_t{1} << exponent;
    return true;
  }
  if (exponent > 18) return damaged(fmt::format("a clock of 10^-{} s is not supported", exponent));
  clock.multiplier = clock.divisor = 1;
  for (int i = exponent; i < 9; ++i) clock.multiplier *= 10;
  for (int i = 9; i < exponent; ++i) clock.divisor *= 10;
  return true;
}

std::int64_t PcapngReader::nanoseconds(const Clock& clock, std::uint64_t ticks) const {
  using Wide = __int128_t;
  Wide time = static_cast<Wide>(ticks) * clock.multiplier;
  if (clock.divisor != 1) time /= clock.divisor;
  time += static_cast<Wide>(clock.offset_seconds) * 1'000'000'000;
  constexpr Wide kLeast = std::numeric_limits<std::int64_t>::min(),
                 kMost = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp(time, kLeast, kMost));
}

bool PcapngReader::read_enhanced(Bytes body, Frame& frame) {
  if (body.size() < 20) return damaged("an enhanced packet block is too short");
  const std::uint32_t captured = load32(&body[12]);
  if (!deliver(body.subspan(20), load32(&body[0]), captured, load32(&body[16]), frame)) return false;
  const std::uint64_t ticks = std::uint64_t{load32(&body[4])} << 32 | load32(&body[8]);
  frame.timestamp_ns = last_timestamp_ns_ = nanoseconds(clocks_[frame.interface], ticks);
  if (body.size() > 20 + padded(captured)) read_packet_flags(body.subspan(20 + padded(captured)), frame);
  return true;
}

bool PcapngReader::read_obsolete(Bytes body, Frame& frame) {
  if (body.size() < 20) return damaged("a packet block is too short");
  const std::uint32_t captured = load32(&body[12]);
  if (!deliver(body.subspan(20), load16(&body[0]), captured, load32(&body[16]), frame)) return false;
  const std::uint64_t ticks = std::uint64_t{load32(&body[4])} << 32 | load32(&body[8]);
  frame.timestamp_ns = last_timestamp_ns_ = nanoseconds(clocks_[frame.interface], ticks);
  if (body.size() > 20 + padded(captured)) read_packet_flags(body.subspan(20 + padded(captured)), frame);
  return true;
}

// A simple packet says neither interface (the section's first) nor time nor captured length.
bool PcapngReader::read_simple(Bytes body, Frame& frame) {
  if (body.size() < 4) return damaged("a simple packet block is too short");
  const std::uint32_t original = load32(&body[0]);
  std::uint32_t captured = original;
  if (first_interface_ < interfaces_.size() && interfaces_[first_interface_].snap_length != 0) {
    captured = std::min(captured, interfaces_[first_interface_].snap_length);
  }
  if (!deliver(body.subspan(4), 0, captured, original, frame)) return false;
  frame.has_timestamp = false;
  frame.timestamp_ns = last_timestamp_ns_;
  return true;
}

bool PcapngReader::deliver(Bytes packet, std::uint32_t interface, std::uint32_t captured,
                           std::uint32_t original, Frame& frame) {
  if (interface >= interfaces_.size() - first_interface_) {
    return damaged(fmt::format("frame {} is of interface {}, which the section does not describe", count_ + 1,
                               interface));
  }
  if (captured > packet.size() || captured > kMostCaptured) {
    return damaged(
        fmt::format("frame {} claims {} captured bytes, and its block has {}; at most {} make sense",
                    count_ + 1, captured, packet.size(), kMostCaptured));
  }
  frame.number = ++count_;
  frame.interface = static_cast<std::uint32_t>(first_interface_) + interface;
  frame.original_length = original;
  frame.link_type = interfaces_[frame.interface].link_type;
  frame.direction = Direction::unknown;
  frame.has_timestamp = true;
  frame.bytes = packet.first(captured);
  return true;
}

void PcapngReader::read_packet_flags(Bytes options, Frame& frame) const {
  while (const auto option = next_option(options)) {
    if (option->code != kPacketFlags || option->value.size() != 4) continue;
    const std::uint32_t direction = load32(option->value.data()) & 3;
    if (direction == 1) frame.direction = Direction::inbound;
    if (direction == 2) frame.direction = Direction::outbound;
  }
}

// Options that overrun their block end the list; the frame is good without them.
std::optional<PcapngReader::Option> PcapngReader::next_option(Bytes& options) const {
  if (options.size() < 4) return std::nullopt;
  const std::uint16_t code = load16(&options[0]), length = load16(&options[2]);
  if (code == 0 || length > options.size() - 4) return std::nullopt;
  const Option option{code, options.subspan(4, length)};
  options = options.subspan(std::min(options.size(), 4 + padded(length)));
  return option;
}

bool PcapngReader::damaged(std::string what) {
  problem_ = {false, fmt::format("is damaged at byte {}: {}.", block_position_, what)};
  return false;
}

bool PcapngReader::ended_within(const BlockBuffer& buffer, std::string_view what) {
  if (buffer.error()) {
    problem_ = {false, buffer.error()->what};
  } else {
    problem_ = {true, fmt::format("ends within {} that starts at byte {}, after frame {}.", what,
                                  block_position_, count_)};
  }
  return false;
}

}  // namespace sekimori::wire
