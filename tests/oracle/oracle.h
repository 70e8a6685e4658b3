// The simulator as the judge of the detectors. A site is played and captured at every port of every link;
// each capture is diagnosed as if it were all there is, and what is claimed is held against what the run
// knows.
//
// What the run knows is not the simulator's own diagnosis, which could share an error with the detectors, but
// facts: which way leads to a station (the links), what every port carried (the frames), why a bridge had no
// entry (FloodRecord), what left a host for its own guest (LeakRecord), who has which address (the model).
//
// A fault is *visible* at a port if its frames pass there and show it: unicast on a way that does not lead to
// its receiver, for a second and twenty frames; a MAC from both sides under two addresses; two MACs that
// claim one address in turn; a loop's copies. At each such port it is named (the cause is told, and true),
// left open (the flood is told, and a true cause is among those that remain), or missed. A cause that is not
// true, a flood of a station that is not flooded, and any other claim without a fact is false, wherever it is
// made.
//
// One premise is the detectors': switches on one path all learn, or none does. Behind a switch that does not
// learn a station (a hub, a port with learning off) one that does learn hears its broadcasts only, and
// forgets it: what the first floods is kept away for an ageing time, and comes through then. That looks as a
// leak does, or a silent receiver. Such claims are counted apart.
#pragma once

#include <string>
#include <vector>

#include "findings/finding.h"
#include "model/model.h"

namespace sekimori::oracle {

struct Score {
  int named = 0, open = 0, missed = 0;
  Score& operator+=(const Score& other);
};

struct Verdict {
  int ports = 0;    // that carried frames
  int visible = 0;  // faults, each at each port that shows it
  Score directed;   // captures that know the frames' directions
  Score plain;      // and those that don't, as most files
  std::vector<std::string> false_claims;
  // Claims that are false, of stations that one switch of several does not learn.
  std::vector<std::string> misled;
  std::vector<std::string> misses;  // for whoever works on the detectors
  bool healthy = true;              // nothing to see anywhere
  Verdict& operator+=(const Verdict& other);
};

Verdict judge(const model::Model& model, base::Time until);

}  // namespace sekimori::oracle
