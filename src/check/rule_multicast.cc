// Packets for multicast groups that don't get to members, or get where no member is.
//
// Bridges that snoop forget who is in a group unless somebody asks (switching/snooping.h). Without a querier
// a group works for four minutes after the last member joined, and then stops where what nobody is known to
// want is kept from ports; or it goes everywhere, as it does where nobody snoops. Both follow from who asks,
// and need no time.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/text.h"
#include "check/forest.h"
#include "check/groups.h"
#include "check/words.h"
#include "model/multicast.h"

namespace sekimori::check {
namespace {

using findings::Finding;
using model::Flow;
using model::Model;

constexpr double kMuch = 0.1;  // of a link's rate

// Where the packets of one flow come by.
struct Reach {
  std::map<PortId, PortId> left_by;  // bridge ports, and where they had come in
  bool is_open = false;              // it depends on what is not known here
};

class Spreading {
 public:
  Spreading(const Model& m, std::vector<Finding>& out) : m_(m), forest_(m), groups_(m, forest_), out_(out) {}

  void judge() {
    for (const Flow& flow : m_.flows) {
      if (flow.is_multicast() && m_[flow.from].running) add(flow);
    }
    tell_missed();
    tell_floods();
  }

 private:
  struct Flooded {
    double bits = 0;  // a second, of frames without FCS
    std::set<Group> groups;
    std::set<StationId> senders;
    PortId first;  // where they left the way to members
  };
  // A bridge that keeps packets for a group from members, or sends them where none is.
  using Gap = std::pair<NodeIndex, Group>;

  void add(const Flow& flow) {
    const Place& from = forest_.place(flow.from_station);
    if (from.node == kNone || forest_.components()[forest_[from.node].component].broken()) return;
    const Reach reach = spread(from, flow.group);
    if (reach.is_open) return;
    for (const StationId member : groups_.members(flow.group)) {
      const Place& to = forest_.place(member);
      if (member == flow.from_station || to.node == kNone || !forest_.connected(flow.from_station, member) ||
          reach.left_by.contains(to.port))
        continue;
      forest_.way(from, to, way_);
      const auto stop =
          std::ranges::find_if(way_, [&](const Step& step) { return !reach.left_by.contains(step.out); });
      if (stop != way_.end()) missed_[{stop->node, flow.group}].push_back(member);
    }
    add_stray(flow, reach);
  }

  Reach spread(const Place& from, const Group& group) const {
    Reach reach;
    struct Copy {
      NodeIndex node;
      PortId in;
    };
    std::deque<Copy> open{{from.node, from.port}};
    while (!open.empty() && !reach.is_open) {
      const auto [n, in] = open.front();
      open.pop_front();
      const Groups::Ports& known = groups_.at(n, group);
      reach.is_open = groups_.is_uncertain(n);
      for (const PortId out : m_[forest_[n].bridge].ports) {
        if (out != in && forest_.usable(out) && carries(m_, out, forest_[n].vlan) && known.lets(out))
          reach.left_by.emplace(out, in);
      }
      for (const Edge& edge : forest_.edges(n)) {
        if (edge.port != in && known.lets(edge.port)) open.push_back({edge.to, edge.far});
      }
    }
    return reach;
  }

  // Ports that lead neither to a member nor to a router that asks.
  void add_stray(const Flow& flow, const Reach& reach) {
    std::set<PortId> wanted;
    for (const Step& step : groups_.ways_to_takers(flow.from_station, flow.group)) wanted.insert(step.out);
    const double bits = frame_bits(flow);
    const auto is_stray = [&](PortId port) { return reach.left_by.contains(port) && !wanted.contains(port); };
    for (const auto& entry : reach.left_by) {
      if (!is_stray(entry.first)) continue;
      Flooded& flooded = flooded_[entry.first];
      flooded.bits += bits;
      flooded.groups.insert(flow.group);
      flooded.senders.insert(flow.from_station);
      flooded.first = entry.first;
      for (PortId before = entry.first; is_stray(before); before = peer(m_, reach.left_by.at(before)))
        flooded.first = before;
    }
  }

  static double frame_bits(const Flow& flow) {
    const std::uint32_t bytes = std::max<std::uint32_t>(60, flow.payload + 42 + (flow.ipv6 ? 20 : 0));
    return 8 * bytes / base::to_seconds(model::interval_of(flow));
  }

  // ------------------------------------------------------------ members that get nothing

