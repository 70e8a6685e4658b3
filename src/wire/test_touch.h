// For tests and fuzzers: reads every byte that a decoded packet refers to, so that a sanitizer sees a view
// that reaches past its frame.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "wire/capture_reader.h"
#include "wire/decode.h"

namespace sekimori::wire::testing {

inline std::uint64_t touch(Bytes bytes) {
  std::uint64_t sum = 0;
  for (const std::uint8_t octet : bytes) sum = sum * 31 + octet;
  return sum;
}
inline std::uint64_t touch(std::string_view text) {
  return touch(Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

// Tunnels within tunnels are followed `depth` deep.
inline std::uint64_t touch(const Packet& packet, int depth = 4) {
  std::uint64_t sum = 0;
  const auto layer = [&](const auto& value) {
    using Layer = std::remove_cvref_t<decltype(value)>;
    if constexpr (requires { Bytes(value.payload); }) sum += touch(value.payload);
    if constexpr (std::is_same_v<Layer, Dhcp>) {
      sum += touch(value.hostname) + touch(value.vendor_class) + touch(value.client_id);
    } else if constexpr (std::is_same_v<Layer, Discovery>) {
      sum += touch(value.system_name) + touch(value.port_description) + touch(value.port_id) +
             touch(value.chassis_id);
    } else if constexpr (std::is_same_v<Layer, Bpdu>) {
      if (!value.mst) return;
      sum += touch(value.mst->region);
      for (std::size_t i = 0; i < value.mst->instances; ++i) sum += mst_instance(*value.mst, i).flags;
    }
  };
  std::visit(layer, packet.link);
  std::visit(layer, packet.network);
  std::visit(layer, packet.transport);
  std::visit(layer, packet.application);
  if (!packet.tunnel) return sum;
  sum += touch(packet.tunnel->frame);
  if (depth > 0) sum += touch(decode(LinkType::ethernet, packet.tunnel->frame), depth - 1);
  return sum;
}

// Every frame of a capture, read in blocks so small that many records lie across two; true if it could be
// opened at all.
inline bool touch_capture(ByteSource source) {
  auto reader = CaptureReader::open(std::move(source), "input", 512);
  if (!reader) return false;
  std::uint64_t sum = 0;
  for (Frame frame; reader->next(frame);) {
    sum += touch(frame.bytes) + touch(decode(frame.link_type, frame.bytes)) + frame.interface;
    if (frame.interface >= reader->interfaces().size()) __builtin_trap();
  }
  volatile std::uint64_t kept = sum;  // the compiler must not skip the reading
  static_cast<void>(kept);
  return true;
}

}  // namespace sekimori::wire::testing
