// Traffic: who sends what to whom.
#include <fmt/format.h>

#include <algorithm>

#include "importers/site_reader.h"
#include "wire/ipv4.h"

namespace sekimori::importers {

using model::Flow;
using model::FlowKind;
using model::MachineId;
using model::StationId;

namespace {

constexpr Bounds<model::Duration> kEveryBounds{"every", base::microseconds(1), kLongestTime};

// The defaults of each kind, and the largest payload that a frame of 1500 bytes holds (TCP: with timestamps).
struct Shape {
  std::uint32_t payload;
  std::int64_t most;
  model::Duration every;
  std::uint32_t response;
};

Shape shape_of(FlowKind kind) {
  switch (kind) {
    case FlowKind::kUdp:
      return {1448, 1472, {}, 0};
    case FlowKind::kTcp:
      return {1448, 1448, {}, 0};
    case FlowKind::kRequest:
      return {100, 1472, base::seconds(1), 1000};
    case FlowKind::kPing:
      return {56, 1472, base::seconds(1), 0};
  }
  return {};
}

}  // namespace

void SiteReader::read_flow(NodeId node) {
  const Fields fields = in_.fields(node, sections::kFlow, "{from: MACHINE, to: MACHINE, kind: ..., ...}");
  if (!fields.node().valid()) return;
  constexpr FlowKind kKinds[] = {FlowKind::kUdp, FlowKind::kTcp, FlowKind::kRequest, FlowKind::kPing};
  const auto kind = in_.choice(fields["kind"], "kind", {"udp", "tcp", "request", "ping"});
  if (!fields.has("kind")) in_.wrong(node, "the kind of traffic is missing: udp, tcp, request or ping");
  Flow flow;
  flow.line = in_.line(node);
  const bool has_ends = read_flow_ends(fields, flow);
  if (!kind) return;
  flow.kind = kKinds[*kind];
  read_flow_shape(fields, flow);
  if (!has_ends) return;
  if (flow.is_multicast()) {
    if (flow.kind != FlowKind::kUdp)
      return in_.wrong(fields["to"],
                       fmt::format("only udp goes to a multicast group, no {}", to_text(flow.kind)));
    model().flows.push_back(flow);
    return;
  }
  const std::string why = flow.ipv6 ? why_not6(flow) : why_not(flow);
  if (!why.empty()) return in_.wrong(node, why);
  if (within_cluster(flow)) {
    return in_.wrong(
        node, fmt::format("'{}' and '{}' are members of one cluster in unicast mode and cannot talk to "
                          "each other over its NICs, which have one address; give each a second NIC",
                          model()[flow.from].name, model()[flow.to].name));
  }
  model().flows.push_back(flow);
}

std::string SiteReader::why_not(const Flow& flow) {
  Translations translations;
  std::string why = why_no_route(flow.from, flow.to_station, translations);
  if (!why.empty() || flow.kind == FlowKind::kUdp) return why;
  const StationId back = model::next_hop(model(), flow.from, model()[flow.to_station].ip.address).station;
  why = why_no_route(flow.to, back, translations);
  return why.empty() ? why : fmt::format("the answers find no way back: {}", why);
}

std::string SiteReader::why_not6(const Flow& flow) {
  std::string why = why_no_route6(flow.from, flow.to_station);
  if (!why.empty() || flow.kind == FlowKind::kUdp) return why;
  const StationId back = model::next_hop(model(), flow.from, model()[flow.to_station].ip6.address).station;
  why = why_no_route6(flow.to, back);
  return why.empty() ? why : fmt::format("the answers find no way back: {}", why);
}

bool SiteReader::read_flow_ends(const Fields& fields, Flow& flow) {
  for (const std::string_view key : {"from", "to"}) {
    if (!fields.has(key)) in_.wrong(fields.node(), fmt::format("traffic has no '{}'", key));
  }
  const auto read = [&](NodeId node, MachineId& machine, StationId& station) {
    if (!node.valid()) return;
    // A clone that could not be made has been reported already.
    if (in_.tree().is_text(node) && !build_.find_machine(in_.text(node)).valid() &&
        clones_.contains(in_.text(node)))
      return;
    station = read_station(node, &machine);
  };
  read(fields["from"], flow.from, flow.from_station);
  if (const auto group = group_of_flow(fields)) {
    flow.group = *group;
    return read_flow_to_group(fields, flow);
  }
  if (!read_shared_end(fields, flow)) read(fields["to"], flow.to, flow.to_station);
  if (!flow.from.valid() || !flow.to.valid()) return false;
  if (flow.from == flow.to) {
    in_.wrong(fields["to"],
              fmt::format("'{}' sends to itself, which no network sees", model()[flow.to].name));
    return false;
  }
  if (!choose_family(fields, flow)) return false;
  const auto has_address = [&](StationId id) {
    return flow.ipv6 ? !model()[id].ip6.address.is_zero() : !model()[id].ip.address.is_zero();
  };
  if (!flow.to_station.valid()) {
    const auto& stations = model()[flow.to].stations;
    if (const auto first = std::ranges::find_if(stations, has_address); first != stations.end())
      flow.to_station = *first;
  }
  if (flow.to_station.valid() && has_address(flow.to_station)) return true;
  in_.wrong(fields["to"], fmt::format("'{}' has no {}address to send to", in_.text(fields["to"]),
                                      flow.ipv6 ? "IPv6 " : ""));
  return false;
}

// What is written; else IPv4, unless only IPv6 is there at both ends.
bool SiteReader::choose_family(const Fields& fields, Flow& flow) {
  if (fields.has("family")) {
    const auto family = in_.choice(fields["family"], "family", {"ipv4", "ipv6"});
    flow.ipv6 = family == 1;
    return family.has_value();
  }
  const auto has = [&](MachineId machine, StationId station, auto ip) {
    return std::ranges::any_of(model()[machine].stations, [&](StationId id) {
      return (!station.valid() || id == station) && !(model()[id].*ip).address.is_zero();
    });
  };
  const auto both_have = [&](auto ip) {
    return has(flow.from, flow.from_station, ip) && has(flow.to, flow.to_station, ip);
  };
  flow.ipv6 = !both_have(&model::Station::ip) && both_have(&model::Station::ip6);
  return true;
}

void SiteReader::read_flow_shape(const Fields& fields, Flow& flow) {
  Shape shape = shape_of(flow.kind);
  // An IPv6 header takes 20 bytes more of the 1500.
  if (flow.ipv6) shape.most -= 20;
  shape.payload = std::min(shape.payload, static_cast<std::uint32_t>(shape.most));
  flow.payload = shape.payload;
  flow.response = shape.response;
  set(flow.rate, in_.rate(fields["rate"]));
  set(flow.interval, in_.duration(fields["every"], kEveryBounds));
  set(flow.payload, in_.integer(fields["size"], {"size", 1, shape.most}));
  set(flow.response, in_.integer(fields["response"], {"response", 1, shape.most}));
  set(flow.start, in_.duration(fields["start"], {"start", model::Duration{0}, kLongestTime}));
  set(flow.stop, in_.duration(fields["stop"], {"stop", model::Duration{0}, kLongestTime}));

  const bool is_paced = flow.kind == FlowKind::kRequest || flow.kind == FlowKind::kPing;
  if (is_paced && fields.has("rate")) {
    in_.wrong(fields["rate"],
              fmt::format("a {} has an interval, `every: 100ms`, and no rate", to_text(flow.kind)));
  }
  if (flow.kind == FlowKind::kTcp && fields.has("every"))
    in_.wrong(fields["every"], "tcp has a rate and no interval");
  if (flow.kind == FlowKind::kUdp && fields.has("rate") == fields.has("every")) {
    in_.wrong(fields.node(), "udp needs one of `rate: 1Mbit/s` and `every: 100ms`");
  }
  if (flow.kind != FlowKind::kRequest && fields.has("response")) {
    in_.wrong(fields["response"], "only a request has a response");
  }
  if (is_paced && !fields.has("every")) flow.interval = shape.every;
  if (flow.stop <= flow.start) in_.wrong(fields.node(), "traffic must stop after it starts");
}

// Follows the routes from machine to machine, and back as what was translated on the way. Whether the cables
// carry it is not asked: that is the network's fault, and a finding.
std::string SiteReader::why_no_route(MachineId from, StationId to, Translations& translations) {
  if (!to.valid()) return "the sender has no address";
  constexpr int kMostHops = 64;
  const std::string route =
      fmt::format("no route from {} to {} ({})", model()[from].name, name_of(model(), model()[to].machine),
                  wire::to_text(model()[to].ip.address));
  model::Ipv4 destination = translations.empty() ? model()[to].ip.address : translations.back().shown;
  if (destination.is_zero()) return fmt::format("{}: it has no address", route);
  MachineId here = from;
  StationId entered;
  model::Ipv4 source;
  for (int hop = 0; hop < kMostHops; ++hop) {
    const model::NextHop next = model::next_hop(model(), here, destination);
    if (!next.station.valid()) {
      const std::string hidden = behind_nat(to);
      if (!hidden.empty()) return fmt::format("{}: {}", route, hidden);
      return fmt::format("{}: {} is on no network with it and has no {} that leads there", route,
                         model()[here].name,
                         model()[here].kind == model::MachineKind::kRouter ? "route" : "`gateway` or route");
    }
    const auto passage =
        entered.valid() ? model::passage(model(), entered, next.station) : model::Passage::kAsItIs;
    if (passage == model::Passage::kRefused) return fmt::format("{}: {}", route, behind_nat(to));
    const model::Ipv4 own = model()[next.station].ip.address;
    if (passage == model::Passage::kTranslated) translations.push_back({here, own, source});
    if (hop == 0 || passage == model::Passage::kTranslated) source = own;
    entered = {};
    if (next.address == destination) {
      if (translations.empty() || translations.back().shown != destination) return "";
      here = translations.back().by;
      destination = translations.back().hidden;
      translations.pop_back();
    } else {
      const MachineId before = here;
      here = router_with(next.address, here);
      if (!here.valid()) {
        return fmt::format("{}: {} sends it to {}, which is no router's address", route, model()[before].name,
                           wire::to_text(next.address));
      }
      if (here == model()[to].machine) return "";
      for (const StationId id : model()[here].stations) {
        if (model()[id].ip.address == next.address) entered = id;
      }
    }
  }
  return fmt::format("{}: it goes in circles through {} routers", route, kMostHops);
}

// Virtual networks of several hosts have the same addresses ("default" is 192.168.122.0/24 everywhere): a
// guest means its own host.
MachineId SiteReader::router_with(model::Ipv4 address, MachineId asker) const {
  const auto [first, last] = routers_.equal_range(address);
  MachineId found;
  for (auto it = first; it != last; ++it) {
    if (!found.valid() || it->second == model()[asker].host || it->second < found) found = it->second;
    if (found == model()[asker].host) break;
  }
  return found;
}

std::string SiteReader::behind_nat(StationId station) const {
  const model::PortId far = model::peer(model(), model()[station].port);
  if (!far.valid() || !model()[far].bridge.valid()) return "";
  const model::BridgeId bridge = model()[far].bridge;
  if (model()[bridge].routing != model::Routing::kNat) return "";
  return fmt::format("it is behind {}, whose NAT lets in nothing but answers (line {})",
                     name_of(model(), bridge), model()[bridge].line);
}

}  // namespace sekimori::importers
