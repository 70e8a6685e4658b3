#include "lab/live_shared.h"

#include <algorithm>

#include "model/nlb.h"
#include "sys/namespaces.h"
#include "wire/decode.h"
#include "wire/emit.h"

namespace sekimori::lab {

using base::Result;
using base::Time;
using model::SharedKind;
using model::StationId;
using Says = switching::FirstHopMember::Says;

namespace {

wire::Bytes octets(LiveShared::Frame frame) {
  return {reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()};
}

wire::FrameShape shape_from(const model::Station& station) {
  wire::FrameShape shape{.destination = wire::kBroadcast, .source = station.mac};
  if (station.vlan != 0) {
    shape.tag = wire::VlanTag{.vid = station.vlan};
    shape.bytes += 4;
  }
  return shape;
}

// 01-00-5e-00-00-02, -12, -66.
bool is_for_routers(LiveShared::Frame frame) {
  constexpr std::uint64_t kGroups = 0x0100'5e00'0000;
  const std::uint64_t to = model::Mac::from_octets(octets(frame).data()).bits;
  return to == (kGroups | 0x02) || to == (kGroups | 0x12) || to == (kGroups | 0x66);
}

}  // namespace

Result<LiveShared> LiveShared::open(const model::Model& site, const Plan& plan, Send send, Time now) {
  auto cables = sys::Namespace::open(plan.namespace_of(plan.junctions.front().legs.front().here.space));
  if (!cables) return std::unexpected(cables.error());
  auto watcher = sys::LinkWatcher::open(*cables);
  if (!watcher) return std::unexpected(watcher.error());
  auto links = sys::Links::open(*cables);
  if (!links) return std::unexpected(links.error());
  LiveShared made(site, plan, std::move(send), std::move(*watcher), std::move(*links));
  for (std::size_t m = 0; m < site.machines.size(); ++m) made.running_[m] = site.machines[m].running;
  for (std::size_t s = 0; s < site.shared.size(); ++s) {
    const model::SharedAddress& shared = site.shared[s];
    for (std::size_t i = 0; shared.kind != SharedKind::kNlb && i < shared.members.size(); ++i) {
      const Device& device = plan.stations[shared.members[i].alias.index()];
      if (!device.built()) continue;
      auto machine = sys::Namespace::open(plan.namespace_of(device.space));
      if (!machine) return std::unexpected(machine.error());
      auto inside = sys::Links::open(*machine);
      if (!inside) return std::unexpected(inside.error());
      made.members_.push_back({.protocol = {site, model::SharedId(s), i}, .links = std::move(*inside)});
    }
  }
  made.look_at_cables();
  made.settle(now);
  return made;
}

bool LiveShared::plugged(const model::SharedAddress::Member& member) const {
  return running_[site_[member.nic].machine.index()] && with_carrier_.contains(member.nic);
}

void LiveShared::settle(Time now) {
  for (std::size_t m = 0; m < running_.size(); ++m) running_[m] = site_.machines[m].running;
  for (Member& member : members_) {
    const auto leads = [&](const Member& other) {
      return other.protocol.shared() == member.protocol.shared() && plugged(other.protocol.settings()) &&
             switching::outranks(switching::rank_of(site_, other.protocol.settings()),
                                 switching::rank_of(site_, member.protocol.settings()));
    };
    const auto better = static_cast<std::size_t>(std::ranges::count_if(members_, leads));
    member.protocol.settle(better, plugged(member.protocol.settings()), now);
    follow(member);
  }
}

void LiveShared::set_running(model::MachineId machine, bool running, Time now) {
  if (running_[machine.index()] == running) return;
  running_[machine.index()] = running;
  for (Member& member : members_) {
    if (site_[member.protocol.settings().nic].machine != machine) continue;
    member.protocol.restart(now);
    follow(member);
  }
}

void LiveShared::look_at_cables() {
  watcher_.take();
  const auto list = cables_.list();
  if (!list) return;
  std::unordered_set<std::string> on;
  for (const sys::LinkState& link : *list) {
    if (link.up && link.carrier) on.insert(link.name);
  }
  with_carrier_.clear();
  for (const Junction& junction : plan_.junctions) {
    const bool any = std::ranges::any_of(
        junction.places, [&](model::PortId place) { return on.contains(plan_.ports[place.index()].name); });
    for (const Junction::Leg& leg : junction.legs) {
      if (any) with_carrier_.insert(leg.station);
    }
  }
}

// The device of the address is on at the master.
void LiveShared::follow(Member& member) {
  if (member.on == member.protocol.is_master()) return;
  member.on = member.protocol.is_master();
  const Device& device = plan_.stations[member.protocol.settings().alias.index()];
  // It may have gone with the lab.
  [[maybe_unused]] const auto set = member.links.set_up(device.name, member.on);
}

void LiveShared::on_time(Time now) {
  for (Member& member : members_) {
    if (member.protocol.next_due() > now) continue;
    const auto turn = member.protocol.on_time(plugged(member.protocol.settings()), now);
    follow(member);
    if (turn.says != Says::kNothing) advertise(member, turn.says == Says::kStandby);
    if (turn.took_over) announce(member);
  }
}

Time LiveShared::next_due() const {
  Time due = base::kNever;
  for (const Member& member : members_) due = std::min(due, member.protocol.next_due());
  return due;
}

void LiveShared::advertise(const Member& member, bool standby) {
  const model::SharedAddress& shared = site_[member.protocol.shared()];
  const model::SharedAddress::Member& settings = member.protocol.settings();
  wire::FrameShape shape = shape_from(site_[standby ? settings.nic : settings.alias]);
  shape.bytes = switching::advertisement_bytes(shared) + (shape.tag ? 4u : 0u);
  wire::Ipv4Header ip;
  ip.source = site_[settings.nic].ip.address;
  wire::Buffer frame;
  wire::append_first_hop(frame, shape, ip,
                         switching::advertisement(shared, member.protocol.number(), standby));
  send_(settings.nic, std::as_bytes(std::span(frame)));
}

void LiveShared::announce(const Member& member) {
  const model::Station& alias = site_[member.protocol.settings().alias];
  wire::Buffer frame;
  wire::append_arp(frame, shape_from(alias), wire::gratuitous_arp(alias.mac, alias.ip.address));
  send_(member.protocol.settings().nic, std::as_bytes(std::span(frame)));
}

void LiveShared::hear(StationId nic, Frame frame, Time now) {
  if (members_.empty() || !is_for_routers(frame)) return;
  const wire::Packet packet = wire::decode(wire::LinkType::ethernet, octets(frame));
  const auto* message = packet.get<wire::FirstHop>();
  const auto* ip = packet.get<wire::Ipv4Header>();
  if (message == nullptr || ip == nullptr || !message->virtual_ip) return;
  const bool is_vrrp = message->protocol == wire::FirstHop::Protocol::vrrp;
  for (Member& member : members_) {
    const model::SharedAddress& shared = site_[member.protocol.shared()];
    const bool same = (shared.kind == SharedKind::kVrrp) == is_vrrp && shared.group == message->group &&
                      shared.ip == *message->virtual_ip;
    if (!same || member.protocol.settings().nic != nic || !running_[site_[nic].machine.index()]) continue;
    const auto sender = std::ranges::find(shared.members, ip->source,
                                          [&](const auto& other) { return site_[other.nic].ip.address; });
    if (sender == shared.members.end()) continue;
    const bool standby = !is_vrrp && message->state == wire::FirstHop::kHsrpStandby;
    member.protocol.hear(static_cast<std::size_t>(sender - shared.members.begin()), standby, now);
    follow(member);
  }
}

// Of a cluster's address every member hears all, and one takes it.
bool LiveShared::gets(StationId station, Frame frame) const {
  if (!site_[station].hides_its_mac()) return true;
  const wire::Packet packet = wire::decode(wire::LinkType::ethernet, octets(frame));
  const auto* ip = packet.get<wire::Ipv4Header>();
  if (ip == nullptr) return true;
  for (const model::SharedAddress& shared : site_.shared) {
    if (shared.kind != SharedKind::kNlb || shared.ip != ip->destination) continue;
    const auto alive = [this](const auto& member) { return plugged(member); };
    return model::serving(shared, ip->source, alive).nic == station;
  }
  return true;
}

}  // namespace sekimori::lab
