// Two MACs that claim one IP address, by ARP or Neighbor Discovery: poisoning, or a duplicate address.
//
// Several MACs for one address are no fault where routers share a virtual one (VRRP, HSRP, GLBP, CARP), where
// an address moved for good (failover), or where a probe from 0.0.0.0 asks whether it is free (RFC 5227). A
// host that defends its address announces it. Who poisons tells others' addresses to single stations,
// unasked, again and again, since tables would heal; and tells more than one.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::uint32_t kLeastUnsolicited = 3, kLeastAlternations = 3;
constexpr std::uint32_t kProxyAddresses =
    16;  // a router that answers for this many answers for all (proxy ARP)

struct Claim {
  const Binding* binding;
  const Claimant* claimant;
};

std::span<const Claimant> claimants_of(const Binding& b) { return {b.claimants.data(), b.count}; }

bool is_contested(const Binding& b) {
  return b.count >= 2 &&
         std::ranges::none_of(claimants_of(b), [](const Claimant& x) { return is_virtual_router(x.mac); });
}

// Every claim of every MAC on a contested address; and how many addresses it claims at all.
struct Claims {
  std::map<std::pair<std::uint32_t, Mac>, std::vector<Claim>> contested;
  std::map<std::pair<std::uint32_t, Mac>, std::uint32_t> addresses;
};

Claims claims_of(const Case& c) {
  Claims claims;
  for (const Binding& b : c.o.bindings) {
    for (const Claimant& x : claimants_of(b)) {
      ++claims.addresses[{b.scope, x.mac}];
      if (is_contested(b)) claims.contested[{b.scope, x.mac}].push_back({&b, &x});
    }
  }
  return claims;
}

bool is_periodic(const Claimant& x) {
  return x.unsolicited >= kLeastUnsolicited && x.longest_gap <= 2 * x.shortest_gap + kSecond;
}

// Claims that look like poison: unasked replies about an address that somebody else has, from one who also
// has another address, hides, or keeps a rhythm.
bool is_poison(const Claim& claim, std::uint32_t addresses) {
  const Claimant& x = *claim.claimant;
  if (x.unsolicited < kLeastUnsolicited || 2 * x.unsolicited < x.replies) return false;
  return addresses >= 2 || x.mismatched > 0 || is_periodic(x);
}

void tell_poisoning(const Case& c, std::uint32_t scope, Mac mac, const std::vector<Claim>& claims,
                    Results& r) {
  std::vector<std::string> addresses;
  std::uint32_t unsolicited = 0;
  for (const Claim& claim : claims) {
    addresses.push_back(to_text(claim.binding->ip));
    unsolicited += claim.claimant->unsolicited;
    r.forged[scope] += claim.claimant->mismatched;
  }
  Finding finding = make(Code::kArpPoisoning, Certainty::kObserved, c.where(scope), "", "");
  finding.headline =
      fmt::format("{} claims {}, which others have, in {} that nobody asked for", wire::to_text(mac),
                  base::list_words(addresses), fmt::format("{} replies", unsolicited));
  const Claimant& first = *claims.front().claimant;
  finding.cause =
      fmt::format("{} tells stations that {} {} its own, so that what is meant for the owner comes to it.",
                  wire::to_text(mac), base::list_words(addresses), addresses.size() == 1 ? "is" : "are");
  if (is_periodic(first))
    finding.cause += fmt::format(" It repeats itself every {} to {}, as tables would heal.",
                                 seconds_text(first.shortest_gap), seconds_text(first.longest_gap));
  if (first.mismatched > 0)
    finding.cause +=
        " The Ethernet source of these frames is another than the one they tell: the sender hides.";
  const auto& own = c.bindings_of(scope, mac);
  if (!own.empty()) finding.cause += fmt::format(" Its own address is {}.", to_text(own.front()->ip));
  const Station* station = c.station(scope, mac);
  if (station == nullptr || station->sent == 0)
    finding.cause += " It sent nothing else: what goes to it is lost.";
  for (const Claim& claim : claims) {
    const Binding& b = *claim.binding;
    const auto owner = std::ranges::find_if(claimants_of(b), [&](const Claimant& x) { return x.mac != mac; });
    c.show(finding, owner->first, fmt::format("{} has {}", wire::to_text(owner->mac), to_text(b.ip)));
    c.show(finding, claim.claimant->first_unsolicited,
           fmt::format("{} claims {} unasked, the first of {} times", wire::to_text(mac), to_text(b.ip),
                       claim.claimant->unsolicited));
    if (b.corrected && b.corrected_by == mac)
      c.show(finding, b.corrected,
             fmt::format("{} gives {} back to its owner's MAC: it ends, or hides", wire::to_text(mac),
                         to_text(b.ip)));
  }
  finding.onset = c.time(first.first_unsolicited);
  r.findings.push_back(std::move(finding));
}

