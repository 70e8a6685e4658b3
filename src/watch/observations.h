// What remains of a capture once its frames are gone: the waist between the one pass over the frames
// (observer.h) and the detectors (detectors.h).
//
// Everything is kept per *scope*: a capture interface, the two VLAN ids, and for the frames inside a tunnel
// the tunnel's id. The same MAC in two scopes is two stations.
//
// Time comes from strangers. It may stand still, run backwards, or jump by ten years; differences are taken
// by since(), which never is negative and never overflows.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wire/frame.h"
#include "wire/ip.h"
#include "wire/stp.h"

namespace sekimori::watch {

using wire::Mac;
using Nanos = std::int64_t;

constexpr Nanos kSecond = 1'000'000'000;

constexpr Nanos since(Nanos now, Nanos then) {
  Nanos difference = 0;
  if (now <= then) return 0;
  return __builtin_sub_overflow(now, then, &difference) ? INT64_MAX : difference;
}

// Whether two instants lie at most `limit` apart, whichever came first.
constexpr bool within(Nanos a, Nanos b, Nanos limit) { return since(a, b) <= limit && since(b, a) <= limit; }

constexpr std::uint32_t kNobody = ~std::uint32_t{0};

// A frame that somebody may want to look at.
struct FrameRef {
  std::uint64_t number = 0;  // as in Wireshark; 0: none
  Nanos at = 0;
  constexpr explicit operator bool() const { return number != 0; }
};

struct Scope {
  std::uint32_t interface = 0;
  std::uint16_t outer = 0, inner = 0;  // VLAN ids, 0: none
  std::uint32_t tunnel = 0;            // 1 + id of the tunnel; 0: not in a tunnel
  friend constexpr auto operator<=>(const Scope&, const Scope&) = default;
};

// Unicast to a station that has kept silent for more than kQuiet: at a third port that is a flood. A spell
// ends when the station speaks.
constexpr Nanos kQuiet = kSecond;
constexpr Nanos kLongPause = 2 * kSecond;  // and far longer than between the frames before
constexpr std::size_t kMostSpells = 16;    // kept per station; later ones are only counted

struct Spell {
  // What it began after: nothing known, the station's own frame, a question for the station by ARP (whose
  // answer we need not hear, but switches on its way do), or a mere pause of the senders.
  enum class After : std::uint8_t { kNothing, kHeard, kAsked, kPause };

  FrameRef first, last;
  std::uint64_t frames = 0, bytes = 0;
  Nanos quiet = -1;  // since then, when it began; -1: nothing known
  After after = After::kNothing;
};

// What an ordinary frame touches stands in the first 64 bytes.
struct alignas(64) Station {
  Mac mac{};
  std::uint32_t scope = 0;
  std::uint32_t crossing = kNobody;  // index into Observations::crossings
  std::uint64_t sent = 0;
  Nanos last_sent = 0;
  std::uint64_t received = 0;  // unicast
  Nanos last_received = 0;
  std::uint32_t tcp_ip = 0, icmp_ip = 0;  // what it last used, to pass the usual frame quickly
  std::uint8_t tcp_ttl = 0, icmp_ttl = 0;
  wire::Direction last_direction = wire::Direction::unknown;
  bool in_spell = false;
  std::uint32_t persona = kNobody;  // index into Observations::personas

