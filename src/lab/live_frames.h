// What the live parts read of a frame's bytes, and how they put another tag on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lab/live_switch.h"
#include "sys/packet_socket.h"
#include "wire/bytes.h"

namespace sekimori::lab {

using FrameBytes = std::span<const std::byte>;

constexpr std::size_t kTagBytes = 4;

// The VLAN ID of the frame's tag; 0: it has none.
std::uint16_t tag_of(FrameBytes frame);
LiveSwitch::Frame read_frame(FrameBytes frame);
// And of a multicast, for a switch that snoops: its group, and IGMP or MLD.
void read_group(FrameBytes bytes, LiveSwitch::Frame& frame);
// What of a BPDU comes behind the LLC header; empty: it is none.
wire::Bytes bpdu_in(FrameBytes frame);

// The frame with another tag, or without one. `scratch` holds it where it differs.
using Scratch = std::array<std::byte, sys::kMostFrameBytes>;
FrameBytes with_tag(FrameBytes frame, std::uint16_t from, std::uint16_t to, Scratch& scratch);

}  // namespace sekimori::lab
