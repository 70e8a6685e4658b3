// One run: the parts put together, the clock let go, changes made at their time, counters read at every
// window's end.
#include "simulate/run.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "base/fingerprint.h"
#include "simulate/encode.h"
#include "simulate/fabric.h"
#include "simulate/stacks.h"

namespace sekimori::simulate {
namespace {

// A storm does not end by itself; what it does to the links is plain after this long.
constexpr Duration kStormShown = base::milliseconds(100);
constexpr std::int64_t kStormEvents = 2'000'000;
constexpr std::int64_t kEventsPerProgress = 1 << 16;

class Run {
 public:
  Run(const model::Model& model, const Options& options)
      : model_(model),
        options_(options),
        addresses_(model),
        audience_(addresses_),
        fabric_(model, addresses_, audience_, wires_, observer_, options.captures),
        stacks_(model, addresses_, audience_, wires_, observer_, fabric_) {}

  base::Result<RunResult> play() {
    fabric_.on_new_way = [this](std::uint32_t station) { stacks_.announce(model::StationId(station)); };
    fabric_.on_tunnel = [this](std::uint32_t port, const Frame& frame) { stacks_.enter_tunnel(port, frame); };
    if (!options_.captures.empty()) {
      wires_.tap = [this](LaneIndex lane, const Frame& frame, bool inbound) { record(lane, frame, inbound); };
    }
    for (std::uint32_t c = 0; c < model_.changes.size(); ++c) {
      wires_.arm(wires_.add_timer(TimerKind::kChange, c), model_.changes[c].at);
    }
    stacks_.start();
    const Duration window = options_.window.count() > 0 ? options_.window : options_.until;
    for (Time end = std::min(window, options_.until); go_on_; end = std::min(end + window, options_.until)) {
      play_until(end);
      if (failure_) return std::unexpected(*failure_);
      close_window(result_.stopped || result_.storm ? wires_.now() : end);
      if (end >= options_.until) break;
    }
    finish();
    return std::move(result_);
  }

 private:
  void play_until(Time end) {
    Wires::Arrival arrival;
    while (go_on_ && wires_.next(end, arrival)) {
      if (arrival.is_timer) {
        on_timer(arrival);
      } else if (const std::uint32_t port = wires_.lane(arrival.lane).to_port; fabric_.is_bridge_port(port)) {
        fabric_.receive(port, arrival.frame);
      } else {
        stacks_.receive(port, arrival.frame);
      }
      if (++result_.events % kEventsPerProgress == 0) pause();
    }
    if (go_on_) wires_.advance(end);
  }

  void pause() {
    if (options_.progress && !options_.progress(wires_.now())) {
      result_.stopped = true;
      go_on_ = false;
    }
    check_storm();
  }

  void check_storm() {
    if (observer_.storm_since() == base::kNever) return;
    if (storm_events_ == 0) storm_events_ = result_.events;
    if (wires_.now() - observer_.storm_since() < kStormShown && result_.events - storm_events_ < kStormEvents)
      return;
    result_.storm = true;
    go_on_ = false;
  }

  void on_timer(const Wires::Arrival& arrival) {
    switch (arrival.timer) {
      case TimerKind::kChange:
        std::visit([this](const auto& change) { apply(change); }, model_.changes[arrival.subject].what);
        return;
      case TimerKind::kSpanningTree:
        fabric_.on_tree_timer(arrival.subject);
        return;
      case TimerKind::kBond:
        fabric_.on_bond_timer(arrival.subject);
        return;
      case TimerKind::kBridgeQuerier:
        fabric_.on_querier_timer(arrival.subject);
        return;
      case TimerKind::kBeacon:
        fabric_.on_beacon_timer(arrival.subject);
        return;
      default:
        stacks_.on_timer(arrival.timer, arrival.subject);
    }
  }

  void plug(model::PortId port, bool up) {
    if (const model::LinkId link = model_[port].link; link.valid()) fabric_.set_link(link, up);
  }
  void switch_on(model::MachineId machine, bool on) {
    for (const model::StationId station : model_[machine].stations) {
      plug(model::PortId(fabric_.port_of(station.value)), on);
    }
    stacks_.set_running(machine, on);
  }

  void apply(const model::StartMachine& change) { switch_on(change.machine, true); }
  void apply(const model::StopMachine& change) { switch_on(change.machine, false); }
  void apply(const model::SetLink& change) { fabric_.set_link(change.link, change.up); }
  void apply(const model::SetBridge& change) {
    fabric_.set_option(change.bridge, change.option, change.value);
  }
  void apply(const model::MigrateMachine& change) {
    for (const auto& [station, port] : change.moves) {
      plug(model::PortId(fabric_.port_of(station.value)), false);
      fabric_.move_station(station.value, port.value);
      plug(port, true);
    }
    if (!change.announce) return;
    stacks_.announce(change.machine);
    stacks_.announce_nd(change.machine);
  }

