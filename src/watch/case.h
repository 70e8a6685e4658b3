// What detectors work with: the observations, the places, names for what they speak of; and the results that
// they write.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "findings/finding.h"
#include "watch/observations.h"
#include "watch/place.h"

namespace sekimori::watch {

using findings::Certainty;
using findings::Code;
using findings::Finding;
using findings::Severity;

class Site;

class Case {
 public:
  Case(const Observations& observations, std::vector<View> views, const Site* site = nullptr);

  const Observations& o;
  const std::vector<View> views;
  const Site* const site;  // none: nothing is declared

  const View& view(std::uint32_t scope) const { return views[o.scopes[scope].interface]; }
  const Station* station(std::uint32_t scope, Mac mac) const;
  std::span<const std::uint32_t> stations_in(std::uint32_t scope) const;  // indices into o.stations
  // Whether ARP or Neighbor Discovery tells, at whatever interface, that the MAC has this address.
  bool claims(Mac mac, const IpAddress& ip) const {
    return std::ranges::binary_search(claims_, std::pair(mac, ip));
  }
  // The IP addresses that a MAC has claimed and nobody else.
  const std::vector<const Binding*>& bindings_of(std::uint32_t scope, Mac mac) const;

  std::string name(std::uint32_t scope, Mac mac) const;  // "02:..:09 (10.0.0.9)", "app:net0 (02:..:09)"
  std::string where(std::uint32_t scope) const;  // "eth0, VLAN 12"; empty when there is only one place
  std::string interface_name(std::uint32_t interface) const;
  base::Time time(FrameRef frame) const;  // since the first frame

  // Appends the frame to the finding's evidence.
  void show(Finding& finding, FrameRef frame, std::string what) const;

 private:
  std::map<std::pair<std::uint32_t, Mac>, std::vector<const Binding*>> bindings_by_mac_;
  std::vector<std::pair<Mac, IpAddress>> claims_;  // sorted; a set would take three times as much
  std::vector<std::uint32_t> by_mac_;              // stations in the order of scope and MAC
};

// Findings, and what an earlier detector tells later ones.
struct Results {
  std::vector<Finding> findings;
  std::vector<std::string> remarks;  // what was left out
  std::set<std::uint32_t> looping;   // scopes: in a loop everything moves and everything is flooded
  bool mac_flooding = false;
  std::set<Mac> duplicates;
  std::map<std::uint32_t, std::uint64_t>
      forged;  // by scope: frames of poisoners that hide behind another address
};

Finding make(Code code, Certainty certainty, std::string where, std::string headline, std::string cause);

// From a range that hypervisors allocate guests' addresses from.
bool is_hypervisors(Mac mac);
// Likely a virtual NIC's: a hypervisor's, or locally administered.
bool is_virtual_nic(Mac mac);

std::string to_text(const IpAddress& ip);
std::string seconds_text(Nanos duration);                            // "10.0 s", "65 us"
std::string count_text(std::uint64_t count, std::string_view word);  // "3 frames", "1 frame"
std::string mbit_text(std::uint64_t bytes, Nanos duration);          // "20.1 Mbit/s"
std::string percent_text(std::uint64_t part, std::uint64_t whole);   // "60 %"

}  // namespace sekimori::watch
