#include "lab/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>
#include <unordered_map>

#include "lab/guests.h"
#include "lab/lab.h"
#include "lab/live.h"
#include "lab/open_vswitch.h"
#include "sys/links.h"
#include "sys/namespaces.h"
#include "sys/service.h"

namespace sekimori::lab {

using base::Duration;
using base::Result;
using base::Time;
using model::PortId;

namespace {

using Clock = std::chrono::steady_clock;
using Counters = std::unordered_map<std::string, sys::LinkCounters>;  // of one namespace, by device

// After the last packet, for what is still under way in queues and delay lines.
constexpr std::chrono::milliseconds kSettles{150};

class Run {
 public:
  Run(const model::Model& site, const Plan& plan, const RunOptions& options)
      : site_(site), plan_(plan), options_(options) {}

  Result<Measurement> measure() {
    if (auto opened = open(); !opened) return std::unexpected(opened.error());
    if (auto back = bring_back(); !back) return std::unexpected(back.error());
    const auto answer =
        wait_for_guests(site_, plan_, [this] { return !options_.progress || options_.progress(0); });
    if (!answer) return std::unexpected(answer.error());
    if (auto emptied = empty_tables(); !emptied) return std::unexpected(emptied.error());
    auto traffic = Traffic::open(site_, plan_, spaces_);
    if (!traffic) return std::unexpected(traffic.error());
    const auto before = counters();
    if (!before) return std::unexpected(before.error());
    traffic_ = &*traffic;
    if (auto played = play(*traffic); !played) return std::unexpected(played.error());
    std::this_thread::sleep_for(kSettles);
    traffic->drain();
    const auto after = counters();
    if (!after) return std::unexpected(after.error());
    result_.flows = traffic->results();
    count_lanes(*before, *after);
    if (auto read = read_bridges(); !read) return std::unexpected(read.error());
    if (auto read = read_neighbours(); !read) return std::unexpected(read.error());
    return std::move(result_);
  }

 private:
  Result<void> open() {
    if (auto room = sys::allow_open_files(2 * plan_.spaces.size() + 4 * site_.flows.size() + 256); !room)
      return room;
    for (SpaceIndex s = 0; s < plan_.spaces.size(); ++s) {
      auto space = sys::Namespace::open(plan_.namespace_of(s));
      if (!space) return std::unexpected(space.error());
      spaces_.push_back(std::move(*space));
    }
    return {};
  }

  Result<sys::Links> links_of(SpaceIndex space) const { return sys::Links::open(spaces_[space]); }

  // As at the start of the site's time: nobody knows anybody.
  Result<void> empty_tables() {
    for (SpaceIndex s = 0; s < spaces_.size(); ++s) {
      auto links = links_of(s);
      if (!links) return std::unexpected(links.error());
      if (auto flushed = links->flush_neighbours(); !flushed) return flushed;
    }
    for (const PlannedBridge& bridge : plan_.bridges) {
      if (!bridge.of_the_kernel()) continue;
      auto links = links_of(bridge.space);
      if (!links) return std::unexpected(links.error());
      if (auto flushed = links->flush_fdb(bridge.device); !flushed) return flushed;
    }
    ask_live("flush");
    return plan_.open_vswitch != kNone ? OpenVSwitch(site_, plan_).flush() : Result<void>{};
  }

  // What the timeline of an earlier run has changed.
  Result<void> bring_back() {
    for (std::size_t s = 0; s < site_.stations.size(); ++s) at_.push_back(site_.stations[s].port);
    for (const model::Change& change : site_.changes) {
      Result<void> done;
      if (const auto* start = std::get_if<model::StartMachine>(&change.what))
        done = switch_machine(start->machine, site_[start->machine].running);
      if (const auto* stop = std::get_if<model::StopMachine>(&change.what))
        done = switch_machine(stop->machine, site_[stop->machine].running);
      if (!done) return done;
    }
    for (const model::Change& change : site_.changes) {
      Result<void> done;
      if (const auto* link = std::get_if<model::SetLink>(&change.what))
        done = switch_link(link->link, site_[link->link].up);
      if (const auto* move = std::get_if<model::MigrateMachine>(&change.what)) done = bring_home(*move);
      if (!done) return done;
    }
    if (!plan_.junctions.empty()) ask_live("home");
    return {};
  }

