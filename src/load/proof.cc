#include "load/proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "load/flood_finding.h"
#include "load/link_loads.h"
#include "model/timeline.h"

namespace sekimori::load {

using base::Time;
using check::kNone;
using check::Learning;
using check::Place;
using check::Stream;
using findings::Certainty;
using findings::Code;
using findings::Finding;
using model::BridgeId;
using model::BridgeKind;
using model::Model;

namespace {

constexpr double kLeastFrames = 1;         // a second; what floods less is no fault
constexpr std::size_t kMostDetailed = 20;  // findings with loads of their own
constexpr std::size_t kMostPhases = 16;
constexpr std::size_t kMostListed = 1000;

// ---------------------------------------------------------------- one phase

class Prover {
 public:
  Prover(const Learning& learning, Time begins, findings::Report& report)
      : l_(learning), m_(learning.model()), load_(work_out(learning)), begins_(begins), report_(report) {}

  void prove() {
    std::map<Cause, std::vector<const Flood*>> groups;
    for (const Flood& flood : load_.floods) {
      if (flood.frames.most >= kLeastFrames && !l_.doubtful(flood.destination))
        groups[cause_of(l_, flood)].push_back(&flood);
    }
    std::vector<std::pair<Cause, std::vector<const Flood*>>> list(groups.begin(), groups.end());
    const auto weight = [](const auto& group) { return group.second.front()->bytes.most; };
    for (auto& [cause, floods] : list)
      std::ranges::stable_sort(floods, std::ranges::greater{}, [](const Flood* f) { return f->bytes.most; });
    std::ranges::stable_sort(list, std::ranges::greater{}, weight);
    for (std::size_t i = 0; i < list.size(); ++i) {
      Finding f = flood_finding(l_, load_, list[i].first, list[i].second, i < kMostDetailed);
      if (begins_ > Time{0}) f.onset = begins_;
      // What gets to nobody who does not want it harms nobody: that of a cluster with a segment to itself,
      // and of a bridge with two ports.
      if ((f.code == Code::kFloodMasked || f.code == Code::kFloodNoLearning) && f.links.empty()) continue;
      add(std::move(f));
    }
    leaks_without_flood();
    add_overloads(l_, load_, kMostDetailed, report_);
  }

  void fill_links() {
    const auto total = [&](std::size_t lane) {
      return load_.lanes[lane].wanted_bytes.most + load_.lanes[lane].flooded_bytes.most;
    };
    for (const std::size_t lane : largest(load_.lanes.size(), kMostListed, total))
      report_.links.push_back(link_load(m_, lane, load_.lanes[lane]));
  }

 private:
  // A fault that an earlier phase had already is the same.
  void add(Finding f) {
    const bool bridge = is_about_bridge(f.code);
    for (const Finding& known : report_.findings) {
      if (known.code != f.code || f.code == Code::kLinkOverloaded) continue;
      if (bridge ? known.bridge == f.bridge : known.stations == f.stations) return;
    }
    report_.findings.push_back(std::move(f));
  }

  // ------------------------------------------------------------ leaks

  // Frames of a host for a guest on its hosted bridge go out of the uplink, whether somebody floods them or
  // not.
  void leaks_without_flood() {
    std::map<BridgeId, std::pair<StationId, Range>> leaks;  // the guest, bytes
    for (std::uint32_t i = 0; i < l_.streams().size(); ++i) {
      const Stream& stream = l_.streams()[i];
      if (!stream.to.valid() || !l_.certain(i)) continue;
      const Place &from = l_.forest().place(stream.from), &to = l_.forest().place(stream.to);
      if (from.node == kNone || from.node != to.node || m_[from.port].role != model::PortRole::kHost)
        continue;
      const model::Bridge& bridge = m_[l_.forest()[from.node].bridge];
      if (bridge.kind != BridgeKind::kHostedBridge || bridge.filters_local || stream.least < kLeastFrames)
        continue;
      const bool out = std::ranges::any_of(bridge.ports, [&](PortId p) {
        return m_[p].role == model::PortRole::kUplink && !m_[p].guard && l_.forest().usable(p);
      });
      if (!out) continue;
      auto& [guest, bytes] = leaks[l_.forest()[from.node].bridge];
      guest = stream.to;
      bytes += {stream.least * stream.bytes, stream.most * stream.bytes};
    }
    for (const auto& [bridge, leak] : leaks) {
      const bool floods = std::ranges::any_of(report_.findings, [&](const Finding& f) {
        return f.code == Code::kFloodLeak && f.bridge == bridge;
      });
      if (!floods) add(leak_finding(bridge, leak.first, leak.second));
    }
  }

