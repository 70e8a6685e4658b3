// What a switch of the site is made of in the lab, and why.
#pragma once

#include <cstdint>
#include <string>

#include "model/model.h"

namespace sekimori::lab {

enum class Engine : std::uint8_t {
  kLinuxBridge,
  kLive,         // our own switching code, on packet sockets
  kOpenVSwitch,  // in its user-space datapath
};

// What this system has beside its kernel.
struct Facilities {
  bool open_vswitch = false;
  friend bool operator==(const Facilities&, const Facilities&) = default;
};

struct Choice {
  Engine engine;
  std::string why_live{};  // "Linux' bridge is no hosted-bridge", "sw1:3 has storm control"
};

Choice choose_engine(const model::Model& site, model::BridgeId bridge, const Facilities& facilities);

}  // namespace sekimori::lab
