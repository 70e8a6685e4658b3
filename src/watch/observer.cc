#include "watch/observer.h"

#include <algorithm>
#include <array>

#include "base/random.h"

namespace sekimori::watch {

using wire::Bytes;
using wire::Direction;
using wire::Ethernet;

namespace {

constexpr std::size_t kRecent = 8192;  // slots for group frames, two to a set

std::uint64_t station_hash(std::uint32_t scope, Mac mac) {
  return base::mix64(mac.bits ^ std::uint64_t{scope} * 0x9e37'79b9'7f4a'7c15u);
}

std::uint64_t pair_hash(std::uint32_t scope, Mac source, Mac destination) {
  // One multiplication mixes enough for a table that compares the whole key, and costs little.
  const __uint128_t product = static_cast<__uint128_t>(source.bits * 0x9e37'79b9'7f4a'7c15u + scope) *
                              (destination.bits * 0xd6e8'feb8'6659'fd93u | 1);
  const auto folded = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  return folded ^ folded >> 29;
}

constexpr bool is_control_port(std::uint16_t port) {
  return port == wire::Dhcp::kServerPort || port == wire::Dhcp::kClientPort || port == wire::kHsrpPort ||
         port == wire::kHsrpIpv6Port || port == wire::kGlbpPort || port == wire::kVxlanPort ||
         port == wire::kLinuxVxlanPort || port == wire::kGenevePort;
}

bool is_ipv4_control(const std::uint8_t* ip, std::size_t left) {
  if (left < 24) return false;
  if (ip[9] != wire::ip_protocol::kUdp)
    return ip[9] == wire::ip_protocol::kVrrp || ip[9] == wire::ip_protocol::kGre;
  const std::size_t udp = std::size_t{ip[0] & 0xfu} * 4;
  return udp + 4 <= left && is_control_port(wire::read_be16(ip + udp + 2));
}

bool is_ipv6_control(const std::uint8_t* ip, std::size_t left) {
  using wire::Icmpv6;
  if (left < 44) return false;
  if (ip[6] == wire::ip_protocol::kIcmpv6)
    return ip[40] >= Icmpv6::kRouterSolicitation && ip[40] <= Icmpv6::kRedirect;
  if (ip[6] == wire::ip_protocol::kUdp) return is_control_port(wire::read_be16(ip + 42));
  return ip[6] == wire::ip_protocol::kVrrp || ip[6] == wire::ip_protocol::kGre;
}

}  // namespace

bool is_control(const Ethernet& header, Bytes bytes) {
  const std::uint8_t* payload = bytes.data() + header.header_bytes;
  const std::size_t left = bytes.size() - header.header_bytes;
  switch (header.type) {
    case wire::ethertype::kIpv4:
      return is_ipv4_control(payload, left);
    case wire::ethertype::kIpv6:
      return is_ipv6_control(payload, left);
    case wire::ethertype::kArp:
    case wire::ethertype::kRarp:
    case wire::ethertype::kSlow:
    case wire::ethertype::kNlbHeartbeat:
    case wire::ethertype::kLldp:
    case wire::ethertype::kPbb:
      return true;
    default:
      return header.is_llc();
  }
}

wire::Ipv4 sender_address(const Ethernet& header, Bytes bytes) {
  const Bytes payload = bytes.subspan(header.header_bytes);
  if (header.type == wire::ethertype::kIpv4 && payload.size() >= 20)
    return {wire::read_be32(payload.data() + 12)};
  if (header.type == wire::ethertype::kArp && payload.size() >= 28)
    return {wire::read_be32(payload.data() + 14)};
  return {};
}

wire::Ipv4 receiver_address(const Ethernet& header, Bytes bytes) {
  const Bytes payload = bytes.subspan(header.header_bytes);
  if (header.type != wire::ethertype::kIpv4 || payload.size() < 20) return {};
  return {wire::read_be32(payload.data() + 16)};
}

Observer::Observer(Limits limits) : recent_(kRecent), twins_(kRecent) { o_.limits = limits; }

void Observer::interfaces(std::span<const wire::CaptureInterface> known) {
  for (std::size_t i = o_.interfaces.size(); i < known.size() && i < o_.limits.scopes; ++i) {
    InterfaceFacts facts;
    facts.name = known[i].name;
    facts.description = known[i].description;
    facts.link_type = known[i].link_type;
    facts.section = known[i].section;
    o_.interfaces.push_back(std::move(facts));
  }
}

// ---------------------------------------------------------------- the tables

std::uint32_t Observer::scope_of(const Scope& scope) {
  const auto found = scope_index_.find(scope);
  if (found != scope_index_.end()) return found->second;
  if (o_.scopes.size() >= o_.limits.scopes) return kNobody;
  const auto index = static_cast<std::uint32_t>(o_.scopes.size());
  o_.scopes.push_back(scope);
  o_.scope_facts.emplace_back();
  scope_index_.emplace(scope, index);
  return index;
}

std::uint32_t Observer::station_of(std::uint32_t scope, Mac mac) {
  const std::uint64_t hash = station_hash(scope, mac);
  const std::uint32_t found = station_index_.find(
      hash, [&](std::uint32_t i) { return o_.stations[i].mac == mac && o_.stations[i].scope == scope; });
  if (found != Index::kNone) return found;
  if (o_.stations.size() >= o_.limits.stations) return kNobody;
  const auto index = static_cast<std::uint32_t>(o_.stations.size());
  Station& station = o_.stations.emplace_back();
  station.mac = mac;
  station.scope = scope;
  station_index_.insert(
      hash, index, [&](std::uint32_t i) { return station_hash(o_.stations[i].scope, o_.stations[i].mac); });
  return index;
}

std::uint32_t Observer::pair_of(Seen& seen) {
  const std::uint64_t hash = pair_hash(seen.scope, seen.source, seen.destination);
  const auto same = [&](Mac a, Mac b) {
    return [this, &seen, a, b](std::uint32_t i) {
      const Pair& p = o_.pairs[i];
      return p.source == a && p.destination == b && p.scope == seen.scope;
    };
  };
  const std::uint32_t found = pair_index_.find(hash, same(seen.source, seen.destination));
  if (found != Index::kNone) [[likely]] {
    seen.from = o_.pairs[found].from;
    seen.to = o_.pairs[found].to;
    return found;
  }
  // Each of the two tables may be full, and the other not.
  seen.from = station_of(seen.scope, seen.source);
  if (!seen.destination.is_group()) seen.to = station_of(seen.scope, seen.destination);
  if (seen.from == kNobody || o_.pairs.size() >= o_.limits.pairs) return kNobody;
  if (seen.to == kNobody && !seen.destination.is_group()) return kNobody;
  const auto index = static_cast<std::uint32_t>(o_.pairs.size());
  Pair& pair = o_.pairs.emplace_back();
  pair.source = seen.source;
  pair.destination = seen.destination;
  pair.scope = seen.scope;
  pair.from = seen.from;
  pair.to = seen.to;
  if (seen.to != kNobody) {
    pair.reverse = pair_index_.find(pair_hash(seen.scope, seen.destination, seen.source),
                                    same(seen.destination, seen.source));
    if (pair.reverse != kNobody) o_.pairs[pair.reverse].reverse = index;
  }
  pair_index_.insert(hash, index, [&](std::uint32_t i) {
    const Pair& p = o_.pairs[i];
    return pair_hash(p.scope, p.source, p.destination);
  });
  return index;
}

// ---------------------------------------------------------------- the spine

// Three dependent reads a frame (slot, pair, stations), each of them for all frames at a time, so that the
// memory works on many at once. A frame of another VLAN than the last one is guessed wrongly, and not worse
// off.
void Observer::look_ahead(std::span<const wire::Frame> frames) const {
  std::array<std::uint64_t, kAhead> hashes{};
  std::array<const Pair*, kAhead> pairs{};
  const std::size_t count = std::min(frames.size(), kAhead);
  for (std::size_t i = 0; i < count; ++i) {
    if (frames[i].bytes.size() < 14) continue;
    const std::uint8_t* p = frames[i].bytes.data();
    hashes[i] =
        pair_hash(last_scope_, Mac{wire::detail::load_be64(p + 4)}, Mac{wire::detail::load_be64(p) >> 16});
    pair_index_.prefetch(hashes[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (const std::uint32_t guess = pair_index_.guess(hashes[i]); guess != Index::kNone) {
      pairs[i] = &o_.pairs[guess];
      __builtin_prefetch(pairs[i], 1);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (pairs[i] == nullptr) continue;
    __builtin_prefetch(o_.stations.data() + pairs[i]->from, 1);
    if (pairs[i]->to != kNobody) __builtin_prefetch(o_.stations.data() + pairs[i]->to, 1);
  }
}

void Observer::frame(const wire::Frame& frame) {
  Seen seen;
  seen.ref = {frame.number, frame.timestamp_ns};
  seen.direction = frame.direction;
  seen.length = frame.original_length;
  if (o_.frames++ == 0) o_.first = seen.ref;
  if (seen.ref.at < o_.last.at && o_.frames > 1) [[unlikely]] {
    if (o_.time_reversals++ == 0) o_.first_reversal = seen.ref;
  }
  o_.last = seen.ref;
  if (frame.interface >= o_.interfaces.size()) [[unlikely]] {
    if (frame.interface >= o_.limits.scopes) {
      ++o_.untracked.frames;
      return;
    }
    o_.interfaces.resize(frame.interface + 1);
    o_.interfaces.back().link_type = frame.link_type;
  }
  InterfaceFacts& interface = o_.interfaces[frame.interface];
  ++interface.frames;
  interface.bytes += seen.length;
  interface.inbound += frame.direction == Direction::inbound;
  interface.outbound += frame.direction == Direction::outbound;

  if (frame.link_type != wire::LinkType::ethernet) [[unlikely]] {
    seen.scope = scope_of({.interface = frame.interface});
    if (seen.scope != kNobody) cooked(seen, frame.bytes, frame.link_type);
    return;
  }
  const auto header = wire::parse_ethernet(frame.bytes);
  if (!header) [[unlikely]] {
    ++o_.undecodable;
    return;
  }
  const std::uint64_t place =
      std::uint64_t{frame.interface} << 32 | std::uint32_t{header->outer_vlan()} << 16 | header->inner_vlan();
  if (place != last_place_) [[unlikely]] {
    last_place_ = place;
    last_scope_ = scope_of({frame.interface, header->outer_vlan(), header->inner_vlan(), 0});
  }
  seen.scope = last_scope_;
  if (seen.scope == kNobody) [[unlikely]] {
    ++o_.untracked.frames;
    return;
  }
  ethernet(seen, *header, frame.bytes);
}

void Observer::ethernet(Seen& seen, const Ethernet& header, Bytes bytes) {
  seen.source = header.source;
  seen.destination = header.destination;
  ScopeFacts& scope = o_.scope_facts[seen.scope];
  ++scope.frames;
  scope.bytes += seen.length;
  if (header.source.is_group() || header.source.is_zero()) [[unlikely]]
    return impossible_source(seen, header, bytes);

  const std::uint32_t index = pair_of(seen);
  if (index == kNobody) [[unlikely]] {
    ++o_.untracked.frames;
  } else {
    Pair& pair = o_.pairs[index];
    ++pair.frames;
    pair.bytes += seen.length;
  }
  if (seen.from != kNobody) [[likely]]
    heard(seen, header, bytes);
  if (header.destination.is_group()) {
    group(seen, header, bytes);
  } else if (seen.to != kNobody && seen.to != seen.from) {
    unicast(seen, o_.stations[seen.to], index, bytes);
    if (seen.from != kNobody && seen.direction != Direction::unknown) {
      Station& from = o_.stations[seen.from];
      if (from.last_direction != seen.direction) [[unlikely]]
        crossing(seen, from, bytes);
    }
  }
  if (is_control(header, bytes)) [[unlikely]]
    deep(seen, wire::LinkType::ethernet, bytes);
}

// An address that no station can have is kept out of the tables: it would be a station that never answers.
void Observer::impossible_source(const Seen& seen, const Ethernet& header, Bytes bytes) {
  ScopeFacts& scope = o_.scope_facts[seen.scope];
  if (header.source.is_group()) {
    if (scope.group_sources++ == 0) {
      scope.first_group_source = seen.ref;
      scope.group_source = header.source;
    }
    scope.new_stations.count(seen.ref);
  } else if (scope.zero_sources++ == 0) {
    scope.first_zero_source = seen.ref;
  }
  if (is_control(header, bytes)) deep(seen, wire::LinkType::ethernet, bytes);
}

void Observer::heard(const Seen& seen, const Ethernet& header, Bytes bytes) {
  Station& from = o_.stations[seen.from];
  if (from.sent++ == 0) [[unlikely]] {
    from.first_sent = seen.ref;
    o_.scope_facts[seen.scope].new_stations.count(seen.ref);
  }
  from.last_sent = seen.ref.at;
  if (seen.direction != Direction::unknown) {
    from.inbound += seen.direction == Direction::inbound;
    from.outbound += seen.direction == Direction::outbound;
  }
  if (from.in_spell) close_spell(from);
  if (header.type != wire::ethertype::kIpv4 || bytes.size() < header.header_bytes + 20u) return;
  const std::uint8_t* ip = bytes.data() + header.header_bytes;
  const bool tcp = ip[9] == wire::ip_protocol::kTcp;
  if (!tcp && ip[9] != wire::ip_protocol::kIcmp) return;
  // The usual frame is as the one before.
  if (wire::read_be32(ip + 12) != (tcp ? from.tcp_ip : from.icmp_ip) ||
      ip[8] != (tcp ? from.tcp_ttl : from.icmp_ttl)) [[unlikely]] {
    presents_itself(seen, from, ip, bytes.subspan(header.header_bytes));
  }
}

void Observer::cooked(Seen& seen, Bytes bytes, wire::LinkType type) {
  ++o_.scope_facts[seen.scope].frames;
  const wire::Packet packet = wire::decode(type, bytes);
  if (const auto* cooked = packet.get<wire::Cooked>()) seen.source = cooked->source;
  if (packet.defect) ++o_.undecodable;
  deep(seen, type, bytes);
}

Observations Observer::finish() {
  for (Station& station : o_.stations) {
    if (station.in_spell) close_spell(station);
  }
  return std::move(o_);
}

}  // namespace sekimori::watch
