// A relay between neighbours: IP packets from one station's address reach another of the same subnet from a
// third MAC, with a TTL one lower. The attacker of a poisoned segment does that, long after the poison was
// sent. A router between two subnets of one wire does it as well (the one-armed router), but not between
// addresses that are neighbours; and one that isolates its clients (local proxy ARP) answers for all of them.
#include <fmt/format.h>

#include <algorithm>

#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::uint64_t kLeastPackets = 10;

}  // namespace

void detect_relay(const Case& c, Results& r) {
  std::set<std::pair<std::uint32_t, Mac>> told;
  for (const Relay& relay : c.o.relays) {
    if (relay.packets < kLeastPackets || told.contains({relay.scope, relay.relay})) continue;
    const auto back = std::ranges::find_if(c.o.relays, [&](const Relay& x) {
      return x.scope == relay.scope && x.relay == relay.relay && x.from == relay.to && x.to == relay.from;
    });
    const bool both = back != c.o.relays.end();
    told.insert({relay.scope, relay.relay});
    Finding finding = make(Code::kSubnetRelay, both ? Certainty::kObserved : Certainty::kUndecided,
                           c.where(relay.scope), "", "");
    finding.headline =
        fmt::format("{} stands between {} and {}: {} passed on", c.name(relay.scope, relay.relay),
                    wire::to_text(relay.from), wire::to_text(relay.to),
                    count_text(relay.packets + (both ? back->packets : 0), "packet"));
    finding.cause = fmt::format(
        "{} is {} and {} is {}, both on this link. Yet packets from one reach the other from {}, their TTL "
        "lowered by one{}. Neighbours "
        "need no router: somebody has told them wrong MACs.",
        wire::to_text(relay.from), wire::to_text(relay.owner), wire::to_text(relay.to),
        wire::to_text(relay.receiver), wire::to_text(relay.relay), both ? ", both ways" : "");
    if (!both) {
      finding.candidates = {"somebody reads what they say (poisoned address tables)",
                            "a router between subnets smaller than these addresses show, or one that "
                            "isolates its clients (local proxy ARP)"};
      finding.to_decide =
          fmt::format("Compare the ARP table of {} with the true MAC of {}, and the prefix lengths.",
                      wire::to_text(relay.from), wire::to_text(relay.to));
    }
    finding.onset = c.time(relay.first);
    c.show(finding, relay.first, "the first packet passed on");
    c.show(finding, relay.last, "the last one");
    r.findings.push_back(std::move(finding));
  }
}

}  // namespace sekimori::watch