  Finding leak_finding(BridgeId bridge, StationId guest, Range bytes) const {
    Finding f;
    f.code = Code::kLeakLatent;
    f.certainty = Certainty::kProved;
    f.severity = findings::entry(f.code).severity;
    f.bridge = bridge;
    f.stations = {guest};
    f.line = m_[bridge].line;
    f.where = name_of(m_, bridge);
    f.headline = fmt::format("{} sends {} for its own guest {} out of the physical NIC as well", f.where,
                             mbit_text(bytes), name_of(m_, guest));
    f.cause = fmt::format(
        "Frames from {} to its guest are handed to the guest and also put on the wire. The switches outside "
        "drop them as "
        "long as they hear {} often enough to know where it is. If it falls silent for an ageing time, they "
        "flood.",
        name_of(m_, m_[bridge].machine), name_of(m_, guest));
    return f;
  }

  const Learning& l_;
  const Model& m_;
  Load load_;
  Time begins_;
  findings::Report& report_;
};

// ---------------------------------------------------------------- phases

struct Phase {
  Time begin, end;
};

// The states of the site that last. The last one lasts for ever.
std::vector<Phase> phases(const Model& m) {
  std::set<Time> times{Time{0}};
  for (const model::Change& change : m.changes) times.insert(change.at);
  for (const model::Flow& flow : m.flows) {
    times.insert(flow.start);
    if (flow.stop != base::kNever) times.insert(flow.stop);
    if (times.size() > 10'000) break;
  }
  base::Duration ageing{0};
  for (const model::Bridge& bridge : m.bridges)
    ageing = std::max(ageing, std::min(bridge.ageing, base::seconds(86'400)));
  std::vector<Phase> list;
  for (auto it = times.begin(); it != times.end(); ++it) {
    const auto next = std::next(it);
    const Time end = next == times.end() ? base::kNever : *next;
    if (end == base::kNever || end - *it >= 2 * ageing) list.push_back({*it, end});
  }
  if (list.size() > kMostPhases)
    list.erase(list.begin() + 1, list.end() - static_cast<std::ptrdiff_t>(kMostPhases) + 1);
  return list;
}

void remark_limits(const Learning& l, findings::Report& report) {
  const Model& m = l.model();
  std::vector<std::string> rings, crossed, teams;
  for (const check::Component& c : l.forest().components()) {
    if (!c.broken()) continue;
    (c.beyond ? teams : c.ring ? rings : crossed).push_back(name_of(m, l.forest()[c.first].bridge));
  }
  if (!teams.empty()) {
    report.remarks.push_back(fmt::format(
        "Nothing is proved about floods in the segment of {}: there a team of uplinks, a port that sends "
        "back or a flow that outputs twice makes more than a tree of it; a run decides.",
        base::list_words(teams, 4)));
  }
  if (!rings.empty()) {
    report.remarks.push_back(
        fmt::format("Nothing is proved about floods where frames can go round (at {}): end the loop first.",
                    base::list_words(rings, 4)));
  }
  if (!crossed.empty()) {
    report.remarks.push_back(
        fmt::format("Nothing is proved about floods where a link changes VLANs on the way back (at {}): make "
                    "its ends agree first.",
                    base::list_words(crossed, 4)));
  }
  if (!l.all_streams().contested.empty()) {
    report.remarks.push_back(
        "Frames to and from stations that share an address, or that a bridge answers for with another's, are "
        "left "
        "out of the proof.");
  }
  if (l.streams().empty()) {
    report.remarks.push_back(
        "Nothing is sent in this site, so nothing is known about floods and loads: add traffic.");
  }
  if (!l.all_streams().lost.empty()) {
    std::vector<std::string> names;
    for (const model::FlowId id : l.all_streams().lost) names.push_back(name_of(m, id));
    names.resize(std::min<std::size_t>(names.size(), 1000));
    report.remarks.push_back(
        fmt::format("Goes nowhere, as nobody reachable has the address: {}.", base::list_words(names, 4)));
  }
}

// A flood that is proved says all that the setting behind it alone would say.
void drop_superseded(std::vector<Finding>& list) {
  std::erase_if(list, [&](const Finding& setting) {
    return setting.code == Code::kAgeingZero && std::ranges::any_of(list, [&](const Finding& flood) {
             return flood.code == Code::kFloodNoLearning && flood.bridge == setting.bridge;
           });
  });
}

}  // namespace

void prove(const Model& model, findings::Report& report) {
  const auto list = phases(model);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto judge = [&](const Model& now) {
      const Learning learning(now, list[i].begin);
      Prover prover(learning, list[i].begin, report);
      prover.prove();
      if (i + 1 < list.size()) return;
      prover.fill_links();
      remark_limits(learning, report);
    };
    if (model.changes.empty())
      judge(model);
    else
      judge(model::model_at(model, list[i].begin));
  }
  drop_superseded(report.findings);
}

}  // namespace sekimori::load