  void write(const Frame& frame) {
    if (frame.kind != FrameKind::kVxlan) return encode(model_, addresses_, frame, bytes_);
    wire::Buffer inner;
    std::uint32_t vni = 0;
    if (const auto* inside = stacks_.inside(frame); inside != nullptr) {
      encode(model_, addresses_, inside->frame, inner);
      vni = model_[model_.ports[inside->to_port].bridge].vni;
    }
    encode_vxlan(addresses_, frame, vni, inner, bytes_);
  }

  void record(LaneIndex lane, const Frame& frame, bool inbound) {
    for (std::size_t c = 0; c < options_.captures.size(); ++c) {
      const std::uint32_t port = options_.captures[c].value;
      if (inbound ? wires_.lane(lane).to_port != port : fabric_.lane_out(port) != lane) continue;
      write(frame);
      const std::string_view view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
      if (auto written = options_.on_frame({wires_.now(), c, inbound, view}); !written) {
        failure_ = written.error();
        go_on_ = false;
      }
    }
  }

  std::vector<LaneCounters> read_lanes() {
    wires_.settle();
    std::vector<LaneCounters> lanes(model_.links.size() * 2);
    for (std::size_t l = 0; l < model_.links.size(); ++l) {
      for (const bool from_a : {true, false}) {
        const model::LinkId link(l);
        lanes[lane_index(link, from_a)] = wires_.lane(fabric_.lane_of(link, from_a)).counters;
      }
    }
    return lanes;
  }

  std::vector<std::int64_t> read_bpdus() const {
    const std::vector<std::int64_t>& sent = fabric_.bpdus_by_lane();
    std::vector<std::int64_t> bpdus(sent.empty() ? 0 : model_.links.size() * 2);
    for (std::size_t lane = 0; lane < bpdus.size(); ++lane)
      bpdus[lane] = sent[fabric_.lane_of(model::LinkId(lane / 2), lane % 2 == 0)];
    return bpdus;
  }

  void close_window(Time end) {
    if (options_.window.count() == 0) return;
    const bool lanes = options_.lane_series;
    result_.windows.push_back({end, lanes ? read_lanes() : std::vector<LaneCounters>{},
                               lanes ? read_bpdus() : std::vector<std::int64_t>{}, stacks_.counters()});
  }

  void finish() {
    observer_.finish(result_);
    for (AddressConflictRecord& conflict : result_.address_conflicts) {
      if (!is_ipv6(conflict.ip.bits)) continue;
      conflict.ip6 = addresses_.ipv6(conflict.ip.bits);
      conflict.ip = {};
    }
    for (FloodRecord& flood : result_.floods) {
      flood.last_seen_as_source = fabric_.last_heard(flood.bridge, flood.vlan, flood.destination);
    }
    result_.ended = wires_.now();
    result_.lanes = read_lanes();
    result_.flows = stacks_.counters();
    result_.receptions = stacks_.receptions();
    result_.sent_by_station = stacks_.sent_by_station();
    if (options_.tables) {
      result_.tables = fabric_.tables();
      result_.neighbours = stacks_.neighbours();
      result_.group_entries = fabric_.group_entries();
    }
    base::Fingerprint print;
    for (const LaneCounters& lane : result_.lanes) {
      result_.frame_hops += lane.frames;
      for (const std::int64_t n : {lane.frames, lane.bytes, lane.flooded_bytes, lane.dropped_frames})
        print.add(n);
    }
    for (const FlowCounters& flow : result_.flows) {
      for (const std::int64_t n :
           {flow.sent_frames, flow.delivered_bytes, flow.answered, flow.delay_sum.count()})
        print.add(n);
    }
    print.add(result_.ended.count());
    result_.fingerprint = print.value();
  }

  const model::Model& model_;
  const Options& options_;
  Addresses addresses_;
  Audience audience_;
  Wires wires_;
  Observer observer_;
  Fabric fabric_;
  Stacks stacks_;
  RunResult result_;
  std::int64_t storm_events_ = 0;
  wire::Buffer bytes_;
  std::optional<base::Error> failure_;
  bool go_on_ = true;
};

}  // namespace

base::Result<RunResult> run(const model::Model& model, const Options& options) {
  return Run(model, options).play();
}

}  // namespace sekimori::simulate