  Result<void> bring_home(const model::MigrateMachine& move) {
    for (const auto& [station, port] : move.moves) {
      for (const model::LinkId link : {site_[port].link, site_[site_[station].port].link}) {
        if (auto set = switch_link(link, site_[link].up && site_[move.machine].running); !set) return set;
      }
    }
    return {};
  }

  std::string ask_live(std::string_view word) const {
    for (const sys::Namespace& space : spaces_) {
      auto inside = sys::InNamespace::enter(space);
      if (!inside) continue;
      if (auto answer = sys::ask_service(kLiveService, word)) return *answer;
    }
    return "";
  }

  Result<std::vector<Counters>> counters() const {
    std::vector<Counters> all(spaces_.size());
    for (SpaceIndex s = 0; s < spaces_.size(); ++s) {
      auto links = links_of(s);
      if (!links) return std::unexpected(links.error());
      const auto list = links->list();
      if (!list) return std::unexpected(list.error());
      for (const sys::LinkState& link : *list) all[s].emplace(link.name, link.counters);
    }
    return all;
  }

  // ---------------------------------------------------------------- playing

  Result<void> play(Traffic& traffic) {
    const Clock::time_point start = Clock::now();
    std::size_t change = 0;
    Time now{0};
    while ((now = std::chrono::duration_cast<Time>(Clock::now() - start)) < options_.time) {
      if (options_.progress && !options_.progress(base::to_seconds(now) / base::to_seconds(options_.time))) {
        result_.stopped = true;
        break;
      }
      while (change < site_.changes.size() && site_.changes[change].at <= now) {
        if (auto made = make(site_.changes[change]); !made) return made;
        ++change;
      }
      const Time next = change < site_.changes.size() ? site_.changes[change].at : options_.time;
      traffic.turn(now, std::min(next, options_.time));
    }
    result_.time = now;
    return {};
  }

  Result<void> make(const model::Change& change) {
    return std::visit([this](const auto& what) { return apply(what); }, change.what);
  }
  Result<void> apply(const model::StartMachine& change) { return switch_machine(change.machine, true); }
  Result<void> apply(const model::StopMachine& change) { return switch_machine(change.machine, false); }
  Result<void> apply(const model::SetLink& change) { return switch_link(change.link, change.up); }
  // The guest is off while it moves. When it is heard at the new place is its announcement's business.
  Result<void> apply(const model::MigrateMachine& change) {
    for (const auto& [station, port] : change.moves) {
      if (auto cut = switch_link(site_[at_[station.index()]].link, false); !cut) return cut;
      at_[station.index()] = port;
      for (std::size_t j = 0; j < plan_.junctions.size(); ++j) {
        const auto& places = plan_.junctions[j].places;
        const auto place = std::ranges::find(places, port);
        if (place != places.end()) ask_live(fmt::format("move {} {}", j, place - places.begin()));
      }
      if (auto joined = switch_link(site_[port].link, true); !joined) return joined;
      if (auto passes = wait_until_it_passes(model::peer(site_, port)); !passes) return passes;
    }
    if (change.announce && traffic_ != nullptr) traffic_->announce(change.machine);
    return {};
  }

