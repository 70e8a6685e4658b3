#include "tests/oracle/truth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/random.h"
#include "model/segments.h"
#include "wire/ethernet.h"

namespace sekimori::oracle {

using model::Model;
using model::PortId;
using model::StationId;

namespace {

constexpr std::int64_t kLeastFrames = 20;

void add_stations(const Model& m, StationId station, std::set<Mac>& out) {
  for (; station.valid(); station = m[station].next_on_port) out.insert(m[station].mac);
}

// Stations that will be at this port, after a migration.
void add_arrivals(const Model& m, PortId port, std::set<Mac>& out) {
  for (const model::Change& change : m.changes) {
    const auto* migration = std::get_if<model::MigrateMachine>(&change.what);
    if (migration == nullptr) continue;
    for (const auto& [station, to] : migration->moves) {
      if (to == port) out.insert(m[station].mac);
    }
  }
}

}  // namespace

std::set<Mac> reach(const Model& m, PortId port) {
  std::set<Mac> out;
  std::set<std::uint32_t> seen{port.value};
  std::deque<PortId> entered{port};
  while (!entered.empty()) {
    const PortId at = entered.front();
    entered.pop_front();
    add_stations(m, m[at].station, out);
    add_arrivals(m, at, out);
    if (!m[at].bridge.valid()) continue;
    for (const PortId other : m[m[at].bridge].ports) {
      if (!seen.insert(other.value).second) continue;
      const PortId far = peer(m, other);
      if (far.valid() && seen.insert(far.value).second) entered.push_back(far);
    }
  }
  return out;
}

Passing passing(const simulate::CapturedFrame& captured) {
  Passing p;
  p.at = captured.at;
  p.inbound = captured.inbound;
  p.bytes = captured.bytes.size();
  const wire::Bytes bytes(reinterpret_cast<const std::uint8_t*>(captured.bytes.data()), captured.bytes.size());
  const auto header = wire::parse_ethernet(bytes);
  if (!header) return p;
  p.source = header->source;
  p.destination = header->destination;
  p.is_arp = header->type == wire::ethertype::kArp;
  p.is_ip = header->type == wire::ethertype::kIpv4;
  const std::size_t at = header->header_bytes + (p.is_arp ? 14u : 12u);
  if ((p.is_arp || p.is_ip) && bytes.size() >= at + 4) p.sender = {wire::read_be32(bytes.data() + at)};
  return p;
}

Traffic::Traffic(const Model& model, PortId port)
    : inside_(reach(model, port)), outside_(reach(model, peer(model, port))) {}

void Traffic::frame(const Passing& f) {
  ++frames_;
  if (f.destination.is_group()) {
    const std::int64_t second = f.at / base::seconds(1);
    in_second_ = second == second_ ? in_second_ + 1 : 1;
    second_ = second;
    busiest_ = std::max(busiest_, in_second_);
    // The simulator's broadcasts are ARP: the same from one sender and for one address are copies, or seconds apart.
    const std::uint64_t kind = base::mix64(f.source.bits ^ std::uint64_t{f.sender.bits} << 16);
    most_copies_ = std::max(most_copies_, ++copies_[kind]);
  } else if (!(f.inbound ? inside_ : outside_).contains(f.destination)) {
    Stray& stray = strays_[f.destination];
    if (stray.frames++ == 0) stray.first = f.at;
    stray.last = f.at;
  }
  if (!f.is_arp || f.sender.is_zero()) return;
  Sides& sides = sides_[f.source];
  (f.inbound ? sides.in : sides.out).insert(f.sender);
  if (sides.in.size() + sides.out.size() > 1 && sides.last_in != f.inbound) ++sides.changes;
  sides.last_in = f.inbound;
  Claimed& claimed = claims_[f.sender];
  if (!claimed.last.is_zero() && claimed.last != f.source) ++claimed.changes;
  claimed.last = f.source;
}

std::set<Mac> Traffic::flooded() const {
  std::set<Mac> out;
  for (const auto& [mac, stray] : strays_) {
    if (stray.frames >= kLeastFrames && stray.last - stray.first >= base::seconds(1)) out.insert(mac);
  }
  return out;
}

std::set<Mac> Traffic::two_sided() const {
  std::set<Mac> out;
  for (const auto& [mac, sides] : sides_) {
    if (!sides.in.empty() && !sides.out.empty() && sides.in != sides.out && sides.changes >= 2) out.insert(mac);
  }
  return out;
}

std::set<wire::Ipv4> Traffic::contested() const {
  std::set<wire::Ipv4> out;
  for (const auto& [ip, claimed] : claims_) {
    if (claimed.changes >= 3) out.insert(ip);
  }
  return out;
}

std::vector<PortId> linked_ports(const Model& m) {
  std::vector<PortId> out;
  for (std::size_t i = 0; i < m.ports.size(); ++i) {
    if (m.ports[i].link.valid()) out.emplace_back(i);
  }
  return out;
}

namespace {

// Twice in one segment, at whatever time.
void duplicates(const Model& m, Truth& truth) {
  const model::Segments segments = model::segments(m);
  std::map<std::pair<std::uint32_t, Mac>, int> macs;
  std::map<std::pair<std::uint32_t, wire::Ipv4>, int> ips;
  for (std::size_t i = 0; i < m.stations.size(); ++i) {
    const model::Station& s = m.stations[i];
    if (++macs[{segments.of_station[i], s.mac}] > 1) truth.duplicates.insert(s.mac);
    if (s.ip.address.is_zero()) continue;
    if (++ips[{segments.of_station[i], s.ip.address}] > 1) truth.duplicate_ips.insert(s.ip.address);
  }
}

void flood_facts(const Model& m, const simulate::RunResult& run, Truth& truth) {
  for (const simulate::FloodRecord& f : run.floods) {
    FloodFacts& facts = truth.floods[f.destination];
    const auto reason = [&](simulate::FloodReason r) { return f.by_reason[static_cast<std::size_t>(r)] > 0; };
    facts.not_learnt |= reason(simulate::FloodReason::kNoLearning);
    facts.refused |= reason(simulate::FloodReason::kTableFull);
    if (!reason(simulate::FloodReason::kNoEntry) && !reason(simulate::FloodReason::kExpired)) continue;
    facts.forgotten = true;
    facts.ageing_ms.insert(m[f.bridge].ageing / base::milliseconds(1));
  }
  for (const simulate::LeakRecord& leak : run.leaks) truth.floods[m[leak.guest].mac].leaks = true;
  for (const simulate::MoveRecord& move : run.moves) truth.moved.insert(move.mac);
}

}  // namespace

Played play(const Model& m, Time until,
            const std::function<void(std::size_t, const simulate::CapturedFrame&)>& tap) {
  Played played;
  played.ports = linked_ports(m);
  for (const PortId port : played.ports) played.traffic.emplace_back(m, port);
  std::set<Mac> spoke_unicast;
  simulate::Options options;
  options.until = until;
  options.captures = played.ports;
  options.on_frame = [&](const simulate::CapturedFrame& captured) -> base::Result<void> {
    const Passing frame = passing(captured);
    played.traffic[captured.capture].frame(frame);
    if (frame.is_ip && !frame.destination.is_group()) spoke_unicast.insert(frame.source);
    tap(captured.capture, captured);
    return {};
  };
  const auto run = simulate::run(m, options);
  EXPECT_TRUE(run.has_value());
  if (!run) return played;
  flood_facts(m, *run, played.truth);
  duplicates(m, played.truth);
  played.truth.loops = !run->loops.empty();
  played.truth.flushes = !m.changes.empty() && std::ranges::any_of(m.bridges, &model::Bridge::stp);
  for (auto& [mac, facts] : played.truth.floods) {
    facts.answers = spoke_unicast.contains(mac);
    facts.mute = !facts.answers;
  }
  return played;
}

}  // namespace sekimori::oracle
