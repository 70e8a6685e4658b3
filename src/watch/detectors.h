// The detectors: from observations to causes. Each is a function in a file of its own, and a line in the
// table of detectors.cc.
#pragma once

#include <span>
#include <string_view>

#include "watch/case.h"

namespace sekimori::watch {

void detect_loop(const Case& c, Results& r);
void detect_storm(const Case& c, Results& r);
void detect_reflection(const Case& c, Results& r);
void detect_mac_flooding(const Case& c, Results& r);
void detect_address_claims(const Case& c, Results& r);  // poisoning and duplicate IP addresses
void detect_relay(const Case& c, Results& r);
void detect_mac_duplicate(const Case& c, Results& r);
void detect_twins(const Case& c, Results& r);  // of one MAC and one IP address
void detect_mac_moves(const Case& c, Results& r);
void detect_odd_macs(const Case& c, Results& r);
void detect_dhcp(const Case& c, Results& r);
void detect_floods(const Case& c, Results& r);
void detect_spanning_tree(const Case& c, Results& r);
void detect_site(const Case& c, Results& r);        // seen against declared
void detect_redundancy(const Case& c, Results& r);  // virtual routers, NLB clusters

struct Detector {
  std::string_view what;
  void (*detect)(const Case& c, Results& r);
};
// In the order in which they run: some use what earlier ones have found.
std::span<const Detector> detectors();

Results detect(const Case& c);

}  // namespace sekimori::watch
