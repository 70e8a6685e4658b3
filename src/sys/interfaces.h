// The machine's network interfaces, as rtnetlink(7) and getifaddrs(3) tell of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/ip.h"
#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::sys {

struct Ipv6Prefix {
  wire::Ipv6 address{};
  int length = 128;

  bool contains(const wire::Ipv6& other) const;
};

struct NetworkInterface {
  std::string name;
  unsigned index = 0;
  std::uint16_t hardware = 0;  // ARPHRD_; 1 is Ethernet
  wire::Mac mac{};             // zero unless it has six octets
  bool up = false;             // by its administrator
  bool running = false;        // its link is there
  bool is_port = false;        // of a bridge, a bond or another virtual switch of this machine
  std::vector<wire::Ipv4Prefix> ipv4;
  std::vector<Ipv6Prefix> ipv6;  // link-local ones, too
};

// The error names the nearest that exist.
base::Result<NetworkInterface> find_interface(const std::string& name);

std::vector<std::string> interface_names();

}  // namespace sekimori::sys
