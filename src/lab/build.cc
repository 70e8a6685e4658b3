// `up`: from a plan to namespaces, step by step. Devices are switched on last, so that no frame moves in a
// lab that is half built.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>

#include "lab/build_ip.h"
#include "lab/guests.h"
#include "lab/lab.h"
#include "lab/live.h"
#include "lab/open_vswitch.h"
#include "lab/tunnels.h"
#include "model/multicast.h"
#include "model/routing.h"
#include "switching/spanning_tree.h"
#include "sys/links.h"
#include "sys/namespaces.h"
#include "sys/tap.h"

namespace sekimori::lab {

using base::Result;
using model::PortId;

namespace {

// Of a frame beside its bytes, and of the shortest one in all (IEEE 802.3): preamble 8, FCS 4, gap 12.
constexpr std::uint32_t kWireOverhead = 24, kLeastOnWire = 84;
constexpr std::chrono::seconds kLinksComeUp{2};
// The range that net/bridge/br_stp_if.c takes for the forward delay.
constexpr base::Duration kLeastForwardDelay = base::seconds(2);

class Builder {
 public:
  Builder(const model::Model& site, const Plan& plan, const UpOptions& options)
      : site_(site), plan_(plan), options_(options) {
    spaces_.resize(plan.spaces.size());
  }

  Result<void> build() {
    auto built = steps();
    if (!built) clean_up();
    return built;
  }

 private:
  using Step = Result<void> (Builder::*)(std::size_t);
  struct Stage {
    std::size_t count;
    Step step;
  };

  Result<void> steps() {
    const Stage stages[] = {{plan_.spaces.size(), &Builder::make_space},
                            {plan_.bridges.size(), &Builder::make_bridge},
                            {plan_.links.size(), &Builder::make_link},
                            {plan_.links.size(), &Builder::make_macvlan},
                            {plan_.links.size(), &Builder::make_tunnel},
                            {plan_.links.size(), &Builder::make_tap},
                            {plan_.junctions.size(), &Builder::make_junction},
                            {plan_.open_vswitch != kNone ? 1u : 0u, &Builder::make_open_vswitch},
                            {site_.stations.size(), &Builder::set_station},
                            {plan_.bridges.size(), &Builder::enter_static_entries},
                            {plan_.links.size(), &Builder::switch_on},
                            {plan_.bridges.size(), &Builder::enter_neighbours},
                            {plan_.junctions.size(), &Builder::switch_on_junction},
                            {site_.machines.size(), &Builder::add_routes},
                            {plan_.guests.empty() ? 0u : 1u, &Builder::start_guests}};
    std::size_t all = 0, done = 0;
    for (const Stage& stage : stages) all += stage.count;
    for (const Stage& stage : stages) {
      for (std::size_t i = 0; i < stage.count; ++i, ++done) {
        if (options_.progress && !options_.progress(static_cast<double>(done) / static_cast<double>(all)))
          return base::fail("Interrupted; what was built has been removed.");
        if (auto made = (this->*stage.step)(i); !made) return made;
      }
    }
    if (auto passes = wait_for_links(); !passes) return passes;
    return plan_.has_live() ? start_live(site_, plan_) : Result<void>{};
  }

