#include "load/cause.h"

#include <algorithm>

#include "findings/masked.h"
#include "load/trace.h"
#include "switching/ovs.h"

namespace sekimori::load {

using check::Learning;
using check::Presence;
using check::Step;
using check::Stream;
using findings::Code;
using model::BridgeId;
using model::BridgeKind;
using model::Model;

namespace {

bool sends_anything(const Learning& l, StationId station) {
  return std::ranges::any_of(l.streams_from(station), [&](std::uint32_t i) { return l.possible(i); });
}

// The hosted bridge whose leak brings frames for that station there; invalid when it is none.
BridgeId leaking_bridge(const Learning& l, const Flood& flood) {
  if (!flood.leaked) return {};
  if (l.forest()[l.forest().place(flood.destination).node].kind != BridgeKind::kHostedBridge) return {};
  return l.forest()[l.forest().place(flood.destination).node].bridge;
}

// The SR-IOV NIC on the way of a stream that sends it out of the wire instead of to the bridge on its PF.
BridgeId misled_by_veb(const Learning& l, const Flood& flood) {
  std::vector<Step> way;
  for (const std::uint32_t i : flood.streams) {
    const Stream& stream = l.streams()[i];
    l.forest().way(l.forest().place(stream.from), l.forest().place(stream.to), way);
    for (const Step& step : way) {
      if (l.forest()[step.node].kind != BridgeKind::kSriov) continue;
      const auto known = l.registrations().find(step.node, {stream.from, stream.to});
      if (!l.registrations().relays(step.node, step.in, step.out, known)) return l.forest()[step.node].bridge;
    }
  }
  return {};
}

}  // namespace

bool is_about_bridge(Code code) {
  return code == Code::kFloodNoLearning || code == Code::kFloodTableFull ||
         code == Code::kBlackholeSuppressed || code == Code::kFloodLeak || code == Code::kLeakLatent ||
         code == Code::kFloodBypass || code == Code::kFloodVeb;
}

const model::FlowRule* bypass(const Learning& l, const Flood& flood) {
  const Model& m = l.model();
  const model::Bridge& bridge = m[l.forest()[flood.node].bridge];
  if (bridge.flow_rules.empty()) return nullptr;
  for (const std::uint32_t i : l.streams_from(flood.destination)) {
    const Stream& stream = l.streams()[i];
    if (!l.possible(i)) continue;
    const Trace passing = trace(l, stream.from, stream.to, is_arp(stream));
    const Visit* visit = passing.at(flood.node);
    if (visit == nullptr || visit->taught) continue;
    const wire::Mac to = stream.to.valid() ? m[stream.to].mac : wire::kBroadcast;
    return switching::match_rule(bridge, visit->in, to, is_arp(stream));
  }
  return nullptr;
}

Cause cause_of(const Learning& l, const Flood& flood) {
  const Model& m = l.model();
  const BridgeId bridge = l.forest()[flood.node].bridge;
  const std::uint32_t station = flood.destination.value;
  const Presence p = l.presence(flood.node, flood.toward, flood.destination);
  const bool learns = m[bridge].learning && m[bridge].ageing.count() > 0 && m[flood.toward].learning;
  if (!learns) return {Code::kFloodNoLearning, bridge.value};
  if (l.overfull(bridge)) {
    return {Code::kFloodTableFull, bridge.value, l.certain_addresses(bridge) > m[bridge].table_size};
  }
  if (const BridgeId veb = misled_by_veb(l, flood); veb.valid() && p.never())
    return {Code::kFloodVeb, veb.value};
  // What hides its address is never learnt, however much it sends.
  if (const auto cluster = findings::cluster_with(m, m[flood.destination].mac); cluster.valid() && p.never())
    return {flood.withheld ? Code::kBlackholeSuppressed : Code::kFloodMasked,
            flood.withheld ? bridge.value : findings::nics_of(m[cluster]).front().value};
  // Timing decides whether anything floods at all.
  if (p.most >= 1 && !p.never()) return {Code::kFloodUndecided, station, false};
  if (flood.withheld) return {Code::kBlackholeSuppressed, bridge.value};
  if (const BridgeId leak = leaking_bridge(l, flood); leak.valid()) return {Code::kFloodLeak, leak.value};
  if (bypass(l, flood) != nullptr) return {Code::kFloodBypass, bridge.value};
  if (!p.never()) return {Code::kFloodTimers, station};
  return {sends_anything(l, flood.destination) ? Code::kFloodAsymmetric : Code::kFloodSilent, station};
}

}  // namespace sekimori::load
