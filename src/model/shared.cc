#include "model/shared.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sekimori::model {
namespace {

// What a switch that knows its NICs by registration, or a host's own bridge, makes of a second address is not
// modelled.
base::Result<void> check_place(const Model& m, StationId nic) {
  const PortId at = peer(m, m[nic].port);
  if (!at.valid() || !m[at].bridge.valid()) return {};
  const BridgeKind kind = m[m[at].bridge].kind;
  const bool plain = kind == BridgeKind::kSwitch || kind == BridgeKind::kLinuxBridge ||
                     kind == BridgeKind::kOvs || kind == BridgeKind::kHub || kind == BridgeKind::kELan;
  if (plain && m[at].role != PortRole::kHost) return {};
  return base::fail(
      fmt::format("{} is on {}, a {}; members have a cable of their own, or are guests on a bridge "
                  "that learns",
                  name_of(m, nic), name_of(m, m[at].bridge), to_text(kind)));
}

base::Result<void> check_member(const Model& m, const SharedAddress& shared, StationId nic) {
  const Station& station = m[nic];
  if (station.ip.address.is_zero()) {
    return base::fail(fmt::format("{} has no IP address; a member has one in the network of {}",
                                  name_of(m, nic), wire::to_text(shared.ip)));
  }
  if (station.ip.address == shared.ip || !station.ip.contains(shared.ip)) {
    return base::fail(fmt::format("{} is not in the network of {} ({})", wire::to_text(shared.ip),
                                  name_of(m, nic), wire::to_text(station.ip)));
  }
  if (shared.kind == SharedKind::kNlb && station.hides_its_mac())
    return base::fail(fmt::format("{} is in a cluster already", name_of(m, nic)));
  return check_place(m, nic);
}

StationId add_alias(Model& m, const SharedAddress& shared, SharedId id, StationId nic) {
  const StationId alias(m.stations.size());
  Station station = m[nic];
  station.name = shared.name;
  station.mac = shared.mac;
  station.mac_origin = MacOrigin::kAllocated;
  station.drawn_bits = 0;
  station.promiscuous = false;
  station.ip = {shared.ip, 32};
  station.ip6 = {};
  station.line = shared.line;
  station.shared = id;
  m[nic].next_on_port = alias;  // the copy goes on with what came after the NIC
  m.stations.push_back(std::move(station));
  m[m[alias].machine].stations.push_back(alias);
  return alias;
}

// Network Load Balancing numbers its hosts from 1, and puts the number in place of "bf".
Mac masked_source(Mac cluster, std::size_t member) {
  constexpr std::uint64_t kSecondOctet = std::uint64_t{0xff} << 32;
  return Mac{(cluster.bits & ~kSecondOctet) | std::uint64_t{member + 1} << 32};
}

}  // namespace

Mac derived_mac(const SharedAddress& shared) {
  switch (shared.kind) {
    case SharedKind::kNlb:
      return Mac{0x02bf'0000'0000u | std::uint64_t{shared.ip.bits}};
    case SharedKind::kVrrp:
      return Mac{0x0000'5e00'0100u | std::uint64_t{shared.group & 0xffu}};
    case SharedKind::kHsrp:
      return shared.version == 2 ? Mac{0x0000'0c9f'f000u | std::uint64_t{shared.group & 0xfffu}}
                                 : Mac{0x0000'0c07'ac00u | std::uint64_t{shared.group & 0xffu}};
  }
  return {};
}

base::Result<SharedId> share(Model& m, SharedAddress shared) {
  for (const SharedAddress::Member& member : shared.members) {
    if (auto fits = check_member(m, shared, member.nic); !fits) return std::unexpected(fits.error());
  }
  if (shared.mac.is_zero()) shared.mac = derived_mac(shared);
  const SharedId id(m.shared.size());
  for (std::size_t i = 0; i < shared.members.size(); ++i) {
    SharedAddress::Member& member = shared.members[i];
    if (shared.kind == SharedKind::kNlb) {
      m[member.nic].mac = shared.mac;
      m[member.nic].mac_origin = MacOrigin::kAllocated;
      m[member.nic].source = masked_source(shared.mac, i);
    }
    member.alias = add_alias(m, shared, id, member.nic);
  }
  std::ranges::stable_sort(shared.members, std::ranges::greater{}, &SharedAddress::Member::priority);
  m.shared.push_back(std::move(shared));
  return id;
}

}  // namespace sekimori::model
