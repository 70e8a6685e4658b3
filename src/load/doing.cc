#include "load/doing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "switching/kinds.h"
#include "switching/vlan.h"

namespace sekimori::load {

using check::NodeIndex;
using model::BridgeKind;
using model::PortId;
using model::PortRole;
using model::StationId;

namespace {

constexpr std::size_t kMostPorts = 5;  // named; the others are counted

std::string number_of(std::size_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

}  // namespace

std::string_view to_text(Action action) {
  switch (action) {
    case Action::kForwards:
      return "forwards";
    case Action::kFloods:
      return "floods";
    case Action::kForwardsOrFloods:
      return "forwards-or-floods";
    case Action::kFilters:
      return "filters";
    case Action::kFiltersOrFloods:
      return "filters-or-floods";
    case Action::kRepeats:
      return "repeats";
    case Action::kHandsOn:
      return "hands-on";
    case Action::kDrops:
      return "drops";
    case Action::kForwardsOrDrops:
      return "forwards-or-drops";
  }
  return "?";
}

std::uint16_t DoingTeller::tag(NodeIndex node, PortId port) const {
  const check::Node& n = l_.forest()[node];
  if (!m_[n.bridge].vlan_aware) return n.vlan;
  return switching::egress_tag(m_[port], m_.vlan_sets[m_[port].tagged_vlans], n.vlan).value_or(0);
}

std::string DoingTeller::port(NodeIndex node, PortId id) const {
  const PortId far = peer(m_, id);
  std::string behind;
  if (!far.valid())
    behind = "nothing";
  else if (m_[far].station.valid())
    behind = name_of(m_, m_[far].station);
  else
    behind = "to " + name_of(m_, m_[far].bridge);
  if (m_[id].name.empty()) return "the port of " + behind;
  const std::uint16_t vid = tag(node, id);
  if (vid != 0) behind += fmt::format(", tagged {}", vid);
  return fmt::format("{} ({})", m_[id].name, behind);
}

std::string DoingTeller::ports(NodeIndex node, const std::vector<PortId>& list) const {
  std::vector<std::string> names;
  names.reserve(list.size());
  for (const PortId id : list) names.push_back(port(node, id));
  return base::list_words(names, kMostPorts);
}

// Why nothing goes on to the destination, whatever the table holds; empty when it does.
std::string DoingTeller::bar(const Visit& v) const {
  if (v.toward == v.in || v.onward.most > 0) return "";
  if (m_[v.in].isolated && m_[v.toward].isolated) {
    return fmt::format("{} and {} are isolated from each other", name_of(m_, v.in), name_of(m_, v.toward));
  }
  if (m_[v.toward].guard)
    return fmt::format("the guard at {} lets out nothing for the machine's own guests",
                       name_of(m_, v.toward));
  return "";
}

Doing DoingTeller::tell(const Visit& v, const EntryStory& entry) const {
  const BridgeKind kind = m_[l_.forest()[v.node].bridge].kind;
  if (kind == BridgeKind::kHostedBridge) return tell_hosted(v);
  if (switching::registers(kind)) return tell_registered(v);
  if (!switching::passes_on(kind)) return tell_switch(v, entry);
  Doing doing{Action::kRepeats, {}, bar(v)};
  std::vector<PortId> out = v.copies;
  if (v.aside == 0 && v.onward.most > 0) out.insert(out.begin(), v.toward);
  if (!doing.drop_reason.empty()) doing.action = Action::kDrops;
  if (kind == BridgeKind::kVlanDevices && !out.empty())
    doing.says.push_back(fmt::format("By their tag they go to {}.", ports(v.node, out)));
  else if (kind == BridgeKind::kBond)
    doing.says.push_back(out.empty() ? "None of its NICs works."
                                     : fmt::format("Passes them on: {}.", ports(v.node, out)));
  else
    doing.says.push_back(
        out.empty()
            ? (kind == BridgeKind::kVlanDevices ? "Nobody takes them there." : "Nobody else is connected.")
            : fmt::format("Repeats them out of all other ports: {}.", ports(v.node, out)));
  tell_spared(v, doing);
  return doing;
}

Doing DoingTeller::tell_switch(const Visit& v, const EntryStory& entry) const {
  Doing doing;
  if (!v.taught) {
    doing.action = v.onward.most > 0 ? Action::kForwards : Action::kDrops;
    if (v.onward.most <= 0) doing.drop_reason = "a flow outputs them elsewhere";
    std::vector<PortId> out = v.copies;
    if (v.onward.most > 0) out.insert(out.begin(), v.toward);
    doing.says.push_back(out.empty()
                             ? "A flow drops them, and nothing is learnt of their sender."
                             : fmt::format("A flow outputs them to {}, without NORMAL: nothing is learnt "
                                           "of their sender.",
                                           ports(v.node, out)));
    return doing;
  }
  const bool off = v.toward == v.in;
  const bool always = entry.presence.never(), never = v.unknown.most <= 0;
  const std::string count = number_of(v.copies.size(), off ? "port" : "further port");
  const std::string list = ports(v.node, v.copies);
  const std::string reason = bar(v);
  if (off) {
    if (never) {
      doing.action = Action::kFilters;
      doing.says.push_back("Drops them: that is where they came in.");
      return doing;
    }
    doing.action = always ? Action::kFloods : Action::kFiltersOrFloods;
    const std::string flood = v.copies.empty() ? "Has no other port to flood them to"
                                               : fmt::format("Floods them out of {}: {}", count, list);
    doing.says.push_back(flood +
                         (always ? "."
                                 : fmt::format("{} while it has no entry, and drops them while it has one.",
                                               v.copies.empty() ? "" : ",")));
  } else if (!reason.empty()) {
    doing.action = Action::kDrops;
    doing.drop_reason = reason;
    doing.says.push_back(fmt::format("Drops them: {}.", reason));
    if (!v.copies.empty())
      doing.says.push_back(fmt::format("But it floods copies out of {}: {}.", count, list));
  } else if (never) {
    doing.says.push_back(fmt::format("Forwards them out of {}.", port(v.node, v.toward)));
  } else if (!m_[v.toward].floods_unknown) {
    doing.drop_reason = fmt::format("{} takes no unknown unicast (flood: off)", name_of(m_, v.toward));
    doing.action = always ? Action::kDrops : Action::kForwardsOrDrops;
    doing.says.push_back(always ? fmt::format("Drops them, as {}.", doing.drop_reason)
                                : fmt::format("Forwards them out of {} while it has the entry, and drops "
                                              "them otherwise, as {}.",
                                              port(v.node, v.toward), doing.drop_reason));
    if (!v.copies.empty())
      doing.says.push_back(fmt::format("Without an entry it floods them out of {}: {}.", count, list));
  } else if (always) {
    doing.action = Action::kFloods;
    doing.says.push_back(
        v.copies.empty()
            ? fmt::format("Floods them, but there is no other port than {}.", port(v.node, v.toward))
            : fmt::format("Floods them: out of {}, as it should, and out of {}: {}.", port(v.node, v.toward),
                          count, list));
  } else {
    doing.action = Action::kForwardsOrFloods;
    doing.says.push_back(fmt::format(
        "Forwards them out of {}{}.", port(v.node, v.toward),
        v.copies.empty() ? ", the only other port"
                         : fmt::format("; while it has no entry, out of {} as well: {}", count, list)));
  }
  tell_spared(v, doing);
  return doing;
}

Doing DoingTeller::tell_hosted(const Visit& v) const {
  Doing doing{Action::kHandsOn, {}, bar(v)};
  const model::Bridge& bridge = m_[l_.forest()[v.node].bridge];
  const PortRole from = m_[v.in].role, to = m_[v.toward].role;
  const std::string host = name_of(m_, bridge.machine);
  const auto leak = std::ranges::find_if(v.copies, [&](PortId p) { return m_[p].role == PortRole::kUplink; });
  const auto up = std::ranges::find_if(v.copies, [&](PortId p) { return m_[p].role == PortRole::kHost; });
  std::vector<PortId> guests;
  for (const PortId p : v.copies) {
    if (m_[p].role == PortRole::kGuest) guests.push_back(p);
  }
  if (v.toward == v.in) {
    doing.action = Action::kFilters;
    doing.says.push_back(
        up != v.copies.end()
            ? fmt::format("{} hears them and ignores them; none of the guests gets them.", host)
            : "Drops them: they are for nobody here.");
  } else if (v.onward.most <= 0) {
    doing.action = Action::kDrops;
    if (doing.drop_reason.empty()) doing.drop_reason = name_of(m_, v.toward) + " gets nothing from there";
    doing.says.push_back(fmt::format("Drops them: {}.", doing.drop_reason));
  } else if (to == PortRole::kUplink) {
    doing.says.push_back(fmt::format("Sends them out of {}.", port(v.node, v.toward)));
  } else if (to == PortRole::kHost && from == PortRole::kGuest) {
    doing.says.push_back(fmt::format(
        "Hands them up to its own host, {}. They stay inside the machine: no switch outside sees them.",
        host));
  } else {
    doing.says.push_back(fmt::format("Hands them to {}.", name_of(m_, peer(m_, v.toward))));
  }
  if (leak != v.copies.end()) {
    doing.says.push_back(
        from == PortRole::kHost
            ? fmt::format("Sends the same frames out of {} as well: what its host sends always goes out of "
                          "the NIC, also when it is for one of its guests.",
                          port(v.node, *leak))
            : fmt::format("Sends the same frames out of {} as well: only what is for its own host stays "
                          "inside.",
                          port(v.node, *leak)));
  } else if (from == PortRole::kHost && to == PortRole::kGuest) {
    const auto uplink = std::ranges::find_if(
        bridge.ports, [&](PortId p) { return m_[p].role == PortRole::kUplink && l_.forest().usable(p); });
    if (bridge.filters_local) {
      doing.says.emplace_back("Nothing of it goes out of the NIC (filters-local).");
    } else if (uplink != bridge.ports.end() && m_[*uplink].guard) {
      doing.says.push_back(
          fmt::format("The guard at {} drops the copy that would leave the machine.", name_of(m_, *uplink)));
    }
  }
  if (up != v.copies.end() && v.toward != v.in && from == PortRole::kUplink)
    doing.says.push_back(fmt::format("{} hears them as well, and ignores them.", host));
  if (!guests.empty()) {
    doing.says.push_back(
        fmt::format("Guests that bridge get everything: copies go out of {}.", ports(v.node, guests)));
  }
  return doing;
}

Doing DoingTeller::tell_registered(const Visit& v) const {
  Doing doing{Action::kHandsOn, {}, bar(v)};
  const auto out = std::ranges::find_if(v.copies, [&](PortId p) { return m_[p].role == PortRole::kUplink; });
  if (v.toward == v.in) {
    doing.action = v.copies.empty() ? Action::kFilters : Action::kHandsOn;
    doing.says.push_back(v.copies.empty() ? "Drops them: they are for nobody here."
                                          : fmt::format("They are for nobody here; copies go out of {}.",
                                                        ports(v.node, v.copies)));
    return doing;
  }
  if (v.onward.most > 0) {
    doing.says.push_back(m_[v.toward].role == PortRole::kUplink
                             ? fmt::format("Sends them out of {}.", port(v.node, v.toward))
                             : fmt::format("Hands them to {}.", name_of(m_, peer(m_, v.toward))));
    if (!v.copies.empty()) doing.says.push_back(fmt::format("Copies go out of {}.", ports(v.node, v.copies)));
    return doing;
  }
  doing.action = Action::kDrops;
  if (doing.drop_reason.empty()) {
    doing.drop_reason = fmt::format(
        "it hands nothing from {} to {}, for it knows only the addresses of the NICs "
        "plugged into it",
        port(v.node, v.in), port(v.node, v.toward));
  }
  doing.says.push_back(out != v.copies.end() ? fmt::format("Sends them out of {} alone: {}.",
                                                           port(v.node, *out), doing.drop_reason)
                                             : fmt::format("Drops them: {}.", doing.drop_reason));
  return doing;
}

// Ports that a flood spares, with the reason, and what else may drop frames here.
void DoingTeller::tell_spared(const Visit& v, Doing& doing) const {
  const check::Node& n = l_.forest()[v.node];
  std::vector<PortId> blocked, quiet, apart;
  for (const PortId id : m_[n.bridge].ports) {
    if (id == v.in || id == v.toward || !m_[id].link.valid() || !carries(m_, id, n.vlan)) continue;
    const model::Link& link = m_[m_[id].link];
    const StationId station = m_[peer(m_, id)].station;
    const bool alive = link.up && (!station.valid() || m_[m_[station].machine].running);
    // A link is out of use when either end is blocked.
    const bool in_use = l_.forest().usable(id) && l_.forest().usable(peer(m_, id));
    if (alive && !in_use) blocked.push_back(id);
    if (!l_.forest().usable(id) || std::ranges::find(v.copies, id) != v.copies.end()) continue;
    if (m_[v.in].isolated && m_[id].isolated)
      apart.push_back(id);
    else if (v.unknown.most > 0 && !m_[id].floods_unknown && m_[id].role != PortRole::kHost)
      quiet.push_back(id);
  }
  if (!blocked.empty())
    doing.says.push_back(fmt::format("The spanning tree keeps {} out of use.", ports(v.node, blocked)));
  if (!quiet.empty())
    doing.says.push_back(
        fmt::format("Not out of {}: no unknown unicast there (flood: off).", ports(v.node, quiet)));
  if (!apart.empty())
    doing.says.push_back(
        fmt::format("Not out of {}: isolated, as {} is.", ports(v.node, apart), name_of(m_, v.in)));
  if (m_[v.in].mac_limit != 0) {
    doing.says.push_back(fmt::format("The limit of {} addresses at {} may drop frames of others.",
                                     m_[v.in].mac_limit, name_of(m_, v.in)));
  }
  const bool stormy = m_.storm_controls[m_[v.in].storm_control].unknown_unicast.bits_per_second > 0;
  if (stormy && v.unknown.most > 0) {
    doing.says.push_back(
        fmt::format("Storm control at {} drops unknown unicast above {}.", name_of(m_, v.in),
                    base::to_text(m_.storm_controls[m_[v.in].storm_control].unknown_unicast)));
  }
}

}  // namespace sekimori::load
