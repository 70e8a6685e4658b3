// Which bits a `group_fwd_mask` cannot have (net/bridge/br_private.h, BR_GROUPFWD_RESTRICTED and
// BR_GROUPFWD_MACPAUSE): spanning trees, pause and LACP in that of a Linux bridge, pause in a port's. What
// the others do is in switching/link_local.h.
#pragma once

#include <cstdint>

namespace sekimori::model {

constexpr std::uint16_t kBridgeMayNotForward = 0x0007, kPortMayNotForward = 0x0002;

}  // namespace sekimori::model
