#include "check/streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "check/ip_owners.h"
#include "check/reach.h"
#include "check/resolution.h"
#include "check/stream_terms.h"
#include "check/tunnels.h"
#include "check/unasked.h"
#include "model/multicast.h"
#include "model/nlb.h"
#include "model/routing.h"

namespace sekimori::check {

using model::Flow;
using model::FlowKind;
using model::MachineId;
using model::Model;

namespace {

constexpr std::uint32_t kUdpHeaders = 14 + 20 + 8;
constexpr std::uint32_t kTcpHeaders = 14 + 20 + 32;  // with timestamps, as Linux sends
constexpr std::uint32_t kIpv6Beyond = 20;            // an IPv6 header is so much longer
constexpr std::uint32_t kLargestPayload = 1448;
constexpr Duration kDelayedAck = base::milliseconds(40);  // Linux: TCP_DELACK_MIN
// Linux and others double the time between two SYNs; the simulator stops at this.
constexpr Duration kLongestSynWait = base::seconds(64);
constexpr int kMostHops = 16;

std::uint16_t frame_of(std::uint32_t payload, std::uint32_t headers) {
  return static_cast<std::uint16_t>(std::max<std::uint32_t>(kLeastFrame, payload + headers));
}

std::uint32_t beyond_ipv4(const Flow& flow) { return flow.ipv6 ? kIpv6Beyond : 0; }

class Collector {
 public:
  Collector(const Model& m, const Forest& forest, const Groups& groups, Time when)
      : m_(m),
        forest_(forest),
        groups_(groups),
        when_(when),
        owners_(m, forest),
        reach_(m, forest, groups),
        resolution_(m, forest, reach_, out_.list) {}

  Streams collect(std::span<const Carried> tunnels) && {
    out_.contested = reach_.mistaken();
    for (std::size_t f = 0; f < m_.flows.size(); ++f) add_flow(model::FlowId(f));
    for (const Carried& packets : tunnels) add_tunnel(packets);
    add_unasked(m_, forest_, groups_, !reach_.any_suppresses(), out_.list);
    resolution_.add_streams();
    std::ranges::sort(out_.contested);
    out_.contested.erase(std::unique(out_.contested.begin(), out_.contested.end()), out_.contested.end());
    return std::move(out_);
  }

  // Endpoints of tunnels that may not get all packets of another.
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
  // ------------------------------------------------------------ ways through routers

  // Who has that address where `asker` can ask for it; of a cluster, who takes what that client sends.
  StationId owner(StationId asker, Ip ip, model::Ipv4 client) {
    StationId found;
    for (const auto& [address, owner] : owners_.owners(ip)) {
      if (owner == asker || !forest_.connected(asker, owner) || !can_talk(asker, owner, is_ipv6(ip)))
        continue;
      if (model::is_cluster(m_, owner) && (!found.valid() || m_[found].shared == m_[owner].shared)) {
        found = serving(m_[owner].shared, client, asker);
      } else if (found.valid()) {
        out_.contested.push_back(found);
        out_.contested.push_back(owner);
      } else {
        found = owner;
      }
    }
    return found;
  }
  bool can_talk(StationId a, StationId b, bool ipv6) {
    return reach_.can_ask(a, b, ipv6) || reach_.can_ask(b, a, ipv6);
  }

  // Members that don't reach each other are clusters of their own.
  StationId serving(model::SharedId cluster, model::Ipv4 client, StationId asker) const {
    const auto alive = [&](const auto& member) { return forest_.connected(asker, member.alias); };
    return model::serving(m_[cluster], client, alive).alias;
  }
  // One table entry for all members of a cluster.
  StationId neighbour(StationId asker, StationId to) const {
    return model::is_cluster(m_, to) ? serving(m_[to].shared, {}, asker) : to;
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
      const auto [out, next] = owners_.hop_towards(machine, to);
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
      if (!reach_.surely_resolves(pattern.from, pattern.to, pattern.ipv6)) {
        // Without an answer to its questions it sends nothing but these (resolve_again).
        pattern.gap = base::kNever;
        pattern.least = 0;
      }
      const std::uint32_t index = add(pattern);
      resolution_.add({pattern.from, neighbour(pattern.from, pattern.to), pattern.gap,
                       hop == 0 ? progress : base::kNever, index, pattern.ipv6});
      machine = m_[pattern.to].machine;
      entered = pattern.to;
      if (answers && turns_back(translations, machine, to)) entered = {};
      if (owners_.owns(machine, to)) return index;
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
      resolution_.asks_in_vain(wanted.from);
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

  // ------------------------------------------------------------ flows

  void add_flow(model::FlowId id) {
    const Flow& flow = m_[id];
    if (flow.start > when_ || flow.stop <= when_ || !m_[flow.from].running) return;
    if (flow.is_multicast()) return add_flow_to_group(id);
    Ip to = 0;
    for (const StationId s : m_[flow.to].stations) {
      if (to == 0) to = owners_.of(s, flow.ipv6);
    }
    if (flow.to_station.valid()) to = owners_.of(flow.to_station, flow.ipv6);
    StationId out = flow.from_station;
    if (to != 0 && !out.valid()) out = owners_.hop_towards(flow.from, to).first;
    if (to == 0 || !out.valid() || owners_.owns(flow.from, to)) {
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
    const std::size_t first = out_.list.size(), first_use = resolution_.size();
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
    const Ip asker = translations.empty() ? owners_.of(out, flow.ipv6) : translations.back().shown.bits;
    // Of a shared address, whoever has it answers.
    const MachineId answering = m_[out_.list[*arrived].to].machine;
    const bool answered = send(answering, asker, back, base::kNever, translations).has_value();
    if (!tcp) return;
    if (!answered) only_connects(id, first, first_use);
    // What is for an address that nobody learns may be swallowed at any port that takes no unknown unicast.
    const auto open = [&](const Stream& s) {
      return s.flow.valid() &&
             (s.gap == base::kNever || (m_[s.to].hides_its_mac() && !reach_.is_plain(s.to)));
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
    resolution_.take_again(first_use);
  }
  // Where one may lead nowhere, how much there is is open.
  void perhaps_connects(model::FlowId id, std::size_t first, std::size_t first_use) {
    for (std::size_t i = first; i < out_.list.size(); ++i) {
      if (out_.list[i].flow != id) continue;
      out_.list[i].gap = base::kNever;
      out_.list[i].least = 0;
    }
    resolution_.take_again(first_use);
  }
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

  const Model& m_;
  const Forest& forest_;
  const Groups& groups_;
  const Time when_;
  const IpOwners owners_;
  Reach reach_;
  Streams out_;
  Resolution resolution_;
  std::map<std::pair<StationId, Ip>, std::uint32_t> in_vain_;  // questions, by asker and address
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
