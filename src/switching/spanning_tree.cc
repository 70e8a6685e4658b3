#include "switching/spanning_tree.h"

#include <algorithm>
#include <compare>
#include <numeric>
#include <tuple>

#include "switching/kinds.h"

namespace sekimori::switching {
namespace {

using model::BridgeId;
using model::LinkId;
using model::Model;
using model::PortId;

// The port that stands for the group: the first whose link is up; the port itself when it is in none.
PortId first_member(const Model& m, PortId port, const std::vector<bool>& link_up) {
  const auto up = [&](PortId p) { return m[p].link.valid() && link_up[m[p].link.index()]; };
  if (m[port].lag == 0 || !up(port)) return up(port) ? port : PortId{};
  for (const PortId other : m[m[port].bridge].ports) {
    if (m[other].lag == m[port].lag && up(other)) return other;
  }
  return port;
}

// Union-find over links, to merge the links of one LAN.
class Lans {
 public:
  Lans(const Model& m, const std::vector<bool>& link_up) : parent_(m.links.size()) {
    std::iota(parent_.begin(), parent_.end(), 0u);
    for (const model::Bridge& bridge : m.bridges) {
      join_members(m, bridge, link_up);
      if (bridge.stp || !relays_bpdus(bridge.kind)) continue;
      std::uint32_t first = model::LinkId::kNone;
      for (const PortId port : bridge.ports) {
        const LinkId link = m[port].link;
        if (!link.valid() || !link_up[link.index()] || m[port].bpdu_filter || m[port].bpdu_guard) continue;
        if (first == LinkId::kNone) first = link.value;
        parent_[find(link.value)] = find(first);
      }
    }
  }
  std::uint32_t find(std::uint32_t link) {
    while (parent_[link] != link) link = parent_[link] = parent_[parent_[link]];
    return link;
  }

 private:
  // The links of a link aggregation group are one.
  void join_members(const Model& m, const model::Bridge& bridge, const std::vector<bool>& link_up) {
    for (const PortId port : bridge.ports) {
      const PortId first = first_member(m, port, link_up);
      if (first.valid() && first != port) parent_[find(m[port].link.value)] = find(m[first].link.value);
    }
  }
  std::vector<std::uint32_t> parent_;
};

}  // namespace

std::uint32_t path_cost(model::BitRate rate) {
  const std::int64_t mbit = std::max<std::int64_t>(rate.bits_per_second / 1'000'000, 1);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(20'000'000 / mbit, 1, 200'000'000));
}

std::uint32_t path_cost(const Model& m, PortId port) {
  return m[port].path_cost != 0 ? m[port].path_cost : path_cost(m[m[port].link].rate);
}

tree::Identifier identifier(const Model& m, BridgeId id) {
  return std::uint64_t{m[id].stp_priority} << 32 | id.value;
}

tree::Times timers(const model::Bridge& bridge) {
  return {.max_age = bridge.max_age, .hello = bridge.hello_time, .forward_delay = bridge.forward_delay};
}

namespace {

// What each LAN hears at best, and what each bridge makes of it. All improve it in turn until nobody can: the
// distributed Bellman-Ford that the protocol is, at most one round per bridge.
class Convergence {
 public:
  Convergence(const Model& m, const std::vector<bool>& link_up)
      : m_(m),
        link_up_(link_up),
        lans_(m, link_up),
        lan_best_(m.links.size()),
        speakers_(m.links.size()),
        bridge_best_(m.bridges.size()),
        root_port_(m.bridges.size()) {
    for (std::size_t i = 0; i < m.bridges.size(); ++i) {
      if (!m.bridges[i].stp) continue;
      running_.emplace_back(i);
      const tree::Identifier self = identifier(m, BridgeId(i));
      bridge_best_[i] = {self, 0, self, 0};
      each_port(BridgeId(i), [&](PortId, std::uint32_t lan) { ++speakers_[lan]; });
    }
    while (improve()) continue;
  }

