#include "switching/snooping.h"

#include <algorithm>

#include "base/assert.h"

namespace sekimori::switching {

namespace {

bool is_nobody(const Group& source) {
  return source.is_zero() || (wire::is_ipv4(source) && wire::ipv4_of(source).is_zero());
}

}  // namespace

bool is_for_everybody(const Group& group) {
  return wire::is_ipv4(group) ? wire::ipv4_of(group).bits >> 8 == 0xe0'0000 : group == wire::kAllNodes;
}

Snooping::Snooping(const model::Bridge& bridge)
    : is_linux_(bridge.kind == model::BridgeKind::kLinuxBridge),
      leaves_at_once_(bridge.kind == model::BridgeKind::kOvs),
      queries_(bridge.querier),
      floods_unregistered_(bridge.floods_unregistered),
      membership_(leaves_at_once_ ? base::seconds(300) : kMembershipInterval) {}

Heard Snooping::hear(std::uint16_t vlan, const wire::Listening& message, std::uint32_t port, Time now) {
  using Kind = wire::Listening::Kind;
  SEKIMORI_ASSERT(message.kind != Kind::kGarbled);
  const Duration patience = base::milliseconds(message.patience_ms);
  switch (message.kind) {
    case Kind::kOldReport:
      join(vlan, message.group, port, now);
      return Heard::kOldReport;
    case Kind::kLeave:
      leave(vlan, message.group, port, now);
      return Heard::kLeave;
    case Kind::kReport:
      for (const auto& record : message.records) {
        if (record.leaves)
          leave(vlan, record.group, port, now);
        else
          join(vlan, record.group, port, now);
      }
      return Heard::kReport;
    default:
      break;
  }
  // br_ip6_multicast_query makes nothing of a question of MLDv1 that leaves no time to answer.
  const bool is_void = is_linux_ && message.ipv6 && message.is_old_query && message.patience_ms == 0;
  if (message.about_sources || is_void) return Heard::kQuery;
  if (message.group.is_zero())
    query(vlan, message.source, patience, port, now);
  else
    query_group(vlan, message.source, message.group, patience, port, now);
  return Heard::kQuery;
}

void Snooping::extend(std::vector<Until>& list, std::uint32_t port, Time until) {
  const auto known = std::ranges::find(list, port, &Until::port);
  if (known == list.end())
    list.push_back({port, until});
  else
    known->until = until;
}

void Snooping::join(std::uint16_t vlan, const Group& group, std::uint32_t port, Time now) {
  if (is_for_everybody(group)) return;
  const Key key{vlan, group};
  if (!groups_.contains(key) && groups_.size() >= kMostGroups) {
    std::erase_if(groups_, [&](const auto& entry) {
      return std::ranges::all_of(entry.second, [&](const Until& member) { return member.until <= now; });
    });
    if (groups_.size() >= kMostGroups) {
      overflowed_ = is_linux_;
      return;
    }
  }
  extend(groups_[key], port, now + membership_);
}

void Snooping::shorten(Key key, std::optional<std::uint32_t> port, Time until) {
  const auto known = groups_.find(key);
  if (known == groups_.end()) return;
  for (Until& member : known->second) {
    if (!port || member.port == *port) member.until = std::min(member.until, until);
  }
}

void Snooping::leave(std::uint16_t vlan, const Group& group, std::uint32_t port, Time now) {
  const bool ipv6 = !wire::is_ipv4(group);
  // Another querier will ask for the group, which query_group() hears (br_multicast_leave_group).
  const Querier* querier = find_querier(vlan, ipv6);
  if (is_linux_ && querier != nullptr && querier->other_until > now) return;
  shorten({vlan, group}, port, leaves_at_once_ ? now : now + kLastMember);
}

// The lowest address asks (RFC 3376 section 6.6.2); who has none, yields (br_multicast_select_querier).
bool Snooping::elects(const Querier& querier, const Group& source, Time now) const {
  // One of Linux that has no IPv6 address to ask from yields to nobody, as its timer runs nevertheless and
  // its own address counts as :: (br_multicast_send_query, br_multicast_select_querier).
  if (is_linux_ && queries_ && !querier.is_own && !wire::is_ipv4(source)) return false;
  const bool asks = querier.asked >= Time{0}, heard = querier.other_until > now;
  return (!asks && !heard) || is_nobody(querier.elected) || source <= querier.elected;
}

void Snooping::query(std::uint16_t vlan, const Group& source, Duration patience, std::uint32_t port,
                     Time now) {
  Querier& state = querier(vlan, !wire::is_ipv4(source));
  const bool is_elected = elects(state, source, now);
  if (is_elected) {
    state.elected = source;
    if (state.other_until <= now) state.believed_from = now + patience;
    state.other_until = now + kOtherQuerier;
    state.asked = Time{-1};
  }
  // Linux hears the elected one only, but also without an address: reports must get there.
  if (is_linux_ ? is_elected : !is_nobody(source)) extend(state.routers, port, now + kOtherQuerier);
}

void Snooping::query_group(std::uint16_t vlan, const Group& source, const Group& group, Duration patience,
                           std::uint32_t port, Time now) {
  if (!is_linux_ && !is_nobody(source))
    extend(querier(vlan, !wire::is_ipv4(group)).routers, port, now + kOtherQuerier);
  if (!leaves_at_once_) shorten({vlan, group}, std::nullopt, now + 2 * patience);
}

bool Snooping::asks(std::uint16_t vlan, const Group& own, Time now) {
  if (!queries_) return false;
  Querier& state = querier(vlan, !wire::is_ipv4(own));
  if (!state.is_own && state.other_until <= now) state.believed_from = now + kQueryResponse;
  state.is_own = true;
  if (state.other_until > now) return false;
  state.asked = now;
  state.elected = own;
  return true;
}

bool Snooping::has_querier(std::uint16_t vlan, bool ipv6, Time now) const {
  const Querier* state = find_querier(vlan, ipv6);
  return state != nullptr && now >= state->believed_from && (state->is_own || state->other_until > now);
}

Spread Snooping::spread(std::uint16_t vlan, const Group& group, Heard heard, Time now) const {
  if (overflowed_ || heard == Heard::kQuery) return Spread::kEverywhere;
  const bool ipv6 = !wire::is_ipv4(group);
  if (heard != Heard::kPacket) {
    if (!is_linux_) return Spread::kRouters;
    return heard == Heard::kOldReport && has_querier(vlan, ipv6, now) ? Spread::kRouters
                                                                      : Spread::kEverywhere;
  }
  if (is_for_everybody(group)) return Spread::kEverywhere;
  if (is_linux_) return has_querier(vlan, ipv6, now) ? Spread::kMembers : Spread::kEverywhere;
  const auto known = groups_.find({vlan, group});
  if (known != groups_.end() &&
      std::ranges::any_of(known->second, [&](const Until& member) { return member.until > now; }))
    return Spread::kMembers;
  return floods_unregistered_ ? Spread::kEverywhere : Spread::kRouters;
}

const std::vector<std::uint32_t>& Snooping::ports(std::uint16_t vlan, const Group& group, Spread spread,
                                                  Time now) {
  ports_ = router_ports(vlan, !wire::is_ipv4(group), now);
  const auto known = groups_.find({vlan, group});
  if (spread != Spread::kMembers || known == groups_.end()) return ports_;
  for (const Until& member : known->second) {
    if (member.until > now && std::ranges::find(ports_, member.port) == ports_.end())
      ports_.push_back(member.port);
  }
  return ports_;
}

void Snooping::forget_port(std::uint32_t port) {
  for (auto& [key, members] : groups_) std::erase_if(members, [&](const Until& m) { return m.port == port; });
  for (auto& [key, state] : queriers_)
    std::erase_if(state.routers, [&](const Until& r) { return r.port == port; });
}

std::vector<Snooping::Member> Snooping::members(Time now) const {
  std::vector<Member> list;
  for (const auto& [key, members] : groups_) {
    for (const Until& member : members) {
      if (member.until > now) list.push_back({key.vlan, key.group, member.port});
    }
  }
  std::ranges::sort(list);
  return list;
}

std::vector<std::uint32_t> Snooping::router_ports(std::uint16_t vlan, bool ipv6, Time now) const {
  std::vector<std::uint32_t> list;
  if (const Querier* state = find_querier(vlan, ipv6); state != nullptr) {
    for (const Until& router : state->routers) {
      if (router.until > now) list.push_back(router.port);
    }
  }
  return list;
}

}  // namespace sekimori::switching
