// The bytes of a simulated frame, for captures: every header as a real station would have written it.
#pragma once

#include "model/model.h"
#include "simulate/addresses.h"
#include "simulate/frame.h"
#include "wire/bytes.h"

namespace sekimori::simulate {

// Replaces the contents of `out` by the frame, without FCS, as it is on the wire at `now`.
void encode(const model::Model& model, const Addresses& addresses, const Frame& frame, wire::Buffer& out);
// Of a packet of a tunnel, around the bytes of the frame inside.
void encode_vxlan(const Addresses& addresses, const Frame& packet, std::uint32_t vni, wire::Bytes inner,
                  wire::Buffer& out);

// Of UDP and TCP the ports; of an ICMP echo, as flow hashes take it, type and code, and the identifier.
struct Ports {
  std::uint16_t source = 0, destination = 0;
};
Ports ports_of(const Frame& frame);

}  // namespace sekimori::simulate
