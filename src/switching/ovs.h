// Open vSwitch. With the one flow it starts with, `priority=0 actions=NORMAL`, it is a learning switch: 8 192
// entries for 300 s (ovs-vswitchd.conf.db(5), mac-table-size and mac-aging-time), one table for each VLAN,
// BPDUs and other reserved group addresses dropped. This differs from a physical switch:
//
// Times and sizes have bounds: an entry lives 15 s to an hour, and the table holds 10 entries at least
// (lib/mac-learning.c, normalize_idle_time and mac_learning_set_max_entries). What is set outside of them is
// taken as the nearest, and 0 as the default (model/builder.cc does that), so no ageing time stops the
// learning.
//
// When the table is full, something new is learnt at the cost of the port that has most entries: its least
// recently used one goes (evict_mac_entry_fairly). So a port that floods the table with made-up addresses
// hurts itself first, and a switch with too small a table keeps forgetting (fdb.h, WhenFull::kEvict). Static
// entries count, and are evicted like others: they are never refreshed, so they go first at their port.
//
// A known destination gets its frame at the port of its entry, whether or not that port carries the VLAN
// (ofproto/ofproto-dpif-xlate.c, xlate_normal and output_normal); only floods look. With learnt entries that
// makes no difference; a static one can carry frames out of a port of another VLAN.
//
// **Learning is a side effect of NORMAL.** A flow that outputs to ports by itself, as controllers install
// them by the thousand, does not learn (only xlate_normal calls update_learning_table). If the answers of a
// station always match such a flow, the table never holds its address, and all that NORMAL sends to it is
// flooded (`flood-bypass`): ovn-kubernetes, issue 5318, where ARP replies to a node matched
// `dl_dst=...,actions=output:patch,LOCAL`. `actions=output:...,NORMAL` learns. Nor does such a flow look at
// the VLANs of ports: the frame leaves as it came in.
#pragma once

#include <cstdint>

#include "model/model.h"

namespace sekimori::switching {

// Addresses that NORMAL drops frames for, beside 01-80-C2-00-00-0x: discovery, aggregation and spanning trees
// of Cisco and Extreme (lib/packets.c, eth_addr_is_reserved).
constexpr bool ovs_reserves(model::Mac destination) {
  const std::uint64_t bits = destination.bits;
  const bool is_cisco = bits == 0x0100'0c00'0000u || bits == 0x0100'0ccc'cccc || bits == 0x0100'0ccc'cccd ||
                        bits == 0x0100'0ccd'cdcd || (bits >= 0x0100'0ccc'ccc0 && bits <= 0x0100'0ccc'ccc7);
  return is_cisco || bits == 0x00e0'2b00'0000u || bits == 0x00e0'2b00'0004u || bits == 0x00e0'2b00'0006u;
}

// The first rule that matches decides; null: NORMAL, as the flow of priority 0 has it.
inline const model::FlowRule* match_rule(const model::Bridge& bridge, model::PortId in,
                                         model::Mac destination, bool is_arp) {
  for (const model::FlowRule& rule : bridge.flow_rules) {
    if (rule.in.valid() && rule.in != in) continue;
    if (!rule.destination.is_zero() && rule.destination != destination) continue;
    if (rule.type == model::FlowRuleType::kArp && !is_arp) continue;
    if (rule.type == model::FlowRuleType::kIp && is_arp) continue;
    return &rule;
  }
  return nullptr;
}

}  // namespace sekimori::switching
