#include "lab/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/multicast.h"

namespace sekimori::lab {

using base::Duration;
using base::Result;
using base::Time;
using model::FlowKind;

namespace {

constexpr std::uint16_t kFirstPort = 20'000;
constexpr std::size_t kLargestPayload = 1448;  // of a response's frames, as in the simulator
constexpr std::size_t kEchoHeader = 8;
constexpr std::size_t kTcpPiece = 65'536;
constexpr Time kFirstPacket = base::milliseconds(2);  // after the machines have announced themselves
constexpr int kMostCatchingUp = 64;                   // packets of a source in one turn
// What a token of the poller stands for.
enum class Side : std::uint32_t { kIn = 0, kOut = 1, kConnection = 2 };

constexpr std::uint32_t kReceiverBits = 10;  // a shared address has at most 32 members
constexpr std::size_t kMostReceivers = 1 << kReceiverBits;

std::uint32_t token_of(std::size_t source, Side side, std::size_t receiver = 0) {
  return static_cast<std::uint32_t>((source << kReceiverBits | receiver) << 2) |
         static_cast<std::uint32_t>(side);
}

std::span<const std::byte> zeros(std::size_t count) {
  static constexpr std::array<std::byte, kTcpPiece> kZeros{};
  return std::span(kZeros).first(std::min(count, kZeros.size()));
}

sys::Endpoint endpoint_of(const model::Group& group) {
  sys::Endpoint end;
  if (wire::is_ipv4(group))
    end.address = wire::ipv4_of(group);
  else
    end.address6 = group;
  return end;
}

// Who boots an image has no programs of ours.
bool is_built_member(const model::Model& site, const Plan& plan, model::StationId station) {
  return site[station].groups != 0 && plan.stations[station.index()].built() &&
         !plan.boots(site[station].machine);
}

}  // namespace

Result<Traffic> Traffic::open(const model::Model& site, const Plan& plan,
                              const std::vector<sys::Namespace>& spaces) {
  auto poller = sys::Poller::make();
  if (!poller) return std::unexpected(poller.error());
  auto announcements = Announcements::open(site, plan, spaces);
  if (!announcements) return std::unexpected(announcements.error());
  Traffic traffic(site, spaces, std::move(*poller), std::move(*announcements));
  traffic.results_.resize(site.flows.size());
  double packets = 0;
  for (const model::Flow& flow : site.flows) {
    const Duration interval = model::interval_of(flow);
    if (interval.count() > 0 && flow.kind != FlowKind::kTcp) packets += 1 / base::to_seconds(interval);
  }
  if (packets > kMostPacketsPerSecond) {
    return base::fail(fmt::format(
        "The site offers {:.0f} packets a second, and the lab sends at most {:.0f}: take a larger "
        "--scale or smaller rates.",
        packets, kMostPacketsPerSecond));
  }
  for (std::size_t f = 0; f < site.flows.size(); ++f) {
    if (auto added = traffic.add_flow(f, plan); !added) return std::unexpected(added.error());
  }
  if (auto joined = traffic.join_groups(plan); !joined) return std::unexpected(joined.error());
  if (auto watched = traffic.watch(); !watched) return std::unexpected(watched.error());
  return traffic;
}

// ---------------------------------------------------------------- making

Result<void> Traffic::add_flow(std::size_t f, const Plan& plan) {
  const model::Flow& flow = site_.flows[f];
  Source source;
  source.flow = f;
  if (!find_ends(source, flow, plan)) return {};
  const bool has_receiver =
      flow.to.valid() && !plan.boots(flow.to);  // who boots an image has no programs of ours
  if (!has_receiver && (flow.kind == FlowKind::kTcp || flow.kind == FlowKind::kRequest)) return {};
  source.bytes = flow.payload + (flow.kind == FlowKind::kPing ? kEchoHeader : 0);
  source.interval = model::interval_of(flow);
  source.due = flow.start + kFirstPacket;
  if (flow.kind == FlowKind::kRequest) {
    const std::size_t response = std::max<std::size_t>(flow.response, 1);
    source.responses = (response + kLargestPayload - 1) / kLargestPayload;
    source.response = response / source.responses;
  }
  if (auto opened =
          flow.is_multicast() ? open_members(source, flow, plan) : open_sockets(source, flow, has_receiver);
      !opened)
    return opened;
  sources_.push_back(std::move(source));
  return {};
}

// False for a flow that has no way, or one from a NIC that is not built.
bool Traffic::find_ends(Source& source, const model::Flow& flow, const Plan& plan) const {
  const auto take = [&](sys::Endpoint& end, model::StationId s) {
    if (end.has_address()) return;
    if (flow.ipv6)
      end.address6 = site_[s].ip6.address;
    else
      end.address = site_[s].ip.address;
  };
  if (flow.is_multicast())
    source.remote = endpoint_of(flow.group);
  else if (flow.to_station.valid())
    take(source.remote, flow.to_station);
  else
    for (const model::StationId s : site_[flow.to].stations) take(source.remote, s);
  if (!source.remote.has_address()) return false;
  model::StationId from = flow.from_station;
  if (!from.valid() && flow.ipv6) from = model::next_hop(site_, flow.from, source.remote.address6).station;
  if (!from.valid() && !flow.ipv6) from = model::next_hop(site_, flow.from, source.remote.address).station;
  if (!from.valid() || !plan.stations[from.index()].built()) return false;
  take(source.local, from);
  source.local.port = static_cast<std::uint16_t>(kFirstPort + 2 * source.flow);
  source.remote.port = static_cast<std::uint16_t>(kFirstPort + 2 * source.flow + 1);
  return source.local.has_address();
}

// Makes a socket in the machine's namespace.
template <class Make>
Result<sys::IpSocket> Traffic::open_in(model::MachineId machine, Make make) {
  auto inside = sys::InNamespace::enter(spaces_[machine.index()]);
  if (!inside) return std::unexpected(inside.error());
  auto socket = make();
  if (!socket) return base::fail(fmt::format("{}: {}", site_[machine].name, socket.error().what));
  return socket;
}

// With one at each member of a shared address, of which any may come to serve it.
Result<void> Traffic::open_receivers(Source& source, const model::Flow& flow) {
  std::vector<model::MachineId> machines{flow.to};
  if (const model::SharedId shared =
          flow.to_station.valid() ? site_[flow.to_station].shared : model::SharedId{};
      shared.valid()) {
    for (const auto& member : site_[shared].members) {
      if (site_[member.nic].machine != flow.to) machines.push_back(site_[member.nic].machine);
    }
  }
  for (const model::MachineId machine : machines) {
    auto socket = open_in(machine, [&] {
      return flow.kind == FlowKind::kTcp ? sys::IpSocket::listen(source.remote)
                                         : sys::IpSocket::udp(source.remote, {});
    });
    if (!socket) return std::unexpected(socket.error());
    source.in.push_back(std::move(*socket));
  }
  return {};
}

Result<void> Traffic::open_sockets(Source& source, const model::Flow& flow, bool has_receiver) {
  const bool is_ping = flow.kind == FlowKind::kPing;
  if (!is_ping && has_receiver) {
    if (auto opened = open_receivers(source, flow); !opened) return opened;
  }
  if (flow.kind == FlowKind::kTcp) return {};  // the sender connects when the flow starts
  auto sender = open_in(flow.from, [&] {
    return is_ping ? sys::IpSocket::ping(source.local, source.remote)
                   : sys::IpSocket::udp(source.local, source.remote);
  });
  if (!sender) return std::unexpected(sender.error());
  source.out.emplace(std::move(*sender));
  return {};
}

Result<sys::IpSocket> Traffic::join(model::StationId station, sys::Endpoint group, const Plan& plan) {
  return open_in(site_[station].machine,
                 [&] { return sys::IpSocket::group_member(group, plan.stations[station.index()].name); });
}

Result<void> Traffic::open_members(Source& source, const model::Flow& flow, const Plan& plan) {
  auto sender = open_in(flow.from, [&] {
    return sys::IpSocket::group_sender(source.local, source.remote,
                                       plan.stations[flow.from_station.index()].name);
  });
  if (!sender) return std::unexpected(sender.error());
  source.out.emplace(std::move(*sender));
  for (std::size_t s = 0; s < site_.stations.size() && source.in.size() < kMostReceivers; ++s) {
    const model::StationId station(s);
    if (!is_built_member(site_, plan, station) || !model::is_member(site_, station, flow.group) ||
        site_[station].machine == flow.from)
      continue;
    auto member = join(station, source.remote, plan);
    if (!member) return std::unexpected(member.error());
    source.in.push_back(std::move(*member));
  }
  source.taken.assign(source.in.size(), 0);
  return {};
}

// Also those that nobody sends to: switches hear of all.
Result<void> Traffic::join_groups(const Plan& plan) {
  for (std::size_t s = 0; s < site_.stations.size(); ++s) {
    const model::StationId station(s);
    if (!is_built_member(site_, plan, station)) continue;
    for (const model::Group& group : site_.group_sets[site_[station].groups]) {
      auto member = join(station, endpoint_of(group), plan);
      if (!member) return std::unexpected(member.error());
      memberships_.push_back(std::move(*member));
    }
  }
  return {};
}

Result<void> Traffic::watch() {
  for (std::size_t s = 0; s < sources_.size(); ++s) {
    for (std::size_t i = 0; i < sources_[s].in.size(); ++i) {
      if (auto added = poller_.add(sources_[s].in[i].fd(), token_of(s, Side::kIn, i)); !added) return added;
    }
    if (sources_[s].out) {
      if (auto added = poller_.add(sources_[s].out->fd(), token_of(s, Side::kOut)); !added) return added;
    }
  }
  return {};
}

// ---------------------------------------------------------------- moving

void Traffic::turn(Time now, Time until) {
  Time next = std::min(until, announcements_.turn(now));
  for (Source& source : sources_) {
    if (site_.flows[source.flow].stop <= now) continue;
    if (source.due <= now) send(source, now);
    next = std::min(next, source.due);
  }
  const Duration patience = std::clamp(next - now, Duration{0}, base::milliseconds(20));
  poller_.wait(std::chrono::duration_cast<std::chrono::nanoseconds>(patience),
               [this](std::uint32_t token) { take(token); });
}

void Traffic::drain() {
  while (poller_.wait(std::chrono::nanoseconds(0), [this](std::uint32_t token) { take(token); })) {
  }
}

void Traffic::send(Source& source, Time now) {
  const FlowKind kind = site_.flows[source.flow].kind;
  std::array<std::byte, 65'536> message;
  for (int sent = 0; source.due <= now && sent < kMostCatchingUp; ++sent) {
    source.due += std::max(source.interval, base::microseconds(1));
    if (kind == FlowKind::kTcp) {
      source.owed += static_cast<std::int64_t>(source.bytes);
      continue;
    }
    std::size_t gone = 0;
    if (kind == FlowKind::kPing) {
      const auto echo = std::span(message).first(source.bytes);
      std::ranges::fill(echo, std::byte{0});
      sys::write_echo(echo, source.local.port, ++source.number, source.local.is_ipv6());
      gone = source.out->send(echo);
    } else {
      gone = source.out->send(zeros(source.bytes));
    }
    results_[source.flow].sent += gone > 0;
  }
  if (kind == FlowKind::kTcp) send_tcp(source);
}

void Traffic::send_tcp(Source& source) {
  const auto connect = [&] { return sys::IpSocket::connect(source.local, source.remote); };
  if (!source.out) {
    auto made = open_in(site_.flows[source.flow].from, connect);
    if (!made) return;  // next time, perhaps
    source.out.emplace(std::move(*made));
  }
  const bool unbounded = source.interval.count() == 0;
  if (unbounded) source.owed = std::max<std::int64_t>(source.owed, std::int64_t{kTcpPiece} * 4);
  while (source.out && source.owed > 0) {
    const std::size_t gone = source.out->send(zeros(static_cast<std::size_t>(source.owed)));
    if (gone == 0) break;
    source.owed -= static_cast<std::int64_t>(gone);
    results_[source.flow].sent += static_cast<std::int64_t>(gone);
  }
  if (unbounded) source.due += base::milliseconds(1);
}

void Traffic::take(std::uint32_t token) {
  const std::size_t number = token >> (kReceiverBits + 2);
  const std::size_t receiver = token >> 2 & ((1u << kReceiverBits) - 1);
  Source& source = sources_[number];
  FlowResult& result = results_[source.flow];
  const auto side = static_cast<Side>(token & 3);
  const FlowKind kind = site_.flows[source.flow].kind;
  std::array<std::byte, 65'536> room;
  if (kind == FlowKind::kTcp && side == Side::kIn) {
    auto connection = source.in[receiver].accept();
    if (!connection) return;
    source.connection.emplace(std::move(*connection));
    if (!poller_.add(source.connection->fd(), token_of(number, Side::kConnection))) source.connection.reset();
    return;
  }
  if (side == Side::kConnection) {
    std::size_t got = 0, all = 0;
    while (all < 16 * room.size() && (got = source.connection->receive(room)) > 0) all += got;
    result.received += static_cast<std::int64_t>(all);
    if (all == 0) source.connection.reset();  // closed
    return;
  }
  sys::IpSocket& socket = side == Side::kIn ? source.in[receiver] : *source.out;
  sys::Endpoint from;
  for (int most = 256; most > 0; --most) {
    const std::size_t got = socket.receive(room, &from);
    if (got == 0) return;
    if (side == Side::kOut) {
      const bool answer =
          kind != FlowKind::kPing ||
          sys::is_echo_reply(std::span(room).first(got), source.local.port, source.local.is_ipv6());
      result.answered += answer;
      continue;
    }
    if (source.taken.empty()) {
      ++result.received;
    } else {
      ++source.taken[receiver];
      result.received = *std::ranges::min_element(source.taken);
    }
    for (std::size_t i = 0; i < source.responses; ++i) socket.send_to(from, zeros(source.response));
  }
}

}  // namespace sekimori::lab
