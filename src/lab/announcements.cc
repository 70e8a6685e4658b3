#include "lab/announcements.h"

#include <algorithm>
#include <unordered_set>

#include "model/multicast.h"
#include "model/routing.h"
#include "switching/snooping.h"
#include "wire/emit.h"

namespace sekimori::lab {

using base::Duration;
using base::Result;
using base::Time;
using model::MachineId;
using model::Station;

namespace {

constexpr std::size_t kNeighborBytes = 86, kDuplicateProbeBytes = 78, kRouterAdvertisementBytes = 110;

wire::FrameShape shape_of(const Station& station, model::Mac to, std::size_t bytes) {
  return {
      .destination = to, .source = station.hides_its_mac() ? station.source : station.mac, .bytes = bytes};
}

wire::Buffer gratuitous_arp(const Station& station) {
  wire::Buffer frame;
  wire::append_arp(frame, shape_of(station, wire::kBroadcast, wire::kLeastFrame),
                   wire::gratuitous_arp(station.mac, station.ip.address));
  return frame;
}

wire::Buffer neighbor_advertisement(const Station& station, bool routes) {
  wire::Buffer frame;
  wire::append_neighbor(frame, shape_of(station, wire::group_mac(wire::kAllNodes), kNeighborBytes),
                        station.ip6.address, wire::kAllNodes,
                        {.type = wire::Icmpv6::kNeighborAdvertisement,
                         .target = station.ip6.address,
                         .from_router = routes,
                         .overrides = true,
                         .target_mac = station.mac});
  return frame;
}

// RFC 4862 section 5.4.2.
wire::Buffer duplicate_probe(const Station& station) {
  wire::Buffer frame;
  const wire::Ipv6 group = wire::solicited_node(station.ip6.address);
  wire::append_neighbor(frame, shape_of(station, wire::group_mac(group), kDuplicateProbeBytes), {}, group,
                        {.type = wire::Icmpv6::kNeighborSolicitation, .target = station.ip6.address});
  return frame;
}

wire::Buffer router_advertisement(const Station& station, Duration every) {
  constexpr std::int64_t kLongestLifetime = 9000;  // RFC 4861 section 6.2.1
  const auto lifetime = std::min<std::int64_t>(every * 3 / base::seconds(1), kLongestLifetime);
  wire::Buffer frame;
  wire::append_router_advertisement(
      frame, shape_of(station, wire::group_mac(wire::kAllNodes), kRouterAdvertisementBytes),
      station.ip6.address, station.ip6.length, static_cast<std::uint16_t>(lifetime));
  return frame;
}

// The kernel has said so when it got the address, before this run.
wire::Buffer group_report(const Station& station) {
  wire::Listening report;
  report.kind = wire::Listening::Kind::kReport;
  report.ipv6 = true;
  report.source = wire::link_local(station.mac);
  report.records.push_back({wire::solicited_node(station.ip6.address)});
  wire::Buffer frame;
  wire::append_listening(frame, {.source = station.hides_its_mac() ? station.source : station.mac}, report);
  return frame;
}

bool somebody_lower_asks(const model::Model& site, const Station& self, bool ipv6) {
  if (ipv6) {
    return std::ranges::any_of(site.stations, [&](const Station& other) {
      return other.querier && !other.ip6.address.is_zero() && other.ip6.address < self.ip6.address &&
             self.ip6.contains(other.ip6.address);
    });
  }
  const auto asks_below = [&](model::Ipv4 ip) {
    return !ip.is_zero() && ip < self.ip.address && self.ip.contains(ip);
  };
  return std::ranges::any_of(
             site.stations,
             [&](const Station& other) { return other.querier && asks_below(other.ip.address); }) ||
         std::ranges::any_of(site.bridges,
                             [&](const model::Bridge& b) { return b.querier && asks_below(b.querier_ip); });
}

}  // namespace

Result<Announcements> Announcements::open(const model::Model& site, const Plan& plan,
                                          const std::vector<sys::Namespace>& spaces) {
  Announcements made(site);
  if (auto added = made.add_speakers(plan, spaces); !added) return std::unexpected(added.error());
  for (std::size_t m = 0; m < site.machines.size(); ++m) made.add_timers(MachineId(m));
  return made;
}

// Those that have anything to say: at some time, or when they have moved or been switched on.
Result<void> Announcements::add_speakers(const Plan& plan, const std::vector<sys::Namespace>& spaces) {
  std::unordered_set<MachineId> changing;
  for (const model::Change& change : site_.changes) {
    if (const auto* move = std::get_if<model::MigrateMachine>(&change.what)) changing.insert(move->machine);
    if (const auto* start = std::get_if<model::StartMachine>(&change.what)) changing.insert(start->machine);
  }
  const bool uses_groups = model::uses_groups(site_);
  for (std::size_t s = 0; s < site_.stations.size(); ++s) {
    const Station& station = site_.stations[s];
    const model::Machine& machine = site_[station.machine];
    const Device& device = plan.stations[s];
    const auto speaks = [](const model::ArpSettings& settings) {
      return settings.announce_at_start || settings.announce_every.count() != 0;
    };
    const bool says =
        (!station.ip.address.is_zero() && speaks(machine.arp)) ||
        (!station.ip6.address.is_zero() && (speaks(machine.nd) || machine.advertise_every.count() != 0)) ||
        station.querier || (uses_groups && !station.ip6.address.is_zero());
    if (!device.built() || (!says && !changing.contains(station.machine))) continue;
    auto inside = sys::InNamespace::enter(spaces[device.space]);
    if (!inside) return std::unexpected(inside.error());
    auto socket = sys::PacketSocket::open(device.name, {.receive_buffer = 4096});
    if (!socket) return std::unexpected(socket.error());
    speakers_.push_back({model::StationId(s), std::move(*socket)});
  }
  return {};
}

void Announcements::add_timers(MachineId id) {
  const model::Machine& machine = site_[id];
  const auto add = [&](Kind kind, const model::ArpSettings& settings) {
    if (settings.announce_at_start || settings.announce_every.count() != 0)
      timers_.push_back({id, kind, settings.announce_at_start ? Time{0} : settings.announce_every});
  };
  add(Kind::kArp, machine.arp);
  if (std::ranges::any_of(machine.stations, [&](auto s) { return site_[s].querier; }))
    timers_.push_back({id, Kind::kGroupQuery, base::milliseconds(1)});
  const bool speaks_ipv6 =
      std::ranges::any_of(machine.stations, [&](auto s) { return !site_[s].ip6.address.is_zero(); });
  if (!speaks_ipv6) return;
  add(Kind::kNd, machine.nd);
  if (model::uses_groups(site_)) timers_.push_back({id, Kind::kGroupReport, base::milliseconds(1)});
  if (machine.advertise_every.count() == 0) return;
  timers_.push_back({id, Kind::kRouter, model::until_next_advertisement(site_, id, advertised_++)});
}

Duration Announcements::until_next(const Timer& timer) {
  const model::Machine& machine = site_[timer.machine];
  switch (timer.kind) {
    case Kind::kArp:
      return machine.arp.announce_every;
    case Kind::kNd:
      return machine.nd.announce_every;
    case Kind::kRouter:
      return model::until_next_advertisement(site_, timer.machine, advertised_++);
    case Kind::kGroupQuery:  // twice in the beginning (RFC 3376 section 8.6)
      return timer.said == 1 ? switching::kStartupQuery : switching::kQueryInterval;
    case Kind::kGroupReport:
    case Kind::kDuplicates:
      break;
  }
  return Duration{0};
}

Time Announcements::turn(Time now) {
  Time next = base::kNever;
  for (Timer& timer : timers_) {
    while (timer.due <= now) {
      if (timer.kind == Kind::kGroupQuery)
        ask(timer.machine, timer.said == 0);
      else
        say(timer.machine, timer.kind);
      ++timer.said;
      const Duration pause = until_next(timer);
      timer.due = pause.count() > 0 ? timer.due + pause : base::kNever;
    }
    next = std::min(next, timer.due);
  }
  return next;
}

void Announcements::say(MachineId id, Kind kind) {
  const model::Machine& machine = site_[id];
  for (Speaker& speaker : speakers_) {
    const Station& station = site_[speaker.station];
    if (station.machine != id) continue;
    wire::Buffer frame;
    if (kind == Kind::kArp) {
      if (!station.ip.address.is_zero()) frame = gratuitous_arp(station);
    } else if (!station.ip6.address.is_zero()) {
      if (kind == Kind::kNd)
        frame = neighbor_advertisement(station, machine.kind == model::MachineKind::kRouter);
      if (kind == Kind::kRouter) frame = router_advertisement(station, machine.advertise_every);
      if (kind == Kind::kDuplicates) frame = duplicate_probe(station);
      if (kind == Kind::kGroupReport) frame = group_report(station);
    }
    if (frame.empty()) continue;
    speaker.socket.queue(std::as_bytes(std::span(frame)));
    speaker.socket.flush();
  }
}

// RFC 3376 section 6.6.2: the lowest address of a network asks, the others once, before they hear it.
void Announcements::ask(MachineId machine, bool first) {
  for (Speaker& speaker : speakers_) {
    const Station& station = site_[speaker.station];
    if (station.machine != machine || !station.querier) continue;
    for (const bool ipv6 : {false, true}) {
      if (ipv6 ? station.ip6.address.is_zero() : station.ip.address.is_zero()) continue;
      if (!first && somebody_lower_asks(site_, station, ipv6)) continue;
      wire::Listening query;
      query.ipv6 = ipv6;
      query.source = ipv6 ? wire::link_local(station.mac) : wire::to_group(station.ip.address);
      query.patience_ms = static_cast<std::uint32_t>(switching::kQueryResponse / base::milliseconds(1));
      wire::Buffer frame;
      wire::append_listening(frame, {.source = station.mac}, query);
      speaker.socket.queue(std::as_bytes(std::span(frame)));
    }
    speaker.socket.flush();
  }
}

void Announcements::announce(MachineId machine) {
  say(machine, Kind::kArp);
  say(machine, Kind::kNd);
}

void Announcements::start(MachineId machine, Time now) {
  say(machine, Kind::kDuplicates);
  for (Timer& timer : timers_) {
    if (timer.machine == machine && timer.kind != Kind::kRouter) timer.due = now + base::milliseconds(1);
  }
}

}  // namespace sekimori::lab
