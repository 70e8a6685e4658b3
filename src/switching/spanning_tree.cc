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
        if (!link.valid() || !link_up[link.index()]) continue;
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

// A priority vector: lower is better (802.1D-2004 clause 17.5). Bridges are identified by (priority, index);
// the index stands for the address, which the model does not need otherwise.
struct Priority {
  std::uint64_t root = ~std::uint64_t{0};
  std::uint64_t cost = 0;
  std::uint64_t bridge = ~std::uint64_t{0};
  std::uint32_t port = ~std::uint32_t{0};
  friend auto operator<=>(const Priority&, const Priority&) = default;
};

std::uint64_t bridge_identifier(const Model& m, BridgeId id) {
  return std::uint64_t{m[id].stp_priority} << 32 | id.value;
}

}  // namespace

std::uint32_t path_cost(model::BitRate rate) {
  const std::int64_t mbit = std::max<std::int64_t>(rate.bits_per_second / 1'000'000, 1);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(20'000'000 / mbit, 1, 200'000'000));
}

std::vector<bool> blocked_ports(const Model& m, const std::vector<bool>& link_up) {
  std::vector<bool> blocked(m.ports.size(), false);
  Lans lans(m, link_up);
  // What each LAN hears at best, and what each bridge makes of it. Repeat until nobody improves: the
  // distributed Bellman-Ford that the protocol is, at most one round per bridge.
  std::vector<Priority> lan_best(m.links.size());
  std::vector<Priority> bridge_best(m.bridges.size());  // root port's vector with its cost added
  std::vector<PortId> root_port(m.bridges.size());
  std::vector<BridgeId> running;
  for (std::size_t i = 0; i < m.bridges.size(); ++i) {
    if (!m.bridges[i].stp) continue;
    running.emplace_back(i);
    const std::uint64_t self = bridge_identifier(m, BridgeId(i));
    bridge_best[i] = {self, 0, self, 0};
  }
  const auto each_port = [&](BridgeId bridge, auto&& visit) {
    for (const PortId port : m[bridge].ports) {
      if (first_member(m, port, link_up) == port) visit(port, lans.find(m[port].link.value));
    }
  };
  const auto offer = [&](BridgeId bridge, PortId port) {
    const Priority& best = bridge_best[bridge.index()];
    return Priority{best.root, best.cost, bridge_identifier(m, bridge), port.value};
  };
  for (bool improved = true; improved;) {
    improved = false;
    for (const BridgeId bridge : running) {
      each_port(bridge, [&](PortId port, std::uint32_t lan) {
        if (offer(bridge, port) < lan_best[lan]) {
          lan_best[lan] = offer(bridge, port);
          improved = true;
        }
      });
    }
    for (const BridgeId bridge : running) {
      each_port(bridge, [&](PortId port, std::uint32_t lan) {
        Priority heard = lan_best[lan];
        if (heard.bridge == bridge_identifier(m, bridge)) return;
        heard.cost += path_cost(m[m[port].link].rate);
        Priority& best = bridge_best[bridge.index()];
        if (std::tie(heard.root, heard.cost, heard.bridge, heard.port) <
            std::tie(best.root, best.cost, best.bridge, best.port)) {
          best = heard;
          root_port[bridge.index()] = port;
          improved = true;
        }
      });
    }
  }
  for (const BridgeId bridge : running) {
    each_port(bridge, [&](PortId port, std::uint32_t lan) {
      const bool designated =
          lan_best[lan].port == port.value && lan_best[lan].bridge == bridge_identifier(m, bridge);
      blocked[port.index()] = !designated && root_port[bridge.index()] != port;
    });
    for (const PortId port : m[bridge].ports) {
      const PortId first = first_member(m, port, link_up);
      if (first.valid()) blocked[port.index()] = blocked[first.index()];
    }
  }
  return blocked;
}

}  // namespace sekimori::switching
