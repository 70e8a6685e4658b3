#include "check/reach.h"

#include <algorithm>

#include "model/multicast.h"
#include "switching/ovs.h"
#include "switching/suppression.h"

namespace sekimori::check {

namespace {

bool is_of(const model::Station& s, const model::KnownNeighbour& known) {
  return known.ip.is_zero() ? s.ip6.address == known.ip6 : s.ip.address == known.ip;
}

bool outputs_to(const model::FlowRule& rule, PortId port) {
  return std::ranges::find(rule.out, port) != rule.out.end();
}

}  // namespace

Reach::Reach(const model::Model& model, const Forest& forest, const Groups& groups)
    : m_(model),
      forest_(forest),
      groups_(groups),
      registrations_(model, forest),
      uses_groups_(model::uses_groups(model)) {
  for (const model::Bridge& bridge : m_.bridges) any_gates_ |= switching::registers(bridge.kind);
  for (const model::Port& port : m_.ports)
    any_gates_ |= port.locked || !port.floods_broadcast || !port.floods_multicast;
  note_suppression();
}

// ---------------------------------------------------------------- bridges that answer

void Reach::note_suppression() {
  for (const model::Bridge& bridge : m_.bridges) {
    if (!switching::suppresses(m_, bridge)) continue;
    spared_.resize(m_.stations.size());
    for (const model::KnownNeighbour& known : bridge.neighbours) {
      for (std::size_t s = 0; s < m_.stations.size(); ++s)
        if (is_of(m_.stations[s], known)) spared_[s] = true;
      doubt_if_wrong(known);
    }
    for (const PortId port : bridge.ports) {
      if (m_[port].role != model::PortRole::kHost) continue;
      const PortId own = peer(m_, port);
      if (!own.valid()) continue;
      for (StationId s = m_[own].station; s.valid(); s = m_[s].next_on_port) spared_[s.index()] = true;
    }
  }
}

void Reach::doubt_if_wrong(const model::KnownNeighbour& known) {
  const bool is_right = std::ranges::any_of(
      m_.stations, [&](const model::Station& s) { return is_of(s, known) && s.mac == known.mac; });
  if (is_right) return;
  for (std::size_t s = 0; s < m_.stations.size(); ++s) {
    if (is_of(m_.stations[s], known) || m_.stations[s].mac == known.mac) mistaken_.push_back(StationId(s));
  }
}

// ---------------------------------------------------------------- questions and answers

bool Reach::is_plain(StationId station) const {
  const NodeIndex n = forest_.place(station).node;
  return n == kNone || component_of(n).plain;
}

bool Reach::is_snooped(StationId asker) const {
  const NodeIndex n = forest_.place(asker).node;
  return n != kNone && uses_groups_ && !groups_.asked_by(forest_[n].component, true).nobody();
}

bool Reach::can_ask(StationId asker, StationId asked, bool ipv6) {
  const Place &from = forest_.place(asker), &to = forest_.place(asked);
  if (!any_gates_ || from.node == kNone || to.node == kNone || component_of(from.node).broken()) return true;
  forest_.way(from, to, way_);
  return registrations_.passes(way_, {asker, {}, ipv6});
}

bool Reach::surely_resolves(StationId asker, StationId asked, bool ipv6) {
  const Place& place = forest_.place(asker);
  if (place.node == kNone) return true;
  if (ipv6 && is_snooped(asker)) return false;
  const Component& component = component_of(place.node);
  if (component.open && !component.bends) return true;
  if (component.lossy) return false;
  if (component.broken()) return true;  // nothing is claimed of it
  // Without a question there, it learns the address only if the other asks for something.
  if (!can_ask(asker, asked, ipv6)) return false;
  forest_.way(forest_.place(asked), place, way_);
  // The answer may turn off where the question passed; the asker may still learn by what the other asks.
  if (!registrations_.passes(way_, {asked, asker})) return false;
  return std::ranges::all_of(way_, [&](const Step& step) { return answer_passes(step, asker); });
}

bool Reach::answer_passes(const Step& step, StationId asker) const {
  const model::Bridge& bridge = m_[forest_[step.node].bridge];
  const model::Port &in = m_[step.in], &out = m_[step.out];
  if (in.isolated && out.isolated) return false;
  if (!switching::learns(bridge.kind)) return true;
  bool asked_before = !m_[asker].hides_its_mac();  // the question was learnt
  if (!bridge.flow_rules.empty()) {
    const auto* question = switching::match_rule(bridge, step.out, wire::kBroadcast, true);
    if (question != nullptr && !question->normal) {
      if (!outputs_to(*question, step.in)) return false;
      asked_before = false;
    }
    const auto* answer = switching::match_rule(bridge, step.in, m_[asker].mac, true);
    if (answer != nullptr && !answer->normal) return outputs_to(*answer, step.out);
  }
  if (in.mac_limit != 0 || out.mac_limit != 0) return false;
  return out.floods_unknown ||
         (asked_before && bridge.learning && bridge.ageing.count() > 0 && out.learning) ||
         std::ranges::any_of(bridge.static_entries, [&](const model::StaticEntry& e) {
           return e.mac == m_[asker].mac && e.port == step.out;
         });
}

bool Reach::surely_probes(StationId from, StationId to) {
  const NodeIndex n = forest_.place(from).node;
  if (n == kNone) return true;
  const Component& component = component_of(n);
  return component.open && (!component.bends || (hands_on(from, to) && hands_on(to, from)));
}

// No flow and no switch that knows by registration makes ARP by unicast turn off.
bool Reach::hands_on(StationId from, StationId to) {
  if (component_of(forest_.place(from).node).broken()) return true;
  forest_.way(forest_.place(from), forest_.place(to), way_);
  if (!registrations_.passes(way_, {from, to})) return false;
  return std::ranges::all_of(way_, [&](const Step& step) {
    const auto* rule = switching::match_rule(m_[forest_[step.node].bridge], step.in, m_[to].mac, true);
    return rule == nullptr || rule->normal || outputs_to(*rule, step.out);
  });
}

}  // namespace sekimori::check
