// Two stations with one MAC. A switch sends what is for them to whichever spoke last, so that one may get
// nothing at all; then it speaks seldom, and the address hardly moves: counting moves is not enough.
//
// What shows two stacks behind one address, with false alarms measured over 2 199 public captures:
//   - initial TTLs (32, 64, 128, 255) of TCP or ICMP echoes that alternate for an on-link address: none. One
//     stack keeps to one value. UDP is no witness, as applications set it; resets are forged by middleboxes.
//   - host names or client ids that alternate in DHCP;
//   - the same MAC at two places of the network with two addresses.
// Two addresses with one TTL prove nothing: a station may have several. Routers' virtual MACs are shared on
// purpose. And a machine may lend its MAC to its guests, since an access point accepts no other (bridging
// over Wi-Fi, MAC-NAT): then there are two stacks and two addresses behind one MAC as well, but not behind
// one that a hypervisor gave to a guest.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::uint32_t kLeastChanges = 4;  // A, B, A, B, A
constexpr std::uint32_t kLeastNames = 3;

// Two different addresses that it claims itself; what a router forwards does not count.
bool two_names(const Case& c, Mac mac, const std::array<wire::Ipv4, 2>& ip) {
  return !ip[0].is_zero() && !ip[1].is_zero() && ip[0] != ip[1] && c.claims(mac, address_of(ip[0])) &&
         c.claims(mac, address_of(ip[1]));
}

std::string persona_text(const Persona& p) {
  return fmt::format("{} with {} TTL {}", wire::to_text(p.ip),
                     p.protocol == wire::ip_protocol::kTcp ? "TCP" : "ICMP", p.ttl);
}

// Two addresses with two TTLs, behind a MAC that a physical NIC may have.
void may_be_lent(const Station& s, Finding& finding) {
  finding.severity = Severity::kNote;
  finding.certainty = Certainty::kUndecided;
  finding.headline = fmt::format("two stacks are behind {}", wire::to_text(s.mac));
  finding.candidates = {"two stations with one MAC (mac-duplicate)",
                        "one machine that sends for its guests under its own MAC, as over Wi-Fi: no fault"};
  finding.to_decide = "See whether both can be reached at once, without loss: two stations of one MAC can't.";
}

// Two stacks by their TTLs: for one protocol, alternating, at addresses that ARP says are on this link.
std::optional<Finding> by_ttl(const Case& c, const Station& s) {
  if (s.persona == kNobody) return std::nullopt;
  const Personas& p = c.o.personas[s.persona];
  if (p.too_many || p.changes_ttl + p.changes_ip < kLeastChanges) return std::nullopt;
  std::vector<std::string> faces;
  std::set<std::uint8_t> ttls;
  for (std::size_t i = 0; i < p.count; ++i) {
    if (!c.claims(s.mac, address_of(p.list[i].ip))) return std::nullopt;
    faces.push_back(persona_text(p.list[i]));
    ttls.insert(p.list[i].ttl);
  }
  if (ttls.size() < 2) return std::nullopt;
  Finding finding = make(Code::kMacDuplicate, Certainty::kObserved, wire::to_text(s.mac), "", "");
  finding.headline =
      fmt::format("two stations send from {}: {}", wire::to_text(s.mac), base::list_words(faces));
  finding.cause = fmt::format(
      "The frames of {} alternate {} times between stacks that start with different TTLs, on this very link. "
      "One station has one stack: "
      "there are two, as after a clone that kept its MAC. A switch sends frames for both to whichever spoke "
      "last.",
      wire::to_text(s.mac), p.changes_ttl + p.changes_ip);
  for (std::size_t i = 0; i < p.count; ++i) c.show(finding, p.list[i].first, persona_text(p.list[i]));
  for (std::size_t i = 0; i < p.alternations; ++i) c.show(finding, p.alternation[i], "the other one speaks");
  finding.onset = c.time(p.list[0].first);
  if (p.changes_ttl < kLeastChanges && !is_hypervisors(s.mac)) may_be_lent(s, finding);
  return finding;
}

