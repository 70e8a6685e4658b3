#include "tests/oracle/truth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <climits>
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

void add_stations(const Model& m, StationId station, std::uint16_t tag, std::set<Mac>& out) {
  for (; station.valid(); station = m[station].next_on_port) {
    if (m[station].vlan == tag) out.insert(m[station].mac);
  }
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

// 802.1Q: the VLAN of a frame with this tag inside the bridge, and the tag with which it leaves; -1: it does
// not.
int vlan_inside(const Model& m, PortId port, int tag) {
  if (!m[m[port].bridge].vlan_aware) return tag;
  if (tag == 0) return m[port].pvid != 0 ? m[port].pvid : -1;
  return m.vlan_sets[m[port].tagged_vlans].test(static_cast<std::size_t>(tag)) ? tag : -1;
}

int tag_outside(const Model& m, PortId port, int vlan) {
  if (!m[m[port].bridge].vlan_aware) return vlan;
  if (m[port].pvid == vlan) return 0;
  return m.vlan_sets[m[port].tagged_vlans].test(static_cast<std::size_t>(vlan)) ? vlan : -1;
}

std::uint32_t segment_at(const Model& m, const model::Segments& segments, PortId port, std::uint16_t tag) {
  if (m[port].bridge.valid()) {
    const int vlan = vlan_inside(m, port, tag);
    return vlan < 0 ? ~0u : segments.of_bridge(m[port].bridge, static_cast<std::uint16_t>(vlan));
  }
  for (StationId s = m[port].station; s.valid(); s = m[s].next_on_port) {
    if (m[s].vlan == tag) return segments.of_station[s.index()];
  }
  return ~0u;
}

}  // namespace

std::set<Mac> reach(const Model& m, PortId port, std::uint16_t tag) {
  std::set<Mac> out;
  std::set<std::pair<std::uint32_t, int>> seen{{port.value, tag}};
  std::deque<std::pair<PortId, int>> entered{{port, tag}};
  while (!entered.empty()) {
    const auto [at, with] = entered.front();
    entered.pop_front();
    add_stations(m, m[at].station, static_cast<std::uint16_t>(with), out);
    add_arrivals(m, at, out);
    if (!m[at].bridge.valid()) continue;
    const int vlan = vlan_inside(m, at, with);
    if (vlan < 0) continue;
    for (const PortId other : m[m[at].bridge].ports) {
      const int leaving = tag_outside(m, other, vlan);
      if (other == at || leaving < 0 || !seen.insert({other.value, leaving}).second) continue;
      const PortId far = peer(m, other);
      if (far.valid() && seen.insert({far.value, leaving}).second) entered.emplace_back(far, leaving);
    }
  }
  return out;
}

Passing passing(const simulate::CapturedFrame& captured) {
  Passing p;
  p.at = captured.at;
  p.inbound = captured.inbound;
  p.bytes = captured.bytes.size();
  const wire::Bytes bytes(reinterpret_cast<const std::uint8_t*>(captured.bytes.data()),
                          captured.bytes.size());
  const auto header = wire::parse_ethernet(bytes);
  if (!header) return p;
  p.source = header->source;
  p.destination = header->destination;
  p.is_arp = header->type == wire::ethertype::kArp;
  p.is_ip = header->type == wire::ethertype::kIpv4;
  p.tag = header->outer_vlan();
  const std::size_t at = header->header_bytes + (p.is_arp ? 14u : 12u);
  if ((p.is_arp || p.is_ip) && bytes.size() >= at + 4) p.sender = {wire::read_be32(bytes.data() + at)};
  return p;
}

Traffic::Traffic(const Model& model, const model::Segments& segments, PortId port)
    : model_(&model), segments_(&segments), port_(port) {}

Traffic::Vlan& Traffic::vlan(std::uint16_t tag) {
  const auto known = vlans_.find(tag);
  if (known != vlans_.end()) return known->second;
  Vlan& made = vlans_[tag];
  const PortId far = peer(*model_, port_);
  made.inside = reach(*model_, port_, tag);
  made.outside = reach(*model_, far, tag);
  made.segment = segment_at(*model_, *segments_, port_, tag);
  if (made.segment == ~0u) made.segment = segment_at(*model_, *segments_, far, tag);
  return made;
}

