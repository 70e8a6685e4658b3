// The deep path of the observer: control protocols, whose frames are few and say much.
#include <algorithm>

#include "base/random.h"
#include "watch/observer.h"

namespace sekimori::watch {

using wire::Arp;

namespace {

constexpr Nanos kAnswerTime = 2 * kSecond;  // a reply this long after a question is an answer
// Lists that are searched for each message.
constexpr std::size_t kMostListed = 256, kMostNeighbours = 64;

std::uint64_t hash_of(std::uint32_t scope, const IpAddress& ip) {
  std::uint64_t h = scope;
  for (const std::uint8_t octet : ip.octets.octets) h = (h ^ octet) * 0x0000'0100'0000'01b3u;
  return base::mix64(h);
}

std::uint64_t hash_of(wire::Bytes bytes) {
  std::uint64_t h = bytes.size();
  for (const std::uint8_t octet : bytes) h = (h ^ octet) * 0x0000'0100'0000'01b3u;
  return base::mix64(h);
}

std::string text_of(wire::Bytes bytes) {
  std::string out;
  for (const std::uint8_t octet : bytes.first(std::min<std::size_t>(bytes.size(), 64))) {
    out.push_back(octet >= 0x20 && octet < 0x7f ? static_cast<char>(octet) : '?');
  }
  return out;
}

std::string text_of(std::string_view text) {
  return text_of(wire::Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace

void Observer::deep(const Seen& seen, wire::LinkType type, wire::Bytes bytes) {
  const wire::Packet packet = wire::decode(type, bytes);
  if (packet.tunnel) {
    // The inner frame lives in a world of its own; one within that is left alone.
    const Scope outside = o_.scopes[seen.scope];
    if (outside.tunnel != 0) return;
    const auto header = wire::parse_ethernet(packet.tunnel->frame);
    if (!header) return;
    Seen inner;
    inner.ref = seen.ref;
    inner.length = static_cast<std::uint32_t>(packet.tunnel->frame.size());
    const std::uint16_t vlan = packet.tunnel->vlan != 0 ? packet.tunnel->vlan : header->outer_vlan();
    const Scope inside{outside.interface, vlan, header->inner_vlan(), std::max(1u, packet.tunnel->id + 1)};
    inner.scope = scope_of(inside);
    if (inner.scope == kNobody) return;
    ethernet(inner, glance_at(scope_key(inside), *header, packet.tunnel->frame), packet.tunnel->frame);
    return;
  }
  if (const auto* a = packet.get<Arp>()) arp(seen, *a);
  if (const auto* message = packet.get<wire::Icmpv6>()) {
    if (const auto* ip = packet.get<wire::Ipv6Header>(); ip != nullptr && ip->hop_limit == 255)
      neighbour(seen, *message, *ip);
  }
  if (const auto* message = packet.get<wire::Dhcp>()) dhcp(seen, *message);
  if (const auto* segment = packet.get<wire::Tcp>()) tcp(seen, packet, *segment);
  if (const auto* message = packet.get<wire::Bpdu>()) bpdu(seen, *message);
  if (const auto* hello = packet.get<wire::FirstHop>()) {
    const auto* ip = packet.get<wire::Ipv4Header>();
    first_hop(seen, *hello, ip != nullptr ? ip->source : wire::Ipv4{});
  }
  if (const auto* name = packet.get<wire::Discovery>()) discovery(seen, *name);
  if (packet.get<wire::Lacp>() != nullptr) ++o_.lacp;
  if (packet.get<wire::NlbHeartbeat>() != nullptr && o_.nlb++ == 0) o_.first_nlb = seen.ref;
}

// Connections that begin or are reset.
void Observer::tcp(const Seen& seen, const wire::Packet& packet, const wire::Tcp& tcp) {
  if (!tcp.has(wire::Tcp::kSyn) && !tcp.has(wire::Tcp::kRst)) return;
  const TwinWatch::Frame frame{seen.ref, seen.scope, seen.source};
  if (const auto* v4 = packet.get<wire::Ipv4Header>()) {
    const std::uint64_t ends = std::uint64_t{v4->source.bits} << 32 | v4->destination.bits;
    twin_watch_.tcp(frame, ends, v4->ttl, tcp, o_.twin_signs);
  } else if (const auto* v6 = packet.get<wire::Ipv6Header>()) {
    const std::uint64_t ends =
        hash_of(wire::Bytes(v6->source.octets)) * 3 + hash_of(wire::Bytes(v6->destination.octets));
    twin_watch_.tcp(frame, ends, v6->hop_limit, tcp, o_.twin_signs);
  }
}

// ---------------------------------------------------------------- who has which address

const Binding* Observer::find_binding(std::uint32_t scope, const IpAddress& ip) const {
  const std::uint32_t found = binding_index_.find(hash_of(scope, ip), [&](std::uint32_t i) {
    return o_.bindings[i].ip == ip && o_.bindings[i].scope == scope;
  });
  return found == Index::kNone ? nullptr : &o_.bindings[found];
}

Binding* Observer::binding(std::uint32_t scope, const IpAddress& ip) {
  if (const Binding* known = find_binding(scope, ip))
    return &o_.bindings[static_cast<std::size_t>(known - o_.bindings.data())];
  const std::uint64_t hash = hash_of(scope, ip);
  if (o_.bindings.size() >= o_.limits.bindings) {
    ++o_.untracked.bindings;
    return nullptr;
  }
  const auto index = static_cast<std::uint32_t>(o_.bindings.size());
  Binding& b = o_.bindings.emplace_back();
  b.scope = scope;
  b.ip = ip;
  binding_index_.insert(hash, index,
                        [&](std::uint32_t i) { return hash_of(o_.bindings[i].scope, o_.bindings[i].ip); });
  return &b;
}

void Observer::asked(const Seen& seen, const IpAddress& ip) {
  const std::uint32_t interface = o_.scopes[seen.scope].interface;
  if (interface < o_.interfaces.size() && seen.source == o_.interfaces[interface].own)
    o_.scope_facts[seen.scope].own_question = seen.ref;
  Binding* b = binding(seen.scope, ip);
  if (b == nullptr) return;
  if (b->votes == 0) {
    b->insistent = seen.source;
    b->questions = 0;
    b->first_question = seen.ref;
  }
  if (b->insistent == seen.source) {
    ++b->votes;
    ++b->questions;
    b->last_question = seen.ref;
  } else {
    --b->votes;
  }
  b->asked = seen.ref;
  b->asker = seen.source;
  b->answered_by = {};
}

// A question whether the address is free. Who hears it from another while he asks himself must not take the
// address (RFC 5227 section 2.1.1, RFC 4862 section 5.4.3).
void Observer::probed(const Seen& seen, const IpAddress& ip) {
  Binding* b = binding(seen.scope, ip);
  if (b == nullptr) return;
  if (b->probe && b->prober != seen.source && within(seen.ref.at, b->probe.at, kSecond)) {
    if (b->refusals == 0) b->at_once = true;
    refuse(*b, seen.ref, seen.source);
  }
  b->probe = seen.ref;
  b->prober = seen.source;
}

// One answer is one refusal.
void Observer::refuse(Binding& b, FrameRef frame, Mac by) {
  if (b.refusals++ == 0) {
    b.first_probe = b.probe;
    b.first_refusal = frame;
    b.refused = b.prober;
    b.refused_by = by;
  }
  b.probe = {};
}

// `told`: whom a reply was for.
void Observer::claim(const Seen& seen, const IpAddress& ip, Mac mac, bool reply, bool gratuitous, Mac told) {
  if (mac.is_group() || mac.is_zero()) return;
  Binding* b = binding(seen.scope, ip);
  if (b == nullptr) return;
  if (b->probe && b->prober != mac && reply && within(seen.ref.at, b->probe.at, kAnswerTime))
    refuse(*b, seen.ref, mac);
  std::size_t i = 0;
  while (i < b->count && b->claimants[i].mac != mac) ++i;
  if (i == b->claimants.size()) return;
  Claimant& c = b->claimants[i];
  if (i == b->count) {
    ++b->count;
    c.mac = mac;
    c.first = seen.ref;
  }
  if (b->count > 1 && b->current != i && b->claimants[b->current].claims > 0) {
    if (b->alternations < b->changes.size()) b->changes[b->alternations] = seen.ref;
    ++b->alternations;
  }
  b->current = static_cast<std::uint8_t>(i);
  ++c.claims;
  if (b->questions < kInVain) b->questions = b->votes = 0;  // asked for anew, from here on
  c.last = seen.ref;
  if (gratuitous) ++c.gratuitous;
  if (seen.source != mac) {
    ++c.mismatched;
    // Tools that poison put things right when they end, in the others' names.
    const auto known = b->claimants.begin() + b->count;
    if (std::find_if(b->claimants.begin(), known, [&](const Claimant& o) { return o.mac == seen.source; }) !=
        known) {
      b->corrected = seen.ref;
      b->corrected_by = seen.source;
    }
  }
  if (reply) ++c.replies;
  if (reply && !gratuitous) answer(seen, *b, c, told);
}

void Observer::answer(const Seen& seen, Binding& b, Claimant& c, Mac told) {
  if (b.asked && b.asker == told && within(seen.ref.at, b.asked.at, kAnswerTime)) {
    if (!b.answered_by.is_zero() && b.answered_by != c.mac && b.double_answers++ == 0)
      b.double_answer = seen.ref;
    b.answered_by = c.mac;
    return;
  }
  if (c.unsolicited++ == 0) {
    c.first_unsolicited = seen.ref;
  } else {
    const Nanos gap = since(seen.ref.at, c.last_unsolicited.at);
    c.shortest_gap = std::min(c.shortest_gap, gap);
    c.longest_gap = std::max(c.longest_gap, gap);
  }
  c.last_unsolicited = seen.ref;
}

void Observer::arp(const Seen& seen, const Arp& arp) {
  if (arp.is_reverse()) return;
  // A probe asks whether an address is free and must never be taken for a claim (RFC 5227).
  if (!arp.sender_ip.is_zero()) {
    const bool reply = arp.operation == Arp::kReply;
    claim(seen, address_of(arp.sender_ip), arp.sender_mac, reply, arp.is_gratuitous(),
          seen.destination.is_group() || seen.destination.is_zero() ? arp.target_mac : seen.destination);
  }
  if (arp.operation != Arp::kRequest || arp.is_gratuitous()) return;
  asked(seen, address_of(arp.target_ip));
  if (arp.sender_ip.is_zero()) probed(seen, address_of(arp.target_ip));
}

void Observer::neighbour(const Seen& seen, const wire::Icmpv6& message, const wire::Ipv6Header& ip) {
  using wire::Icmpv6;
  if (message.type == Icmpv6::kNeighborSolicitation) {
    if (!ip.source.is_unspecified() && message.source_mac) {
      claim(seen, {ip.source, false}, *message.source_mac, false, false, {});
    }
    asked(seen, {message.target, false});
    if (ip.source.is_unspecified()) probed(seen, {message.target, false});
  } else if (message.type == Icmpv6::kNeighborAdvertisement) {
    const Mac mac = message.target_mac.value_or(seen.source);
    // Proxies and those who share an anycast address leave the word to others (RFC 4861 section 7.2.7).
    const Binding* known = find_binding(seen.scope, {message.target, false});
    if (!message.overrides && known != nullptr && known->count > 0 && known->claimants[0].mac != mac) return;
    claim(seen, {message.target, false}, mac, true, !message.solicited && seen.destination.is_group(),
          seen.destination);
  }
}

// ---------------------------------------------------------------- DHCP

void Observer::dhcp(const Seen& seen, const wire::Dhcp& m) {
  using wire::Dhcp;
  if (m.op == Dhcp::kRequestOp) return dhcp_client(seen, m);
  const bool answer = m.message_type == Dhcp::kOffer || m.message_type == Dhcp::kAck;
  if (m.op != Dhcp::kReplyOp || !answer || !m.server_id) return;
  auto& servers = o_.dhcp.servers;
  const auto known = std::ranges::find_if(
      servers, [&](const DhcpServer& s) { return s.scope == seen.scope && s.id == *m.server_id; });
  const auto server = static_cast<std::uint32_t>(known - servers.begin());
  if (known == servers.end()) {
    if (servers.size() >= kMostListed) return;
    servers.push_back({seen.scope, *m.server_id, seen.source, m.router, 1, seen.ref});
  } else {
    ++known->answers;
    if (!known->router) known->router = m.router;
  }
  dhcp_race(seen, m.xid, server);
}

void Observer::dhcp_client(const Seen& seen, const wire::Dhcp& m) {
  twin_watch_.dhcp({seen.ref, seen.scope, seen.source}, m, o_.twin_signs);
  DhcpFacts& facts = o_.dhcp;
  const auto key = std::pair(seen.scope, m.client_mac.bits);
  const std::uint64_t name =
      hash_of(m.client_id) ^
      hash_of(wire::Bytes(reinterpret_cast<const std::uint8_t*>(m.hostname.data()), m.hostname.size()));
  const auto client = facts.clients.find(key);
  if (client == facts.clients.end()) {
    if (facts.clients.size() >= o_.limits.bindings) return;
    facts.clients.emplace(key, DhcpName{name, text_of(m.hostname), {}, 0, seen.ref, seen.ref});
    // A relay speaks for clients of another segment.
    if (m.message_type == wire::Dhcp::kDiscover && m.relay_ip.is_zero())
      facts.discovers.push_back({seen.scope, m.client_mac, seen.source, seen.ref});
  } else if (client->second.name != name) {
    client->second.name = name;
    if (text_of(m.hostname) != client->second.text) client->second.other = text_of(m.hostname);
    ++client->second.changes;
    client->second.last = seen.ref;
  }
}

// Two servers that answer one transaction serve the same clients.
void Observer::dhcp_race(const Seen& seen, std::uint32_t xid, std::uint32_t server) {
  auto& transactions = o_.dhcp.transactions;
  const auto key = std::pair(seen.scope, xid);
  const auto found = transactions.find(key);
  if (found == transactions.end()) {
    if (transactions.size() < o_.limits.bindings)
      transactions.emplace(key, DhcpTransaction{server, seen.ref});
    return;
  }
  DhcpTransaction& t = found->second;
  if (t.first_server == server || t.first_server == kNobody) return;
  auto& races = o_.dhcp.races;
  const std::uint32_t a = std::min(t.first_server, server), b = std::max(t.first_server, server);
  auto race = std::ranges::find_if(races, [&](const DhcpRace& r) { return r.a == a && r.b == b; });
  if (race == races.end() && races.size() >= kMostListed) return;
  if (race == races.end()) race = races.insert(races.end(), {a, b, 0, t.first, seen.ref});
  ++race->transactions;
  t.first_server = kNobody;  // counted once
}

// ---------------------------------------------------------------- spanning tree

// The TC flag stays set for max age + forward delay after a change: only its rising edge is news.
void Observer::topology(const Seen& seen, std::uint16_t instance, const wire::BridgeId& bridge,
                        std::uint16_t port, bool flag) {
  const std::array<std::uint64_t, 4> key = {seen.scope, instance, bridge.mac.bits, port};
  auto found = o_.stp.flag.find(key);
  if (found == o_.stp.flag.end()) {
    if (o_.stp.flag.size() >= o_.limits.small) return;
    found = o_.stp.flag.emplace(key, false).first;
  }
  if (flag && !found->second && o_.stp.changes.size() < o_.limits.small) {
    o_.stp.changes.push_back({seen.scope, instance, bridge, seen.ref, false});
  }
  found->second = flag;
}

void Observer::bpdu(const Seen& seen, const wire::Bpdu& b) {
  ++o_.stp.bpdus;
  if (b.topology_change()) ++o_.stp.flagged;
  const std::uint16_t instance = b.pvst_vlan.value_or(0);
  if (b.is_tcn()) {
    if (o_.stp.changes.size() < o_.limits.small) {
      o_.stp.changes.push_back({seen.scope, instance, {0, seen.source}, seen.ref, true});
    }
    return;
  }
  topology(seen, instance, b.bridge, b.port, b.topology_change());
  const auto known = std::ranges::find_if(o_.stp.roots, [&](const RootClaim& r) {
    return r.scope == seen.scope && r.instance == instance && r.root == b.root;
  });
  if (known == o_.stp.roots.end() && o_.stp.roots.size() < kMostListed) {
    o_.stp.roots.push_back({seen.scope, instance, b.root, seen.ref});
  }
  if (!b.mst) return;
  for (std::size_t i = 0; i < b.mst->instances; ++i) {
    const wire::MstInstance message = wire::mst_instance(*b.mst, i);
    topology(seen, message.regional_root.priority & 0xfff, b.mst->bridge, b.port,
             (message.flags & wire::Bpdu::kTopologyChange) != 0);
  }
}

// ---------------------------------------------------------------- routers and neighbours

// Hellos come from the virtual MAC itself, as a rule: the IP address tells who speaks.
void Observer::first_hop(const Seen& seen, const wire::FirstHop& hello, wire::Ipv4 sender) {
  using wire::FirstHop;
  if (!hello.virtual_mac) return;
  // A standby's hello claims nothing.
  if (hello.protocol == FirstHop::Protocol::hsrp && hello.state != FirstHop::kHsrpActive) return;
  if (hello.protocol == FirstHop::Protocol::glbp) return;  // several are active, each with a MAC of its own
  const auto known = std::ranges::find_if(o_.virtual_routers, [&](const VirtualRouter& v) {
    return v.scope == seen.scope && v.virtual_mac == *hello.virtual_mac;
  });
  if (known == o_.virtual_routers.end()) {
    if (o_.virtual_routers.size() < kMostListed)
      o_.virtual_routers.push_back(
          {seen.scope, *hello.virtual_mac, sender, hello.virtual_ip, 0, seen.ref, {}});
    return;
  }
  if (sender != known->sender && known->takeovers++ == 0) known->takeover = seen.ref;
  known->sender = sender;
}

void Observer::discovery(const Seen& seen, const wire::Discovery& d) {
  const auto known = std::ranges::find_if(
      o_.neighbours, [&](const Neighbour& n) { return n.scope == seen.scope && n.sender == seen.source; });
  if (known != o_.neighbours.end() || o_.neighbours.size() >= kMostNeighbours) return;
  Neighbour n;
  n.scope = seen.scope;
  n.sender = seen.source;
  n.system = text_of(d.system_name);
  const bool is_mac = d.protocol == wire::Discovery::Protocol::lldp &&
                      d.port_id_subtype == wire::Discovery::kPortIsMac && d.port_id.size() == 6;
  n.port = is_mac ? wire::to_text(Mac::from_octets(d.port_id.data())) : text_of(d.port_id);
  n.first = seen.ref;
  o_.neighbours.push_back(std::move(n));
}

}  // namespace sekimori::watch
