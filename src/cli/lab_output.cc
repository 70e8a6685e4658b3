#include "cli/lab_output.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "lab/guests.h"
#include "report/page.h"

namespace sekimori::cli {
namespace {

using lab::Device;
using lab::Plan;
using lab::PlannedBridge;
using lab::PlannedLink;
using lab::SpaceIndex;
using nlohmann::ordered_json;
using report::Page;
using report::Style;

constexpr std::size_t kDeviceColumns = 15;  // the longest name
constexpr std::size_t kRows = 40;           // of each table, unless all are asked for

std::string boots_words(const model::Model& site, model::MachineId guest) {
  const model::Image& image = site[site[guest].image];
  return fmt::format(", boots {} with {} MiB, in QEMU", image.disk.empty() ? image.kernel : image.disk,
                     image.memory >> 20);
}

// What a namespace stands for: "host server", "switch sw1 (live: ...)".
std::string role_of(const model::Model& site, const Plan& plan, SpaceIndex s) {
  const lab::Space& space = plan.spaces[s];
  if (space.machine.valid()) {
    return fmt::format("{} {}{}", model::to_text(site[space.machine].kind), site[space.machine].name,
                       plan.boots(space.machine) ? boots_words(site, space.machine) : "");
  }
  if (s == plan.qemu) return fmt::format("QEMU, {} guests", plan.guests.size());
  if (s == plan.open_vswitch) return "Open vSwitch, user-space datapath";
  if (!space.bridge.valid()) return "delay lines and junctions (live)";
  const PlannedBridge& bridge = plan.bridges[space.bridge.index()];
  std::string text =
      fmt::format("{} {}", model::to_text(site[space.bridge].kind), model::name_of(site, space.bridge));
  if (bridge.live()) text += ", live: " + bridge.live_because;
  return text;
}

const PlannedLink* link_of(const model::Model& site, const Plan& plan, model::PortId port) {
  const model::LinkId id = site[port].link;
  const auto found = std::ranges::find(plan.links, id, &PlannedLink::link);
  return id.valid() && found != plan.links.end() ? &*found : nullptr;
}

std::string link_words(const model::Model& site, const PlannedLink& planned) {
  const model::Link& link = site[planned.link];
  std::string text;
  if (planned.shaped) text += ", " + base::to_text(link.rate);
  if (planned.delayed) text += ", " + base::to_text(link.delay);
  if (!link.up) text += ", down";
  return text;
}

std::string bridge_words(const model::Model& site, const PlannedBridge& planned) {
  const model::Bridge& bridge = site[planned.bridge];
  if (planned.engine == lab::Engine::kVxlan)
    return fmt::format("VXLAN {} over {}", bridge.vni, wire::to_text(site[bridge.underlay].ip.address));
  if (bridge.kind == model::BridgeKind::kHub) return "bridge that learns nothing";
  std::string text = fmt::format("{}, ageing {}",
                                 planned.engine == lab::Engine::kOpenVSwitch
                                     ? "switch " + model::name_of(site, planned.bridge)
                                     : "bridge",
                                 base::to_text(bridge.ageing));
  if (!bridge.learning) text += ", no learning";
  if (bridge.stp) text += ", spanning tree";
  return text;
}

// Of both versions.
std::string addresses_of(const model::Station& nic) {
  std::string text = nic.ip.address.is_zero() ? "" : wire::to_text(nic.ip);
  if (nic.ip6.address.is_zero()) return text;
  return text + (text.empty() ? "" : ", ") + wire::to_text(nic.ip6);
}

// The second address of a member of a cluster.
std::string cluster_address(const model::Model& site, model::StationId nic) {
  for (const model::SharedAddress& shared : site.shared) {
    for (const auto& member : shared.members) {
      if (member.nic == nic && shared.kind == model::SharedKind::kNlb)
        return ", " + wire::to_text(site[member.alias].ip);
    }
  }
  return "";
}

std::string address_of(const model::Model& site, model::PortId port) {
  const model::StationId station = site[port].station;
  return !station.valid() || site[station].vlan != 0 ? "" : addresses_of(site[station]);
}

std::vector<std::string> port_flags(const model::Model& site, model::PortId id) {
  const model::Port& port = site[id];
  std::vector<std::string> flags;
  if (!port.bridge.valid()) return flags;
  if (!port.learning) flags.emplace_back("learning off");
  if (!port.floods_unknown) flags.emplace_back("flood off");
  if (port.isolated) flags.emplace_back("isolated");
  return flags;
}

std::string_view made_of(lab::Engine engine) {
  switch (engine) {
    case lab::Engine::kLinuxBridge:
      return "linux-bridge";
    case lab::Engine::kLive:
      return "live";
    case lab::Engine::kOpenVSwitch:
      return "open-vswitch";
    case lab::Engine::kMacvlan:
      return "macvlan";
    case lab::Engine::kVxlan:
      return "vxlan";
  }
  return "?";
}

struct Row {
  std::string device, mac, ip, what;
};

// Of a device that stands for several ports: that of its station.
std::string address_on(const model::Model& site, const Plan& plan, const Device& device) {
  std::string ip;
  for (std::size_t p = 0; p < plan.ports.size() && ip.empty(); ++p) {
    if (plan.ports[p].built() && plan.ports[p].space == device.space && plan.ports[p].name == device.name)
      ip = address_of(site, model::PortId(p));
  }
  return ip;
}

// Its row, when the port is the one that tells of its link.
bool has_row(const model::Model& site, model::PortId port, const PlannedLink& link) {
  if (link.kind == lab::LinkKind::kVeth) return true;
  if (link.kind == lab::LinkKind::kTap) return site[port].bridge.valid();
  return link.kind == lab::LinkKind::kMacvlan && site[port].station.valid();
}

// The devices of every namespace.
std::vector<std::vector<Row>> rows_by_space(const model::Model& site, const Plan& plan) {
  std::vector<std::vector<Row>> rows(plan.spaces.size());
  for (const PlannedBridge& bridge : plan.bridges) {
    if (bridge.device.empty()) continue;
    const std::string ip = address_on(site, plan, {bridge.space, bridge.device, bridge.mac});
    rows[bridge.space].push_back({bridge.device, wire::to_text(bridge.mac), ip, bridge_words(site, bridge)});
  }
  for (std::size_t p = 0; p < plan.ports.size(); ++p) {
    const model::PortId port(p);
    const Device& device = plan.ports[p];
    const PlannedLink* link = link_of(site, plan, port);
    if (!device.built() || link == nullptr || !has_row(site, port, *link)) continue;
    std::string what = (link->kind == lab::LinkKind::kMacvlan ? "macvlan of "
                        : link->kind == lab::LinkKind::kTap   ? "tap of "
                                                              : "to ") +
                       model::name_of(site, model::peer(site, port)) + link_words(site, *link);
    for (const std::string& flag : port_flags(site, port)) what += ", " + flag;
    const bool is_lower = site[port].role == model::PortRole::kUplink;
    const bool in_machine = plan.spaces[device.space].machine.valid();
    const std::string ip = is_lower     ? address_on(site, plan, device)
                           : in_machine ? address_of(site, port)
                                        : "";
    rows[device.space].push_back({device.name, wire::to_text(device.mac), ip, what});
  }
  for (const lab::Junction& junction : plan.junctions) {
    for (const lab::Junction::Leg& leg : junction.legs) {
      const model::Station& nic = site[leg.station];
      std::string what = "to " + leg.here.name;
      if (nic.vlan != 0) what += fmt::format(", VLAN {}", nic.vlan);
      if (leg.of_master) what += fmt::format(", on where it is master of {}", site[nic.shared].name);
      const std::string ip = addresses_of(nic) + cluster_address(site, leg.station);
      rows[leg.there.space].push_back({leg.there.name, wire::to_text(leg.there.mac), ip, what});
      rows[leg.here.space].push_back({leg.here.name, wire::to_text(leg.here.mac), "",
                                      fmt::format("to {}", model::name_of(site, leg.station))});
    }
  }
  for (const PlannedLink& link : plan.links) {
    if (!link.delayed) continue;
    const std::string what = model::name_of(site, link.link) + ", " + base::to_text(site[link.link].delay);
    rows[link.relay_a.space].push_back({link.relay_a.name, wire::to_text(link.relay_a.mac), "", what});
    rows[link.relay_b.space].push_back({link.relay_b.name, wire::to_text(link.relay_b.mac), "", what});
  }
  return rows;
}

void remarks(Page& page, std::string_view title, const std::vector<lab::Remark>& remarks, std::size_t most) {
  if (remarks.empty()) return;
  page.blank();
  page.rule(title, Style::kBold);
  std::size_t lines = 0;
  for (const lab::Remark& remark : remarks) {
    if (most > 0 && lines == most) break;
    page.paragraph(0, fmt::format("{}: {}", remark.part, remark.what));
    ++lines;
  }
  if (lines < remarks.size()) page.line(0, fmt::format("and {} more", remarks.size() - lines), Style::kDim);
}

ordered_json remarks_json(const std::vector<lab::Remark>& remarks) {
  ordered_json list = ordered_json::array();
  for (const lab::Remark& remark : remarks) list.push_back({{"part", remark.part}, {"what", remark.what}});
  return list;
}

std::string summary(const Plan& plan) {
  const auto made_of = [&](lab::Engine engine) {
    return std::ranges::count(plan.bridges, engine, &PlannedBridge::engine);
  };
  std::string text = fmt::format("{} namespaces, {} Linux bridges, {} live switches", plan.spaces.size(),
                                 made_of(lab::Engine::kLinuxBridge), made_of(lab::Engine::kLive));
  if (const auto count = made_of(lab::Engine::kOpenVSwitch); count > 0)
    text += fmt::format(", {} of Open vSwitch", count);
  if (const auto count = made_of(lab::Engine::kMacvlan); count > 0)
    text += fmt::format(", {} of macvlan devices", count);
  if (const auto count = made_of(lab::Engine::kVxlan); count > 0)
    text += fmt::format(", {} ends of tunnels", count);
  return text + fmt::format(", {} links, {} delay lines", plan.links.size(),
                            std::ranges::count_if(plan.links, &PlannedLink::delayed));
}

}  // namespace

std::string plan_text(const model::Model& site, const Plan& plan, const report::TextOptions& options) {
  Page page(report::page_width(options.width), options.colour, options.utf8);
  page.paragraph(0, fmt::format("lab {}: {}", plan.lab, summary(plan)), Style::kBold);
  const std::size_t most = options.verbosity == report::Verbosity::kAll ? 0 : kRows;
  if (options.verbosity != report::Verbosity::kQuiet) {
    const auto rows = rows_by_space(site, plan);
    std::size_t told = 0;
    for (SpaceIndex s = 0; s < plan.spaces.size() && (most == 0 || told < most); ++s, ++told) {
      page.blank();
      page.line(0, fmt::format("{}  {}", plan.namespace_of(s), role_of(site, plan, s)), Style::kBold);
      std::size_t lines = 0;
      for (const Row& row : rows[s]) {
        if (most > 0 && lines == most) break;
        page.labelled(2, row.device, kDeviceColumns,
                      fmt::format("{}{}{}, {}", row.mac, row.ip.empty() ? "" : ", ", row.ip, row.what));
        ++lines;
      }
      if (lines < rows[s].size())
        page.line(2, fmt::format("and {} more", rows[s].size() - lines), Style::kDim);
    }
    if (told < plan.spaces.size())
      page.line(0, fmt::format("and {} more namespaces (--verbose lists all)", plan.spaces.size() - told),
                Style::kDim);
  }
  remarks(page, "not built", plan.unsupported, most);
  remarks(page, "built otherwise", plan.approximations, most);
  return page.take();
}

std::string plan_json(const model::Model& site, const Plan& plan) {
  ordered_json json;
  json["lab"] = plan.lab;
  const auto rows = rows_by_space(site, plan);
  json["namespaces"] = ordered_json::array();
  for (SpaceIndex s = 0; s < plan.spaces.size(); ++s) {
    ordered_json devices = ordered_json::array();
    for (const Row& row : rows[s]) {
      ordered_json device{{"name", row.device}, {"mac", row.mac}};
      if (!row.ip.empty()) device["ip"] = row.ip;
      device["what"] = row.what;
      devices.push_back(std::move(device));
    }
    json["namespaces"].push_back(
        {{"name", plan.namespace_of(s)}, {"is", role_of(site, plan, s)}, {"devices", devices}});
  }
  json["bridges"] = ordered_json::array();
  for (const PlannedBridge& bridge : plan.bridges) {
    ordered_json entry{{"switch", model::name_of(site, bridge.bridge)},
                       {"namespace", plan.namespace_of(bridge.space)},
                       {"made_of", made_of(bridge.engine)}};
    if (bridge.live()) {
      entry["live"] = bridge.live_because;
    } else {
      entry["device"] = bridge.device;
    }
    json["bridges"].push_back(std::move(entry));
  }
  json["guests"] = ordered_json::array();
  for (const lab::PlannedGuest& guest : plan.guests) {
    const model::Image& image = site[site[guest.machine].image];
    json["guests"].push_back({{"guest", site[guest.machine].name},
                              {"boots", image.disk.empty() ? image.kernel : image.disk},
                              {"memory", image.memory},
                              {"files", fmt::format("{}/{}", lab::guests_folder(plan.lab), guest.name)}});
  }
  json["not_built"] = remarks_json(plan.unsupported);
  json["built_otherwise"] = remarks_json(plan.approximations);
  return json.dump(2) + "\n";
}

std::string status_text(const Plan& plan, const lab::Status& status, const report::TextOptions& options) {
  Page page(report::page_width(options.width), options.colour, options.utf8);
  const bool none = status.there == 0 && status.foreign.empty();
  page.paragraph(0,
                 fmt::format("lab {}: {}", plan.lab,
                             none              ? "not there"
                             : status.up(plan) ? "up"
                                               : "incomplete (\"lab down\" removes it)"),
                 Style::kBold);
  if (none) return page.take();
  page.line(0, fmt::format("{} of {} namespaces", status.there, plan.spaces.size()));
  if (plan.has_live()) page.line(0, status.live ? "live switches run" : "live switches do not run");
  if (plan.open_vswitch != lab::kNone)
    page.line(0, status.open_vswitch ? "Open vSwitch runs" : "Open vSwitch does not run");
  if (!plan.guests.empty())
    page.line(
        0, status.guests_on.empty() ? "guests do not run" : fmt::format("guests run ({})", status.guests_on));
  const auto list = [&](std::string_view title, const std::vector<std::string>& names) {
    const std::size_t most =
        options.verbosity == report::Verbosity::kAll ? names.size() : std::min(names.size(), kRows);
    for (std::size_t i = 0; i < most; ++i) page.line(2, fmt::format("{} {}", title, names[i]));
    if (most < names.size()) page.line(2, fmt::format("and {} more", names.size() - most), Style::kDim);
  };
  list("missing", status.missing);
  list("missing device", status.broken);
  list("not of this site:", status.foreign);
  list("ended guest", status.ended_guests);
  return page.take();
}

std::string status_json(const Plan& plan, const lab::Status& status) {
  ordered_json json{{"lab", plan.lab},
                    {"up", status.up(plan)},
                    {"namespaces", status.there},
                    {"live", status.live},
                    {"open_vswitch", status.open_vswitch},
                    {"guests_on", status.guests_on},
                    {"ended_guests", status.ended_guests},
                    {"missing", status.missing},
                    {"missing_devices", status.broken},
                    {"foreign", status.foreign}};
  return json.dump(2) + "\n";
}

}  // namespace sekimori::cli
