#include "watch/twins.h"

#include <algorithm>

#include "base/random.h"

namespace sekimori::watch {

using Kind = TwinSign::Kind;

namespace {

constexpr std::size_t kTracks = 1024, kAttempts = 1024;  // the latest; two to a set, or one
constexpr std::size_t kMostSigns = 256;
constexpr std::uint32_t kLeastHits = 2;  // before a track counts as one
constexpr Nanos kJustOpened = 10 * kSecond;
constexpr Nanos kTransactions = 10 * kSecond;  // a restart takes longer
constexpr std::uint64_t kIdStep = 64, kMostIdStep = 2048;

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) { return base::mix64(a ^ base::mix64(b)); }

constexpr bool is_initial(std::uint8_t hops) {
  return hops == 64 || hops == 128 || hops == 255 || hops == 32;
}

// Stacks that hide how much they send add a random number of at most the ticks since the last packet (Linux,
// ip_idents_reserve).
bool is_next_id(std::uint64_t before, std::uint64_t now, Nanos time) {
  const auto step = static_cast<std::uint16_t>(now - before);
  const auto ticks = static_cast<std::uint64_t>(time / 1'000'000);
  return step != 0 && step <= std::min(kMostIdStep, kIdStep + ticks);
}

// At a thousand, 250 or a hundred ticks a second, a twentieth more or less, and a fifth of a second.
bool is_same_clock(std::uint64_t before, std::uint64_t now, Nanos time) {
  const auto ticks =
      static_cast<std::int64_t>(static_cast<std::int32_t>(static_cast<std::uint32_t>(now - before)));
  for (const std::int64_t rate : {1000, 250, 100}) {
    const std::int64_t expected = time / (kSecond / rate);
    const std::int64_t off = ticks > expected ? ticks - expected : expected - ticks;
    if (expected <= INT32_MAX && off <= rate / 5 + expected / 20) return true;
  }
  return false;
}

bool continues(Kind kind, std::uint64_t before, std::uint64_t now, Nanos time) {
  switch (kind) {
    case Kind::kIdentification:
      return is_next_id(before, now, time);
    case Kind::kClock:
      return is_same_clock(before, now, time);
    case Kind::kLayout:
      return before == now;
    case Kind::kTransactions:
      return before == now && time <= kTransactions;
    case Kind::kReset:
      break;
  }
  return false;
}

// A sign of that kind for that MAC: kNobody if there is no room for it.
std::uint32_t sign_of(const TwinWatch::Frame& frame, Kind kind, std::vector<TwinSign>& out) {
  const auto known = std::ranges::find_if(out, [&](const TwinSign& s) {
    return s.mac == frame.source && s.kind == kind && s.scope == frame.scope;
  });
  if (known == out.end() && out.size() >= kMostSigns) return kNobody;
  const auto index = static_cast<std::uint32_t>(known - out.begin());
  if (known == out.end()) out.push_back({frame.scope, frame.source, kind});
  return index;
}

void show(TwinSign& sign, FrameRef frame) {
  if (sign.shown < sign.frames.size()) sign.frames[sign.shown++] = frame;
}

}  // namespace

TwinWatch::TwinWatch() : tracks_(kTracks), attempts_(kAttempts) {}

