// The cables of a live switch or bond: which of them carry, and what the switch itself says over them: its
// spanning tree, its beacons, and which NICs have moved to another uplink of a team.
//
// The kernel tells of a carrier that has come or gone, now and then up to a second late
// (net/core/link_watch.c); a run asks to look at once.
#pragma once

#include <functional>
#include <memory>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "lab/live_switch.h"
#include "lab/live_tree.h"
#include "lab/plan.h"
#include "sys/link_watcher.h"
#include "sys/links.h"

namespace sekimori::lab {

class CableWatch {
 public:
  static base::Result<CableWatch> open(const model::Model& site, const Plan& plan, model::BridgeId id);
  int fd() const { return watcher_.fd(); }  // can be read when it is time to look
  // The ports of the bridge whose cables carry, or why that can't be told.
  base::Result<std::unordered_set<model::PortId>> carriers();

 private:
  CableWatch(const model::Model& site, const Plan& plan, model::BridgeId id, sys::LinkWatcher watcher,
             sys::Links links)
      : site_(site), plan_(plan), id_(id), watcher_(std::move(watcher)), links_(std::move(links)) {}

  const model::Model& site_;
  const Plan& plan_;
  model::BridgeId id_;
  sys::LinkWatcher watcher_;
  sys::Links links_;
};

class LiveCables {
 public:
  using Send = LiveTree::Send;
  // The switch must outlive it.
  static base::Result<LiveCables> open(const model::Model& site, const Plan& plan, model::BridgeId id,
                                       LiveSwitch& live, Send send);

  int watch_fd() const { return watch_.fd(); }
  // Tells the switch and its tree which cables carry. NICs of a team that leave by another uplink for it are
  // announced there.
  void look(base::Time now);
  // A beacon has come in at a port. True when it is the switch's own, and goes nowhere.
  bool hear_beacon(model::PortId in, const LiveSwitch::Frame& frame);
  // What is due, of the tree and of beacons.
  void on_time(base::Time now);
  base::Time next_due() const;

  // With the tree as the whole site settles on it, by port of the model.
  void begin_tree(const std::vector<switching::tree::Settled>& settled, base::Time now);
  // In use. Switched on, its ports begin as those of a bridge that has just been plugged in.
  void switch_tree(bool on, base::Time now);
  LiveTree* tree() const { return tree_.get(); }  // null: it has none, or that is switched off

 private:
  LiveCables(const model::Model& site, const Plan& plan, model::BridgeId id, LiveSwitch& live, Send send,
             CableWatch watch)
      : site_(site), plan_(plan), id_(id), live_(live), send_(std::move(send)), watch_(std::move(watch)) {
    if (live.probes_with_beacons()) beacons_due_ = switching::kBeaconInterval;
  }
  void make_tree();
  void notify_moved();
  void notify(model::PortId nic, model::PortId uplink);
  void send_beacons();

  const model::Model& site_;
  const Plan& plan_;
  model::BridgeId id_;
  LiveSwitch& live_;
  Send send_;
  CableWatch watch_;
  std::unique_ptr<LiveTree> tree_;
  base::Time beacons_due_ = base::kNever;
};

}  // namespace sekimori::lab