  // A bridge takes note of a carrier a few milliseconds late.
  Result<void> wait_until_it_passes(PortId port) {
    const Device& device = plan_.ports[port.index()];
    auto links = links_of(device.space);
    if (!links) return std::unexpected(links.error());
    for (int i = 0; i < 100; ++i) {
      const auto list = links->list();
      if (!list) return std::unexpected(list.error());
      const auto link = std::ranges::find(*list, device.name, &sys::LinkState::name);
      if (link == list->end() || link->passes) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {};
  }

  Result<void> apply(const model::SetBridge& change) {
    const PlannedBridge& bridge = plan_.bridges[change.bridge.index()];
    if (bridge.engine == Engine::kOpenVSwitch && OpenVSwitch::can_set(change))
      return OpenVSwitch(site_, plan_).set(change);
    if (!bridge.of_the_kernel() || change.option != model::BridgeOption::kAgeing)
      return {};  // the plan says so
    auto links = links_of(bridge.space);
    if (!links) return std::unexpected(links.error());
    return links->set_ageing(bridge.device, Duration(change.value));
  }

  Result<void> switch_machine(model::MachineId machine, bool on) {
    for (const model::StationId station : site_[machine].stations) {
      const model::LinkId link = site_[at_[station.index()]].link;
      if (!link.valid()) continue;
      if (auto done = switch_link(link, on); !done) return done;
    }
    return {};
  }
  Result<void> switch_link(model::LinkId link, bool up) {
    const Device& device = plan_.ports[switching_end(site_, link).index()];
    if (!device.built()) return {};
    if (auto cut = switch_far_end(link, up); !cut) return cut;
    auto links = links_of(device.space);
    if (!links) return std::unexpected(links.error());
    if (auto set = links->set_up(device.name, up); !set || !up) return set;
    const model::MachineId machine = plan_.spaces[device.space].machine;
    if (!machine.valid()) return {};
    return enter_routes(site_, plan_, machine, spaces_[device.space], WhenThere::kLeave);
  }

  // Behind a delay line the other end has a carrier of its own.
  Result<void> switch_far_end(model::LinkId link, bool up) {
    const auto planned = std::ranges::find(plan_.links, link, &PlannedLink::link);
    if (planned == plan_.links.end() || !planned->delayed) return {};
    const Device& relay = switching_end(site_, link) == site_[link].a ? planned->relay_b : planned->relay_a;
    auto links = links_of(relay.space);
    return links ? links->set_up(relay.name, up) : std::unexpected(links.error());
  }

  // ---------------------------------------------------------------- reading

  void count_lanes(const std::vector<Counters>& before, const std::vector<Counters>& after) {
    result_.lanes.resize(2 * site_.links.size());
    const auto gained = [&](const Device& device) -> std::optional<sys::LinkCounters> {
      const auto then = before[device.space].find(device.name), now = after[device.space].find(device.name);
      if (then == before[device.space].end() || now == after[device.space].end()) return std::nullopt;
      const sys::LinkCounters &a = then->second, &b = now->second;
      return sys::LinkCounters{b.rx_frames - a.rx_frames, b.rx_bytes - a.rx_bytes, b.tx_frames - a.tx_frames,
                               b.tx_bytes - a.tx_bytes};
    };
    for (const PlannedLink& planned : plan_.links) {
      if (planned.kind == LinkKind::kMacvlanHost) continue;  // its frames are counted among the guests'
      const model::Link& link = site_[planned.link];
      for (const bool from_a : {true, false}) {
        const PortId from = from_a ? link.a : link.b;
        const auto counted = gained(plan_.ports[from.index()]);
        if (!counted) continue;
        // To a device that is both ends is what that receives; from a guest is what its tap does.
        const bool is_own =
            planned.kind == LinkKind::kTap ? site_[from].station.valid() : site_[from].bridge.valid();
        const bool inward = planned.kind != LinkKind::kVeth && is_own;
        result_.lanes[2 * planned.link.index() + (from_a ? 0 : 1)] =
            inward ? LaneCount{counted->rx_frames, counted->rx_bytes}
                   : LaneCount{counted->tx_frames, counted->tx_bytes};
      }
    }
  }

  Result<void> read_bridges() {
    for (const PlannedBridge& bridge : plan_.bridges) {
      if (!bridge.of_the_kernel() || site_[bridge.bridge].kind == model::BridgeKind::kHub) continue;
      auto links = links_of(bridge.space);
      if (!links) return std::unexpected(links.error());
      const auto entries = links->fdb(bridge.device);
      if (!entries) return std::unexpected(entries.error());
      std::unordered_map<int, PortId> port_of;
      for (const PortId port : site_[bridge.bridge].ports) {
        const Device& device = plan_.ports[port.index()];
        if (!device.built()) continue;
        if (const auto index = links->index(device.name)) port_of[*index] = port;
      }
      for (const sys::FdbEntry& entry : *entries) {
        const auto port = port_of.find(entry.port);
        if (entry.permanent || port == port_of.end()) continue;
        result_.tables.push_back(
            {bridge.bridge, entry.mac, entry.vlan, port->second, entry.unheard, entry.is_static});
      }
    }
    if (plan_.has_live()) read_live();
    if (plan_.open_vswitch == kNone) return {};
    auto entries = OpenVSwitch(site_, plan_).tables();
    if (!entries) return std::unexpected(entries.error());
    std::ranges::move(*entries, std::back_inserter(result_.tables));
    return {};
  }

  void read_live() {
    std::istringstream lines(ask_live("table"));
    std::uint32_t bridge = 0, port = 0;
    std::uint16_t vlan = 0;
    std::string mac, seconds;
    while (lines >> bridge >> port >> vlan >> mac >> seconds) {
      const auto address = wire::parse_mac(mac);
      if (!address || bridge >= site_.bridges.size() || port >= site_.ports.size()) continue;
      const bool is_static = seconds == "-";
      result_.tables.push_back(
          {model::BridgeId(bridge), *address, vlan, PortId(port),
           is_static ? Duration{0} : base::from_seconds(std::strtod(seconds.c_str(), nullptr)), is_static});
    }
  }

  Result<void> read_neighbours() {
    for (const PlannedGuest& guest : plan_.guests) result_.closed.push_back(guest.machine);
    for (std::size_t s = 0; s < site_.stations.size(); ++s) {
      const model::Station& station = site_.stations[s];
      const Device& device = plan_.stations[s];
      if (!device.built() || station.ip.address.is_zero()) continue;
      auto links = links_of(device.space);
      if (!links) return std::unexpected(links.error());
      const auto index = links->index(device.name);
      const auto all = links->neighbours();
      if (!index) return std::unexpected(index.error());
      if (!all) return std::unexpected(all.error());
      for (const sys::NeighbourState& neighbour : *all) {
        if (neighbour.device == *index && neighbour.usable)
          result_.neighbours.push_back({model::StationId(s), neighbour.ip, neighbour.mac});
      }
    }
    return {};
  }

  const model::Model& site_;
  const Plan& plan_;
  const RunOptions& options_;
  std::vector<sys::Namespace> spaces_;
  std::vector<PortId> at_;  // by station: where it is plugged in now
  Traffic* traffic_ = nullptr;
  Measurement result_;
};

}  // namespace

Result<Measurement> run(const model::Model& site, const Plan& plan, const RunOptions& options) {
  const auto there = status(plan);
  if (!there) return std::unexpected(there.error());
  if (!there->up(plan)) {
    const std::string missing = there->there == 0 ? "" : what_is_missing(plan, *there);
    return base::fail(
        missing.empty()
            ? fmt::format("The lab {} is not up, or not this one: see \"sekimori lab status\".", plan.lab)
            : fmt::format("The lab {} is not whole: it lacks {}.", plan.lab, missing));
  }
  auto measured = Run(site, plan, options).measure();
  // What vanishes in the middle spoils the counts, and is why something else may have failed.
  const auto after = status(plan);
  if (!after) return std::unexpected(after.error());
  if (const std::string missing = what_is_missing(plan, *after); !missing.empty()) {
    return base::fail(
        fmt::format("While the lab ran, this went away: {}. \"sekimori lab down\" removes the rest.{}",
                    missing, measured ? "" : " " + measured.error().what));
  }
  return measured;
}

}  // namespace sekimori::lab
