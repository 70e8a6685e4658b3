// What bridges of a spanning tree say to each other, and what they then do with their ports: the words that
// STP (stp.h) and RSTP (rstp.h) share. Both are pure: whoever plays them brings the clock, hands over what
// arrives, and carries out the effects.
//
// A BPDU carries a priority vector (IEEE 802.1D-2004 clause 17.5): the root that its sender believes in, what
// it costs to get there, and who says so by which port; the least one wins, compared in this order. STP knows
// two kinds of BPDU, the configuration that runs down from the root and the topology change notification
// (TCN) that runs up to it; RSTP has one kind, which says the role and state of its sender's port as well.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.h"

namespace sekimori::switching::tree {

using base::Duration;
using base::Time;

using Identifier = std::uint64_t;  // of a bridge: its priority, then its address; less is better
using PortNumber = std::uint32_t;  // of a port among those of its bridge

enum class Role : std::uint8_t { kDisabled, kRoot, kDesignated, kAlternate, kBackup };
// Blocking and listening differ in the frames of nobody: neither learns nor forwards.
enum class State : std::uint8_t { kDiscarding, kLearning, kForwarding };

struct Vector {
  Identifier root = ~Identifier{0};
  std::uint32_t cost = 0;
  Identifier bridge = ~Identifier{0};
  std::uint32_t port = ~std::uint32_t{0};
  friend auto operator<=>(const Vector&, const Vector&) = default;
};

// The root's timers, which all use, and the age of what is said (802.1D-2004 table 17-1: the defaults).
struct Times {
  Duration message_age{0};
  Duration max_age = base::seconds(20);
  Duration hello = base::seconds(2);
  Duration forward_delay = base::seconds(15);
  friend bool operator==(const Times&, const Times&) = default;
};

struct Bpdu {
  bool is_tcn = false;    // STP: nothing else is in it
  bool is_rapid = false;  // RSTP's kind
  Role role = Role::kDesignated;
  Vector vector{};
  Times times{};
  bool topology_change = false, topology_change_ack = false;
  bool proposal = false, agreement = false, learning = false, forwarding = false;
};

// What one port is made of.
struct PortSettings {
  std::uint32_t id = 0;  // in vectors
  std::uint32_t path_cost = 20'000;
  // Nobody behind it bridges ("portfast"): forwards at once, and its coming and going changes no topology.
  enum class Edge : std::uint8_t { kOff, kAuto, kOn } edge = Edge::kOff;
  bool is_point_to_point = true;
  bool is_filtered = false;  // BPDUs neither leave nor are heard: the tree knows nothing of the port
};

// What a bridge finds converged, for a port.
struct Settled {
  Role role = Role::kDisabled;
  Vector vector;           // what is said on the LAN of the port
  std::uint32_t hops = 0;  // of the bridge that says it, from the root
  Times times;             // the root's
  bool bridges = false;    // somebody behind it bridges
};

// What is to be done, in this order.
struct Effects {
  std::vector<std::pair<PortNumber, State>> states;
  std::vector<PortNumber> flushed;   // forget what was learnt there
  std::optional<Duration> ageing;    // forget after this long from now on; zero: as configured again
  std::vector<PortNumber> detected;  // the topology changed at this port
  std::vector<std::pair<PortNumber, Bpdu>> sent;

  void clear() { *this = {}; }
};

}  // namespace sekimori::switching::tree
