// Guests that boot an image: a QEMU for each, on KVM where that works and else by emulation, with a virtio
// NIC on each of its tap devices. A tap is the port of the switch itself, so a frame has as many hops as with
// libvirt.
//
// The QEMUs are children of a process of ours, end with it, and run in a namespace of the lab without any
// device; that process is found, like the live switches', by a socket with an abstract name there. What a
// guest writes to its disk is thrown away, so an image serves many guests and their clones. Each guest's
// serial line and its monitor (QMP) are
//
//   /run/sekimori.LAB.guests/GUEST.console
//   /run/sekimori.LAB.guests/GUEST.monitor
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "sys/service.h"

namespace sekimori::lab {

inline constexpr const char* kGuestService = "sekimori-lab-guests";

bool has_qemu();
// Files of the site's images that are not there or can't be read.
std::vector<std::string> lost_files(const model::Model& site);

// Of consoles, monitors and logs; there while the guests run.
std::string guests_folder(std::string_view lab);

// What QEMU is told, with a descriptor for each NIC. `home`: what relative paths of images are relative to.
std::vector<std::string> qemu_words(const model::Model& site, const PlannedGuest& guest, bool on_kvm,
                                    const std::string& home, const std::string& folder,
                                    const std::vector<int>& taps);

// Runs the guests as long as this process goes on: until it is asked to stop, or their namespace is gone.
// Their taps are there. Asked for "hello" it answers with what they run on, "KVM" or "emulation", and then
// with the names of guests that have ended by themselves, a line each.
void run_guests(const model::Model& site, const Plan& plan, const std::string& home, const sys::Ready& ready);

// Waits until every guest that is switched on answers ARP for its addresses, which it is asked through its
// taps, so that no switch and nobody's ARP cache knows of it afterwards but by its answers. An error names
// who does not answer in time. `go_on` is asked now and then; false: it wants to stop.
base::Result<bool> wait_for_guests(const model::Model& site, const Plan& plan,
                                   const std::function<bool()>& go_on);

}  // namespace sekimori::lab