  std::vector<tree::Settled> settled() {
    std::vector<tree::Settled> all(m_.ports.size());
    for (const BridgeId bridge : running_) {
      const tree::Identifier self = identifier(m_, bridge);
      const tree::Times times = timers(m_[bridge_of(bridge_best_[bridge.index()].root)]);
      for (const PortId port : m_[bridge].ports) {
        if (!first_member(m_, port, link_up_).valid() || !m_[port].bpdu_filter) continue;
        all[port.index()] = {tree::Role::kDesignated, offer(bridge, port), hops(bridge), times, false};
      }
      each_port(bridge, [&](PortId port, std::uint32_t lan) {
        const tree::Vector& best = lan_best_[lan];
        const bool ours = best.bridge == self;
        const tree::Role role = ours && best.port == port.value      ? tree::Role::kDesignated
                                : root_port_[bridge.index()] == port ? tree::Role::kRoot
                                : ours                               ? tree::Role::kBackup
                                                                     : tree::Role::kAlternate;
        all[port.index()] = {role, best, hops(bridge_of(best.bridge)), times, speakers_[lan] > 1};
      });
      for (const PortId port : m_[bridge].ports) {
        const PortId first = first_member(m_, port, link_up_);
        if (first.valid() && first != port) all[port.index()] = all[first.index()];
      }
    }
    return all;
  }

  // Ports whose guard hears a bridge.
  std::vector<PortId> alarmed() {
    std::vector<PortId> ports;
    for (std::size_t p = 0; p < m_.ports.size(); ++p) {
      const model::Port& port = m_.ports[p];
      if (!port.bpdu_guard || port.bpdu_filter || !port.bridge.valid() || !port.link.valid()) continue;
      if (!link_up_[port.link.index()]) continue;
      const std::uint32_t own = m_[port.bridge].stp ? 1 : 0;
      if (speakers_[lans_.find(port.link.value)] > own) ports.emplace_back(p);
    }
    return ports;
  }

 private:
  template <class Visit>
  void each_port(BridgeId bridge, Visit visit) {
    for (const PortId port : m_[bridge].ports) {
      if (first_member(m_, port, link_up_) == port && !m_[port].bpdu_filter)
        visit(port, lans_.find(m_[port].link.value));
    }
  }
  tree::Vector offer(BridgeId bridge, PortId port) const {
    const tree::Vector& best = bridge_best_[bridge.index()];
    return {best.root, best.cost, identifier(m_, bridge), port.value};
  }

  bool improve() {
    bool improved = false;
    for (const BridgeId bridge : running_) {
      each_port(bridge, [&](PortId port, std::uint32_t lan) {
        if (offer(bridge, port) >= lan_best_[lan]) return;
        lan_best_[lan] = offer(bridge, port);
        improved = true;
      });
    }
    for (const BridgeId bridge : running_) {
      each_port(bridge, [&](PortId port, std::uint32_t lan) {
        tree::Vector heard = lan_best_[lan];
        if (heard.bridge == identifier(m_, bridge)) return;
        heard.cost += path_cost(m_, port);
        if (heard >= bridge_best_[bridge.index()]) return;
        bridge_best_[bridge.index()] = heard;
        root_port_[bridge.index()] = port;
        improved = true;
      });
    }
    return improved;
  }

  // From the root.
  std::uint32_t hops(BridgeId bridge) {
    std::uint32_t count = 0;
    while (root_port_[bridge.index()].valid() && count < running_.size()) {
      const LinkId link = m_[root_port_[bridge.index()]].link;
      bridge = bridge_of(lan_best_[lans_.find(link.value)].bridge);
      ++count;
    }
    return count;
  }

  const Model& m_;
  const std::vector<bool>& link_up_;
  Lans lans_;
  std::vector<tree::Vector> lan_best_;
  std::vector<std::uint32_t> speakers_;    // ports of the tree, by LAN
  std::vector<tree::Vector> bridge_best_;  // root port's vector with its cost added
  std::vector<PortId> root_port_;
  std::vector<BridgeId> running_;
};

}  // namespace

std::vector<tree::Settled> settled_tree(const Model& m, const std::vector<bool>& link_up) {
  return Convergence(m, link_up).settled();
}

std::vector<PortId> shut_by_guards(const Model& m, std::vector<bool>& link_up) {
  std::vector<PortId> all;
  if (std::ranges::none_of(m.ports, &model::Port::bpdu_guard)) return all;
  if (std::ranges::none_of(m.bridges, &model::Bridge::stp)) return all;
  for (;;) {
    const std::vector<PortId> alarmed = Convergence(m, link_up).alarmed();
    if (alarmed.empty()) return all;
    for (const PortId port : alarmed) link_up[m[port].link.index()] = false;
    all.insert(all.end(), alarmed.begin(), alarmed.end());
  }
}

std::vector<bool> blocked_ports(const Model& m, const std::vector<bool>& link_up) {
  std::vector<bool> blocked;
  blocked.reserve(m.ports.size());
  for (const tree::Settled& port : settled_tree(m, link_up))
    blocked.push_back(port.role == tree::Role::kAlternate || port.role == tree::Role::kBackup);
  return blocked;
}

}  // namespace sekimori::switching
