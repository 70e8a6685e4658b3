// A site as merge puts it together and the writer writes it: the site file's own shapes, with comments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "importers/facts.h"

namespace sekimori::importers {

struct DraftPort {
  std::string name;
  VlanFacts vlans;
  bool learning = true, flood = true, isolated = false;
  unsigned lag = 0;  // 0: none
  // esxi; esxi; hyperv
  bool promiscuous = false, forged = false, spoofing = false;
  bool says_anything() const {
    return vlans.any() || !learning || !flood || isolated || lag != 0 || promiscuous || forged || spoofing;
  }
};

struct DraftNic {
  std::string name;
  std::optional<Mac> mac;
  std::optional<Ipv4Prefix> ip;
  std::string on;   // of a guest's NIC
  DraftPort port;   // the settings of the port it is plugged into
  std::string tap;  // what the host calls that port
  bool is_down = false;
  std::string comment;
};

// Its own address and MAC are those of the NIC of its name.
struct DraftBond {
  std::string name;
  model::BondMode mode = model::BondMode::kActiveBackup;
  std::vector<std::string> nics;
  std::string primary;
  model::HashPolicy hash_policy = model::HashPolicy::kLayer2;
};

struct DraftStatic {
  Mac mac;
  std::string port;
  std::uint16_t vlan = 0;
};

// Ports as a site file names them: an uplink, guest:nic, LOCAL.
struct DraftFlowRule {
  std::string in;  // empty: any
  std::optional<Mac> destination;
  model::FlowRuleType type = model::FlowRuleType::kAny;
  std::vector<std::string> out;
  bool normal = false;
  std::string comment;
};

struct DraftSwitch {
  std::string name;
  std::string kind;  // the site file's word; of gear that is a plain switch empty
  std::vector<std::string> uplinks;
  std::optional<Ipv4Prefix> ip;
  std::optional<Mac> mac;
  std::optional<model::Duration> ageing;
  std::optional<std::uint32_t> table_size;
  std::optional<std::uint16_t> priority;
  bool learning = true, stp = false, vlan_aware = false;
  std::optional<bool> snoops;  // multicast; none: as its kind does
  bool querier = false, floods_unregistered = true;
  std::vector<DraftPort> ports;
  std::vector<DraftStatic> statics;
  std::vector<DraftFlowRule> flow_rules;
  std::optional<model::MacvlanMode> macvlan_mode;
  std::optional<model::Teaming> teaming;
  bool notify_switches = true, beacon_probing = false;
  bool is_guess = false;  // a guest names it, and nothing tells where it leads
  std::string comment;
};

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

struct DraftMachine {
  std::string name;
  model::MachineKind kind = model::MachineKind::kHost;
  bool running = true;
  std::vector<DraftNic> nics;
  std::vector<DraftBond> bonds;
  std::vector<DraftSwitch> switches;
  std::optional<Ipv4> gateway;
  std::vector<RouteFacts> routes;
  std::vector<std::size_t> guests;  // indexes of machines
  std::size_t host = kNone;
  std::size_t facts = kNone;  // what it is made of: an index into Facts::machines
  std::string comment;
};

struct DraftLink {
  std::string a, b;  // "server:eth0", "sw1:24", "server/br0:v1"
  std::string comment;
};

struct DraftFlow {
  std::string from, to;  // machine:nic
};

// What the reader of a report must know. An assumption stands for something that no export can tell; a
// suspect is something that the exports tell and that ought not to be.
struct DraftNote {
  bool is_suspect = false;
  std::string text;
};

struct Draft {
  std::string title;
  std::vector<DraftMachine> machines;
  std::vector<DraftSwitch> gear;
  std::vector<DraftLink> links;
  std::vector<DraftFlow> flows;
  std::vector<DraftNote> notes;
};

// Joins the facts of all sources. What it can't use goes to facts.left_out.
Draft merge(Facts& facts);

// A commented site file.
std::string write_site(const Draft& draft);

}  // namespace sekimori::importers
