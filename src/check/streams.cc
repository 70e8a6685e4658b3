#include "check/streams.h"

#include "check/registered.h"
#include "check/tunnels.h"
#include "model/multicast.h"
#include "model/nlb.h"
#include "model/routing.h"
#include "switching/first_hop.h"
#include "switching/ovs.h"
#include "switching/snooping.h"
#include "switching/suppression.h"
#include "wire/listening.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace sekimori::check {

using model::Flow;
using model::FlowKind;
using model::MachineId;
using model::Model;

namespace {

constexpr std::uint16_t kLeastFrame = 60;  // IEEE 802.3 clause 4.2.3.3, without FCS
constexpr std::uint32_t kUdpHeaders = 14 + 20 + 8;
constexpr std::uint32_t kTcpHeaders = 14 + 20 + 32;  // with timestamps, as Linux sends
constexpr std::uint32_t kIpv6Beyond = 20;            // an IPv6 header is so much longer
constexpr std::uint32_t kLargestPayload = 1448;
constexpr std::uint16_t kDiscoveryFrame = 86;              // 14 + 40 + 24 + 8: with the sender's MAC
constexpr std::uint16_t kRouterAdvertisementFrame = 110;   // 14 + 40 + 16 + 8 + 32: with MAC and prefix
constexpr Duration kDelayFirstProbe = base::seconds(5);    // Linux: delay_first_probe_time
constexpr Duration kDelayedAck = base::milliseconds(40);   // Linux: TCP_DELACK_MIN
constexpr Duration kForEver = base::seconds(7L * 86'400);  // a timeout of weeks is none
constexpr Duration kSlack = base::seconds(1);              // round trips, retries
// Linux and others double the time between two SYNs; the simulator stops at this.
constexpr Duration kLongestSynWait = base::seconds(64);
constexpr int kMostHops = 16;

std::uint16_t frame_of(std::uint32_t payload, std::uint32_t headers) {
  return static_cast<std::uint16_t>(std::max<std::uint32_t>(kLeastFrame, payload + headers));
}

double per_second(Duration interval) { return 1 / base::to_seconds(interval); }

Duration sum(Duration a, Duration b) { return a > base::kNever - b ? base::kNever : a + b; }

// That `from` sends unicast to `to`, and so keeps an ARP entry for it.
struct Use {
  StationId from, to;
  Duration gap;          // between two frames, at most
  Duration progress;     // between two confirmations by an upper layer, at most; kNever: none
  std::uint32_t stream;  // one of them
  bool ipv6;
  auto key() const { return std::tuple(from, to, ipv6); }
};

// IP addresses are 32 bits here: IPv4's own, and of IPv6 the index of an address of the site above this
// (where IPv4 has 240/4, which no interface has).
using Ip = std::uint32_t;
constexpr Ip kFirstIpv6 = 0xf000'0000u;
constexpr bool is_ipv6(Ip ip) { return ip >= kFirstIpv6; }

class Ipv6Index {
 public:
  explicit Ipv6Index(const Model& m) {
    for (const model::Station& s : m.stations)
      of_station_.push_back(s.ip6.address.is_zero() ? 0 : add(s.ip6.address));
    for (const model::Machine& machine : m.machines) {
      for (const model::Route6& route : machine.routes6) add(route.via);
    }
  }
  Ip of(StationId s) const { return of_station_[s.index()]; }
  Ip of(const wire::Ipv6& address) const { return index_.at(address); }
  const wire::Ipv6& address(Ip ip) const { return addresses_[ip - kFirstIpv6]; }

 private:
  Ip add(const wire::Ipv6& address) {
    const auto [entry, is_new] = index_.try_emplace(address, kFirstIpv6 + static_cast<Ip>(addresses_.size()));
    if (is_new) addresses_.push_back(address);
    return entry->second;
  }
  std::vector<wire::Ipv6> addresses_;
  std::vector<Ip> of_station_;
  std::unordered_map<wire::Ipv6, Ip> index_;
};

class Collector {
 public:
  Collector(const Model& m, const Forest& forest, const Groups& groups, Time when)
      : m_(m),
        forest_(forest),
        groups_(groups),
        registrations_(m, forest),
        uses_groups_(model::uses_groups(m)),
        when_(when),
        ipv6_(m) {
    for (const model::Bridge& bridge : m.bridges) any_gates_ |= switching::registers(bridge.kind);
    for (const model::Port& port : m.ports)
      any_gates_ |= port.locked || !port.floods_broadcast || !port.floods_multicast;
    for (std::size_t s = 0; s < m.stations.size(); ++s) {
      if (!forest.place(StationId(s)).plugged()) continue;
      if (!m.stations[s].ip.address.is_zero())
        owners_.push_back({m.stations[s].ip.address.bits, StationId(s)});
      if (const Ip ip = ipv6_.of(StationId(s)); ip != 0) owners_.push_back({ip, StationId(s)});
    }
    std::ranges::sort(owners_);
    asks_.assign(m.stations.size(), 0);
  }

  Streams collect(std::span<const Carried> tunnels) && {
    note_suppression();
    for (std::size_t f = 0; f < m_.flows.size(); ++f) add_flow(model::FlowId(f));
    for (const Carried& packets : tunnels) add_tunnel(packets);
    merge_uses();
    announcements();
    for (const model::SharedAddress& shared : m_.shared) advertisements(shared);
    for (const Use& use : uses_) resolve_again(use);
    std::ranges::sort(out_.contested);
    out_.contested.erase(std::unique(out_.contested.begin(), out_.contested.end()), out_.contested.end());
    return std::move(out_);
  }

 private:
  // Where bridges answer questions, or don't hand them on, it is up to their tables who hears a question, an
  // announcement, or an answer: none of these is certain. What the bridge itself answers goes part of the way
  // of the station's own answer. Of a station whose entry is wrong, and of whom it is taken for, nothing is
  // known.
  void note_suppression() {
    for (const model::Bridge& bridge : m_.bridges) {
      if (!switching::suppresses(m_, bridge)) continue;
      spared_.resize(m_.stations.size());
      for (const model::KnownNeighbour& known : bridge.neighbours) {
        for (std::size_t s = 0; s < m_.stations.size(); ++s)
          if (is_of(m_.stations[s], known)) spared_[s] = true;
        doubt_if_wrong(known);
      }
      for (const PortId port : bridge.ports) {
        if (m_[port].role != model::PortRole::kHost) continue;
        const PortId own = peer(m_, port);
        if (!own.valid()) continue;
        for (StationId s = m_[own].station; s.valid(); s = m_[s].next_on_port) spared_[s.index()] = true;
      }
    }
  }
  bool any_suppresses() const { return !spared_.empty(); }
  // A bridge keeps questions for it to itself.
  bool is_spared(StationId asked) const { return any_suppresses() && spared_[asked.index()]; }
  static bool is_of(const model::Station& s, const model::KnownNeighbour& known) {
    return known.ip.is_zero() ? s.ip6.address == known.ip6 : s.ip.address == known.ip;
  }
  void doubt_if_wrong(const model::KnownNeighbour& known) {
    const bool is_right = std::ranges::any_of(
        m_.stations, [&](const model::Station& s) { return is_of(s, known) && s.mac == known.mac; });
    if (is_right) return;
    for (std::size_t s = 0; s < m_.stations.size(); ++s) {
      if (is_of(m_.stations[s], known) || m_.stations[s].mac == known.mac)
        out_.contested.push_back(StationId(s));
    }
  }

  // ------------------------------------------------------------ ways through routers

  // Who has that address where `asker` can ask for it; of a cluster, who takes what that client sends.
  StationId owner(StationId asker, Ip ip, model::Ipv4 client) {
    StationId found;
    const auto [first, last] =
        std::ranges::equal_range(owners_, ip, {}, &std::pair<std::uint32_t, StationId>::first);
    for (auto it = first; it != last; ++it) {
      if (it->second == asker || !forest_.connected(asker, it->second) ||
          !(can_ask(asker, it->second, is_ipv6(ip)) || can_ask(it->second, asker, is_ipv6(ip))))
        continue;
      if (is_cluster(it->second) && (!found.valid() || m_[found].shared == m_[it->second].shared)) {
        found = serving(m_[it->second].shared, client, asker);
      } else if (found.valid()) {
        out_.contested.push_back(found);
        out_.contested.push_back(it->second);
      } else {
        found = it->second;
      }
    }
    return found;
  }

  bool is_cluster(StationId alias) const { return m_[alias].shared.valid() && m_[alias].hides_its_mac(); }
  // Members that don't reach each other are clusters of their own.
  StationId serving(model::SharedId cluster, model::Ipv4 client, StationId asker) const {
    const auto alive = [&](const auto& member) { return forest_.connected(asker, member.alias); };
    return model::serving(m_[cluster], client, alive).alias;
  }
  // One table entry for all members of a cluster.
  StationId neighbour(StationId asker, StationId to) const {
    return is_cluster(to) ? serving(m_[to].shared, {}, asker) : to;
  }

  // A question gets there: not everybody who is connected hears everybody's broadcasts on a switch that knows
  // by registration.
  bool can_ask(StationId asker, StationId asked, bool ipv6) {
    const Place &from = forest_.place(asker), &to = forest_.place(asked);
    if (!any_gates_ || from.node == kNone || to.node == kNone ||
        forest_.components()[forest_[from.node].component].broken())
      return true;
    forest_.way(from, to, way_);
    return registrations_.passes(way_, {asker, {}, ipv6});
  }

  Ip ip_of(StationId s, bool ipv6) const { return ipv6 ? ipv6_.of(s) : m_[s].ip.address.bits; }
  bool owns(MachineId machine, Ip ip) const {
    return std::ranges::any_of(m_[machine].stations,
                               [&](StationId s) { return ip_of(s, is_ipv6(ip)) == ip; });
  }
  std::pair<StationId, Ip> hop_towards(MachineId machine, Ip to) const {
    if (!is_ipv6(to)) {
      const model::NextHop hop = next_hop(m_, machine, model::Ipv4{to});
      return {hop.station, hop.address.bits};
    }
    const model::NextHop6 hop = next_hop(m_, machine, ipv6_.address(to));
    return {hop.station, hop.station.valid() ? ipv6_.of(hop.address) : 0};
  }

  std::uint32_t add(const Stream& stream) {
    out_.list.push_back(stream);
    return static_cast<std::uint32_t>(out_.list.size() - 1);
  }

  using Translations = std::vector<model::Translation>;

  // Sends `pattern` from the machine to the address, a stream for each hop. The answer is the last of them;
  // none when it does not arrive. A pattern whose `after` is kNone starts by itself. `translations` are those
  // of the way there: an answer is turned back by each, what is no answer adds to them.
  std::optional<std::uint32_t> send(MachineId machine, Ip to, Stream pattern, Duration progress,
                                    Translations& translations) {
    const bool answers = pattern.kind == StreamKind::kAnswer;
    StationId entered;
    model::Ipv4 source;
    if (const model::FlowId f = pattern.flow; f.valid() && m_[f].from_station.valid())
      source = m_[m_[f].from_station].ip.address;
    for (int hop = 0; hop < kMostHops; ++hop) {
      const auto [out, next] = hop_towards(machine, to);
      if (!out.valid() || !forest_.place(out).plugged()) return std::nullopt;
      const auto passage =
          entered.valid() && !pattern.ipv6 ? model::passage(m_, entered, out) : model::Passage::kAsItIs;
      if (passage == model::Passage::kRefused) return std::nullopt;
      const bool translates = passage == model::Passage::kTranslated;
      if (translates && !answers) translations.push_back({machine, m_[out].ip.address, source});
      if (translates || source.is_zero()) source = m_[out].ip.address;
      pattern.from = out;
      pattern.to = owner(out, next, source);
      if (!pattern.to.valid()) {
        ask_in_vain(pattern, next);
        return std::nullopt;
      }
      if (!surely_resolves(pattern.from, pattern.to, pattern.ipv6)) {
        // Without an answer to its questions it sends nothing but these (resolve_again).
        pattern.gap = base::kNever;
        pattern.least = 0;
      }
      const std::uint32_t index = add(pattern);
      uses_.push_back({pattern.from, neighbour(pattern.from, pattern.to), pattern.gap,
                       hop == 0 ? progress : base::kNever, index, pattern.ipv6});
      machine = m_[pattern.to].machine;
      entered = pattern.to;
      if (answers && turns_back(translations, machine, to)) entered = {};
      if (owns(machine, to)) return index;
      if (!model::forwards(m_, machine)) return std::nullopt;
      pattern.after = index;
      pattern.on_delivery = true;
    }
    return std::nullopt;
  }

  static bool turns_back(Translations& translations, MachineId at, Ip& to) {
    if (translations.empty() || translations.back().by != at || translations.back().shown.bits != to)
      return false;
    to = translations.back().hidden.bits;
    translations.pop_back();
    return true;
  }

  // Three questions a second apart, and again when there is next something to send. However many flows wait
  // for it, an address is asked for once.
  void ask_in_vain(const Stream& wanted, Ip ip) {
    const bool tcp = wanted.flow.valid() && m_[wanted.flow].kind == FlowKind::kTcp;
    const Duration gap =
        tcp && wanted.gap != base::kNever ? std::max(wanted.gap, kLongestSynWait) : wanted.gap;
    Stream question = wanted;
    question.kind = StreamKind::kQuestion;
    question.to = {};
    question.flow = {};
    question.bytes = wanted.ipv6 ? kDiscoveryFrame : kLeastFrame;
    const bool certain = gap != base::kNever;
    question.least = certain ? 3 / (3 + base::to_seconds(gap)) : 0;
    question.most = 1;
    question.gap = certain ? sum(gap, base::seconds(3)) : base::kNever;
    question.as_it_gets = false;
    const auto [known, is_new] = in_vain_.try_emplace({wanted.from, ip}, kNone);
    if (is_new) {
      known->second = add(question);
      ++asks_[wanted.from.index()];
      return;
    }
    Stream& before = out_.list[known->second];
    if (before.after != kNone && question.after != kNone) {  // one of two occasions: neither is certain
      question.gap = base::kNever;
      question.least = 0;
      question.after = kNone;
    } else if (question.after != kNone || (before.after == kNone && before.gap <= question.gap)) {
      return;
    }
    before = question;
  }

  // That the station gets an answer when it asks for the other: that nothing on the way blocks either. The
  // question has just taught every table on the way where to send the answer.
  bool surely_resolves(StationId asker, StationId asked, bool ipv6) {
    const Place& place = forest_.place(asker);
    if (place.node == kNone) return true;
    if (ipv6 && is_snooped_discovery(place.node)) return false;
    const Component& component = forest_.components()[forest_[place.node].component];
    if (component.open && !component.bends) return true;
    if (component.lossy) return false;
    if (forest_.components()[forest_[place.node].component].broken())
      return true;  // nothing is claimed of it
    // Without a question there, it learns the address only if the other asks for something.
    if (!can_ask(asker, asked, ipv6)) return false;
    forest_.way(forest_.place(asked), place, way_);
    // The answer may turn off where the question passed; the asker may still learn by what the other asks.
    if (!registrations_.passes(way_, {asked, asker})) return false;
    return std::ranges::all_of(way_, [&](const Step& step) {
      const model::Bridge& bridge = m_[forest_[step.node].bridge];
      const model::Port &in = m_[step.in], &out = m_[step.out];
      if (in.isolated && out.isolated) return false;
      if (!switching::learns(bridge.kind)) return true;
      bool asked_before = !m_[asker].hides_its_mac();  // the question was learnt
      if (!bridge.flow_rules.empty()) {
        const auto outputs = [](const model::FlowRule* rule, PortId port) {
          return std::ranges::find(rule->out, port) != rule->out.end();
        };
        const auto* question = switching::match_rule(bridge, step.out, wire::kBroadcast, true);
        if (question != nullptr && !question->normal) {
          if (!outputs(question, step.in)) return false;
          asked_before = false;
        }
        const auto* answer = switching::match_rule(bridge, step.in, m_[asker].mac, true);
        if (answer != nullptr && !answer->normal) return outputs(answer, step.out);
      }
      if (in.mac_limit != 0 || out.mac_limit != 0) return false;
      return out.floods_unknown ||
             (asked_before && bridge.learning && bridge.ageing.count() > 0 && out.learning) ||
             std::ranges::any_of(bridge.static_entries, [&](const model::StaticEntry& e) {
               return e.mac == m_[asker].mac && e.port == step.out;
             });
    });
  }

  // Solicitations go to whom bridges know as a member of the solicited-node group, if they do.
  bool is_snooped_discovery(NodeIndex n) const {
    return uses_groups_ && !groups_.asked_by(forest_[n].component, true).nobody();
  }

  // ------------------------------------------------------------ flows

  void add_flow(model::FlowId id) {
    const Flow& flow = m_[id];
    if (flow.start > when_ || flow.stop <= when_ || !m_[flow.from].running) return;
    if (flow.is_multicast()) return add_flow_to_group(id);
    Ip to = 0;
    for (const StationId s : m_[flow.to].stations) {
      if (to == 0) to = ip_of(s, flow.ipv6);
    }
    if (flow.to_station.valid()) to = ip_of(flow.to_station, flow.ipv6);
    StationId out = flow.from_station;
    if (to != 0 && !out.valid()) out = hop_towards(flow.from, to).first;
    if (to == 0 || !out.valid() || owns(flow.from, to)) {
      out_.lost.push_back(id);
      return;
    }
    const bool tcp = flow.kind == FlowKind::kTcp;
    const Duration interval = model::interval_of(flow);
    Stream data{.from = {}, .to = {}, .flow = id, .ipv6 = flow.ipv6};
    data.bytes = frame_of(flow.payload, (tcp ? kTcpHeaders : kUdpHeaders) + beyond_ipv4(flow));
    if (interval.count() == 0) {  // greedy TCP
      data.gap = kSlack;
      data.as_it_gets = true;
    } else {
      // What waits for a window or was lost comes later.
      data.gap = tcp ? sum(2 * interval, kSlack) : interval;
      data.least = data.most = per_second(interval);
    }
    const Stream answer = answer_to(flow, data, interval);
    const std::size_t first = out_.list.size(), first_use = uses_.size();
    Translations translations;
    const auto arrived = send(flow.from, to, data, tcp ? answer.gap : base::kNever, translations);
    if (!arrived) {
      out_.lost.push_back(id);
      if (tcp) only_connects(id, first, first_use);
      return;
    }
    if (flow.kind == FlowKind::kUdp) return;
    Stream back = answer;
    back.after = *arrived;
    const Ip asker = translations.empty() ? ip_of(out, flow.ipv6) : translations.back().shown.bits;
    // Of a shared address, whoever has it answers.
    const MachineId answering = m_[out_.list[*arrived].to].machine;
    const bool answered = send(answering, asker, back, base::kNever, translations).has_value();
    if (!tcp) return;
    if (!answered) only_connects(id, first, first_use);
    // What is for an address that nobody learns may be swallowed at any port that takes no unknown unicast.
    const auto open = [&](const Stream& s) {
      return s.flow.valid() && (s.gap == base::kNever || (m_[s.to].hides_its_mac() && !in_plain(s.to)));
    };
    if (std::any_of(out_.list.begin() + static_cast<std::ptrdiff_t>(first), out_.list.end(), open))
      perhaps_connects(id, first, first_use);
  }

  void add_flow_to_group(model::FlowId id) {
    const Flow& flow = m_[id];
    if (!forest_.place(flow.from_station).plugged()) {
      out_.lost.push_back(id);
      return;
    }
    const Duration interval = model::interval_of(flow);
    add({.from = flow.from_station,
         .to = {},
         .gap = interval,
         .least = per_second(interval),
         .most = per_second(interval),
         .bytes = frame_of(flow.payload, kUdpHeaders + beyond_ipv4(flow)),
         .flow = id,
         .ipv6 = flow.ipv6});
  }

  // Who is in groups says so when it is asked (RFC 3376 section 5.2): once a query, and of each group to an
  // old querier.
  void group_messages(StationId s) {
    if (!uses_groups_) return;
    const NodeIndex n = forest_.place(s).node;
    if (n == kNone) return;
    for (const bool ipv6 : {false, true}) {
      const AskedBy& asked = groups_.asked_by(forest_[n].component, ipv6);
      if (asked.nobody()) continue;
      if (asked.router == s) {
        add({.from = s,
             .to = {},
             .gap = switching::kQueryInterval,
             .least = per_second(switching::kQueryInterval),
             .most = per_second(switching::kQueryInterval),
             .bytes = ipv6 ? wire::kMldQueryBytes : kLeastFrame,
             .kind = StreamKind::kQuery,
             .flow = {},
             .ipv6 = ipv6});
      }
      const std::size_t groups = model::groups_of(m_, s, ipv6).size();
      if (groups == 0) continue;
      const Duration most = switching::kQueryInterval + switching::kQueryResponse;
      const double frames = asked.is_old ? static_cast<double>(groups) : 1;
      const std::uint16_t old_bytes = ipv6 ? wire::kOldMldBytes : kLeastFrame;
      add({.from = s,
           .to = {},
           .gap = most,
           .least = frames * per_second(most),
           .most = frames * per_second(switching::kQueryInterval - switching::kQueryResponse),
           .bytes = asked.is_old ? old_bytes : wire::group_report_bytes(ipv6, groups),
           .kind = StreamKind::kReport,
           .flow = {},
           .ipv6 = ipv6});
    }
  }

  void add_tunnel(const Carried& packets) {
    Translations translations;
    const Stream pattern{.from = {},
                         .to = {},
                         .gap = packets.gap,
                         .least = packets.least,
                         .most = packets.most,
                         .bytes = packets.bytes,
                         .kind = StreamKind::kTunnel,
                         .flow = {},
                         .tunnel_from = packets.from,
                         .tunnel_to = packets.to,
                         .stray = packets.stray};
    send(m_[packets.from].machine, m_[packets.to].ip.address.bits, pattern, base::kNever, translations);
  }

  // From one endpoint to the other, over all hops.
  bool surely_gets_there(StationId from, StationId to) {
    Translations translations;
    const std::size_t first = out_.list.size();
    const Stream pattern{.from = {}, .to = {}, .gap = kSlack, .kind = StreamKind::kTunnel, .flow = {}};
    if (!send(m_[from].machine, m_[to].ip.address.bits, pattern, base::kNever, translations)) return false;
    return std::all_of(out_.list.begin() + static_cast<std::ptrdiff_t>(first), out_.list.end(),
                       [&](const Stream& hop) {
                         const NodeIndex n = forest_.place(hop.from).node;
                         if (hop.gap == base::kNever) return false;
                         if (n == kNone) return true;
                         const Component& c = forest_.components()[forest_[n].component];
                         return c.open && !c.bends && !c.broken();
                       });
  }

 public:
  std::vector<BridgeId> unsure_endpoints() && {
    std::vector<BridgeId> unsure;
    for (std::size_t b = 0; b < m_.bridges.size(); ++b) {
      const model::Bridge& end = m_.bridges[b];
      const bool is_unsure = std::ranges::any_of(end.ports, [&](PortId port) {
        if (!m_[port].tunnel) return false;
        const StationId to = m_[m_[peer(m_, port)].bridge].underlay;
        return !surely_gets_there(end.underlay, to) || !surely_gets_there(to, end.underlay);
      });
      if (is_unsure) unsure.emplace_back(b);
    }
    return unsure;
  }

 private:
  // A connection needs both directions. Where one leads nowhere, there are SYNs and no more.
  void only_connects(model::FlowId id, std::size_t first, std::size_t first_use) {
    for (std::size_t i = first; i < out_.list.size(); ++i) {
      Stream& stream = out_.list[i];
      if (stream.flow != id) continue;
      stream.bytes = frame_of(0, kTcpHeaders + beyond_ipv4(m_[id]));
      stream.most = per_second(kLongestSynWait);
      stream.as_it_gets = false;
      if (stream.gap == base::kNever) continue;
      stream.least = stream.most;
      stream.gap = sum(kLongestSynWait, kSlack);
    }
    uses_again(first_use);
  }
  // Where one may lead nowhere, how much there is is open.
  void perhaps_connects(model::FlowId id, std::size_t first, std::size_t first_use) {
    for (std::size_t i = first; i < out_.list.size(); ++i) {
      if (out_.list[i].flow != id) continue;
      out_.list[i].gap = base::kNever;
      out_.list[i].least = 0;
    }
    uses_again(first_use);
  }
  void uses_again(std::size_t first_use) {
    for (std::size_t i = first_use; i < uses_.size(); ++i) {
      uses_[i].gap = out_.list[uses_[i].stream].gap;
      uses_[i].progress = base::kNever;
    }
  }

  static std::uint32_t beyond_ipv4(const Flow& flow) { return flow.ipv6 ? kIpv6Beyond : 0; }

  static Stream answer_to(const Flow& flow, const Stream& data, Duration interval) {
    Stream answer = data;
    answer.kind = StreamKind::kAnswer;
    answer.on_delivery = true;
    if (flow.kind == FlowKind::kRequest) {
      const std::uint32_t response = std::max<std::uint32_t>(flow.response, 1);
      const std::uint32_t frames = (response + kLargestPayload - 1) / kLargestPayload;
      answer.bytes = frame_of(response / frames, kUdpHeaders + beyond_ipv4(flow));
      answer.least *= frames;
      answer.most *= frames;
    } else if (flow.kind == FlowKind::kTcp) {
      // Every second segment is acknowledged, or the first after the delay (RFC 1122 4.2.3.2).
      answer.bytes = frame_of(0, kTcpHeaders + beyond_ipv4(flow));
      if (interval < kDelayedAck * 11 / 10) answer.least /= 2;
      if (interval < kDelayedAck * 9 / 10) answer.most /= 2;
    }
    return answer;
  }

  // ------------------------------------------------------------ address resolution

  const model::ArpSettings& arp(StationId s) const { return m_[m_[s].machine].arp; }
  const model::ArpSettings& settings(const Use& use) const {
    const model::Machine& machine = m_[m_[use.from].machine];
    return use.ipv6 ? machine.nd : machine.arp;
  }

  // One use a pair of stations.
  void merge_uses() {
    std::ranges::stable_sort(uses_, {}, &Use::key);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      if (kept > 0 && uses_[kept - 1].key() == uses_[i].key()) {
        Use& merged = uses_[kept - 1];
        if (uses_[i].gap < merged.gap) merged.stream = uses_[i].stream;
        merged.gap = std::min(merged.gap, uses_[i].gap);
        merged.progress = std::min(merged.progress, uses_[i].progress);
      } else {
        uses_[kept++] = uses_[i];
      }
    }
    uses_.resize(kept);
    for (const Use& use : uses_) {
      // A stack that probes asks by broadcast, too, where its probes may be swallowed.
      if (use.ipv6) continue;  // of no concern to anybody else
      if (!arp(use.from).confirm_by_probe || may_swallow(use)) ++asks_[use.from.index()];
    }
  }

  void announcements() {
    for (std::size_t i = 0; i < m_.stations.size(); ++i) {
      const StationId s(i);
      const model::Machine& machine = m_[m_[s].machine];
      if (!forest_.place(s).plugged()) continue;
      group_messages(s);
      if (!m_[s].ip.address.is_zero()) announce(s, machine.arp.announce_every, false);
      if (ipv6_.of(s) == 0) continue;
      announce(s, machine.nd.announce_every, true);
      if (machine.advertise_every.count() > 0) advertise(s, machine.advertise_every);
    }
  }
  void announce(StationId s, Duration every, bool ipv6) {
    if (every.count() == 0) return;
    const double rate = per_second(every);
    const bool certain = !any_suppresses();
    add({.from = s,
         .to = {},
         .gap = certain ? every : base::kNever,
         .least = certain ? rate : 0,
         .most = rate,
         .bytes = ipv6 ? kDiscoveryFrame : kLeastFrame,
         .kind = StreamKind::kAnnouncement,
         .flow = {},
         .ipv6 = ipv6});
  }
  // Between two of them is a third of the time to all of it.
  void advertise(StationId s, Duration most) {
    add({.from = s,
         .to = {},
         .gap = most,
         .least = per_second(most),
         .most = per_second(most / 3),
         .bytes = kRouterAdvertisementFrame,
         .kind = StreamKind::kAdvertisement,
         .flow = {},
         .ipv6 = true});
  }

  void advertisements(const model::SharedAddress& shared) {
    if (shared.kind == model::SharedKind::kNlb) return;
    const double rate = per_second(shared.interval);
    const auto say = [&](StationId from) {
      add({.from = from,
           .to = {},
           .gap = sum(shared.interval, base::milliseconds(1)),
           .least = rate,
           .most = rate,
           .bytes = switching::advertisement_bytes(shared),
           .kind = StreamKind::kHello,
           .flow = {}});
    };
    for (const auto& member : shared.members) {
      if (forest_.place(member.alias).plugged()) say(member.alias);
    }
    if (const StationId standby = standby_of(shared); standby.valid()) say(standby);
  }
  // The best of those that are not active, if they hear one that is.
  StationId standby_of(const model::SharedAddress& shared) const {
    const model::SharedAddress::Member* best = nullptr;
    for (const auto& member : shared.members) {
      if (shared.kind != model::SharedKind::kHsrp || !forest_.place(member.nic).plugged() ||
          forest_.place(member.alias).plugged())
        continue;
      if (best == nullptr ||
          switching::outranks(switching::rank_of(m_, member), switching::rank_of(m_, *best)))
        best = &member;
    }
    return best == nullptr ? StationId{} : best->nic;
  }

  const Use* find_use(StationId from, StationId to) const {
    const auto it = std::ranges::lower_bound(uses_, std::tuple(from, to, false), {}, &Use::key);
    return it != uses_.end() && it->from == from && it->to == to && !it->ipv6 ? &*it : nullptr;
  }

  // How often a probing stack asks: never (nullopt), or at most and at least every so often.
  struct Period {
    Duration shortest, longest;  // longest: kNever when not certain
  };
  std::optional<Period> probing(const Use& use) const {
    const model::ArpSettings& a = settings(use);
    if (!a.confirm_by_probe || a.timeout >= kForEver) return std::nullopt;
    if (a.confirm_by_progress && use.progress < kDelayFirstProbe) return std::nullopt;
    const Duration shortest = a.timeout + kDelayFirstProbe;
    const bool perhaps = a.confirm_by_progress && use.progress < a.timeout;
    return Period{shortest, perhaps ? base::kNever : sum(shortest, sum(use.gap, kSlack))};
  }

  // What `hearer` hears of `speaker` in ARP frames other than answers to its own questions: the longest time
  // between two, when that is certain, and whether there is anything at all.
  struct Hearing {
    Duration certain = base::kNever;
    bool possible = false;
  };
  Hearing hears(StationId hearer, StationId speaker) const {
    Hearing h;
    const auto also = [&](Duration gap) {
      h.possible = true;
      h.certain = std::min(h.certain, gap);
    };
    if (arp(speaker).announce_every.count() > 0) also(arp(speaker).announce_every);
    if (const Use* back = find_use(speaker, hearer)) {
      if (const auto period = probing(*back)) also(period->longest);
    }
    if (asks_[speaker.index()] > 0) also(base::kNever);
    return h;
  }

  // A probe, or the answer to it, may not arrive.
  bool may_swallow(const Use& use) {
    const NodeIndex n = forest_.place(use.from).node;
    if (n == kNone) return false;
    const Component& component = forest_.components()[forest_[n].component];
    return !component.open ||
           (component.bends && !(hands_on(use.from, use.to) && hands_on(use.to, use.from)));
  }
  bool in_plain(StationId station) const {
    const NodeIndex n = forest_.place(station).node;
    return n == kNone || forest_.components()[forest_[n].component].plain;
  }
  // No flow and no switch that knows by registration makes ARP by unicast turn off.
  bool hands_on(StationId from, StationId to) {
    if (forest_.components()[forest_[forest_.place(from).node].component].broken()) return true;
    forest_.way(forest_.place(from), forest_.place(to), way_);
    if (!registrations_.passes(way_, {from, to})) return false;
    return std::ranges::all_of(way_, [&](const Step& step) {
      const auto* rule = switching::match_rule(m_[forest_[step.node].bridge], step.in, m_[to].mac, true);
      return rule == nullptr || rule->normal || std::ranges::find(rule->out, step.out) != rule->out.end();
    });
  }

  void resolve_again(const Use& use) {
    if (settings(use).confirm_by_probe) {
      if (const auto period = probing(use)) {
        ask(use, use.to, StreamKind::kProbe, period->longest, per_second(period->shortest));
      }
      // When what it sends is swallowed somewhere, it falls back to broadcasts.
      if (may_swallow(use)) ask(use, {}, StreamKind::kQuestion, base::kNever, 1);
      return;
    }
    if (!surely_resolves(use.from, use.to, use.ipv6)) ask(use, {}, StreamKind::kQuestion, base::kNever, 1);
    const Duration timeout = arp(use.from).timeout;
    if (timeout >= kForEver || (arp(use.from).confirm_by_progress && use.progress < timeout)) return;
    const Hearing h = hears(use.from, use.to);
    if (h.certain < timeout && !any_suppresses()) return;  // refreshed before it runs out
    const Duration period = sum(timeout, sum(use.gap, kSlack));
    if (!h.possible) {
      ask(use, {}, StreamKind::kQuestion, period, per_second(std::max(timeout, base::milliseconds(1))));
      return;
    }
    ask(use, {}, StreamKind::kQuestion, base::kNever, per_second(std::max(timeout, base::milliseconds(1))));
    if (!any_suppresses()) exchange(use, period);
  }

  // Two stacks that do not probe, with nobody else to hear: one of them asks, which refreshes both. Which one
  // is open, but frames of both pass the way between them.
  void exchange(const Use& use, Duration period) {
    const Use* back = find_use(use.to, use.from);
    if (back == nullptr || arp(use.to).confirm_by_probe || asks_[use.to.index()] > 1 ||
        asks_[use.from.index()] > 1 || arp(use.to).announce_every.count() > 0 ||
        arp(use.from).announce_every.count() > 0)
      return;
    if (use.from > use.to) return;  // both directions at once
    const Duration other = sum(arp(use.to).timeout, sum(back->gap, kSlack));
    const Duration gap = std::min(period, other);
    for (const auto& [from, to] : {std::pair(use.from, use.to), std::pair(use.to, use.from)}) {
      add({.from = from,
           .to = to,
           .gap = gap,
           .bytes = kLeastFrame,
           .kind = StreamKind::kReply,
           .after = use.stream,
           .flow = {}});
    }
  }

  void ask(const Use& use, StationId to, StreamKind kind, Duration period, double most) {
    if (kind == StreamKind::kQuestion && is_spared(use.to)) period = base::kNever;
    if (const NodeIndex n = forest_.place(use.from).node;
        kind == StreamKind::kQuestion && use.ipv6 && n != kNone && is_snooped_discovery(n))
      period = base::kNever;
    const double least = period == base::kNever ? 0 : per_second(period);
    const std::uint32_t question = add({.from = use.from,
                                        .to = to,
                                        .gap = period,
                                        .least = least,
                                        .most = most,
                                        .bytes = use.ipv6 ? kDiscoveryFrame : kLeastFrame,
                                        .kind = kind,
                                        .after = use.stream,
                                        .flow = {},
                                        .ipv6 = use.ipv6});
    const auto reply = [&](StationId from) {
      add({.from = from,
           .to = use.from,
           .gap = period,
           .least = least,
           .most = most,
           .bytes = use.ipv6 ? kDiscoveryFrame : kLeastFrame,
           .kind = StreamKind::kReply,
           .on_delivery = true,
           .after = question,
           .flow = {},
           .ipv6 = use.ipv6});
    };
    reply(use.to);
    if (!is_cluster(use.to)) return;
    for (const auto& member : m_[m_[use.to].shared].members) {
      if (member.alias != use.to && forest_.connected(use.from, member.alias)) reply(member.alias);
    }
  }

  const Model& m_;
  const Forest& forest_;
  const Groups& groups_;
  Registrations registrations_;
  const bool uses_groups_;
  bool any_gates_ = false;
  const Time when_;
  const Ipv6Index ipv6_;
  std::vector<std::pair<Ip, StationId>> owners_;  // by address
  std::vector<std::uint32_t> asks_;               // by station: reasons for which it asks by broadcast
  std::vector<Use> uses_;
  std::map<std::pair<StationId, Ip>, std::uint32_t> in_vain_;  // questions, by asker and address
  std::vector<Step> way_;
  std::vector<bool> spared_;  // by station; empty: none is
  Streams out_;
};

}  // namespace

