// Plays a site frame by frame (the engine is described in engine.h) and returns what there was to count and
// to see.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/model.h"

namespace sekimori::simulate {

using base::Duration;
using base::Time;

// A lane is one direction of a link: lane 2*l carries from link l's end a to end b, lane 2*l+1 from b to a.
constexpr std::size_t lane_index(model::LinkId link, bool from_a) {
  return 2 * link.index() + (from_a ? 0 : 1);
}

// Totals since the start. Bytes are of frames without FCS, preamble and gap, as interface counters count
// them.
struct LaneCounters {
  std::int64_t frames = 0, bytes = 0;  // sent, flooded ones included
  std::int64_t flooded_frames = 0,
               flooded_bytes = 0;  // unknown-unicast copies that do not lead to their destination
  std::int64_t dropped_frames = 0, dropped_bytes = 0;  // did not fit in the queue
};

struct FlowCounters {
  std::int64_t offered_bytes = 0;     // payload that the application had to send
  std::int64_t sent_frames = 0;       // put on the wire by the sender, repetitions included
  std::int64_t repeated_frames = 0;   // of these, TCP retransmissions
  std::int64_t delivered_frames = 0;  // that reached the receiver's application; of a group: of its member
                                      // that got fewest
  std::int64_t delivered_bytes = 0;   // payload, each byte once
  std::int64_t answered = 0;          // request, ping: answers that came back
  std::int64_t lost_frames = 0;       // sent, and known to have been dropped or discarded on the way
  Duration delay_sum{0};              // one way, over delivered_frames
};

// Counters of every lane and flow at the end of each window.
struct Window {
  Time end{0};
  std::vector<LaneCounters> lanes;  // empty when Options::lane_series is false
  std::vector<std::int64_t> bpdus;  // of the frames on each lane; empty without a spanning tree
  std::vector<FlowCounters> flows;
};

// Receives the bytes of every frame that passes a captured port, in order of time.
struct CapturedFrame {
  Time at{0};
  std::size_t capture;  // index into Options::captures
  bool inbound;         // into the captured port from the link
  std::string_view bytes;
};

struct Options {
  Time until = base::seconds(900);
  Duration window{0};       // length of a window; 0: one window, the whole run
  bool tables = false;      // hand over what bridges and stations know at the end
  bool lane_series = true;  // keep the lanes' counters per window (big on big sites)
  std::vector<model::PortId> captures;
  std::function<base::Result<void>(const CapturedFrame&)> on_frame;
  // Called now and then with the simulated time; returning false ends the run early.
  std::function<bool(Time)> progress;
};

enum class FloodReason : std::uint8_t {
  kNoEntry,     // the table has no entry, and never had, or lost it with a link
  kExpired,     // had one, aged out
  kNoLearning,  // the bridge or port does not learn, or ageing is 0
  kTableFull,   // the address was seen and refused for want of room
  kForgotten,   // had one, and a topology change made the bridge forget it before its time
};
constexpr std::size_t kFloodReasons = 5;

// All unknown-unicast floods of one bridge towards one destination.
struct FloodRecord {
  model::BridgeId bridge;
  std::uint16_t vlan = 0;
  wire::Mac destination;
  std::int64_t frames = 0, bytes = 0;  // that arrived and went out of at least one port
  std::array<std::int64_t, kFloodReasons> by_reason{};
  Time first{0}, last{0};
  Duration flooding{0};  // summed lengths of the flood's spells (gaps under 2 s are bridged)
  std::int64_t spells = 0;
  Time longest_spell_start{0};
  Duration longest_spell{0};
  std::int64_t withheld_frames =
      0;  // kept from the way to their destination: unknown unicast is blocked there
  model::PortId last_ingress;
  model::StationId last_source;  // that put the last of them on the wire
  model::FlowId last_flow;       // invalid: ARP
  Time last_seen_as_source{-1};  // when this bridge last received a frame from that address; -1: never
};

// A hosted virtual switch sent a frame for one of its own guests out of the uplink as well.
struct LeakRecord {
  model::BridgeId bridge;
  model::StationId guest;
  std::int64_t frames = 0, bytes = 0;
  Time first{0}, last{0};
};

// One address learnt on several ports of a bridge.
struct MoveRecord {
  model::BridgeId bridge;
  std::uint16_t vlan = 0;
  wire::Mac mac;
  std::int64_t moves = 0;
  Time first{0}, last{0};
  model::PortId from, to;  // of the last move
};

// Frames for an IP address that arrived at another station because it has the same MAC.
struct MisdeliveryRecord {
  model::StationId at;        // where they arrived
  model::StationId intended;  // whose address it is; invalid when nobody has it
  std::int64_t frames = 0;
  Time first{0}, last{0};
};

// Two different MACs answered or announced one IP address.
struct AddressConflictRecord {
  wire::Ipv4 ip;  // or, when this is 0.0.0.0,
  wire::Ipv6 ip6;
  std::vector<model::StationId> stations;
  std::int64_t changes = 0;  // times an ARP cache changed its mind
  Time first{0};
};

// Frames passed a bridge more often than there are bridges: they circulate.
struct LoopRecord {
  model::BridgeId bridge;
  model::PortId port;
  Time first{0};
  std::int64_t frames = 0;
  bool storm = false;  // it grew until the run was cut short
};

// The spanning tree changed at a port: it began, or ceased, to forward.
struct TopologyChangeRecord {
  model::PortId port;
  std::int64_t changes = 0;
  Time first{0}, last{0};
};

// A BPDU came in at a port with a BPDU guard, and shut it.
struct ShutRecord {
  model::PortId port;
  model::PortId sender;  // of the BPDU
  Time at{0};
};

// Another router took over a shared address.
struct TakeoverRecord {
  model::SharedId shared;
  model::StationId nic;  // of the new master
  Time at{0};
};

// What a bridge's table holds at the end of the run, and what a station's ARP or neighbour cache does.
struct TableEntry {
  model::BridgeId bridge;
  wire::Mac mac;
  std::uint16_t vlan = 0;
  model::PortId port;
  Duration unheard{0};
  bool is_static = false;
};
struct NeighbourEntry {
  model::StationId station;
  wire::Ipv4 ip;  // or, when this is 0.0.0.0, `ip6`
  wire::Mac mac;
  wire::Ipv6 ip6{};
};

// What a member of a multicast group got of a flow to it.
struct Reception {
  model::FlowId flow;
  model::StationId member;
  std::int64_t frames = 0, bytes = 0;  // bytes: of payload
  Time last{-1};                       // -1: none
  Duration longest_gap{0};             // between two that it got
  Time longest_gap_end{0};
};

// That a bridge which snoops knows a member of a group behind a port, at the end of the run.
struct GroupEntry {
  model::BridgeId bridge;
  std::uint16_t vlan = 0;
  wire::Group group;
  model::PortId port;
};

struct RunResult {
  Time ended{0};         // == Options::until unless cut short
  bool stopped = false;  // progress() asked for it
  bool storm = false;    // a loop's storm would have gone on for ever; cut short some time after it began
  std::uint64_t fingerprint = 0;
  std::int64_t frame_hops = 0;  // frames sent over links, flooded copies included
  std::int64_t events = 0;
  std::vector<LaneCounters> lanes;  // at the end
  std::vector<FlowCounters> flows;
  std::vector<Window> windows;
  std::vector<FloodRecord> floods;
  std::vector<LeakRecord> leaks;
  std::vector<MoveRecord> moves;
  std::vector<MisdeliveryRecord> misdeliveries;
  std::vector<AddressConflictRecord> address_conflicts;
  std::vector<LoopRecord> loops;
  std::vector<TopologyChangeRecord> topology_changes;
  std::vector<ShutRecord> shuts;
  std::vector<TakeoverRecord> takeovers;
  std::vector<TableEntry> tables;  // with Options::tables
  std::vector<NeighbourEntry> neighbours;
  std::vector<GroupEntry> group_entries;
  std::vector<Reception> receptions;
  std::vector<std::int64_t> sent_by_station;  // frames put on the wire, per station
};

// Deterministic: equal models and options give equal results on every machine and in every build.
base::Result<RunResult> run(const model::Model& model, const Options& options);

}  // namespace sekimori::simulate
