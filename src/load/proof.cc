#include "load/proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "findings/masked.h"
#include "load/trace.h"
#include "switching/ovs.h"

namespace sekimori::load {

using base::Time;
using check::kNone;
using check::Learning;
using check::Place;
using check::Presence;
using check::Step;
using check::Stream;
using findings::Certainty;
using findings::Code;
using findings::Finding;
using findings::Severity;
using model::BridgeId;
using model::BridgeKind;
using model::Model;

namespace {

constexpr double kLeastFrames = 1;  // a second; what floods less is no fault
constexpr std::size_t kMostLinks = 60;
constexpr std::size_t kMostDetailed = 20;  // findings with loads of their own
constexpr std::size_t kMostPhases = 16;
constexpr std::size_t kMostListed = 1000;

std::string mbit(double value) { return base::short_number(value) + " Mbit/s"; }
double to_mbit(double bytes) { return bytes * 8e-6; }

std::string percent(double share) { return base::short_number(share * 100, 1) + " %"; }

// "20.9 Mbit/s", "up to 20.9 Mbit/s", "3 to 20.9 Mbit/s".
std::string mbit(Range bytes) {
  if (bytes.decided()) return mbit(to_mbit(bytes.most));
  if (bytes.least <= bytes.most / 1000) return "up to " + mbit(to_mbit(bytes.most));
  return fmt::format("{} to {}", base::short_number(to_mbit(bytes.least)), mbit(to_mbit(bytes.most)));
}

// The lanes with the largest values above 0, largest first, ties by number.
template <class Value>
std::vector<std::size_t> largest(std::size_t lanes, std::size_t most, Value value) {
  std::vector<std::size_t> list;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    if (value(lane) > 0) list.push_back(lane);
  }
  const auto middle = list.begin() + static_cast<std::ptrdiff_t>(std::min(most, list.size()));
  std::ranges::partial_sort(list, middle, [&](std::size_t a, std::size_t b) {
    return value(a) != value(b) ? value(a) > value(b) : a < b;
  });
  list.erase(middle, list.end());
  return list;
}

bool sends_anything(const Learning& l, StationId station) {
  return std::ranges::any_of(l.streams_from(station), [&](std::uint32_t i) { return l.possible(i); });
}

// The hosted bridge whose leak brings frames for that station there; invalid when it is none.
BridgeId leaking_bridge(const Learning& l, const Flood& flood) {
  if (!flood.leaked) return {};
  if (l.forest()[l.forest().place(flood.destination).node].kind != BridgeKind::kHostedBridge) return {};
  return l.forest()[l.forest().place(flood.destination).node].bridge;
}

// ---------------------------------------------------------------- causes

struct Cause {
  Code code;
  std::uint32_t culprit;  // a bridge or a station, as the code has it
  bool certain = true;
  friend auto operator<=>(const Cause&, const Cause&) = default;
};

bool is_about_bridge(Code code) {
  return code == Code::kFloodNoLearning || code == Code::kFloodTableFull ||
         code == Code::kBlackholeSuppressed || code == Code::kFloodLeak || code == Code::kLeakLatent ||
         code == Code::kFloodBypass || code == Code::kFloodVeb;
}

// What the destination sends comes by, but a flow of Open vSwitch hands it on without learning.
const model::FlowRule* bypass(const Learning& l, const Flood& flood) {
  const Model& m = l.model();
  const model::Bridge& bridge = m[l.forest()[flood.node].bridge];
  if (bridge.flow_rules.empty()) return nullptr;
  for (const std::uint32_t i : l.streams_from(flood.destination)) {
    const Stream& stream = l.streams()[i];
    if (!l.possible(i)) continue;
    const Trace passing = trace(l, stream.from, stream.to, is_arp(stream));
    const Visit* visit = passing.at(flood.node);
    if (visit == nullptr || visit->taught) continue;
    const wire::Mac to = stream.to.valid() ? m[stream.to].mac : wire::kBroadcast;
    return switching::match_rule(bridge, visit->in, to, is_arp(stream));
  }
  return nullptr;
}

// The SR-IOV NIC on the way of a stream that sends it out of the wire instead of to the bridge on its PF.
BridgeId misled_by_veb(const Learning& l, const Flood& flood) {
  std::vector<Step> way;
  for (const std::uint32_t i : flood.streams) {
    const Stream& stream = l.streams()[i];
    l.forest().way(l.forest().place(stream.from), l.forest().place(stream.to), way);
    for (const Step& step : way) {
      if (l.forest()[step.node].kind != BridgeKind::kSriov) continue;
      const auto known = l.registrations().find(step.node, {stream.from, stream.to});
      if (!l.registrations().relays(step.node, step.in, step.out, known)) return l.forest()[step.node].bridge;
    }
  }
  return {};
}

Cause cause_of(const Learning& l, const Flood& flood) {
  const Model& m = l.model();
  const BridgeId bridge = l.forest()[flood.node].bridge;
  const std::uint32_t station = flood.destination.value;
  const Presence p = l.presence(flood.node, flood.toward, flood.destination);
  const bool learns = m[bridge].learning && m[bridge].ageing.count() > 0 && m[flood.toward].learning;
  if (!learns) return {Code::kFloodNoLearning, bridge.value};
  if (l.overfull(bridge)) {
    return {Code::kFloodTableFull, bridge.value, l.certain_addresses(bridge) > m[bridge].table_size};
  }
  if (const BridgeId veb = misled_by_veb(l, flood); veb.valid() && p.never())
    return {Code::kFloodVeb, veb.value};
  // What hides its address is never learnt, however much it sends.
  if (const auto cluster = findings::cluster_with(m, m[flood.destination].mac); cluster.valid() && p.never())
    return {flood.withheld ? Code::kBlackholeSuppressed : Code::kFloodMasked,
            flood.withheld ? bridge.value : findings::nics_of(m[cluster]).front().value};
  // Timing decides whether anything floods at all.
  if (p.most >= 1 && !p.never()) return {Code::kFloodUndecided, station, false};
  if (flood.withheld) return {Code::kBlackholeSuppressed, bridge.value};
  if (const BridgeId leak = leaking_bridge(l, flood); leak.valid()) return {Code::kFloodLeak, leak.value};
  if (bypass(l, flood) != nullptr) return {Code::kFloodBypass, bridge.value};
  if (!p.never()) return {Code::kFloodTimers, station};
  return {sends_anything(l, flood.destination) ? Code::kFloodAsymmetric : Code::kFloodSilent, station};
}

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
      Finding f = flood_finding(list[i].first, list[i].second, i < kMostDetailed);
      // What gets to nobody who does not want it harms nobody: that of a cluster with a segment to itself,
      // and of a bridge with two ports.
      if ((f.code == Code::kFloodMasked || f.code == Code::kFloodNoLearning) && f.links.empty()) continue;
      add(std::move(f));
    }
    leaks_without_flood();
    overloads();
  }

  void fill_links() {
    const auto total = [&](std::size_t lane) {
      return load_.lanes[lane].wanted_bytes.most + load_.lanes[lane].flooded_bytes.most;
    };
    for (const std::size_t lane : largest(load_.lanes.size(), kMostListed, total))
      report_.links.push_back(link_load(lane, load_.lanes[lane]));
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

  findings::LinkLoad link_load(std::size_t lane, const Lane& load) const {
    const model::LinkId id(lane / 2);
    const model::Link& link = m_[id];
    const bool from_a = lane % 2 == 0;
    findings::LinkLoad result;
    result.from = name_of(m_, from_a ? link.a : link.b);
    result.to = name_of(m_, from_a ? link.b : link.a);
    result.link = id;
    result.from_is_a = from_a;
    result.capacity_mbit = static_cast<double>(link.rate.bits_per_second) * 1e-6;
    result.wanted_mbit = to_mbit(load.wanted_bytes.most);
    result.flooded_mbit = to_mbit(load.flooded_bytes.most);
    return result;
  }

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
      if (to_mbit(lanes[lane].flooded_bytes.most) < 0.0005) break;
      findings::LinkLoad load = link_load(lane, lanes[lane]);
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
      const LinkId id = m_[port].link;
      const std::size_t lane = 2 * id.index() + (m_[id].a == port ? 0 : 1);
      findings::LinkLoad load = link_load(lane, load_.lanes[lane]);
      load.flooded_mbit = std::min(load.flooded_mbit, to_mbit(flood.bytes.most));
      if (load.flooded_mbit >= 0.0005) f.links.push_back(std::move(load));
      if (f.links.size() >= 8) break;
    }
  }

  Finding flood_finding(const Cause& cause, const std::vector<const Flood*>& floods, bool detailed) {
    const Flood& worst = *floods.front();
    Finding f;
    f.code = cause.code;
    f.certainty = cause.certain ? Certainty::kProved : Certainty::kUndecided;
    f.severity = findings::entry(f.code).severity;
    if (begins_ > Time{0}) f.onset = begins_;
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

  struct Story {
    const Flood& worst;
    std::string bridges, destinations;
    bool several;
  };

  void describe(Finding& f, const Cause& cause, const Story& s) const {
    const BridgeId at = l_.forest()[s.worst.node].bridge;
    const std::string sw = name_of(m_, at), rate = mbit(s.worst.bytes);
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
    f.stations = findings::nics_of(cluster);
    f.where = cluster.name;
    f.line = cluster.line;
    f.headline = fmt::format("{} {} frames for the cluster {}: {}", s.bridges, s.several ? "flood" : "floods",
                             cluster.name, mbit(s.worst.bytes));
    f.cause = findings::masking_text(m_, cluster);
  }

  static std::string share(const Presence& p) {
    if (p.never()) return "all";
    if (p.most - p.least < 0.005) return percent(1 - p.most);
    return fmt::format("{} to {}", percent(1 - p.most), percent(1 - p.least));
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
    f.headline =
        fmt::format("whether {} {} frames for {} depends on timing: up to {}", s.bridges,
                    s.several ? "flood" : "floods", s.destinations, mbit(to_mbit(s.worst.bytes.most)));
    f.cause = fmt::format(
        "What could keep the entry for {} alive is not certain to come by {} in time, nor certain not "
        "to: that depends on when other frames are flooded or on timers that run independently.",
        s.destinations, s.bridges);
    f.candidates = {fmt::format("the entry is there often enough, and nothing floods"),
                    fmt::format("it is missing at times, and {} goes out of every port then",
                                mbit(to_mbit(s.worst.bytes.most)))};
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
                             mbit(bytes), name_of(m_, guest));
    f.cause = fmt::format(
        "Frames from {} to its guest are handed to the guest and also put on the wire. The switches outside "
        "drop them as "
        "long as they hear {} often enough to know where it is. If it falls silent for an ageing time, they "
        "flood.",
        name_of(m_, m_[bridge].machine), name_of(m_, guest));
    return f;
  }

  // ------------------------------------------------------------ links

  void overloads() {
    std::vector<std::size_t> over;
    for (std::size_t lane = 0; lane < load_.lanes.size(); ++lane) {
      if (load_.lanes[lane].wire_bits().least > capacity_of(lane)) over.push_back(lane);
    }
    if (over.empty()) return;
    const auto excess = [&](std::size_t lane) {
      return load_.lanes[lane].wire_bits().least / capacity_of(lane);
    };
    std::ranges::stable_sort(over, std::ranges::greater{}, excess);
    if (over.size() > kMostDetailed) {
      report_.remarks.push_back(
          fmt::format("{} directions of links get more than they can carry; the {} worst are told.",
                      over.size(), kMostDetailed));
      over.resize(kMostDetailed);
    }
    const auto users = users_of(over);
    for (std::size_t i = 0; i < over.size(); ++i) {
      // A link that only a flood fills is that flood's harm; one that is full without it is a fault of its
      // own.
      const Range wanted = load_.lanes[over[i]].wanted_wire_bits();
      Finding* const flood = wanted.least <= capacity_of(over[i]) ? flood_that_fills(over[i]) : nullptr;
      if (flood == nullptr) {
        report_.findings.push_back(overload_finding(over[i], users[i]));
      } else {
        flood->severity = Severity::kError;
        flood->evidence.push_back({std::nullopt, lane_text(over[i]), overload_text(over[i], users[i])});
      }
    }
  }

  double capacity_of(std::size_t lane) const {
    const model::LinkId link(lane / 2);
    return static_cast<double>(m_[link].rate.bits_per_second);
  }

  Finding* flood_that_fills(std::size_t lane) const {
    Finding* worst = nullptr;
    double most = 0;
    for (Finding& f : report_.findings) {
      for (const findings::LinkLoad& load : f.links) {
        if (load.link.index() != lane / 2 || load.from_is_a != (lane % 2 == 0) || load.flooded_mbit <= most)
          continue;
        most = load.flooded_mbit;
        worst = &f;
      }
    }
    return worst;
  }

  std::string lane_text(std::size_t lane) const {
    const model::Link& link = m_.links[lane / 2];
    const bool from_a = lane % 2 == 0;
    return fmt::format("{} to {}", name_of(m_, from_a ? link.a : link.b),
                       name_of(m_, from_a ? link.b : link.a));
  }

  std::string overload_text(std::size_t lane, const std::vector<model::FlowId>& users) const {
    return fmt::format("gets {} and carries {}{}", mbit(load_.lanes[lane].wire_bits().least * 1e-6),
                       mbit(capacity_of(lane) * 1e-6),
                       users.empty() ? "" : "; it hits " + base::list_words(flow_names(users), 5));
  }

  std::vector<std::string> flow_names(const std::vector<model::FlowId>& flows) const {
    std::vector<std::string> names;
    for (const model::FlowId id : flows) {
      names.push_back(name_of(m_, id));
      if (names.size() >= kMostListed) break;
    }
    return names;
  }

  // The flows whose own way goes over each of these lanes.
  std::vector<std::vector<model::FlowId>> users_of(const std::vector<std::size_t>& lanes) const {
    std::vector<std::vector<model::FlowId>> users(lanes.size());
    std::vector<Step> way;
    for (const Stream& stream : l_.streams()) {
      if (!stream.flow.valid() || !stream.to.valid()) continue;
      l_.forest().way(l_.forest().place(stream.from), l_.forest().place(stream.to), way);
      const auto over = [&](PortId out) {
        const model::LinkId link = m_[out].link;
        const auto at = std::ranges::find(lanes, 2 * link.index() + (m_[link].a == out ? 0 : 1));
        if (at == lanes.end()) return;
        auto& list = users[static_cast<std::size_t>(at - lanes.begin())];
        if (list.empty() || list.back() != stream.flow) list.push_back(stream.flow);
      };
      over(m_[stream.from].port);
      for (const Step& step : way) over(step.out);
    }
    return users;
  }

  Finding overload_finding(std::size_t lane, const std::vector<model::FlowId>& users) const {
    const Lane& load = load_.lanes[lane];
    Finding f;
    f.code = Code::kLinkOverloaded;
    f.certainty = Certainty::kProved;
    f.severity = findings::entry(f.code).severity;
    f.links = {link_load(lane, load)};
    findings::LinkLoad& link = f.links.front();
    link.dropped_mbit = std::max(0.0, (load.wire_bits().least * 1e-6 - link.capacity_mbit));
    f.link = link.link;
    f.line = m_[link.link].line;
    f.where = fmt::format("{} to {}", link.from, link.to);
    f.headline = fmt::format("{} gets {} and carries {}", f.where, mbit(load.wire_bits().least * 1e-6),
                             mbit(link.capacity_mbit));
    f.cause = fmt::format(
        "{} of what is sent over it is on its way, {} is flooded. What does not fit is lost{}.",
        mbit(link.wanted_mbit), mbit(link.flooded_mbit),
        users.empty() ? "; no flow needs this link" : ": it hits " + base::list_words(flow_names(users), 5));
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

}  // namespace

