// Two stations with one MAC, and with one IP address too: nothing of what they say differs. twins.h tells
// what gives them away. Of the signs, a second line of a counter or a clock is no accident; the others have
// honest explanations, and support.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

using Kind = TwinSign::Kind;

constexpr std::uint32_t kLeastTurns = 4, kManyTurns = 8;
constexpr std::uint32_t kLeastTransactions = 2, kLeastResets = 6;

bool is_strong(const TwinSign& s) { return s.kind == Kind::kIdentification || s.kind == Kind::kClock; }

bool counts(const TwinSign& s) {
  if (s.kind == Kind::kTransactions) return s.turns >= kLeastTransactions;
  if (s.kind == Kind::kReset) return s.turns >= kLeastResets;
  return s.turns >= kLeastTurns && 2 * s.breaks <= s.turns;
}

std::string words(const TwinSign& s) {
  switch (s.kind) {
    case Kind::kIdentification:
      return fmt::format("the identification of its packets is counted on two lines, {} times in turn",
                         s.turns);
    case Kind::kClock:
      return fmt::format("the timestamps of its connections are of two clocks, {} times in turn", s.turns);
    case Kind::kLayout:
      return fmt::format("it opens connections as two kinds of system do, {} times in turn", s.turns);
    case Kind::kTransactions:
      return fmt::format("it has two DHCP transactions under way at once, {} times in turn", s.turns);
    case Kind::kReset:
      return fmt::format("it resets {} connections that it has just opened, as if it knew nothing of them",
                         s.turns);
  }
  return "";
}

std::string words(const std::vector<const TwinSign*>& signs) {
  std::vector<std::string> list;
  for (const TwinSign* s : signs) list.push_back(words(*s));
  return base::list_words(list, list.size());
}

// Who draws from which block, and asks nobody.
std::string pool_text(Mac mac) {
  constexpr std::uint64_t kXen = 0x00163e, kQemu = 0x525400;
  const std::uint64_t block = mac.bits >> 24;
  if (block == kXen) return " Xen and LXD both draw from 00:16:3e, and neither asks the other.";
  if (block == kQemu)
    return " QEMU, libvirt and what is built on them all draw from 52:54:00, and none asks the others.";
  return "";
}

void show(const Case& c, const std::vector<const TwinSign*>& signs, Finding& finding) {
  for (const TwinSign* s : signs) {
    for (std::size_t i = 0; i < s->shown; ++i) c.show(finding, s->frames[i], "the other one speaks");
  }
}

// Told already, for another reason.
Finding* known(Results& r, Mac mac) {
  const std::string where = wire::to_text(mac);
  const auto found = std::ranges::find_if(
      r.findings, [&](const Finding& f) { return f.code == Code::kMacDuplicate && f.where == where; });
  return found == r.findings.end() ? nullptr : &*found;
}

void tell(const Case& c, Mac mac, const std::vector<const TwinSign*>& signs, Results& r) {
  const auto strong = std::ranges::find_if(signs, [](const TwinSign* s) { return is_strong(*s); });
  const bool is_one = strong != signs.end();
  if (!is_one && signs.size() < 2) return;
  Finding finding = make(Code::kMacDuplicate, Certainty::kObserved, wire::to_text(mac), "", "");
  finding.headline =
      fmt::format("two stations are behind {}: {}", c.name(signs.front()->scope, mac), words(*signs.front()));
  finding.cause = fmt::format(
      "Of {}, {}. One stack counts once: there are two, as after a clone that kept its MAC and its IP "
      "address. A "
      "switch sends frames for both to whichever spoke last.{}",
      wire::to_text(mac), words(signs), pool_text(mac));
  show(c, signs, finding);
  finding.onset = c.time(signs.front()->frames[0]);
  if (!is_one || (signs.size() < 2 && (*strong)->turns < kManyTurns)) {
    finding.certainty = Certainty::kUndecided;
    finding.severity = is_one ? Severity::kWarning : Severity::kNote;
    finding.headline = fmt::format("two stacks seem to be behind {}", c.name(signs.front()->scope, mac));
    finding.candidates = {"two stations with one MAC (mac-duplicate)",
                          "one machine with two network stacks: a management controller that shares its "
                          "address, a program that "
                          "makes packets by itself",
                          "switches that share a router's address on purpose"};
    finding.to_decide =
        "See whether it can be reached without loss: two stations of one MAC can't. Or capture at two ports.";
  }
  r.duplicates.insert(mac);
  r.findings.push_back(std::move(finding));
}

}  // namespace

void detect_twins(const Case& c, Results& r) {
  std::map<Mac, std::vector<const TwinSign*>> by_mac;
  for (const TwinSign& s : c.o.twin_signs) {
    if (counts(s) && !is_virtual_router(s.mac) && !s.mac.is_zero() && !r.looping.contains(s.scope))
      by_mac[s.mac].push_back(&s);
  }
  for (auto& [mac, signs] : by_mac) {
    std::ranges::stable_sort(signs, std::greater(), [](const TwinSign* s) { return is_strong(*s); });
    if (Finding* told = known(r, mac)) {
      told->cause += fmt::format(" Besides, {}.", words(signs));
      show(c, signs, *told);
    } else {
      tell(c, mac, signs, r);
    }
  }
}

}  // namespace sekimori::watch
