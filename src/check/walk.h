// The walk of a stream's frames through the forest: at every node, which ports a frame leaves by, for every
// kind of switch. Used by the learning analysis ("can this frame pass here?"), the load model ("how many
// do?") and the explanations ("why?"); what they ask of a table is their policy, what a switch then does is
// here, once.
//
// A frame has a **weight**: the share of the stream's frames that come this far. The policy says what share
// of those that arrive at a table finds no entry, and so what is flooded and what goes on.
#pragma once

#include <vector>

#include "check/forest.h"
#include "switching/hosted_bridge.h"

namespace sekimori::check {

// Policy:
//   using Weight                                a value; default is nothing at all
//   Weight all()                                every frame
//   bool none(Weight)                           no frame
//   Weight unknown(NodeIndex, PortId toward, Weight arriving)
//                                               those that find no entry for the destination, which lies
//                                               behind `toward`
//   Weight wanted(Weight arriving, Weight unknown, bool floods)
//                                               those that leave towards the destination; `floods`: that port
//                                               takes unknown unicast
//   Weight limited(Weight)                      what is left of frames that a limit may drop
// and is told
//   void arrives(NodeIndex, PortId in, Weight, bool stray)
//   void leaves(NodeIndex, PortId out, Weight, bool stray)                   a copy of its own
//   void floods(NodeIndex, PortId in, PortId except, Weight, bool stray)     out of all ports but these two,
//   in
//                                                                            a plain component
//   void turns_off(NodeIndex, PortId out)       here the stream stops short of its destination
template <class Policy>
class Walk {
 public:
  using Weight = typename Policy::Weight;

  Walk(const model::Model& m, const Forest& forest, Policy& policy)
      : m_(m), forest_(forest), policy_(policy) {}

  // From a station to another of the same unbroken component. Returns what arrives.
  Weight unicast(const Place& from, const Place& to) {
    forest_.way(from, to, way_);
    to_ = to;
    Weight weight = policy_.all();
    for (const Step& step : way_) {
      policy_.arrives(step.node, step.in, weight, false);
      weight = pass(step, weight);
      if (policy_.none(weight)) {
        policy_.turns_off(step.node, step.out);
        break;
      }
      policy_.leaves(step.node, step.out, weight, false);
    }
    spread(false);
    return weight;
  }

  void broadcast(const Place& from) {
    to_ = {};
    open_.push_back({from.node, from.port, policy_.all(), false});
    spread(true);
  }

 private:
  const model::Port& port(PortId id) const { return m_[id]; }
  model::BridgeKind kind(NodeIndex n) const { return forest_[n].kind; }
  bool plain(NodeIndex n) const { return forest_.components()[forest_[n].component].plain; }
  bool destination_is_on(NodeIndex n) const {
    return to_.node != kNone && forest_[to_.node].bridge == forest_[n].bridge;
  }
  bool lets_out(NodeIndex n, PortId in, PortId out) const {
    return !(port(in).isolated && port(out).isolated) &&
           !(port(out).guard && destination_is_on(n) && out != to_.port);
  }

  Weight pass(const Step& step, Weight weight) {
    if (kind(step.node) == model::BridgeKind::kHostedBridge) return pass_hosted(step, weight);
    if (kind(step.node) == model::BridgeKind::kHub) {
      flood(step.node, step.in, step.out, weight, false, false);
      return lets_out(step.node, step.in, step.out) ? weight : Weight{};
    }
    const bool nothing_in_the_way = plain(step.node);
    if (!nothing_in_the_way && port(step.in).mac_limit != 0) weight = policy_.limited(weight);
    const Weight unknown = policy_.unknown(step.node, step.out, weight);
    if (!policy_.none(unknown)) {
      if (!nothing_in_the_way && port(step.in).storm_control != 0) weight = policy_.limited(weight);
      flood(step.node, step.in, step.out, unknown, true, true);
    }
    // Of a plain component only the port to a bridge's own host takes no floods, and for the host there is an
    // entry.
    if (nothing_in_the_way) return policy_.wanted(weight, unknown, true);
    if (!lets_out(step.node, step.in, step.out)) return {};
    return policy_.wanted(weight, unknown, port(step.out).floods_unknown);
  }

