// Bonds as iproute2 tells them (`ip -d -j link`): of the bond `linkinfo.info_data`, of each NIC in it
// `master` and `linkinfo.info_slave_data`.
//
//   info_data        mode, primary, primary_reselect, active_slave, xmit_hash_policy, fail_over_mac,
//                    miimon, updelay, downdelay, arp_interval, num_peer_notif, all_slaves_active,
//                    min_links, ad_select;
//                    ad_info {aggregator, num_ports, partner_mac}: there in mode 802.3ad
//   info_slave_data  state, mii_status, perm_hwaddr; ad_aggregator_id: in mode 802.3ad
//
// `primary` and `active_slave` are missing where there is none. A partner of zeros: nobody answers LACP.
//
// Sources: iproute2, ip/iplink_bond.c and ip/iplink_bond_slave.c, as of 6.1, and what they print of Debian's
// kernel 6.1, kept in tests/data/import/bonds. What the settings do: Linux,
// Documentation/networking/bonding.rst.
#include <fmt/format.h>

#include <algorithm>

#include "importers/linux_tables.h"
#include "model/bond_mode.h"
#include "wire/mac.h"

namespace sekimori::importers {

using model::BondMode;
using model::HashPolicy;

namespace {

std::optional<BondMode> mode_of(std::string_view word) {
  const auto found = std::ranges::find(model::kBondModeWords, word);
  if (found == model::kBondModeWords.end()) return std::nullopt;
  return static_cast<BondMode>(found - model::kBondModeWords.begin());
}

// The policies that a site file lacks differ from these in tunnels and for VLANs only.
HashPolicy hash_policy_of(std::string_view word) {
  if (word == "layer2+3" || word == "encap2+3") return HashPolicy::kLayer23;
  if (word == "layer3+4" || word == "encap3+4") return HashPolicy::kLayer34;
  return HashPolicy::kLayer2;
}

// What can be in a bond here: a whole NIC, which has a cable.
bool is_whole_nic(const LinuxInterface& it) {
  return it.is_ethernet && (it.kind.empty() || it.kind == "veth" || it.kind == "tun" ||
                            (it.kind == "macvlan" && it.far_namespace));
}

}  // namespace

LinuxBond read_bond(Data data) {
  LinuxBond bond;
  bond.mode = data["mode"].text();
  bond.primary = data["primary"].text();
  bond.reselect = data["primary_reselect"].text();
  bond.active = data["active_slave"].text();
  bond.hash_policy = data["xmit_hash_policy"].text();
  if (const Data info = data["ad_info"]; info.is_map()) {
    bond.aggregator = info["aggregator"].integer();
    const auto partner = wire::parse_mac(info["partner_mac"].text());
    bond.has_partner = partner && !partner->is_zero();
  }
  const auto note = [&](std::string_view key, std::string_view otherwise) {
    constexpr std::size_t kLongest = 40;  // of words that iproute2 writes
    bond.not_modelled.push_back(
        fmt::format("{} {} ({})", key, data[key].text().substr(0, kLongest), otherwise));
  };
  const auto is_set = [&](std::string_view key) { return data[key].integer_or(0) > 0; };
  const std::string_view fail_over = data["fail_over_mac"].text();
  if (bond.mode == "active-backup" && !fail_over.empty() && fail_over != "none")
    note("fail_over_mac", "its MAC stays the same here");
  if (is_set("arp_interval")) {
    note("arp_interval", "the state of the link alone counts here");
  } else if (data["miimon"].integer() == 0) {
    note("miimon", "the kernel notices no lost link, and here it is noticed");
  }
  for (const char* key : {"updelay", "downdelay"}) {
    if (is_set(key)) note(key, "links count at once here");
  }
  if (is_set("all_slaves_active")) note("all_slaves_active", "NICs that stand by take nothing here");
  if (data["min_links"].integer_or(0) > 1) note("min_links", "one link is enough here");
  if (bond.mode == "active-backup" && data["num_peer_notif"].integer() == 0)
    note("num_peer_notif", "a takeover is announced here");
  const std::string_view select = data["ad_select"].text();
  if (bond.mode == "802.3ad" && !select.empty() && select != "stable")
    note("ad_select", "an aggregator remains until its links are lost here");
  const bool has_word = bond.hash_policy.empty() || bond.hash_policy.starts_with("layer");
  if (!has_word && (bond.mode == "balance-xor" || bond.mode == "802.3ad"))
    note("xmit_hash_policy", "here as layer2, layer2+3 or layer3+4, which it is made of");
  return bond;
}

LinuxBondNic read_bond_nic(Data data) {
  return {std::string(data["perm_hwaddr"].text()), data["ad_aggregator_id"].integer_or(0)};
}

std::optional<BondFacts> linux_bond(const LinuxInterface& bond, std::vector<const LinuxInterface*> inside,
                                    Facts& facts) {
  std::erase_if(inside, [&](const LinuxInterface* it) {
    if (is_whole_nic(*it)) return false;
    facts.leave_out(it->place,
                    fmt::format("the interface {}, which is in {}: only whole NICs are in a bond here",
                                it->name, bond.name));
    return true;
  });
  if (inside.empty()) return std::nullopt;
  const auto mode = mode_of(bond.bond.mode);
  if (!mode) {
    facts.leave_out(bond.place, fmt::format("the bond {}, whose mode is '{}': it is taken for one NIC",
                                            bond.name, bond.bond.mode));
    return std::nullopt;
  }
  // In the order in which they would take over. What is not told again by the kernel is their own order; the
  // index is the next best.
  const bool stays = !bond.bond.reselect.empty() && bond.bond.reselect != "always";
  const auto rank = [&](const LinuxInterface* nic) {
    const int place = nic->name == bond.bond.active ? 0 : nic->name == bond.bond.primary ? 1 : 2;
    return std::pair(place, nic->index);
  };
  std::ranges::stable_sort(inside, {}, rank);

  BondFacts out;
  out.name = bond.name;
  out.place = bond.place;
  out.mode = *mode;
  if (model::hashes(*mode)) out.hash_policy = hash_policy_of(bond.bond.hash_policy);
  out.not_modelled = bond.bond.not_modelled;
  if (bond.bond.aggregator) out.aggregated.emplace();
  for (const LinuxInterface* nic : inside) {
    out.nics.push_back(nic->name);
    if (nic->name == bond.bond.primary && model::has_active(*mode) && !stays) out.primary = nic->name;
    if (bond.bond.has_partner && nic->bond_nic.aggregator == bond.bond.aggregator)
      out.aggregated->push_back(nic->name);
  }
  return out;
}

}  // namespace sekimori::importers
