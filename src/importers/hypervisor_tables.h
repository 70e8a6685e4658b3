// How hosts of ESXi and Hyper-V are set up, from tables of one row a thing:
//
//   RVTools (CSV)   vSwitch, vPort, dvPort, vNIC, vSC_VMK
//   PowerCLI        Get-VirtualPortGroup, Get-SecurityPolicy, Get-NicTeamingPolicy, Get-VMHostNetworkAdapter
//   Hyper-V         Get-VMSwitch
//
// Sources: the RVTools manual (what each tab has); VMware's PowerCLI reference and vSphere Web Services API
// (HostNetworkPolicy, HostNicTeamingPolicy: loadbalance_srcid, ...); Microsoft's reference of Get-VMSwitch.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "importers/table_rows.h"

namespace sekimori::importers {

struct HypervisorTables {
  // A NIC of the host itself on a virtual switch: a vmkernel adapter.
  struct OwnNic {
    std::string port_group, name;
    std::optional<Mac> mac;
    std::optional<Ipv4Prefix> ip;
    Place place;
  };
  struct Host {
    MachineFacts facts;
    std::vector<OwnNic> own;
  };
  std::map<std::pair<std::string, std::string>, Host> hosts;  // by group and name
};

bool is_hypervisor_table(std::string_view text, Data json);
void read_hypervisor_table(const Source& source, Data json, Facts& facts, HypervisorTables& tables);

// Puts the hosts to the facts.
void add_hypervisors(HypervisorTables tables, Facts& facts);

}  // namespace sekimori::importers
