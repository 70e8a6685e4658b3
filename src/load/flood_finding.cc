#include "load/flood_finding.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "findings/masked.h"
#include "load/link_loads.h"
#include "load/reasons.h"

namespace sekimori::load {

using check::kNone;
using check::Learning;
using check::Presence;
using check::Stream;
using findings::Certainty;
using findings::Code;
using findings::Finding;
using findings::Severity;
using model::BridgeId;
using model::Model;

namespace {

constexpr std::size_t kMostLinks = 60;
constexpr double kLeastMbit = 0.0005;  // what is told of a link

class Teller {
 public:
  Teller(const Learning& learning, const Load& load) : l_(learning), m_(learning.model()), load_(load) {}

  Finding tell(const Cause& cause, const std::vector<const Flood*>& floods, bool detailed) const {
    const Flood& worst = *floods.front();
    Finding f;
    f.code = cause.code;
    f.certainty = cause.certain ? Certainty::kProved : Certainty::kUndecided;
    f.severity = findings::entry(f.code).severity;
    f.bridge = l_.forest()[worst.node].bridge;
    std::vector<std::string> bridges, destinations;
    for (const Flood* flood : floods) {
      add_once(bridges, name_of(m_, l_.forest()[flood->node].bridge));
      add_once(destinations, name_of(m_, flood->destination));
      if (std::ranges::find(f.stations, flood->destination) == f.stations.end())
        f.stations.push_back(flood->destination);
    }
    std::ranges::sort(f.stations);
    if (f.code == Code::kFloodNoLearning || f.code == Code::kFloodTableFull)
      destinations.resize(std::min<std::size_t>(destinations.size(), 20));
    if (detailed)
      add_links(f, floods);
    else
      add_nearest_links(f, worst);
    describe(f, cause,
             {worst, base::list_words(bridges, 4), base::list_words(destinations, 4), bridges.size() > 1});
    for (const Flood* flood : floods) {
      if (f.evidence.size() >= 4) break;
      add_evidence(f, *flood);
    }
    weigh(f);
    return f;
  }

 private:
  // What the floods of a finding put on the links, and what else those carry.
  void add_links(Finding& f, const std::vector<const Flood*>& floods) const {
    std::vector<std::uint32_t> streams;
    for (const Flood* flood : floods)
      streams.insert(streams.end(), flood->streams.begin(), flood->streams.end());
    std::ranges::sort(streams);
    streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
    const std::vector<Lane> lanes = lanes_of(l_, streams);
    const auto flooded = [&](std::size_t lane) { return lanes[lane].flooded_bytes.most; };
    for (const std::size_t lane : largest(lanes.size(), kMostLinks, flooded)) {
      if (to_mbit(lanes[lane].flooded_bytes.most) < kLeastMbit) break;
      findings::LinkLoad load = link_load(m_, lane, lanes[lane]);
      load.wanted_mbit = to_mbit(load_.lanes[lane].wanted_bytes.most);
      f.links.push_back(std::move(load));
    }
  }
  // The ports of the flooding bridge alone, for findings far down the list.
  void add_nearest_links(Finding& f, const Flood& flood) const {
    const auto is_member = [&](PortId port) {
      const StationId station = m_[peer(m_, port)].station;
      return station.valid() && m_[station].mac == m_[flood.destination].mac;
    };
    for (const PortId port : m_[l_.forest()[flood.node].bridge].ports) {
      if (port == flood.toward || !l_.forest().usable(port) || is_member(port) ||
          !carries(m_, port, l_.forest()[flood.node].vlan))
        continue;
      const std::size_t lane = lane_out_of(m_, port);
      findings::LinkLoad load = link_load(m_, lane, load_.lanes[lane]);
      load.flooded_mbit = std::min(load.flooded_mbit, to_mbit(flood.bytes.most));
      if (load.flooded_mbit >= kLeastMbit) f.links.push_back(std::move(load));
      if (f.links.size() >= 8) break;
    }
  }

  struct Story {
    const Flood& worst;
    std::string bridges, destinations;
    bool several;
  };

