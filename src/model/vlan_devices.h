// The bridge of kind kVlanDevices that a builder puts below another (switching/vlan_devices.h).
#pragma once

#include <algorithm>

#include "model/model.h"

namespace sekimori::model {

// Its port towards the bridge above.
inline PortId way_up(const Model& m, BridgeId devices) {
  const auto& ports = m[devices].ports;
  return *std::ranges::find_if(ports, [&](PortId port) { return m[port].role == PortRole::kNetwork; });
}

}  // namespace sekimori::model
