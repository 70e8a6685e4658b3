#include "lab/live_frames.h"

#include <algorithm>
#include <cstring>

#include "wire/ethernet.h"
#include "wire/listening.h"
#include "wire/stp.h"

namespace sekimori::lab {
namespace {

constexpr std::size_t kAddressBytes = 12;

std::uint16_t read16(FrameBytes frame, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(frame[at]) << 8 |
                                    std::to_integer<unsigned>(frame[at + 1]));
}

bool is_tagged(FrameBytes frame) { return frame.size() >= 18 && read16(frame, kAddressBytes) == 0x8100; }

std::uint32_t read32(FrameBytes frame, std::size_t at) {
  return std::uint32_t{read16(frame, at)} << 16 | read16(frame, at + 2);
}

}  // namespace

std::uint16_t tag_of(FrameBytes frame) { return is_tagged(frame) ? read16(frame, 14) & 0xfff : 0; }

LiveSwitch::Frame read_frame(FrameBytes bytes) {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(bytes.data());
  LiveSwitch::Frame frame{.destination = model::Mac::from_octets(octets),
                          .source = model::Mac::from_octets(octets + 6),
                          .bytes = static_cast<std::uint32_t>(bytes.size())};
  frame.tag = tag_of(bytes);
  const std::size_t type = kAddressBytes + (is_tagged(bytes) ? kTagBytes : 0);
  frame.is_arp = read16(bytes, type) == wire::ethertype::kArp;
  frame.is_beacon = read16(bytes, type) == wire::ethertype::kVmwareBeacon;
  constexpr std::size_t kIpAddresses = 2 + 12;  // behind the EtherType
  if (read16(bytes, type) == 0x0800 && bytes.size() >= type + kIpAddresses + 8) {
    frame.source_ip = read32(bytes, type + kIpAddresses);
    frame.destination_ip = read32(bytes, type + kIpAddresses + 4);
  }
  return frame;
}

void read_group(FrameBytes bytes, LiveSwitch::Frame& frame) {
  if (!frame.destination.is_group() || frame.destination.is_broadcast()) return;
  const std::size_t type = kAddressBytes + (is_tagged(bytes) ? kTagBytes : 0);
  const wire::Bytes octets(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  constexpr std::size_t kIpv6Destination = 2 + 24;
  if (read16(bytes, type) == wire::ethertype::kIpv4 && frame.destination_ip != 0)
    frame.group = wire::to_group({frame.destination_ip});
  else if (read16(bytes, type) == wire::ethertype::kIpv6 && bytes.size() >= type + kIpv6Destination + 16)
    std::ranges::copy(octets.subspan(type + kIpv6Destination, 16), frame.group.octets.begin());
  frame.listening = wire::read_listening(octets);
}

wire::Bytes bpdu_in(FrameBytes frame) {
  constexpr std::size_t kHeaders = 17, kLeastLength = 3 + 4;
  if (frame.size() < kHeaders || read16(frame, 14) != 0x4242 || frame[16] != std::byte{3}) return {};
  const auto* octets = reinterpret_cast<const std::uint8_t*>(frame.data());
  const std::size_t length = read16(frame, kAddressBytes);  // with LLC
  if (model::Mac::from_octets(octets) != wire::kStpGroup || length < kLeastLength) return {};
  return {octets + kHeaders, std::min(length - 3, frame.size() - kHeaders)};
}

FrameBytes with_tag(FrameBytes frame, std::uint16_t from, std::uint16_t to, Scratch& scratch) {
  if (from == to) return frame;
  const std::size_t skip = kAddressBytes + (is_tagged(frame) ? kTagBytes : 0);
  std::size_t at = kAddressBytes;
  std::memcpy(scratch.data(), frame.data(), kAddressBytes);
  if (to != 0) {
    const std::byte tag[] = {std::byte{0x81}, std::byte{0}, static_cast<std::byte>(to >> 8),
                             static_cast<std::byte>(to & 0xff)};
    std::memcpy(&scratch[at], tag, kTagBytes);
    at += kTagBytes;
  }
  const std::size_t rest = std::min(frame.size() - skip, scratch.size() - at);
  std::memcpy(&scratch[at], frame.data() + skip, rest);
  return FrameBytes(scratch).first(at + rest);
}

}  // namespace sekimori::lab