// True if both sides insist: announcements of both in turn, or both answer one question.
void tell_duplicate(const Case& c, const Binding& b, Results& r) {
  const auto claimants = claimants_of(b);
  const auto announcers =
      std::ranges::count_if(claimants, [](const Claimant& x) { return x.gratuitous >= 2; });
  const bool war = announcers >= 2 && b.alternations >= 2;
  if (!war && b.alternations < kLeastAlternations && b.double_answers == 0) return;
  std::vector<std::string> macs;
  for (const Claimant& x : claimants) macs.push_back(wire::to_text(x.mac));
  Finding finding =
      make(Code::kIpDuplicate, war ? Certainty::kObserved : Certainty::kUndecided, c.where(b.scope), "", "");
  finding.headline = fmt::format("{} is claimed by {}, {} times in turn", to_text(b.ip),
                                 base::list_words(macs), b.alternations);
  if (b.alternations == 0)
    finding.headline = fmt::format("{} is answered for by {}", to_text(b.ip), base::list_words(macs));
  for (const Claimant& x : claimants) {
    finding.cause += fmt::format("{} claims it {} ({} announcements) between {} and {}. ",
                                 wire::to_text(x.mac), count_text(x.claims, "time"), x.gratuitous,
                                 base::to_text(c.time(x.first)), base::to_text(c.time(x.last)));
  }
  if (war) {
    finding.cause +=
        "Each announces the address again when the other has: two stations were given one address, and both "
        "defend it.";
  } else {
    finding.candidates = {"two stations have the address (ip-duplicate)",
                          "one station answers from two NICs in the same segment (ARP flux, bonding in mode "
                          "balance-alb), which is a setting"};
    finding.to_decide = fmt::format(
        "Unplug {} and ask for {}: a duplicate still answers from elsewhere with another host name or key.",
        macs.front(), to_text(b.ip));
  }
  for (const Claimant& x : claimants)
    c.show(finding, x.first, fmt::format("{} claims it first", wire::to_text(x.mac)));
  for (std::size_t i = 0; i < b.changes.size() && i < b.alternations; ++i)
    c.show(finding, b.changes[i], "claimed by the other");
  c.show(finding, b.double_answer, "the second answer to one question");
  finding.onset = c.time(claimants[1].first);
  r.findings.push_back(std::move(finding));
}

// A newcomer asks whether an address is free (RFC 5227 section 2.1.1, RFC 4862 section 5.4) and hears that it
// is not.
void tell_refusal(const Case& c, const Binding& b, Results& r) {
  Finding finding = make(Code::kIpDuplicate, Certainty::kObserved, c.where(b.scope), "", "");
  finding.severity = Severity::kWarning;
  const std::string given = b.ip.is_v4 ? "by hand, or by a DHCP server that does not know of the other"
                                       : "by hand, or by a clone's identity";
  if (b.at_once) {
    finding.headline = fmt::format("{} and {} both wanted {} at once", c.name(b.scope, b.refused),
                                   wire::to_text(b.refused_by), to_text(b.ip));
    finding.cause = fmt::format(
        "Each asked whether the address is free before it took it, and heard the other ask. As long as they "
        "heed "
        "that, neither takes it; but one address was given to two stations: {}.",
        given);
  } else {
    finding.headline =
        fmt::format("{} wanted {}, which {} has: {}", c.name(b.scope, b.refused), to_text(b.ip),
                    wire::to_text(b.refused_by), count_text(b.refusals, "refusal"));
    finding.cause = fmt::format(
        "It asked whether the address is free before it took it, and was told no. As long as it heeds that, "
        "nobody "
        "is cut off; but one address was given to two stations: {}.",
        given);
  }
  finding.onset = c.time(b.first_refusal);
  c.show(finding, b.first_probe, "the question whether the address is free");
  c.show(finding, b.first_refusal, b.at_once ? "another asks as well" : "the answer that it is not");
  r.findings.push_back(std::move(finding));
}

