#include "findings/catalogue.h"

#include "base/assert.h"

namespace sekimori::findings {
namespace {

using enum Code;
using enum Severity;

constexpr CatalogueEntry kCatalogue[] = {
    {kLoop, "loop", kError, "frames circulate for ever"},
    {kMacDuplicate, "mac-duplicate", kError, "two running stations of a segment have the same MAC"},
    {kIpDuplicate, "ip-duplicate", kError, "two running stations of a segment have the same IP address"},
    {kFloodLeak, "flood-leak", kError,
     "a virtual switch sends frames for its own guest out of the physical NIC"},
    {kFloodNoLearning, "flood-no-learning", kError, "a switch floods because it does not learn"},
    {kFloodTableFull, "flood-table-full", kError, "a switch floods because its table is full"},
    {kFloodSilent, "flood-silent", kError, "a switch floods because the receiver never sends"},
    {kFloodTimers, "flood-timers", kError, "a switch forgets a station sooner than the senders do"},
    {kFloodAsymmetric, "flood-asymmetric", kError,
     "a switch floods because the receiver's own frames go another way"},
    {kFloodUndecided, "flood-undecided", kError, "a switch floods and the evidence leaves several causes"},
    {kLeakLatent, "leak-latent", kWarning,
     "frames for a guest leave its host; nothing floods while the guest is heard"},
    {kBlackholeSuppressed, "blackhole-suppressed", kError,
     "frames are lost because unknown unicast is blocked"},
    {kMacDuplicateLatent, "mac-duplicate-latent", kWarning,
     "the same MAC exists twice, not yet in one segment at once"},
    {kSegmentOverWan, "segment-over-wan", kWarning, "a segment spans a wide-area service without a router"},
    {kSegmentMixed, "segment-mixed", kNote, "virtual and physical stations share a segment without a router"},
    {kStorm, "storm", kError, "more frames for everybody than stations can bear"},
    {kArpPoisoning, "arp-poisoning", kError, "somebody claims the IP addresses of others"},
    {kMacFlooding, "mac-flooding", kError, "made-up source addresses fill the tables of switches"},
    {kDhcpRogue, "dhcp-rogue", kError, "two DHCP servers that disagree answer the same clients"},
    {kDhcpStarvation, "dhcp-starvation", kError, "made-up clients take all addresses of the DHCP server"},
    {kReflection, "reflection", kError, "a port's own frames come back to it"},
    {kSubnetRelay, "subnet-relay", kError, "a third station passes on what two neighbours say to each other"},
    {kFloodTopologyChange, "flood-topology-change", kWarning,
     "switches flood because a topology change made them forget"},
    {kFloodMasked, "flood-masked", kWarning, "switches flood because the receiver hides its own address"},
    {kMacMoves, "mac-moves", kWarning, "a station is heard at two places in turn"},
    {kMacWellKnown, "mac-well-known", kWarning, "a station has an address that many others have, too"},
    {kMacInvalid, "mac-invalid", kWarning, "frames come from an address that no station may have"},
    {kTopologyChanges, "topology-changes", kNote, "the spanning tree changes"},
    {kRouterTakeover, "router-takeover", kNote, "another router took over a virtual address"},
    {kNlbCluster, "nlb-cluster", kNote, "a Network Load Balancing cluster will make switches flood"},
};

}  // namespace

std::span<const CatalogueEntry> catalogue() { return kCatalogue; }

const CatalogueEntry& entry(Code code) {
  for (const CatalogueEntry& e : kCatalogue) {
    if (e.code == code) return e;
  }
  base::assertion_failed("every code has an entry in the catalogue", __FILE__, __LINE__);
}

std::optional<Code> code_of(std::string_view word) {
  for (const CatalogueEntry& e : kCatalogue) {
    if (e.word == word) return e.code;
  }
  return std::nullopt;
}

std::string_view to_text(Severity severity) {
  switch (severity) {
    case kNote:
      return "note";
    case kWarning:
      return "warning";
    case kError:
      return "error";
  }
  return "?";
}

}  // namespace sekimori::findings