  std::string why_kept(NodeIndex n, const Group& group) const {
    const std::string here = name_of(m_, forest_[n].bridge);
    const AskedBy& asked = groups_.asked_by(forest_[n].component, !wire::is_ipv4(group));
    if (asked.nobody()) {
      return fmt::format(
          "Nobody in the segment asks who is in which group. {} hears a member when it joins, forgets it {} "
          "later, "
          "and sends what it knows no member of to routers only.",
          here, m_[forest_[n].bridge].kind == model::BridgeKind::kOvs ? "300 s" : "260 s");
    }
    const std::string querier = asked.router.valid() ? name_of(m_, asked.router) : name_of(m_, asked.bridge);
    if (!asked.has_address) {
      return fmt::format(
          "{} asks from 0.0.0.0, which is no router's address, so that switches hand the answers of members "
          "to nobody "
          "(RFC 4541 section 2.1.1). {} never hears who is in {}.",
          querier, here, wire::group_text(group));
    }
    return fmt::format("{} asks, and the answers of the members don't pass {}.", querier, here);
  }

  void tell_missed() {
    for (const auto& [gap, missed] : missed_) {
      Finding f = proved(findings::Code::kBlackholeSnooping);
      f.bridge = forest_[gap.first].bridge;
      f.line = m_[f.bridge].line;
      f.where = name_of(m_, f.bridge);
      f.stations = missed;
      std::ranges::sort(f.stations);
      f.stations.erase(std::unique(f.stations.begin(), f.stations.end()), f.stations.end());
      const std::string who =
          f.stations.size() == 1
              ? name_of(m_, f.stations.front())
              : fmt::format("{} members, {} among them", f.stations.size(), name_of(m_, f.stations.front()));
      f.headline = fmt::format("{} keeps {} from {}", f.where, wire::group_text(gap.second), who);
      f.cause = why_kept(gap.first, gap.second);
      out_.push_back(std::move(f));
    }
  }

  // ------------------------------------------------------------ links without members that get it all

  std::string why_flooded(BridgeId bridge, const Group& group) const {
    const std::string here = name_of(m_, bridge);
    if (!m_[bridge].snoops)
      return fmt::format(
          "{} does not listen to who is in which group, and sends multicasts out of all ports.", here);
    const bool is_linux = m_[bridge].kind == model::BridgeKind::kLinuxBridge;
    return fmt::format(
        "{} listens to who is in {}, but nobody in the segment asks: {}.", here, wire::group_text(group),
        is_linux ? "without a querier a Linux bridge floods"
                 : "members are forgotten, and what nobody is known to want goes to all ports");
  }

  void tell_floods() {
    // One finding a bridge: its worst port, and the others with it.
    std::map<BridgeId, std::vector<PortId>> by_bridge;
    for (const auto& [port, flood] : flooded_) {
      const double rate = static_cast<double>(m_[m_[port].link].rate.bits_per_second);
      if (flood.bits >= kMuch * rate) by_bridge[m_[flood.first].bridge].push_back(port);
    }
    for (auto& [bridge, ports] : by_bridge) {
      const auto use = [&](PortId port) {
        return flooded_.at(port).bits / static_cast<double>(m_[m_[port].link].rate.bits_per_second);
      };
      std::ranges::stable_sort(ports, std::greater{}, use);
      const PortId worst = ports.front();
      Finding f = proved(findings::Code::kFloodMulticast);
      f.severity = use(worst) >= 1 ? findings::Severity::kError : findings::Severity::kWarning;
      f.bridge = bridge;
      f.line = m_[bridge].line;
      f.where = name_of(m_, bridge);
      f.link = m_[worst].link;
      const Flooded& flooded = flooded_.at(worst);
      const auto& groups = flooded.groups;
      f.stations.assign(flooded.senders.begin(), flooded.senders.end());
      f.headline = fmt::format(
          "{} Mbit/s for {} go to {}, behind which nobody is a member: {} % of the link",
          base::short_number(flooded.bits / 1e6),
          groups.size() == 1 ? wire::group_text(*groups.begin()) : fmt::format("{} groups", groups.size()),
          name_of(m_, peer(m_, worst)), base::short_number(100 * use(worst), 0));
      f.cause = why_flooded(bridge, *groups.begin());
      for (const PortId port : ports) {
        const model::Link& link = m_[m_[port].link];
        f.links.push_back({.from = name_of(m_, port),
                           .to = name_of(m_, peer(m_, port)),
                           .link = m_[port].link,
                           .from_is_a = link.a == port,
                           .capacity_mbit = static_cast<double>(link.rate.bits_per_second) / 1e6,
                           .flooded_mbit = flooded_.at(port).bits / 1e6});
      }
      out_.push_back(std::move(f));
    }
  }

  const Model& m_;
  const Forest forest_;
  const Groups groups_;
  std::vector<Finding>& out_;
  std::map<Gap, std::vector<StationId>> missed_;
  std::map<PortId, Flooded> flooded_;  // by port of a bridge
  std::vector<Step> way_;
};

}  // namespace

void rule_multicast(const Site& site, std::vector<Finding>& out) {
  if (std::ranges::any_of(site.model.flows, &Flow::is_multicast)) Spreading(site.model, out).judge();
}

}  // namespace sekimori::check
