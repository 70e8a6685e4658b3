// A lab on the running system: built from a plan, found again by the names of its namespaces, and removed.
//
// Everything is in namespaces of the lab's own; nothing is made, changed or sent in the caller's. There is no
// state file: a lab is what there is in /run/netns under its prefix, so `down` works after any crash.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "sys/namespaces.h"

namespace sekimori::lab {

// Marks a namespace as one of a lab's, before it has a name; so that whoever has a namespace of such a name
// keeps it. What was left half-made counts as a lab's.
base::Result<void> mark(const sys::Namespace& space);
bool is_of_a_lab(const std::string& name);

// What the plan needs and this kernel lacks, by feature, each with the parts of the site that need it.
struct Lack {
  Feature feature;
  std::vector<std::string> parts;
  std::string error;  // what the kernel said
};
base::Result<std::vector<Lack>> probe(const Plan& plan);

struct UpOptions {
  std::vector<Feature> without;  // features that are left out
  // Called between steps with the share done; false ends it.
  std::function<bool(double share)> progress;
};

// Builds it. Whatever was built is removed again when it fails or is broken off; the error then says so.
base::Result<void> up(const model::Model& site, const Plan& plan, const UpOptions& options);

// What this system has of what the site can make use of. Without root it can't be told what the kernel has:
// then it is taken to have all.
Facilities facilities(const model::Model& site);

// A plan with these facilities; or, when a lab of that name is there already, with those that it was built
// with, as its namespaces tell.
Plan plan_for(const model::Model& site, const std::string& lab, const Facilities& facilities);

struct Removed {
  std::size_t namespaces = 0;
  bool live = false;                // there were processes of the lab, which have ended
  std::vector<std::string> others;  // namespaces with a lab's name that no lab made: they stay
};
base::Result<Removed> down(std::string_view lab);
// Ends the lab's processes that are found in the thread's namespace: the live switches, Open vSwitch, guests.
// False: there were none.
bool stop_services();

// The end at which a link is switched on and off: the bridge's, so that a machine keeps its addresses and
// routes.
model::PortId switching_end(const model::Model& site, model::LinkId link);

// The machine's routes. The kernel drops those through a device that is switched off, and they are to be
// entered again: those that are there stay.
enum class WhenThere : std::uint8_t { kRefuse, kLeave };
base::Result<void> enter_routes(const model::Model& site, const Plan& plan, model::MachineId machine,
                                const sys::Namespace& space, WhenThere when_there);

// Starts the live parts of a lab that is up, when they don't run.
base::Result<void> start_live(const model::Model& site, const Plan& plan);

struct Status {
  std::size_t there = 0;             // of the plan's namespaces
  std::vector<std::string> missing;  // namespaces that the plan has and the system has not
  std::vector<std::string> foreign;  // of the lab, but not in the plan
  std::vector<std::string> broken;   // devices that are not there: "sekimori.lab.sw1: 24"
  bool live = false;                 // the process with the live parts runs
  bool open_vswitch = false;         // its daemons run
  std::string guests_on;  // "KVM" or "emulation", where those that boot images run; empty: none does
  std::vector<std::string> ended_guests;  // of these
  bool up(const Plan& plan) const {
    return missing.empty() && broken.empty() && foreign.empty() && (live || !plan.has_live()) &&
           (open_vswitch || plan.open_vswitch == kNone) &&
           ((!guests_on.empty() && ended_guests.empty()) || plan.guests.empty());
  }
};
base::Result<Status> status(const Plan& plan);
// What of the plan is not there, in words: "the device sekimori.lab.sw1: 24, the live switches". Empty: all
// is up.
std::string what_is_missing(const Plan& plan, const Status& status);

// Labs that are on this system, by name, with how many namespaces each has.
std::vector<std::pair<std::string, std::size_t>> list();

}  // namespace sekimori::lab