  void describe(Finding& f, const Cause& cause, const Story& s) const {
    const BridgeId at = l_.forest()[s.worst.node].bridge;
    const std::string sw = name_of(m_, at), rate = mbit_text(s.worst.bytes);
    f.line = m_[at].line;
    f.where = sw;
    f.headline = fmt::format("{} {} frames for {}: {}", s.bridges, s.several ? "flood" : "floods",
                             s.destinations, rate);
    switch (f.code) {
      case Code::kFloodLeak: {
        f.bridge = BridgeId(cause.culprit);
        const std::string host = name_of(m_, m_[f.bridge].machine);
        f.line = m_[f.bridge].line;
        f.where = name_of(m_, f.bridge);
        f.headline =
            fmt::format("{} lets frames from {} to its own guest {} out of the physical NIC; {} {} them: {}",
                        f.where, host, s.destinations, s.bridges, s.several ? "flood" : "floods", rate);
        f.cause = fmt::format(
            "{} hands frames from {} to the guest and sends the same frames out of the NIC; what the "
            "guest answers stays inside the machine. So the switches outside see {} as a destination "
            "{}.",
            f.where, host, s.destinations,
            l_.presence(s.worst.node, s.worst.toward, s.worst.destination).never()
                ? "but never as a source"
                : "and hardly ever as a source");
        break;
      }
      case Code::kFloodBypass: {
        const model::FlowRule* rule = bypass(l_, s.worst);
        f.cause = fmt::format(
            "What {} sends matches a flow of {} that outputs to ports by itself{}. Only NORMAL learns, so {} "
            "does not know where {} is, and what NORMAL sends to it goes out of every port.",
            s.destinations, sw,
            rule != nullptr && rule->line != 0 ? fmt::format(" (line {})", rule->line) : "", sw,
            s.destinations);
        break;
      }
      case Code::kFloodVeb: {
        f.bridge = BridgeId(cause.culprit);
        f.line = m_[f.bridge].line;
        f.where = name_of(m_, f.bridge);
        f.headline = fmt::format("{} sends frames for {}, behind its own PF, out of the wire; {} {} them: {}",
                                 f.where, s.destinations, s.bridges, s.several ? "flood" : "floods", rate);
        f.cause = fmt::format(
            "The table of the NIC {} has the addresses of its own functions; that of {}, on a software "
            "bridge "
            "at the physical function, is not in it. So what virtual functions send there goes out of the "
            "wire, is flooded outside and never arrives. What {} sends to them stays inside the NIC, so the "
            "switches outside do not learn it. `bridge fdb add {} dev PF self` for each of them ends it.",
            f.where, s.destinations, s.destinations, wire::to_text(m_[s.worst.destination].mac));
        break;
      }
      case Code::kFloodNoLearning:
        f.headline = fmt::format("{} floods everything, to {} stations: {} to {} alone", sw,
                                 f.stations.size(), rate, name_of(m_, s.worst.destination));
        f.cause =
            m_[at].ageing.count() == 0
                ? fmt::format(
                      "{} has ageing time 0, which switches learning off: it floods every unicast frame, "
                      "even to stations it has just heard.",
                      sw)
                : fmt::format(
                      "Learning is off on {}{}: it floods every unicast frame, even to stations it has "
                      "just heard.",
                      sw, m_[at].learning ? " at the port towards them" : "");
        break;
      case Code::kFloodTableFull:
        f.cause = fmt::format(
            "The table of {} holds {} addresses. In the long run frames of {} pass it{}, so some of "
            "them have no entry at any time, and frames to these are flooded.",
            sw, m_[at].table_size,
            cause.certain ? fmt::format("{} addresses", l_.certain_addresses(at))
                          : fmt::format("up to {} addresses", l_.addresses(at)),
            cause.certain ? fmt::format(" within every {}", base::to_text(m_[at].ageing)) : "");
        break;
      case Code::kFloodMasked:
        masked(f, s);
        break;
      case Code::kFloodTimers:
        f.where = s.destinations;
        f.cause = timers(s.worst);
        break;
      case Code::kFloodAsymmetric:
        f.where = s.destinations;
        f.cause = fmt::format(
            "{} does send, but none of its frames passes {}, now or ever: they take another way. So {} "
            "where it is.",
            s.destinations, s.bridges, s.several ? "they never learn" : "it never learns");
        break;
      case Code::kFloodSilent:
        f.where = s.destinations;
        f.cause = fmt::format(
            "{} receives and never sends: nobody waits for an answer, and whoever sends to it never "
            "asks for its address again. So no switch can know where it is.",
            s.destinations);
        break;
      case Code::kBlackholeSuppressed: {
        const Presence p = l_.presence(s.worst.node, s.worst.toward, s.worst.destination);
        f.headline = fmt::format("{} drops frames for {}: it does not know where it is, and may not flood",
                                 sw, s.destinations);
        f.cause = fmt::format(
            "On {} unknown unicast is blocked, so what would be a flood elsewhere is a loss here: {} of "
            "the frames for {}. {}",
            name_of(m_, s.worst.toward), share(p), s.destinations,
            p.never() ? fmt::format("Nothing that {} sends comes by {}.", s.destinations, sw)
                      : timers(s.worst));
        break;
      }
      default:
        undecided(f, s);
        break;
    }
  }

