// Addresses that several machines share: clusters and first-hop redundancy.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"
#include "model/nlb.h"
#include "model/shared.h"

namespace sekimori::importers {

using model::SharedAddress;
using model::SharedKind;
using model::StationId;

namespace {

constexpr Bounds<std::int64_t> kVridBounds{"vrid", 1, 255};
constexpr Bounds<std::int64_t> kGroupBounds{"group", 0, 255};
constexpr Bounds<std::int64_t> kGroup2Bounds{"group", 0, 4095};
constexpr Bounds<std::int64_t> kVersionBounds{"version", 1, 2};
constexpr Bounds<std::int64_t> kMemberPriorityBounds{"priority", 1, 255};
constexpr Bounds<model::Duration> kVrrpInterval{"interval", base::milliseconds(10),
                                                base::milliseconds(40'950)};
constexpr Bounds<model::Duration> kHsrpInterval{"interval", base::milliseconds(15), base::seconds(254)};
constexpr std::size_t kMostMembers = 32;  // of an NLB cluster; routers are fewer

// Whoever is named first is the best, unless the file says otherwise.
std::uint8_t default_priority(std::size_t number) {
  return static_cast<std::uint8_t>(std::max<std::int64_t>(110 - 10 * static_cast<std::int64_t>(number), 1));
}

}  // namespace

const SharedAddress* SiteReader::find_shared(std::string_view name) const {
  const auto found = std::ranges::find(model().shared, name, &SharedAddress::name);
  return found == model().shared.end() ? nullptr : &*found;
}

void SiteReader::read_shared(const Entry& entry) {
  if (!in_.is_name(entry.name, "shared address")) return;
  const Fields fields = in_.fields(entry.value, sections::kShared, "{kind: nlb, ip: ..., members: [...]}");
  if (!fields.node().valid()) return;
  constexpr SharedKind kKinds[] = {SharedKind::kNlb, SharedKind::kVrrp, SharedKind::kHsrp};
  const auto kind = in_.choice(fields["kind"], "kind", {"nlb", "vrrp", "hsrp"});
  if (!fields.has("kind")) in_.wrong(entry.name, "the kind is missing: nlb, vrrp or hsrp");
  if (!kind) return;
  SharedAddress shared;
  shared.name = in_.text(entry.name);
  shared.kind = kKinds[*kind];
  shared.line = in_.line(entry.name);
  if (build_.find_machine(shared.name).valid() || build_.find_bridge({}, shared.name).valid() ||
      find_shared(shared.name) != nullptr)
    return in_.wrong(entry.name, fmt::format("the name '{}' is used twice", shared.name));
  read_group(entry, fields, shared);
  set(shared.mac, in_.mac(fields["mac"]));
  shared.members = read_members(entry.name, fields);
  if (!fields.has("ip")) in_.wrong(entry.name, fmt::format("'{}' has no `ip`", shared.name));
  const auto ip = in_.address(fields["ip"], "ip");
  if (!ip || shared.members.empty()) return;
  shared.ip = *ip;
  if (const auto made = model::share(model(), shared); !ok(fields["members"], made)) return;
  for (const auto& member : model().shared.back().members) {
    if (model()[model()[member.nic].machine].kind == model::MachineKind::kRouter)
      routers_.emplace(shared.ip, model()[member.nic].machine);
  }
}

// What goes with each kind: the number of the group, and its timers.
void SiteReader::read_group(const Entry& entry, const Fields& fields, SharedAddress& shared) {
  const auto only = [&](std::string_view key, bool goes, std::string_view with) {
    if (fields.has(key) && !goes)
      in_.wrong(fields[key], fmt::format("'{}' goes with `kind: {}` only", key, with));
  };
  const bool vrrp = shared.kind == SharedKind::kVrrp, hsrp = shared.kind == SharedKind::kHsrp;
  only("vrid", vrrp, "vrrp");
  only("group", hsrp, "hsrp");
  only("version", hsrp, "hsrp");
  only("interval", vrrp || hsrp, "vrrp` and `kind: hsrp");
  only("preempt", vrrp || hsrp, "vrrp` and `kind: hsrp");
  if (vrrp && !fields.has("vrid")) in_.wrong(entry.name, "a vrrp address has a `vrid`, 1 to 255");
  if (hsrp && !fields.has("group")) in_.wrong(entry.name, "an hsrp address has a `group`");
  if (hsrp) shared.version = 1;
  if (hsrp) set(shared.version, in_.integer(fields["version"], kVersionBounds));
  if (vrrp) set(shared.group, in_.integer(fields["vrid"], kVridBounds));
  if (hsrp)
    set(shared.group, in_.integer(fields["group"], shared.version == 2 ? kGroup2Bounds : kGroupBounds));
  shared.interval = vrrp ? base::seconds(1) : base::seconds(3);
  set(shared.interval, in_.duration(fields["interval"], vrrp ? kVrrpInterval : kHsrpInterval));
  shared.hold = shared.interval * 10 / 3;
  shared.preempt = vrrp;
  set(shared.preempt, in_.flag(fields["preempt"], "preempt"));
}

// A member is `r1:lan` or `{nic: r1:lan, priority: 120}`.
std::vector<SharedAddress::Member> SiteReader::read_members(NodeId node, const Fields& fields) {
  std::vector<SharedAddress::Member> members;
  if (!fields.has("members")) in_.wrong(node, "the members are missing: members: [r1:lan, r2:lan]");
  const auto list = in_.list(fields["members"], "members", true);
  if (list.size() > kMostMembers) {
    in_.wrong(fields["members"], fmt::format("more than {} members", kMostMembers));
    return {};
  }
  for (const NodeId item : list) {
    const bool is_short = in_.tree().is_text(item);
    const Fields member = is_short ? in_.fields({}, sections::kMember)
                                   : in_.fields(item, sections::kMember, "{nic: machine:nic, priority: 100}");
    if (!is_short && !member.node().valid()) return {};
    if (!is_short && !member.has("nic")) {
      in_.wrong(item, "a member has a `nic`");
      return {};
    }
    const StationId nic = read_station(is_short ? item : member["nic"], nullptr);
    if (!nic.valid()) return {};
    const auto same = [&](const SharedAddress::Member& m) { return m.nic == nic; };
    if (std::ranges::any_of(members, same) || model()[nic].shared.valid()) {
      in_.wrong(item, fmt::format("{} is a member twice", name_of(model(), nic)));
      return {};
    }
    members.push_back({nic, {}, default_priority(members.size())});
    set(members.back().priority, in_.integer(member["priority"], kMemberPriorityBounds));
  }
  return members;
}

// Between members of a cluster that have one address, over the NICs that have it.
bool SiteReader::within_cluster(const model::Flow& flow) const {
  const StationId out = model::next_hop(model(), flow.from, model()[flow.to_station].ip.address).station;
  return out.valid() && model()[out].hides_its_mac() && model()[out].mac == model()[flow.to_station].mac;
}

// Traffic `to` a shared address goes to the member that answers.
bool SiteReader::read_shared_end(const Fields& fields, model::Flow& flow) {
  const NodeId to = fields["to"];
  if (!to.valid() || !in_.tree().is_text(to) || !flow.from.valid()) return false;
  const SharedAddress* shared = find_shared(in_.text(to));
  if (shared == nullptr) return false;
  const StationId out =
      flow.from_station.valid() ? flow.from_station : model::next_hop(model(), flow.from, shared->ip).station;
  const model::Ipv4 client = out.valid() ? model()[out].ip.address : model::Ipv4{};
  const auto is_on = [&](const SharedAddress::Member& m) { return model()[model()[m.nic].machine].running; };
  const auto first = std::ranges::find_if(shared->members, is_on);
  const auto chosen = shared->kind == SharedKind::kNlb ? model::serving(*shared, client, is_on)
                      : first != shared->members.end() ? *first
                                                       : shared->members.front();
  flow.to_station = chosen.alias.valid() ? chosen.alias : shared->members.front().alias;
  flow.to = model()[flow.to_station].machine;
  const auto is_member = [&](const SharedAddress::Member& m) { return model()[m.nic].machine == flow.from; };
  if (std::ranges::any_of(shared->members, is_member)) {
    in_.wrong(to, fmt::format("'{}' is a member of '{}' itself", model()[flow.from].name, shared->name));
    flow.from = {};
  }
  return true;
}

}  // namespace sekimori::importers
