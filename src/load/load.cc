#include "load/load.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <tuple>

#include "check/walk.h"
#include "findings/masked.h"

namespace sekimori::load {

using check::kNone;
using check::Learning;
using check::Place;
using check::Presence;
using check::Stream;
using model::Model;

namespace {

constexpr double kTagBytes = 4;
constexpr double kWireOverheadBytes = 24;
constexpr double kLeastFrames = 1e-6;  // a second; floods of less are none

// The share of a stream's frames that comes to some point.
struct Share {
  double least = 0, most = 0;
  std::uint32_t by = kNone;  // the stream that alone refreshes the entries they missed
};

Share both(Share a, Share b) {
  if (a.most <= 0 || b.most <= 0) return {};
  if (a.least >= 1) return b;
  if (b.least >= 1) return a;
  // Entries refreshed by the same frames are missing at the same times, one somewhat longer than the other.
  if (a.by != kNone && a.by == b.by) return {std::min(a.least, b.least), std::min(a.most, b.most), a.by};
  // Of two shares nothing else is known than Frechet's bounds.
  return {std::max(0.0, a.least + b.least - 1), std::min(a.most, b.most), kNone};
}

struct Quantity {
  Range frames, bytes;
  void add(Range f, double bytes_each) {
    frames += f;
    bytes += {f.least * bytes_each, f.most * bytes_each};
  }
};

// The lanes and, for floods, the nodes, where quantities are gathered.
class Gathering {
 public:
  Gathering(const Model& m, const check::Forest& forest)
      : m_(m), forest_(forest), lanes_(m.links.size() * 2), nodes_(forest.nodes().size()) {}

  void lane(PortId out, bool tagged, Range frames, double bytes, bool stray) {
    const LinkId link = m_[out].link;
    Lane& l = lanes_[2 * link.index() + (m_[link].a == out ? 0 : 1)];
    if (tagged) bytes += kTagBytes;
    (stray ? l.flooded_frames : l.wanted_frames) += frames;
    (stray ? l.flooded_bytes : l.wanted_bytes) += {frames.least * bytes, frames.most * bytes};
  }
  // Of a port of no plain component: what there is so far.
  const Lane& lane(PortId out) const {
    const LinkId link = m_[out].link;
    return lanes_[2 * link.index() + (m_[link].a == out ? 0 : 1)];
  }
  // Out of all ports of the node in its VLAN.
  void node(NodeIndex n, Range frames, double bytes, bool stray) {
    nodes_[n][stray ? 1 : 0].add(frames, bytes);
  }

  bool tagged(NodeIndex n, PortId out) const {
    const check::Node& node = forest_[n];
    return m_[node.bridge].vlan_aware ? m_[out].pvid != node.vlan : node.vlan != 0;
  }
  bool carries_out(NodeIndex n, PortId out) const {
    return forest_.usable(out) && carries(m_, out, forest_[n].vlan);
  }

  std::vector<Lane> finish() {
    for (NodeIndex n = 0; n < nodes_.size(); ++n) {
      if (nodes_[n][0].frames.most == 0 && nodes_[n][1].frames.most == 0) continue;
      for (const PortId out : m_[forest_[n].bridge].ports) {
        if (!carries_out(n, out)) continue;
        hand_out(n, out, false);
        if (m_[out].floods_unknown) hand_out(n, out, true);
      }
    }
    for (Lane& lane : lanes_) {
      // What was added and taken away again leaves roundings.
      for (Range* r : {&lane.wanted_frames, &lane.wanted_bytes, &lane.flooded_frames, &lane.flooded_bytes}) {
        if (r->least < 1e-7) r->least = 0;
        if (r->most < 1e-7) r->most = 0;
      }
    }
    return std::move(lanes_);
  }

 private:
  void hand_out(NodeIndex n, PortId out, bool stray) {
    const Quantity& q = nodes_[n][stray ? 1 : 0];
    const LinkId link = m_[out].link;
    Lane& l = lanes_[2 * link.index() + (m_[link].a == out ? 0 : 1)];
    const double tag = tagged(n, out) ? kTagBytes : 0;
    (stray ? l.flooded_frames : l.wanted_frames) += q.frames;
    (stray ? l.flooded_bytes : l.wanted_bytes) +=
        {q.bytes.least + q.frames.least * tag, q.bytes.most + q.frames.most * tag};
  }

