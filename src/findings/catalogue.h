// The catalogue of everything sekimori can find. A code is a word that never changes its meaning; scripts and
// baselines rely on it. docs/findings.md has a paragraph for each, and a test holds the two together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sekimori::findings {

enum class Code : std::uint8_t {
  kFloodLeak,
  kFloodSilent,
  kFloodTimers,
  kFloodAsymmetric,
  kFloodNoLearning,
  kFloodTableFull,
  kFloodBypass,
  kFloodVeb,
  kFloodUndecided,
  kLeakLatent,
  kBlackholeSuppressed,
  kBlackholeNested,
  kBlackholeNeighbour,
  kBlackholeSnooping,
  kFloodMulticast,
  kMacDuplicate,
  kMacDuplicateLatent,
  kIpDuplicate,
  kLoop,
  kLinkOverloaded,
  kLoopPossible,
  kMacWellKnown,
  kMacInvalid,
  kMacBirthday,
  kMacPoolOverlap,
  kMacPoolFull,
  kMacBridgeChanges,
  kVlanLeak,
  kVlanMismatch,
  kBpduGuard,
  kAgeingBelowArp,
  kAgeingZero,
  kFlapTeaming,
  kBondMismatch,
  kSegmentOverWan,
  kSegmentLarge,
  kSegmentMixed,
  // Seen in captures; some in runs and proofs, too.
  kFloodMasked,
  kFloodTopologyChange,
  kMacMoves,
  kReflection,
  kStorm,
  kDhcpRogue,
  kDhcpStarvation,
  kMacFlooding,
  kArpPoisoning,
  kSubnetRelay,
  kTopologyChanges,
  kRouterTakeover,
  kNlbCluster,
  kArpUnanswered,
  // Of captures held against a site file.
  kStationUnknown,
  kStationUnexpected,
  kVlanUnexpected,
  kAddressUnexpected,
  kStationUnseen,
};

enum class Severity : std::uint8_t {
  kNote,     // worth knowing, nothing is wrong
  kWarning,  // will break when something else happens
  kError,    // is broken, or certain to break
};

struct CatalogueEntry {
  Code code;
  std::string_view word;   // "flood-leak"
  Severity severity;       // unless a finding has reason to differ
  std::string_view title;  // a short clause: what it is
};

// All codes, in the order in which a report lists them.
std::span<const CatalogueEntry> catalogue();
const CatalogueEntry& entry(Code code);
std::optional<Code> code_of(std::string_view word);

std::string_view to_text(Severity severity);  // "error"

}  // namespace sekimori::findings