void TwinWatch::sample(const Frame& frame, Kind kind, std::uint64_t what, std::uint64_t value,
                       std::vector<TwinSign>& out) {
  const std::uint64_t key =
      mixed(mixed(frame.source.bits, frame.scope), what ^ static_cast<std::uint64_t>(kind));
  Tracks* tracks = &tracks_[key % (tracks_.size() / 2) * 2];
  if (tracks->key != key && (tracks[1].key == key || tracks[1].used < tracks->used)) ++tracks;
  if (tracks->key != key) {
    *tracks = {.key = key};
    tracks->list[0] = {value, frame.ref.at, 1};
  }
  tracks->used = frame.ref.at;
  for (const Track& track : tracks->list) {
    // A copy of a frame, or a repetition, says nothing new.
    if (track.hits > 0 && track.value == value && (kind == Kind::kIdentification || kind == Kind::kClock))
      return;
  }
  for (std::size_t i = 0; i < tracks->list.size(); ++i) {
    Track& track = tracks->list[i];
    if (track.hits == 0 || !continues(kind, track.value, value, since(frame.ref.at, track.at))) continue;
    track = {value, frame.ref.at, track.hits + 1};
    if (tracks->current == i) return;
    tracks->current = static_cast<std::uint8_t>(i);
    if (tracks->list[1 - i].hits < kLeastHits && kind != Kind::kTransactions) return;
    if (tracks->sign == kNobody) tracks->sign = sign_of(frame, kind, out);
    if (tracks->sign == kNobody) return;
    TwinSign& sign = out[tracks->sign];
    ++sign.turns;
    sign.breaks = std::max(sign.breaks, tracks->breaks);
    show(sign, frame.ref);
    return;
  }
  // Neither goes on: the one that was not used last gives way.
  const auto next = static_cast<std::uint8_t>(tracks->list[1].hits == 0 ? 1 : 1 - tracks->current);
  if (tracks->list[next].hits > 0) ++tracks->breaks;
  tracks->list[next] = {value, frame.ref.at, 1};
  tracks->current = next;
  if (tracks->sign != kNobody) out[tracks->sign].breaks = std::max(out[tracks->sign].breaks, tracks->breaks);
}

void TwinWatch::group(const Frame& frame, const wire::Ipv4Header& ip, const wire::Udp& udp,
                      std::vector<TwinSign>& out) {
  // Applications choose the hop limit of what they send to groups: 1, 4 and 255 are as good as 64.
  if (ip.id == 0 || ip.source.is_zero() || ip.is_fragment()) return;
  const std::uint64_t ends = std::uint64_t{ip.source.bits} << 32 | ip.destination.bits;
  const std::uint64_t ports = std::uint64_t{udp.source_port} << 16 | udp.destination_port;
  sample(frame, Kind::kIdentification, mixed(ends, ports << 8 | ip.ttl), ip.id, out);
}

void TwinWatch::tcp(const Frame& frame, std::uint64_t ends, std::uint8_t hops, const wire::Tcp& tcp,
                    std::vector<TwinSign>& out) {
  if (!is_initial(hops)) return;
  if (!tcp.has(wire::Tcp::kSyn) || !tcp.has(wire::Tcp::kAck)) resets(frame, ends, tcp, out);
  if (!tcp.has(wire::Tcp::kSyn) || tcp.has(wire::Tcp::kAck)) return;
  if (tcp.timestamps) sample(frame, Kind::kClock, ends, tcp.timestamps->value, out);
  const std::uint64_t layout = mixed(tcp.option_layout, std::uint64_t{tcp.mss.value_or(0)} << 16 | hops << 8 |
                                                            tcp.window_scale.value_or(99));
  sample(frame, Kind::kLayout, 0, layout, out);
}

void TwinWatch::resets(const Frame& frame, std::uint64_t ends, const wire::Tcp& tcp,
                       std::vector<TwinSign>& out) {
  const std::uint64_t ports = std::uint64_t{tcp.source_port} << 16 | tcp.destination_port;
  const std::uint64_t key = mixed(mixed(frame.source.bits, frame.scope), mixed(ends, ports));
  Attempt& attempt = attempts_[key % attempts_.size()];
  if (!tcp.has(wire::Tcp::kRst)) {
    if (attempt.key != key || attempt.first != tcp.seq) attempt = {key, tcp.seq, false, frame.ref};
    return;
  }
  const bool ours = attempt.key == key && static_cast<std::int32_t>(tcp.seq - attempt.first) > 0 &&
                    within(frame.ref.at, attempt.opened.at, kJustOpened);
  if (!ours || attempt.reset || tcp.has(wire::Tcp::kAck)) return;
  attempt.reset = true;  // a connection counts once
  const std::uint32_t index = sign_of(frame, Kind::kReset, out);
  if (index == kNobody) return;
  ++out[index].turns;
  show(out[index], frame.ref);
}

void TwinWatch::dhcp(const Frame& frame, const wire::Dhcp& request, std::vector<TwinSign>& out) {
  if (!request.relay_ip.is_zero()) return;
  Frame client = frame;
  client.source = request.client_mac;
  sample(client, Kind::kTransactions, 0, request.xid, out);
}

}  // namespace sekimori::watch
