#include "bench/made_capture.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/random.h"
#include "wire/emit.h"

namespace sekimori::bench {
namespace {

using wire::Ipv4;
using wire::Mac;

constexpr std::size_t kPiece = std::size_t{1} << 20;  // what the sink gets at a time
constexpr std::uint64_t kStart = 1'700'000'000;       // seconds since 1970
constexpr std::uint32_t kArpEvery = 1000;
constexpr std::size_t kFloodBytes = 1000;

struct End {
  Mac mac{};
  Ipv4 ip{};
  std::uint16_t port = 0;
  std::uint8_t ttl = 64;
  std::uint32_t sent = 0;  // bytes: its sequence number
};
struct Flow {
  std::uint32_t vlan = 0;
  std::array<End, 2> ends{};
};

void put_le32(wire::Buffer& out, std::uint32_t v) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
}

class Maker {
 public:
  Maker(const Traffic& traffic, const wire::ByteSink& sink)
      : t_(traffic), sink_(sink), random_(traffic.seed), vlans_(std::max(1u, traffic.vlans)) {
    per_vlan_ = std::max(4u, t_.stations / vlans_);
    for (std::uint32_t i = 0; i < t_.flows; ++i) flows_.push_back(make_flow());
  }

  base::Result<void> run() {
    for (const std::uint32_t word : {0xa1b2'c3d4u, 0x0004'0002u, 0u, 0u, 65'535u, 1u}) put_le32(out_, word);
    while (made_ < t_.frames) {
      make_next();
      if (out_.size() < kPiece) continue;
      if (auto done = sink_(out_); !done) return done;
      out_.clear();
    }
    return sink_(out_);
  }

 private:
  // Station 0 of each VLAN is its router, or with `access` the owner of the port; the last two are kept for
  // the flood.
  Mac mac_of(std::uint32_t vlan, std::uint32_t station) const {
    return Mac{0x0016'3e00'0000u + std::uint64_t{vlan} * per_vlan_ + station};
  }
  Ipv4 ip_of(std::uint32_t vlan, std::uint32_t station) const {
    return {0x0a00'0001u + (vlan * per_vlan_ + station)};
  }
  End host(std::uint32_t vlan, std::uint32_t station) {
    return {
        mac_of(vlan, station), ip_of(vlan, station), static_cast<std::uint16_t>(1024 + random_.below(60'000)),
        static_cast<std::uint8_t>(station % 4 == 0 ? 128 : 64), static_cast<std::uint32_t>(random_.next())};
  }

  Flow make_flow() {
    Flow flow;
    flow.vlan = static_cast<std::uint32_t>(random_.below(vlans_));
    const std::uint32_t hosts = t_.access ? per_vlan_ - 3 : per_vlan_ - 1;
    const auto a = static_cast<std::uint32_t>(1 + random_.below(hosts));
    flow.ends[0] = host(flow.vlan, a);
    if (t_.access) {
      flow.ends[1] = host(flow.vlan, 0);
    } else if (random_.below(5) == 0) {
      flow.ends[1] = host(flow.vlan, 0);
      flow.ends[1].ip = {static_cast<std::uint32_t>(0xcb00'7100u + random_.below(256))};  // TEST-NET-3
      flow.ends[1].ttl = static_cast<std::uint8_t>(50 + random_.below(10));
    } else {
      const auto b = static_cast<std::uint32_t>(1 + (a + random_.below(hosts - 1)) % hosts);
      flow.ends[1] = host(flow.vlan, b);
    }
    flow.ends[1].port = 443;
    return flow;
  }

  wire::FrameShape shape(std::uint32_t vlan, Mac destination, Mac source, std::size_t bytes) const {
    wire::FrameShape shape{destination, source, {}, bytes};
    if (t_.vlans > 0) shape.tag = wire::VlanTag{.vid = static_cast<std::uint16_t>(100 + vlan)};
    return shape;
  }

  void make_next() {
    if (t_.flood_every > 0 && made_ % t_.flood_every == 0) return make_flooded();
    if (made_ % kArpEvery == 1) return make_arp();
    make_segment();
  }

  void make_segment() {
    Flow& flow = flows_[random_.below(flows_.size())];
    const std::uint64_t side = random_.below(2), kind = random_.below(100);
    End& from = flow.ends[side];
    const End& to = flow.ends[1 - side];
    const std::size_t bytes = kind < 58   ? 70
                              : kind < 78 ? 1518 - random_.below(700)
                                          : 70 + random_.below(600);
    frame_.clear();
    wire::append_tcp(
        frame_, shape(flow.vlan, to.mac, from.mac, bytes),
        {.source = from.ip, .destination = to.ip, .ttl = from.ttl, .id = id_++, .dont_fragment = true},
        {.source_port = from.port,
         .destination_port = to.port,
         .seq = from.sent,
         .ack = to.sent,
         .flags = wire::Tcp::kAck,
         .window = 500});
    from.sent += static_cast<std::uint32_t>(bytes - 58);
    put();
  }

  // A host asks for another, which answers.
  void make_arp() {
    const auto vlan = static_cast<std::uint32_t>(random_.below(vlans_));
    const auto a = static_cast<std::uint32_t>(1 + random_.below(per_vlan_ - 3));
    const std::uint32_t b = t_.access ? 0 : a % (per_vlan_ - 3) + 1;
    wire::Arp arp{wire::Arp::kRequest, mac_of(vlan, a), ip_of(vlan, a), {}, ip_of(vlan, b)};
    frame_.clear();
    wire::append_arp(frame_, shape(vlan, wire::kBroadcast, mac_of(vlan, a), 64), arp);
    put();
    if (made_ == t_.frames) return;
    arp = {wire::Arp::kReply, mac_of(vlan, b), ip_of(vlan, b), mac_of(vlan, a), ip_of(vlan, a)};
    frame_.clear();
    wire::append_arp(frame_, shape(vlan, mac_of(vlan, a), mac_of(vlan, b), 64), arp);
    put();
  }

  // The receiver announces itself once.
  void make_flooded() {
    const auto vlan = static_cast<std::uint32_t>(made_ / t_.flood_every % vlans_);
    const std::uint32_t from = per_vlan_ - 2, to = per_vlan_ - 1;
    frame_.clear();
    if (made_ / t_.flood_every < vlans_) {
      wire::append_arp(frame_, shape(vlan, wire::kBroadcast, mac_of(vlan, to), 64),
                       wire::gratuitous_arp(mac_of(vlan, to), ip_of(vlan, to)));
    } else {
      wire::append_udp(frame_, shape(vlan, mac_of(vlan, to), mac_of(vlan, from), kFloodBytes),
                       {.source = ip_of(vlan, from), .destination = ip_of(vlan, to), .id = id_++},
                       {.source_port = 5004, .destination_port = 5004});
    }
    put();
  }

  void put() {
    const std::uint64_t us = made_++ * t_.step_ns / 1000;
    put_le32(out_, static_cast<std::uint32_t>(kStart + us / 1'000'000));
    put_le32(out_, static_cast<std::uint32_t>(us % 1'000'000));
    put_le32(out_, static_cast<std::uint32_t>(frame_.size()));
    put_le32(out_, static_cast<std::uint32_t>(frame_.size()));
    out_.insert(out_.end(), frame_.begin(), frame_.end());
  }

  const Traffic& t_;
  const wire::ByteSink& sink_;
  base::Random random_;
  std::uint32_t vlans_, per_vlan_ = 0;
  std::vector<Flow> flows_;
  wire::Buffer out_, frame_;
  std::uint64_t made_ = 0;
  std::uint16_t id_ = 0;
};

}  // namespace

base::Result<void> write_capture(const Traffic& traffic, const wire::ByteSink& sink) {
  return Maker(traffic, sink).run();
}

}  // namespace sekimori::bench
