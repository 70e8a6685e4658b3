#include "lab/live_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "switching/bpdu.h"
#include "switching/lag.h"
#include "switching/spanning_tree.h"
#include "wire/emit.h"

namespace sekimori::lab {

namespace tree = switching::tree;
using model::PortId;

namespace {

std::size_t place(const model::Model& site, PortId port) {
  const auto& ports = site[site[port].bridge].ports;
  return static_cast<std::size_t>(std::ranges::find(ports, port) - ports.begin());
}

std::vector<PortId> built_ports(const model::Model& site, const Plan& plan, model::BridgeId bridge) {
  std::vector<PortId> ports;
  for (const PortId port : site[bridge].ports) {
    // The links of a group are one.
    if (plan.ports[port.index()].built() && switching::group_port(site, port) == port) ports.push_back(port);
  }
  return ports;
}

tree::PortSettings settings_of(const model::Model& site, PortId port) {
  using Edge = tree::PortSettings::Edge;
  const PortId far = model::peer(site, port);
  const bool shares =
      far.valid() && site[far].bridge.valid() && site[site[far].bridge].kind == model::BridgeKind::kHub;
  Edge edge = Edge::kAuto;
  if (site[port].edge == model::EdgePort::kOn) edge = Edge::kOn;
  if (site[port].edge == model::EdgePort::kOff) edge = Edge::kOff;
  return {switching::wire_port(place(site, port)), switching::path_cost(site, port), edge, !shares,
          site[port].bpdu_filter};
}

std::variant<tree::Stp, tree::Rstp> protocol_of(const model::Model& site, const Plan& plan,
                                                model::BridgeId id, const std::vector<PortId>& ports) {
  std::vector<tree::PortSettings> settings;
  for (const PortId port : ports) settings.push_back(settings_of(site, port));
  const auto self = switching::identifier_of({site[id].stp_priority, plan.bridges[id.index()].mac});
  const tree::Times own = switching::timers(site[id]);
  if (site[id].stp_is_rapid) return tree::Rstp(self, own, settings);
  return tree::Stp(self, own, settings);
}

std::string_view to_text(tree::Role role) {
  static constexpr std::string_view kWords[] = {"disabled", "root", "designated", "alternate", "backup"};
  return kWords[static_cast<std::size_t>(role)];
}
std::string_view to_text(tree::State state) {
  static constexpr std::string_view kWords[] = {"discarding", "learning", "forwarding"};
  return kWords[static_cast<std::size_t>(state)];
}

}  // namespace

LiveTree::LiveTree(const model::Model& site, const Plan& plan, model::BridgeId id, LiveSwitch& bridge,
                   Send send)
    : site_(site),
      plan_(plan),
      bridge_(bridge),
      send_(std::move(send)),
      ports_(built_ports(site, plan, id)),
      up_(ports_.size(), false),
      protocol_(protocol_of(site, plan, id, ports_)) {
  for (PortNumber n = 0; n < ports_.size(); ++n) {
    numbers_[ports_[n]] = n;
    bridge_.set_state(ports_[n], tree::State::kDiscarding);
  }
}

tree::Identifier LiveTree::wire_identifier(tree::Identifier of_model) const {
  const model::BridgeId id = switching::bridge_of(of_model);
  return switching::identifier_of({site_[id].stp_priority, plan_.bridges[id.index()].mac});
}

std::uint32_t LiveTree::wire_port_of(PortId port) const { return switching::wire_port(place(site_, port)); }

void LiveTree::settle(const std::vector<tree::Settled>& settled,
                      const std::function<bool(PortId)>& has_carrier, base::Time now) {
  std::vector<tree::Settled> ours;
  for (PortNumber n = 0; n < ports_.size(); ++n) {
    const PortId port = ports_[n];
    up_[n] = has_carrier(port);
    tree::Settled one = up_[n] ? settled[port.index()] : tree::Settled{};
    if (one.role != tree::Role::kDisabled) {
      const PortId speaker = one.role == tree::Role::kDesignated ? port : PortId(one.vector.port);
      one.vector = {wire_identifier(one.vector.root), one.vector.cost, wire_identifier(one.vector.bridge),
                    wire_port_of(speaker)};
    }
    ours.push_back(one);
  }
  with([&](auto& protocol) { protocol.settle(ours, now, effects_); });
  // One that the model takes to be down, and is not.
  for (PortNumber n = 0; n < ports_.size(); ++n) {
    if (up_[n] && ours[n].role == tree::Role::kDisabled)
      with([&](auto& protocol) { protocol.port_up(n, now, effects_); });
  }
  carry_out(now);
}

void LiveTree::set_carrier(PortId port, bool on, base::Time now) {
  const auto known = numbers_.find(port);
  if (known == numbers_.end() || up_[known->second] == on) return;
  up_[known->second] = on;
  with([&](auto& protocol) {
    if (on)
      protocol.port_up(known->second, now, effects_);
    else
      protocol.port_down(known->second, now, effects_);
  });
  carry_out(now);
}

void LiveTree::receive(PortId port, wire::Bytes payload, base::Time now) {
  const auto known = numbers_.find(port);
  const auto bpdu = wire::parse_bpdu(payload);
  if (known == numbers_.end() || !up_[known->second] || !bpdu) return;
  with([&](auto& protocol) { protocol.receive(known->second, switching::from_wire(*bpdu), now, effects_); });
  carry_out(now);
}

void LiveTree::on_time(base::Time now) {
  with([&](auto& protocol) { protocol.on_time(now, effects_); });
  carry_out(now);
}

base::Time LiveTree::next_due() {
  return with([](auto& protocol) { return protocol.next_due(); });
}

void LiveTree::carry_out(base::Time now) {
  for (const auto& [number, state] : effects_.states) bridge_.set_state(ports_[number], state);
  for (const PortNumber number : effects_.flushed) bridge_.forget(ports_[number]);
  if (effects_.ageing) bridge_.set_fast_ageing(*effects_.ageing, now);
  for (const auto& [number, bpdu] : effects_.sent) {
    const PortId port = ports_[number];
    if (site_[port].bpdu_filter) continue;
    frame_.clear();
    wire::append_bpdu(frame_, {.destination = wire::kStpGroup, .source = plan_.ports[port.index()].mac},
                      switching::to_wire(bpdu));
    send_(port, std::as_bytes(std::span(frame_)));
  }
  effects_.clear();
}

std::string LiveTree::text() {
  std::string lines;
  for (PortNumber n = 0; n < ports_.size(); ++n) {
    with([&](auto& protocol) {
      lines +=
          fmt::format("{} {} {}\n", ports_[n].value, to_text(protocol.role(n)), to_text(protocol.state(n)));
    });
  }
  return lines;
}

}  // namespace sekimori::lab
