// The walk of a stream's frames through the forest: at every node, which ports a frame leaves by, for every
// kind of switch. Used by the learning analysis ("can this frame pass here?"), the load model ("how many
// do?") and the explanations ("why?"); what they ask of a table is their policy, what a switch then does is
// here, once.
//
// A frame has a **weight**: the share of the stream's frames that come this far. The policy says what share
// of those that arrive at a table finds no entry, and so what is flooded and what goes on.
#pragma once

#include <vector>

#include "check/registered.h"
#include "check/streams.h"
#include "switching/ovs.h"
#include "switching/vxlan.h"

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
//   void arrives(NodeIndex, PortId in, Weight, bool stray, bool taught)      taught: a table there learns it
//   void leaves(NodeIndex, PortId out, Weight, bool stray)                   a copy of its own
//   void floods(NodeIndex, PortId in, PortId except, Weight, bool stray)     out of all ports but these two,
//   in
//                                                                            a plain component
//   void turns_off(NodeIndex, PortId out)       here the stream stops short of its destination
// It may have
//   bool astray(NodeIndex, PortId out, bool)    whether a copy that leaves there is off its way, when the
//   walk
//                                               thinks so: for destinations that are at several places
template <class Policy>
class Walk {
 public:
  using Weight = typename Policy::Weight;

  Walk(const model::Model& m, const Forest& forest, const Registrations& registrations, Policy& policy)
      : m_(m), forest_(forest), registrations_(registrations), policy_(policy) {}