  // The kernel notices a carrier a little later than it is there, and until then drops what is sent. Ports
  // that the spanning tree blocks, and those without a carrier, are not waited for longer than it takes all
  // others.
  Result<void> wait_for_links() {
    const auto until = std::chrono::steady_clock::now() + kLinksComeUp;
    for (SpaceIndex s = 0; s < spaces_.size(); ++s) {
      auto links = links_of(s);
      if (!links) return std::unexpected(links.error());
      while (std::chrono::steady_clock::now() < until) {
        const auto all = links->list();
        if (!all) return std::unexpected(all.error());
        if (std::ranges::all_of(*all,
                                [](const sys::LinkState& l) { return !l.up || !l.carrier || l.passes; }))
          break;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }
    return {};
  }

  // Only what this very call made: another `up` of the same name may be under way.
  void clean_up() {
    for (std::size_t s = 0; s < spaces_.size(); ++s) {
      if (!spaces_[s]) continue;
      if (auto inside = sys::InNamespace::enter(*spaces_[s])) stop_services();
      spaces_[s].reset();
      // What can't be removed now, `down` names.
      [[maybe_unused]] const auto removed =
          sys::remove_namespace(plan_.namespace_of(static_cast<SpaceIndex>(s)));
    }
  }

  bool without(Feature feature) const {
    return std::ranges::find(options_.without, feature) != options_.without.end();
  }

  // ---------------------------------------------------------------- namespaces

  Result<void> make_space(std::size_t s) {
    auto made = sys::Namespace::create_nameless();
    if (!made) return std::unexpected(made.error());
    if (auto marked = mark(*made); !marked) return marked;
    if (auto named = made->give_name(plan_.namespace_of(static_cast<SpaceIndex>(s))); !named) return named;
    spaces_[s].emplace(std::move(*made));
    auto inside = sys::InNamespace::enter(*spaces_[s]);
    if (!inside) return std::unexpected(inside.error());
    const model::MachineId machine = plan_.spaces[s].machine;
    const bool forwards = machine.valid() && model::forwards(site_, machine);
    // No router solicitations and listener reports: they would teach the switches what the site does not. A
    // kernel without IPv6 has no such settings.
    for (const char* scope : {"all", "default"}) {
      [[maybe_unused]] const auto written =
          sys::write_setting(fmt::format("net/ipv6/conf/{}/disable_ipv6", scope), "1");
    }
    const std::pair<const char*, const char*> settings[] = {
        {"net/ipv4/ip_forward", forwards ? "1" : "0"},
        {"net/ipv4/conf/all/send_redirects", "0"},
        {"net/ipv4/conf/default/send_redirects", "0"},
        {"net/ipv4/conf/all/rp_filter", "0"},
        {"net/ipv4/conf/default/rp_filter", "0"},
        // A NIC answers for its own address and asks with it, as the model's stations do.
        {"net/ipv4/conf/all/arp_ignore", "1"},
        {"net/ipv4/conf/all/arp_announce", "2"}};
    for (const auto& [name, value] : settings) {
      if (auto written = sys::write_setting(name, value); !written) return written;
    }
    if (machine.valid() && speaks_ipv6(site_, machine) && !without(Feature::kIpv6)) {
      auto prepared = prepare_ipv6(*spaces_[s], forwards,
                                   without(Feature::kListenerFilter) ? Unasked::kAll
                                   : model::uses_groups(site_)       ? Unasked::kReports
                                                                     : Unasked::kNothing);
      if (!prepared) return prepared;
    }
    auto links = sys::Links::open(*spaces_[s]);
    if (!links) return std::unexpected(links.error());
    return links->set_up("lo", true);
  }

  Result<sys::Links> links_of(SpaceIndex space) const { return sys::Links::open(*spaces_[space]); }

  // ---------------------------------------------------------------- bridges

  Result<void> make_bridge(std::size_t b) {
    const PlannedBridge& planned = plan_.bridges[b];
    if (!planned.of_the_kernel()) return {};
    const model::Bridge& bridge = site_[planned.bridge];
    auto links = links_of(planned.space);
    if (!links) return std::unexpected(links.error());
    sys::BridgeSettings settings;
    settings.mac = planned.mac;
    settings.ageing = bridge.kind == model::BridgeKind::kHub ? base::Duration{0} : bridge.ageing;
    settings.stp = bridge.stp && !without(Feature::kSpanningTree);
    settings.priority = bridge.stp_priority;
    settings.forward_delay = kLeastForwardDelay;
    settings.group_forward_mask = bridge.group_forward_mask;
    settings.most_learnt = without(Feature::kSmallTables) ? 0 : bridge.table_size;
    settings.snoops = bridge.snoops && model::uses_groups(site_);
    settings.querier = bridge.querier;
    settings.querier_uses_address = !bridge.querier_ip.is_zero();
    return links->add_bridge(planned.device, settings);
  }

  Result<void> join_bridge(PortId id) {
    const model::Port& port = site_[id];
    if (!port.bridge.valid()) return {};
    const PlannedBridge& planned = plan_.bridges[port.bridge.index()];
    if (!planned.of_the_kernel()) return {};
    const model::Bridge& bridge = site_[port.bridge];
    const Device& device = plan_.ports[id.index()];
    auto links = links_of(device.space);
    if (!links) return std::unexpected(links.error());
    if (auto joined = links->enslave(device.name, planned.device); !joined) return joined;
    sys::BridgePortSettings settings;
    settings.learning = bridge.learning && port.learning && bridge.kind != model::BridgeKind::kHub;
    settings.floods_unknown = port.floods_unknown;
    settings.isolated = port.isolated;
    settings.hairpin = port.hairpin;
    settings.floods_broadcast = port.floods_broadcast;
    settings.floods_multicast = port.floods_multicast;
    settings.locked = port.locked;
    settings.neigh_suppress = port.neigh_suppress;
    settings.group_forward_mask = port.group_forward_mask;
    if (bridge.stp) settings.path_cost = switching::path_cost(site_, id);
    return links->set_port(device.name, settings);
  }

  Result<void> enter_static_entries(std::size_t b) {
    const PlannedBridge& planned = plan_.bridges[b];
    if (!planned.of_the_kernel() || without(Feature::kStickyEntries)) return {};
    for (const model::StaticEntry& entry : site_[planned.bridge].static_entries) {
      const Device& device = plan_.ports[entry.port.index()];
      if (!device.built() || device.name == planned.device) continue;
      auto links = links_of(planned.space);
      if (!links) return std::unexpected(links.error());
      if (auto added = links->add_fdb_entry(device.name, entry.mac, true); !added) return added;
    }
    return {};
  }

  Result<void> enter_neighbours(std::size_t b) {
    const PlannedBridge& planned = plan_.bridges[b];
    if (!planned.of_the_kernel()) return {};
    for (const model::KnownNeighbour& known : site_[planned.bridge].neighbours) {
      auto links = links_of(planned.space);
      if (!links) return std::unexpected(links.error());
      if (auto added = known.ip.is_zero() ? links->add_neighbour(planned.device, known.ip6, known.mac)
                                          : links->add_neighbour(planned.device, known.ip, known.mac);
          !added)
        return added;
    }
    return {};
  }

  Result<void> make_open_vswitch(std::size_t) {
    auto started =
        sys::start_in_background([this](const sys::Ready& ready) { run_open_vswitch(plan_, ready); });
    return started ? OpenVSwitch(site_, plan_).configure() : started;
  }

  // ---------------------------------------------------------------- links

  Result<void> make_link(std::size_t l) {
    const PlannedLink& planned = plan_.links[l];
    if (planned.kind != LinkKind::kVeth) return {};
    const model::Link& link = site_[planned.link];
    const Device& a = plan_.ports[link.a.index()];
    const Device& b = plan_.ports[link.b.index()];
    auto made = planned.delayed ? make_pair(a, planned.relay_a) : make_pair(a, b);
    if (made && planned.delayed) made = make_pair(planned.relay_b, b);
    if (!made) return made;
    for (const PortId port : {link.a, link.b}) {
      if (auto shaped = shape(planned, port); !shaped) return shaped;
      if (auto joined = join_bridge(port); !joined) return joined;
    }
    return {};
  }

  // When the NIC below is there.
  Result<void> make_macvlan(std::size_t l) {
    const PlannedLink& planned = plan_.links[l];
    if (planned.kind != LinkKind::kMacvlan) return {};
    const model::Link& link = site_[planned.link];
    const model::Bridge& bridge = site_[site_[site_[link.a].bridge.valid() ? link.a : link.b].bridge];
    const auto lower = std::ranges::find(bridge.ports, model::PortRole::kUplink,
                                         [&](PortId port) { return site_[port].role; });
    const Device& device = plan_.ports[link.a.index()];
    const Device& below = plan_.ports[lower->index()];
    auto links = links_of(below.space);
    if (!links) return std::unexpected(links.error());
    auto made = links->add_macvlan({*spaces_[device.space], device.name, device.mac}, below.name,
                                   static_cast<sys::MacvlanMode>(bridge.macvlan_mode));
    if (!made) return made;
    auto inside = links_of(device.space);
    return inside ? inside->disable_offloads(device.name) : std::unexpected(inside.error());
  }

  Result<void> make_tunnel(std::size_t l) {
    const PlannedLink& planned = plan_.links[l];
    if (planned.kind != LinkKind::kVxlan) return {};
    for (const PortId port : {site_[planned.link].a, site_[planned.link].b}) {
      const PlannedBridge& end = plan_.bridges[site_[port].bridge.index()];
      const bool is_end = end.engine == Engine::kVxlan;
      const std::size_t machine = site_[end.bridge].machine.index();
      auto made =
          is_end ? make_tunnel_end(site_, end, *spaces_[machine], *spaces_[end.space]) : Result<void>{};
      if (!made) return made;
    }
    auto joined = join_bridge(site_[planned.link].a);
    return joined ? join_bridge(site_[planned.link].b) : joined;
  }

  Result<void> make_tap(std::size_t l) {
    const PlannedLink& planned = plan_.links[l];
    if (planned.kind != LinkKind::kTap) return {};
    const model::Link& link = site_[planned.link];
    const PortId port = site_[link.a].bridge.valid() ? link.a : link.b;
    const Device& device = plan_.ports[port.index()];
    auto inside = sys::InNamespace::enter(*spaces_[device.space]);
    if (!inside) return std::unexpected(inside.error());
    auto made = sys::Tap::create(device.name, device.mac);
    return made ? join_bridge(port) : made;
  }

  Result<void> start_guests(std::size_t) {
    std::error_code ignored;
    const std::string home = std::filesystem::current_path(ignored);
    return sys::start_in_background([&](const sys::Ready& ready) { run_guests(site_, plan_, home, ready); });
  }

  Result<void> make_junction(std::size_t j) {
    for (const Junction::Leg& leg : plan_.junctions[j].legs) {
      if (auto made = make_pair(leg.there, leg.here); !made) return made;
    }
    return {};
  }

  Result<void> switch_on_junction(std::size_t j) {
    for (const Junction::Leg& leg : plan_.junctions[j].legs) {
      for (const Device* device : {&leg.there, &leg.here}) {
        if (leg.of_master && device == &leg.there) continue;  // the live piece switches it
        if (auto set = set_up(*device, true); !set) return set;
      }
    }
    return {};
  }

  Result<void> make_pair(const Device& a, const Device& b) {
    auto made = sys::Links::add_veth({*spaces_[a.space], a.name, a.mac}, {*spaces_[b.space], b.name, b.mac});
    for (const Device* end : {&a, &b}) {
      if (!made) break;
      auto links = links_of(end->space);
      if (!links) return std::unexpected(links.error());
      made = links->disable_offloads(end->name);
      if (made && has_tunnels(site_)) made = links->set_mtu(end->name, kRoomyMtu);
    }
    return made;
  }

  Result<void> shape(const PlannedLink& planned, PortId port) {
    if (!planned.shaped || without(Feature::kTokenBucket)) return {};
    const model::Link& link = site_[planned.link];
    const Device& device = plan_.ports[port.index()];
    auto links = links_of(device.space);
    if (!links) return std::unexpected(links.error());
    return links->shape(device.name, {link.rate, kWireOverhead, kLeastOnWire, link.queue_bytes});
  }

  // A link that is down, or whose machine is off, is switched off at one end: the other end then has no
  // carrier, but keeps its addresses and routes.
  bool is_off(PortId port) const {
    const model::StationId station = site_[port].station;
    return station.valid() && !site_[site_[station].machine].running;
  }

  Result<void> switch_on(std::size_t l) {
    const PlannedLink& planned = plan_.links[l];
    const model::Link& link = site_[planned.link];
    const bool up = link.up && !is_off(link.a) && !is_off(link.b);
    switch (planned.kind) {
      case LinkKind::kBridgeInterface:
        return set_up(plan_.ports[link.a.index()], true);
      case LinkKind::kVxlan:
      case LinkKind::kMacvlan:
        return set_up(plan_.ports[link.a.index()], up);
      case LinkKind::kMacvlanHost:  // switched by the uplink's
        return {};
      case LinkKind::kTap:
      case LinkKind::kVeth:
        break;
    }
    const PortId off = switching_end(site_, planned.link);
    for (const PortId port : {link.a, link.b}) {
      if (planned.kind == LinkKind::kTap && port != off) continue;  // in QEMU
      if (auto set = set_up(plan_.ports[port.index()], up || port != off); !set) return set;
      const model::BridgeId bridge = site_[port].bridge;
      if (!bridge.valid() || !plan_.bridges[bridge.index()].of_the_kernel()) continue;
      const PlannedBridge& above = plan_.bridges[bridge.index()];
      if (auto set = set_up({above.space, above.device, above.mac}, true); !set) return set;
    }
    if (!planned.delayed) return {};
    // The end that stays on learns by its carrier that the other is off.
    if (auto set = set_up(planned.relay_a, up || off == link.a); !set) return set;
    return set_up(planned.relay_b, up || off == link.b);
  }

  Result<void> set_up(const Device& device, bool up) {
    auto links = links_of(device.space);
    if (!links) return std::unexpected(links.error());
    return links->set_up(device.name, up);
  }

  // ---------------------------------------------------------------- machines

  Result<void> set_station(std::size_t s) {
    const model::Station& station = site_.stations[s];
    const Device& device = plan_.stations[s];
    if (!device.built()) return {};
    auto inside = sys::InNamespace::enter(*spaces_[device.space]);
    if (!inside) return std::unexpected(inside.error());
    if (auto set = set_arp(device.name, site_[station.machine].arp); !set) return set;
    auto links = links_of(device.space);
    if (!links) return std::unexpected(links.error());
    if (!without(Feature::kIpv6)) {
      auto given = give_ipv6(site_, station, device.name, *spaces_[device.space], *links);
      if (!given) return given;
    }
    return station.ip.address.is_zero() ? Result<void>{} : links->add_address(device.name, station.ip);
  }

  // Documentation/networking/ip-sysctl.rst, net/core/neighbour.c. The kernel draws the time for which an
  // entry is good between a half and three halves of the base.
  static Result<void> set_arp(const std::string& device, const model::ArpSettings& arp) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(arp.timeout).count();
    const std::string folder = fmt::format("net/ipv4/neigh/{}/", device);
    const std::pair<const char*, std::string> settings[] = {
        {"base_reachable_time_ms", std::to_string(std::clamp<std::int64_t>(milliseconds, 1, 1'000'000'000))},
        {"ucast_solicit", arp.confirm_by_probe ? "3" : "0"},
        {"mcast_resolicit", arp.confirm_by_probe ? "0" : "3"}};
    for (const auto& [name, value] : settings) {
      if (auto written = sys::write_setting(folder + name, value); !written) return written;
    }
    return {};
  }

  Result<void> add_routes(std::size_t m) {
    const model::MachineId machine(m);
    const auto when_there = without(Feature::kIpv6) ? WhenThere::kLeave : WhenThere::kRefuse;
    auto entered = enter_routes(site_, plan_, machine, *spaces_[m], when_there);
    if (!entered || without(Feature::kTranslation)) return entered;
    return translate(site_, plan_, machine, *spaces_[m]);
  }

  const model::Model& site_;
  const Plan& plan_;
  const UpOptions& options_;
  std::vector<std::optional<sys::Namespace>> spaces_;
};

}  // namespace

Result<void> enter_routes(const model::Model& site, const Plan& plan, model::MachineId id,
                          const sys::Namespace& space, WhenThere when_there) {
  const model::Machine& machine = site[id];
  if (machine.routes.empty() && machine.routes6.empty()) return {};
  auto links = sys::Links::open(space);
  if (!links) return std::unexpected(links.error());
  for (const model::Route& route : machine.routes) {
    const model::NextHop hop = model::next_hop(site, id, route.via);
    // A gateway behind a NIC that is not built.
    if (!hop.station.valid() || !plan.stations[hop.station.index()].built()) continue;
    auto added = links->add_route(route.destination, route.via);
    if (!added && when_there == WhenThere::kRefuse) return added;
  }
  for (const model::Route6& route : machine.routes6) {
    const model::NextHop6 hop = model::next_hop(site, id, route.via);
    if (!hop.station.valid() || !plan.stations[hop.station.index()].built()) continue;
    auto added = links->add_route(route.destination, route.via);
    if (!added && when_there == WhenThere::kRefuse) return added;
  }
  return {};
}

PortId switching_end(const model::Model& site, model::LinkId link) {
  const PortId a = site[link].a, b = site[link].b;
  // Of two bridges that which is no NIC of a machine.
  if (site[b].bridge.valid() && site[a].role == model::PortRole::kUplink) return b;
  return site[a].bridge.valid() ? a : b;
}

Result<void> up(const model::Model& site, const Plan& plan, const UpOptions& options) {
  if (const auto there = sys::namespaces_with_prefix(namespace_prefix(plan.lab)); !there.empty()) {
    if (const auto other = std::ranges::find_if_not(there, is_of_a_lab); other != there.end()) {
      return base::fail(
          fmt::format("There is a namespace {} that no lab made. Remove it (ip netns del), or give this "
                      "lab another --name.",
                      *other));
    }
    return base::fail(
        fmt::format("A lab \"{0}\" is there already ({1} namespaces, {2} among them). Remove it with "
                    "\"sekimori lab down\", or "
                    "give this one another --name.",
                    plan.lab, there.size(), there.front()));
  }
  if (auto room = sys::allow_open_files(plan.spaces.size() + 64); !room) return room;
  return Builder(site, plan, options).build();
}

Result<void> start_live(const model::Model& site, const Plan& plan) {
  return sys::start_in_background([&](const sys::Ready& ready) { run_live(site, plan, ready); });
}

}  // namespace sekimori::lab
