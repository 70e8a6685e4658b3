// Addresses that are wrong in themselves: those that many devices share because nobody set another, and those
// that no station may send from.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::uint64_t kLeastFrames = 3;

struct WellKnown {
  Mac mac;
  std::string_view whose;
};
constexpr WellKnown kWellKnown[] = {
    {Mac{0x5254'0012'3456}, "QEMU gives it to the first NIC of every guest whose command line sets none"},
    {Mac{0x5254'0012'3457}, "QEMU gives it to the second NIC of every guest whose command line sets none"},
    {Mac{0x0011'2233'4455}, "examples and factory images use it"},
    {Mac{0xaabb'ccdd'eeff}, "examples use it"},
    {Mac{0xdead'beef'0000}, "examples use it"},
    {Mac{0xdead'beef'0001}, "examples use it"},
};

void well_known(const Case& c, Results& r) {
  for (const Station& s : c.o.stations) {
    const auto known = std::ranges::find(kWellKnown, s.mac, &WellKnown::mac);
    if (known == std::end(kWellKnown) || s.sent == 0 || r.duplicates.contains(s.mac)) continue;
    Finding finding = make(Code::kMacWellKnown, Certainty::kObserved, c.where(s.scope), "", "");
    finding.headline = fmt::format("{} is an address that others have, too", c.name(s.scope, s.mac));
    finding.cause = fmt::format(
        "{}. As soon as a second station in this segment has it, neither can communicate.", known->whose);
    finding.cause[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(finding.cause[0])));
    c.show(finding, s.first_sent, "its first frame");
    r.findings.push_back(std::move(finding));
  }
}

void invalid(const Case& c, Results& r) {
  if (r.mac_flooding) return;  // whose finding tells of these
  for (std::uint32_t scope = 0; scope < c.o.scopes.size(); ++scope) {
    const ScopeFacts& facts = c.o.scope_facts[scope];
    if (facts.group_sources + facts.zero_sources < kLeastFrames) continue;
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
  invalid(c, r);
}

}  // namespace sekimori::watch
