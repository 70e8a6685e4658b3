// From observations to causes.
//
// A flood is a symptom: some bridge has no entry for a destination. The cause is the answer to "why has it
// none?", and the run has seen what is needed to answer it:
//   - the bridge does not learn (ageing 0, learning off): every destination floods;
//   - its table is full: it heard the address and had to refuse it;
//   - it had an entry, or never had one, and has not heard the address for an ageing time. Then look at the
//   station:
//       - frames for it leak out of its own host, whose virtual switch keeps its answers inside: the leak;
//       - it sent frames all the while, but none came by this bridge: its traffic goes another way;
//       - it is heard now and then, at intervals longer than the ageing time: the timers;
//       - it sent nothing: a silent receiver;
//       - there is no running station with that address: nobody can tell a silent receiver from one that is
//       gone.
#include "simulate/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "findings/masked.h"
#include "model/multicast.h"
#include "simulate/first_hop_findings.h"
#include "simulate/multicast_findings.h"
#include "simulate/rates.h"
#include "simulate/tree_findings.h"

namespace sekimori::simulate {

using findings::Certainty;
using findings::Code;
using findings::Finding;
using findings::Severity;

namespace {

// The first frames for a station that has not spoken yet are flooded in any healthy network.
constexpr std::int64_t kLeastFrames = 5;
constexpr Duration kLeastLength = base::seconds(1);
constexpr std::size_t kMostLinks = 60;
constexpr std::size_t kMostFlows = 40;

// Everybody announces himself in the first moments of a run.
std::string when(Time t) { return t < base::seconds(1) ? "at the start" : "at " + base::to_text(t); }

class Explainer {
 public:
  Explainer(const model::Model& model, const RunResult& run, findings::Report& report)
      : m_(model), run_(run), report_(report), rates_(model, run) {}

  void explain() {
    harm_of_known();
    floods();
    leaks_without_flood();
    loops();
    explain_tree(m_, run_, report_);
    explain_takeovers(m_, run_, report_);
    explain_members(m_, run_, report_);
    summary();
    findings::sort_findings(report_.findings);
  }

 private:
  // ------------------------------------------------------------ floods

  static bool significant(const FloodRecord& flood) {
    return flood.frames + flood.withheld_frames >= kLeastFrames && flood.last - flood.first >= kLeastLength;
  }

  model::StationId station_with(wire::Mac mac) const {
    for (std::size_t s = 0; s < m_.stations.size(); ++s) {
      if (m_.stations[s].mac == mac) return model::StationId(s);
    }
    return {};
  }

  const LeakRecord* leak_behind(const FloodRecord& flood) const {
    for (const LeakRecord& leak : run_.leaks) {
      if (m_[leak.guest].mac == flood.destination && flood.last_source.valid() &&
          m_[flood.last_source].machine == m_[leak.bridge].machine) {
        return &leak;
      }
    }
    return nullptr;
  }

  std::pair<Code, std::uint32_t> cause_of(const FloodRecord& flood) const {
    const auto most = std::ranges::max_element(flood.by_reason) - flood.by_reason.begin();
    if (flood.withheld_frames * 2 > flood.frames) return {Code::kBlackholeSuppressed, flood.bridge.value};
    if (static_cast<FloodReason>(most) == FloodReason::kNoLearning)
      return {Code::kFloodNoLearning, flood.bridge.value};
    if (static_cast<FloodReason>(most) == FloodReason::kTableFull)
      return {Code::kFloodTableFull, flood.bridge.value};
    const model::StationId station = station_with(flood.destination);
    // What hides its address is never learnt, however much it sends.
    if (station.valid() && m_[station].hides_its_mac()) return {Code::kFloodMasked, station.value};
    if (static_cast<FloodReason>(most) == FloodReason::kForgotten) {
      const model::PortId port = busiest_port(run_);
      return {Code::kFloodTopologyChange, port.valid() ? m_[port].bridge.value : flood.bridge.value};
    }
    if (const LeakRecord* leak = leak_behind(flood)) return {Code::kFloodLeak, leak->bridge.value};
    if (!station.valid()) return {Code::kFloodUndecided, flood.bridge.value};
    // Heard again after a spell: the entry comes and goes.
    if (flood.spells >= 2 && flood.last_seen_as_source > flood.first)
      return {Code::kFloodTimers, station.value};
    // Until the sender's ARP entry has run out, nobody knows whether the station would be heard then.
    if (!covers_arp_timeout(flood)) return {Code::kFloodUndecided, station.value};
    const std::int64_t sent = run_.sent_by_station[station.index()];
    if (sent > kLeastFrames && flood.last_seen_as_source < flood.first) {
      return {Code::kFloodAsymmetric, station.value};
    }
    return {Code::kFloodSilent, station.value};
  }

