// The timeline. Changes are read in the order of time, so that a clone is there when a later change names it.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"

namespace sekimori::importers {

using model::BridgeId;
using model::BridgeKind;
using model::BridgeOption;
using model::MachineId;
using model::MachineKind;
using model::PortId;
using model::StationId;

namespace {

// Each change, and the keys that go with it.
struct Action {
  std::string_view name;
  std::span<const std::string_view> keys;
};
constexpr std::string_view kOfClone[] = {"as", "on", "ip"};
constexpr std::string_view kOfMigrate[] = {"to", "on", "announce"};
constexpr std::string_view kOfSet[] = {"ageing", "learning", "table-size", "filters-local", "stp"};
constexpr Action kActions[] = {{"start", {}},           {"stop", {}},      {"clone", kOfClone},
                               {"migrate", kOfMigrate}, {"link-down", {}}, {"link-up", {}},
                               {"set", kOfSet}};

}  // namespace

void SiteReader::read_changes(NodeId changes) {
  std::vector<Timed> timeline;
  for (const NodeId node : in_.list(changes, "changes")) {
    const Fields fields = in_.fields(node, sections::kChange, "{at: TIME, ...}");
    if (!fields.node().valid()) continue;
    if (!fields.has("at")) in_.wrong(node, "a change is {at: TIME, ...}; the time is missing");
    const auto at = in_.duration(fields["at"], kAtBounds);
    if (!at) continue;
    timeline.push_back({*at, fields});
    if (const NodeId as = fields["as"]; as.valid() && in_.tree().is_text(as)) {
      clones_.try_emplace(in_.text(as), *at, as);
    }
  }
  std::ranges::stable_sort(timeline, {}, &Timed::at);
  for (const Timed& change : timeline) read_change(change);
}

void SiteReader::read_change(const Timed& change) {
  const Fields& fields = change.fields;
  std::string_view action;
  for (const Action& known : kActions) {
    if (!fields.has(known.name)) continue;
    if (!action.empty()) {
      return in_.wrong(
          fields.node(),
          fmt::format("one change at a time: this has '{}' and '{}'; write two entries", action, known.name));
    }
    action = known.name;
  }
  if (action.empty()) {
    return in_.wrong(fields.node(),
                     "nothing changes here; write start, stop, clone, migrate, link-down, link-up or set");
  }
  if (!refuse_stray_keys(fields, action)) return;
  const NodeId what = fields[action];
  if (action == "clone") return read_clone(change);
  if (action == "migrate") return read_migration(change);
  if (action == "set") return read_setting(change);
  if (action == "link-down" || action == "link-up")
    return read_link_change(change, what, action == "link-up");
  const MachineId machine = machine_now(what, change.at);
  if (!machine.valid()) return;
  if (action == "start") {
    add_change(change, model::StartMachine{machine});
  } else {
    add_change(change, model::StopMachine{machine});
  }
}

bool SiteReader::refuse_stray_keys(const Fields& fields, std::string_view action) {
  const auto* const own = std::ranges::find(kActions, action, &Action::name);
  bool is_clean = true;
  for (const Action& other : kActions) {
    for (const std::string_view key : other.keys) {
      if (!fields.has(key) || std::ranges::find(own->keys, key) != own->keys.end()) continue;
      in_.wrong(fields[key], fmt::format("'{}' does not go with '{}'", key, action));
      is_clean = false;
    }
  }
  return is_clean;
}

// The machine of that name, if it is there by then.
MachineId SiteReader::machine_now(NodeId node, model::Time at) {
  const auto name = in_.word(node, "the name of a machine");
  if (!name) return {};
  if (const auto clone = clones_.find(*name); clone != clones_.end() && !build_.find_machine(*name).valid()) {
    const auto [born, where] = clone->second;
    if (born >= at) {
      in_.wrong(node, fmt::format("'{}' does not exist yet at {}: it is cloned at {} (line {})", *name,
                                  base::to_text(at), base::to_text(born), in_.line(where)));
    }
    return {};  // otherwise the clone itself has been refused
  }
  return machine(node, *name, "a machine");
}

void SiteReader::read_clone(const Timed& change) {
  const Fields& fields = change.fields;
  const MachineId original = machine_now(fields["clone"], change.at);
  const NodeId as = fields["as"];
  if (!as.valid())
    return in_.wrong(fields.node(), "the name of the clone is missing: `clone: app, as: app2`");
  const auto name = in_.word(as, "the clone's name");
  if (!original.valid() || !name || !in_.is_name(as, "clone")) return;
  BridgeId onto;
  if (fields.has("on")) {
    onto = target_switch(fields["on"], original, {}, fields["on"]);
    if (!onto.valid()) return;
  }
  const std::string first = first_place(*name);
  const auto clone = build_.clone(original, std::string(*name), onto);
  if (!ok(fields["clone"], clone, first)) return;
  const model::SourceLine line = in_.line(fields.node());
  model()[*clone].line = line;
  StationId addressed;
  for (const StationId id : model()[*clone].stations) {
    model()[id].line = line;
    const model::LinkId cable = model()[model()[id].port].link;
    if (cable.valid()) model()[cable].line = line;
    const bool has_one = !model()[id].ip.address.is_zero() || !model()[id].ip6.address.is_zero();
    if (!addressed.valid() && has_one) addressed = id;
  }
  if (!addressed.valid() && !model()[*clone].stations.empty()) addressed = model()[*clone].stations[0];
  if (addressed.valid()) read_addresses(addressed, fields["ip"], {});
  add_change(change, model::StartMachine{*clone});
}

// Where a guest goes: "host/switch", or a host (or the host already known) and the switch named like the one
// it is on, or the only one there.
BridgeId SiteReader::target_switch(NodeId node, MachineId guest, MachineId host, NodeId on) {
  std::string_view name;
  if (on.valid()) {
    const auto written = in_.word(on, "a virtual switch, as host/switch");
    if (!written) return {};
    const std::size_t slash = written->find('/');
    if (slash != std::string_view::npos) {
      const MachineId owner = machine(on, written->substr(0, slash), "a host");
      if (!owner.valid()) return {};
      if (host.valid() && owner != host) {
        in_.wrong(on, fmt::format("'{}' is not on '{}', where the guest goes", *written, model()[host].name));
        return {};
      }
      return virtual_switch(on, owner, written->substr(slash + 1));
    }
    const MachineId home = host.valid() ? host : model()[guest].host;
    const bool is_switch = home.valid() && build_.find_bridge(home, *written).valid();
    if (host.valid() || is_switch) return virtual_switch(on, home, *written);
    host = machine(on, *written, "a host or one of its switches");
    if (!host.valid()) return {};
  }
  for (const StationId id : model()[guest].stations) {
    const PortId far = model::peer(model(), build_.wire_port(id));
    if (!far.valid()) continue;
    name = model()[model()[far].bridge].name;
    if (const BridgeId same = build_.find_bridge(host, name); same.valid()) return same;
  }
  if (model()[host].bridges.size() == 1) return model()[host].bridges[0];
  in_.wrong(node, fmt::format("'{}' has {} virtual switches, none named '{}'; write `on: {}/NAME`",
                              model()[host].name, model()[host].bridges.size(), name, model()[host].name));
  return {};
}

void SiteReader::read_migration(const Timed& change) {
  const Fields& fields = change.fields;
  const MachineId guest = machine_now(fields["migrate"], change.at);
  const NodeId to = fields["to"];
  if (!to.valid()) return in_.wrong(fields.node(), "the target is missing: `migrate: app, to: host2`");
  const auto name = in_.word(to, "the name of a host");
  const MachineId host = name ? machine(to, *name, "a host") : MachineId{};
  const auto announce = in_.flag(fields["announce"], "announce");
  if (!guest.valid() || !host.valid()) return;
  if (model()[guest].kind != MachineKind::kGuest) {
    return in_.wrong(fields["migrate"], fmt::format("'{}' is a {}; only guests migrate", model()[guest].name,
                                                    to_text(model()[guest].kind)));
  }
  if (model()[host].kind != MachineKind::kHost) {
    return in_.wrong(
        to, fmt::format("'{}' is a {}; guests migrate to hosts", *name, to_text(model()[host].kind)));
  }
  MachineId& now_on = moved_to_.try_emplace(guest, model()[guest].host).first->second;
  if (now_on == host)
    return in_.wrong(to, fmt::format("'{}' is on '{}' already", model()[guest].name, *name));
  const BridgeId bridge = target_switch(to, guest, host, fields["on"]);
  if (!bridge.valid()) return;
  auto moves = build_.prepare_move(guest, bridge, in_.line(fields.node()));
  if (!ok(fields["migrate"], moves)) return;
  now_on = host;
  add_change(change, model::MigrateMachine{guest, host, std::move(*moves), announce.value_or(true)});
}

// The link is named by both ends or by one.
void SiteReader::read_link_change(const Timed& change, NodeId node, bool up) {
  const std::vector<NodeId> ends = in_.list(node, up ? "link-up" : "link-down", true);
  if (ends.empty() || ends.size() > 2)
    return in_.wrong(node, "a link is named by one end, sw1:24, or both, [a, b]");
  std::vector<model::LinkId> links;
  for (const NodeId end_node : ends) {
    const auto end = read_end(end_node, Ports::kFind);
    if (!end) return;
    if (!model()[end->port].link.valid()) {
      return in_.wrong(end_node, fmt::format("nothing is plugged into {}", in_.text(end_node)));
    }
    links.push_back(model()[end->port].link);
  }
  if (links.front() != links.back()) return in_.wrong(node, "there is no link between these two ends");
  add_change(change, model::SetLink{links.front(), up});
}

void SiteReader::read_setting(const Timed& change) {
  const Fields& fields = change.fields;
  const auto name = in_.word(fields["set"], "the name of a switch");
  if (!name) return;
  const std::size_t slash = name->find('/');
  BridgeId bridge;
  if (slash != std::string_view::npos) {
    const MachineId host = machine(fields["set"], name->substr(0, slash), "a machine");
    if (host.valid()) bridge = virtual_switch(fields["set"], host, name->substr(slash + 1));
    if (!bridge.valid()) return;
  } else {
    bridge = build_.find_bridge({}, *name);
    if (!bridge.valid()) {
      return in_.wrong(fields["set"], fmt::format("there is no switch '{}'{}", *name, hint(*name)));
    }
  }
  const auto add = [&](BridgeOption option, std::optional<std::int64_t> value) {
    if (value) add_change(change, model::SetBridge{bridge, option, *value});
    return value.has_value();
  };
  const auto as_number = [](std::optional<bool> flag) {
    return flag ? std::optional<std::int64_t>(*flag) : std::nullopt;
  };
  const auto ageing = in_.duration(fields["ageing"], kAgeingBounds);
  bool any = add(BridgeOption::kAgeing, ageing ? std::optional(ageing->count()) : std::nullopt);
  any |= add(BridgeOption::kLearning, as_number(in_.flag(fields["learning"], "learning")));
  any |= add(BridgeOption::kTableSize, in_.integer(fields["table-size"], kTableBounds));
  any |= add(BridgeOption::kFiltersLocal, as_number(in_.flag(fields["filters-local"], "filters-local")));
  any |= add(BridgeOption::kStp, as_number(in_.flag(fields["stp"], "stp")));
  if (fields.has("filters-local") && model()[bridge].kind != BridgeKind::kHostedBridge) {
    in_.wrong(fields["filters-local"], fmt::format("only a hosted-bridge can filter-local; '{}' is a {}",
                                                   *name, to_text(model()[bridge].kind)));
  }
  const auto has_key = [&](std::string_view key) { return fields.has(key); };
  if (!any && std::ranges::none_of(kOfSet, has_key)) {
    in_.wrong(fields.node(), fmt::format("'set' needs one of {}", fmt::join(kOfSet, ", ")));
  }
}

void SiteReader::add_change(const Timed& change, decltype(model::Change::what) what) {
  model().changes.push_back({change.at, std::move(what), in_.line(change.fields.node())});
}

}  // namespace sekimori::importers
