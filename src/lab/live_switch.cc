#include "lab/live_switch.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "switching/lag.h"
#include "switching/link_local.h"
#include "switching/linux_bridge.h"
#include "switching/ovs.h"
#include "switching/teaming.h"
#include "switching/vlan.h"

namespace sekimori::lab {

using model::BridgeKind;
using model::Mac;
using model::Port;
using model::PortId;
using model::PortRole;
using switching::Fdb;

LiveSwitch::LiveSwitch(const model::Model& site, model::BridgeId bridge)
    : site_(site),
      bridge_(site[bridge]),
      ageing_(bridge_.ageing),
      suppresses_(switching::suppresses(site, bridge_)) {
  if (bridge_.snoops) snooping_.emplace(bridge_);
  for (const PortId port : bridge_.ports) {
    const PortId far = model::peer(site, port);
    if (!far.valid()) continue;
    for (model::StationId s = site[far].station; s.valid(); s = site[s].next_on_port) {
      attached_.emplace(site[s].mac, port);
      if (site[port].role == PortRole::kHost) own_.push_back(s);
    }
    // The NIC of a guest that bridges it.
    if (const Mac nic = model::nic_address(site, port);
        site[port].role == PortRole::kGuest && site[far].bridge.valid() && !nic.is_zero())
      attached_.emplace(nic, port);
    if (site[port].role == PortRole::kUplink) uplinks_.push_back(port);
    if (const PortId group = switching::group_port(site, port); group != port) {
      std::vector<PortId>& members = groups_[group];
      if (members.empty()) members.push_back(group);
      members.push_back(port);
    }
  }
  for (const auto& [group, members] : std::unordered_map(groups_)) {
    for (const PortId member : members) groups_[member] = members;
  }
  if (switching::probes_with_beacons(site, bridge_))
    beacons_.emplace(site, bridge_, [](PortId) { return true; });
  nics_at_ = nics_at_uplinks();
  for (const model::StaticEntry& entry : bridge_.static_entries)
    fdb_.set_static(bridge_.vlan_aware ? entry.vlan : std::uint16_t{0}, intern(entry.mac), entry.port.value);
}

switching::AddressIndex LiveSwitch::intern(Mac mac) {
  const auto [entry, is_new] =
      addresses_.try_emplace(mac, static_cast<switching::AddressIndex>(macs_.size()));
  if (is_new) macs_.push_back(mac);
  return entry->second;
}

PortId LiveSwitch::group_of(PortId port) const {
  const auto known = groups_.find(port);
  return known == groups_.end() ? port : known->second.front();
}

PortId LiveSwitch::any_member(PortId port) const {
  const auto known = groups_.find(port);
  if (known == groups_.end()) return port;
  const auto alive = std::ranges::find_if(known->second, [this](PortId p) { return !dead_.contains(p); });
  return alive == known->second.end() ? port : *alive;
}

bool LiveSwitch::group_carries(PortId port) const { return !dead_.contains(any_member(port)); }

void LiveSwitch::set_carrier(PortId port, bool on) {
  if (on == !dead_.contains(port)) return;
  if (beacons_) beacons_->set_carrier(port, on);
  if (on) {
    dead_.erase(port);
    return;
  }
  dead_.insert(port);
  if (group_carries(port)) return;
  fdb_.flush_port(group_of(port).value);
  if (snooping_) snooping_->forget_port(group_of(port).value);
}

// One copy; of a group of links by the member that the conversation takes.
void LiveSwitch::push(PortId out, std::uint16_t tag, const Frame& frame) {
  if (const auto group = groups_.find(out); group != groups_.end()) {
    const auto alive = [this](PortId member) { return !dead_.contains(member); };
    const auto up = static_cast<std::size_t>(std::ranges::count_if(group->second, alive));
    std::size_t chosen = up == 0 ? 0 : switching::choose_member(frame.source, frame.destination, up);
    for (const PortId member : group->second) {
      if (!alive(member) || chosen-- != 0) continue;
      out = member;
      break;
    }
  }
  copies_.push_back({out, tag});
}

// Of a team, where each NIC's frames leave: invalid while all uplinks are dead. A NIC without a carrier is
// nowhere.
LiveSwitch::NicsAt LiveSwitch::nics_at_uplinks() const {
  NicsAt at;
  if (uplinks_.size() < 2 || !bridge_.notify_switches) return at;
  for (const PortId port : bridge_.ports) {
    const Mac mac = model::nic_address(site_, port);
    if (site_[port].role == PortRole::kUplink || mac.is_zero() || dead_.contains(port)) continue;
    const std::uint16_t vlan = site_[port].pvid;
    if (!beacons_ || !beacons_->is_shotgun(vlan)) {
      at.emplace_back(port, chosen_uplink(port, vlan, mac, nullptr));
      continue;
    }
    for (const PortId uplink : uplinks_) {
      if (beacons_->is_usable(uplink, vlan)) at.emplace_back(port, uplink);
    }
  }
  return at;
}

LiveSwitch::NicsAt LiveSwitch::moved_nics() {
  const auto before = std::exchange(nics_at_, nics_at_uplinks());
  NicsAt moved;
  for (const auto& at : nics_at_) {
    const auto was_somewhere = [&](const auto& then) { return then.first == at.first; };
    if (at.second.valid() && std::ranges::any_of(before, was_somewhere) &&
        std::ranges::find(before, at) == before.end())
      moved.push_back(at);
  }
  return moved;
}

const std::vector<LiveSwitch::Copy>& LiveSwitch::relay(PortId in, const Frame& frame, base::Time now) {
  copies_.clear();
  in = group_of(in);
  answer_.reset();
  // No station sends from a group address, and no bridge relays what is for bridges (802.1Q 8.6.3).
  if (frame.source.is_group() || frame.source.is_zero()) return copies_;
  if (!forwards(in)) {
    const auto vlan = vlan_of(in, frame);
    if (vlan && state_of(in) == switching::tree::State::kLearning) learn(in, *vlan, frame.source, now);
    return copies_;
  }
  if (by_rule(in, frame)) return copies_;
  if (switching::filters_link_local(bridge_.kind) && frame.destination.is_link_local_group()) {
    switch (switching::link_local(bridge_, site_[in], frame.destination)) {
      case switching::LinkLocal::kForwarded:
        break;
      case switching::LinkLocal::kKept:
        if (const auto vlan = vlan_of(in, frame)) remember(in, *vlan, frame.source, now);
        return copies_;
      case switching::LinkLocal::kDropped:
        return copies_;
    }
  }
  if (bridge_.kind == BridgeKind::kOvs && switching::ovs_reserves(frame.destination)) return copies_;
  const auto classified = vlan_of(in, frame);
  if (!classified) return copies_;
  const std::uint16_t vlan = *classified;
  const bool group = frame.destination.is_group();
  if (group && !admitted(in, frame, false, now)) return copies_;
  const switching::Family family = switching::family(bridge_.kind);
  if (family == switching::Family::kRegisters) {
    relay_registered(in, vlan, frame);
    return copies_;
  }

  bool unknown = false;
  switching::Suppressed suppressed;
  if (family == switching::Family::kLearns) {
    if (!learn(in, vlan, frame.source, now)) return copies_;
    if (suppresses_ && frame.about) suppressed = suppress(in, vlan, frame, now);
    if (const auto known = addresses_.find(frame.destination); !group && known != addresses_.end()) {
      const auto entry = fdb_.lookup(vlan, known->second, now, ageing_);
      if (entry.what == Fdb::Found::kHit) {
        const Port& out = site_[PortId(entry.port)];
        copy_to(in, PortId(entry.port),
                bridge_.vlan_aware ? switching::egress_tag_when_known(bridge_.kind, out,
                                                                      site_.vlan_sets[out.tagged_vlans], vlan)
                                   : frame.tag,
                frame);
        return copies_;
      }
    }
    if (snooping_ && !frame.group.is_zero()) {
      const auto spread = listen(in, vlan, frame, now);
      if (!spread) return copies_;
      if (*spread != switching::Spread::kEverywhere) {
        const auto& ports = snooping_->ports(vlan, frame.group, *spread, now);
        for (const PortId out : bridge_.ports) {
          if (std::ranges::find(ports, out.value) != ports.end())
            copy_to(in, out, tag_at(out, vlan, frame), frame);
        }
        return copies_;
      }
    }
    unknown = !group;
    if (unknown && !admitted(in, frame, true, now)) return copies_;
  }
  const auto what = !group                             ? switching::FloodOf::kUnknownUnicast
                    : frame.destination.is_broadcast() ? switching::FloodOf::kBroadcast
                                                       : switching::FloodOf::kMulticast;
  for (const PortId out : bridge_.ports) {
    if ((unknown || group) && !switching::takes_flood(site_[in], site_[out], what)) continue;
    if (suppressed.withheld && site_[out].neigh_suppress) continue;
    copy_to(in, out, tag_at(out, vlan, frame), frame);
  }
  return copies_;
}

const std::vector<LiveSwitch::Copy>& LiveSwitch::everywhere(std::uint16_t vlan) {
  copies_.clear();
  const Frame untagged{};
  for (const PortId out : bridge_.ports) {
    const auto tag = tag_at(out, vlan, untagged);
    if (tag && group_of(out) == out && site_[out].link.valid() && forwards(out)) push(out, *tag, untagged);
  }
  return copies_;
}

void LiveSwitch::flush() {
  fdb_.flush();
  if (snooping_) snooping_.emplace(bridge_);
}

// None: ingress filtering drops it.
std::optional<std::uint16_t> LiveSwitch::vlan_of(PortId in, const Frame& frame) const {
  if (!bridge_.vlan_aware) return std::uint16_t{0};
  const Port& port = site_[in];
  return switching::classify(bridge_.kind, port, site_.vlan_sets[port.tagged_vlans], frame.tag);
}

// What nobody asked for while ageing was fast is gone as well.
void LiveSwitch::set_fast_ageing(base::Duration ageing, base::Time now) {
  if (bridge_.ageing.count() == 0) return;
  if (ageing.count() == 0) fdb_.forget_unheard(now, ageing_);
  ageing_ = ageing.count() == 0 ? bridge_.ageing : std::min(ageing, bridge_.ageing);
}

void LiveSwitch::clear_states() {
  states_.clear();
  ageing_ = bridge_.ageing;
}

void LiveSwitch::set(model::BridgeOption option, std::int64_t value) {
  switch (option) {
    case model::BridgeOption::kAgeing:
      ageing_ = bridge_.ageing = base::Duration(value);
      break;
    case model::BridgeOption::kLearning:
      bridge_.learning = value != 0;
      break;
    case model::BridgeOption::kTableSize:
      bridge_.table_size = static_cast<std::uint32_t>(value);
      break;
    case model::BridgeOption::kFiltersLocal:
      bridge_.filters_local = value != 0;
      break;
    case model::BridgeOption::kStp:
      break;
  }
}

// A flow of Open vSwitch that outputs by itself, whatever the VLANs of the ports. True when that was all.
bool LiveSwitch::by_rule(PortId in, const Frame& frame) {
  if (bridge_.flow_rules.empty()) return false;
  const model::FlowRule* rule = switching::match_rule(bridge_, in, frame.destination, frame.is_arp);
  if (rule == nullptr) return false;
  for (const PortId out : rule->out) {
    if (out == in || !forwards(out) || !site_[out].link.valid() ||
        (site_[out].isolated && site_[in].isolated))
      continue;
    if (!guarded(out, frame.destination)) push(out, frame.tag, frame);
  }
  return !rule->normal;
}

// net/bridge/br_input.c, br_handle_frame_finish: after the source is learnt, before the destination is looked
// up.
switching::Suppressed LiveSwitch::suppress(PortId in, std::uint16_t vlan, const Frame& frame,
                                           base::Time now) {
  switching::Asked asked;
  asked.is_own = is_own(*frame.about);
  Mac mac;
  for (const model::KnownNeighbour& known : bridge_.neighbours) {
    if (known.ip != frame.about->ip || known.ip6 != frame.about->ip6) continue;
    const auto address = addresses_.find(known.mac);
    if (address == addresses_.end()) break;
    const auto entry = fdb_.lookup(vlan, address->second, now, ageing_);
    asked.is_known = entry.what == Fdb::Found::kHit;
    asked.behind_suppressing = asked.is_known && site_[PortId(entry.port)].neigh_suppress;
    mac = known.mac;
    break;
  }
  const auto suppressed = switching::suppress(
      site_[in].neigh_suppress,
      {frame.about->is_question, !frame.destination.is_group(), frame.about->is_about_itself}, asked);
  if (suppressed.answered) answer_ = mac;
  return suppressed;
}

bool LiveSwitch::is_own(const About& about) const {
  return std::ranges::any_of(own_, [&](model::StationId s) {
    return about.ip.is_zero() ? site_[s].ip6.address == about.ip6 : site_[s].ip.address == about.ip;
  });
}

std::optional<switching::Spread> LiveSwitch::listen(PortId in, std::uint16_t vlan, const Frame& frame,
                                                    base::Time now) {
  switching::Heard heard = switching::Heard::kPacket;
  if (frame.listening) {
    if (frame.listening->kind == wire::Listening::Kind::kGarbled) return {};
    heard = snooping_->hear(vlan, *frame.listening, in.value, now);
  }
  return snooping_->spread(vlan, frame.group, heard, now);
}

// False when the frame must not be relayed: its address is not one of a locked port's, or over the port's
// limit.
bool LiveSwitch::learn(PortId in, std::uint16_t vlan, Mac source, base::Time now) {
  const Port& port = site_[in];
  if (port.locked) {  // net/bridge/br_input.c, br_handle_frame_finish: BR_PORT_LOCKED
    const auto known = addresses_.find(source);
    if (known == addresses_.end()) return false;
    const auto entry = fdb_.lookup(vlan, known->second, now, ageing_);
    if (entry.what != Fdb::Found::kHit || entry.port != in.value) return false;
  }
  return remember(in, vlan, source, now);
}

bool LiveSwitch::remember(PortId in, std::uint16_t vlan, Mac source, base::Time now) {
  const Port& port = site_[in];
  if (!bridge_.learning || bridge_.ageing.count() == 0 || !port.learning) return true;
  if (macs_.size() >= kMostAddresses && !addresses_.contains(source)) return true;
  const auto address = intern(source);
  if (port.mac_limit != 0 && fdb_.lookup(vlan, address, now, ageing_).what != Fdb::Found::kHit &&
      fdb_.count_port(in.value, now, ageing_) >= port.mac_limit) {
    return false;
  }
  const auto when_full = bridge_.kind == BridgeKind::kOvs ? Fdb::WhenFull::kEvict : Fdb::WhenFull::kRefuse;
  fdb_.learn(vlan, address, in.value, now, ageing_, bridge_.table_size, when_full);
  return true;
}

bool LiveSwitch::admitted(PortId in, const Frame& frame, bool unknown, base::Time now) {
  const model::StormControl& limits = site_.storm_controls[site_[in].storm_control];
  const bool broadcast = frame.destination.is_broadcast();
  const model::BitRate rate = unknown     ? limits.unknown_unicast
                              : broadcast ? limits.broadcast
                                          : limits.multicast;
  if (rate.bits_per_second == 0) return true;
  Policer& policer = policers_[in];
  switching::TokenBucket& bucket = unknown     ? policer.unknown_unicast
                                   : broadcast ? policer.broadcast
                                               : policer.multicast;
  return bucket.admit(frame.bytes, rate, now);
}

bool LiveSwitch::is_plugged_in_at(PortId port, Mac mac) const {
  const auto [first, last] = attached_.equal_range(mac);
  return std::any_of(first, last, [&](const auto& entry) { return entry.second == port; });
}

// The remedy `guard`: a frame for a station on another port of this very switch stays inside.
bool LiveSwitch::guarded(PortId out, Mac destination) const {
  if (!site_[out].guard) return false;
  const auto [first, last] = attached_.equal_range(destination);
  return std::any_of(first, last, [&](const auto& entry) { return entry.second != out; });
}

// The tag to leave with; none when the port is not of this VLAN.
std::optional<std::uint16_t> LiveSwitch::tag_at(PortId out, std::uint16_t vlan, const Frame& frame) const {
  if (!bridge_.vlan_aware) return frame.tag;
  return switching::egress_tag(site_[out], site_.vlan_sets[site_[out].tagged_vlans], vlan);
}

void LiveSwitch::copy_to(PortId in, PortId out, std::optional<std::uint16_t> tag, const Frame& frame) {
  const Port& port = site_[out];
  if (group_of(out) != out || (out == in && !port.hairpin) || !port.link.valid() || !forwards(out)) return;
  if (!tag) return;
  if (port.isolated && site_[in].isolated) return;
  if (guarded(out, frame.destination)) return;
  push(out, *tag, frame);
}

// ---------------------------------------------------------------- switches that know their NICs

// What the destination is to this switch; where it is goes to registered_.
switching::Destination LiveSwitch::registered_as(std::uint16_t vlan, const Frame& frame) {
  using switching::Destination;
  registered_.clear();
  if (frame.destination.is_group()) return Destination::kGroup;
  Destination known = Destination::kElsewhere;
  const auto note = [&](PortId port) {
    if (!model::carries(site_, port, vlan)) return;
    registered_.push_back(port);
    const PortRole role = site_[port].role;
    if (role == PortRole::kHost || role == PortRole::kNetwork) known = Destination::kTheHost;
    if (role == PortRole::kGuest && known != Destination::kTheHost) known = Destination::kOtherGuest;
  };
  const auto [first, last] = attached_.equal_range(frame.destination);
  for (auto entry = first; entry != last; ++entry) note(entry->second);
  if (const auto known_mac = addresses_.find(frame.destination); known_mac != addresses_.end()) {
    const auto* by_hand = fdb_.find(bridge_.vlan_aware ? vlan : std::uint16_t{0}, known_mac->second);
    if (by_hand != nullptr) note(PortId(by_hand->port));
  }
  return known;
}

// Of a team: the uplink for what comes in at `from`. Invalid when there is none.
PortId LiveSwitch::chosen_uplink(PortId from, std::uint16_t vlan, Mac source, const Frame* packet) const {
  std::vector<PortId> built;
  for (const PortId uplink : uplinks_) {
    if (!site_[uplink].link.valid() || dead_.contains(uplink)) continue;
    if (!beacons_ || beacons_->is_usable(uplink, vlan)) built.push_back(uplink);
  }
  if (built.empty()) return {};
  const auto number =
      static_cast<std::size_t>(std::ranges::find(bridge_.ports, from) - bridge_.ports.begin());
  return built[switching::choose_uplink(bridge_.teaming,
                                        {number, source, packet != nullptr ? packet->source_ip : 0,
                                         packet != nullptr ? packet->destination_ip : 0},
                                        built.size())];
}

void LiveSwitch::relay_registered(PortId in, std::uint16_t vlan, const Frame& frame) {
  using switching::Destination;
  const Port& from = site_[in];
  const bool from_outside = from.role == PortRole::kUplink;
  const bool is_nested = from.role == PortRole::kGuest && site_[model::peer(site_, in)].bridge.valid();
  if (is_nested && switching::refuses_source(bridge_.kind, from, is_plugged_in_at(in, frame.source))) return;
  const Destination known = registered_as(vlan, frame);
  const auto [first, last] = attached_.equal_range(frame.source);
  const bool reflected = from_outside && std::any_of(first, last, [&](const auto& entry) {
                           return site_[entry.second].role == PortRole::kGuest;
                         });
  const bool is_team = uplinks_.size() > 1;
  const bool shotgun = beacons_ && beacons_->is_shotgun(vlan);
  const bool one_copy = is_team && known == Destination::kGroup && from_outside && !shotgun &&
                        switching::has_own_uplink(bridge_.teaming);
  const PortId uplink = is_team && !from_outside ? chosen_uplink(in, vlan, frame.source, &frame) : PortId();
  const bool may_return = switching::may_return(switching::registrar(bridge_), known);
  for (const PortId out : bridge_.ports) {
    const Port& port = site_[out];
    if ((out == in && !may_return) || !port.link.valid()) continue;
    switching::Passage passage{from.role, port.role, known, reflected};
    if (port.role == PortRole::kGuest) {
      const Port& far = site_[model::peer(site_, out)];
      const bool promiscuous =
          far.station.valid() && site_[far.station].promiscuous && bridge_.kind != BridgeKind::kHostedBridge;
      const bool here = std::ranges::find(registered_, out) != registered_.end();
      passage.destination = switching::seen_from(
          known, here, switching::hears(bridge_.kind, port, far.bridge.valid() || promiscuous));
    }
    if (reflected) passage.from_this_guest = is_plugged_in_at(out, frame.source);
    if (!switching::relays(switching::registrar(bridge_), passage)) continue;
    if (port.isolated && from.isolated) continue;
    if (is_team && port.role == PortRole::kUplink &&
        !(shotgun ? beacons_->is_usable(out, vlan) : out == uplink))
      continue;
    if (one_copy && chosen_uplink(out, vlan, model::nic_address(site_, out), nullptr) != in) continue;
    const auto tag = tag_at(out, vlan, frame);
    if (!tag || (port.role == PortRole::kUplink && guarded(out, frame.destination))) continue;
    copies_.push_back({out, *tag});
  }
}

bool LiveSwitch::hear_beacon(PortId in, const Frame& frame) {
  if (!beacons_ || !beacons_->is_own(frame.source)) return false;
  if (const auto vlan = vlan_of(in, frame)) beacons_->hear(in, *vlan, frame.source);
  return true;
}

const std::vector<LiveSwitch::Copy>& LiveSwitch::next_beacons() {
  copies_.clear();
  beacons_->end_interval();
  for (const PortId uplink : beacons_->uplinks()) {
    for (const std::uint16_t vlan : beacons_->vlans()) {
      if (const auto tag = tag_at(uplink, vlan, {})) copies_.push_back({uplink, *tag});
    }
  }
  return copies_;
}

std::vector<LiveSwitch::Entry> LiveSwitch::table(base::Time now) const {
  std::vector<Entry> entries;
  for (const Fdb::Slot& slot : fdb_.entries()) {
    if (slot.key == 0 || (!slot.is_static && now - slot.seen >= ageing_)) continue;
    entries.push_back({macs_[Fdb::address_of(slot)], Fdb::vlan_of(slot), PortId(slot.port),
                       slot.is_static ? base::Duration{0} : now - slot.seen, slot.is_static});
  }
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::tuple(e.vlan, e.mac); });
  return entries;
}

}  // namespace sekimori::lab
