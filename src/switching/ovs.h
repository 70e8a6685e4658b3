// Open vSwitch. With the one flow it starts with, `priority=0 actions=NORMAL`, it is a learning switch: 8 192
// entries for 300 s (ovs-vswitchd.conf.db(5), mac-table-size and mac-aging-time), one table for each VLAN,
// BPDUs and other reserved group addresses dropped. Two things differ from a physical switch:
//
// When the table is full, something new is learnt at the cost of the port that has most entries: its least
// recently used one goes (lib/mac-learning.c, evict_mac_learning_entry_fairly). So a port that floods the
// table with made-up addresses hurts itself first, and a switch with too small a table keeps forgetting
// (fdb.h, WhenFull::kEvict).
//
// **Learning is a side effect of NORMAL.** A flow that outputs to ports by itself, as controllers install
// them by the thousand, does not learn (ofproto/ofproto-dpif-xlate.c: only xlate_normal calls
// update_learning_table). If the answers of a station always match such a flow, the table never holds its
// address, and all that NORMAL sends to it is flooded (`flood-bypass`): ovn-kubernetes, issue 5318, where ARP
// replies to a node matched `dl_dst=...,actions=output:patch,LOCAL`. `actions=output:...,NORMAL` learns.
#pragma once

#include "model/model.h"

namespace sekimori::switching {

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
