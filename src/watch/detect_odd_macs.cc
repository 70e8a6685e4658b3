// Addresses that are wrong in themselves: those that many devices share because nobody set another, and those
// that no station may send from.
#include <fmt/format.h>

#include <algorithm>

#include "watch/detectors.h"
#include "wire/mac_kinds.h"

namespace sekimori::watch {
namespace {

constexpr std::uint64_t kLeastFrames = 3;

void well_known(const Case& c, Results& r) {
  for (const Station& s : c.o.stations) {
    const wire::KnownRange* whose = wire::well_known(s.mac);
    if (whose == nullptr || s.sent == 0 || r.duplicates.contains(s.mac)) continue;
    Finding finding = make(Code::kMacWellKnown, Certainty::kObserved, c.where(s.scope), "", "");
    finding.headline = fmt::format("{} is an address that others have, too", c.name(s.scope, s.mac));
    finding.cause =
        fmt::format("It is {}. As soon as a second station in this segment has it, neither can communicate.",
                    whose->what);
    c.show(finding, s.first_sent, "its first frame");
    r.findings.push_back(std::move(finding));
  }
}

// Hyper-V gives each host 256 addresses of its own, made of the last two octets of the host's IP address at
// the time of its installation (Microsoft KB 2804678); hosts that were installed from one image have the same
// 256.
constexpr std::uint64_t kHyperV = 0x00155d;

void shared_pools(const Case& c, Results& r) {
  struct Sides {
    const Station *near = nullptr, *far = nullptr;
  };
  std::map<std::pair<std::uint32_t, std::uint64_t>, Sides> pools;  // by scope and the first five octets
  for (const Station& s : c.o.stations) {
    if (s.mac.bits >> 24 != kHyperV || s.sent == 0 || r.looping.contains(s.scope)) continue;
    const Side side = side_of(c.view(s.scope), s);
    Sides& sides = pools[{s.scope, s.mac.bits >> 8}];
    if (side == Side::kNear && sides.near == nullptr) sides.near = &s;
    if (side == Side::kFar && sides.far == nullptr) sides.far = &s;
  }
  for (const auto& [key, sides] : pools) {
    if (sides.near == nullptr || sides.far == nullptr) continue;
    Finding finding = make(Code::kMacPoolOverlap, Certainty::kUndecided, c.where(key.first), "", "");
    finding.severity = Severity::kNote;
    finding.headline =
        fmt::format("{} and {} are of one host's pool of 256 addresses, and on two sides of this port",
                    c.name(key.first, sides.near->mac), c.name(key.first, sides.far->mac));
    finding.cause = "Each Hyper-V host has a pool of its own for its guests.";
    finding.candidates = {"two hosts have the same pool, and will give an address twice (mac-pool-overlap)",
                          "a guest has moved to another host, and kept its address: no fault"};
    finding.to_decide = "Compare Get-VMHost | fl MacAddressMinimum of the two hosts.";
    c.show(finding, sides.near->first_sent, "one of them, on this side");
    c.show(finding, sides.far->first_sent, "one of them, on the other side");
    r.findings.push_back(std::move(finding));
  }
}

void invalid(const Case& c, Results& r) {
  if (r.mac_flooding) return;  // whose finding tells of these
  for (std::uint32_t scope = 0; scope < c.o.scopes.size(); ++scope) {
    const ScopeFacts& facts = c.o.scope_facts[scope];
    if (facts.group_sources + facts.zero_sources < kLeastFrames) continue;
    // Who poisons and hides has been told of.
    const auto forged = r.forged.find(scope);
    if (facts.group_sources == 0 && forged != r.forged.end() && facts.zero_sources <= forged->second)
      continue;
    if (facts.zero_sources == facts.frames) continue;  // a loopback device, or addresses that were wiped out
    const bool group = facts.group_sources > 0;
    Finding finding = make(Code::kMacInvalid, Certainty::kObserved, c.where(scope), "", "");
    finding.severity = findings::Severity::kWarning;
    const std::string mac = group ? wire::to_text(facts.group_source) : wire::to_text(Mac{});
    finding.headline =
        fmt::format("{} from {}, which no station may send from",
                    count_text(group ? facts.group_sources : facts.zero_sources, "frame"), mac);
    finding.cause = group ? "It has the group bit set: switches must drop such frames or not learn from "
                            "them. The sender forges frames, or its address was typed "
                            "wrongly (02:.. is local, 01:.. is a group)."
                          : "The sender hides, or its NIC never got an address. Nobody can answer it.";
    c.show(finding, facts.first_group_source, "the first from a group address");
    c.show(finding, facts.first_zero_source, "the first from 00:00:00:00:00:00");
    r.findings.push_back(std::move(finding));
  }
}

}  // namespace

void detect_odd_macs(const Case& c, Results& r) {
  well_known(c, r);
  shared_pools(c, r);
  invalid(c, r);
}

}  // namespace sekimori::watch
