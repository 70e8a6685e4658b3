// What a switch or a guest of the site is made of in the lab, and why.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rate.h"
#include "base/time.h"
#include "model/model.h"

namespace sekimori::lab {

// Links at least this fast are not shaped: this machine is the bound.
constexpr base::BitRate kShapedBelow = base::gbit(1);
// Shorter delays are those of the veth pairs themselves.
constexpr base::Duration kDelayedFrom = base::microseconds(500);

enum class Engine : std::uint8_t {
  kLinuxBridge,
  kLive,         // our own switching code, on packet sockets
  kOpenVSwitch,  // in its user-space datapath
  kMacvlan,      // devices on the NIC of the host
  kVxlan,        // a device that is an endpoint of a tunnel and the port of its switch
};

// What this system has that not all have.
struct Facilities {
  bool open_vswitch = false;
  bool macvlan = false;
  bool vxlan = true;                      // without it tunnels are not built
  bool qemu = false;                      // qemu-system-x86_64
  std::vector<std::string> lost_files{};  // of the guests' images: those that are not there
  friend bool operator==(const Facilities&, const Facilities&) = default;
};

struct Choice {
  Engine engine;
  std::string why_live{};  // "Linux' bridge is no hosted-bridge", "sw1:3 has storm control"
};

// Whether this setting can be changed in use. What has no meaning for a kind is no change.
bool can_change(Engine engine, model::BridgeOption option);
// Whether a guest with an image boots it. If not, a namespace stands for it, like for one without.
struct GuestChoice {
  bool boots = false;
  std::string why_not{};  // "qemu-system-x86_64 is not installed"; empty: it has no image
};

GuestChoice choose_guest(const model::Model& site, model::MachineId guest, const Facilities& facilities);

Choice choose_engine(const model::Model& site, model::BridgeId bridge, const Facilities& facilities);

}  // namespace sekimori::lab
