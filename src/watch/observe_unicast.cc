// The observer on unicast: frames to stations that have been silent, and how stations present themselves.
//
// Unicast to a station that has kept silent is what a flood looks like from a third port (Extreme Networks
// FAQ 5322: "any station that received packets was not seen to transmit them"). Never having been heard is
// too strict, since a silent station still answers ARP now and then; so the silence before and during each
// spell is measured, as it tells the ageing time of the switch that floods.
//
// TTLs tell stacks apart: a packet that was not routed carries the value its sender starts with, and one
// station keeps to one value for TCP and for ICMP echoes. Applications set that of UDP to what they like.
#include <algorithm>
#include <utility>

#include "watch/observer.h"

namespace sekimori::watch {

using wire::Bytes;
using wire::Ipv4;

namespace {

constexpr std::uint64_t kSpellFrames = 3;  // single frames to an unknown station are what any switch floods
constexpr std::size_t kMostRelays = 256;

constexpr bool is_initial_ttl(std::uint8_t ttl) { return ttl == 64 || ttl == 128 || ttl == 255 || ttl == 32; }

void note(std::array<Ipv4, 4>& list, std::uint8_t& count, Ipv4 ip) {
  if (std::find(list.begin(), list.begin() + std::min<std::size_t>(count, list.size()), ip) !=
      list.begin() + std::min<std::size_t>(count, list.size()))
    return;
  if (count < list.size()) list[count] = ip;
  if (count <= list.size()) ++count;
}

void progress(OneWay& way, FrameRef ref) {
  if (!way.first_progress) way.first_progress = ref;
  way.last_progress = ref;
}

bool opens_connection(Bytes bytes) {
  const wire::Packet packet = wire::decode(wire::LinkType::ethernet, bytes);
  const auto* tcp = packet.get<wire::Tcp>();
  return tcp != nullptr && tcp->has(wire::Tcp::kSyn);
}

// Signed distances, as sequence numbers wrap.
void follow_tcp(OneWay& way, const wire::Tcp& tcp, FrameRef ref) {
  ++way.tcp;
  if (tcp.has(wire::Tcp::kSyn)) ++way.syn;
  if (!tcp.has(wire::Tcp::kAck)) return;
  const auto flow = std::uint32_t{tcp.source_port} << 16 | tcp.destination_port;
  if (!way.follows || flow != way.flow) {
    way.follows = true;
    way.flow = flow;
    way.ack = tcp.ack;
    way.seq = tcp.seq;
    return;
  }
  if (static_cast<std::int32_t>(tcp.ack - way.ack) > 0) {
    way.ack = tcp.ack;
    ++way.ack_advances;
    progress(way, ref);
  }
  if (static_cast<std::int32_t>(tcp.seq - way.seq) > 0) {
    way.seq = tcp.seq;
    ++way.data_advances;
    progress(way, ref);
  }
}

}  // namespace

void Observer::unicast(const Seen& seen, Station& to, std::uint32_t pair, Bytes bytes) {
  ++to.received;
  if (to.sent == 0 || !within(seen.ref.at, to.last_sent, kQuiet)) quiet_unicast(seen, to, pair, bytes);
  to.last_received = seen.ref.at;
}

void Observer::close_spell(Station& station) {
  station.in_spell = false;
  const Spell spell = std::exchange(station.spell, {});
  if (spell.frames < kSpellFrames || spells_kept_ >= o_.limits.spells) return;
  if (station.spells == kNobody) {
    station.spells = static_cast<std::uint32_t>(o_.spells.size());
    o_.spells.emplace_back();
  }
  Spells& spells = o_.spells[station.spells];
  if (spells.list.size() < kMostSpells) {
    spells.list.push_back(spell);
    ++spells_kept_;
  } else {
    ++spells.more;
  }
}

// Opens a spell, or a new one after a pause that the rate before does not explain.
void Observer::spell_of(const Seen& seen, Station& to, Bytes bytes) {
  const Spell& before = to.spell;
  const Nanos now = seen.ref.at, pause = before.frames == 0 ? 0 : since(now, before.last.at);
  const bool paused = before.frames >= kSpellFrames && pause > kLongPause &&
                      pause / 20 > since(before.last.at, before.first.at) / static_cast<Nanos>(before.frames);
  if (before.frames != 0 && !paused) return;

  Spell spell;
  spell.first = seen.ref;
  if (paused) {
    spell.quiet = pause;
    spell.after = Spell::After::kPause;
  } else if (to.sent != 0) {
    spell.quiet = since(now, to.last_sent);
    spell.after = Spell::After::kHeard;
  }
  const auto header = wire::parse_ethernet(bytes);
  const Binding* b =
      header ? find_binding(seen.scope, address_of(receiver_address(*header, bytes))) : nullptr;
  if (b != nullptr && b->asked) {
    const Nanos asked = since(now, b->asked.at);
    // It was asked for after it had been heard, or when the pause began.
    if (paused ? within(b->asked.at, before.last.at, kQuiet) : spell.quiet < 0 || asked < spell.quiet) {
      spell.quiet = asked;
      spell.after = Spell::After::kAsked;
    }
  }
  // Who speaks because this machine asks (--probe) shows no rhythm of its own.
  const FrameRef own = o_.scope_facts[seen.scope].own_question;
  if (own && spell.quiet >= 0 && within(since(now, own.at), spell.quiet, kQuiet)) {
    spell.quiet = -1;
    spell.after = Spell::After::kNothing;
  }
  if (paused) close_spell(to);
  to.spell = spell;
  to.in_spell = true;
}

void Observer::quiet_unicast(const Seen& seen, Station& to, std::uint32_t index, Bytes bytes) {
  spell_of(seen, to, bytes);
  Spell& spell = to.spell;
  ++spell.frames;
  spell.bytes += seen.length;
  spell.last = seen.ref;
  if (index == kNobody) return;

  Pair& pair = o_.pairs[index];
  if (pair.one_way == kNobody) {
    if (pair.frames == 1) pair.opens = opens_connection(bytes);
    if (pair.frames < 2 || o_.one_way.size() >= o_.limits.one_way) return;
    pair.one_way = static_cast<std::uint32_t>(o_.one_way.size());
    o_.one_way.emplace_back().first = seen.ref;
  }
  OneWay& way = o_.one_way[pair.one_way];
  ++way.frames;
  way.bytes += seen.length;
  way.last = seen.ref;
  const wire::Packet packet = wire::decode(wire::LinkType::ethernet, bytes);
  if (const auto* ip = packet.get<wire::Ipv4Header>()) {
    note(way.from, way.from_count, ip->source);
    note(way.to, way.to_count, ip->destination);
  }
  if (const auto* tcp = packet.get<wire::Tcp>()) {
    follow_tcp(way, *tcp, seen.ref);
  } else if (const auto* udp = packet.get<wire::Udp>()) {
    if (way.udp++ == 0) way.udp_port = udp->destination_port;
    if (udp->destination_port != way.udp_port) way.udp_port = 0;
  }
  const auto* icmp = packet.get<wire::Icmp>();
  const auto* icmp6 = packet.get<wire::Icmpv6>();
  if ((icmp != nullptr && icmp->type == wire::Icmp::kEchoReply) ||
      (icmp6 != nullptr && icmp6->type == wire::Icmpv6::kEchoReply)) {
    ++way.echo_replies;
    progress(way, seen.ref);
  }
}

// An address or TTL other than in the station's frame before.
void Observer::presents_itself(const Seen& seen, Station& from, Bytes packet) {
  const std::uint8_t* ip = packet.data();
  const Ipv4 source{wire::read_be32(ip + 12)}, destination{wire::read_be32(ip + 16)};
  const std::uint8_t ttl = ip[8], protocol = ip[9];
  const std::size_t header = std::size_t{ip[0] & 0xfu} * 4;
  if (is_initial_ttl(static_cast<std::uint8_t>(ttl + 1))) {
    if ((source.bits ^ destination.bits) < 0x100) relayed(seen, source, destination);
    return;
  }
  if (!is_initial_ttl(ttl) || is_virtual_router(from.mac)) return;
  if (protocol == wire::ip_protocol::kTcp) {
    // Resets are often somebody else's: firewalls and middleboxes forge them.
    if (header + 14 > packet.size() || (packet[header + 13] & wire::Tcp::kRst) != 0) return;
  } else {
    if (header >= packet.size()) return;
    if (packet[header] != wire::Icmp::kEchoRequest && packet[header] != wire::Icmp::kEchoReply) return;
  }
  persona(seen, from, protocol, source, ttl);
}

void Observer::persona(const Seen& seen, Station& station, std::uint8_t protocol, Ipv4 ip, std::uint8_t ttl) {
  const bool tcp = protocol == wire::ip_protocol::kTcp;
  const Ipv4 before{std::exchange(tcp ? station.tcp_ip : station.icmp_ip, ip.bits)};
  const std::uint8_t before_ttl = std::exchange(tcp ? station.tcp_ttl : station.icmp_ttl, ttl);
  if (before_ttl == 0) return;
  if (station.persona == kNobody) {
    if (o_.personas.size() >= o_.limits.bindings) return;
    station.persona = static_cast<std::uint32_t>(o_.personas.size());
    o_.personas.emplace_back();
  }
  Personas& p = o_.personas[station.persona];
  if (p.too_many) return;
  std::size_t i = 0;
  while (i < p.count && !(p.list[i].ip == ip && p.list[i].ttl == ttl && p.list[i].protocol == protocol)) ++i;
  if (i == p.list.size()) {
    p.too_many = true;
    return;
  }
  if (i == p.count) p.list[p.count++] = {ip, ttl, protocol, 0, seen.ref, seen.ref};
  ++p.list[i].uses;
  p.list[i].last = seen.ref;
  if (ttl == before_ttl) {
    ++p.changes_same;
    return;
  }
  ++(ip == before ? p.changes_ttl : p.changes_ip);
  if (p.alternations < p.alternation.size()) p.alternation[p.alternations++] = seen.ref;
}

// A packet with a decremented TTL between two addresses of (very likely) one subnet. Who owns them was told
// by ARP; when neither end is the sender of the frame, somebody stands between them.
void Observer::relayed(const Seen& seen, Ipv4 from, Ipv4 to) {
  const Binding* sender = find_binding(seen.scope, address_of(from));
  const Binding* receiver = find_binding(seen.scope, address_of(to));
  if (sender == nullptr || receiver == nullptr || sender->count == 0 || receiver->count == 0) return;
  const auto claims = [](const Binding& b, Mac mac) {
    return std::any_of(b.claimants.begin(), b.claimants.begin() + b.count,
                       [mac](const Claimant& c) { return c.mac == mac && c.mismatched < c.claims; });
  };
  if (claims(*sender, seen.source) || !claims(*receiver, seen.destination)) return;
  const auto known = std::ranges::find_if(o_.relays, [&](const Relay& r) {
    return r.scope == seen.scope && r.relay == seen.source && r.from == from && r.to == to;
  });
  if (known != o_.relays.end()) {
    ++known->packets;
    known->last = seen.ref;
  } else if (o_.relays.size() < kMostRelays) {
    o_.relays.push_back({seen.scope, seen.source, sender->claimants[0].mac, seen.destination, from, to, 1,
                         seen.ref, seen.ref});
  }
}

}  // namespace sekimori::watch