  // Out of all ports but two, and on through what is behind them.
  void flood(NodeIndex n, PortId in, PortId except, Weight weight, bool stray, bool unknown) {
    if (plain(n)) {
      policy_.floods(n, in, except, weight, stray);
    } else {
      for (const PortId out : m_[forest_[n].bridge].ports) {
        if (out == in || out == except || !forest_.usable(out) || !carries(m_, out, forest_[n].vlan))
          continue;
        if (lets_out(n, in, out) && (!unknown || port(out).floods_unknown))
          policy_.leaves(n, out, weight, stray);
      }
    }
    for (const Edge& edge : forest_.edges(n)) {
      if (edge.port == in || edge.port == except || !lets_out(n, in, edge.port)) continue;
      if (unknown && !port(edge.port).floods_unknown) continue;
      open_.push_back({edge.to, edge.far, weight, stray});
    }
  }

  // Follows the copies that are off their way, or those of a broadcast. Not by recursion: a chain of switches
  // may be longer than a stack.
  void spread(bool group) {
    while (!open_.empty()) {
      const Copy copy = open_.back();
      open_.pop_back();
      policy_.arrives(copy.node, copy.in, copy.weight, copy.stray);
      spread(copy.node, copy.in, copy.weight, copy.stray, group);
    }
  }

  // One has come into a node; the destination lies behind `in`.
  void spread(NodeIndex n, PortId in, Weight weight, bool stray, bool group) {
    if (kind(n) == model::BridgeKind::kHostedBridge) {
      extra_hosted(n, in, {}, weight, stray, group);
      return;
    }
    if (kind(n) == model::BridgeKind::kHub) {
      flood(n, in, {}, weight, stray, false);
      return;
    }
    if (port(in).mac_limit != 0 || (group && port(in).storm_control != 0)) weight = policy_.limited(weight);
    if (group) {
      flood(n, in, {}, weight, stray, false);
      return;
    }
    const Weight unknown = policy_.unknown(n, in, weight);
    if (policy_.none(unknown)) return;
    if (port(in).storm_control != 0) weight = policy_.limited(unknown);
    flood(n, in, {}, unknown, true, true);
  }

  // ------------------------------------------------------------ hosted bridges

  // What the destination of the walk is to that port of the bridge.
  switching::HostedDestination destination(NodeIndex n, PortId out, bool group) const {
    using enum switching::HostedDestination;
    if (group) return kGroup;
    const bool bridging = port(out).role == model::PortRole::kGuest && m_[peer(m_, out)].bridge.valid();
    if (bridging) return kThisGuest;  // its NIC is promiscuous and gets everything
    if (!destination_is_on(n)) return kElsewhere;
    if (port(to_.port).role == model::PortRole::kHost) return kTheHost;
    return out == to_.port ? kThisGuest : kOtherGuest;
  }

  bool relays(NodeIndex n, PortId in, PortId out, bool group) const {
    return switching::hosted_bridge_relays(port(in).role, port(out).role, destination(n, out, group),
                                           m_[forest_[n].bridge].filters_local);
  }

  Weight pass_hosted(const Step& step, Weight weight) {
    extra_hosted(step.node, step.in, step.out, weight, false, false);
    return relays(step.node, step.in, step.out, false) && lets_out(step.node, step.in, step.out) ? weight
                                                                                                 : Weight{};
  }

  // The copies beside the one on the way: up to the host, out of the uplink (the leak), to guests that
  // bridge.
  void extra_hosted(NodeIndex n, PortId in, PortId except, Weight weight, bool stray, bool group) {
    for (const PortId out : m_[forest_[n].bridge].ports) {
      if (out == in || out == except || !forest_.usable(out)) continue;
      const bool leads_on = m_[peer(m_, out)].bridge.valid();
      if (port(out).role == model::PortRole::kGuest && !leads_on && !group) continue;  // by address: not its
      if (!relays(n, in, out, group)) continue;
      if (port(out).role == model::PortRole::kUplink && !lets_out(n, in, out)) continue;
      const bool astray = stray || (port(out).role == model::PortRole::kUplink && !group && is_guest(n));
      policy_.leaves(n, out, weight, astray);
      for (const Edge& edge : forest_.edges(n)) {
        if (edge.port == out) open_.push_back({edge.to, edge.far, weight, astray});
      }
    }
  }
  bool is_guest(NodeIndex n) const {
    return destination_is_on(n) && port(to_.port).role != model::PortRole::kHost;
  }

  const model::Model& m_;
  const Forest& forest_;
  Policy& policy_;
  struct Copy {
    NodeIndex node;
    PortId in;
    Weight weight;
    bool stray;
  };
  Place to_;
  std::vector<Step> way_;
  std::vector<Copy> open_;
};

}  // namespace sekimori::check
