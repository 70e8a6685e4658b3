// What a bridge does with frames that have come in, in words: ports, tags, and what keeps a frame from
// leaving by one of them. It reads what check/walk.h did; it decides nothing.
#pragma once

#include <string>
#include <vector>

#include "load/entry.h"

namespace sekimori::load {

enum class Action : std::uint8_t {
  kForwards,          // out of the port to the destination
  kFloods,            // the entry is missing: out of all ports
  kForwardsOrFloods,  // as the entry comes and goes
  kFilters,           // off the way: the destination is behind the port where they came in
  kFiltersOrFloods,
  kRepeats,  // hub
  kHandsOn,  // hosted bridge
  kDrops,
  kForwardsOrDrops,  // the port takes no unknown unicast
};
std::string_view to_text(Action action);

struct Doing {
  Action action = Action::kForwards;
  std::vector<std::string> says;  // whole sentences
  std::string drop_reason;        // kDrops, kForwardsOrDrops: "sw1:2 takes no unknown unicast"
};

class DoingTeller {
 public:
  DoingTeller(const check::Learning& learning, model::StationId to)
      : l_(learning), m_(learning.model()), to_(to), name_(name_of(learning.model(), to)) {}
  Doing tell(const Visit& visit, const EntryStory& entry) const;

  // "24 (to ether)", "2 (desk:eth0, tagged 10)"
  std::string port(check::NodeIndex node, model::PortId port) const;
  // Of the frames that leave the node there; 0: untagged.
  std::uint16_t tag(check::NodeIndex node, model::PortId port) const;

 private:
  std::string ports(check::NodeIndex node, const std::vector<model::PortId>& list) const;
  Doing tell_switch(const Visit& visit, const EntryStory& entry) const;
  Doing tell_hosted(const Visit& visit) const;
  Doing tell_registered(const Visit& visit) const;
  std::string bar(const Visit& visit) const;
  void tell_spared(const Visit& visit, Doing& doing) const;

  const check::Learning& l_;
  const model::Model& m_;
  model::StationId to_;
  std::string name_;
};

}  // namespace sekimori::load