std::uint32_t Traffic::segment(std::uint16_t tag) { return vlan(tag).segment; }

void Traffic::frame(const Passing& f) {
  ++frames_;
  if (f.destination.is_group()) {
    const std::int64_t second = f.at / base::seconds(1);
    in_second_ = second == second_ ? in_second_ + 1 : 1;
    second_ = second;
    busiest_ = std::max(busiest_, in_second_);
    // The simulator's broadcasts are ARP: the same from one sender and for one address are copies, or seconds
    // apart.
    const std::uint64_t kind = base::mix64(f.source.bits ^ std::uint64_t{f.sender.bits} << 16);
    most_copies_ = std::max(most_copies_, ++copies_[kind]);
  } else {
    const Vlan& here = vlan(f.tag);
    const bool in = here.inside.contains(f.destination), out = here.outside.contains(f.destination);
    if (!(f.inbound ? in : out)) {
      Stray& stray = strays_[{here.segment, f.destination}];
      if (stray.frames++ == 0) stray.first = f.at;
      stray.last = f.at;
    } else if (in && out) {
      unclear_.insert({here.segment, f.destination});
    }
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

std::set<Subject> Traffic::leaked(model::BridgeKind kind) const {
  std::set<Subject> out;
  const model::Port& port = (*model_)[port_];
  if (port.role != model::PortRole::kUplink || !port.bridge.valid() || (*model_)[port.bridge].kind != kind)
    return out;
  for (const auto& [subject, stray] : strays_) {
    for (const auto& [tag, vlan] : vlans_) {
      if (vlan.segment == subject.segment && vlan.inside.contains(subject.mac)) out.insert(subject);
    }
  }
  return out;
}

std::set<Subject> Traffic::never_learnt() const {
  std::set<Subject> out;
  const model::Port& port = (*model_)[port_];
  if (!port.bridge.valid()) return out;
  const model::Bridge& bridge = (*model_)[port.bridge];
  if (bridge.kind == model::BridgeKind::kHostedBridge) return out;
  if (bridge.kind != model::BridgeKind::kHub && bridge.learning && port.learning &&
      bridge.ageing > base::Duration(0))
    return out;
  for (const auto& [tag, vlan] : vlans_) {
    for (const Mac mac : vlan.outside) out.insert({vlan.segment, mac});
  }
  return out;
}

std::set<Subject> Traffic::flooded() const {
  std::set<Subject> out;
  for (const auto& [subject, stray] : strays_) {
    if (stray.frames >= kLeastFrames && stray.last - stray.first >= base::seconds(1)) out.insert(subject);
  }
  return out;
}

std::set<Subject> Traffic::unclear() const {
  std::set<Subject> out = unclear_;
  for (const auto& [subject, stray] : strays_) out.insert(subject);
  return out;
}

std::set<Mac> Traffic::two_sided() const {
  std::set<Mac> out;
  for (const auto& [mac, sides] : sides_) {
    if (!sides.in.empty() && !sides.out.empty() && sides.in != sides.out && sides.changes >= 2)
      out.insert(mac);
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

// Not the virtual cable from a hosted bridge to its host's own stack: a capture on the host's interface sees
// what the uplink carries.
std::vector<PortId> linked_ports(const Model& m) {
  const auto hosted = [&](PortId port) {
    return m[port].bridge.valid() && m[port].role == model::PortRole::kHost &&
           m[m[port].bridge].kind == model::BridgeKind::kHostedBridge;
  };
  std::vector<PortId> out;
  for (std::size_t i = 0; i < m.ports.size(); ++i) {
    const PortId port(i);
    if (m[port].link.valid() && !hosted(port) && !hosted(peer(m, port))) out.push_back(port);
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

// By MAC: a bridge that knows no VLANs has one table for all of them.
std::map<Mac, FloodFacts> flood_facts(const Model& m, const simulate::RunResult& run) {
  std::map<Mac, FloodFacts> out;
  for (const simulate::FloodRecord& f : run.floods) {
    FloodFacts& facts = out[f.destination];
    const auto reason = [&](simulate::FloodReason r) { return f.by_reason[static_cast<std::size_t>(r)] > 0; };
    facts.not_learnt |= reason(simulate::FloodReason::kNoLearning);
    facts.refused |= reason(simulate::FloodReason::kTableFull);
    if (!reason(simulate::FloodReason::kNoEntry) && !reason(simulate::FloodReason::kExpired)) continue;
    facts.forgotten = true;
    facts.bypassed |= std::ranges::any_of(m[f.bridge].flow_rules, [](const auto& r) { return !r.normal; });
    facts.unheard |= reason(simulate::FloodReason::kExpired);
    facts.ageing_ms.insert(m[f.bridge].ageing / base::milliseconds(1));
  }
  for (const simulate::LeakRecord& leak : run.leaks) out[m[leak.guest].mac].leaks = true;
  return out;
}

}  // namespace

Played play(const Model& m, Time until,
            const std::function<void(std::size_t, const simulate::CapturedFrame&)>& tap) {
  Played played;
  played.segments = std::make_shared<model::Segments>(model::segments(m));
  played.ports = linked_ports(m);
  for (const PortId port : played.ports) played.traffic.emplace_back(m, *played.segments, port);
  std::map<Subject, std::set<Mac>> answering;
  std::map<std::pair<Mac, wire::Ipv4>, std::map<PortId, int>> answers;
  simulate::Options options;
  options.until = until;
  options.captures = played.ports;
  options.on_frame = [&](const simulate::CapturedFrame& captured) -> base::Result<void> {
    const Passing frame = passing(captured);
    Traffic& traffic = played.traffic[captured.capture];
    traffic.frame(frame);
    if (frame.is_ip && !frame.destination.is_group())
      answering[{traffic.segment(frame.tag), frame.source}].insert(frame.destination);
    if (frame.is_arp && frame.inbound && !frame.destination.is_group() &&
        !m[played.ports[captured.capture]].bridge.valid())
      ++answers[{frame.destination, frame.sender}][played.ports[captured.capture]];
    tap(captured.capture, captured);
    return {};
  };
  const auto run = simulate::run(m, options);
  EXPECT_TRUE(run.has_value());
  if (!run) return played;
  Truth& truth = played.truth;
  duplicates(m, truth);
  for (auto& [question, at] : answers) {
    int& least = truth.answers[question] = INT_MAX;
    for (const model::Station& s : m.stations) {
      if (s.mac == question.first) least = std::min(least, at[s.port]);
    }
  }
  truth.loops = !run->loops.empty();
  truth.flushes = !m.changes.empty() && std::ranges::any_of(m.bridges, &model::Bridge::stp);
  for (const simulate::MoveRecord& move : run->moves) truth.moved.insert(move.mac);
  const auto facts = flood_facts(m, *run);
  std::set<Subject> never_learnt;
  for (const Traffic& traffic : played.traffic) never_learnt.merge(traffic.never_learnt());
  std::set<Subject> leaked, beside;
  for (const Traffic& traffic : played.traffic) {
    leaked.merge(traffic.leaked(model::BridgeKind::kHostedBridge));
    beside.merge(traffic.leaked(model::BridgeKind::kSriov));
  }
  for (std::size_t i = 0; i < m.stations.size(); ++i) {
    const auto known = facts.find(m.stations[i].mac);
    const Subject subject{played.segments->of_station[i], m.stations[i].mac};
    const bool repeated = never_learnt.contains(subject);
    if (known == facts.end() && !repeated && !leaked.contains(subject) && !beside.contains(subject)) continue;
    FloodFacts& here = truth.floods[subject] = known == facts.end() ? FloodFacts{} : known->second;
    here.not_learnt |= repeated;
    here.leaks |= leaked.contains(subject);
    here.beside = beside.contains(subject);
    here.answers = answering[subject];
    here.unheard = here.unheard && std::ranges::all_of(m.flows, [&](const model::Flow& flow) {
                     return flow.to != m.stations[i].machine || flow.kind == model::FlowKind::kUdp;
                   });
    here.routes = m[m.stations[i].machine].kind == model::MachineKind::kRouter;
  }
  return played;
}

}  // namespace sekimori::oracle