  const Model& m_;
  const check::Forest& forest_;
  std::vector<Lane> lanes_;
  std::vector<std::array<Quantity, 2>> nodes_;
};

// The policy of walk.h.
class Carrying {
 public:
  using Weight = Share;

  Carrying(const Learning& learning, Gathering& gathering)
      : l_(learning), focus_(learning), gathering_(gathering) {}
  Carrying(const Carrying&) = delete;

  void begin(std::uint32_t index, Range frames) {
    stream_ = &l_.streams()[index];
    if (stream_->to.valid()) focus_.on(stream_->to);
    frames_ = frames;
    bytes_ = stream_->bytes;
    ways_.clear();
    if (stream_->to.valid() && l_.model()[stream_->to].hides_its_mac()) find_ways();
    if (stream_->flow.valid() && l_.model()[stream_->flow].is_multicast())
      ways_ = l_.groups().ways_to_takers(stream_->from, l_.model()[stream_->flow].group);
  }

  Share all() const { return {1, 1, kNone}; }
  bool none(Share w) const { return w.most <= 0; }
  Share limited(Share w) const { return {0, w.most, kNone}; }

  Share unknown(NodeIndex n, PortId toward, Share arriving) {
    const Presence p = focus_.presence(n, toward);
    if (p.always()) return {};
    Share absent{1 - p.most, 1 - p.least, p.by};
    if (absent.least < 1) blur(absent, n);
    const Share share = both(arriving, absent);
    const bool on_its_way = toward != in_ || (!stray_ && ways_.empty());
    if (share.most > 0 && on_flood && (on_its_way || leaked(n) || misled()))
      on_flood(n, toward, share, toward == in_ && stray_);
    return share;
  }
  Share wanted(Share arriving, Share unknown, bool floods) const {
    if (floods) return arriving;
    return {std::max(0.0, arriving.least - unknown.most), std::max(0.0, arriving.most - unknown.least),
            kNone};
  }

  void arrives(NodeIndex, PortId in, Share, bool stray, bool) {
    in_ = in;
    stray_ = stray;
  }
  void leaves(NodeIndex n, PortId out, Share w, bool stray) {
    gathering_.lane(out, gathering_.tagged(n, out), scaled(w), bytes_,
                    astray(n, out, stray) || stream_->stray);
  }
  // What members say to routers is for all of them.
  bool astray(NodeIndex n, PortId out, bool stray) const {
    return stray && stream_->kind != check::StreamKind::kReport && !leads_to_a_member(n, out);
  }
  void floods(NodeIndex n, PortId in, PortId except, Share w, bool stray) {
    const Range r = scaled(w);
    const bool astray = stray || stream_->stray;
    gathering_.node(n, r, bytes_, astray);
    for (const PortId spared : {in, except}) {
      if (!spared.valid() || !gathering_.carries_out(n, spared)) continue;
      if (astray && !l_.model()[spared].floods_unknown) continue;  // gets nothing anyhow
      gathering_.lane(spared, gathering_.tagged(n, spared), {-r.least, -r.most}, bytes_, astray);
    }
    if (!stray) return;
    for (const check::Step& step : ways_) {
      if (step.node != n || step.out == in || step.out == except) continue;
      gathering_.lane(step.out, gathering_.tagged(n, step.out), {-r.least, -r.most}, bytes_, true);
      gathering_.lane(step.out, gathering_.tagged(n, step.out), r, bytes_, false);
    }
  }
  void turns_off(NodeIndex, PortId) {}

  Range scaled(Share w) const { return {w.least * frames_.least, w.most * frames_.most}; }

  // Told where a flood begins: a table on the way to the destination that lacks the entry, or the first table
  // that a leaked copy meets.
  std::function<void(NodeIndex, PortId toward, Share, bool leaked)> on_flood;

 private:
  // What floods to the other members of a cluster is meant for them, too.
  void find_ways() {
    const model::Model& m = l_.model();
    const Place& from = l_.forest().place(stream_->from);
    for (const auto& member : m[findings::cluster_with(m, m[stream_->to].mac)].members) {
      if (!l_.forest().connected(stream_->from, member.nic)) continue;
      l_.forest().way(from, l_.forest().place(member.nic), way_);
      for (const check::Step& step : way_) {
        if (!leads_to_a_member(step.node, step.out)) ways_.push_back(step);
      }
    }
  }
  bool leads_to_a_member(NodeIndex n, PortId out) const {
    return std::ranges::any_of(ways_,
                               [&](const check::Step& step) { return step.node == n && step.out == out; });
  }

