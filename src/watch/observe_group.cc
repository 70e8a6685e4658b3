// The observer on group frames, which every bridge copies: the same frame again and again (a loop), back from
// where it was sent to (a reflection), at another interface (forwarding); and stations in two places.
//
// A loop's copies are byte-identical and follow one another faster than any protocol's timer: a packet's
// identification, sequence number or time makes honest repetitions differ (the replica streams of Hengartner,
// Moon, Mortier, Diot, "Detection and Analysis of Routing Loops in Packet Traces", IMW 2002, whose layer-2
// case needs no TTL). Hellos of VRRP and the like are identical, but seconds apart.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/random.h"
#include "watch/observer.h"

namespace sekimori::watch {

using wire::Bytes;
using wire::Direction;
using wire::Ethernet;

namespace {

constexpr Nanos kReplicaGap = 10'000'000;     // copies of a loop follow one another faster than any timer
constexpr std::uint32_t kReplicaCopies = 10;  // SPAN doubles and retransmissions stay far below
constexpr Nanos kReflectionDelay = 2 * kSecond;
constexpr Nanos kForwardingDelay = 2 * kSecond;
constexpr std::size_t kMostReplicas = 256, kMostReflections = 64;

// The whole frame: a stream whose packets differ in their last byte is no loop.
std::uint64_t content_hash(Bytes bytes) {
  std::uint64_t h = bytes.size() * 0x9e37'79b9'7f4a'7c15u;
  const auto step = [&h](std::uint64_t word) {
    const __uint128_t p = static_cast<__uint128_t>(h ^ word) * 0xd6e8'feb8'6659'fd93u;
    h = static_cast<std::uint64_t>(p) ^ static_cast<std::uint64_t>(p >> 64);
  };
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    step(word);
  }
  std::uint64_t word = 0;
  if (i < bytes.size()) std::memcpy(&word, bytes.data() + i, bytes.size() - i);
  step(word);
  return base::mix64(h);
}

constexpr bool opposite(Direction a, Direction b) {
  return (a == Direction::inbound && b == Direction::outbound) ||
         (a == Direction::outbound && b == Direction::inbound);
}

// Broadcasts, and what IPv6 and IPv4 use in their place on a link: nobody streams to these.
constexpr bool is_for_all(Mac mac) {
  return mac.is_broadcast() || mac.bits >> 32 == 0x3333 || mac.bits >> 8 == 0x0100'5e00'00u;
}

}  // namespace

void Observer::group(const Seen& seen, const Ethernet& header, Bytes bytes) {
  ScopeFacts& scope = o_.scope_facts[seen.scope];
  ++scope.group_frames;
  if (is_for_all(header.destination)) scope.to_all.count(seen.ref);
  if (seen.from != kNobody) ++o_.stations[seen.from].group_sent;

  const std::uint64_t content = content_hash(bytes);
  const std::uint64_t hash = content ^ base::mix64(seen.scope);
  Recent* recent = &recent_[hash % (recent_.size() / 2) * 2];
  if (recent->hash != hash && recent[1].hash == hash) ++recent;
  if (recent->hash != hash && recent->last.at > recent[1].last.at) ++recent;  // the older gives way
  const bool known = recent->hash == hash && recent->copies != 0;
  const bool echoed = known && reflected(seen, *recent);
  if (!known || !replica(seen, header, *recent)) {
    *recent = {hash, 1, kNobody, seen.direction, seen.ref, seen.ref};
  }
  if (seen.from == kNobody || echoed) return;
  if (header.type == wire::ethertype::kIpv4 && !known) {
    const auto ip = wire::parse_ipv4_header(bytes.subspan(header.header_bytes));
    if (ip && ip->protocol == wire::ip_protocol::kUdp) {
      if (const auto udp = wire::parse_udp(ip->payload))
        twin_watch_.group({seen.ref, seen.scope, seen.source}, *ip, *udp, o_.twin_signs);
    }
  }
  Station& from = o_.stations[seen.from];
  if (seen.direction != Direction::unknown && from.last_direction != seen.direction)
    crossing(seen, from, bytes);
  if (o_.interfaces.size() > 1 && !twin(seen, content) && seen.direction != Direction::outbound)
    arrival(seen, bytes);
}

