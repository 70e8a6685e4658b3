// Which stations have which MAC address, by which tables tell them apart, and of which addresses nothing can
// be claimed: those of two stations that one table may see at two ports, and those that a static entry leads
// elsewhere.
//
// An address is named by a number, that of the first station that has it.
#pragma once

#include <span>
#include <vector>

#include "check/forest.h"

namespace sekimori::check {

class MacHolders {
 public:
  // The addresses of `contested` stations are doubtful whatever else is known. Both references must outlive
  // it.
  MacHolders(const model::Model& model, const Forest& forest, std::span<const StationId> contested);

  // Numbers are below this.
  std::size_t size() const { return address_.size(); }
  std::uint32_t address(StationId s) const { return address_[s.index()]; }
  // Plugged stations that have it, and one of these (invalid: there is none).
  std::uint32_t count(std::uint32_t address) const { return count_[address]; }
  StationId any(std::uint32_t address) const { return any_[address]; }
  bool is_doubtful(std::uint32_t address) const { return doubtful_[address]; }
  // Some bridge has a static entry for it; this node's bridge has.
  bool is_known_by_hand(std::uint32_t address) const { return known_by_hand_[address]; }
  bool is_static(NodeIndex n, std::uint32_t address) const;

 private:
  void number();
  void doubt_duplicates();
  void take_static_entries();
  bool may_meet(StationId a, StationId b) const;
  PortId toward(NodeIndex n, const Place& place) const;
  bool leads_elsewhere(BridgeId bridge, const model::StaticEntry& entry, StationId station) const;

  struct Static {
    std::uint32_t address;
    std::uint16_t vlan;
  };
  const model::Model& m_;
  const Forest& forest_;
  std::vector<std::uint32_t> address_;  // by station
  std::vector<std::uint32_t> count_;
  std::vector<StationId> any_;
  std::vector<bool> doubtful_;
  std::vector<bool> known_by_hand_;
  std::vector<std::vector<Static>> statics_;  // by bridge
};

}  // namespace sekimori::check
