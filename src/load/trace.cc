#include "load/trace.h"

#include <algorithm>
#include <unordered_map>

#include "check/walk.h"

namespace sekimori::load {

using check::kNone;
using check::NodeIndex;
using model::PortId;

namespace {

Part both(Part a, Part b) {
  return {std::max(0.0, a.least + b.least - 1), std::max(0.0, std::min(a.most, b.most))};
}

// The policy of walk.h.
class Recording {
 public:
  using Weight = Part;

  Recording(const check::Learning& learning, model::StationId to, std::vector<check::Step> way, Trace& out)
      : l_(learning), to_(to), way_(std::move(way)), out_(out) {}

  Part all() const { return {1, 1}; }
  bool none(Part w) const { return w.most <= 0; }
  Part limited(Part w) const { return {0, w.most}; }
  Part unknown(NodeIndex n, PortId toward, Part arriving) {
    const check::Presence p = l_.presence(n, toward, to_);
    const Part result = p.always() ? Part{} : both(arriving, {1 - p.most, 1 - p.least});
    return out_.visits.back().unknown = result;
  }
  Part wanted(Part arriving, Part unknown, bool floods) const {
    if (floods) return arriving;
    return {std::max(0.0, arriving.least - unknown.most), std::max(0.0, arriving.most - unknown.least)};
  }

  void arrives(NodeIndex n, PortId in, Part w, bool stray, bool taught) {
    Visit visit{.node = n, .in = in, .toward = in, .taught = taught, .stray = stray, .arriving = w};
    const std::size_t index = out_.visits.size();
    on_way_ = on_way_ && index < way_.size() && way_[index].node == n;
    if (on_way_) visit.toward = way_[index].out;
    if (index > 0) {
      visit.from = on_way_ ? index - 1 : before(n, in);
      visit.aside = on_way_ ? 0 : out_.visits[visit.from].aside + 1;
    }
    at_[n] = index;
    out_.visits.push_back(std::move(visit));
  }
  void leaves(NodeIndex n, PortId out, Part w, bool) {
    Visit& visit = out_.visits[at_.at(n)];
    if (visit.aside == 0 && out == visit.toward && to_.valid())
      visit.onward = w;
    else
      visit.copies.push_back(out);
  }
  void floods(NodeIndex n, PortId in, PortId except, Part, bool stray) {
    const model::Model& m = l_.model();
    for (const PortId out : m[l_.forest()[n].bridge].ports) {
      if (out == in || out == except || !l_.forest().usable(out) || !carries(m, out, l_.forest()[n].vlan))
        continue;
      if (!stray || m[out].floods_unknown) out_.visits[at_.at(n)].copies.push_back(out);
    }
  }
  void turns_off(NodeIndex, PortId) { on_way_ = false; }

 private:
  std::size_t before(NodeIndex n, PortId in) const {
    for (const check::Edge& edge : l_.forest().edges(n)) {
      if (edge.port != in) continue;
      if (const auto found = at_.find(edge.to); found != at_.end()) return found->second;
    }
    return 0;
  }

  const check::Learning& l_;
  model::StationId to_;
  std::vector<check::Step> way_;
  Trace& out_;
  std::unordered_map<NodeIndex, std::size_t> at_;  // visits
  bool on_way_ = true;
};

}  // namespace

const Visit* Trace::at(NodeIndex node) const {
  const auto found = std::ranges::find(visits, node, &Visit::node);
  return found == visits.end() ? nullptr : &*found;
}

Trace trace(const check::Learning& l, model::StationId from, model::StationId to, bool is_arp) {
  Trace result;
  const check::Place& begin = l.forest().place(from);
  if (begin.node == kNone || l.forest().components()[l.forest()[begin.node].component].broken())
    return result;
  std::vector<check::Step> way;
  if (to.valid()) {
    if (!l.forest().connected(from, to)) return result;
    l.forest().way(begin, l.forest().place(to), way);
  }
  Recording policy(l, to, std::move(way), result);
  check::Walk walk(l.model(), l.forest(), l.registrations(), policy);
  if (to.valid()) {
    result.arriving = walk.unicast(from, to, is_arp);
  } else {
    walk.broadcast(from, is_arp);
    result.arriving = {1, 1};
  }
  // In the order of the ports, not of the walk.
  for (std::size_t i = 0; i < result.visits.size(); ++i) {
    const Visit& visit = result.visits[i];
    if (visit.from != kNoVisit && visit.aside > 0) result.visits[visit.from].next.push_back(i);
  }
  for (Visit& visit : result.visits) {
    std::ranges::sort(visit.next, {},
                      [&](std::size_t i) { return peer(l.model(), result.visits[i].in).value; });
    std::ranges::sort(visit.copies);
    visit.copies.erase(std::unique(visit.copies.begin(), visit.copies.end()), visit.copies.end());
  }
  return result;
}

}  // namespace sekimori::load
