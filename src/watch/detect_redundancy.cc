// Redundancy that is no fault, and worth a note: a virtual router's takeover (what changed at that moment has
// its reason here), and Network Load Balancing, which will flood by design.
#include <fmt/format.h>

#include "watch/detectors.h"

namespace sekimori::watch {

void detect_redundancy(const Case& c, Results& r) {
  for (const VirtualRouter& v : c.o.virtual_routers) {
    if (v.takeovers == 0) continue;
    Finding finding = make(Code::kRouterTakeover, Certainty::kObserved, c.where(v.scope), "", "");
    finding.headline = fmt::format("the virtual router {} changed hands {}", wire::to_text(v.virtual_mac),
                                   count_text(v.takeovers, "time"));
    finding.cause = fmt::format(
        "Another router speaks for {}{}: {} now. Its virtual MAC moves with it, which is no duplicate.",
        wire::to_text(v.virtual_mac), v.ip ? " (" + wire::to_text(*v.ip) + ")" : "", wire::to_text(v.sender));
    c.show(finding, v.first, "the first hello of the router before");
    c.show(finding, v.takeover, "the takeover");
    finding.onset = c.time(v.takeover);
    r.findings.push_back(std::move(finding));
  }
  if (c.o.nlb == 0) return;
  Finding finding = make(Code::kNlbCluster, Certainty::kObserved, "", "", "");
  finding.headline = "a Network Load Balancing cluster is here";
  finding.cause =
      "In unicast mode its servers hide the cluster's address (02:bf:..), so that switches flood all that is "
      "sent to it: give it a VLAN of its own.";
  c.show(finding, c.o.first_nlb, "a heartbeat");
  r.findings.push_back(std::move(finding));
}

}  // namespace sekimori::watch
