// Beacon probing of VMware's vSwitches: a team of uplinks (teaming.h) that does not trust the state of their
// links alone. The switch that an uplink is plugged into may lose its own way onwards, or not carry a VLAN;
// the link stays up, and what leaves there is lost.
//
// All uplinks are taken to meet in one broadcast domain. So each sends a beacon, a broadcast, every second,
// and in each VLAN that is in use on the switch, and each hears those of the others. An uplink that has
// missed three in a row in a VLAN is bad there: the NICs of that VLAN take the uplinks that are good
// (notify-switches announces them there), until a beacon comes in again.
//
//   heard by                   frames of the VLAN take
//   some                       one of these, as if the others were down
//   none, one link up          that one, which has nobody to hear
//   none, several links up     *all* of these ("shotgun"): something is broken, and nobody can tell where
//
// So of n uplinks n - 2 may fail. Of two the loss of one leaves both deaf: every frame leaves twice, and
// group frames are taken from both. The NICs are announced by all uplinks that they did not use before.
//
// A beacon bears the *virtual address* of its NIC (`esxcli network nic get`), which is 00:50:56:50:00:00 and
// 20 bits more, and which no other frame bears. Its EtherType is 0x8922 (0x05ff before ESX 4). A vSwitch
// keeps the beacons of its own team to itself; to others they are broadcasts. Two uplinks in one link
// aggregation group never hear each other: a switch sends nothing back into the group (rule_flap_teaming.cc).
//
// Not published, and assumed here: that an uplink is judged for each VLAN by itself, that it is good again
// with the first beacon, how the 20 bits come about (here they are the number of the port in the site, so
// that no two are alike), and that every uplink sends every second: ESX 4.1 was seen to let the uplinks take
// turns. VLANs beyond the first hundred are not probed (Net.MaxBeaconVlans), and use what is up.
//
// Sources: vSphere Networking 6.5, "Network Failure Detection Policy" (every second, broadcasts, n - 2, two
// uplinks); kb.vmware.com 1005577 (each NIC); blogs.vmware.com/vmtn/?p=5943, "Beaconing Demystified" (three
// in a row); experts-exchange.com/articles/8353 (captures: EtherTypes, VLANs in use, virtual address and name
// inside); thedotsource.com/2021/03/03/esxi-the-big-mac-mystery (one virtual address in many VLANs).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/model.h"

namespace sekimori::switching {

constexpr base::Duration kBeaconInterval = base::seconds(1);
constexpr int kBeaconsMissed = 3;
constexpr std::size_t kMostBeaconVlans = 100;

// What the beacons of an uplink bear as their source.
wire::Mac beacon_address(model::PortId uplink);

// It sends and hears beacons: there is somebody to hear them.
bool probes_with_beacons(const model::Model& site, const model::Bridge& bridge);

// The uplinks of a switch that probes, and what is known of them. VLANs are as inside the switch, 0 when it
// knows none.
class Beacons {
 public:
  // With these of its links up, and all of them good so far.
  Beacons(const model::Model& site, const model::Bridge& bridge,
          const std::function<bool(model::PortId)>& has_carrier);

  std::span<const model::PortId> uplinks() const { return uplinks_; }
  std::span<const std::uint16_t> vlans() const { return vlans_; }  // that are probed, in ascending order
  bool is_own(wire::Mac source) const;                             // of one of its uplinks

  // It has missed too many.
  bool is_bad(model::PortId uplink, std::uint16_t vlan) const;
  // One of its own beacons has come in.
  void hear(model::PortId at, std::uint16_t vlan, wire::Mac source);
  // Once each interval, before the next beacons are sent. Returns whether an uplink has become bad.
  bool end_interval();
  void set_carrier(model::PortId uplink, bool up);

  bool is_usable(model::PortId uplink, std::uint16_t vlan) const;
  // Frames of the VLAN leave by all that are usable.
  bool is_shotgun(std::uint16_t vlan) const;

 private:
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  std::size_t number_of(model::PortId uplink) const;
  std::size_t row_of(std::uint16_t vlan) const;
  bool is_good(std::size_t row, std::size_t uplink) const {
    return carrier_[uplink] && missed_[row * uplinks_.size() + uplink] < kBeaconsMissed;
  }
  bool any_good(std::size_t row) const;

  std::vector<model::PortId> uplinks_;
  std::vector<std::uint16_t> vlans_;
  std::vector<bool> carrier_;
  // By VLAN and uplink: how many in a row; -1: one was heard in this interval, or there is none to hear yet.
  std::vector<std::int8_t> missed_;
};

}  // namespace sekimori::switching
