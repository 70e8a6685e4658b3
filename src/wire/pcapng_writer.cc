#include "wire/pcapng_writer.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace sekimori::wire {
namespace {

constexpr std::size_t kFlushAt = std::size_t{1} << 20;

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a, kInterfaceDescription = 1, kEnhancedPacket = 6;
constexpr std::uint16_t kEndOfOptions = 0, kComment = 1;
constexpr std::uint16_t kUserApplication = 4;  // of a section
// Of an interface.
constexpr std::uint16_t kIfName = 2, kIfDescription = 3, kIfMac = 6, kIfTimestampResolution = 9;
constexpr std::uint16_t kPacketFlags = 2;  // of a packet

Bytes bytes_of(std::string_view text) {
  // An option's length has 16 bits; longer text is cut rather than refused.
  return Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size())
      .first(std::min<std::size_t>(text.size(), 0xffff));
}

constexpr std::array<std::uint8_t, 4> little_endian(std::uint32_t v) {
  return {static_cast<std::uint8_t>(v), static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v >> 16),
          static_cast<std::uint8_t>(v >> 24)};
}

}  // namespace

PcapngWriter::PcapngWriter(ByteSink sink, std::string_view application) : sink_(std::move(sink)) {
  const std::size_t start = begin_block(kSectionHeader);
  put_u32(0x1a2b3c4d);  // tells the byte order, which is little endian everywhere for equal bytes
  put_u32(1);           // version 1.0
  put_u32(0xffffffff);  // the section's length is not known
  put_u32(0xffffffff);
  put_option(kUserApplication, bytes_of(application));
  put_option(kEndOfOptions, {});
  end_block(start);
}

std::uint32_t PcapngWriter::add_interface(const Interface& interface) {
  const std::size_t start = begin_block(kInterfaceDescription);
  put_u32(static_cast<std::uint32_t>(interface.link_type));
  put_u32(interface.snap_length);
  if (!interface.name.empty()) put_option(kIfName, bytes_of(interface.name));
  if (!interface.description.empty()) put_option(kIfDescription, bytes_of(interface.description));
  if (!interface.mac.is_zero()) put_option(kIfMac, interface.mac.octets());
  const std::uint8_t nanoseconds = 9;
  put_option(kIfTimestampResolution, {&nanoseconds, 1});
  put_option(kEndOfOptions, {});
  end_block(start);
  return interfaces_++;
}

base::Result<void> PcapngWriter::write(const Packet& packet) {
  SEKIMORI_ASSERT(packet.interface < interfaces_);
  if (error_) return std::unexpected(*error_);
  const auto length = static_cast<std::uint32_t>(packet.bytes.size());
  const auto time = static_cast<std::uint64_t>(packet.timestamp_ns);
  const std::size_t start = begin_block(kEnhancedPacket);
  put_u32(packet.interface);
  put_u32(static_cast<std::uint32_t>(time >> 32));
  put_u32(static_cast<std::uint32_t>(time));
  put_u32(length);
  put_u32(packet.original_length == 0 ? length : packet.original_length);
  put_padded(packet.bytes);
  if (!packet.comment.empty()) put_option(kComment, bytes_of(packet.comment));
  if (packet.direction != Direction::unknown) {
    put_option(kPacketFlags, little_endian(packet.direction == Direction::inbound ? 1 : 2));
  }
  if (!packet.comment.empty() || packet.direction != Direction::unknown) put_option(kEndOfOptions, {});
  end_block(start);
  if (buffer_.size() >= kFlushAt) return flush();
  return {};
}

base::Result<void> PcapngWriter::flush() {
  if (error_) return std::unexpected(*error_);
  auto written = sink_(buffer_);
  buffer_.clear();
  if (!written) error_ = written.error();
  return written;
}

// A block is its type, its length, its body, and its length again, so that files can be read backwards.
std::size_t PcapngWriter::begin_block(std::uint32_t type) {
  const std::size_t start = buffer_.size();
  put_u32(type);
  put_u32(0);
  return start;
}

void PcapngWriter::end_block(std::size_t start) {
  const auto length = static_cast<std::uint32_t>(buffer_.size() - start + 4);
  put_u32(length);
  const auto octets = little_endian(length);
  std::copy(octets.begin(), octets.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(start) + 4);
}

void PcapngWriter::put_u32(std::uint32_t v) {
  const auto octets = little_endian(v);
  buffer_.insert(buffer_.end(), octets.begin(), octets.end());
}

void PcapngWriter::put_option(std::uint16_t code, Bytes value) {
  put_u32(static_cast<std::uint32_t>(value.size()) << 16 | code);
  put_padded(value);
}

void PcapngWriter::put_padded(Bytes bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  buffer_.resize((buffer_.size() + 3) & ~std::size_t{3}, 0);
}

}  // namespace sekimori::wire
