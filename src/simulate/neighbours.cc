#include "simulate/neighbours.h"

#include <algorithm>

namespace sekimori::simulate {
namespace {

constexpr Duration kRetransmit = base::seconds(1);       // Linux: retrans_time_ms
constexpr Duration kDelayFirstProbe = base::seconds(5);  // Linux: delay_first_probe_time
constexpr std::uint8_t kTries = 3;                       // Linux: ucast_solicit, mcast_solicit
constexpr Duration kLockTime = base::seconds(1);         // Linux: locktime, against flip-flopping answers
constexpr std::size_t kMostWaiting = 64;                 // Linux: unres_qlen_bytes, about 100 kB

std::uint64_t key(std::uint32_t station, std::uint32_t ip) { return std::uint64_t{station} << 32 | ip; }

}  // namespace

NeighbourIndex Neighbours::entry(std::uint32_t station, std::uint32_t ip) {
  const auto [found, is_new] =
      index_.try_emplace(key(station, ip), static_cast<NeighbourIndex>(neighbours_.size()));
  if (is_new) {
    neighbours_.push_back({.station = station, .ip = ip});
    audience_.keeps_entry(ip, station);
  }
  return found->second;
}

std::vector<NeighbourEntry> Neighbours::list() const {
  std::vector<NeighbourEntry> entries;
  for (const Neighbour& n : neighbours_) {
    if (n.address == kNone) continue;
    entries.push_back({model::StationId(n.station), {n.ip}, addresses_.mac(n.address)});
    if (is_ipv6(n.ip)) {
      entries.back().ip = {};
      entries.back().ip6 = addresses_.ipv6(n.ip);
    }
  }
  return entries;
}

void Neighbours::arm(NeighbourIndex index, Duration after) {
  Neighbour& n = neighbours_[index];
  if (n.timer == kNone) n.timer = wires_.add_timer(TimerKind::kNeighbour, index);
  wires_.arm(n.timer, wires_.now() + after);
}

void Neighbours::become(Neighbour& n, State state) {
  n.state = state;
  n.tries = 0;
  if (n.timer != kNone && (state == State::kNothing || state == State::kKnown)) wires_.disarm(n.timer);
}

void Neighbours::dispatch(const Neighbour& n, Frame& frame) {
  frame.dst = n.address;
  out_.transmit(n.station, frame);
}

void Neighbours::send(NeighbourIndex index, Frame& frame) {
  Neighbour& n = neighbours_[index];
  const model::ArpSettings& arp = settings(n);
  if (n.state == State::kKnown && wires_.now() - n.confirmed >= arp.timeout) {
    if (arp.confirm_by_probe) {
      become(n, State::kDelay);
      arm(index, kDelayFirstProbe);
    } else {
      n.address = kNone;
      become(n, State::kNothing);
    }
  }
  switch (n.state) {
    case State::kKnown:
    case State::kDelay:
    case State::kProbe:
      dispatch(n, frame);
      return;
    case State::kAsking:
      if (n.waiting.size() < kMostWaiting) n.waiting.push_back(frame);
      return;
    case State::kNothing:
      n.waiting.push_back(frame);
      become(n, State::kAsking);
      arm(index, kRetransmit);
      ask(n, kBroadcastAddress);
      return;
  }
}

void Neighbours::ask(Neighbour& n, AddressIndex to) {
  ++n.tries;
  if (is_ipv6(n.ip)) {
    Frame solicitation = discovery(n.station, FrameKind::kNeighborSolicitation, n.ip, to);
    out_.transmit(n.station, solicitation);
    return;
  }
  Frame request;
  request.kind = FrameKind::kArpRequest;
  request.number = addresses_.of_station(n.station);
  request.dst = to;
  request.src_ip = model_.stations[n.station].ip.address.bits;
  request.dst_ip = n.ip;
  request.sent = wires_.now();
  out_.transmit(n.station, request);
}

void Neighbours::on_timer(NeighbourIndex index) {
  Neighbour& n = neighbours_[index];
  switch (n.state) {
    case State::kDelay:
      become(n, State::kProbe);
      break;
    case State::kProbe:
      if (n.tries < kTries) break;
      n.address = kNone;
      become(n, State::kAsking);
      break;
    case State::kAsking:
      if (n.tries < kTries) break;
      n.waiting.clear();
      become(n, State::kNothing);
      return;
    case State::kNothing:
    case State::kKnown:
      return;
  }
  arm(index, kRetransmit);
  ask(n, n.state == State::kProbe ? n.address : kBroadcastAddress);
}

void Neighbours::learn(Neighbour& n, const Frame& frame, bool solicited) {
  const Time now = wires_.now();
  // What a stack that probes hears unasked does not change an entry that says the same already: it is neither
  // fresher nor staler for it (Linux: __neigh_update keeps the state when NUD_STALE comes with the same
  // address).
  if (!solicited && settings(n).confirm_by_probe && n.address == frame.number) {
    n.updated = now;
    return;
  }
  if (n.address != kNone && n.address != frame.number) {
    const auto& before = addresses_.stations_with(n.address);
    const auto& after = addresses_.stations_with(frame.number);
    observer_.conflict(n.ip, before.empty() ? kNone : before.front(), after.empty() ? kNone : after.front(),
                       now);
    if (!is_ipv6(n.ip) && now - n.updated < kLockTime) return;  // Linux: nd_tbl has no lock time
  }
  n.address = frame.number;
  n.updated = now;
  // Only an answer confirms (RFC 1122); what others say unasked is used, and confirmed at the next use. A
  // stack that does not probe takes everything it hears as fresh.
  n.confirmed = solicited || !settings(n).confirm_by_probe ? now : now - settings(n).timeout;
  become(n, State::kKnown);
  std::vector<Frame> waiting;
  waiting.swap(n.waiting);
  // Sending can touch the table, so go by index from here.
  const NeighbourIndex index = index_.at(key(n.station, n.ip));
  for (Frame& held : waiting) send(index, held);
}

void Neighbours::receive(std::uint32_t station, const Frame& frame) {
  const std::uint32_t own = model_.stations[station].ip.address.bits;
  if (own == 0) return;
  if (frame.src_ip == own && frame.number != addresses_.of_station(station)) {
    const auto& others = addresses_.stations_with(frame.number);
    observer_.conflict(own, station, others.empty() ? kNone : others.front(), wires_.now());
  }
  const bool for_me = frame.dst_ip == own && frame.src_ip != frame.dst_ip;
  if (frame.kind == FrameKind::kArpReply) {
    if (const auto known = index_.find(key(station, frame.src_ip)); for_me && known != index_.end()) {
      learn(neighbours_[known->second], frame, true);
    }
    return;
  }
  // RFC 826: whoever is asked notes the asker; others only correct what they have.
  if (for_me) {
    learn(neighbours_[entry(station, frame.src_ip)], frame, false);
    Frame reply;
    reply.kind = FrameKind::kArpReply;
    reply.number = addresses_.of_station(station);
    reply.dst = frame.number;
    reply.src_ip = own;
    reply.dst_ip = frame.src_ip;
    reply.sent = wires_.now();
    out_.transmit(station, reply);
  } else if (const auto known = index_.find(key(station, frame.src_ip)); known != index_.end()) {
    learn(neighbours_[known->second], frame, false);
  }
}

void Neighbours::announce(std::uint32_t station) {
  const std::uint32_t own = model_.stations[station].ip.address.bits;
  if (own == 0) return;
  Frame announcement;
  announcement.kind = FrameKind::kArpRequest;
  announcement.number = addresses_.of_station(station);
  announcement.dst = kBroadcastAddress;
  announcement.src_ip = announcement.dst_ip = own;
  announcement.sent = wires_.now();
  out_.transmit(station, announcement);
}

// ---------------------------------------------------------------- Neighbor Discovery

Frame Neighbours::discovery(std::uint32_t station, FrameKind kind, std::uint32_t about,
                            AddressIndex to) const {
  Frame frame;
  frame.kind = kind;
  frame.number = addresses_.of_station(station);
  frame.dst = to;
  frame.src_ip = addresses_.ip6_of_station(station);
  frame.dst_ip = about;
  frame.bytes = kSolicitationBytes;
  frame.sent = wires_.now();
  return frame;
}

// Section 7.2.3 to 7.2.5. Whoever is asked notes the asker; what is advertised unasked only corrects what is
// there.
void Neighbours::receive_discovery(std::uint32_t station, const Frame& frame) {
  const std::uint32_t own = addresses_.ip6_of_station(station);
  if (own == 0 || frame.kind == FrameKind::kRouterAdvertisement) return;
  const bool is_probe = frame.src_ip == 0;
  const bool claims = frame.src_ip == own || (is_probe && frame.dst_ip == own);
  if (claims && frame.number != addresses_.of_station(station)) {
    const auto& others = addresses_.stations_with(frame.number);
    observer_.conflict(own, station, others.empty() ? kNone : others.front(), wires_.now());
  }
  if (frame.kind == FrameKind::kNeighborAdvertisement) {
    const auto known = index_.find(key(station, frame.src_ip));
    if (known == index_.end()) return;
    const bool unsolicited = frame.src_ip == frame.dst_ip;
    if (!unsolicited || neighbours_[known->second].address != kNone)
      learn(neighbours_[known->second], frame, !unsolicited);
    return;
  }
  if (frame.dst_ip != own) return;
  if (is_probe) {
    advertise(station);
    return;
  }
  learn(neighbours_[entry(station, frame.src_ip)], frame, false);
  Frame answer = discovery(station, FrameKind::kNeighborAdvertisement, frame.src_ip, frame.number);
  out_.transmit(station, answer);
}

void Neighbours::advertise(std::uint32_t station) {
  const std::uint32_t own = addresses_.ip6_of_station(station);
  if (own == 0) return;
  Frame frame = discovery(station, FrameKind::kNeighborAdvertisement, own, kBroadcastAddress);
  out_.transmit(station, frame);
}

void Neighbours::advertise_router(std::uint32_t station) {
  const std::uint32_t own = addresses_.ip6_of_station(station);
  if (own == 0) return;
  Frame frame = discovery(station, FrameKind::kRouterAdvertisement, own, kBroadcastAddress);
  frame.bytes = kRouterAdvertisementBytes;
  out_.transmit(station, frame);
}

void Neighbours::probe_duplicates(std::uint32_t station) {
  const std::uint32_t own = addresses_.ip6_of_station(station);
  if (own == 0) return;
  Frame frame = discovery(station, FrameKind::kNeighborSolicitation, own, kBroadcastAddress);
  frame.src_ip = 0;
  frame.bytes = kDuplicateProbeBytes;
  out_.transmit(station, frame);
}

}  // namespace sekimori::simulate
