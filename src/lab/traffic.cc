#include "lab/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "wire/emit.h"

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

std::uint32_t token_of(std::size_t source, Side side) {
  return static_cast<std::uint32_t>(source << 2) | static_cast<std::uint32_t>(side);
}

std::span<const std::byte> zeros(std::size_t count) {
  static constexpr std::array<std::byte, kTcpPiece> kZeros{};
  return std::span(kZeros).first(std::min(count, kZeros.size()));
}

}  // namespace

Result<Traffic> Traffic::open(const model::Model& site, const Plan& plan,
                              const std::vector<sys::Namespace>& spaces) {
  auto poller = sys::Poller::make();
  if (!poller) return std::unexpected(poller.error());
  Traffic traffic(site, spaces, std::move(*poller));
  traffic.results_.resize(site.flows.size());
  double packets = 0;
  for (const model::Flow& flow : site.flows) {
    const Duration interval =
        flow.rate.bits_per_second > 0 ? base::transmission_time(flow.payload, flow.rate) : flow.interval;
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
  if (auto added = traffic.add_announcers(plan); !added) return std::unexpected(added.error());
  if (auto watched = traffic.watch(); !watched) return std::unexpected(watched.error());
  return traffic;
}

// ---------------------------------------------------------------- making

Result<void> Traffic::add_flow(std::size_t f, const Plan& plan) {
  const model::Flow& flow = site_.flows[f];
  if (flow.ipv6) return {};
  Source source;
  source.flow = f;
  for (const model::StationId s : site_[flow.to].stations) {
    if (source.remote.address.is_zero()) source.remote.address = site_[s].ip.address;
  }
  if (flow.to_station.valid()) source.remote.address = site_[flow.to_station].ip.address;
  const model::StationId from = flow.from_station.valid()
                                    ? flow.from_station
                                    : model::next_hop(site_, flow.from, source.remote.address).station;
  if (!from.valid() || source.remote.address.is_zero()) return {};
  if (!plan.stations[from.index()].built()) return {};
  const bool has_receiver = !plan.boots(flow.to);  // who boots an image has no programs of ours
  if (!has_receiver && (flow.kind == FlowKind::kTcp || flow.kind == FlowKind::kRequest)) return {};
  source.local = {site_[from].ip.address, static_cast<std::uint16_t>(kFirstPort + 2 * f)};
  source.remote.port = static_cast<std::uint16_t>(kFirstPort + 2 * f + 1);
  source.bytes = flow.payload + (flow.kind == FlowKind::kPing ? kEchoHeader : 0);
  source.interval =
      flow.rate.bits_per_second > 0 ? base::transmission_time(flow.payload, flow.rate) : flow.interval;
  source.due = flow.start + kFirstPacket;
  if (flow.kind == FlowKind::kRequest) {
    const std::size_t response = std::max<std::size_t>(flow.response, 1);
    source.responses = (response + kLargestPayload - 1) / kLargestPayload;
    source.response = response / source.responses;
  }
  if (auto opened = open_sockets(source, flow, has_receiver); !opened) return opened;
  sources_.push_back(std::move(source));
  return {};
}

// Makes a socket in the machine's namespace.
template <class Make>
Result<void> Traffic::open_in(model::MachineId machine, Make make, std::optional<sys::IpSocket>& into) {
  auto inside = sys::InNamespace::enter(spaces_[machine.index()]);
  if (!inside) return std::unexpected(inside.error());
  auto socket = make();
  if (!socket) return base::fail(fmt::format("{}: {}", site_[machine].name, socket.error().what));
  into.emplace(std::move(*socket));
  return {};
}

Result<void> Traffic::open_sockets(Source& source, const model::Flow& flow, bool has_receiver) {
  const auto ping = [&] { return sys::IpSocket::ping(source.local.address, source.remote.address); };
  const auto listen = [&] { return sys::IpSocket::listen(source.remote); };
  const auto receiver = [&] { return sys::IpSocket::udp(source.remote, {}); };
  const auto sender = [&] { return sys::IpSocket::udp(source.local, source.remote); };
  switch (flow.kind) {
    case FlowKind::kPing:
      return open_in(flow.from, ping, source.out);
    case FlowKind::kTcp:
      return open_in(flow.to, listen, source.in);  // the sender connects when the flow starts
    case FlowKind::kUdp:
    case FlowKind::kRequest:
      break;
  }
  const auto opened = has_receiver ? open_in(flow.to, receiver, source.in) : Result<void>{};
  return opened ? open_in(flow.from, sender, source.out) : opened;
}

// Who announces itself at the start, now and then, or after a move.
Result<void> Traffic::add_announcers(const Plan& plan) {
  std::unordered_set<model::MachineId> moving;
  for (const model::Change& change : site_.changes) {
    if (const auto* move = std::get_if<model::MigrateMachine>(&change.what)) moving.insert(move->machine);
  }
  for (std::size_t s = 0; s < site_.stations.size(); ++s) {
    const model::Station& station = site_.stations[s];
    const model::ArpSettings& arp = site_[station.machine].arp;
    const Device& device = plan.stations[s];
    if (!device.built() || station.ip.address.is_zero()) continue;
    const bool repeats = arp.announce_every.count() != 0;
    if (!arp.announce_at_start && !repeats && !moving.contains(station.machine)) continue;
    auto inside = sys::InNamespace::enter(spaces_[device.space]);
    if (!inside) return std::unexpected(inside.error());
    auto socket = sys::PacketSocket::open(device.name, {.receive_buffer = 4096});
    if (!socket) return std::unexpected(socket.error());
    wire::Buffer bytes;
    wire::append_arp(bytes, {.destination = wire::kBroadcast, .source = station.mac},
                     wire::gratuitous_arp(station.mac, station.ip.address));
    const auto frame = std::as_bytes(std::span(bytes));
    const Time first = arp.announce_at_start ? Time{0} : repeats ? arp.announce_every : base::kNever;
    announcers_.push_back(
        {station.machine, std::move(*socket), {frame.begin(), frame.end()}, first, arp.announce_every});
  }
  return {};
}

void Traffic::announce(model::MachineId machine) {
  for (Announcer& announcer : announcers_) {
    if (announcer.machine != machine) continue;
    announcer.socket.queue(announcer.frame);
    announcer.socket.flush();
  }
}

Result<void> Traffic::watch() {
  for (std::size_t s = 0; s < sources_.size(); ++s) {
    if (sources_[s].in) {
      if (auto added = poller_.add(sources_[s].in->fd(), token_of(s, Side::kIn)); !added) return added;
    }
    if (sources_[s].out) {
      if (auto added = poller_.add(sources_[s].out->fd(), token_of(s, Side::kOut)); !added) return added;
    }
  }
  return {};
}

// ---------------------------------------------------------------- moving

void Traffic::turn(Time now, Time until) {
  Time next = until;
  for (Announcer& announcer : announcers_) {
    while (announcer.due <= now) {
      announcer.socket.queue(announcer.frame);
      announcer.socket.flush();
      announcer.due = announcer.every.count() > 0 ? announcer.due + announcer.every : base::kNever;
    }
    next = std::min(next, announcer.due);
  }
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
      sys::write_echo(echo, source.local.port, ++source.number);
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
  if (!source.out && !open_in(site_.flows[source.flow].from, connect, source.out))
    return;  // next time, perhaps
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
  Source& source = sources_[token >> 2];
  FlowResult& result = results_[source.flow];
  const auto side = static_cast<Side>(token & 3);
  const FlowKind kind = site_.flows[source.flow].kind;
  std::array<std::byte, 65'536> room;
  if (kind == FlowKind::kTcp && side == Side::kIn) {
    auto connection = source.in->accept();
    if (!connection) return;
    source.connection.emplace(std::move(*connection));
    if (!poller_.add(source.connection->fd(), token_of(token >> 2, Side::kConnection)))
      source.connection.reset();
    return;
  }
  if (side == Side::kConnection) {
    std::size_t got = 0, all = 0;
    while (all < 16 * room.size() && (got = source.connection->receive(room)) > 0) all += got;
    result.received += static_cast<std::int64_t>(all);
    if (all == 0) source.connection.reset();  // closed
    return;
  }
  sys::IpSocket& socket = side == Side::kIn ? *source.in : *source.out;
  sys::Endpoint from;
  for (int most = 256; most > 0; --most) {
    const std::size_t got = socket.receive(room, &from);
    if (got == 0) return;
    if (side == Side::kOut) {
      const bool answer =
          kind != FlowKind::kPing || sys::is_echo_reply(std::span(room).first(got), source.local.port);
      result.answered += answer;
      continue;
    }
    ++result.received;
    for (std::size_t i = 0; i < source.responses; ++i) socket.send_to(from, zeros(source.response));
  }
}

}  // namespace sekimori::lab
