// The spanning tree of a site: what bridges and their ports say about it.
#include <fmt/format.h>

#include "importers/site_reader.h"

namespace sekimori::importers {

using model::BridgeId;
using model::PortId;

namespace {

// Bounds of IEEE 802.1D-2004 table 17-1; a forward delay of 0 is Linux's "at once".
constexpr Bounds<base::Duration> kHelloBounds{"hello", base::seconds(1), base::seconds(10)};
constexpr Bounds<base::Duration> kMaxAgeBounds{"max-age", base::seconds(6), base::seconds(40)};
constexpr Bounds<base::Duration> kForwardDelayBounds{"forward-delay", base::Duration{0}, base::seconds(30)};
constexpr Bounds<std::int64_t> kPathCostBounds{"path-cost", 1, 200'000'000};

}  // namespace

void SiteReader::read_tree(BridgeId bridge, const Fields& fields) {
  model::Bridge& b = model()[bridge];
  if (const NodeId node = fields["stp"]; node.valid()) {
    const std::string_view word = in_.tree().is_text(node) ? in_.text(node) : std::string_view();
    b.stp_is_rapid = word == "rstp";
    if (b.stp_is_rapid)
      b.stp = true;
    else if (in_.tree().is_text(node) && word.starts_with('r'))
      in_.wrong(node, fmt::format("stp is on, off or rstp, found '{}'; did you mean 'rstp'?", word));
    else
      set(b.stp, in_.flag(node, "stp"));
  }
  set(b.stp_priority, in_.integer(fields["priority"], kPriorityBounds));
  set(b.hello_time, in_.duration(fields["hello"], kHelloBounds));
  set(b.max_age, in_.duration(fields["max-age"], kMaxAgeBounds));
  set(b.forward_delay, in_.duration(fields["forward-delay"], kForwardDelayBounds));
}

void SiteReader::read_tree_port(PortId port, const Fields& fields) {
  model::Port& p = model()[port];
  set(p.bpdu_guard, in_.flag(fields["bpdu-guard"], "bpdu-guard"));
  set(p.bpdu_filter, in_.flag(fields["bpdu-filter"], "bpdu-filter"));
  const model::BridgeKind kind = model()[p.bridge].kind;
  const bool may_run = kind == model::BridgeKind::kSwitch || kind == model::BridgeKind::kLinuxBridge ||
                       kind == model::BridgeKind::kOvs;
  for (const std::string_view key : {std::string_view("edge"), std::string_view("path-cost")}) {
    if (!may_run && fields.has(key))
      in_.wrong(fields[key],
                fmt::format("'{}' means nothing to a {}, which runs no spanning tree", key, to_text(kind)));
  }
  if (const NodeId node = fields["edge"]; node.valid()) {
    const bool is_auto = in_.tree().is_text(node) && in_.text(node) == "auto";
    if (is_auto)
      p.edge = model::EdgePort::kAuto;
    else if (const auto edge = in_.flag(node, "edge"))
      p.edge = *edge ? model::EdgePort::kOn : model::EdgePort::kOff;
  }
  set(p.path_cost, in_.integer(fields["path-cost"], kPathCostBounds));
}

}  // namespace sekimori::importers