  // The frame comes straight out of the wire of a switch that did not know its destination, which is behind
  // it.
  bool misled() const {
    const model::Model& m = l_.model();
    const PortId before = peer(m, in_);
    return stray_ && m[before].bridge.valid() && m[m[before].bridge].kind == model::BridgeKind::kSriov &&
           m[before].role == model::PortRole::kUplink;
  }

  // The frame comes straight from the destination's own hosted bridge, or by hubs and bonds alone.
  bool leaked(NodeIndex n) {
    const Place& to = l_.forest().place(stream_->to);
    const model::Model& m = l_.model();
    const model::BridgeId home = l_.forest()[to.node].bridge;
    if (m[home].kind != model::BridgeKind::kHostedBridge || l_.forest()[n].bridge == home) return false;
    const model::BridgeId before = m[peer(m, in_)].bridge;
    if (!switching::passes_on(m[before].kind)) return before == home;
    l_.forest().way({n, {}}, to, way_);
    const auto next = std::ranges::find_if(way_.begin() + 1, way_.end(), [&](const check::Step& step) {
      return !switching::passes_on(m[l_.forest()[step.node].bridge].kind);
    });
    return next != way_.end() && l_.forest()[next->node].bridge == home;
  }

  // The share of the time is that of the frames only when they come evenly, and more often than the entry
  // comes and goes.
  void blur(Share& absent, NodeIndex n) const {
    const double gap = stream_->gap == base::kNever ? 1e18 : base::to_seconds(stream_->gap);
    const double width = std::min(1.0, gap * focus_.support(n).most);
    absent.least = std::max(0.0, absent.least - width);
    absent.most = std::min(1.0, absent.most + width);
  }

  const Learning& l_;
  check::Focus focus_;
  Gathering& gathering_;
  const Stream* stream_ = nullptr;
  Range frames_;
  double bytes_ = 0;
  PortId in_;
  bool stray_ = false;
  std::vector<check::Step> way_;
  std::vector<check::Step> ways_;  // to all members of the cluster or group that it is for
};

class Worker {
 public:
  explicit Worker(const Learning& learning)
      : l_(learning),
        m_(learning.model()),
        forest_(learning.forest()),
        gathering_(m_, forest_),
        carrying_(learning, gathering_),
        walk_(m_, forest_, learning.registrations(), carrying_) {}

  // Adds one stream, or so much of it. Returns the share that arrives.
  Range add(std::uint32_t index, double part = 1) {
    const Stream& stream = l_.streams()[index];
    if (!l_.possible(index)) return {};
    const Place& from = forest_.place(stream.from);
    if (from.node != kNone && forest_.components()[forest_[from.node].component].broken()) return {};
    Range frames = rate(index, stream);
    frames = {frames.least * part, frames.most * part};
    const PortId out = m_[stream.from].port;
    gathering_.lane(out, m_[stream.from].vlan != 0, frames, stream.bytes, stream.stray);
    if (from.node == kNone) return {1, 1};
    carrying_.begin(index, frames);
    if (is_snooped(stream)) {
      walk_.to_groups(stream, l_.groups());
      return {1, 1};
    }
    if (!stream.to.valid()) {
      walk_.broadcast(stream.from, is_arp(stream));
      return {1, 1};
    }
    const Share arriving = walk_.unicast(stream.from, stream.to, is_arp(stream));
    return {arriving.least, arriving.most};
  }

