#include "importers/site_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace sekimori::importers {

using model::BridgeId;
using model::MachineId;

// Whatever is referred to is read before what refers to it.
model::Model SiteReader::read(const std::string& name) && {
  const Fields site = in_.fields(in_.tree().root(), sections::kSite);
  if (!site.node().valid()) return {};
  read_header(site);
  for (const NodeId note : in_.list(site["notes"], "notes")) read_note(note);
  read_defaults(in_.fields(site["defaults"], sections::kDefaults));
  model().source = name;

  read_hosts(site["hosts"]);
  for (const Entry& router : in_.entries(site["routers"], "routers")) read_router(router);
  for (const Entry& gear : in_.entries(site["switches"], "switches")) read_switch(gear);
  for (const Entry& wan : in_.entries(site["wans"], "wans")) read_wan(wan);
  for (const Entry& tunnel : in_.entries(site["tunnels"], "tunnels")) read_tunnel(tunnel);
  for (const NodeId link : in_.list(site["links"], "links")) read_link(link);
  for (const Entry& pool : in_.entries(site["pools"], "pools")) read_pool(pool);

  // From here on every station has its address: static entries name them, and clones copy them.
  build_.allocate_macs();
  for (const Entry& shared : in_.entries(site["shared"], "shared")) read_shared(shared);
  give_bonds_their_macs();
  give_bridges_their_macs();
  read_static_entries();
  read_neighbours();
  read_tunnel_entries();
  read_flow_rules();
  check_tunnels();
  read_changes(site["changes"]);
  for (const NodeId flow : in_.list(site["traffic"], "traffic")) read_flow(flow);
  block_floods();
  if (!problems_.empty()) return {};
  return std::move(build_).finish();
}

void SiteReader::read_header(const Fields& site) {
  const NodeId version = site["sekimori"];
  if (!version.valid()) {
    in_.wrong(site.node(), "the version of the format is missing; a site file begins with `sekimori: 1`");
  } else {
    in_.integer(version, {"the format version `sekimori`", 1, 1});
  }
  if (const auto title = in_.word(site["title"], "a title")) model().title = *title;
  constexpr Bounds<std::int64_t> kSeed{"seed", 0, std::numeric_limits<std::int64_t>::max()};
  set(model().seed, in_.integer(site["seed"], kSeed));
}

void SiteReader::read_note(NodeId node) {
  const Fields fields = in_.fields(node, sections::kNote, "{assumed: TEXT} or {suspect: TEXT}");
  if (!fields.node().valid()) return;
  if (fields.has("assumed") == fields.has("suspect"))
    return in_.wrong(node, "a note is one of {assumed: TEXT} and {suspect: TEXT}");
  const bool is_suspect = fields.has("suspect");
  const NodeId text = fields[is_suspect ? "suspect" : "assumed"];
  if (!in_.tree().is_text(text) || in_.text(text).empty()) return in_.wrong(text, "a note is a text");
  const auto kind = is_suspect ? model::Note::Kind::kSuspect : model::Note::Kind::kAssumed;
  model().notes.push_back({kind, std::string(in_.text(text)), in_.line(node)});
}

void SiteReader::read_defaults(const Fields& defaults) {
  const Fields link = in_.fields(defaults["link"], sections::kDefaultLink);
  set(default_link_.rate, in_.rate(link["rate"]));
  set(default_link_.delay, in_.duration(link["delay"], kDelayBounds));
  set(default_link_.queue_bytes, in_.bytes(link["queue"], kQueueBounds));
  default_ageing_ = in_.duration(defaults["ageing"], kAgeingBounds);
  default_arp_ = defaults["arp"];
  model::ArpSettings checked;
  read_arp(in_.fields(default_arp_, sections::kArp), checked);
}

std::string SiteReader::line_note(model::SourceLine line) const {
  return line == 0 ? std::string() : fmt::format(" (line {})", line);
}

// Where the machine or gear of that name is declared, for a message about the second.
std::string SiteReader::first_place(std::string_view name) const {
  const MachineId machine = build_.find_machine(name);
  const BridgeId bridge = build_.find_bridge({}, name);
  const model::SourceLine line = machine.valid()  ? model()[machine].line
                                 : bridge.valid() ? model()[bridge].line
                                                  : 0;
  return line == 0 ? std::string() : fmt::format("; first in line {}", line);
}

const std::vector<std::string_view>& SiteReader::names_of_all() {
  const std::size_t count = model().machines.size() + model().bridges.size();
  if (names_known_ == count) return names_;
  names_.clear();
  for (const auto& machine : model().machines) names_.push_back(machine.name);
  for (const auto& bridge : model().bridges) {
    if (!bridge.machine.valid()) names_.push_back(bridge.name);
  }
  names_known_ = count;
  return names_;
}

MachineId SiteReader::machine(NodeId node, std::string_view name, std::string_view what) {
  const MachineId id = build_.find_machine(name);
  if (id.valid() || problems_.overflows()) return id;
  if (build_.find_bridge({}, name).valid()) {
    in_.wrong(node, fmt::format("'{}' is a switch; {} is expected here", name, what));
  } else {
    in_.wrong(node, fmt::format("there is no machine '{}'{}", name, hint(name)));
  }
  return {};
}

BridgeId SiteReader::virtual_switch(NodeId node, MachineId host, std::string_view name) {
  const BridgeId id = build_.find_bridge(host, name);
  if (id.valid()) return id;
  if (problems_.overflows()) return {};
  std::vector<std::string_view> known;
  for (const BridgeId bridge : model()[host].bridges) known.emplace_back(model()[bridge].name);
  const auto elsewhere = std::ranges::find(model().bridges, name, &model::Bridge::name);
  std::string help = in_.hint(name, known);
  if (elsewhere != model().bridges.end()) {
    help = fmt::format(
        "; the one of that name is {} (line {})",
        elsewhere->machine.valid() ? "in '" + model()[elsewhere->machine].name + "'" : "no virtual switch",
        elsewhere->line);
  }
  in_.wrong(node, fmt::format("'{}' has no virtual switch{} '{}'{}", model()[host].name,
                              known.empty() ? "es, and so no" : "", name, help));
  return {};
}

}  // namespace sekimori::importers
