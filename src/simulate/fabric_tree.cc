// The spanning tree at work: BPDUs as frames, and what the protocols (switching/stp.h, rstp.h) make bridges
// do.
//
// A run begins with the tree that the site comes to (switching/spanning_tree.h), as a network that has been
// up for long; from then on BPDUs keep it. A BPDU is untagged and for a group that no bridge of the tree
// relays; bridges that run no spanning tree hand it on like a broadcast, whatever VLANs their ports are in,
// as far as their kind relays BPDUs at all (switching/kinds.h). It teaches nobody an address.
//
// In a Frame a BPDU is: src_ip the root, dst_ip the port that sends, number the cost, ack the age in 1/256 s
// and the flags. The timers are those of the root, which the model knows.
#include <algorithm>

#include "simulate/bpdu.h"
#include "simulate/fabric.h"
#include "switching/kinds.h"
#include "switching/spanning_tree.h"

namespace sekimori::simulate {

namespace tree = switching::tree;

namespace {

tree::PortSettings settings_of(const model::Model& m, model::PortId port) {
  const model::Port& p = m[port];
  const model::PortId far = model::peer(m, port);
  const bool shares =
      far.valid() && m[far].bridge.valid() && m[m[far].bridge].kind == model::BridgeKind::kHub;
  using Edge = tree::PortSettings::Edge;
  const Edge edge = p.edge == model::EdgePort::kOn    ? Edge::kOn
                    : p.edge == model::EdgePort::kOff ? Edge::kOff
                                                      : Edge::kAuto;
  return {port.value, switching::path_cost(m, port), edge, !shares, p.bpdu_filter};
}

}  // namespace

Tree& Fabric::add_tree(std::uint32_t index) {
  const model::BridgeId id(index);
  const model::Bridge& settings = model_[id];
  std::vector<tree::PortSettings> ports;
  std::vector<std::uint32_t> members;
  for (const model::PortId port : settings.ports) {
    if (ports_[port.index()].lane_out == kNone || logical(port.value) != port.value) continue;
    ports.push_back(settings_of(model_, port));
    members.push_back(port.value);
  }
  const auto self = switching::identifier(model_, id);
  const tree::Times own = switching::timers(settings);
  Tree made{settings.stp_is_rapid ? decltype(Tree::protocol)(tree::Rstp(self, own, ports))
                                  : decltype(Tree::protocol)(tree::Stp(self, own, ports)),
            std::move(members),
            {},
            std::vector<bool>(ports.size(), false)};
  for (tree::PortNumber i = 0; i < made.ports.size(); ++i) made.numbers[made.ports[i]] = i;
  made.timer = wires_.add_timer(TimerKind::kSpanningTree, index);
  return trees_.insert_or_assign(index, std::move(made)).first->second;
}

void Fabric::settle_trees() {
  if (std::ranges::none_of(model_.bridges, &model::Bridge::stp)) return;
  for (const model::PortId port : switching::shut_by_guards(model_, link_up_)) {
    const model::LinkId link = model_[port].link;
    link_up_[link.index()] = true;  // for set_link() to take down
    shut(port.value, model::peer(model_, port).value);
  }
  const auto settled = switching::settled_tree(model_, link_up_);
  for (std::uint32_t b = 0; b < bridges_.size(); ++b) {
    if (!model_.bridges[b].stp) continue;
    Tree& tree = add_tree(b);
    std::vector<tree::Settled> ports;
    for (const std::uint32_t port : tree.ports) {
      ports.push_back(settled[port]);
      if (ports.back().role == tree::Role::kDesignated) ports.back().vector.port = port;
      tree.up[ports.size() - 1] = any_member_up(port);
      ports_[port].blocked = true;
    }
    tree.with([&](auto& protocol) { protocol.settle(ports, wires_.now(), tree.effects); });
    carry_out(b, tree);
  }
}

void Fabric::set_tree(std::uint32_t bridge, bool on) {
  const auto known = trees_.find(bridge);
  if (on == (known != trees_.end())) return;
  if (!on) {
    for (const std::uint32_t port : known->second.ports) ports_[port].blocked = false;
    wires_.disarm(known->second.timer);
    trees_.erase(known);
    bridges_[bridge].ageing = bridges_[bridge].configured_ageing;
    forget_plans(bridge);
    forget_ways();
    return;
  }
  for (const std::uint32_t port : add_tree(bridge).ports) {
    ports_[port].blocked = true;
    set_tree_port(port);
  }
  forget_plans(bridge);
  forget_ways();
}

// The carrier of a port may have come or gone.
void Fabric::set_tree_port(std::uint32_t port) {
  const std::uint32_t bridge = ports_[port].bridge;
  const auto known = trees_.find(bridge);
  if (known == trees_.end()) return;
  Tree& tree = known->second;
  port = logical(port);
  const tree::PortNumber number = tree.numbers.at(port);
  const bool up = any_member_up(port);
  if (tree.up[number] == up) return;
  tree.up[number] = up;
  tree.with([&](auto& protocol) {
    if (up)
      protocol.port_up(number, wires_.now(), tree.effects);
    else
      protocol.port_down(number, wires_.now(), tree.effects);
  });
  carry_out(bridge, tree);
}

void Fabric::on_tree_timer(std::uint32_t bridge) {
  const auto known = trees_.find(bridge);
  if (known == trees_.end()) return;
  Tree& tree = known->second;
  tree.with([&](auto& protocol) { protocol.on_time(wires_.now(), tree.effects); });
  carry_out(bridge, tree);
}

void Fabric::carry_out(std::uint32_t index, Tree& tree) {
  Bridge& bridge = bridges_[index];
  for (const auto& [number, state] : tree.effects.states) {
    Port& port = ports_[tree.ports[number]];
    port.blocked = state != tree::State::kForwarding;
    port.learning = state == tree::State::kLearning;
  }
  if (!tree.effects.states.empty()) {
    forget_plans(index);
    forget_ways();
  }
  for (const tree::PortNumber number : tree.effects.flushed) bridge.fdb.forget_port(tree.ports[number]);
  if (tree.effects.ageing && bridge.configured_ageing.count() != 0) {
    const Duration fast = *tree.effects.ageing;
    // What nobody asked for while ageing was fast is gone as well.
    if (fast.count() == 0) bridge.fdb.forget_unheard(wires_.now(), bridge.ageing);
    bridge.ageing = fast.count() == 0 ? bridge.configured_ageing : std::min(fast, bridge.configured_ageing);
  }
  for (const tree::PortNumber number : tree.effects.detected)
    observer_.topology_changed(tree.ports[number], wires_.now());
  for (const auto& [number, bpdu] : tree.effects.sent) {
    const std::uint32_t port = tree.ports[number];
    send_bpdu(port, pack(bpdu, port, wires_.now()));
  }
  tree.effects.clear();
  const Time due = tree.with([](auto& protocol) { return protocol.next_due(); });
  if (due == base::kNever)
    wires_.disarm(tree.timer);
  else
    wires_.arm(tree.timer, due);
}

void Fabric::send_bpdu(std::uint32_t out, const Frame& frame) {
  if (ports_[out].in_lag) out = member_for(out, frame);
  const Port& port = ports_[out];
  if (port.lane_out == kNone || model_.ports[out].bpdu_filter) return;
  if (bpdus_.empty()) bpdus_.resize(wires_.lanes(), 0);
  const std::int64_t before = wires_.lane(port.lane_out).counters.frames;
  if (port.leaf)
    wires_.send_unseen(port.lane_out, frame);
  else
    wires_.send(port.lane_out, frame);
  bpdus_[port.lane_out] += wires_.lane(port.lane_out).counters.frames - before;
}

void Fabric::receive_bpdu(std::uint32_t in, Frame& frame) {
  const std::uint32_t index = ports_[in].bridge;
  if (model_.ports[in].bpdu_filter) return;
  if (model_.ports[in].bpdu_guard) {
    shut(in, frame.dst_ip);
    return;
  }
  const auto known = trees_.find(index);
  if (known == trees_.end()) {
    relay_bpdu(in, frame);
    return;
  }
  Tree& tree = known->second;
  const tree::PortNumber number = tree.numbers.at(in);
  if (!tree.up[number]) return;
  const tree::Bpdu bpdu = unpack(model_, frame);
  tree.with([&](auto& protocol) { protocol.receive(number, bpdu, wires_.now(), tree.effects); });
  carry_out(index, tree);
}

void Fabric::relay_bpdu(std::uint32_t in, Frame& frame) {
  if (!switching::relays_bpdus(bridges_[ports_[in].bridge].registrar.kind)) return;
  if (++frame.hops > bridges_.size()) {
    observer_.circulated(ports_[in].bridge, in, wires_.now());
    frame.hops = 1;
  }
  for (const model::PortId out : model_.bridges[ports_[in].bridge].ports) {
    if (out.value == in || logical(out.value) != out.value) continue;
    if (ports_[out.index()].lane_out != kNone && any_member_up(out.value)) send_bpdu(out.value, frame);
  }
}

void Fabric::learn_only(std::uint32_t in, const Frame& frame) {
  Bridge& bridge = bridges_[ports_[in].bridge];
  const auto vlan = bridge.vlan_aware ? classify(in, frame.tag) : std::uint16_t{0};
  if (vlan) learn(bridge, in, *vlan, frame);
}

// By a BPDU guard, until somebody opens the port by hand, which nobody does here.
void Fabric::shut(std::uint32_t port, std::uint32_t sender) {
  const model::LinkId link = model_.ports[port].link;
  observer_.shut(port, sender, wires_.now());
  set_link(link, false);
  shut_.resize(model_.links.size(), false);
  shut_[link.index()] = true;
}

}  // namespace sekimori::simulate
