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
    {kVlanLeak, "vlan-leak", kError, "two VLANs are one segment"},
    {kVlanMismatch, "vlan-mismatch", kError, "the ends of a link carry different VLANs"},
    {kFloodLeak, "flood-leak", kError,
     "a virtual switch sends frames for its own guest out of the physical NIC"},
    {kFloodNoLearning, "flood-no-learning", kError, "a switch floods because it does not learn"},
    {kFloodTableFull, "flood-table-full", kError, "a switch floods because its table is full"},
    {kFloodSilent, "flood-silent", kError, "a switch floods because the receiver never sends"},
    {kFloodTimers, "flood-timers", kError, "a switch forgets a station sooner than the senders do"},
    {kFloodAsymmetric, "flood-asymmetric", kError,
     "a switch floods because the receiver's own frames go another way"},
    {kFloodBypass, "flood-bypass", kError,
     "a switch floods because flows of its own keep it from learning the receiver"},
    {kFloodVeb, "flood-veb", kError,
     "an SR-IOV NIC sends frames for a guest on a software bridge of its own host out of the wire"},
    {kFlapTeaming, "flap-teaming", kError, "a team of uplinks shows one address at two ports of the network"},
    {kBondMismatch, "bond-mismatch", kError, "a bond and the switches at its other end disagree"},
    {kAgeingZero, "ageing-zero", kError, "a switch with more than two ports keeps no entries"},
    {kFloodUndecided, "flood-undecided", kError, "a switch floods and the evidence leaves several causes"},
    {kLeakLatent, "leak-latent", kWarning,
     "frames for a guest leave its host; nothing floods while the guest is heard"},
    {kBlackholeSuppressed, "blackhole-suppressed", kError,
     "frames are lost because unknown unicast is blocked"},
    {kBlackholeNested, "blackhole-nested", kError,
     "a virtual switch does not know the stations behind a guest's NIC"},
    {kBlackholeNeighbour, "blackhole-neighbour", kError,
     "a bridge answers ARP for a station with a wrong MAC"},
    {kBlackholeSnooping, "blackhole-snooping", kError,
     "a switch that snoops keeps multicasts from members of their group"},
    {kFloodMulticast, "flood-multicast", kWarning, "multicasts load links behind which nobody is a member"},
    {kLinkOverloaded, "link-overloaded", kError, "a link gets more than it can carry"},
    {kMacDuplicateLatent, "mac-duplicate-latent", kWarning,
     "the same MAC exists twice, not yet in one segment at once"},
    {kAgeingBelowArp, "ageing-below-arp", kWarning,
     "switches forget a station long before it is asked for again"},
    {kLoopPossible, "loop-possible", kWarning,
     "a guest has several NICs in one segment and could bridge them"},
    {kBpduGuard, "bpdu-guard", kWarning, "a guest could have its host's port shut"},
    {kMacWellKnown, "mac-well-known", kWarning, "a MAC that many products and people use"},
    {kMacBirthday, "mac-birthday", kWarning, "MACs were drawn at random from a range too small for them"},
    {kMacPoolOverlap, "mac-pool-overlap", kWarning, "two managers could hand out the same MAC"},
    {kMacPoolFull, "mac-pool-full", kWarning, "a pool of MACs has no addresses left"},
    {kMacBridgeChanges, "mac-bridge-changes", kWarning, "a host's MAC changes when a guest comes or goes"},
    {kSegmentOverWan, "segment-over-wan", kWarning, "a segment spans a wide-area service without a router"},
    {kSegmentLarge, "segment-large", kWarning, "a segment has so many stations that broadcasts weigh"},
    {kMacInvalid, "mac-invalid", kNote, "a MAC that is no NIC's, or a guest's that looks like hardware"},
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
    {kArpUnanswered, "arp-unanswered", kWarning,
     "somebody asks again and again for an address that nobody has"},
    {kStationUnexpected, "station-unexpected", kWarning,
     "a station is heard where, or when, the site does not have it"},
    {kVlanUnexpected, "vlan-unexpected", kWarning, "a station is heard in another VLAN than declared"},
    {kAddressUnexpected, "address-unexpected", kWarning,
     "an IP address is claimed by another station than declared"},
    {kStationUnknown, "station-unknown", kWarning, "a station speaks that the site does not declare"},
    {kStationUnseen, "station-unseen", kNote, "a declared station was not heard"},
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