  Spell spell;                              // while in_spell
  std::uint32_t spells = kNobody;           // index into Observations::spells
  std::uint32_t doubled = 0;                // group frames that were seen exactly twice
  std::uint32_t inbound = 0, outbound = 0;  // frames sent, by direction, as far as known
  std::uint64_t group_sent = 0;
  FrameRef first_sent;
};

struct Spells {
  std::vector<Spell> list;
  std::uint64_t more = 0;  // beyond kMostSpells
};

// What is in the frames of a pair whose receiver was silent meanwhile. A receiver that acknowledges is alive,
// so its frames take another way: the acknowledgement numbers that its peer sends grow, or that peer goes on
// to send new data, which TCP does no further than the window when nothing comes back.
struct OneWay {
  FrameRef first, last;
  std::uint64_t frames = 0, bytes = 0;
  std::uint64_t tcp = 0, udp = 0, echo_replies = 0, syn = 0;
  std::uint64_t ack_advances = 0, data_advances = 0;
  FrameRef first_progress, last_progress;
  std::uint32_t flow = 0, ack = 0, seq = 0;  // the connection followed, its greatest numbers
  bool follows = false;
  std::uint16_t udp_port = 0;              // destination of all datagrams; 0: several
  std::array<wire::Ipv4, 4> from{}, to{};  // the first addresses; more are counted up to five
  std::uint8_t from_count = 0, to_count = 0;
};

struct alignas(64) Pair {
  Mac source{}, destination{};
  std::uint32_t scope = 0;
  std::uint32_t from = kNobody, to = kNobody;  // stations; `to` is kNobody of a group
  std::uint32_t reverse = kNobody;             // the pair the other way, if seen
  std::uint32_t one_way = kNobody;             // index into Observations::one_way
  std::uint64_t frames = 0, bytes = 0;
  bool opens = false;  // its first frame, to a silent receiver, opens a connection
};
static_assert(sizeof(Station) == 192 && sizeof(Pair) == 64);

// IP packets of others that a station passes on within a subnet: from their sender's own address, with a TTL
// one below what senders start with, to a receiver on the same link.
struct Relay {
  std::uint32_t scope = 0;
  Mac relay{}, owner{}, receiver{};
  wire::Ipv4 from{}, to{};
  std::uint64_t packets = 0;
  FrameRef first, last;
};

// One way in which a MAC presents itself: an on-link address and the TTL it starts with.
struct Persona {
  wire::Ipv4 ip{};
  std::uint8_t ttl = 0, protocol = 0;
  std::uint64_t uses = 0;  // times it took over from another
  FrameRef first, last;    // of those
};
struct Personas {
  std::array<Persona, 6> list{};
  std::uint8_t count = 0;
  bool too_many = false;                  // a router, a proxy: says nothing
  std::uint32_t changes_ttl = 0;          // from one address and protocol to the same with another TTL
  std::uint32_t changes_ip = 0;           // to another address with another TTL
  std::uint32_t changes_same = 0;         // to another address with the same TTL
  std::array<FrameRef, 4> alternation{};  // the first changes
  std::uint8_t alternations = 0;
};

// What two stacks behind one MAC count, each for itself (twins.h): values on two lines, in turn.
struct TwinSign {
  enum class Kind : std::uint8_t { kIdentification, kClock, kLayout, kTransactions, kReset };

