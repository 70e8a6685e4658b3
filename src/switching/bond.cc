#include "switching/bond.h"

#include <algorithm>
#include <utility>

namespace sekimori::switching {

using model::BondMode;
using model::PortId;

namespace {

// As the kernel reads words of a packet on a little-endian machine.
std::uint32_t as_read(std::uint32_t word) { return __builtin_bswap32(word); }
std::uint32_t as_read(std::uint16_t first, std::uint16_t second) {
  return __builtin_bswap32(std::uint32_t{first} << 16 | second);
}

}  // namespace

std::uint32_t bond_hash(model::HashPolicy policy, const BondPacket& packet) {
  const auto layer2 =
      static_cast<std::uint32_t>((packet.destination.bits ^ packet.source.bits) & 0xff) ^ packet.ethertype;
  if (policy == model::HashPolicy::kLayer2 || !packet.is_ip) return layer2;
  const bool by_ports = policy == model::HashPolicy::kLayer34;
  std::uint32_t hash = by_ports ? as_read(packet.source_port, packet.destination_port) : layer2;
  hash ^= as_read(packet.destination_ip) ^ as_read(packet.source_ip);
  hash ^= hash >> 16;
  hash ^= hash >> 8;
  return by_ports ? hash >> 1 : hash;
}

Bond::Bond(const model::Model& site, model::BridgeId bridge, const std::function<bool(PortId)>& has_carrier)
    : mode_(site[bridge].bond_mode), policy_(site[bridge].hash_policy) {
  for (const PortId port : site[bridge].ports) {
    if (site[port].role == model::PortRole::kHost) {
      above_ = port;
      own_ = model::nic_address(site, port);
      const PortId above = model::peer(site, port);
      is_bridged_ = above.valid() && site[above].bridge.valid();
    }
    if (site[port].role != model::PortRole::kUplink) continue;
    Member member;
    member.port = port;
    member.aggregator = port.value;
    if (const PortId far = model::peer(site, port); far.valid()) {
      member.mac = model::nic_address(site, far);
      member.up = has_carrier(port);
      member.bits_per_second = site[site[port].link].rate.bits_per_second;
      member.has_partner = site[far].lag != 0;
      if (member.has_partner)
        member.aggregator =
            std::uint64_t{1} << 63 | std::uint64_t{site[far].bridge.value} << 16 | site[far].lag;
    }
    if (port == site[bridge].primary) primary_ = nics_.size();
    nics_.push_back(member);
  }
  // The bond's MAC is the first NIC's unless one is set, and then that NIC keeps its own in no mode.
  if (!nics_.empty() && balances_load(mode_)) nics_.front().mac = own_;
  choose();
}

Bond::Nic Bond::nic_at(PortId port) const {
  const auto found = std::ranges::find(nics_, port, &Member::port);
  return found == nics_.end() ? kNoNic : static_cast<Nic>(found - nics_.begin());
}

bool Bond::set_carrier(Nic nic, bool up) {
  if (nics_[nic].up == up) return false;
  nics_[nic].up = up;
  const Nic before = active_;
  choose();
  return active_ != before && active_ != kNoNic && model::has_active(mode_);
}

void Bond::choose() {
  if (mode_ == BondMode::kLacp) return choose_aggregator();
  if (!model::has_active(mode_)) return;
  if (primary_ != kNoNic && nics_[primary_].up) {
    active_ = primary_;
  } else if (active_ == kNoNic || !nics_[active_].up) {
    const auto first = std::ranges::find(nics_, true, &Member::up);
    active_ = first == nics_.end() ? kNoNic : static_cast<Nic>(first - nics_.begin());
  }
  if (!balances_load(mode_) || active_ == kNoNic) return;
  // The bond's MAC goes to the active one, whose own goes to the one that had it.
  const auto holder = std::ranges::find(nics_, own_, &Member::mac);
  if (holder != nics_.end()) std::swap(holder->mac, nics_[active_].mac);
}

void Bond::choose_aggregator() {
  const auto bandwidth = [&](const Member& of) {
    std::int64_t sum = 0;
    for (const Member& member : nics_) {
      if (member.up && member.aggregator == of.aggregator) sum += member.bits_per_second;
    }
    return sum;
  };
  // It remains while one of its links is up, unless another has a partner and it has none.
  const bool works = active_ != kNoNic && bandwidth(nics_[active_]) > 0;
  Nic best = works ? active_ : kNoNic;
  for (Nic nic = 0; nic < nics_.size(); ++nic) {
    if (!nics_[nic].up) continue;
    const bool better = best == kNoNic || nics_[nic].has_partner > nics_[best].has_partner ||
                        (!works && nics_[nic].has_partner == nics_[best].has_partner &&
                         bandwidth(nics_[nic]) > bandwidth(nics_[best]));
    if (better) best = nic;
  }
  active_ = best;
}

bool Bond::works(Nic nic) const {
  if (!nics_[nic].up) return false;
  if (mode_ == BondMode::kLacp) return nics_[nic].aggregator == nics_[active_].aggregator;
  return mode_ != BondMode::kActiveBackup || nic == active_;
}

bool Bond::takes(Nic nic, wire::Mac destination) const {
  if (!works(nic)) return false;
  if (!balances_load(mode_) || nic == active_) return true;
  if (mode_ == BondMode::kBalanceTlb || destination.is_group()) return false;
  return is_bridged_ || destination == nics_[nic].mac;
}

Bond::Nic Bond::chosen(std::uint32_t hash) const {
  std::uint32_t count = 0;
  for (Nic nic = 0; nic < nics_.size(); ++nic) count += works(nic);
  if (count == 0) return kNoNic;
  std::uint32_t left = hash % count;
  for (Nic nic = 0; nic < nics_.size(); ++nic) {
    if (works(nic) && left-- == 0) return nic;
  }
  return kNoNic;
}

// bond_get_slave_by_id: that one, or the next that works.
Bond::Nic Bond::next_from(Nic first) const {
  for (Nic i = 0; i < nics_.size(); ++i) {
    const Nic nic = (first + i) % nics_.size();
    if (works(nic)) return nic;
  }
  return kNoNic;
}

std::span<const Bond::Nic> Bond::leaves_by(const BondPacket& packet) {
  leaving_.clear();
  if (nics_.empty()) return leaving_;
  Nic nic = kNoNic;
  switch (mode_) {
    case BondMode::kBroadcast:
      for (Nic each = 0; each < nics_.size(); ++each) {
        if (works(each)) leaving_.push_back(each);
      }
      return leaving_;
    case BondMode::kActiveBackup:
      nic = active_;
      break;
    case BondMode::kBalanceRr:
      // One without a carrier is not asked to send.
      nic = next_from((sent_ + 1) % nics_.size());
      sent_ += nic != kNoNic;
      break;
    case BondMode::kBalanceXor:
    case BondMode::kLacp:
      nic = chosen(bond_hash(policy_, packet));
      break;
    case BondMode::kBalanceTlb:
    case BondMode::kBalanceAlb:
      nic = packet.is_ip && !packet.destination.is_group() ? chosen(bond_hash(policy_, packet)) : active_;
      break;
  }
  if (nic != kNoNic) leaving_.push_back(nic);
  return leaving_;
}

Bond::Nic Bond::nic_of_client(std::uint32_t client_ip) const {
  return mode_ == BondMode::kBalanceAlb ? chosen(client_ip & 0xff) : kNoNic;
}

std::vector<Bond::Notice> Bond::notices(std::uint32_t machine_ip) const {
  std::vector<Notice> notices;
  for (const auto& [addresses, client] : clients_) {
    const Nic nic = nic_of_client(client.ip);
    if (nic != kNoNic && (machine_ip == 0 || machine_ip == client.machine_ip))
      notices.push_back({nic, client});
  }
  return notices;
}

wire::Mac Bond::source_at(Nic nic, wire::Mac source) const {
  return balances_load(mode_) && nic != active_ ? nics_[nic].mac : source;
}

void stand_by(const model::Model& site, const std::vector<bool>& link_up, std::vector<bool>& blocked) {
  for (std::size_t b = 0; b < site.bridges.size(); ++b) {
    if (site.bridges[b].kind != model::BridgeKind::kBond) continue;
    const Bond bond(site, model::BridgeId(b), [&](PortId port) { return link_up[site[port].link.index()]; });
    for (Bond::Nic nic = 0; nic < bond.size(); ++nic) {
      if (!bond.works(nic)) blocked[bond.port(nic).index()] = true;
    }
  }
}

}  // namespace sekimori::switching