// Whoever gets an answer does not ask again for a while (RFC 1122 section 2.3.2.1), so questions that are
// repeated every few seconds are in vain, wherever the answers would go.
constexpr Nanos kQuestionsWithin = 5 * kSecond;

void tell_questions_in_vain(const Case& c, Results& r) {
  std::map<std::pair<std::uint32_t, Mac>, std::vector<const Binding*>> by_asker;
  for (const Binding& b : c.o.bindings) {
    const Nanos time = since(b.last_question.at, b.first_question.at);
    const bool heard = std::ranges::any_of(claimants_of(b), [&](const Claimant& x) {
      return x.last.number > b.first_question.number && x.first.number < b.last_question.number;
    });
    if (!heard && b.questions >= kInVain && time / b.questions <= kQuestionsWithin &&
        !r.looping.contains(b.scope))
      by_asker[{b.scope, b.insistent}].push_back(&b);
  }
  for (const auto& [asker, wanted] : by_asker) {
    std::vector<std::string> addresses;
    std::uint64_t questions = 0;
    for (const Binding* b : wanted) {
      addresses.push_back(to_text(b->ip));
      questions += b->questions;
    }
    Finding finding = make(Code::kArpUnanswered, Certainty::kObserved, c.where(asker.first), "", "");
    finding.headline =
        fmt::format("{} asks {} for {}, and is never answered here", c.name(asker.first, asker.second),
                    count_text(questions, "time"), base::list_words(addresses, 4));
    finding.cause = fmt::format(
        "{} {} is off, gone or in another segment, or the answers get lost. Who asks has something for it, "
        "such as a poll "
        "of a machine that was taken away, and every station here has to look at each question.",
        addresses.size() == 1 ? "An answer would end the questions for a while, so"
                              : "Answers would end the questions "
                                "for a while, so",
        base::list_words(addresses, 4));
    finding.onset = c.time(wanted.front()->first_question);
    for (const Binding* b : wanted) {
      c.show(finding, b->first_question,
             fmt::format("the first of {} questions for {}", b->questions, to_text(b->ip)));
      c.show(finding, b->last_question, "the last");
    }
    r.findings.push_back(std::move(finding));
  }
}

}  // namespace

void detect_address_claims(const Case& c, Results& r) {
  const Claims claims = claims_of(c);
  std::set<const Binding*> poisoned;
  for (const auto& [who, contested] : claims.contested) {
    const std::uint32_t addresses = claims.addresses.at(who);
    std::vector<Claim> poison;
    for (const Claim& claim : contested) {
      if (is_poison(claim, addresses)) poison.push_back(claim);
    }
    if (poison.empty()) continue;
    // A proxy answers questions; unasked replies by the dozen are none.
    for (const Claim& claim : poison) poisoned.insert(claim.binding);
    tell_poisoning(c, who.first, who.second, poison, r);
  }
  for (const Binding& b : c.o.bindings) {
    const bool proxy = std::ranges::any_of(claimants_of(b), [&](const Claimant& x) {
      return claims.addresses.at({b.scope, x.mac}) >= kProxyAddresses;
    });
    if (proxy || poisoned.contains(&b) || r.looping.contains(b.scope)) continue;
    if (is_contested(b)) tell_duplicate(c, b, r);
    if (b.refusals > 0) tell_refusal(c, b, r);
  }
  tell_questions_in_vain(c, r);
}

}  // namespace sekimori::watch