  std::uint32_t scope = 0;
  Mac mac{};
  Kind kind = Kind::kIdentification;
  std::uint8_t shown = 0;            // of frames
  std::uint32_t turns = 0;           // to the other line
  std::uint32_t breaks = 0;          // values on neither line
  std::array<FrameRef, 6> frames{};  // the first turns
};

// A byte-identical frame, again and again.
struct Replica {
  std::uint32_t scope = 0;
  Mac source{}, destination{};
  std::uint16_t type = 0;
  std::uint64_t copies = 0;
  FrameRef first, tenth, last;
};

// A frame that came back to the side it was sent from.
struct Reflection {
  std::uint32_t scope = 0;
  Mac source{};
  std::uint64_t frames = 0;
  wire::Direction sent_as = wire::Direction::unknown;
  FrameRef sent, back, last;
};

// The same MAC as a source of frames in both directions of one interface. Frames that merely came back are
// not counted.
struct Crossing {
  std::uint32_t station = 0;
  std::uint32_t changes = 0;
  std::array<FrameRef, 6> frames{};  // the first frame after a change, of the first changes
  std::array<wire::Ipv4, 2> ip{};    // what it called itself, inbound and outbound; zero: not seen
  Nanos last = 0;
};

// The same MAC as a source at two capture interfaces.
struct Move {
  Mac mac{};
  std::uint16_t outer = 0, inner = 0;
  std::uint32_t from = 0, to = 0;  // interfaces, of the first move
  std::uint64_t count = 0;
  std::array<FrameRef, 6> frames{};  // the first frame at the new place, of the first moves
  std::array<wire::Ipv4, 2> ip{};    // what it called itself at `from` and elsewhere; zero: not seen
  Nanos last = 0;
};

// Who says to have an IP address (ARP, Neighbor Discovery).
struct Claimant {
  Mac mac{};
  std::uint32_t claims = 0, replies = 0, gratuitous = 0, unsolicited = 0, mismatched = 0;
  FrameRef first, last, first_unsolicited, last_unsolicited;
  Nanos shortest_gap = INT64_MAX, longest_gap = 0;  // between unsolicited replies
};
struct IpAddress {
  wire::Ipv6 octets{};  // IPv4 as ::ffff:a.b.c.d
  bool is_v4 = false;
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
};
IpAddress address_of(wire::Ipv4 ip);
wire::Ipv4 v4_of(const IpAddress& ip);  // of one that is_v4

// So many questions for an address in a row, without a word from it, are in vain.
constexpr std::uint32_t kInVain = 30;

struct Binding {
  std::uint32_t scope = 0;
  IpAddress ip{};
  std::array<Claimant, 4> claimants{};
  std::uint8_t count = 0, current = 0;
  std::uint32_t alternations = 0;
  std::array<FrameRef, 4> changes{};
  FrameRef asked;              // the last request for it
  Mac asker{}, answered_by{};  // of that request
  std::uint32_t double_answers = 0;
  FrameRef double_answer;
  // Who asks most, by a vote that every other's question weakens; how often, and since and until when.
  Mac insistent{};
  std::uint32_t questions = 0, votes = 0;
  FrameRef first_question, last_question;
  FrameRef probe;  // the last question whether the address is free, and who asked
  Mac prober{};
  std::uint32_t refusals = 0;  // of such questions
  bool at_once = false;        // the first was another's question whether it is free
  FrameRef first_probe, first_refusal;
  Mac refused{}, refused_by{};
  FrameRef corrected;  // a claim for another's MAC, sent by one of the claimants
  Mac corrected_by{};
};

struct DhcpServer {
  std::uint32_t scope = 0;
  wire::Ipv4 id{};
  Mac mac{};
  std::optional<wire::Ipv4> router{};
  std::uint32_t answers = 0;
  FrameRef first;
};
struct DhcpTransaction {
  std::uint32_t first_server = kNobody;  // index into DhcpFacts::servers
  FrameRef first;
};
struct DhcpRace {  // two servers answered one transaction
  std::uint32_t a = 0, b = 0;
  std::uint32_t transactions = 0;
  FrameRef first_a, first_b;
};
struct DhcpName {  // what a client with this hardware address calls itself
  std::uint64_t name = 0;
  std::string text{}, other{};
  std::uint32_t changes = 0;
  FrameRef first, last;
};
struct DhcpDiscover {  // the first of each client
  std::uint32_t scope = 0;
  Mac client{}, source{};  // in the message, and of the frame
  FrameRef frame;
};
struct DhcpFacts {
  std::vector<DhcpServer> servers;
  std::map<std::pair<std::uint32_t, std::uint32_t>, DhcpTransaction> transactions;  // scope, xid
  std::vector<DhcpRace> races;
  std::map<std::pair<std::uint32_t, std::uint64_t>, DhcpName> clients;  // scope, hardware address
  std::vector<DhcpDiscover> discovers;
};

struct TopologyChange {
  std::uint32_t scope = 0;
  std::uint16_t instance = 0;  // PVST+ VLAN or MST instance; 0: the common tree
  wire::BridgeId bridge{};     // who says so
  FrameRef frame;
  bool notification = false;  // TCN
};
struct RootClaim {
  std::uint32_t scope = 0;
  std::uint16_t instance = 0;
  wire::BridgeId root{};
  FrameRef first;
};
struct StpFacts {
  std::uint64_t bpdus = 0, flagged = 0;
  std::vector<TopologyChange> changes;
  std::vector<RootClaim> roots;
  std::map<std::array<std::uint64_t, 4>, bool> flag;  // per scope, instance, bridge and port: TC was set
};

struct VirtualRouter {
  std::uint32_t scope = 0;
  Mac virtual_mac{};
  wire::Ipv4 sender{};  // zero: of IPv6
  std::optional<wire::Ipv4> ip{};
  std::uint32_t takeovers = 0;
  FrameRef first, takeover;
};

struct Neighbour {  // a bridge that names itself, and so the place of the capture
  std::uint32_t scope = 0;
  Mac sender{};
  std::string system, port;
  FrameRef first;
};

// Events per second of the capture: the greatest and the usual number, and when it was loud.
struct Rate {
  static constexpr std::uint64_t kLoud = 1000;

  std::uint64_t peak = 0;
  FrameRef peak_begin;
  std::uint32_t loud_seconds = 0;
  FrameRef loud_first, loud_last;

