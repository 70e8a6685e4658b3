#include "lab/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <thread>

#include "lab/build_ip.h"
#include "lab/guests.h"
#include "lab/lab.h"
#include "lab/live.h"
#include "lab/open_vswitch.h"
#include "lab/readings.h"
#include "lab/tunnels.h"
#include "model/multicast.h"
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

// After the last packet, for what is still under way in queues and delay lines.
constexpr std::chrono::milliseconds kSettles{150};

// A kernel that hears its first old query before it has reported a new group does not report it until it
// answers, up to 10 s later (net/ipv4/igmp.c, igmp_heard_query); so nobody asks between the joins and this.
// Nor does it when another member's report is flooded to it, as it is by a Linux bridge that does not believe
// its querier yet.
constexpr std::chrono::milliseconds kReportsLeave{500};

std::int64_t as_declared(const model::Bridge& bridge, model::BridgeOption option) {
  switch (option) {
    case model::BridgeOption::kAgeing:
      return bridge.ageing.count();
    case model::BridgeOption::kLearning:
      return bridge.learning ? 1 : 0;
    case model::BridgeOption::kTableSize:
      return bridge.table_size;
    case model::BridgeOption::kFiltersLocal:
      return bridge.filters_local ? 1 : 0;
    case model::BridgeOption::kStp:
      break;
  }
  return bridge.stp ? 1 : 0;
}

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
    if (model::uses_groups(site_)) std::this_thread::sleep_for(kReportsLeave);
    const Readings readings(site_, plan_, spaces_);
    const auto before = readings.counters();
    if (!before) return std::unexpected(before.error());
    traffic_ = &*traffic;
    if (!site_.shared.empty() || model::uses_groups(site_)) ask_live("begin");
    if (auto asked = set_queriers({false, true}); !asked) return std::unexpected(asked.error());
    if (auto played = play(*traffic); !played) return std::unexpected(played.error());
    std::this_thread::sleep_for(kSettles);
    traffic->drain();
    const auto after = readings.counters();
    if (!after) return std::unexpected(after.error());
    result_.flows = traffic->results();
    result_.lanes = readings.lanes(*before, *after);
    auto tables = readings.tables(plan_.has_live() ? ask_live("table") : "");
    if (!tables) return std::unexpected(tables.error());
    result_.tables = std::move(*tables);
    auto groups = readings.groups(plan_.has_live() ? ask_live("groups") : "");
    if (!groups) return std::unexpected(groups.error());
    result_.groups = std::move(*groups);
    auto neighbours = readings.neighbours();
    if (!neighbours) return std::unexpected(neighbours.error());
    for (const PlannedGuest& guest : plan_.guests) result_.closed.push_back(guest.machine);
    result_.neighbours = std::move(*neighbours);
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

  // As at the start of the site's time: nobody knows anybody, and nobody asks who is in a group.
  Result<void> empty_tables() {
    if (auto silent = set_queriers({false}); !silent) return silent;
    for (SpaceIndex s = 0; s < spaces_.size(); ++s) {
      auto links = links_of(s);
      if (!links) return std::unexpected(links.error());
      if (auto flushed = links->flush_neighbours(); !flushed) return flushed;
    }
    for (const PlannedBridge& bridge : plan_.bridges) {
      if (bridge.engine == Engine::kVxlan && !bridge.device.empty()) {
        if (auto flushed = flush_tunnel_end(bridge, spaces_[bridge.space]); !flushed) return flushed;
      }
      if (!bridge.of_the_kernel()) continue;
      auto links = links_of(bridge.space);
      if (!links) return std::unexpected(links.error());
      if (auto flushed = links->flush_fdb(bridge.device); !flushed) return flushed;
      if (auto forgotten = forget_groups(bridge, *links); !forgotten) return forgotten;
    }
    ask_live("flush");
    return plan_.open_vswitch != kNone ? OpenVSwitch(site_, plan_).flush() : Result<void>{};
  }

  // All that snooping has heard goes with the carriers of the ports (net/bridge/br_multicast.c,
  // br_multicast_disable_port), which a bridge that is down takes for lost. One with a spanning tree keeps
  // it: the tree would have to settle anew.
  Result<void> forget_groups(const PlannedBridge& planned, sys::Links& links) {
    const model::Bridge& bridge = site_[planned.bridge];
    if (!bridge.snoops || bridge.stp || !model::uses_groups(site_)) return {};
    for (const bool up : {false, true}) {
      if (auto set = links.set_up(planned.device, up); !set) return set;
    }
    for (const PortId port : bridge.ports) {
      if (!plan_.ports[port.index()].built()) continue;
      if (auto passes = wait_until_it_passes(port); !passes) return passes;
    }
    return restore(planned.space, planned.device, links);
  }

  // One after the other. Queriers of the kernel begin with the site's time; they are believed 10 s later.
  Result<void> set_queriers(std::initializer_list<bool> states) {
    for (const PlannedBridge& bridge : plan_.bridges) {
      if (!bridge.of_the_kernel() || !site_[bridge.bridge].querier) continue;
      auto links = links_of(bridge.space);
      if (!links) return std::unexpected(links.error());
      for (const bool on : states) {
        if (auto set = links->set_querier(bridge.device, on); !set) return set;
      }
    }
    return {};
  }

  // What the kernel forgets of a device that is switched off.
  Result<void> restore(SpaceIndex space, const std::string& device, sys::Links& links) {
    const model::MachineId machine = plan_.spaces[space].machine;
    if (!machine.valid()) return {};
    for (const model::StationId s : site_[machine].stations) {
      if (plan_.stations[s.index()].name == device) restore_link_local(site_[s], device, links);
    }
    return enter_routes(site_, plan_, machine, spaces_[space], WhenThere::kLeave);
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
      if (const auto* set = std::get_if<model::SetBridge>(&change.what))
        done =
            apply(model::SetBridge{set->bridge, set->option, as_declared(site_[set->bridge], set->option)});
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

  std::string ask_live(std::string_view word) {
    for (std::size_t s = 0; s < spaces_.size(); ++s) {
      const std::size_t at = (live_at_ + s) % spaces_.size();  // where it was last time, first
      auto inside = sys::InNamespace::enter(spaces_[at]);
      if (!inside) continue;
      if (auto answer = sys::ask_service(kLiveService, word)) {
        live_at_ = at;
        return *answer;
      }
    }
    return "";
  }

  // ---------------------------------------------------------------- playing

  Result<void> play(Traffic& traffic) {
    const Clock::time_point start = Clock::now();
    std::size_t change = 0;
    Time now{0};
    while ((now = now_ = std::chrono::duration_cast<Time>(Clock::now() - start)) < options_.time) {
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
  Result<void> apply(const model::StartMachine& change) {
    if (auto on = switch_machine(change.machine, true); !on) return on;
    for (const model::StationId station : site_[change.machine].stations) {
      const PortId far = model::peer(site_, at_[station.index()]);
      if (!far.valid() || !plan_.ports[far.index()].built()) continue;
      if (auto passes = wait_until_it_passes(far); !passes) return passes;
    }
    if (traffic_ != nullptr) traffic_->announcements().start(change.machine, now_);
    return {};
  }
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
    if (change.announce && traffic_ != nullptr) traffic_->announcements().announce(change.machine);
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
    if (!can_change(bridge.engine, change.option)) return {};  // the plan says so
    if (bridge.engine == Engine::kOpenVSwitch) return OpenVSwitch(site_, plan_).set(change);
    if (bridge.live()) {
      ask_live(
          fmt::format("set {} {} {}", change.bridge.value, static_cast<int>(change.option), change.value));
      return {};
    }
    auto links = links_of(bridge.space);
    if (!links) return std::unexpected(links.error());
    switch (change.option) {
      case model::BridgeOption::kAgeing:
        return links->set_ageing(bridge.device, Duration(change.value));
      case model::BridgeOption::kTableSize:
        return links->set_most_learnt(bridge.device, static_cast<std::uint32_t>(change.value));
      case model::BridgeOption::kLearning:
        return switch_learning(bridge, *links, change.value != 0);
      case model::BridgeOption::kFiltersLocal:
      case model::BridgeOption::kStp:
        break;
    }
    return {};
  }

  // Linux has it for ports.
  Result<void> switch_learning(const PlannedBridge& bridge, sys::Links& links, bool on) const {
    for (const PortId port : site_[bridge.bridge].ports) {
      const Device& device = plan_.ports[port.index()];
      if (!device.built() || device.name == bridge.device) continue;
      if (auto set = links.set_learning(device.name, on && site_[port].learning); !set) return set;
    }
    return {};
  }

  Result<void> switch_machine(model::MachineId machine, bool on) {
    for (const model::StationId station : site_[machine].stations) {
      const model::LinkId link = site_[at_[station.index()]].link;
      if (!link.valid()) continue;
      if (auto done = switch_link(link, on); !done) return done;
    }
    if (!site_.shared.empty()) ask_live(fmt::format("machine {} {}", machine.value, on ? 1 : 0));
    return {};
  }
  Result<void> switch_link(model::LinkId link, bool up) {
    const Device& device = plan_.ports[switching_end(site_, link).index()];
    if (!device.built()) return {};
    if (auto cut = switch_far_end(link, up); !cut) return cut;
    auto links = links_of(device.space);
    if (!links) return std::unexpected(links.error());
    auto set = links->set_up(device.name, up);
    // The kernel tells of a carrier up to a second late (net/core/link_watch.c).
    if (plan_.has_live()) ask_live("look");
    if (!set || !up) return set;
    return restore(device.space, device.name, *links);
  }

  // Behind a delay line the other end has a carrier of its own.
  Result<void> switch_far_end(model::LinkId link, bool up) {
    const auto planned = std::ranges::find(plan_.links, link, &PlannedLink::link);
    if (planned == plan_.links.end() || !planned->delayed) return {};
    const Device& relay = switching_end(site_, link) == site_[link].a ? planned->relay_b : planned->relay_a;
    auto links = links_of(relay.space);
    return links ? links->set_up(relay.name, up) : std::unexpected(links.error());
  }

  const model::Model& site_;
  const Plan& plan_;
  const RunOptions& options_;
  std::vector<sys::Namespace> spaces_;
  std::size_t live_at_ = 0;  // the space in which the live parts were found
  std::vector<PortId> at_;   // by station: where it is plugged in now
  Traffic* traffic_ = nullptr;
  Time now_{0};  // of the run
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