namespace {

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
      judge(check::model_at(model, list[i].begin));
  }
  drop_superseded(report.findings);
}

std::string way_text(const Learning& learning, StationId from, StationId to) {
  const Model& m = learning.model();
  std::vector<Step> way;
  learning.forest().way(learning.forest().place(from), learning.forest().place(to), way);
  std::string text = name_of(m, from);
  for (std::size_t i = 0; i < way.size(); ++i) {
    if (i == 6 && way.size() > 10) {
      text += fmt::format(" - {} more", way.size() - 8);
      i = way.size() - 3;
      continue;
    }
    text += " - " + name_of(m, learning.forest()[way[i].node].bridge);
  }
  return text + " - " + name_of(m, to);
}

std::vector<findings::Evidence> why_missing(const Learning& l, NodeIndex node, StationId station,
                                            std::size_t most) {
  const Model& m = l.model();
  std::vector<findings::Evidence> evidence;
  const std::string sw = name_of(m, l.forest()[node].bridge), name = name_of(m, station);
  if (m[station].hides_its_mac()) {
    evidence.push_back({std::nullopt, name,
                        fmt::format("sends from {}, and never from {}", wire::to_text(m[station].source),
                                    wire::to_text(m[station].mac))});
    return evidence;
  }
  std::vector<std::uint32_t> streams;
  for (const std::uint32_t i : l.streams_from(station)) {
    if (l.possible(i)) streams.push_back(i);
  }
  if (streams.empty()) {
    evidence.push_back({std::nullopt, name, "sends nothing at all"});
    return evidence;
  }
  std::ranges::stable_sort(streams, std::ranges::greater{},
                           [&](std::uint32_t i) { return l.streams()[i].most; });
  std::vector<Step> way;
  for (const std::uint32_t i : streams) {
    if (evidence.size() >= most) {
      evidence.push_back({std::nullopt, name, fmt::format("{} more streams of it", streams.size() - most)});
      break;
    }
    const Stream& stream = l.streams()[i];
    const std::string how_often =
        stream.gap == base::kNever ? "not for certain at all" : "at least every " + base::to_text(stream.gap);
    if (!stream.to.valid()) {
      evidence.push_back(
          {std::nullopt, name, fmt::format("{} go everywhere, {}", check::describe(m, stream), how_often)});
      continue;
    }
    l.forest().way(l.forest().place(stream.from), l.forest().place(stream.to), way);
    const bool passes = std::ranges::any_of(way, [&](const Step& s) { return s.node == node; });
    evidence.push_back(
        {std::nullopt, name,
         fmt::format("{}: {}; {}", check::describe(m, stream), way_text(l, stream.from, stream.to),
                     passes ? fmt::format("by {}, {}", sw, how_often) : fmt::format("not by {}", sw))});
  }
  return evidence;
}

}  // namespace sekimori::load
