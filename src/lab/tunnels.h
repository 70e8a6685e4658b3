// The endpoints of VXLAN tunnels (switching/vxlan.h) as the kernel's devices: a device with the address of
// its machine's NIC that is the port of the member's switch at the same time. Every other endpoint is an
// entry of all zeros in its table: head-end replication.
//
// Linux ages what an endpoint has learnt in whole seconds, looks after them every ten at the latest, and,
// before 6.15, counts from the last frame in either direction (vxlan_fdb.used; vxlan_cleanup).
#pragma once

#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "lab/run.h"
#include "sys/namespaces.h"

namespace sekimori::lab {

// Of devices of a lab with tunnels: what travels below has room for frames of 1564 bytes, and NICs for what
// machines send, which their TCP segments (Traffic) keep to 1500.
constexpr std::uint32_t kRoomyMtu = 1600, kInnerMtu = 1500;
bool has_tunnels(const model::Model& site);

// `where`: the machine, and the namespace of the member's switch.
base::Result<void> make_tunnel_end(const model::Model& site, const PlannedBridge& end,
                                   const sys::Namespace& machine, const sys::Namespace& where);
base::Result<void> flush_tunnel_end(const PlannedBridge& end, const sys::Namespace& where);
base::Result<std::vector<TableEntry>> read_tunnel_end(const model::Model& site, const PlannedBridge& end,
                                                      const sys::Namespace& where);

}  // namespace sekimori::lab
