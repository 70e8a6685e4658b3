// Traffic: who sends what to whom.
#include <fmt/format.h>

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
  if (const std::string why = why_no_route(flow.from, flow.to_station); !why.empty())
    return in_.wrong(node, why);
  if (flow.kind != FlowKind::kUdp) {
    const StationId back = model::next_hop(model(), flow.from, model()[flow.to_station].ip.address).station;
    if (const std::string why = why_no_route(flow.to, back); !why.empty()) {
      return in_.wrong(node, fmt::format("the answers find no way back: {}", why));
    }
  }
  model().flows.push_back(flow);
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
  read(fields["to"], flow.to, flow.to_station);
  if (!flow.from.valid() || !flow.to.valid()) return false;
  if (flow.from == flow.to) {
    in_.wrong(fields["to"],
              fmt::format("'{}' sends to itself, which no network sees", model()[flow.to].name));
    return false;
  }
  if (!flow.to_station.valid()) {
    for (const StationId id : model()[flow.to].stations) {
      if (!flow.to_station.valid() && !model()[id].ip.address.is_zero()) flow.to_station = id;
    }
  }
  if (flow.to_station.valid() && !model()[flow.to_station].ip.address.is_zero()) return true;
  in_.wrong(fields["to"], fmt::format("'{}' has no address to send to", in_.text(fields["to"])));
  return false;
}

void SiteReader::read_flow_shape(const Fields& fields, Flow& flow) {
  const Shape shape = shape_of(flow.kind);
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

// Follows the routes from machine to machine. Whether the cables carry it is not asked: that is the network's
// fault, and a finding.
std::string SiteReader::why_no_route(MachineId from, StationId to) {
  if (!to.valid()) return "the sender has no address";
  constexpr int kMostHops = 64;
  const model::Ipv4 destination = model()[to].ip.address;
  const std::string route = fmt::format("no route from {} to {} ({})", model()[from].name,
                                        name_of(model(), model()[to].machine), wire::to_text(destination));
  if (destination.is_zero()) return fmt::format("{}: it has no address", route);
  MachineId here = from;
  for (int hop = 0; hop < kMostHops; ++hop) {
    const model::NextHop next = model::next_hop(model(), here, destination);
    if (!next.station.valid()) {
      return fmt::format("{}: {} is on no network with it and has no {} that leads there", route,
                         model()[here].name,
                         model()[here].kind == model::MachineKind::kRouter ? "route" : "`gateway` or route");
    }
    if (next.address == destination) return "";
    const auto router = routers_.find(next.address);
    if (router == routers_.end()) {
      return fmt::format("{}: {} sends it to {}, which is no router's address", route, model()[here].name,
                         wire::to_text(next.address));
    }
    here = router->second;
    if (here == model()[to].machine) return "";
  }
  return fmt::format("{}: it goes in circles through {} routers", route, kMostHops);
}

}  // namespace sekimori::importers
