// Open vSwitch: `ovs-vsctl --format=json list Bridge|Port|Interface`, `ovs-appctl fdb/show BRIDGE`,
// `ovs-ofctl dump-flows BRIDGE`. Sources: ovs-vswitchd.conf.db(5), ovs-fields(7), ovs-actions(7), the OVSDB
// protocol (RFC 7047, section 5.1: how sets, maps and uuids are written), and output kept in
// tests/data/import.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "importers/formats.h"
#include "importers/linux_tables.h"

namespace sekimori::importers {

struct OvsInterface {
  std::string name, type, peer, attached_mac, owner, mac;
  std::optional<bool> lacp_current;  // its LACP partner is heard
  std::int64_t number = 0;           // of its OpenFlow port
};
struct OvsPort {
  std::string name;
  std::vector<std::string> interfaces;  // uuids; several: a bond
  std::string bond_mode, lacp, primary, active_mac;
  VlanFacts vlans;
  Place place;
};
struct OvsBridge {
  std::string name;
  std::vector<std::string> ports;  // uuids
  std::optional<std::int64_t> ageing, table_size;
  bool stp = false;
  bool snoops = false, floods_unregistered = true;  // multicast
  Place place;
};
struct OvsLine {
  std::string bridge;  // as the file's name tells; may be empty
  std::string text;
  Place place;
};

// Of one host.
struct OvsTables {
  std::string group;
  std::map<std::string, OvsBridge> bridges;  // by uuid
  std::map<std::string, OvsPort> ports;
  std::map<std::string, OvsInterface> interfaces;
  std::vector<OvsLine> fdb, flows;
};

// from_ovs_flows.cc
struct OvsFlow {
  FlowRuleFacts rule;  // ports as the flow has them
  std::int64_t table = 0, priority = 32768;
  bool is_readable = true;
};
OvsFlow read_ovs_flow(std::string_view line);
std::optional<std::int64_t> ovs_number(std::string_view text);

bool is_ovs_list(Data root);
void read_ovs_list(Data root, std::uint32_t file, OvsTables& tables);
bool is_ovs_fdb(std::string_view text);
bool is_ovs_flows(std::string_view text);
void read_ovs_lines(const Source& source, std::string_view file_name, std::vector<OvsLine>& lines);

// Adds the bridges to the host, whose NICs and addresses iproute2 tells when `linux` is there.
void add_ovs(const OvsTables& tables, const LinuxTables* linux_tables, MachineFacts& host, Facts& facts);

}  // namespace sekimori::importers
