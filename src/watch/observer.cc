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

}  // namespace

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

// The large tables get their address space at once: pages that nothing was written to cost nothing, and
// tables that are copied when they grow would for a moment take twice what they hold.
Observer::Observer(Limits limits) : recent_(kRecent), twins_(kRecent) {
  o_.limits = limits;
  o_.stations.reserve(limits.stations);
  o_.pairs.reserve(limits.pairs);
  o_.bindings.reserve(limits.bindings);
}

void Observer::interfaces(std::span<const wire::CaptureInterface> known) {
  for (std::size_t i = o_.interfaces.size(); i < known.size(); ++i) describe(known[i]);
}

void Observer::describe(const wire::CaptureInterface& next) {
  if (o_.interfaces.size() >= o_.limits.scopes) return;
  InterfaceFacts& facts = o_.interfaces.emplace_back();
  facts.name = next.name;
  facts.description = next.description;
  facts.link_type = next.link_type;
  facts.section = next.section;
  facts.own = next.mac;
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

std::uint32_t Observer::scope_of(const Glance& glance, std::uint32_t interface) {
  KnownScope& known =
      known_scopes_[(glance.scope_key ^ glance.scope_key >> 16 ^ interface) % known_scopes_.size()];
  if (known.key != glance.scope_key) [[unlikely]] {
    const wire::Ethernet& header = glance.header;
    known = {glance.scope_key, scope_of({interface, header.outer_vlan(), header.inner_vlan(), 0})};
  }
  return known.scope;
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

std::uint32_t Observer::pair_of(Seen& seen, std::uint64_t hash) {
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
    pair.reverse =
        pair_index_.find(pair_hash(scope_key(o_.scopes[seen.scope]), seen.destination, seen.source),
                         same(seen.destination, seen.source));
    if (pair.reverse != kNobody) o_.pairs[pair.reverse].reverse = index;
  }
  pair_index_.insert(hash, index, [&](std::uint32_t i) {
    const Pair& p = o_.pairs[i];
    return pair_hash(scope_key(o_.scopes[p.scope]), p.source, p.destination);
  });
  return index;
}

// ---------------------------------------------------------------- the spine

void Observer::frames(std::span<const wire::Frame> frames) {
  std::array<Glance, 4 * kAhead> glances;
  while (!frames.empty()) {
    const std::size_t count = std::min(frames.size(), glances.size());
    for (std::size_t i = 0; i < count; ++i) glances[i] = glance_at(frames[i]);
    this->frames(frames.first(count), std::span(glances).first(count));
    frames = frames.subspan(count);
  }
}

// A frame makes three dependent reads: the slot, the pair, the stations. Each is asked for while another
// handful of frames is worked on, so that none is waited for.
void Observer::frames(std::span<const wire::Frame> frames, std::span<const Glance> glances) {
  const auto handful = [&](std::size_t at) {
    at = std::min(at, glances.size());
    return glances.subspan(at, std::min(kAhead, glances.size() - at));
  };
  ask_slots(handful(0));
  ask_slots(handful(kAhead));
  ask_pairs(handful(0));
  for (std::size_t at = 0; at < frames.size(); at += kAhead) {
    ask_slots(handful(at + 2 * kAhead));
    ask_pairs(handful(at + kAhead));
    ask_stations(handful(at));
    const std::size_t end = std::min(at + kAhead, frames.size());
    for (std::size_t i = at; i < end; ++i) frame(frames[i], glances[i]);
  }
}

// GCC takes functions that only prefetch for functions without effect, and does not call them; hence the asm.
void Observer::ask_slots(std::span<const Glance> glances) const {
  asm volatile("");
  for (const Glance& glance : glances) pair_index_.prefetch(glance.hash);
}

void Observer::ask_pairs(std::span<const Glance> glances) const {
  asm volatile("");
  for (const Glance& glance : glances) {
    if (const std::uint32_t guess = pair_index_.guess(glance.hash); guess != Index::kNone)
      __builtin_prefetch(&o_.pairs[guess], 1);
  }
}

void Observer::ask_stations(std::span<const Glance> glances) const {
  asm volatile("");
  for (const Glance& glance : glances) {
    const std::uint32_t guess = pair_index_.guess(glance.hash);
    if (guess == Index::kNone) continue;
    const Pair& pair = o_.pairs[guess];
    __builtin_prefetch(o_.stations.data() + pair.from, 1);
    if (pair.to != kNobody) __builtin_prefetch(o_.stations.data() + pair.to, 1);
  }
}

void Observer::frame(const wire::Frame& frame, const Glance& glance) {
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
  if (!glance.whole) [[unlikely]] {
    ++o_.undecodable;
    return;
  }
  seen.scope = scope_of(glance, frame.interface);
  if (seen.scope == kNobody) [[unlikely]] {
    ++o_.untracked.frames;
    return;
  }
  ethernet(seen, glance, frame.bytes);
}

void Observer::ethernet(Seen& seen, const Glance& glance, Bytes bytes) {
  const Ethernet& header = glance.header;
  seen.source = header.source;
  seen.destination = header.destination;
  ScopeFacts& scope = o_.scope_facts[seen.scope];
  ++scope.frames;
  scope.bytes += seen.length;
  if (header.source.is_group() || header.source.is_zero()) [[unlikely]]
    return impossible_source(seen, glance, bytes);

  const std::uint32_t index = pair_of(seen, glance.hash);
  if (index == kNobody) [[unlikely]] {
    ++o_.untracked.frames;
  } else {
    Pair& pair = o_.pairs[index];
    ++pair.frames;
    pair.bytes += seen.length;
  }
  if (seen.from != kNobody) [[likely]]
    heard(seen, glance, bytes);
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
  if (glance.control) [[unlikely]]
    deep(seen, wire::LinkType::ethernet, bytes);
}

// An address that no station can have is kept out of the tables: it would be a station that never answers.
void Observer::impossible_source(const Seen& seen, const Glance& glance, Bytes bytes) {
  const Ethernet& header = glance.header;
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
  if (glance.control) deep(seen, wire::LinkType::ethernet, bytes);
}

void Observer::heard(const Seen& seen, const Glance& glance, Bytes bytes) {
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
  if (glance.protocol == 0) return;
  const bool tcp = glance.protocol == wire::ip_protocol::kTcp;
  // The usual frame is as the one before.
  if (glance.ip != (tcp ? from.tcp_ip : from.icmp_ip) || glance.ttl != (tcp ? from.tcp_ttl : from.icmp_ttl))
      [[unlikely]] {
    presents_itself(seen, from, bytes.subspan(glance.header.header_bytes));
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
  // The detectors need the room. Each from a fresh one: what is copied into keeps its room.
  station_index_ = Index(0);
  pair_index_ = Index(0);
  binding_index_ = Index(0);
  recent_ = {};
  twins_ = {};
  homes_.clear();
  return std::move(o_);
}

}  // namespace sekimori::watch
