// A bond and the switches at its other end must agree on what they are to each other (switching/bond.h).
//
// Modes that send one MAC by several NICs at once (balance-rr, balance-xor, broadcast) need one link
// aggregation group outside: else its address is heard at several ports, and the entry moves with the frames
// (`flap-teaming`). With one, `broadcast` sends everything twice: it is for networks that do not meet. Modes
// in which one NIC listens (active-backup, balance-tlb; of balance-alb each for its own MAC) need *no* group:
// a switch spreads what it sends over the members of one, and what it sends to a NIC that stands by is lost,
// conversation by conversation. 802.3ad without a group that answers works with one NIC: nothing is lost but
// what the others were bought for.
//
// Sources: Documentation/networking/bonding.rst, "Configuring Bonding for Maximum Throughput" and "Switch
// Configuration"; Red Hat, "Which bonding modes work when used with a bridge that virtual machine guests
// connect to?" (access.redhat.com/solutions/67546).
#include <fmt/format.h>

#include <algorithm>

#include "check/teams.h"
#include "check/words.h"
#include "switching/bond.h"

namespace sekimori::check {
namespace {

using model::BondMode;
using model::BridgeId;
using model::PortId;

findings::Finding about(const model::Model& m, BridgeId bond, findings::Code code) {
  findings::Finding f = proved(code);
  f.bridge = bond;
  f.line = m[bond].line;
  f.where = name_of(m, bond);
  return f;
}

// Members of one group, of which there is another among them.
std::vector<PortId> grouped(const model::Model& m, const std::vector<PortId>& outside) {
  std::vector<PortId> list;
  for (const PortId port : outside) {
    const auto alike = [&](PortId other) {
      return m[other].lag == m[port].lag && m[other].bridge == m[port].bridge;
    };
    if (m[port].lag != 0 && std::ranges::count_if(outside, alike) > 1) list.push_back(port);
  }
  return list;
}

findings::Finding flaps(const model::Model& m, BridgeId bond, const std::vector<PortId>& outside) {
  findings::Finding f = about(m, bond, findings::Code::kFlapTeaming);
  f.headline = fmt::format("{} sends from one MAC by {} NICs, and nothing outside knows that they are one",
                           f.where, outside.size());
  f.cause = fmt::format(
      "{} is a bond in mode {}, which sends {}. {} are independent ports: whoever is there hears one address "
      "at all of them in turn, moves its entry each time and sends what comes back to the last. {}The mode "
      "needs a link aggregation group at the other end; without one, take active-backup.",
      f.where, to_text(m[bond].bond_mode),
      m[bond].bond_mode == BondMode::kBroadcast   ? "every frame by all NICs"
      : m[bond].bond_mode == BondMode::kBalanceRr ? "each frame by the next NIC"
                                                  : "each conversation by a NIC of its own",
      names(m, outside),
      m[bond].bond_mode == BondMode::kBroadcast
          ? "Every frame arrives as often as there are NICs. "
          : "A frame for everybody comes back to the bond by the NICs that it did not leave by, and a bridge "
            "above the bond then takes its own guests to be outside. ");
  return f;
}

findings::Finding deaf(const model::Model& m, BridgeId bond, const std::vector<PortId>& members) {
  findings::Finding f = about(m, bond, findings::Code::kBondMismatch);
  f.headline = fmt::format("{} listens at one NIC, and the switch spreads its frames over {}", f.where,
                           members.size());
  f.cause = fmt::format(
      "{} is a bond in mode {}: {}. But {} are one link aggregation group of {}, which sends each "
      "conversation "
      "by the member that its hash gives. Those that it gives to another NIC are lost, always the same ones; "
      "pings from one machine work, from the next they don't.",
      f.where, to_text(m[bond].bond_mode),
      m[bond].bond_mode == BondMode::kBalanceAlb ? "what is for everybody it takes at the active NIC only, "
                                                   "and of the rest each NIC takes what is for "
                                                   "its own MAC"
                                                 : "it takes frames at the active NIC only",
      names(m, members), name_of(m, m[members.front()].bridge));
  return f;
}

findings::Finding twice(const model::Model& m, BridgeId bond, const std::vector<PortId>& outside) {
  findings::Finding f = about(m, bond, findings::Code::kBondMismatch);
  f.headline = fmt::format("{} sends every frame {} times into one network", f.where, outside.size());
  f.cause = fmt::format(
      "{} is a bond in mode broadcast, which sends every frame by all NICs, for networks that do not meet. "
      "{} "
      "are one link aggregation group: the switch takes each copy for a frame of its own and hands all on.",
      f.where, names(m, outside));
  return f;
}

findings::Finding alone(const model::Model& m, BridgeId bond, const std::vector<PortId>& outside) {
  findings::Finding f = about(m, bond, findings::Code::kBondMismatch);
  f.severity = findings::Severity::kWarning;
  f.headline =
      fmt::format("{} has {} NICs, and nobody outside to aggregate them with", f.where, outside.size());
  f.cause = fmt::format(
      "{} is a bond in mode 802.3ad, and {} are {}. NICs whose far ends are not one group do not aggregate: "
      "one of them, or one group, works, and the others stand by.",
      f.where, names(m, outside),
      grouped(m, outside).empty() ? "in no link aggregation group" : "not all in one link aggregation group");
  return f;
}

}  // namespace

void rule_bond_mismatch(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    const model::Bridge& bond = m.bridges[b];
    if (bond.kind != model::BridgeKind::kBond) continue;
    const std::vector<PortId> outside = opposite(m, bond);
    if (outside.size() < 2) continue;
    const BridgeId id(b);
    if (switching::needs_aggregation(bond.bond_mode)) {
      if (!are_one(m, outside) && meet_outside(m, outside, id)) {
        out.push_back(flaps(m, id, outside));
      } else if (are_one(m, outside) && bond.bond_mode == BondMode::kBroadcast) {
        out.push_back(twice(m, id, outside));
      }
    } else if (bond.bond_mode == BondMode::kLacp) {
      if (!are_one(m, outside)) out.push_back(alone(m, id, outside));
    } else if (const auto members = grouped(m, outside); !members.empty()) {
      out.push_back(deaf(m, id, members));
    }
  }
}

}  // namespace sekimori::check