Streams streams_of(const Model& model, const Forest& forest, const Groups& groups, Time when,
                   std::span<const Carried> tunnels) {
  return Collector(model, forest, groups, when).collect(tunnels);
}

std::vector<BridgeId> unsure_endpoints(const Model& model, const Forest& forest, const Groups& groups,
                                       Time when) {
  return Collector(model, forest, groups, when).unsure_endpoints();
}

std::string describe(const Model& m, const Stream& stream) {
  std::string from = name_of(m, stream.from);
  switch (stream.kind) {
    case StreamKind::kData:
      return name_of(m, stream.flow);
    case StreamKind::kAnswer:
      return fmt::format("the answers of {} to \"{}\"", from, name_of(m, stream.flow));
    case StreamKind::kProbe:
      return fmt::format("{} of {} for {}", stream.ipv6 ? "neighbor probes" : "ARP probes", from,
                         name_of(m, stream.to));
    case StreamKind::kQuestion:
      return fmt::format("{} of {}", stream.ipv6 ? "neighbor solicitations" : "ARP requests", from);
    case StreamKind::kReply:
      return fmt::format("{} of {} to {}", stream.ipv6 ? "neighbor advertisements" : "ARP replies", from,
                         name_of(m, stream.to));
    case StreamKind::kAnnouncement:
      return fmt::format("announcements of {}", from);
    case StreamKind::kTunnel:
      return fmt::format("packets of the tunnel from {} to {}", from, name_of(m, stream.to));
    case StreamKind::kAdvertisement:
      return fmt::format("router advertisements of {}", from);
    case StreamKind::kHello:
      return fmt::format("advertisements of {}", from);
    case StreamKind::kReport:
      return fmt::format("reports of {} of the groups it is in", from);
    case StreamKind::kQuery:
      return fmt::format("group queries of {}", from);
  }
  return from;
}

}  // namespace sekimori::check
