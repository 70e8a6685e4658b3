// What is played in a guest: bridges with VLAN filtering or without, stations with VLAN devices, and frames
// for them. The file of sites is an array of these, as they lie in memory: both sides are of one compiler.
// The answer is text: for each frame a line with the copies, "PORT.TAG" in hexadecimal, parted by blanks, and
// with the stations that take them, "+PORT.VLAN": at the far ends of the ports, and as PORT + kPorts at the
// ports themselves.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sekimori::guest {

constexpr std::size_t kPorts = 5, kFrames = 40, kStatics = 2, kTagged = 3;
constexpr std::array<std::uint16_t, kTagged> kVlans{10, 20, 30};

struct Port {
  std::uint16_t pvid;             // 0: untagged frames are dropped
  std::uint16_t tagged[kTagged];  // 0: none
  std::uint8_t learning, floods_unknown, isolated, hairpin;
  // Of the station's NIC, or of the bridge's own interface: bit v, a VLAN device for kVlans[v]; with an
  // address of its own.
  std::uint8_t vlan_devices, own_macs;
  // Likewise of the port itself, which is a NIC of the bridge's machine. The device of the first VLAN may
  // have the NIC's address.
  std::uint8_t lower_devices, first_has_nics_mac;
  std::uint64_t mac;  // of the NIC, where its stations are played
};

constexpr std::uint64_t mac_of_vlan_device(std::size_t port, std::size_t v) {
  return 0x0200'0001'0000u + port * kTagged + v;
}

constexpr std::uint64_t mac_of_lower_nic(std::size_t port) { return 0x0200'0003'0000u + port; }
constexpr std::uint64_t mac_of_lower_device(std::size_t port, std::size_t v, bool first_has_nics_mac) {
  return v == 0 && first_has_nics_mac ? mac_of_lower_nic(port) : 0x0200'0002'0000u + port * kTagged + v;
}

struct Static {
  std::uint64_t mac;  // 0: none
  std::uint16_t port, vlan;
};

enum class Sent : std::uint16_t {
  kAsItIs,     // by the NIC, with that tag or none
  kByDevice,   // by the NIC's VLAN device of that VID
  kPriority,   // by the NIC, with a tag of VID 0
  kTwoTags,    // by the NIC, with an inner tag as well
  kFromBelow,  // by the port's own VLAN device of that VID
};

struct Frame {
  std::uint64_t destination, source;
  std::uint16_t port, tag, inner;
  Sent sent;
};

// Port 0 is the bridge's own interface when it has one that is used.
struct Site {
  std::uint64_t mac;  // of the interface
  std::uint32_t ports;
  std::uint8_t has_interface, learning, ages_at_once, filters, has_stations;
  Port port[kPorts];
  Static statics[kStatics];
  Frame frames[kFrames];
};

}  // namespace sekimori::guest