  // What of it all went into tunnels so far, on the network below: of each stream of packets its part.
  void add_tunnels() {
    std::map<std::tuple<model::StationId, model::StationId, bool>, double> entered, carried;
    for (std::size_t p = 0; p < m_.ports.size(); ++p) {
      const PortId out(p);
      if (!m_[out].tunnel || !m_[out].link.valid()) continue;
      const model::StationId from = m_[m_[out].bridge].underlay, to = m_[m_[peer(m_, out)].bridge].underlay;
      const Lane& lane = gathering_.lane(out);
      entered[{from, to, false}] += lane.wanted_frames.most;
      entered[{from, to, true}] += lane.flooded_frames.most;
    }
    if (entered.empty()) return;
    const auto& streams = l_.streams();
    const auto ends_of = [&](const Stream& s) {  // of the way over routers, its first hop tells the host
      return std::tuple(s.tunnel_from, s.tunnel_to, s.stray);
    };
    for (const Stream& s : streams) {
      if (s.kind == check::StreamKind::kTunnel && s.after == kNone) carried[ends_of(s)] += s.most;
    }
    for (std::uint32_t i = 0; i < streams.size(); ++i) {
      if (streams[i].kind != check::StreamKind::kTunnel) continue;
      const double all = carried[ends_of(streams[i])], part = entered[ends_of(streams[i])];
      if (all > 0 && part > 0) add(i, std::min(1.0, part / all));
    }
  }

  Carrying& carrying() { return carrying_; }
  std::vector<Lane> finish() { return gathering_.finish(); }

 private:
  Range rate(std::uint32_t index, const Stream& stream) {
    Range frames{l_.certain(index) ? stream.least : 0, stream.most};
    if (stream.to.valid() && l_.doubtful(stream.to)) frames.least = 0;
    if (stream.as_it_gets) frames = {0, bottleneck(stream)};
    return frames;
  }

  // Frames a second that the slowest link of the way takes.
  double bottleneck(const Stream& stream) {
    std::int64_t slowest = m_[m_[m_[stream.from].port].link].rate.bits_per_second;
    forest_.way(forest_.place(stream.from), forest_.place(stream.to), way_);
    for (const check::Step& step : way_) {
      slowest = std::min(slowest, m_[m_[step.out].link].rate.bits_per_second);
    }
    return static_cast<double>(slowest) / 8 / (stream.bytes + kWireOverheadBytes);
  }

  const Learning& l_;
  const Model& m_;
  const check::Forest& forest_;
  Gathering gathering_;
  Carrying carrying_;
  check::Walk<Carrying> walk_;
  std::vector<check::Step> way_;
};

}  // namespace

Range Lane::wanted_wire_bits() const {
  return {8 * (wanted_bytes.least + kWireOverheadBytes * wanted_frames.least),
          8 * (wanted_bytes.most + kWireOverheadBytes * wanted_frames.most)};
}

Range Lane::wire_bits() const {
  Range bits = wanted_wire_bits();
  bits += {8 * (flooded_bytes.least + kWireOverheadBytes * flooded_frames.least),
           8 * (flooded_bytes.most + kWireOverheadBytes * flooded_frames.most)};
  return bits;
}

Load work_out(const Learning& learning) {
  const Model& m = learning.model();
  Worker worker(learning);
  Load load;
  std::map<std::pair<NodeIndex, wire::Mac>, Flood> floods;
  std::uint32_t current = 0;
  worker.carrying().on_flood = [&](NodeIndex n, PortId toward, Share share, bool leaked) {
    const Stream& stream = learning.streams()[current];
    const Range frames = worker.carrying().scaled(share);
    if (frames.most < kLeastFrames) return;
    Flood& flood = floods[{n, m[stream.to].mac}];
    if (flood.streams.empty()) {
      flood.node = n;
      flood.destination = stream.to;
      flood.toward = toward;
      flood.withheld = !leaked && !m[toward].floods_unknown;
    }
    flood.leaked |= leaked;
    flood.frames += frames;
    flood.bytes += {frames.least * stream.bytes, frames.most * stream.bytes};
    flood.streams.push_back(current);
  };
  load.arriving.resize(learning.streams().size());
  for (; current < learning.streams().size(); ++current) {
    if (!learning.streams()[current].to.valid()) load.arriving[current] = worker.add(current);
  }
  for (const std::uint32_t i : learning.streams_by_destination()) {
    current = i;
    load.arriving[i] = worker.add(i);
  }
  load.lanes = worker.finish();
  for (auto& [key, flood] : floods) load.floods.push_back(std::move(flood));
  return load;
}

std::vector<Lane> lanes_of(const Learning& learning, const std::vector<std::uint32_t>& streams) {
  Worker worker(learning);
  for (const std::uint32_t i : streams) worker.add(i);
  worker.add_tunnels();
  return worker.finish();
}

}  // namespace sekimori::load