// A copy that follows the one before at once; false if it comes too late for that.
bool Observer::replica(const Seen& seen, const Ethernet& header, Recent& recent) {
  if (!within(seen.ref.at, recent.last.at, kReplicaGap)) return false;
  recent.last = seen.ref;
  ++recent.copies;
  if (seen.from != kNobody) {
    Station& from = o_.stations[seen.from];
    if (recent.copies == 2) ++from.doubled;
    if (recent.copies == 3) --from.doubled;
  }
  // Copies that take no time at all are those of a capture without a clock.
  if (recent.replica == kNobody && recent.copies >= kReplicaCopies && recent.last.at != recent.first.at &&
      o_.replicas.size() < kMostReplicas) {
    recent.replica = static_cast<std::uint32_t>(o_.replicas.size());
    o_.replicas.push_back(
        {seen.scope, seen.source, seen.destination, header.type, 0, recent.first, seen.ref, seen.ref});
  }
  if (recent.replica != kNobody) {
    Replica& replica = o_.replicas[recent.replica];
    replica.copies = recent.copies;
    replica.last = seen.ref;
  }
  return true;
}

// Whether the frame went the other way through this interface moments ago.
bool Observer::reflected(const Seen& seen, const Recent& recent) {
  if (!opposite(recent.direction, seen.direction) || !within(seen.ref.at, recent.last.at, kReflectionDelay))
    return false;
  const auto known = std::ranges::find_if(
      o_.reflections, [&](const Reflection& r) { return r.scope == seen.scope && r.source == seen.source; });
  if (known != o_.reflections.end()) {
    ++known->frames;
    known->last = seen.ref;
  } else if (o_.reflections.size() < kMostReflections) {
    o_.reflections.push_back(
        {seen.scope, seen.source, 1, recent.direction, recent.first, seen.ref, seen.ref});
  }
  return true;
}

// Whether another interface has shown this frame moments ago: then it was forwarded from there.
bool Observer::twin(const Seen& seen, std::uint64_t hash) {
  const std::uint32_t interface = o_.scopes[seen.scope].interface;
  Twin& twin = twins_[hash % twins_.size()];
  if (twin.hash == hash && twin.interface != interface && within(seen.ref.at, twin.at, kForwardingDelay))
    return true;
  twin = {hash, interface, seen.ref.at};
  return false;
}

// The station's frame travels in the other direction than its last one.
void Observer::crossing(const Seen& seen, Station& from, Bytes bytes) {
  const Direction before = std::exchange(from.last_direction, seen.direction);
  if (before == Direction::unknown) return;
  if (from.crossing == kNobody) {
    if (o_.crossings.size() >= o_.limits.small) return;
    from.crossing = static_cast<std::uint32_t>(o_.crossings.size());
    o_.crossings.emplace_back().station = seen.from;
  }
  Crossing& c = o_.crossings[from.crossing];
  if (c.changes < c.frames.size()) c.frames[c.changes] = seen.ref;
  ++c.changes;
  c.last = seen.ref.at;
  if (const auto header = wire::parse_ethernet(bytes)) {
    wire::Ipv4& ip = c.ip[seen.direction == Direction::outbound ? 1 : 0];
    if (const auto told = sender_address(*header, bytes); !told.is_zero()) ip = told;
  }
}

// A station that comes in by another interface than before has moved.
void Observer::arrival(const Seen& seen, Bytes bytes) {
  const Scope& scope = o_.scopes[seen.scope];
  const std::array<std::uint64_t, 2> key = {
      seen.source.bits | std::uint64_t{o_.interfaces[scope.interface].section} << 48,
      std::uint64_t{scope.outer} << 16 | scope.inner | std::uint64_t{scope.tunnel} << 32};
  auto found = homes_.find(key);
  if (found == homes_.end()) {
    if (homes_.size() < o_.limits.bindings) homes_.emplace(key, Home{scope.interface, kNobody});
    return;
  }
  Home& home = found->second;
  const auto header = wire::parse_ethernet(bytes);
  const wire::Ipv4 told = header ? sender_address(*header, bytes) : wire::Ipv4{};
  if (home.interface == scope.interface) return;
  if (home.move == kNobody) {
    if (o_.moves.size() >= o_.limits.small) return;
    home.move = static_cast<std::uint32_t>(o_.moves.size());
    Move& move = o_.moves.emplace_back();
    move.mac = seen.source;
    move.outer = scope.outer;
    move.inner = scope.inner;
    move.from = home.interface;
    move.to = scope.interface;
  }
  Move& move = o_.moves[home.move];
  if (move.count < move.frames.size()) move.frames[move.count] = seen.ref;
  ++move.count;
  move.last = seen.ref.at;
  if (!told.is_zero()) move.ip[scope.interface == move.from ? 0 : 1] = told;
  home.interface = scope.interface;
}

}  // namespace sekimori::watch
