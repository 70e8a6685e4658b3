#include "remedy/multicast.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "model/multicast.h"

namespace sekimori::remedy {

using findings::Finding;
using model::BridgeId;
using model::BridgeKind;
using model::Model;
using model::PortId;
using model::StationId;

namespace {

// An address of the subnet of some station in the segment that nobody has: the last free one.
std::optional<model::Ipv4> free_address(const Model& m, const Finding& f) {
  for (const StationId s : f.stations) {
    const model::Ipv4Prefix& ip = m[s].ip;
    if (ip.address.is_zero() || ip.length > 30) continue;
    for (std::uint32_t host = (ip.network().bits | ~ip.mask()) - 1; host > ip.network().bits; --host) {
      const auto has = [&](const model::Station& other) { return other.ip.address.bits == host; };
      if (std::ranges::none_of(m.stations, has)) return model::Ipv4{host};
    }
  }
  return std::nullopt;
}

bool can_ask(const Model& m, BridgeId b) {
  return m[b].kind == BridgeKind::kSwitch || m[b].kind == BridgeKind::kLinuxBridge;
}

}  // namespace

// Who asks who is in which group: the switch at fault, with an address, so that others see where the answers
// are to go. Open vSwitch never asks; a switch beside it does then.
std::optional<Trial> querier(const Model& m, const Finding& f) {
  Trial trial{"querier", {}, m};
  BridgeId chosen;
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    if (m.bridges[b].querier) chosen = BridgeId(b);
  }
  if (!chosen.valid() && can_ask(m, f.bridge)) chosen = f.bridge;
  for (const PortId port : m[f.bridge].ports) {
    const PortId far = peer(m, port);
    if (!chosen.valid() && far.valid() && m[far].bridge.valid() && can_ask(m, m[far].bridge))
      chosen = m[far].bridge;
  }
  const auto address = free_address(m, f);
  if (!chosen.valid() || !address || m[chosen].querier_ip == *address) return std::nullopt;
  model::Bridge& bridge = trial.model[chosen];
  bridge.snoops = bridge.querier = true;
  bridge.querier_ip = *address;
  trial.description = fmt::format("a querier with an address: `multicast-querier: {}` at {}",
                                  wire::to_text(*address), name_of(m, chosen));
  return trial;
}

std::optional<Trial> flood_unregistered(const Model& m, const Finding& f) {
  if (m[f.bridge].floods_unregistered || m[f.bridge].kind == BridgeKind::kLinuxBridge) return std::nullopt;
  Trial trial{"flood-unregistered",
              fmt::format("`unregistered-multicast: flood` at {}", name_of(m, f.bridge)), m};
  trial.model[f.bridge].floods_unregistered = true;
  return trial;
}

std::optional<Trial> no_snooping(const Model& m, const Finding& f) {
  Trial trial{"no-snooping", fmt::format("`multicast-snooping: off` at {}", name_of(m, f.bridge)), m};
  trial.model[f.bridge].snoops = trial.model[f.bridge].querier = false;
  return trial;
}

// Snooping at all switches of the site that can, and somebody who asks.
std::optional<Trial> snooping(const Model& m, const Finding& f) {
  Trial trial{"snooping", {}, m};
  const auto address = free_address(m, f);
  if (!address) return std::nullopt;
  std::vector<std::string> changed;
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    const BridgeKind kind = m.bridges[b].kind;
    if (m.bridges[b].snoops || (kind != BridgeKind::kSwitch && kind != BridgeKind::kOvs)) continue;
    trial.model[BridgeId(b)].snoops = true;
    changed.push_back(name_of(m, BridgeId(b)));
  }
  const bool is_asked = model::has_querier(m);
  if (!is_asked) {
    if (!can_ask(m, f.bridge)) return std::nullopt;
    trial.model[f.bridge].querier = true;
    trial.model[f.bridge].querier_ip = *address;
  }
  if (changed.empty() && is_asked) return std::nullopt;
  trial.description = changed.empty()
                          ? std::string()
                          : fmt::format("`multicast-snooping: on` at {}", base::list_words(changed, 4));
  if (!is_asked)
    trial.description += fmt::format("{}`multicast-querier: {}` at {}", changed.empty() ? "" : ", and ",
                                     wire::to_text(*address), name_of(m, f.bridge));
  return trial;
}

}  // namespace sekimori::remedy
