// What is wrong with a site by its structure alone, whatever the timing: duplicates, loops, segments that
// grow too wide. One rule a file; the table is in rules.cc. A rule takes about O(n log n) for n stations and
// ports, and says one fault once, however many stations it meets.
#pragma once

#include <vector>

#include "findings/finding.h"
#include "model/model.h"
#include "model/segments.h"

namespace sekimori::check {

// What rules share, worked out once.
struct Site {
  explicit Site(const model::Model& m);

  const model::Model& model;
  model::Segments segments;
  // When each machine runs: from the start or a `start` on the timeline, until a `stop`. kNever: not at all.
  std::vector<base::Time> starts, stops;
  // Every segment a station is ever in; more than one when its machine migrates.
  std::vector<std::uint32_t> segments_of(model::StationId station) const;
  // Both run at the same time; from when.
  bool together(model::StationId a, model::StationId b, base::Time& from) const;
};

void rule_loop(const Site& site, std::vector<findings::Finding>& out);
void rule_loop_possible(const Site& site, std::vector<findings::Finding>& out);
void rule_mac_duplicate(const Site& site, std::vector<findings::Finding>& out);   // and mac-duplicate-latent
void rule_shared_address(const Site& site, std::vector<findings::Finding>& out);  // and mac-duplicate-latent
void rule_mac_well_known(const Site& site, std::vector<findings::Finding>& out);
void rule_mac_invalid(const Site& site, std::vector<findings::Finding>& out);
void rule_mac_birthday(const Site& site, std::vector<findings::Finding>& out);
void rule_mac_pool_overlap(const Site& site, std::vector<findings::Finding>& out);
void rule_mac_pool_full(const Site& site, std::vector<findings::Finding>& out);
void rule_mac_bridge_changes(const Site& site, std::vector<findings::Finding>& out);
void rule_ip_duplicate(const Site& site, std::vector<findings::Finding>& out);
void rule_vlan_mismatch(const Site& site, std::vector<findings::Finding>& out);  // and vlan-leak
void rule_bpdu_guard(const Site& site, std::vector<findings::Finding>& out);
void rule_flap_teaming(const Site& site, std::vector<findings::Finding>& out);
void rule_bond_mismatch(const Site& site, std::vector<findings::Finding>& out);
void rule_blackhole_nested(const Site& site, std::vector<findings::Finding>& out);
void rule_blackhole_neighbour(const Site& site, std::vector<findings::Finding>& out);
void rule_multicast(const Site& site,
                    std::vector<findings::Finding>& out);  // blackhole-snooping, flood-multicast
void rule_ageing_below_arp(const Site& site, std::vector<findings::Finding>& out);
void rule_ageing_zero(const Site& site, std::vector<findings::Finding>& out);
void rule_segment_over_wan(const Site& site, std::vector<findings::Finding>& out);
void rule_segment_large(const Site& site, std::vector<findings::Finding>& out);
void rule_segment_mixed(const Site& site, std::vector<findings::Finding>& out);

// All of them.
std::vector<findings::Finding> structural(const model::Model& model);

}  // namespace sekimori::check