  void count(FrameRef frame) {
    const std::int64_t s = frame.at / kSecond;
    if (s != second_) close(s, frame);
    if (++now_ > peak) {
      peak = now_;
      peak_begin = begin_;
    }
    if (now_ == kLoud && loud_seconds++ == 0) loud_first = begin_;
    if (now_ >= kLoud) loud_last = frame;
  }
  // The median over the seconds in which anything happened, as a power of two that is not below it.
  std::uint64_t usual() const;

 private:
  void close(std::int64_t next, FrameRef frame);

  std::int64_t second_ = INT64_MIN;
  std::uint64_t now_ = 0;
  FrameRef begin_;
  std::array<std::uint32_t, 33> seconds_{};  // by the number of binary digits of their count
};

struct ScopeFacts {
  std::uint64_t frames = 0, bytes = 0, group_frames = 0;
  FrameRef own_question;  // the last by ARP or Neighbor Discovery of the capturing machine itself
  // Frames for everybody on the link (broadcasts, IPv6 neighbour multicasts), and addresses never seen
  // before.
  Rate to_all, new_stations;
  std::uint64_t group_sources = 0, zero_sources = 0;
  FrameRef first_group_source, first_zero_source;
  Mac group_source{};
};

struct InterfaceFacts {
  std::string name, description;
  wire::LinkType link_type = wire::LinkType::ethernet;
  std::uint32_t section = 0;  // of a pcapng file; several need not be of one time and place
  Mac own{};                  // the interface's own address, where the capturing machine tells it; else zero
  std::uint64_t frames = 0, bytes = 0, inbound = 0, outbound = 0;
};

// What did not fit: the tables have fixed limits, so that hostile input costs no more memory than honest.
struct Limits {
  std::size_t stations = std::size_t{1} << 20;
  std::size_t pairs = std::size_t{1} << 19;
  std::size_t one_way = std::size_t{1} << 16;   // pairs whose receiver is silent
  std::size_t bindings = std::size_t{5} << 13;  // IP addresses
  std::size_t spells = std::size_t{1} << 17;    // of flooding, over all stations
  std::size_t scopes = std::size_t{1} << 14;
  std::size_t small = 4096;  // any other list
};
struct Untracked {
  std::uint64_t frames = 0;  // of stations, pairs and scopes that came after the tables were full
  std::uint64_t bindings = 0;
};

struct Observations {
  Limits limits;
  std::vector<InterfaceFacts> interfaces;
  std::vector<Scope> scopes;
  std::vector<ScopeFacts> scope_facts;
  std::vector<Station> stations;
  std::vector<Pair> pairs;
  std::vector<Spells> spells;
  std::vector<OneWay> one_way;
  std::vector<Personas> personas;
  std::vector<TwinSign> twin_signs;
  std::vector<Replica> replicas;
  std::vector<Reflection> reflections;
  std::vector<Move> moves;
  std::vector<Crossing> crossings;
  std::vector<Relay> relays;
  std::vector<Binding> bindings;
  DhcpFacts dhcp;
  StpFacts stp;
  std::vector<VirtualRouter> virtual_routers;
  std::vector<Neighbour> neighbours;
  std::uint64_t lacp = 0, nlb = 0;
  FrameRef first_nlb;
  std::uint64_t frames = 0, undecodable = 0, time_reversals = 0;
  FrameRef first_reversal;
  FrameRef first, last;
  Untracked untracked;
};

// 00-00-0C-07-AC-xx (HSRP), 00-00-0C-9F-Fx-xx (HSRP 2), 00-05-73-A0-0x-xx (HSRP for IPv6), 00-07-B4 (GLBP),
// 00-00-5E-00-01-xx and -02-xx (VRRP and CARP): addresses that several routers may send from in turn.
constexpr bool is_virtual_router(Mac mac) {
  const std::uint64_t oui = mac.bits >> 24;
  return mac.bits >> 8 == 0x00'00'0c'07'acu || mac.bits >> 12 == 0x0'00'0c'9f'fu ||
         mac.bits >> 12 == 0x0'05'73'a0'0u || oui == 0x00'07'b4u || mac.bits >> 8 == 0x00'00'5e'00'01u ||
         mac.bits >> 8 == 0x00'00'5e'00'02u;
}

}  // namespace sekimori::watch
