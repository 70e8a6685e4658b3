// The live parts of a lab: the switches that Linux lacks and the delays of links, moved by one thread that
// waits for frames on packet sockets.
#pragma once

#include <string>

#include "base/result.h"
#include "lab/plan.h"
#include "sys/service.h"

namespace sekimori::lab {

// The name under which the process is found in one of the lab's namespaces.
inline constexpr const char* kLiveService = "sekimori-lab-live";

// Runs them in this process. `ready` is called when frames are being moved, or with the reason why they can't
// be. Returns when asked to stop, when the lab's namespaces are gone, or at once after a failure.
//
// Asked for "table", it answers with a line for each entry: the bridge's and the port's number in the model,
// VLAN, MAC, seconds since it was heard (- for a static one). Asked for the "tree",
// it answers with a line for each port of a spanning tree: its number, role and state. Asked to "flush", it
// forgets what the switches learnt; to "set 3 0 5000", it changes a setting: the numbers of the bridge and
// of the option (model::BridgeOption), and its value. Asked to "begin",
// it lets the members of shared addresses begin as at the start of a run; "machine 3 1" tells it that a
// machine has been switched on, and "look" that cables have been plugged in or out. "move 3 1" plugs a
// junction in elsewhere, "home" all of them where they were.
void run_live(const model::Model& site, const Plan& plan, const sys::Ready& ready);

}  // namespace sekimori::lab
