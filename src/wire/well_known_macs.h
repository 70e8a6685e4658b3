// Addresses that everybody has: defaults of products, and patterns that come to many minds.
#pragma once

#include <optional>
#include <string_view>

#include "wire/mac.h"

namespace sekimori::wire {

// Whose address it is, as an apposition: "what QEMU gives a NIC without mac=".
std::optional<std::string_view> well_known(Mac mac);

}  // namespace sekimori::wire
