// The lab's own Open vSwitch: one database and one switch daemon for all switches of the kind `ovs`, in the
// namespace where these are, with the user-space datapath (datapath_type=netdev: no kernel module, all frames
// through packet sockets).
//
// Both daemons are children of a process of ours and end with it; that process is found, like the live
// switches', by a socket with an abstract name in a namespace of the lab. Sockets, database and logs are in
// /run/sekimori.LAB.ovs, so that
//
//   ovs-vsctl --db=unix:/run/sekimori.LAB.ovs/db.sock show
//   ovs-appctl -t /run/sekimori.LAB.ovs/ctl fdb/show br0
//
// work, and so that `down` finds what a crash has left.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "lab/run.h"
#include "sys/service.h"

namespace sekimori::lab {

inline constexpr const char* kOpenVSwitchService = "sekimori-lab-ovs";

// Whether all that is needed is installed.
bool has_open_vswitch();

// Of the database, sockets and logs; there while the daemons run.
std::string open_vswitch_folder(std::string_view lab);

// Runs the daemons as long as this process goes on: until it is asked to stop, or their namespace is gone.
// Asked for "hello" it answers with the names of daemons that have ended by themselves, a line each.
void run_open_vswitch(const Plan& plan, const sys::Ready& ready);

// What is told to the daemons, and asked of them.
class OpenVSwitch {
 public:
  OpenVSwitch(const model::Model& site, const Plan& plan);

  // Bridges with their ports, VLANs, flows and static entries. The ports' devices are there.
  base::Result<void> configure() const;
  // Forgets what was learnt.
  base::Result<void> flush() const;
  // The ageing time or the size of the table.
  base::Result<void> set(const model::SetBridge& change) const;
  base::Result<std::vector<TableEntry>> tables() const;
  base::Result<std::vector<GroupEntry>> groups() const;

 private:
  std::vector<std::string> words_for(const PlannedBridge& bridge) const;
  base::Result<void> enter_static_entries(const PlannedBridge& bridge) const;
  base::Result<void> enter_flows(const PlannedBridge& bridge) const;
  base::Result<std::string> vsctl(std::vector<std::string> words) const;
  base::Result<std::string> appctl(std::vector<std::string> words) const;
  std::size_t number_of(model::PortId port) const;  // in OpenFlow

  const model::Model& site_;
  const Plan& plan_;
  std::string folder_;
};

}  // namespace sekimori::lab