// Both sides of one interface, with two addresses.
std::optional<Finding> by_sides(const Case& c, const Station& s) {
  if (s.crossing == kNobody) return std::nullopt;
  const Crossing& x = c.o.crossings[s.crossing];
  if (x.changes < 2 || !two_names(c, s.mac, x.ip)) return std::nullopt;
  Finding finding = make(Code::kMacDuplicate, Certainty::kObserved, wire::to_text(s.mac), "", "");
  finding.headline = fmt::format("{} is on both sides of this port: as {} and as {}", wire::to_text(s.mac),
                                 wire::to_text(x.ip[0]), wire::to_text(x.ip[1]));
  finding.cause = fmt::format(
      "Frames from {} pass this port in both directions, {} changes, and its IP address differs with the "
      "side. Nobody can be on two "
      "sides with two names: there are two stations with one MAC.",
      wire::to_text(s.mac), x.changes);
  for (std::size_t i = 0; i < std::min<std::size_t>(x.changes, x.frames.size()); ++i)
    c.show(finding, x.frames[i], "it speaks from the other side");
  finding.onset = c.time(x.frames[0]);
  return finding;
}

void by_dhcp_names(const Case& c, Results& r) {
  for (const auto& [key, client] : c.o.dhcp.clients) {
    const Mac mac{key.second};
    if (client.changes < kLeastNames || client.other.empty() || client.text.empty() ||
        r.duplicates.contains(mac))
      continue;
    Finding finding = make(Code::kMacDuplicate, Certainty::kObserved, wire::to_text(mac), "", "");
    finding.headline = fmt::format("{} asks for an address as \"{}\" and as \"{}\"", wire::to_text(mac),
                                   client.text, client.other);
    finding.cause =
        fmt::format("In DHCP, {} gives itself two names in turn ({} changes): two stations with one MAC.",
                    wire::to_text(mac), client.changes);
    c.show(finding, client.first, fmt::format("it is \"{}\"", client.text));
    c.show(finding, client.last, "it is the other again");
    r.duplicates.insert(mac);
    r.findings.push_back(std::move(finding));
  }
}

void by_interfaces(const Case& c, Results& r) {
  for (const Move& move : c.o.moves) {
    if (move.count < 2 || !two_names(c, move.mac, move.ip)) continue;
    if (is_virtual_router(move.mac) || r.duplicates.contains(move.mac)) continue;
    Finding finding = make(Code::kMacDuplicate, Certainty::kObserved, wire::to_text(move.mac), "", "");
    finding.headline =
        fmt::format("{} is at {} as {} and at {} as {}", wire::to_text(move.mac), c.interface_name(move.from),
                    wire::to_text(move.ip[0]), c.interface_name(move.to), wire::to_text(move.ip[1]));
    finding.cause = fmt::format(
        "{} is heard at two places with two IP addresses, in turn ({} moves), with frames that were not "
        "forwarded from one to the other: "
        "two stations have one MAC.",
        wire::to_text(move.mac), move.count);
    for (std::size_t i = 0; i < std::min<std::size_t>(move.count, move.frames.size()); ++i)
      c.show(finding, move.frames[i], "heard at the other place");
    r.duplicates.insert(move.mac);
    r.findings.push_back(std::move(finding));
  }
}

}  // namespace

void detect_mac_duplicate(const Case& c, Results& r) {
  for (const Station& s : c.o.stations) {
    if ((s.persona == kNobody && s.crossing == kNobody) || is_virtual_router(s.mac) ||
        r.looping.contains(s.scope))
      continue;
    auto finding = by_ttl(c, s);
    if (!finding) finding = by_sides(c, s);
    if (!finding || !r.duplicates.insert(s.mac).second) continue;
    r.findings.push_back(std::move(*finding));
  }
  by_interfaces(c, r);
  by_dhcp_names(c, r);
}

}  // namespace sekimori::watch
