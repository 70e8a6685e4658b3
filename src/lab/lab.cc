#include "lab/lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "lab/build_ip.h"
#include "lab/guests.h"
#include "lab/keeper.h"
#include "lab/live.h"
#include "lab/open_vswitch.h"
#include "sys/links.h"
#include "sys/namespaces.h"
#include "sys/nf_tables.h"
#include "sys/service.h"
#include "sys/tap.h"

namespace sekimori::lab {

using base::Result;

// ---------------------------------------------------------------- features

namespace {

// Tries the feature in two namespaces that are gone afterwards.
Result<void> try_feature(Feature feature) {
  auto here = sys::Namespace::create_nameless();
  if (!here) return std::unexpected(here.error());
  auto there = sys::Namespace::create_nameless();
  if (!there) return std::unexpected(there.error());
  auto links = sys::Links::open(*here);
  if (!links) return std::unexpected(links.error());
  sys::BridgeSettings settings;
  settings.mac = model::Mac{0x0e5e'0000'0001};
  const auto veth = [&] {
    return sys::Links::add_veth({*here, "a", model::Mac{0x0e5e'0000'0002}},
                                {*there, "b", model::Mac{0x0e5e'0000'0003}});
  };
  switch (feature) {
    case Feature::kVeth:
      return veth();
    case Feature::kBridge:
      return links->add_bridge("br", settings);
    case Feature::kSpanningTree:
      settings.stp = true;
      settings.forward_delay = base::seconds(2);
      return links->add_bridge("br", settings);
    case Feature::kTokenBucket: {
      auto made = veth();
      return made ? links->shape("a", {base::mbit(10)}) : made;
    }
    case Feature::kSmallTables: {
      settings.most_learnt = 7;
      auto made = links->add_bridge("br", settings);
      if (!made) return made;
      const auto most = links->most_learnt("br");
      if (!most) return std::unexpected(most.error());
      return *most == 7 ? Result<void>{} : base::fail("The kernel ignores the bound.");
    }
    case Feature::kStickyEntries: {
      auto made = veth();
      if (made) made = links->add_bridge("br", settings);
      if (made) made = links->enslave("a", "br");
      return made ? links->add_fdb_entry("a", model::Mac{0x0200'0000'0001}, true) : made;
    }
    case Feature::kIpv6:
      return prepare_ipv6(*here, false, Unasked::kAll);
    case Feature::kListenerFilter:
      return sys::add_filter(*here, sys::FilterFamily::kIpv6, "t",
                             {{.hook = sys::FilterChain::Hook::kOutput,
                               .rules = {{.icmpv6 = {{1, 2}}, .verdict = sys::FilterRule::Verdict::kDrop}}}});
    case Feature::kTranslation:
      return sys::add_filter(
          *here, sys::FilterFamily::kIpv4, "t",
          {{.hook = sys::FilterChain::Hook::kForward, .rules = {{.out = "a", .of_known_connection = true}}},
           {.hook = sys::FilterChain::Hook::kPostrouting,
            .translates = true,
            .rules = {{.in = "a", .not_out = "a", .verdict = sys::FilterRule::Verdict::kMasquerade}}}});
    case Feature::kTap: {
      auto inside = sys::InNamespace::enter(*here);
      if (!inside) return std::unexpected(inside.error());
      return sys::Tap::create("t", model::Mac{0x0e5e'0000'0004});
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Lack>> probe(const Plan& plan) {
  if (auto may = sys::may_make_namespaces(); !may) return std::unexpected(may.error());
  std::map<Feature, std::vector<std::string>> parts;
  for (const Need& need : plan.needs) parts[need.feature].push_back(need.part);
  std::vector<Lack> lacks;
  for (auto& [feature, needing] : parts) {
    if (auto works = try_feature(feature); !works)
      lacks.push_back({feature, std::move(needing), works.error().what});
  }
  return lacks;
}

// ---------------------------------------------------------------- finding and removing

namespace {

bool has_vxlan() {
  const auto here = sys::Namespace::create_nameless();
  if (!here) return true;
  auto links = sys::Links::open(*here);
  return links && links->add_vxlan({*here, "x", model::Mac{0x0e5e'0000'0001}}, {.vni = 1, .local = {}});
}

bool has_macvlan() {
  const auto here = sys::Namespace::create_nameless();
  if (!here) return true;
  auto links = sys::Links::open(*here);
  const model::Mac mac{0x0e5e'0000'0001};
  return links && sys::Links::add_veth({*here, "a", mac}, {*here, "b", model::Mac{mac.bits + 1}}) &&
         links->add_macvlan({*here, "m", model::Mac{mac.bits + 2}}, "a", sys::MacvlanMode::kBridge);
}

}  // namespace

Facilities facilities(const model::Model& site) {
  return {.open_vswitch = has_open_vswitch(),
          .macvlan = has_macvlan(),
          .vxlan = has_vxlan(),
          .qemu = has_qemu(),
          .lost_files = lost_files(site)};
}

Plan plan_for(const model::Model& site, const std::string& lab, const Facilities& facilities) {
  Plan plan = make_plan(site, lab, facilities);
  const std::vector<std::string> there = sys::namespaces_with_prefix(namespace_prefix(lab));
  const auto is_there = [&](const Plan& candidate) {
    std::vector<std::string> names;
    for (SpaceIndex s = 0; s < candidate.spaces.size(); ++s) names.push_back(candidate.namespace_of(s));
    std::ranges::sort(names);
    return names == there;
  };
  if (there.empty() || is_there(plan)) return plan;
  for (const bool open_vswitch : {false, true}) {
    for (const bool macvlan : {false, true}) {
      for (const bool qemu : {false, true}) {
        Plan other = make_plan(
            site, lab,
            {.open_vswitch = open_vswitch, .macvlan = macvlan, .vxlan = facilities.vxlan, .qemu = qemu});
        if (is_there(other)) return other;
      }
    }
  }
  return plan;
}

bool stop_services() {
  constexpr std::chrono::seconds kPatience{2};
  bool any = false;
  for (const char* service : {kLiveService, kOpenVSwitchService, kGuestService})
    any |= sys::stop_service(service, kPatience);
  return any;
}

namespace {

// At the loopback interface, which every namespace has.
constexpr std::string_view kMark = "sekimori lab";

}  // namespace

Result<void> mark(const sys::Namespace& space) {
  auto links = sys::Links::open(space);
  return links ? links->set_alias("lo", kMark) : std::unexpected(links.error());
}

bool is_of_a_lab(const std::string& name) {
  const auto space = sys::Namespace::open(name);
  if (!space) return true;
  auto links = sys::Links::open(*space);
  if (!links) return true;
  const auto all = links->list();
  return all && std::ranges::any_of(
                    *all, [](const sys::LinkState& l) { return l.name == "lo" && l.alias == kMark; });
}

Result<Removed> down(std::string_view lab) {
  Removed removed;
  for (const std::string& name : sys::namespaces_with_prefix(namespace_prefix(lab))) {
    if (!is_of_a_lab(name)) {
      removed.others.push_back(name);
      continue;
    }
    if (auto space = sys::Namespace::open(name)) {
      // What was left half-made is no namespace and can't be entered.
      if (auto inside = sys::InNamespace::enter(*space)) removed.live |= stop_services();
    }
    if (auto gone = sys::remove_namespace(name); !gone) return std::unexpected(gone.error());
    ++removed.namespaces;
  }
  // What an end by force has left.
  if (auto gone = remove_folder(open_vswitch_folder(lab)); !gone) return std::unexpected(gone.error());
  if (auto gone = remove_folder(guests_folder(lab)); !gone) return std::unexpected(gone.error());
  return removed;
}

namespace {

// The names of the devices in a namespace, sorted.
Result<std::vector<std::string>> devices_in(const sys::Namespace& space) {
  auto links = sys::Links::open(space);
  if (!links) return std::unexpected(links.error());
  auto all = links->list();
  if (!all) return std::unexpected(all.error());
  std::vector<std::string> names;
  for (sys::LinkState& link : *all) names.push_back(std::move(link.name));
  std::ranges::sort(names);
  return names;
}

std::vector<std::vector<std::string>> planned_devices(const Plan& plan) {
  std::vector<std::vector<std::string>> devices(plan.spaces.size());
  const auto add = [&](const Device& device) {
    if (device.built()) devices[device.space].push_back(device.name);
  };
  for (const Device& device : plan.ports) add(device);
  for (const PlannedLink& link : plan.links) {
    add(link.relay_a);
    add(link.relay_b);
  }
  for (const Junction& junction : plan.junctions) {
    for (const Junction::Leg& leg : junction.legs) {
      add(leg.there);
      add(leg.here);
    }
  }
  for (const PlannedBridge& bridge : plan.bridges) {
    if (!bridge.device.empty()) devices[bridge.space].push_back(bridge.device);
  }
  return devices;
}

}  // namespace

Result<Status> status(const Plan& plan) {
  Status status;
  std::vector<std::string> there = sys::namespaces_with_prefix(namespace_prefix(plan.lab));
  const auto devices = planned_devices(plan);
  for (SpaceIndex s = 0; s < plan.spaces.size(); ++s) {
    const std::string name = plan.namespace_of(s);
    const auto found = std::ranges::lower_bound(there, name);
    if (found == there.end() || *found != name) {
      status.missing.push_back(name);
      continue;
    }
    there.erase(found);
    auto space = sys::Namespace::open(name);
    if (!space) return std::unexpected(space.error());
    auto inside = sys::InNamespace::enter(*space);
    if (!inside) {
      status.missing.push_back(name);  // left half-made
      continue;
    }
    ++status.there;
    status.live |= sys::ask_service(kLiveService, "hello").has_value();
    // The answer names daemons that have ended.
    const auto ended = sys::ask_service(kOpenVSwitchService, "hello");
    status.open_vswitch |= ended && ended->empty();
    if (const auto names = sys::ask_service(kGuestService, "hello")) {
      std::istringstream lines(*names);
      std::getline(lines, status.guests_on);
      for (std::string guest; std::getline(lines, guest);) status.ended_guests.push_back(guest);
    }
    auto present = devices_in(*space);
    if (!present) return std::unexpected(present.error());
    for (const std::string& device : devices[s]) {
      if (!std::ranges::binary_search(*present, device))
        status.broken.push_back(fmt::format("{}: {}", name, device));
    }
  }
  status.foreign = std::move(there);
  return status;
}

std::string what_is_missing(const Plan& plan, const Status& status) {
  std::vector<std::string> parts;
  const auto add = [&](std::string_view what, const std::vector<std::string>& names) {
    for (const std::string& name : names) parts.push_back(fmt::format("{} {}", what, name));
  };
  add("the namespace", status.missing);
  add("the device", status.broken);
  add("the guest", status.ended_guests);
  if (plan.has_live() && !status.live) parts.emplace_back("the live switches");
  if (plan.open_vswitch != kNone && !status.open_vswitch) parts.emplace_back("Open vSwitch");
  if (!plan.guests.empty() && status.guests_on.empty()) parts.emplace_back("the guests");
  constexpr std::size_t kMost = 5;
  const std::size_t more = parts.size() - std::min(parts.size(), kMost);
  parts.resize(parts.size() - more);
  return fmt::format("{}{}", fmt::join(parts, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

std::vector<std::pair<std::string, std::size_t>> list() {
  std::map<std::string, std::size_t> labs;
  constexpr std::string_view kPrefix = "sekimori.";
  for (const std::string& name : sys::namespaces_with_prefix(kPrefix)) {
    const std::string_view rest = std::string_view(name).substr(kPrefix.size());
    if (const auto dot = rest.find('.'); dot != rest.npos) ++labs[std::string(rest.substr(0, dot))];
  }
  return {labs.begin(), labs.end()};
}

}  // namespace sekimori::lab