  void masked(Finding& f, const Story& s) const {
    const model::SharedAddress& cluster = m_[findings::cluster_with(m_, m_[s.worst.destination].mac)];
    findings::tell_masked(m_, cluster, f);
    f.headline = fmt::format("{} {} frames for the cluster {}: {}", s.bridges, s.several ? "flood" : "floods",
                             cluster.name, mbit_text(s.worst.bytes));
  }

  static std::string share(const Presence& p) {
    if (p.never()) return "all";
    if (p.most - p.least < 0.005) return base::percent(1 - p.most);
    return fmt::format("{} to {}", base::percent(1 - p.most), base::percent(1 - p.least));
  }

  std::string timers(const Flood& flood) const {
    const BridgeId at = l_.forest()[flood.node].bridge;
    const check::Support support = l_.support(flood.node, flood.destination);
    const Presence p = l_.presence(flood.node, flood.toward, flood.destination);
    std::string text =
        fmt::format("{} forgets an address {} after it was last heard, but {} comes by ", name_of(m_, at),
                    base::to_text(m_[at].ageing), name_of(m_, flood.destination));
    if (support.stream != kNone && support.gap != base::kNever) {
      text += fmt::format("only every {} or so ({})",
                          base::to_text(std::chrono::round<std::chrono::seconds>(
                              base::from_seconds(1 / std::max(support.least, 1e-9)))),
                          check::describe(m_, l_.streams()[support.stream]));
    } else {
      text += "less often than that";
    }
    return text + fmt::format(": the entry is missing {} of the time.", share(p));
  }

  void undecided(Finding& f, const Story& s) const {
    f.severity = Severity::kNote;
    f.where = s.destinations;
    f.headline = fmt::format("whether {} {} frames for {} depends on timing: up to {}", s.bridges,
                             s.several ? "flood" : "floods", s.destinations,
                             base::mbit_text(to_mbit(s.worst.bytes.most)));
    f.cause = fmt::format(
        "What could keep the entry for {} alive is not certain to come by {} in time, nor certain not "
        "to: that depends on when other frames are flooded or on timers that run independently.",
        s.destinations, s.bridges);
    f.candidates = {fmt::format("the entry is there often enough, and nothing floods"),
                    fmt::format("it is missing at times, and {} goes out of every port then",
                                base::mbit_text(to_mbit(s.worst.bytes.most)))};
    f.to_decide = "Play it: sekimori diagnose.";
  }

  void add_evidence(Finding& f, const Flood& flood) const {
    const std::string sw = name_of(m_, l_.forest()[flood.node].bridge);
    const Stream& stream = l_.streams()[flood.streams.front()];
    f.evidence.push_back(
        {std::nullopt, sw,
         fmt::format("{} to {}{}: {} frames/s find no entry{}", check::describe(m_, stream),
                     name_of(m_, flood.destination),
                     flood.streams.size() > 1 ? fmt::format(" and {} more", flood.streams.size() - 1) : "",
                     base::short_number(flood.frames.most), flood.withheld ? " and are dropped" : "")});
    if (f.code == Code::kFloodNoLearning || f.code == Code::kFloodTableFull) return;
    for (auto& evidence : why_missing(l_, flood.node, flood.destination)) {
      const auto same = [&](const findings::Evidence& e) {
        return e.where == evidence.where && e.what == evidence.what;
      };
      if (std::ranges::none_of(f.evidence, same)) f.evidence.push_back(std::move(evidence));
    }
  }

  // A trickle that harms nobody is no error.
  static void weigh(Finding& f) {
    if (f.severity != Severity::kError || f.code == Code::kBlackholeSuppressed) return;
    const bool heavy = std::ranges::any_of(
        f.links, [](const findings::LinkLoad& l) { return l.flooded_mbit > l.capacity_mbit / 100; });
    if (!heavy) f.severity = Severity::kWarning;
  }

  static void add_once(std::vector<std::string>& list, std::string name) {
    if (std::ranges::find(list, name) == list.end()) list.push_back(std::move(name));
  }

  const Learning& l_;
  const Model& m_;
  const Load& load_;
};

}  // namespace

Finding flood_finding(const Learning& learning, const Load& load, const Cause& cause,
                      const std::vector<const Flood*>& floods, bool detailed) {
  return Teller(learning, load).tell(cause, floods, detailed);
}

}  // namespace sekimori::load
