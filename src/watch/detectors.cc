#include "watch/detectors.h"

#include <algorithm>

namespace sekimori::watch {
namespace {

constexpr Detector kDetectors[] = {
    {"loops", detect_loop},  // first: in a loop everything else is a consequence
    {"storms", detect_storm},
    {"reflections", detect_reflection},
    {"MAC flooding", detect_mac_flooding},
    {"claimed IP addresses", detect_address_claims},
    {"relays within a subnet", detect_relay},
    {"duplicate MACs", detect_mac_duplicate},
    {"twins", detect_twins},
    {"moves", detect_mac_moves},  // but for duplicates
    {"odd MACs", detect_odd_macs},
    {"DHCP", detect_dhcp},
    {"floods", detect_floods},
    {"spanning tree", detect_spanning_tree},
    {"redundancy", detect_redundancy},
    {"seen against declared", detect_site},
};

}  // namespace

std::span<const Detector> detectors() { return kDetectors; }

Results detect(const Case& c) {
  Results results;
  for (const Detector& detector : kDetectors) detector.detect(c, results);
  for (Finding& finding : results.findings) {
    std::ranges::stable_sort(finding.evidence, {}, &findings::Evidence::frame);
  }
  findings::sort_findings(results.findings);
  return results;
}

}  // namespace sekimori::watch
