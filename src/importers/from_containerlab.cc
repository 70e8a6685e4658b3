// Topologies of containerlab (*.clab.yml). Source: containerlab's manual, "Topology definition", "Nodes" and
// "bridge". Nodes of kind bridge or ovs-bridge are switches; what other nodes do with frames their images
// know, and so they are taken for machines that end their links.
#include <fmt/format.h>

#include <algorithm>

#include "importers/formats.h"

namespace sekimori::importers {
namespace {

struct End {
  std::string node, interface;
};

std::optional<End> end_of(Data endpoint) {
  if (endpoint.is_map())
    return End{std::string(endpoint["node"].text()), std::string(endpoint["interface"].text())};
  const std::string_view text = endpoint.text();
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size()) return std::nullopt;
  return End{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

}  // namespace

bool is_containerlab(std::string_view text) {
  const std::string_view head = text.substr(0, 65536);
  return head.contains("topology:") && head.contains("nodes:");
}

void read_containerlab(const Source& source, Data root, Facts& facts) {
  const std::size_t first = facts.machines.size();
  const Data topology = root["topology"];
  const auto kind_of = [&](Data node) {
    return node["kind"] ? node["kind"].text() : topology["defaults"]["kind"].text();
  };
  const auto is_switch = [&](std::string_view name) {
    const std::string_view kind = kind_of(topology["nodes"][name]);
    return kind == "bridge" || kind == "ovs-bridge";
  };
  const auto machine = [&](const std::string& name, std::uint32_t line) -> MachineFacts& {
    const auto known =
        std::find_if(facts.machines.begin() + static_cast<std::ptrdiff_t>(first), facts.machines.end(),
                     [&](const MachineFacts& m) { return m.name == name; });
    if (known != facts.machines.end()) return *known;
    MachineFacts made;
    made.manager = "containerlab";
    made.id = fmt::format("{}/{}", root["name"].text(), name);
    made.name = name;
    made.group = fmt::format("{}/{}", source.group, name);
    made.kind = model::MachineKind::kHost;
    made.power = Power::kOn;
    made.place = {source.file, line};
    return facts.machines.emplace_back(std::move(made));
  };
  for (const Data node : topology["nodes"]) {
    const std::string name(node.key());
    if (is_switch(name)) {
      facts.gear.push_back({name, {}, {source.file, node.line()}});
    } else if (!name.empty()) {
      machine(name, node.line());
    }
  }
  for (const Data link : topology["links"]) {
    const Place place{source.file, link.line()};
    std::vector<End> ends;
    for (const Data endpoint : link["endpoints"]) {
      if (auto end = end_of(endpoint); end && !end->node.empty() && !end->interface.empty())
        ends.push_back(std::move(*end));
    }
    if (ends.size() != 2) {
      facts.leave_out(place, "a link without two endpoints NODE:INTERFACE");
      continue;
    }
    for (const End& end : ends) {
      if (is_switch(end.node)) continue;
      MachineFacts& owner = machine(end.node, link.line());
      if (std::ranges::find(owner.nics, end.interface, &NicFacts::name) != owner.nics.end()) continue;
      NicFacts nic;
      nic.name = end.interface;
      nic.place = place;
      owner.nics.push_back(std::move(nic));
    }
    CableFacts cable;
    cable.device = ends[0].node;
    cable.port = ends[0].interface;
    cable.far_device = ends[1].node;
    cable.far_port = ends[1].interface;
    cable.place = place;
    facts.cables.push_back(std::move(cable));
  }
}

}  // namespace sekimori::importers
