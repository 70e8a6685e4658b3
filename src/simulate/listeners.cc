#include "simulate/listeners.h"

#include <algorithm>

#include "base/random.h"
#include "switching/snooping.h"

namespace sekimori::simulate {

namespace {

// Robustness variable and interval of unsolicited reports (RFC 3376 sections 8.1, 8.11; RFC 3810 likewise).
constexpr int kUnsolicited = 2;
constexpr Duration kUnsolicitedInterval = base::seconds(1);

}  // namespace

Listeners::Listeners(const model::Model& model, const Addresses& addresses, Audience& audience, Wires& wires,
                     Neighbours::Transmitter& transmitter)
    : model_(model), addresses_(addresses), wires_(wires), out_(transmitter) {
  if (!model::uses_groups(model)) return;
  first_.assign(model.stations.size(), kNone);
  for (std::uint32_t s = 0; s < model.stations.size(); ++s) {
    for (const bool ipv6 : {false, true}) {
      Listener listener{s, ipv6, model::groups_of(model, model::StationId(s), ipv6)};
      if (listener.groups.empty()) continue;
      listener.timer = wires_.add_timer(TimerKind::kReport, static_cast<std::uint32_t>(listeners_.size()));
      if (first_[s] == kNone) first_[s] = static_cast<std::uint32_t>(listeners_.size());
      audience.takes_group(ipv6 ? addresses.all_nodes() : wire::kAllHosts.bits, s);
      for (const wire::Group& group : listener.groups) {
        if (const std::uint32_t ip = addresses.find_group(group); ip != 0) audience.takes_group(ip, s);
      }
      listeners_.push_back(std::move(listener));
    }
    const model::Station& station = model.stations[s];
    if (!station.querier) continue;
    audience.routes_groups(s);
    for (const bool ipv6 : {false, true}) {
      if (ipv6 ? station.ip6.address.is_zero() : station.ip.address.is_zero()) continue;
      audience.takes_group(ipv6 ? addresses.all_nodes() : wire::kAllHosts.bits, s);
      queriers_.push_back(
          {s, ipv6, wires_.add_timer(TimerKind::kQuerier, static_cast<std::uint32_t>(queriers_.size()))});
    }
  }
}

void Listeners::arm(Listener& listener, Time due) {
  if (listener.due <= due) return;
  listener.due = due;
  wires_.arm(listener.timer, due);
}

void Listeners::join(Listener& listener) {
  listener.unsolicited = kUnsolicited;
  listener.to_old = false;
  const Duration offset{
      static_cast<std::int64_t>(base::mix64(model_.seed ^ listener.station ^ 0x16'0000) % 1'000'000'000)};
  arm(listener, wires_.now() + offset);
}

void Listeners::start(const std::vector<bool>& running) {
  for (Listener& listener : listeners_) {
    if (running[model_.stations[listener.station].machine.index()]) join(listener);
  }
  for (const Querier& querier : queriers_) wires_.arm(querier.timer, base::milliseconds(1));
}

void Listeners::set_running(model::MachineId machine, bool running) {
  if (!running || first_.empty()) return;
  for (Listener& listener : listeners_) {
    if (model_.stations[listener.station].machine == machine) join(listener);
  }
}

// Each answers after a while of its own, within the time that the query gives (RFC 3376 section 5.2).
void Listeners::asked(std::uint32_t station, const Frame& query) {
  const bool ipv6 = is_ipv6(query.dst_ip);
  for (Querier& querier : queriers_) {
    const model::Station& self = model_.stations[querier.station];
    if (querier.station != station || querier.ipv6 != ipv6 || query.src_ip == kNone) continue;
    if (ipv6 ? addresses_.ipv6(query.src_ip) < self.ip6.address : query.src_ip < self.ip.address.bits)
      querier.other_until = wires_.now() + switching::kOtherQuerier;
  }
  for (std::uint32_t l = first_[station]; l < listeners_.size() && listeners_[l].station == station; ++l) {
    Listener& listener = listeners_[l];
    if (listener.ipv6 != ipv6) continue;
    listener.to_old = query.ack != 0;
    const std::uint64_t draw = base::mix64(model_.seed ^ std::uint64_t{l} << 40 ^
                                           static_cast<std::uint64_t>(wires_.now() / base::milliseconds(1)));
    arm(listener, wires_.now() + base::milliseconds(static_cast<std::int64_t>(draw % 10'000)));
  }
}

void Listeners::report(std::uint32_t number, const std::vector<bool>& running) {
  Listener& listener = listeners_[number];
  listener.due = base::kNever;
  const model::Station& station = model_.stations[listener.station];
  if (!running[station.machine.index()]) return;
  listener.unsolicited = std::max(listener.unsolicited - 1, 0);
  if (listener.unsolicited > 0) arm(listener, wires_.now() + kUnsolicitedInterval);
  Frame frame;
  frame.kind = FrameKind::kGroupReport;
  frame.dst = kBroadcastAddress;
  frame.number = listener.station;
  frame.ttl = 1;
  frame.sent = wires_.now();
  frame.src_ip = listener.ipv6 ? addresses_.ip6_of_station(listener.station) : station.ip.address.bits;
  if (listener.to_old) {
    frame.ack = 1;
    frame.bytes = listener.ipv6 ? wire::kOldMldBytes : kLeastFrameBytes;
    for (const wire::Group& group : listener.groups) {
      frame.dst_ip = addresses_.find_group(group);
      Frame copy = frame;
      if (frame.dst_ip != 0) out_.transmit(listener.station, copy);
    }
    return;
  }
  frame.dst_ip = listener.ipv6 ? addresses_.all_mld_routers() : wire::kAllIgmpv3Routers.bits;
  frame.bytes = wire::group_report_bytes(listener.ipv6, listener.groups.size());
  out_.transmit(listener.station, frame);
}

void Listeners::ask(std::uint32_t number, const std::vector<bool>& running) {
  Querier& querier = queriers_[number];
  wires_.arm(querier.timer,
             wires_.now() + (querier.asked++ == 0 ? switching::kStartupQuery : switching::kQueryInterval));
  const model::Station& station = model_.stations[querier.station];
  if (!running[station.machine.index()] || querier.other_until > wires_.now()) return;
  Frame query;
  query.kind = FrameKind::kGroupQuery;
  query.dst = kBroadcastAddress;
  query.src_ip = querier.ipv6 ? addresses_.ip6_of_station(querier.station) : station.ip.address.bits;
  query.dst_ip = querier.ipv6 ? addresses_.all_nodes() : wire::kAllHosts.bits;
  query.ttl = 1;
  query.bytes = querier.ipv6 ? wire::kMldQueryBytes : kLeastFrameBytes;
  query.sent = wires_.now();
  out_.transmit(querier.station, query);
}

}  // namespace sekimori::simulate
