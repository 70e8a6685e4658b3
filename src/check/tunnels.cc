#include "check/tunnels.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "check/learning.h"
#include "check/walk.h"
#include "switching/vxlan.h"

namespace sekimori::check {
namespace {

constexpr std::uint16_t kTagBytes = 4;

// The share of a stream's frames that comes to some point (Frechet's bounds).
struct Share {
  double least = 0, most = 0;
};

// The policy of walk.h: gathers what leaves by tunnels.
class Gathering {
 public:
  using Weight = Share;

  explicit Gathering(const Learning& learning) : l_(learning), focus_(learning) {}
  Gathering(const Gathering&) = delete;

  void begin(std::uint32_t index) {
    stream_ = &l_.streams()[index];
    certain_ = l_.certain(index);
    if (stream_->to.valid()) focus_.on(stream_->to);
    doubtful_ = stream_->to.valid() && l_.doubtful(stream_->to);
  }

  Share all() const { return {1, 1}; }
  bool none(Share w) const { return w.most <= 0; }
  Share limited(Share w) const { return {0, w.most}; }
  Share unknown(NodeIndex n, PortId toward, Share arriving) {
    const Presence p = focus_.presence(n, toward);
    Share absent{1 - p.most, 1 - p.least};
    if (absent.most <= 0 || arriving.most <= 0) return {};
    // The share of the time is that of the frames only when they come more often than the entry goes.
    if (absent.least < 1) {
      const double gap = stream_->gap == base::kNever ? 1e18 : base::to_seconds(stream_->gap);
      const double width = std::min(1.0, gap * focus_.support(n).most);
      absent = {std::max(0.0, absent.least - width), std::min(1.0, absent.most + width)};
    }
    return {std::max(0.0, arriving.least + absent.least - 1), std::min(arriving.most, absent.most)};
  }
  Share wanted(Share arriving, Share unknown, bool floods) const {
    if (floods) return arriving;
    return {std::max(0.0, arriving.least - unknown.most), std::max(0.0, arriving.most - unknown.least)};
  }
  void arrives(NodeIndex, PortId, Share, bool, bool) {}
  void turns_off(NodeIndex, PortId) {}
  void floods(NodeIndex, PortId, PortId, Share, bool) {}  // of a plain component: there are no tunnels
  void leaves(NodeIndex n, PortId out, Share share, bool stray) {
    const model::Model& m = l_.model();
    if (!m[out].tunnel) return;
    const StationId from = m[m[out].bridge].underlay, to = m[m[peer(m, out)].bridge].underlay;
    const auto bytes = static_cast<std::uint16_t>(stream_->bytes + switching::kVxlanBytes +
                                                  (l_.forest()[n].vlan != 0 ? kTagBytes : 0));
    Carried& c = carried_[{from, to, bytes, stray}];
    c.from = from;
    c.to = to;
    c.bytes = bytes;
    c.stray = stray;
    const bool sure = certain_ && !doubtful_;
    c.least += sure ? share.least * stream_->least : 0;
    c.most += share.most * stream_->most;
    if (sure && share.least >= 1) c.gap = std::min(c.gap, stream_->gap);
  }

  std::vector<Carried> finish() const {
    std::vector<Carried> list;
    for (const auto& [key, c] : carried_) list.push_back(c);
    return list;
  }

 private:
  const Learning& l_;
  Focus focus_;
  const Stream* stream_ = nullptr;
  bool certain_ = false, doubtful_ = false;
  std::map<std::tuple<StationId, StationId, std::uint16_t, bool>, Carried> carried_;
};

}  // namespace

bool has_tunnels(const model::Model& model) {
  return std::ranges::any_of(model.bridges,
                             [](const model::Bridge& b) { return b.kind == model::BridgeKind::kVtep; });
}

std::vector<Carried> carried(const Learning& inside) {
  const Forest& forest = inside.forest();
  Gathering gathering(inside);
  Walk<Gathering> walk(inside.model(), forest, inside.registrations(), gathering);
  for (std::uint32_t i = 0; i < inside.streams().size(); ++i) {
    const Stream& stream = inside.streams()[i];
    const Place& from = forest.place(stream.from);
    if (!inside.possible(i) || from.node == kNone ||
        forest.components()[forest[from.node].component].broken())
      continue;
    gathering.begin(i);
    if (stream.to.valid()) {
      walk.unicast(stream.from, stream.to, is_arp(stream));
    } else if (is_snooped(stream)) {
      walk.to_groups(stream, inside.groups());
    } else {
      walk.broadcast(stream.from, is_arp(stream));
    }
  }
  return gathering.finish();
}

}  // namespace sekimori::check
