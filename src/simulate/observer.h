// Takes down what the bridges and stations see that a diagnosis can use. One record per subject, so what is
// kept does not grow with the length of a run.
#pragma once

#include <unordered_map>

#include "base/random.h"
#include "simulate/addresses.h"
#include "simulate/run.h"

namespace sekimori::simulate {

class Observer {
 public:
  // The record of one bridge's floods towards one destination; ask once, then report by number.
  std::uint32_t open_flood(std::uint32_t bridge, std::uint16_t vlan, wire::Mac destination, Time now);
  void flooded(std::uint32_t record, const Frame& frame, std::uint32_t source_station, std::uint32_t ingress,
               FloodReason reason, bool copied, bool withheld, Time now);
  void leaked(std::uint32_t bridge, std::uint32_t guest, const Frame& frame, Time now);
  void moved(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address, wire::Mac mac,
             std::uint32_t from, std::uint32_t to, Time now);
  void refused(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address) {
    refused_[key(bridge, vlan, address)] = true;
  }
  bool was_refused(std::uint32_t bridge, std::uint16_t vlan, AddressIndex address) const {
    return refused_.contains(key(bridge, vlan, address));
  }
  void misdelivered(std::uint32_t at, std::uint32_t intended, Time now);
  void conflict(std::uint32_t ip, std::uint32_t station_a, std::uint32_t station_b, Time now);
  void topology_changed(std::uint32_t port, Time now);
  void shut(std::uint32_t port, std::uint32_t sender, Time now) {
    shuts_.push_back({model::PortId(port), model::PortId(sender), now});
  }
  void took_over(std::uint32_t shared, std::uint32_t nic, Time now) {
    takeovers_.push_back({model::SharedId(shared), model::StationId(nic), now});
  }
  void circulated(std::uint32_t bridge, std::uint32_t port, Time now);

  Time storm_since() const { return storm_since_; }  // kNever while there is none
  // Closes the spells and hands over the records, in the order in which they began.
  void finish(RunResult& result);

 private:
  // Unique up to 2^20 bridges, 4 096 VLANs and 2^32 addresses (mix64 is a bijection).
  static std::uint64_t key(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    return base::mix64(a << 44 ^ b << 32 ^ c);
  }
  struct Spell {
    Time start{0}, end{0};
  };
  void close(FloodRecord& record, const Spell& spell);

  std::vector<FloodRecord> floods_;
  std::vector<Spell> spells_;  // the current one of each flood
  std::unordered_map<std::uint64_t, std::uint32_t> leak_index_, move_index_, misdelivery_index_,
      conflict_index_;
  std::unordered_map<std::uint64_t, bool> refused_;
  std::vector<LeakRecord> leaks_;
  std::vector<MoveRecord> moves_;
  std::vector<MisdeliveryRecord> misdeliveries_;
  std::vector<AddressConflictRecord> conflicts_;
  std::vector<LoopRecord> loops_;
  std::vector<TopologyChangeRecord> topology_changes_;
  std::vector<ShutRecord> shuts_;
  std::vector<TakeoverRecord> takeovers_;
  std::int64_t circulating_ = 0;
  Time storm_since_ = base::kNever;
};

}  // namespace sekimori::simulate
