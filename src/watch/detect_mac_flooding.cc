// MAC flooding: made-up source addresses, each used once, to fill the tables of switches (macof and its
// like).
//
// New addresses alone prove nothing, as at the start of a capture all are new, and a hundred guests that boot
// announce themselves once. Made-up ones send a frame each and get none; they come from all vendors at once,
// or have bits that no source may have. Locally administered ones are drawn at random by honest managers,
// too.
#include <fmt/format.h>

#include <algorithm>

#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::uint64_t kLeastPerSecond = 50, kLeastGroupSources = 20;
constexpr double kAllVendors = 0.8;  // distinct vendor numbers among the addresses, of so many at most:
constexpr std::uint64_t kAllVendorsCounted = 4096;

struct OneOffs {
  std::uint64_t count = 0;
  std::uint64_t universal = 0;  // not locally administered
  std::set<std::uint32_t> vendors;
};

OneOffs one_offs(const Case& c, std::uint32_t scope) {
  OneOffs out;
  for (const std::uint32_t i : c.stations_in(scope)) {
    const Station& s = c.o.stations[i];
    if (s.sent != 1 || s.received != 0) continue;
    ++out.count;
    if (s.mac.is_local()) continue;
    ++out.universal;
    out.vendors.insert(static_cast<std::uint32_t>(s.mac.bits >> 24));
  }
  return out;
}

}  // namespace

void detect_mac_flooding(const Case& c, Results& r) {
  for (std::uint32_t scope = 0; scope < c.o.scopes.size(); ++scope) {
    const ScopeFacts& facts = c.o.scope_facts[scope];
    if (facts.new_stations.peak < kLeastPerSecond) continue;
    const OneOffs seen = one_offs(c, scope);
    const auto universal = static_cast<double>(std::min(seen.universal, kAllVendorsCounted));
    const bool random = seen.universal >= kLeastPerSecond / 2 &&
                        static_cast<double>(seen.vendors.size()) >= kAllVendors * universal;
    const bool impossible = facts.group_sources >= kLeastGroupSources;
    if (seen.count + facts.group_sources < kLeastPerSecond || !(random || impossible)) continue;
    Finding finding = make(Code::kMacFlooding, Certainty::kObserved, c.where(scope), "", "");
    finding.headline =
        fmt::format("{} source addresses that send one frame each and get none, up to {} new ones a second",
                    seen.count + facts.group_sources, facts.new_stations.peak);
    finding.cause = fmt::format(
        "The addresses are made up: {}{}. A tool fills the tables of the switches, so that these forget "
        "everybody and flood what it "
        "wants to read.{}",
        random ? fmt::format("{} vendors among {} of them", seen.vendors.size(), seen.universal) : "",
        impossible ? fmt::format("{}{} have the group bit set, which no source may have",
                                 random ? ", and " : "", facts.group_sources)
                   : "",
        c.o.untracked.frames > 0
            ? " This program's own table is full as well, so the numbers are lower bounds."
            : "");
    finding.onset = c.time(facts.new_stations.peak_begin);
    c.show(finding, facts.new_stations.peak_begin,
           fmt::format("a second with {} new addresses begins", facts.new_stations.peak));
    c.show(finding, facts.first_group_source,
           fmt::format("a frame from the group address {}", wire::to_text(facts.group_source)));
    r.findings.push_back(std::move(finding));
    r.mac_flooding = true;
  }
}

}  // namespace sekimori::watch
