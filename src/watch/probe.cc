#include "watch/probe.h"

#include <fmt/format.h>

#include <algorithm>

#include "watch/case.h"
#include "watch/flood.h"
#include "watch/viewed.h"
#include "wire/decode.h"

namespace sekimori::watch {

using findings::Report;
using wire::Bytes;
using wire::Ethernet;

namespace {

constexpr Nanos kInFlight = kSecond / 5;     // frames that were under way when the answer came
constexpr std::uint64_t kSteadyFrames = 20;  // seen before a question
constexpr Nanos kSteadyTime = 3 * kSecond;   // likewise
constexpr Nanos kLeastPause = kSecond / 2;   // less is never taken for an end
constexpr Nanos kGapsThatCount = 4;
constexpr Nanos kNeverForgotten =
    kSecond;                          // since a frame: IEEE 802.1Q asks for an ageing time of 10 s or more
constexpr std::uint64_t kGoesOn = 5;  // flooded frames after the answer

FrameRef ref_of(const wire::Frame& frame) { return {frame.number, frame.timestamp_ns}; }

// Whom the packet in a frame is for.
std::optional<IpAddress> destination(const Ethernet& header, Bytes bytes) {
  const Bytes packet = bytes.subspan(header.header_bytes);
  if (header.type == wire::ethertype::kIpv4 && packet.size() >= 20)
    return address_of(wire::Ipv4{wire::read_be32(packet.data() + 16)});
  if (header.type != wire::ethertype::kIpv6 || packet.size() < 40) return std::nullopt;
  IpAddress ip;
  std::ranges::copy(packet.subspan(24, 16), ip.octets.octets.begin());
  return ip;
}

struct Claim {
  IpAddress ip{};
  Mac mac{};
};

// Who says to have which address: replies of ARP, advertisements of Neighbor Discovery.
std::optional<Claim> claim_of(Bytes bytes) {
  const wire::Packet packet = wire::decode(wire::LinkType::ethernet, bytes);
  if (const auto* arp = packet.get<wire::Arp>(); arp != nullptr && arp->operation == wire::Arp::kReply)
    return Claim{address_of(arp->sender_ip), arp->sender_mac};
  const auto* icmp = packet.get<wire::Icmpv6>();
  if (icmp == nullptr || icmp->type != wire::Icmpv6::kNeighborAdvertisement) return std::nullopt;
  return Claim{{icmp->target, false}, icmp->target_mac.value_or(Mac{wire::parse_ethernet(bytes)->source})};
}

// The address that one of our questions asks for.
std::optional<IpAddress> question_of(Bytes bytes) {
  const wire::Packet packet = wire::decode(wire::LinkType::ethernet, bytes);
  if (const auto* arp = packet.get<wire::Arp>(); arp != nullptr && arp->operation == wire::Arp::kRequest)
    return address_of(arp->target_ip);
  const auto* icmp = packet.get<wire::Icmpv6>();
  if (icmp == nullptr || icmp->type != wire::Icmpv6::kNeighborSolicitation) return std::nullopt;
  return IpAddress{icmp->target, false};
}

bool is_sent_to(const Case& c, const Flood& flood, const IpAddress& ip) {
  return std::ranges::any_of(flood.pairs, [&](const Pair* pair) {
    const OneWay& way = c.o.one_way[pair->one_way];
    const auto count = std::min<std::size_t>(way.to_count, way.to.size());
    return std::ranges::any_of(std::span(way.to).first(count),
                               [&](wire::Ipv4 to) { return address_of(to) == ip; });
  });
}

Nanos pause_that_counts(const Probe::Station& s) {
  return std::max(kLeastPause, kGapsThatCount * std::min(s.largest_gap, INT64_MAX / kGapsThatCount));
}

}  // namespace

std::vector<ProbeTarget> probe_targets(const Observations& o, std::optional<Place> at,
                                       const Declared& declared) {
  const Viewed viewed(o, at, declared);
  const Case& c = *viewed;
  std::vector<ProbeTarget> out;
  for (const Flood& flood : floods(c, {})) {
    const Scope& scope = o.scopes[flood.scope];
    if (!flood.certain || scope.inner != 0 || scope.tunnel != 0 || is_virtual_router(flood.receiver->mac))
      continue;
    ProbeTarget target{flood.receiver->mac, scope.outer, flood.first.number, flood.alive(), {}};
    for (const Binding* told : c.bindings_of(flood.scope, target.mac)) target.on_link.push_back(told->ip);
    for (const Binding& b : o.bindings) {
      const bool asked = b.scope == flood.scope && b.asked && is_sent_to(c, flood, b.ip);
      if (asked) target.on_link.push_back(b.ip);
    }
    out.push_back(std::move(target));
  }
  return out;
}

std::string_view to_text(ProbeVerdict verdict) {
  switch (verdict) {
    case ProbeVerdict::kOpen:
      return "open";
    case ProbeVerdict::kLearnt:
      return "learnt";
    case ProbeVerdict::kNotLearnt:
      return "not-learnt";
    case ProbeVerdict::kMasked:
      return "masked";
    case ProbeVerdict::kMoved:
      return "moved";
    case ProbeVerdict::kTwo:
      return "two";
    case ProbeVerdict::kUnanswered:
      return "unanswered";
    case ProbeVerdict::kEnded:
      return "ended";
  }
  return "?";
}

// ---------------------------------------------------------------- watching

void Probe::targets(std::span<const ProbeTarget> targets) {
  for (const ProbeTarget& target : targets) {
    const auto known = std::ranges::find_if(stations_, [&](const Station& s) {
      return s.target.mac == target.mac && s.target.vlan == target.vlan;
    });
    if (known != stations_.end()) {
      known->target = target;
    } else if (stations_.size() < kMostStations) {
      stations_.emplace_back().target = target;
    }
  }
}

void Probe::look(const wire::Frame& frame) {
  const auto header = wire::parse_ethernet(frame.bytes);
  if (!header || header->inner_vlan() != 0) return;
  const std::uint16_t vlan = header->outer_vlan();
  for (Station& s : stations_) {
    if (s.target.vlan != vlan) continue;
    if (header->source == s.target.mac) {
      s.last_heard = frame.timestamp_ns;
      if (s.questions == 0) s.frames = 0;
    }
    if (header->destination == s.target.mac && header->source != us_)
      flooded(s, ref_of(frame), *header, frame.bytes);
  }
  const bool neighbour =
      header->type == wire::ethertype::kArp ||
      (header->type == wire::ethertype::kIpv6 && frame.bytes.size() > header->header_bytes + 40u &&
       frame.bytes[header->header_bytes + 6u] == wire::ip_protocol::kIcmpv6);
  if (!neighbour) return;
  if (header->source != us_) return answered(ref_of(frame), *header, frame.bytes);
  const auto asked = question_of(frame.bytes);
  for (Station& s : stations_) {
    if (!asked || s.questions == 0 || s.ip != *asked || s.target.vlan != vlan) continue;
    if (!s.first_question) s.first_question = ref_of(frame);
    s.last_question = ref_of(frame);
  }
}

void Probe::flooded(Station& s, FrameRef ref, const Ethernet& header, Bytes bytes) {
  if (const auto ip = destination(header, bytes)) {
    if (!s.ip) s.ip = ip;
    s.several = s.several || *s.ip != *ip;
  }
  if (!s.own && !s.other) {
    if (s.frames++ == 0) {
      s.first = ref;
      s.largest_gap = 0;
    } else if (s.questions == 0) {
      s.largest_gap = std::max(s.largest_gap, since(ref.at, s.last.at));
    }
    s.last = ref;
    if (s.questions > 0) ++s.after;
    return;
  }
  const Nanos answer = std::max(s.last_heard, (s.own ? s.own : s.other)->frame.at);
  if (s.back) {
    ++s.after;
  } else if (since(ref.at, answer) <= kInFlight) {
    ++s.strays;
  } else {
    s.back = ref;
    s.quiet = since(ref.at, answer);
    s.after = 1;
  }
}

// Only of those who were asked: that somebody else's question is answered decides nothing that we could
// watch.
void Probe::answered(FrameRef ref, const Ethernet& header, Bytes bytes) {
  const auto claim = claim_of(bytes);
  if (!claim) return;
  for (Station& s : stations_) {
    if (s.questions == 0 || s.ip != claim->ip || s.target.vlan != header.outer_vlan()) continue;
    auto& place = claim->mac == s.target.mac ? s.own : s.other;
    if (place) continue;
    place = Answer{ref, header.source, claim->mac};
    s.back = {};
    s.after = s.strays = 0;
  }
}

// ---------------------------------------------------------------- asking

bool Probe::is_on_link(const Station& s) const {
  return (s.target.vlan == 0 && on_link_(*s.ip)) ||
         std::ranges::find(s.target.on_link, *s.ip) != s.target.on_link.end();
}

std::optional<Probe::Question> Probe::due(Nanos now) {
  if (now < next_question_) return std::nullopt;
  for (Station& s : stations_) {
    const bool asks = s.ip && !s.several && !s.own && !s.other && s.questions < kMostQuestions &&
                      (s.questions == 0 || since(now, s.asked_at) >= kPatience);
    const bool steady = s.frames >= kSteadyFrames && since(s.last.at, s.first.at) >= kSteadyTime;
    const bool goes_on = since(now, s.last.at) < pause_that_counts(s);
    if (!asks || !steady || !goes_on || !is_on_link(s)) continue;
    ++s.questions;
    s.asked_at = now;
    next_question_ = now + kPause;
    return Question{s.target.mac, s.target.vlan, *s.ip};
  }
  return std::nullopt;
}

// ---------------------------------------------------------------- what it decides

ProbeVerdict Probe::judge(const Station& s, Nanos now) const {
  if (s.questions == 0) return ProbeVerdict::kOpen;
  const Nanos pause = pause_that_counts(s);
  if (s.own) {
    if (s.own->source != s.target.mac) return ProbeVerdict::kMasked;
    if (s.other) return ProbeVerdict::kTwo;
    if (s.back && s.quiet < pause) {
      const bool goes_on =
          s.after >= kGoesOn && s.quiet <= std::min(kNeverForgotten, kInFlight + s.largest_gap);
      return goes_on ? ProbeVerdict::kNotLearnt : ProbeVerdict::kOpen;
    }
    if (s.back) return ProbeVerdict::kLearnt;
    return since(now, std::max(s.last_heard, s.own->frame.at)) >= pause ? ProbeVerdict::kLearnt
                                                                        : ProbeVerdict::kOpen;
  }
  if (s.other)  // the owner may answer a moment later
    return since(now, s.other->frame.at) >= kPatience ? ProbeVerdict::kMoved : ProbeVerdict::kOpen;
  if (since(now, s.last.at) >= pause) return ProbeVerdict::kEnded;
  const bool waited = s.questions == kMostQuestions && since(now, s.asked_at) >= kPatience;
  return waited && s.after >= kGoesOn ? ProbeVerdict::kUnanswered : ProbeVerdict::kOpen;
}

std::string in_words(const Probe::Station& s, ProbeVerdict verdict, Nanos now) {
  const std::string x = wire::to_text(s.target.mac), ip = s.ip ? to_text(*s.ip) : "";
  switch (verdict) {
    case ProbeVerdict::kOpen:
      if (!s.own) return "";
      return fmt::format(
          "Asked for {}, {} answered; the rhythm of the flood does not tell what became of it.", ip, x);
    case ProbeVerdict::kLearnt: {
      const std::string end =
          s.back ? fmt::format(
                       "It was back {} after its last frame, which is the ageing time of the switch that "
                       "floods, at most",
                       seconds_text(s.quiet))
                 : fmt::format("It has not come back in the {} since",
                               seconds_text(since(now, std::max(s.last_heard, s.own->frame.at))));
      return fmt::format(
          "Asked for {}, {} answered, and the flood, which had not paused for more than {}, ended: it is "
          "there, and "
          "the switches learn it when it speaks. {}.{}",
          ip, x, seconds_text(s.largest_gap), end,
          s.target.alive
              ? " So it is not the switches that fail to learn: what it sends to its peers does not pass "
                "them, as it is handed over inside a host (a leak) or takes another way."
              : " What is not decided by that: whether it sends nothing by itself, or answers inside its "
                "host.");
    }
    case ProbeVerdict::kNotLearnt:
      return fmt::format(
          "Asked for {}, {} answered, and the flood went on all the same. The answer passed the very switch "
          "that "
          "floods, which did not learn from it.",
          ip, x);
    case ProbeVerdict::kMasked:
      return fmt::format(
          "Asked for {}, {} tells that address for {}, so it never sends from it and no switch can learn it.",
          ip, wire::to_text(s.own->source), x);
    case ProbeVerdict::kMoved:
      return fmt::format(
          "Asked for {}, {} answers, and {} does not: the senders' neighbour entry is out of date.", ip,
          wire::to_text(s.other->told), x);
    case ProbeVerdict::kTwo:
      return fmt::format("Asked for {}, both {} and {} answered.", ip, x, wire::to_text(s.other->told));
    case ProbeVerdict::kUnanswered:
      return fmt::format("Asked for {} {} times, nobody answered.{}", ip, s.questions,
                         s.target.alive ? " Yet it lives: its frames do not come this way at all." : "");
    case ProbeVerdict::kEnded:
      return fmt::format("Asked for {}, nobody answered, and the flood ended by itself: nothing is decided.",
                         ip);
  }
  return "";
}

namespace {

void decide(Finding& f, Code code) {
  f.code = code;
  f.certainty = Certainty::kObserved;
  f.candidates.clear();
  f.to_decide.clear();
}

void leave_open(Finding& f, std::vector<std::string> candidates, std::string to_decide) {
  f.code = Code::kFloodUndecided;
  f.certainty = Certainty::kUndecided;
  f.candidates = std::move(candidates);
  f.to_decide = std::move(to_decide);
}

// Whether a MAC tells several IP addresses to be its own: a router or a proxy.
bool tells_several(const Observations& o, Mac mac) {
  std::set<IpAddress> ips;
  for (const Binding& b : o.bindings) {
    for (std::size_t i = 0; i < b.count; ++i) {
      if (b.claimants[i].mac == mac) ips.insert(b.ip);
    }
  }
  return ips.size() > 1;
}

void conclude(const Observations& o, const Probe::Station& s, ProbeVerdict verdict, Finding& f) {
  const std::string x = wire::to_text(s.target.mac);
  switch (verdict) {
    case ProbeVerdict::kLearnt:
      std::erase_if(f.candidates,
                    [](const std::string& c) { return c.find("flood-no-learning") != std::string::npos; });
      for (std::string& c : f.candidates) {
        if (c.starts_with("the receiver is silent, or off"))
          c = "the receiver sends nothing by itself (flood-silent), or too seldom (flood-timers)";
      }
      break;
    case ProbeVerdict::kNotLearnt:
      if (f.code == Code::kFloodNoLearning || f.code == Code::kFloodTableFull) break;
      leave_open(
          f,
          {"the switch does not learn: its ageing time is 0, or learning is off at a port "
           "(flood-no-learning)",
           "its table is full (flood-table-full)",
           "what the receiver sends is in another VLAN there than what it is sent (flood-asymmetric)"},
          fmt::format("Ask {} again and look for it in the tables of the switches between it and this port.",
                      x));
      break;
    case ProbeVerdict::kMasked:
      decide(f, Code::kFloodMasked);
      f.cause.clear();
      break;
    case ProbeVerdict::kMoved:
      if (tells_several(o, s.other->told)) {
        leave_open(f,
                   {"the address has moved, and the receiver is gone (flood-silent)",
                    fmt::format("{} answers for others (proxy ARP)", wire::to_text(s.other->told))},
                   fmt::format("Find out whether {} exists.", x));
      } else {
        decide(f, Code::kFloodSilent);
      }
      break;
    case ProbeVerdict::kUnanswered:
      leave_open(
          f,
          {s.target.alive ? "its frames leave it by another NIC, MAC or VLAN (flood-asymmetric), or never "
                            "leave its host (flood-leak)"
                          : "the receiver is off or gone, and the senders keep its address (flood-silent)",
           "it is kept apart from this port: an isolated port, a private VLAN, a filter"},
          fmt::format(
              "Look for {} at its own switch port, and for its entry in the senders' neighbour tables.", x));
      break;
    case ProbeVerdict::kOpen:
    case ProbeVerdict::kTwo:
    case ProbeVerdict::kEnded:
      break;
  }
}

std::string clock(const Observations& o, FrameRef ref) { return seconds_text(since(ref.at, o.first.at)); }

void show(const Observations& o, Finding& f, FrameRef ref, std::string what) {
  if (!ref) return;
  f.evidence.push_back({base::nanoseconds(since(ref.at, o.first.at)), fmt::format("frame {}", ref.number),
                        std::move(what), ref.number});
}

}  // namespace

std::string Probe::why_not_asked(const Station& s) const {
  if (!s.ip) return "the frames for it carry no IP address";
  if (s.several) return "the frames for it are for several IP addresses, so it is a router";
  if (!is_on_link(s)) return fmt::format("{} is not known to be on this link", to_text(*s.ip));
  return "";
}

void Probe::tell(const Observations& o, Nanos now, Report& report) const {
  for (const Station& s : stations_) {
    if (s.questions == 0) {
      if (const std::string why = why_not_asked(s); !why.empty())
        report.remarks.push_back(fmt::format("{} was not asked: {}.", wire::to_text(s.target.mac), why));
      continue;
    }
    const ProbeVerdict verdict = judge(s, now);
    report.remarks.push_back(
        fmt::format("Sent by this program: {} for {}{} by {}, at {}{}.", count_text(s.questions, "question"),
                    to_text(*s.ip), s.target.vlan == 0 ? "" : fmt::format(" in VLAN {}", s.target.vlan),
                    s.ip->is_v4 ? "ARP" : "Neighbor Discovery", clock(o, s.first_question),
                    s.questions > 1 ? " to " + clock(o, s.last_question) : ""));
    const auto shows_question = [&](const findings::Evidence& e) {
      return e.frame != 0 && (e.frame == s.first_question.number || e.frame == s.last_question.number);
    };
    // Without an address we ask as somebody who wants to take it (RFC 5227), and hear that it is taken.
    std::erase_if(report.findings, [&](const Finding& f) {
      return f.code == Code::kIpDuplicate && std::ranges::any_of(f.evidence, shows_question);
    });
    const auto found = std::ranges::find_if(report.findings, [&](const Finding& f) {
      return std::ranges::find(f.evidence, s.target.flood, &findings::Evidence::frame) != f.evidence.end();
    });
    const std::string words = in_words(s, verdict, now);
    if (found == report.findings.end()) {
      if (!words.empty()) report.remarks.push_back(words);
      continue;
    }
    conclude(o, s, verdict, *found);
    if (!words.empty()) found->cause += (found->cause.empty() ? "" : " ") + words;
    show(o, *found, s.first_question, "asked by this program who has " + to_text(*s.ip));
    if (s.own) show(o, *found, s.own->frame, "the receiver's answer");
    if (s.other) show(o, *found, s.other->frame, "an answer from another MAC");
    if (verdict == ProbeVerdict::kLearnt) show(o, *found, s.back, "the flood is back");
  }
}

}  // namespace sekimori::watch
