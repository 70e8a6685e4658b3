// Unknown-unicast floods and their causes. flood.h tells what can be told apart at a third port, and why.
//
// The table at the end lists the causes in the order of being asked; the first that the frames prove is told.
// What none of them proves is told as undecided, with the causes that remain and what would decide.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "watch/detectors.h"
#include "watch/flood.h"
#include "watch/flood_crowd.h"
#include "watch/site.h"

namespace sekimori::watch {
namespace {

constexpr Nanos kLongSilence = 10 * kSecond;
constexpr std::size_t kMostTold = 50;

// Services whose datagrams are never answered: discard, SNMP traps, syslog, NetFlow, IPFIX, sFlow.
constexpr std::uint16_t kUnanswered[] = {9, 162, 514, 2055, 4739, 6343, 9995, 9996};

const OneWay& way_of(const Case& c, const Pair* pair) { return c.o.one_way[pair->one_way]; }

// A guest's own port, which is one of a virtual switch; for all that is known.
bool is_guests_port(const View& view) {
  return view.place == Place::kAccess && std::ranges::all_of(view.locals, is_virtual_nic);
}

bool is_router(const OneWay& way) { return way.from_count > 4 || way.to_count > 4; }

std::string senders_text(const Case& c, const Flood& f) {
  std::vector<std::string> names;
  for (const Pair* pair : f.pairs) names.push_back(c.name(f.scope, pair->source));
  return base::list_words(names, 3);
}

std::string receiver_text(const Case& c, const Flood& f) { return c.name(f.scope, f.receiver->mac); }

std::string life_text(const Flood& f) {
  std::vector<std::string> signs;
  if (f.ack_advances > 0)
    signs.push_back(fmt::format("acknowledgement numbers for its data grow {} times", f.ack_advances));
  if (f.data_advances > 0)
    signs.push_back(fmt::format("TCP goes on with new data in {} segments", f.data_advances));
  if (f.echo_replies > 0) signs.push_back(fmt::format("its pings are answered {} times", f.echo_replies));
  return base::list_words(signs);
}

// What was seen, before any cause.
Finding describe(const Case& c, const Flood& f, Code code, Certainty certainty) {
  const std::uint64_t all = c.o.interfaces[c.o.scopes[f.scope].interface].bytes;
  Finding finding = make(code, certainty, c.where(f.scope), "", "");
  finding.headline =
      fmt::format("unicast for {} floods this port: {} from {}, {} of the traffic here, for {}",
                  receiver_text(c, f), mbit_text(f.bytes, f.duration()), senders_text(c, f),
                  percent_text(f.bytes, all), seconds_text(f.duration()));
  finding.onset = c.time(f.first);
  finding.until = c.time(f.last);
  c.show(finding, f.first,
         fmt::format("{} to {}: the first of {}", c.name(f.scope, f.pairs.front()->source),
                     receiver_text(c, f), count_text(f.frames, "frame")));
  if (f.receiver->sent > 0 && f.receiver->first_sent.number < f.first.number)
    c.show(finding, f.receiver->first_sent,
           fmt::format("{} is heard here for the first time, {} in all", receiver_text(c, f),
                       count_text(f.receiver->sent, "frame")));
  c.show(finding, f.first_progress, "the first sign that the receiver answers");
  c.show(finding, f.last_progress, "the last one");
  c.show(finding, f.last, "the last frame of the flood");
  return finding;
}

std::string heard_text(const Flood& f) {
  if (f.receiver->sent == 0) return "Not one frame of it was heard here.";
  return fmt::format("It was heard here {}.",
                     f.receiver->sent == 1 ? "once" : fmt::format("{} times", f.receiver->sent));
}

// ---------------------------------------------------------------- the causes

using Told = std::optional<Finding>;

Told masked(const Case& c, const FloodCrowd&, const Flood& f) {
  constexpr std::uint64_t kNlbUnicast = 0x02bf;
  const Mac mac = f.receiver->mac;
  const Binding* told_by_others = nullptr;
  for (const Binding* b : c.bindings_of(f.scope, mac)) {
    const Claimant& claimant = b->claimants[0];
    if (claimant.claims >= 2 && claimant.mismatched == claimant.claims) told_by_others = b;
  }
  if (mac.bits >> 32 != kNlbUnicast && told_by_others == nullptr) return std::nullopt;
  Finding finding = describe(c, f, Code::kFloodMasked, Certainty::kObserved);
  finding.cause = mac.bits >> 32 == kNlbUnicast ? fmt::format(
                                                      "{} is the address of a Network Load Balancing cluster "
                                                      "in unicast mode. Its servers never send from "
                                                      "it, so that switches cannot learn it and every server "
                                                      "gets every frame; so does everybody else.",
                                                      wire::to_text(mac))
                                                : fmt::format(
                                                      "{} is told by ARP, but in frames from another "
                                                      "Ethernet address: its owner never sends from it, so "
                                                      "that no switch can learn it.",
                                                      wire::to_text(mac));
  if (told_by_others != nullptr)
    c.show(finding, told_by_others->claimants[0].first, "ARP tells this MAC from another Ethernet source");
  return finding;
}

// Both ends stand on the same side of a hypervisor's own uplink. That it is one must have been said: a switch
// behind the port that floods looks the same.
Told leaves_here(const Case& c, const FloodCrowd&, const Flood& f) {
  const View& view = c.view(f.scope);
  if (!f.one_side || !view.told || view.place != Place::kUplink) return std::nullopt;
  const Mac sender = f.pairs.front()->source;
  Finding finding = describe(c, f, Code::kFloodLeak, Certainty::kObserved);
  const std::string from = c.name(f.scope, sender), to = receiver_text(c, f);
  finding.headline =
      fmt::format("{} leaves this machine's port for {}, which is on the same machine: {} for {}", from, to,
                  mbit_text(f.bytes, f.duration()), seconds_text(f.duration()));
  if (is_virtual_nic(sender)) {
    finding.code = Code::kFloodUndecided;
    finding.certainty = Certainty::kUndecided;
    finding.cause = fmt::format(
        "{} and {} are both heard from one side of this uplink, and yet frames from one to the other pass "
        "it, one "
        "way only.",
        from, to);
    finding.candidates = {
        fmt::format(
            "{} is a virtual function of this machine's NIC, whose table lacks the address of {}: the frames "
            "never arrive (flood-veb)",
            from, to),
        fmt::format(
            "{} is the host, and its virtual switch sends what is for its guest out of the NIC as well: the "
            "frames arrive all the same (flood-leak)",
            from)};
    finding.to_decide = fmt::format("See whether {} reaches {}, and which NIC it has.", from, to);
    return finding;
  }
  finding.cause = fmt::format(
      "{} and {} are both heard from one side of this uplink, and yet frames from one to the other pass it, "
      "one way only. The "
      "virtual switch that hands them to its guest sends them out of the physical NIC as well; the switches "
      "beyond flood them as "
      "soon as they have forgotten {}.",
      from, to, to);
  return finding;
}

Told timers(const Case& c, const FloodCrowd&, const Flood& f) {
  const auto ageing = ageing_of(f);
  if (!ageing || !ageing->proves()) return std::nullopt;
  Finding finding = describe(c, f, Code::kFloodTimers, Certainty::kObserved);
  finding.cause = fmt::format(
      "The flood comes and goes: {} times it began {} after the receiver had last spoken or been asked for, "
      "so {} is the ageing time of "
      "the switch. {} speaks less often than that, and the senders keep its address in their ARP tables for "
      "longer, so nothing makes "
      "it speak.{}",
      ageing->spells.size(), seconds_text(ageing->time), seconds_text(ageing->time), receiver_text(c, f),
      f.alive()
          ? fmt::format(" It answers: {}. But its answers do not pass the switch that floods.", life_text(f))
          : "");
  for (const Spell& spell : ageing->spells) {
    c.show(finding, spell.first,
           fmt::format("flooded again, after {} of silence: {} until {}", seconds_text(spell.quiet),
                       count_text(spell.frames, "frame"), base::to_text(c.time(spell.last))));
  }
  return finding;
}

// It speaks, and is flooded all the same.
Told unlearnt(const Case& c, const FloodCrowd&, const Flood& f) {
  if (!f.unlearnt()) return std::nullopt;
  Finding finding = describe(c, f, Code::kFloodUndecided, Certainty::kUndecided);
  const std::string receiver = receiver_text(c, f);
  finding.cause = fmt::format(
      "{} is heard here {}, and {} for it came within a second of its own: whoever floods them has heard it, "
      "and has "
      "not learnt it.",
      receiver, count_text(f.receiver->sent, "time"), count_text(f.fresh, "frame"));
  finding.candidates = {"the switch does not learn, or not what comes in at its port (flood-no-learning)",
                        "there is no room for it: a full table, or the limit of its port (flood-table-full)"};
  if (f.pairs.size() == 1 && (f.one_side || !c.view(f.scope).sides)) {
    const std::string sender = c.name(f.scope, f.pairs.front()->source);
    finding.candidates.push_back(
        is_virtual_nic(f.pairs.front()->source)
            ? fmt::format("both are on one machine, whose port this is: {} is its guest (flood-leak), or {} "
                          "a virtual "
                          "function of its NIC, whose table lacks {} (flood-veb); say --at uplink if it is",
                          receiver, sender, receiver)
            : fmt::format(
                  "it is a guest of {}, and this is the port of both (flood-leak); say --at uplink if it is",
                  sender));
  }
  finding.to_decide = fmt::format(
      "Look for {} in the tables of the switches on the way from {}: the first that lacks it has no room, or "
      "its port "
      "does not learn.",
      receiver, c.name(f.scope, f.pairs.front()->source));
  return finding;
}

// Packets for or from others than the two ends of the pair: one of them is a router.
bool routes(const Case& c, const Flood& f, const Pair* pair) {
  const OneWay& way = way_of(c, pair);
  if (is_router(way)) return true;
  const auto foreign = [&](Mac mac, const std::array<wire::Ipv4, 4>& ips, std::uint8_t count) {
    if (c.bindings_of(f.scope, mac).empty()) return false;  // nothing is known of it
    return std::any_of(ips.begin(), ips.begin() + std::min<std::size_t>(count, ips.size()),
                       [&](wire::Ipv4 ip) { return !c.claims(mac, address_of(ip)); });
  };
  return foreign(pair->source, way.from, way.from_count) || foreign(pair->destination, way.to, way.to_count);
}

Told other_way(const Case& c, const FloodCrowd&, const Flood& f) {
  if (!f.alive() || !f.learnt) return std::nullopt;
  const bool router = std::ranges::any_of(f.answered, [&](const Pair* p) { return routes(c, f, p); });
  if (!router && f.answered.size() < 2) return std::nullopt;
  Finding finding = describe(c, f, Code::kFloodAsymmetric, Certainty::kObserved);
  finding.cause = fmt::format(
      "The receiver lives: {}. But its frames to {} never teach this segment's switches where it is, so they "
      "take another way. {}",
      life_text(f), senders_text(c, f),
      router
          ? "One of the two speaks for other IP addresses than its own: it is a router, and the answers pass "
            "another router or VLAN."
          : "Its answers to several stations are missing alike, so they leave it by another NIC, MAC or "
            "VLAN; that they are handed over "
            "inside a machine is ruled out, as only one of the senders could be its host.");
  return finding;
}

Told leak(const Case& c, const FloodCrowd& crowd, const Flood& f) {
  if (!f.alive() || f.pairs.size() != 1 || !f.learnt || !f.kept_away) return std::nullopt;
  if (routes(c, f, f.pairs.front())) return std::nullopt;
  const Mac host = f.pairs.front()->source;
  if (!is_virtual_nic(f.receiver->mac) || is_virtual_nic(host) || crowd.other_senders(host))
    return std::nullopt;
  if (is_guests_port(c.view(f.scope))) return std::nullopt;
  const auto kept = std::ranges::find_if(f.spells, begins_late);
  Finding finding = describe(c, f, Code::kFloodLeak, Certainty::kObserved);
  const std::string from = c.name(f.scope, host), to = receiver_text(c, f);
  finding.cause = fmt::format(
      "{} answers {}: {}. But no frame of it to {} teaches the switches on the way. They do learn: for {} "
      "after it had {} "
      "nothing was flooded, not even the opening of the connection. As two stations of a VLAN have one path "
      "for both directions, the answers are "
      "taken off before the first "
      "switch: {} is a guest of {}, whose virtual switch hands the guest's frames to the host, but sends the "
      "host's frames for the guest "
      "out of the physical NIC as well. Confidence: high, as {} has the address of a virtual NIC, {} has "
      "not, and nobody "
      "else sends to the one; a capture at "
      "the switch port of {} would prove it.",
      to, from, life_text(f), from, seconds_text(kept->quiet),
      kept->after == Spell::After::kAsked ? "been asked for" : "last been heard", to, from, to, from, from);
  return finding;
}

// Causes inside of hypervisors, where the frames allow them.
void add_virtual_switches(const Case& c, const Flood& f, Finding& finding) {
  if (is_guests_port(c.view(f.scope)))
    finding.candidates.emplace_back(
        "an Open vSwitch that has flows for its answers outputs them without learning (flood-bypass)");
  if (std::ranges::any_of(f.pairs, [](const Pair* pair) { return is_virtual_nic(pair->source); }))
    finding.candidates.emplace_back(
        "the sender is a virtual function of a NIC whose table lacks the receiver behind it (flood-veb)");
}

Told alive_undecided(const Case& c, const FloodCrowd& crowd, const Flood& f) {
  if (!f.alive()) return std::nullopt;
  Finding finding = describe(c, f, Code::kFloodUndecided, Certainty::kUndecided);
  finding.cause =
      fmt::format("The receiver lives: {}. But no frame of it to {} passes the switch that floods.",
                  life_text(f), senders_text(c, f));
  if (f.pairs.size() == 1)
    finding.candidates.push_back(
        "its host takes the answers off before they reach a switch, and sends what it has for its guest out "
        "of "
        "the NIC as well (flood-leak)");
  finding.candidates.emplace_back("its answers leave by another NIC, MAC or VLAN (flood-asymmetric)");
  add_virtual_switches(c, f, finding);
  if (!f.learnt) {
    finding.candidates.emplace_back(
        crowd.flooded() > 2
            ? "the switch's table is full (flood-table-full), or it does not learn (flood-no-learning)"
            : "the switch does not learn it (flood-no-learning, flood-table-full)");
  }
  const std::string sender = c.name(f.scope, f.pairs.front()->source), receiver = receiver_text(c, f);
  finding.to_decide = fmt::format(
      "Capture at the switch port of {}: frames of {} to it there mean that the switch does not learn; none "
      "mean a leak, or "
      "answers from another MAC, which {} would show. If this is that port, say --at uplink.",
      sender, receiver, sender);
  return finding;
}

Told silent(const Case& c, const FloodCrowd&, const Flood& f) {
  if (f.alive()) return std::nullopt;
  const bool connects = f.tcp > 0 && f.syn == f.tcp && f.udp == 0;
  const bool one_way_service =
      f.udp > 0 && f.tcp == 0 && std::ranges::all_of(f.pairs, [&](const Pair* p) {
        return std::ranges::find(kUnanswered, way_of(c, p).udp_port) != std::end(kUnanswered);
      });
  if ((!connects && !one_way_service) || f.duration() < kLongSilence) return std::nullopt;
  // One that was heard must have been learnt then, and forgotten.
  if (f.receiver->sent > 0 && !f.kept_away) return std::nullopt;
  Finding finding = describe(c, f, Code::kFloodSilent, Certainty::kObserved);
  finding.cause = fmt::format(
      "The receiver keeps silent. {} {} Switches forget it, and the senders, whose ARP entry lasts longer, "
      "go on.",
      heard_text(f),
      connects ? "Nothing but attempts to connect is sent to it, and none is answered: it is off, or gone."
               : "What it is sent is never answered by design (syslog, flow records and the like), so "
                 "nothing makes it speak; if it speaks to others, then by ways that don't pass the switch.");
  if (!f.spells.empty() && f.spells.front().quiet > 0)
    finding.cause +=
        fmt::format(" The flood began {} after its last frame, which is at least the ageing time.",
                    seconds_text(f.spells.front().quiet));
  return finding;
}

Told silent_undecided(const Case& c, const FloodCrowd&, const Flood& f) {
  Finding finding = describe(c, f, Code::kFloodUndecided, Certainty::kUndecided);
  finding.cause = fmt::format("{} Nothing in the frames tells whether it answers.", heard_text(f));
  finding.candidates = {
      "the receiver is silent, or off (flood-silent), perhaps heard now and then (flood-timers)",
      "it answers, but inside its host, which leaks (flood-leak), or by another way (flood-asymmetric)"};
  add_virtual_switches(c, f, finding);
  if (!f.learnt && !f.kept_away)
    finding.candidates.emplace_back(
        "it answers, and the switch does not learn it (flood-no-learning, flood-table-full)");
  if (ageing_of(f)) {
    finding.cause +=
        fmt::format(" The flood paused for {} more than once: an ageing time, or the senders' own rhythm.",
                    seconds_text(ageing_of(f)->time));
  }
  finding.to_decide = fmt::format(
      "Ping {} and capture at its own switch port: if it answers, compare with this port. A capture of "
      "several "
      "ARP lifetimes shows whether the flood comes and goes.",
      receiver_text(c, f));
  return finding;
}

// The site says that both ends are on one machine, and by what switch.
Told leak_by_site(const Case& c, const FloodCrowd&, const Flood& f) {
  const bool together = c.site != nullptr && std::ranges::all_of(f.pairs, [&](const Pair* pair) {
                          return c.site->hosted_together(pair->source, pair->destination);
                        });
  if (!together) return std::nullopt;
  Finding finding = describe(c, f, Code::kFloodLeak, Certainty::kObserved);
  const std::string from = c.name(f.scope, f.pairs.front()->source), to = receiver_text(c, f);
  finding.cause = fmt::format(
      "By the site, {} and {} are on one machine, behind a virtual switch that sends what is for its guests "
      "out of the "
      "physical NIC as well. What it hands over inside never teaches the switches outside.",
      from, to);
  return finding;
}

struct Cause {
  std::string_view what;
  Told (*tell)(const Case& c, const FloodCrowd& crowd, const Flood& f);
};
constexpr Cause kCauses[] = {
    {"the receiver hides its address", masked},  {"both ends on one machine", leak_by_site},
    {"the flood is at its source", leaves_here}, {"it speaks, and is not learnt", unlearnt},
    {"on and off with the ageing time", timers}, {"answers by another way", other_way},
    {"answers inside the host", leak},           {"it answers, unheard", alive_undecided},
    {"a receiver that never answers", silent},   {"too little is known", silent_undecided},
};

// At a port whose own station is silent, what is for it looks like a flood.
void maybe_its_own(const Case& c, const Flood& f, Finding& finding) {
  finding.certainty = Certainty::kUndecided;
  finding.severity = Severity::kNote;
  if (finding.candidates.empty()) {
    finding.candidates.push_back(fmt::format("a flood ({})", findings::entry(finding.code).word));
    finding.code = Code::kFloodUndecided;
  }
  finding.candidates.insert(
      finding.candidates.begin(),
      fmt::format("no flood: {} is the silent station behind this very port", receiver_text(c, f)));
  finding.to_decide =
      "Say where the capture was taken (--at access, if another station is behind this port). " +
      finding.to_decide;
}

}  // namespace

void detect_floods(const Case& c, Results& r) {
  FloodCrowd crowd(c, r);
  crowd.tell_common_causes(r);
  std::size_t told = 0;
  for (const Flood& flood : crowd.left()) {
    if (++told > kMostTold) {
      r.remarks.push_back(
          fmt::format("{} are not told one by one; they carry fewer frames than those that are.",
                      count_text(crowd.flooded() - kMostTold, "more flood")));
      break;
    }
    for (const Cause& cause : kCauses) {
      Told finding = cause.tell(c, crowd, flood);
      if (!finding) continue;
      if (!flood.certain) maybe_its_own(c, flood, *finding);
      r.findings.push_back(std::move(*finding));
      break;
    }
  }
}

}  // namespace sekimori::watch