  // How whoever sent the last flooded frame keeps the address it sent to.
  const model::ArpSettings& resolution_of(const FloodRecord& flood) const {
    const model::Machine& sender = m_[m_[flood.last_source].machine];
    return flood.last_flow.valid() && m_[flood.last_flow].ipv6 ? sender.nd : sender.arp;
  }

  // Whether the run was long enough to see the sender ask for the destination's address again. An entry for
  // weeks is one that never runs out.
  bool covers_arp_timeout(const FloodRecord& flood) const {
    constexpr Duration kForEver = base::seconds(7L * 86'400);
    if (!flood.last_source.valid()) return true;
    const Duration timeout = resolution_of(flood).timeout;
    return timeout >= kForEver || run_.ended > flood.first + timeout;
  }

  // Floods with one cause and one culprit (a bridge or a station, as the code has it) make one finding.
  void floods() {
    std::map<std::pair<Code, std::uint32_t>, std::vector<const FloodRecord*>> groups;
    std::map<std::size_t, std::vector<const FloodRecord*>> proved;  // by finding
    for (const FloodRecord& flood : run_.floods) {
      if (!significant(flood)) continue;
      if (const auto known = proof_of(flood))
        proved[*known].push_back(&flood);
      else
        groups[cause_of(flood)].push_back(&flood);
    }
    for (auto& [index, list] : proved) {
      std::ranges::stable_sort(list, std::ranges::greater{}, &FloodRecord::frames);
      add_run_to(report_.findings[index], list);
    }
    // What a proof had to leave open the run has decided.
    std::erase_if(report_.findings, [](const Finding& f) {
      return f.code == Code::kFloodUndecided && f.severity == Severity::kNote;
    });
    // A bridge that does not learn, or cannot, also keeps others from it: floods further on of the same
    // frames are its doing only if they have no cause of their own, so they stay separate findings.
    for (auto& [key, list] : groups) {
      std::ranges::stable_sort(list, std::ranges::greater{}, &FloodRecord::frames);
      Finding f = flood_finding(key.first, key.second, list);
      // What gets to nobody who does not want it harms nobody: that of a cluster with a segment to itself,
      // and of a bridge with two ports.
      if ((f.code == Code::kFloodMasked || f.code == Code::kFloodNoLearning) && f.links.empty()) continue;
      report_.findings.push_back(std::move(f));
    }
  }

  // The finding that has proved this flood from the model.
  std::optional<std::size_t> proof_of(const FloodRecord& flood) const {
    const model::StationId station = station_with(flood.destination);
    std::optional<std::size_t> by_station;
    for (std::size_t i = 0; i < report_.findings.size(); ++i) {
      const Finding& f = report_.findings[i];
      if (f.certainty != Certainty::kProved) continue;
      switch (f.code) {
        case Code::kFloodNoLearning:
        case Code::kFloodTableFull:
        case Code::kBlackholeSuppressed:
          if (f.bridge == flood.bridge) return i;
          break;
        case Code::kFloodLeak:
        case Code::kFloodBypass:
        case Code::kFloodVeb:
        case Code::kFloodSilent:
        case Code::kFloodTimers:
        case Code::kFloodAsymmetric:
        case Code::kFloodMasked:
          if (!by_station && concerns(f, station)) by_station = i;
          break;
        default:
          break;
      }
    }
    return by_station;
  }

  // The proof keeps its cause; the run adds when, how much and whom. Where both come to the same cause, the
  // run's words are the better ones: they tell what happened.
  void add_run_to(Finding& proof, const std::vector<const FloodRecord*>& list) {
    const bool by_bridge = proof.code == Code::kFloodNoLearning || proof.code == Code::kFloodTableFull ||
                           proof.code == Code::kBlackholeSuppressed || proof.code == Code::kFloodLeak ||
                           proof.code == Code::kFloodBypass || proof.code == Code::kFloodVeb;
    const std::uint32_t culprit = by_bridge ? proof.bridge.value : proof.stations.front().value;
    Finding run = flood_finding(proof.code, culprit, list);
    run.certainty = Certainty::kProved;
    if (cause_of(*list.front()).first != proof.code) {
      run.headline = proof.headline;
      run.cause = proof.cause;
      run.where = proof.where;
      run.line = proof.line;
    }
    run.bridge = proof.bridge;
    // First what happened, then why it had to.
    run.evidence.insert(run.evidence.end(), proof.evidence.begin(), proof.evidence.end());
    proof = std::move(run);
  }

  Finding flood_finding(Code code, std::uint32_t culprit, const std::vector<const FloodRecord*>& list) {
    const FloodRecord& worst = *list.front();
    Finding f;
    f.code = code;
    f.severity = findings::entry(code).severity;
    f.onset = worst.longest_spell_start;
    f.until = worst.longest_spell_start + worst.longest_spell;
    const Span after = rates_.between(*f.onset, *f.until);
    const Span before = rates_.between(Time{0}, worst.first);
    f.links = rates_.loads(after, Rates::By::kFlooded, kMostLinks);
    std::erase_if(f.links, [](const findings::LinkLoad& l) { return l.flooded_mbit < 0.0005; });
    f.flows = victims(before, after);
    std::vector<std::string> bridges, destinations;
    for (const FloodRecord* flood : list) {
      add_once(bridges, name_of(m_, flood->bridge));
      const model::StationId station = station_with(flood->destination);
      add_once(destinations, station.valid() ? name_of(m_, station) : wire::to_text(flood->destination));
      if (station.valid() && std::ranges::find(f.stations, station) == f.stations.end())
        f.stations.push_back(station);
    }
    const Story story{worst, culprit, base::list_words(bridges), base::list_words(destinations, 4),
                      worst_flood(f)};
    describe(f, code, story, list);
    for (std::size_t i = 0; i < std::min<std::size_t>(list.size(), 4); ++i) add_flood_evidence(f, *list[i]);
    if (code != Code::kBlackholeSuppressed) weigh(f);
    return f;
  }

  struct Story {
    const FloodRecord& worst;
    std::uint32_t culprit;
    std::string bridges, destinations;
    double mbit;
  };

  static double worst_flood(const Finding& f) {
    double worst = 0;
    for (const findings::LinkLoad& load : f.links) worst = std::max(worst, load.flooded_mbit);
    return worst;
  }

  // A trickle that harms nobody is no error.
  static void weigh(Finding& f) {
    const bool heavy = std::ranges::any_of(f.links, [](const findings::LinkLoad& l) {
      return l.flooded_mbit > l.capacity_mbit / 100 || l.dropped_mbit > 0;
    });
    if (!heavy && f.flows.empty() && f.severity == Severity::kError) f.severity = Severity::kWarning;
  }

  void masked(Finding& f, const Story& s) const {
    const model::SharedAddress& cluster = m_[findings::cluster_with(m_, s.worst.destination)];
    findings::tell_masked(m_, cluster, f);
    f.headline = fmt::format("{} flood frames for the cluster {}: {} on the worst link", s.bridges,
                             cluster.name, base::mbit_text(s.mbit));
  }

  std::string ageing_of(model::BridgeId bridge) const { return base::to_text(m_[bridge].ageing); }

  void describe(Finding& f, Code code, const Story& s, const std::vector<const FloodRecord*>& list) {
    const model::BridgeId at = s.worst.bridge;
    const std::string sw = name_of(m_, at);
    f.bridge = at;
    f.line = m_[at].line;
    f.where = sw;
    const char* const floods =
        list.size() > 1 && s.bridges.find(' ') != std::string::npos ? "flood" : "floods";
    f.headline = fmt::format("{} {} frames for {}: {} on the worst link", s.bridges, floods, s.destinations,
                             base::mbit_text(s.mbit));
    const std::string heard = s.worst.last_seen_as_source < Time{0}
                                  ? fmt::format("{} has never heard {}", sw, s.destinations)
                                  : fmt::format("{} last heard it {} and forgot it after {}", sw,
                                                when(s.worst.last_seen_as_source), ageing_of(at));
    switch (code) {
      case Code::kFloodLeak: {
        const model::BridgeId bridge(s.culprit);
        const std::string host = name_of(m_, m_[bridge].machine);
        f.bridge = bridge;
        f.line = m_[bridge].line;
        f.where = name_of(m_, bridge);
        f.headline =
            fmt::format("{} lets frames from {} to its own guest {} out of the physical NIC; {} {} them: {}",
                        f.where, host, s.destinations, s.bridges, floods, base::mbit_text(s.mbit));
        f.cause = fmt::format(
            "{} hands frames from {} to the guest and sends the same frames out of the NIC; what the guest "
            "answers stays "
            "inside the machine. So the switches outside see {} as a destination but not as a source. {}; "
            "since then "
            "every one of these frames goes out of every port.",
            f.where, host, s.destinations, heard);
        for (const LeakRecord& leak : run_.leaks) {
          if (leak.bridge != bridge) continue;
          f.evidence.push_back({leak.first, f.where,
                                fmt::format("{} frames for its guest {} sent out of the uplink as well",
                                            leak.frames, name_of(m_, leak.guest))});
        }
        break;
      }
      case Code::kFloodNoLearning:
        f.cause =
            m_[at].ageing.count() == 0
                ? fmt::format(
                      "{} has ageing time 0, which switches learning off: it floods every unicast frame, "
                      "even to stations it has just heard.",
                      sw)
                : fmt::format(
                      "Learning is off on {}: it floods every unicast frame, even to stations it has just "
                      "heard.",
                      sw);
        f.headline = fmt::format("{} floods everything, to {} stations: {} on the worst link", sw,
                                 list.size(), base::mbit_text(s.mbit));
        break;
      case Code::kFloodTableFull:
        f.cause = fmt::format(
            "The table of {} holds {} addresses and is full. It heard {} but had no room to note where; "
            "frames for whoever is not in the table are flooded.",
            sw, m_[at].table_size, s.destinations);
        break;
      case Code::kFloodTopologyChange:
        f.bridge = model::BridgeId(s.culprit);
        f.line = m_[f.bridge].line;
        f.where = name_of(m_, f.bridge);
        f.cause = fmt::format(
            "A change of the spanning tree made {} forget {}, long before the ageing time of {}; frames for "
            "it are "
            "flooded until it speaks again. {}.",
            s.bridges, s.destinations, ageing_of(at), tell_changes(m_, run_));
        break;
      case Code::kFloodMasked:
        masked(f, s);
        break;
      case Code::kFloodTimers: {
        f.where = s.destinations;
        const double duty = base::to_seconds(s.worst.flooding) /
                            std::max(base::to_seconds(s.worst.last - s.worst.first), 1e-9);
        f.cause = fmt::format(
            "{} forgets a silent address after {}, but whoever sends to {} keeps its ARP entry much longer "
            "and does not "
            "ask again meanwhile. Each time {} is heard the flood ends for {}, then it is back: {} spells, "
            "the longest {}, "
            "{} of the time.",
            sw, ageing_of(at), s.destinations, s.destinations, ageing_of(at), s.worst.spells,
            base::to_text(s.worst.longest_spell), base::percent(duty));
        break;
      }
      case Code::kFloodAsymmetric:
        f.where = s.destinations;
        f.cause = fmt::format(
            "{} does send ({} frames in this run), but its frames take another way and do not pass {}. "
            "{}.",
            s.destinations, run_.sent_by_station[s.culprit], s.bridges, heard);
        break;
      case Code::kFloodSilent:
        f.where = s.destinations;
        f.cause = fmt::format(
            "{} receives and does not answer: it sent {} frames in the whole run. {}. Whoever sends to "
            "it does not ask for its address again, so nothing makes it speak.",
            s.destinations, run_.sent_by_station[s.culprit], heard);
        break;
      case Code::kBlackholeSuppressed:
        f.headline = fmt::format("{} drops frames for {}: it does not know where it is, and may not flood",
                                 sw, s.destinations);
        f.cause = fmt::format(
            "{}. On the port towards it unknown unicast is blocked, so what would be a flood elsewhere is "
            "a loss here: {} frames.",
            heard, s.worst.withheld_frames);
        break;
      default:
        undecided(f, s, heard);
        break;
    }
  }

  void undecided(Finding& f, const Story& s, const std::string& heard) {
    f.certainty = Certainty::kUndecided;
    f.cause = fmt::format("{}.", heard);
    f.candidates = {
        fmt::format("{} is silent, or gone: the flood goes on", s.destinations),
        fmt::format(
            "{} is heard again when whoever sends to it asks for its address: the flood comes and goes",
            s.destinations)};
    if (s.worst.last_source.valid()) {
      const model::Machine& sender = m_[m_[s.worst.last_source].machine];
      f.to_decide = fmt::format("Run it longer than the ARP timeout of {}: --until {}.", sender.name,
                                base::to_text(s.worst.first + 2 * resolution_of(s.worst).timeout));
    }
  }

  void add_flood_evidence(Finding& f, const FloodRecord& flood) {
    static constexpr const char* kReasons[] = {"no entry in the table", "the entry had aged out",
                                               "nothing is learnt here", "the table was full",
                                               "a topology change had made it forget"};
    const auto most =
        static_cast<std::size_t>(std::ranges::max_element(flood.by_reason) - flood.by_reason.begin());
    const model::StationId station = station_with(flood.destination);
    f.evidence.push_back(
        {flood.longest_spell_start, name_of(m_, flood.bridge),
         fmt::format("first of {} frames for {} ({}) that came in at {} and were {}: {}",
                     std::max(flood.frames, flood.withheld_frames),
                     station.valid() ? name_of(m_, station) : "nobody here", wire::to_text(flood.destination),
                     name_of(m_, flood.last_ingress),
                     flood.withheld_frames * 2 > flood.frames ? "dropped" : "flooded", kReasons[most])});
  }

  // ------------------------------------------------------------ leaks that nobody notices yet

  void leaks_without_flood() {
    for (const LeakRecord& leak : run_.leaks) {
      std::erase_if(report_.findings, [&](const Finding& f) {  // the run knows more of it
        return f.code == Code::kLeakLatent && f.bridge == leak.bridge;
      });
      const bool floods = std::ranges::any_of(report_.findings, [&](const Finding& f) {
        return f.code == Code::kFloodLeak && f.bridge == leak.bridge;
      });
      if (floods || leak.frames < kLeastFrames || leak.last - leak.first < kLeastLength) continue;
      Finding f;
      f.code = Code::kLeakLatent;
      f.severity = findings::entry(f.code).severity;
      f.bridge = leak.bridge;
      f.stations = {leak.guest};
      f.line = m_[leak.bridge].line;
      f.where = name_of(m_, leak.bridge);
      const double rate = static_cast<double>(leak.bytes) * 8e-6 / base::to_seconds(leak.last - leak.first);
      f.headline = fmt::format("{} sends {} for its own guest {} out of the physical NIC as well", f.where,
                               base::mbit_text(rate), name_of(m_, leak.guest));
      f.cause = fmt::format(
          "Frames from {} to its guest are handed to the guest and also put on the wire. The switches "
          "outside drop them as long as they hear {} often enough to know where it is. If it falls "
          "silent for an ageing time, they flood.",
          name_of(m_, m_[leak.bridge].machine), name_of(m_, leak.guest));
      f.evidence.push_back(
          {leak.first, f.where, fmt::format("{} frames sent out of the uplink as well", leak.frames)});
      f.links = rates_.loads(rates_.between(leak.first, leak.last), Rates::By::kFlooded, kMostLinks);
      report_.findings.push_back(std::move(f));
    }
  }

  // ------------------------------------------------------------ loops

  void loops() {
    if (run_.loops.empty()) return;
    std::vector<std::string> bridges;
    for (const LoopRecord& loop : run_.loops) bridges.push_back(name_of(m_, loop.bridge));
    const auto known = std::ranges::find(report_.findings, Code::kLoop, &Finding::code);
    Finding fresh;
    Finding& f = known != report_.findings.end() ? *known : fresh;
    const LoopRecord& first = run_.loops.front();
    f.code = Code::kLoop;
    f.severity = Severity::kError;
    f.certainty = known != report_.findings.end() ? f.certainty : Certainty::kObserved;
    f.onset = first.first;
    f.bridge = first.bridge;
    f.line = m_[first.bridge].line;
    if (f.where.empty()) f.where = base::list_words(bridges);
    if (f.cause.empty()) {
      f.cause =
          "These bridges are joined in a ring, and no spanning tree blocks any link of it. A frame to "
          "everybody, or "
          "to a station nobody has learnt, goes round for ever and is copied out of every port at each turn.";
    }
    f.evidence.push_back(
        {first.first, name_of(m_, first.port), "a frame passed this bridge for the second time"});
    const Span span = rates_.between(first.first, run_.ended);
    f.links = rates_.loads(span, Rates::By::kTotal, kMostLinks);
    f.flows = victims(Span{}, span);
    f.until = run_.ended;
    f.headline = fmt::format("frames circulate through {}", base::list_words(bridges));
    if (run_.storm && !f.links.empty()) {
      const findings::LinkLoad& worst = f.links.front();
      f.headline +=
          fmt::format("; within {} they are {} from {} to {}", base::to_text(run_.ended - first.first),
                      base::mbit_text(worst.wanted_mbit + worst.flooded_mbit), worst.from, worst.to);
    }
    if (run_.storm) {
      report_.remarks.push_back(fmt::format(
          "The run was ended at {}: the storm does not end by itself, and more of the same would follow.",
          base::to_text(run_.ended)));
    }
    if (known == report_.findings.end()) report_.findings.push_back(std::move(fresh));
  }

  // ------------------------------------------------------------ findings that the model alone has shown

  void harm_of_known() {
    for (Finding& f : report_.findings) {
      if (f.code != Code::kMacDuplicate && f.code != Code::kIpDuplicate) continue;
      for (const MisdeliveryRecord& record : run_.misdeliveries) {
        if (!concerns(f, record.at) && !concerns(f, record.intended)) continue;
        f.evidence.push_back(
            {record.first, name_of(m_, record.at),
             fmt::format("{} frames arrived here that were for {}", record.frames,
                         record.intended.valid() ? name_of(m_, record.intended) : "nobody")});
      }
      for (const MoveRecord& move : run_.moves) {
        if (f.stations.empty() || m_[f.stations.front()].mac != move.mac) continue;
        f.evidence.push_back({move.first, name_of(m_, move.bridge),
                              fmt::format("{} moved {} between {} and {}", wire::to_text(move.mac),
                                          move.moves == 1 ? "once" : fmt::format("{} times", move.moves),
                                          name_of(m_, move.from), name_of(m_, move.to))});
      }
      for (const AddressConflictRecord& conflict : run_.address_conflicts) {
        if (!std::ranges::any_of(conflict.stations, [&](auto s) { return concerns(f, s); })) continue;
        const std::string ip =
            conflict.ip.is_zero() ? wire::to_text(conflict.ip6) : wire::to_text(conflict.ip);
        f.evidence.push_back(
            {conflict.first, ip, fmt::format("told to be at two addresses, {} times", conflict.changes)});
      }
      const Span whole = rates_.whole();
      for (std::size_t i = 0; i < m_.flows.size() && f.flows.size() < kMostFlows; ++i) {
        const model::Flow& flow = m_.flows[i];
        const bool ours = std::ranges::any_of(f.stations, [&](model::StationId s) {
          return m_[s].machine == flow.to || m_[s].machine == flow.from ||
                 (flow.is_multicast() && model::is_member(m_, s, flow.group));
        });
        if (!ours || whole.empty()) continue;
        f.flows.push_back(
            {name_of(m_, model::FlowId(i)), model::FlowId(i), {}, rates_.quality(model::FlowId(i), whole)});
        // There is no time before: what it would get alone is what it offers.
        f.flows.back().before.offered_mbit = f.flows.back().before.goodput_mbit =
            f.flows.back().after.offered_mbit;
        f.flows.back().before.delay_ms = f.flows.back().after.delay_ms;
      }
      std::ranges::stable_sort(f.flows, std::ranges::greater{},
                               [](const auto& v) { return v.after.loss_percent; });
    }
  }

  static bool concerns(const Finding& f, model::StationId station) {
    return station.valid() && std::ranges::find(f.stations, station) != f.stations.end();
  }

  // ------------------------------------------------------------ who suffers

  static bool suffers(const findings::FlowImpact& v) {
    return v.after.goodput_mbit < v.before.goodput_mbit * 0.95 ||
           v.after.loss_percent > v.before.loss_percent + 1 ||
           (v.after.delay_ms > 2 * v.before.delay_ms && v.after.delay_ms > v.before.delay_ms + 1);
  }

  std::vector<findings::FlowImpact> victims(const Span& before, const Span& after) const {
    std::vector<findings::FlowImpact> victims;
    if (after.empty()) return victims;
    for (std::size_t i = 0; i < m_.flows.size(); ++i) {
      const model::FlowId id(i);
      // A flow that begins or ends in between changes for its own reasons.
      if (m_[id].start > after.begin || m_[id].stop < after.end) continue;
      findings::FlowImpact v{"", id, {}, rates_.quality(id, after)};
      if (!before.empty() && m_[id].start <= before.begin) {
        v.before = rates_.quality(id, before);
      } else {
        v.before.offered_mbit = v.before.goodput_mbit = v.after.offered_mbit;
        v.before.delay_ms = v.after.delay_ms;
      }
      if (!suffers(v)) continue;
      v.flow = name_of(m_, id);
      victims.push_back(std::move(v));
    }
    const auto lost = [](const findings::FlowImpact& v) {
      return v.before.goodput_mbit - v.after.goodput_mbit;
    };
    std::ranges::stable_sort(victims, std::ranges::greater{}, lost);
    if (victims.size() > kMostFlows) victims.resize(kMostFlows);
    return victims;
  }

  static void add_once(std::vector<std::string>& list, std::string name) {
    if (std::ranges::find(list, name) == list.end()) list.push_back(std::move(name));
  }

  void summary() {
    // The last tenth of the run: what stays when everything has settled.
    const Span last = rates_.between(run_.ended - run_.ended / 10, run_.ended);
    report_.links = rates_.loads(last, Rates::By::kTotal, 1000);
    for (Finding& f : report_.findings) {
      if (f.code != Code::kLinkOverloaded || f.links.empty() || last.empty() || !rates_.has_lanes()) continue;
      f.links.front() = rates_.load(f.links.front().link, f.links.front().from_is_a, last);
      f.flows = victims(Span{}, last);
    }
    const Span whole = rates_.whole();
    for (std::size_t i = 0; i < std::min<std::size_t>(m_.flows.size(), 1000) && !last.empty(); ++i) {
      const model::FlowId id(i);
      const Span first = rates_.between(m_[id].start, m_[id].start + run_.ended / 10);
      report_.flows.push_back(
          {name_of(m_, id), id, rates_.quality(id, first.empty() ? whole : first), rates_.quality(id, last)});
    }
    report_.simulated = run_.ended;
    report_.fingerprint = run_.fingerprint;
  }

  const model::Model& m_;
  const RunResult& run_;
  findings::Report& report_;
  Rates rates_;
};

}  // namespace

void explain(const model::Model& model, const Options&, const RunResult& result, findings::Report& report) {
  Explainer(model, result, report).explain();
}

Horizon horizon(const model::Model& model) {
  constexpr Time kLongest = base::seconds(12L * 3600);
  constexpr double kAffordableFrames = 4e6;
  Time ageing{0}, wanted = base::seconds(60);
  for (const model::Bridge& bridge : model.bridges) {
    if (bridge.ageing < kLongest) ageing = std::max(ageing, bridge.ageing);
  }
  wanted = std::max(wanted, 3 * ageing);
  for (const model::Machine& machine : model.machines) {
    // Timers shorter than the ageing time refresh the tables before they matter; a timer that hardly ever
    // fires is none.
    for (const Duration timeout : {machine.arp.timeout, machine.nd.timeout}) {
      if (timeout > ageing && timeout < kLongest / 2) wanted = std::max(wanted, 2 * timeout + 2 * ageing);
    }
  }
  Time last_event{0};
  double frames_per_second = 1;
  for (const model::Flow& flow : model.flows) {
    last_event = std::max(last_event, flow.start);
    const double rate = flow.rate.bits_per_second > 0
                            ? static_cast<double>(flow.rate.bits_per_second) / 8 / flow.payload
                        : flow.interval.count() > 0 ? 1 / base::to_seconds(flow.interval)
                                                    : 10'000;
    frames_per_second += rate * (flow.kind == model::FlowKind::kUdp ? 1 : 1.5);
  }
  if (!model.changes.empty()) last_event = std::max(last_event, model.changes.back().at);
  const Time least = std::min(last_event + std::max(base::seconds(60), 3 * ageing), kLongest);
  wanted = std::min(last_event + wanted, kLongest);
  const Time affordable = base::from_seconds(kAffordableFrames / frames_per_second);
  return wanted <= std::max(affordable, least) ? Horizon{wanted, true}
                                               : Horizon{std::max(affordable, least), false};
}

Options diagnosing_options(const model::Model& model, std::optional<Time> until) {
  constexpr std::size_t kMostCounters = 5'000'000;
  const std::size_t windows = std::clamp<std::size_t>(kMostCounters / (model.flows.size() + 1), 8, 240);
  Options options;
  options.until = until ? *until : horizon(model).until;
  options.window =
      std::max(options.until / static_cast<std::int64_t>(windows) + Duration{1}, base::milliseconds(1));
  options.lane_series = model.links.size() * 2 * windows <= kMostCounters;
  return options;
}

}  // namespace sekimori::simulate
