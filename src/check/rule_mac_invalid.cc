// Addresses that a NIC must not have, or that claim to be something they are not.
//
// The first bit on the wire says group, the second says locally administered (IEEE 802-2014 section 8.2). As
// a source address a group address or zero is invalid; switches drop or miscount such frames. The site reader
// refuses both, so here they come from other sources only.
//
// A virtual NIC has no ROM. Its address should be locally administered, or from the block of a maker of
// virtual NICs (registered with the IEEE: https://standards-oui.ieee.org/oui/oui.txt). One from a maker of
// hardware was copied from a card or made up; the card with that address may turn up in the segment, and who
// looks for the guest by its address looks for the wrong machine. A note, as migrations from hardware keep
// the address on purpose.
#include <fmt/format.h>

#include <algorithm>

#include "check/words.h"
#include "wire/mac_kinds.h"

namespace sekimori::check {
namespace {

using model::MacOrigin;
using model::StationId;

void tell_invalid(const model::Model& m, const std::vector<StationId>& stations,
                  std::vector<findings::Finding>& out) {
  if (stations.empty()) return;
  findings::Finding f = proved(findings::Code::kMacInvalid);
  f.severity = findings::Severity::kError;
  f.stations = stations;
  f.where = names(m, stations);
  f.line = m[stations.front()].line;
  f.headline = fmt::format("{} cannot have the MAC {}", f.where, wire::to_text(m[stations.front()].mac));
  f.cause =
      "A group address (first octet odd) or zero is no source address: switches do not learn it, and some "
      "drop the frame.";
  out.push_back(std::move(f));
}

void tell_hardware(const model::Model& m, const std::vector<StationId>& stations,
                   std::vector<findings::Finding>& out) {
  if (stations.empty()) return;
  const bool is_one = stations.size() == 1;
  findings::Finding f = proved(findings::Code::kMacInvalid);
  f.stations = stations;
  f.where = names(m, stations);
  f.line = m[stations.front()].line;
  f.headline = fmt::format("{} of guests {} a hardware maker's address: {}", count(stations.size(), "NIC"),
                           is_one ? "has" : "have", f.where);
  f.cause = fmt::format(
      "{} is neither locally administered (second bit of the first octet) nor from the block of a maker of "
      "virtual NICs. If it was copied from a card, that card must never come into the same segment.",
      wire::to_text(m[stations.front()].mac));
  out.push_back(std::move(f));
}

}  // namespace

void rule_mac_invalid(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  std::vector<StationId> invalid, hardware;
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    const model::Station& station = m.stations[s];
    if (station.shared.valid()) continue;
    if (station.mac.is_group() || station.mac.is_zero()) {
      invalid.emplace_back(s);
    } else if (m[station.machine].kind == model::MachineKind::kGuest &&
               (station.mac_origin == MacOrigin::kDeclared || station.mac_origin == MacOrigin::kDrawn) &&
               wire::looks_like_hardware(station.mac)) {
      hardware.emplace_back(s);
    }
  }
  tell_invalid(m, invalid, out);
  tell_hardware(m, hardware, out);
}

}  // namespace sekimori::check