  // From a station to another of the same unbroken component. Returns what arrives.
  Weight unicast(StationId from, StationId to, bool is_arp) {
    begin(from, to, is_arp);
    forest_.way(forest_.place(from), to_, way_);
    Weight weight = policy_.all();
    for (const Step& step : way_) {
      if (may_be_lost(step.node, step.in)) weight = policy_.limited(weight);
      if (policy_.none(weight)) break;
      policy_.arrives(step.node, step.in, weight, false, taught(step.node, step.in));
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

  // To all stations; what is not ARP is to a group of its own (Neighbor Discovery, advertisements).
  void broadcast(StationId from, bool is_arp) {
    begin(from, {}, is_arp);
    ends_.multicast = !is_arp;
    const Place& place = forest_.place(from);
    open_.push_back({place.node, place.port, policy_.all(), false});
    spread(true);
  }
  // To the members of a group, or what a member of some says to routers, and to whom else it comes. Each copy
  // is off its way that the policy says is.
  void to_groups(const Stream& s, const Groups& groups) {
    begin(s.from, {}, false);
    ends_.multicast = true;
    ends_.groups = &groups;
    ends_.group = s.flow.valid() ? m_[s.flow].group : Group{};
    ends_.ipv6 = s.ipv6;
    const Place& place = forest_.place(s.from);
    open_.push_back({place.node, place.port, policy_.all(), true});
    spread(true);
  }

 private:
  void begin(StationId from, StationId to, bool is_arp) {
    ends_ = {from, to, false};
    to_ = to.valid() ? forest_.place(to) : Place{};
    is_arp_ = is_arp;
  }
  const model::Port& port(PortId id) const { return m_[id]; }
  model::BridgeKind kind(NodeIndex n) const { return forest_[n].kind; }
  bool plain(NodeIndex n) const { return forest_.components()[forest_[n].component].plain; }
  // On its way through a tunnel.
  bool may_be_lost(NodeIndex n, PortId in) const {
    return in.valid() && port(in).tunnel && forest_.components()[forest_[n].component].lossy;
  }
  bool destination_is_on(NodeIndex n) const {
    return to_.node != kNone && forest_[to_.node].bridge == forest_[n].bridge;
  }
  bool lets_out(NodeIndex n, PortId in, PortId out) const {
    return !(port(in).isolated && port(out).isolated) &&
           !(port(out).guard && destination_is_on(n) && out != to_.port);
  }

  Weight pass(const Step& step, Weight weight) {
    if (registrations_.refuses(step.node, step.in, ends_.from)) return {};
    if (switching::registers(kind(step.node))) return pass_registered(step, weight);
    if (switching::passes_on(kind(step.node))) {
      flood(step.node, step.in, step.out, weight, false, false);
      return lets_out(step.node, step.in, step.out) ? weight : Weight{};
    }
    if (switching::hands_in(port(step.in))) return weight;
    if (const model::FlowRule* rule = rule_at(step.node, step.in)) {
      const bool forwards = by_rule(*rule, step.node, step.in, step.out, weight, false);
      if (!rule->normal) return forwards ? weight : Weight{};
      if (forwards) policy_.leaves(step.node, step.out, weight, false);  // and once more
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
    if (ends_.groups != nullptr) return spread_group(n, in, weight);
    if (plain(n)) {
      policy_.floods(n, in, except, weight, stray);
    } else {
      for (const PortId out : m_[forest_[n].bridge].ports) {
        if (out == in || out == except || !forest_.usable(out) || !carries(m_, out, forest_[n].vlan))
          continue;
        const bool floods =
            unknown ? port(out).floods_unknown : registrations_.takes_group(in, out, ends_.multicast);
        if (lets_out(n, in, out) && floods) policy_.leaves(n, out, weight, stray);
      }
    }
    for (const Edge& edge : forest_.edges(n)) {
      if (edge.port == in || edge.port == except || !lets_out(n, in, edge.port)) continue;
      if (unknown ? !port(edge.port).floods_unknown
                  : !registrations_.takes_group(in, edge.port, ends_.multicast))
        continue;
      open_.push_back({edge.to, edge.far, weight, astray(n, edge.port, stray)});
    }
  }

  void spread_group(NodeIndex n, PortId in, Weight weight) {
    const Groups::Ports known =
        ends_.group.is_zero() ? ends_.groups->reports_at(n, ends_.ipv6) : ends_.groups->at(n, ends_.group);
    if (known.way == Groups::Way::kOpen) weight = policy_.limited(weight);
    if (policy_.none(weight)) return;
    const auto takes = [&](PortId out) {
      return out != in && known.lets(out) && lets_out(n, in, out) &&
             registrations_.takes_group(in, out, true);
    };
    for (const PortId out : m_[forest_[n].bridge].ports) {
      if (forest_.usable(out) && carries(m_, out, forest_[n].vlan) && takes(out))
        policy_.leaves(n, out, weight, astray(n, out, true));
    }
    for (const Edge& edge : forest_.edges(n)) {
      if (takes(edge.port)) open_.push_back({edge.to, edge.far, weight, astray(n, edge.port, true)});
    }
  }

  bool astray(NodeIndex n, PortId out, bool stray) const {
    if constexpr (requires { policy_.astray(n, out, stray); }) return policy_.astray(n, out, stray);
    return stray;
  }

  // Follows the copies that are off their way, or those of a broadcast. Not by recursion: a chain of switches
  // may be longer than a stack.
  void spread(bool group) {
    while (!open_.empty()) {
      Copy copy = open_.back();
      open_.pop_back();
      if (may_be_lost(copy.node, copy.in)) copy.weight = policy_.limited(copy.weight);
      if (policy_.none(copy.weight)) continue;
      policy_.arrives(copy.node, copy.in, copy.weight, copy.stray, taught(copy.node, copy.in));
      spread(copy.node, copy.in, copy.weight, copy.stray, group);
    }
  }

  // One has come into a node; the destination lies behind `in`.
  void spread(NodeIndex n, PortId in, Weight weight, bool stray, bool group) {
    if (registrations_.refuses(n, in, ends_.from)) return;
    if (switching::registers(kind(n))) {
      extra_registered(n, in, {}, weight, stray, group);
      return;
    }
    if (switching::passes_on(kind(n))) {
      flood(n, in, {}, weight, stray, false);
      return;
    }
    if (switching::hands_in(port(in))) {
      flood(n, in, {}, weight, stray, false);
      return;
    }
    if (const model::FlowRule* rule = rule_at(n, in)) {
      by_rule(*rule, n, in, {}, weight, stray || !group);
      if (!rule->normal) return;
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

  // ------------------------------------------------------------ flows of Open vSwitch

  const model::FlowRule* rule_at(NodeIndex n, PortId in) const {
    const model::Bridge& bridge = m_[forest_[n].bridge];
    if (bridge.flow_rules.empty()) return nullptr;
    const wire::Mac destination = ends_.to.valid() ? m_[ends_.to].mac : wire::kBroadcast;
    return switching::match_rule(bridge, in, destination, is_arp_);
  }
  bool taught(NodeIndex n, PortId in) const {
    const model::FlowRule* rule = rule_at(n, in);
    return (rule == nullptr || rule->normal) && !registrations_.refuses(n, in, ends_.from);
  }
  // Copies out of the rule's ports but `toward`. Returns whether that is one of them.
  bool by_rule(const model::FlowRule& rule, NodeIndex n, PortId in, PortId toward, Weight weight,
               bool stray) {
    bool forwards = false;
    for (const PortId out : rule.out) {
      if (out == in || !forest_.usable(out) || !carries(m_, out, forest_[n].vlan) || !lets_out(n, in, out))
        continue;
      if (out == toward) {
        forwards = true;
        continue;
      }
      const bool off = stray || ends_.to.valid();
      policy_.leaves(n, out, weight, off);
      for (const Edge& edge : forest_.edges(n)) {
        if (edge.port == out) open_.push_back({edge.to, edge.far, weight, astray(n, out, off)});
      }
    }
    return forwards;
  }

  // ------------------------------------------------------------ switches that register

  Weight pass_registered(const Step& step, Weight weight) {
    extra_registered(step.node, step.in, step.out, weight, false, false);
    const bool passes =
        registrations_.relays(step.node, step.in, step.out, registrations_.find(step.node, ends_));
    return passes && lets_out(step.node, step.in, step.out) ? weight : Weight{};
  }

  // The copies beside the one on the way: up to the host, out of the uplink (the leak of a hosted bridge;
  // what a VEB or macvlan does not know), to guests that hear everything.
  void extra_registered(NodeIndex n, PortId in, PortId except, Weight weight, bool stray, bool group) {
    const auto known = registrations_.find(n, ends_);
    for (const PortId out : m_[forest_[n].bridge].ports) {
      if (out == in || out == except || !forest_.usable(out) || !carries(m_, out, forest_[n].vlan)) continue;
      const bool by_address = port(out).role == model::PortRole::kGuest && !group && out != known.port;
      if (by_address && !registrations_.overhears(n, out) && !takes_over(n)) continue;
      if (!registrations_.relays(n, in, out, known) || !lets_out(n, in, out)) continue;
      const bool wrong = kind(n) != model::BridgeKind::kHostedBridge || is_guest(n);
      const bool off = stray || (port(out).role == model::PortRole::kUplink && !group && wrong);
      policy_.leaves(n, out, weight, off);
      for (const Edge& edge : forest_.edges(n)) {
        if (edge.port == out) open_.push_back({edge.to, edge.far, weight, astray(n, out, off)});
      }
    }
  }
  bool takes_over(NodeIndex n) const {
    return kind(n) == model::BridgeKind::kMacvlan &&
           m_[forest_[n].bridge].macvlan_mode == model::MacvlanMode::kPassthru;
  }
  bool is_guest(NodeIndex n) const {
    return destination_is_on(n) && port(to_.port).role != model::PortRole::kHost;
  }

  const model::Model& m_;
  const Forest& forest_;
  const Registrations& registrations_;
  Policy& policy_;
  struct Copy {
    NodeIndex node;
    PortId in;
    Weight weight;
    bool stray;
  };
  Ends ends_;
  Place to_;
  bool is_arp_ = false;
  std::vector<Step> way_;
  std::vector<Copy> open_;
};

}  // namespace sekimori::check
