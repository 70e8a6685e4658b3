#include "load/entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/text.h"
#include "load/reasons.h"
#include "switching/kinds.h"

namespace sekimori::load {

using check::kNone;
using check::Learning;
using check::NodeIndex;
using check::Presence;
using check::Stream;
using model::BridgeKind;
using model::PortId;
using model::StationId;

namespace {

constexpr std::size_t kMostStreams = 64;  // of a station, looked into

std::string percent(const Presence& p) {
  if (p.most - p.least < 0.005) return base::percent(p.most);
  if (p.least <= 0) return "at most " + base::percent(p.most);
  return fmt::format("{} to {}", base::short_number(p.least * 100, 1), base::percent(p.most));
}

// "announcements of a and probes of b come by"
std::string_view verb(std::size_t count, std::string_view one, std::string_view many) {
  return count == 1 ? one : many;
}

}  // namespace

std::string every(base::Duration gap) {
  const double seconds = base::to_seconds(gap);
  return "every " + base::to_text(seconds < 10 ? gap : std::chrono::round<std::chrono::seconds>(gap));
}

std::string_view to_text(EntryState state) {
  switch (state) {
    case EntryState::kHeld:
      return "held";
    case EntryState::kMissing:
      return "missing";
    case EntryState::kPartOfTime:
      return "part-of-time";
    case EntryState::kTiming:
      return "timing";
    case EntryState::kNoTable:
      return "no-table";
  }
  return "?";
}

std::string_view to_text(Comes comes) {
  switch (comes) {
    case Comes::kOnWay:
      return "on-its-way";
    case Comes::kAside:
      return "as-a-copy";
    case Comes::kPerhaps:
      return "perhaps";
    case Comes::kNot:
      return "no";
    case Comes::kUnsent:
      return "unsent";
    case Comes::kNotProved:
      return "not-proved";
  }
  return "?";
}

EntryTeller::EntryTeller(const Learning& learning, StationId station)
    : l_(learning), m_(learning.model()), station_(station), name_(name_of(learning.model(), station)) {
  const auto all = l_.streams_from(station);
  streams_.assign(all.begin(), all.end());
  std::ranges::stable_sort(streams_, {}, [&](std::uint32_t i) {
    return std::tuple(!l_.possible(i), l_.streams()[i].gap, -l_.streams()[i].most);
  });
  if (streams_.size() > kMostStreams) {
    left_out_ = streams_.size() - kMostStreams;
    streams_.resize(kMostStreams);
  }
}

// ---------------------------------------------------------------- the streams of the station

Passing EntryTeller::passing(std::uint32_t index, NodeIndex node) {
  const Stream& stream = l_.streams()[index];
  Passing p{.stream = index,
            .what = describe(m_, stream),
            .gap = l_.certain(index) ? stream.gap : base::kNever,
            .least = stream.least,
            .most = stream.most};
  p.way = stream.to.valid() ? way_text(l_, stream.from, stream.to)
                            : fmt::format("{} to everybody", name_of(m_, stream.from));
  if (!l_.possible(index)) {
    p.comes = Comes::kUnsent;
    return p;
  }
  auto [known, is_new] = traces_.try_emplace(index);
  if (is_new) known->second = trace(l_, stream.from, stream.to, is_arp(stream));
  if (const Visit* visit = known->second.at(node); visit != nullptr) {
    if (visit->aside == 0 || !stream.to.valid())
      p.comes = Comes::kOnWay;
    else
      p.comes = visit->arriving.least > 0 ? Comes::kAside : Comes::kPerhaps;
  } else if (stream.to.valid() && l_.doubtful(stream.to)) {
    p.comes = Comes::kNotProved;
  } else {
    turn(p, stream, node);
  }
  return p;
}

// Where its way leaves the way to the node.
void EntryTeller::turn(Passing& p, const Stream& stream, NodeIndex node) {
  const check::Forest& forest = l_.forest();
  p.comes = Comes::kNot;
  const check::Place& from = forest.place(stream.from);
  if (from.node == kNone || !stream.to.valid() || forest[from.node].component != forest[node].component)
    return;
  std::vector<check::Step> here, there;
  forest.way(from, {node, {}}, here);
  forest.way(from, forest.place(stream.to), there);
  std::size_t same = 0;
  while (same < here.size() && same < there.size() && here[same].node == there[same].node) ++same;
  if (same == 0) return;
  const check::Step& last = there[same - 1];
  p.turns_off = name_of(m_, forest[last.node].bridge);
  p.turns_to = name_of(m_, peer(m_, last.out));
  p.kept_inside = m_[forest[last.node].bridge].kind == BridgeKind::kHostedBridge &&
                  m_[last.out].role == model::PortRole::kHost;
}

bool EntryTeller::is_static(NodeIndex node, PortId* port) const {
  const check::Node& n = l_.forest()[node];
  for (const model::StaticEntry& entry : m_[n.bridge].static_entries) {
    if (entry.mac != m_[station_].mac || (m_[n.bridge].vlan_aware && entry.vlan != n.vlan)) continue;
    *port = entry.port;
    return true;
  }
  return false;
}

std::vector<std::string> EntryTeller::rivals() const {
  std::vector<std::string> list;
  if (!l_.doubtful(station_)) return list;
  for (std::size_t s = 0; s < m_.stations.size(); ++s) {
    const model::Station& other = m_.stations[s];
    if (StationId(s) == station_ || !l_.forest().place(StationId(s)).plugged()) continue;
    const bool same_ip = !other.ip.address.is_zero() && other.ip.address == m_[station_].ip.address;
    const bool same_ip6 = !other.ip6.address.is_zero() && other.ip6.address == m_[station_].ip6.address;
    if (other.mac == m_[station_].mac || same_ip || same_ip6) list.push_back(name_of(m_, StationId(s)));
  }
  return list;
}

// ---------------------------------------------------------------- the entry

EntryStory EntryTeller::tell(NodeIndex node, PortId toward) {
  const check::Node& n = l_.forest()[node];
  const model::Bridge& bridge = m_[n.bridge];
  EntryStory story;
  if (bridge.kind == BridgeKind::kHub) {
    story.state = EntryState::kNoTable;
    story.cause = "hub";
    story.what = "no table: a hub knows nobody";
    return story;
  }
  if (bridge.kind == BridgeKind::kBond) {
    story.state = EntryState::kNoTable;
    story.cause = "bond";
    story.what = "no table: a bond passes on what its machine sends and gets";
    return story;
  }
  if (bridge.kind == BridgeKind::kVlanDevices) {
    story.state = EntryState::kNoTable;
    story.cause = "vlan-devices";
    story.what = "no table: the tag decides between the VLAN devices of the NIC and the bridge above it";
    return story;
  }
  if (switching::registers(bridge.kind)) {
    story.state = EntryState::kNoTable;
    story.cause = bridge.kind == BridgeKind::kHostedBridge ? "hosted" : "registered";
    story.what = "no table: it knows its guests and its host, and takes all else to be outside";
    return story;
  }
  for (const std::uint32_t i : streams_) story.passings.push_back(passing(i, node));
  const Presence p = story.presence = l_.presence(node, toward, station_);
  PortId fixed;
  if (is_static(node, &fixed)) {
    story.state = EntryState::kHeld;
    story.cause = "static";
    story.what = fmt::format("a static one, at {}", name_of(m_, fixed));
    if (m_[fixed].role == model::PortRole::kHost)
      story.why.push_back("A bridge always knows the addresses of its own host.");
    if (fixed != toward && toward.valid()) {
      story.why.push_back(fmt::format(
          "But {} is behind {}: the entry is wrong, and what arrives of the frames is not claimed here.",
          name_, name_of(m_, toward)));
    }
    return story;
  }
  if (p.always()) {
    story.state = EntryState::kHeld;
    story.what = m_[toward].name.empty() ? fmt::format("{} is known, at a port of its own", name_)
                                         : fmt::format("{} is known, behind {}", name_, name_of(m_, toward));
    tell_refreshed(story, node);
  } else if (p.never()) {
    story.state = EntryState::kMissing;
    story.what = "none for " + name_;
    tell_missing(story, node, toward);
  } else if (p.most < 1 && !l_.doubtful(station_)) {
    story.state = EntryState::kPartOfTime;
    story.what = fmt::format("there {} of the time", percent(p));
    tell_part(story, node);
  } else {
    story.state = EntryState::kTiming;
    story.what = p.least > 0 ? fmt::format("there at least {} of the time; for the rest timing decides",
                                           base::percent(p.least))
                             : "timing decides whether there is one";
    tell_timing(story, node);
  }
  return story;
}

void EntryTeller::tell_refreshed(EntryStory& story, NodeIndex node) const {
  story.cause = "refreshed";
  const check::Support s = l_.support(node, station_);
  const std::string ageing = base::to_text(m_[l_.forest()[node].bridge].ageing);
  if (s.stream == kNone) return;
  const auto known = std::ranges::find(story.passings, s.stream, &Passing::stream);
  const bool aside = known != story.passings.end() && known->comes == Comes::kAside;
  std::string text = fmt::format("It is forgotten {} after {} was last heard, but {} comes by at least {}{}.",
                                 ageing, name_, describe(m_, l_.streams()[s.stream]), every(s.gap),
                                 aside ? ", as a copy that others flood" : "");
  // Subjects in the plural: "the answers of", "ARP probes of".
  const check::StreamKind kind = l_.streams()[s.stream].kind;
  if (kind != check::StreamKind::kData) text.replace(text.find(" comes by"), 9, " come by");
  story.why.push_back(std::move(text));
}

std::string EntryTeller::heard_once(NodeIndex node) const {
  const model::Machine& machine = m_[m_[station_].machine];
  const model::Bridge& bridge = m_[l_.forest()[node].bridge];
  const bool announced = (machine.arp.announce_at_start && !m_[station_].ip.address.is_zero()) ||
                         (machine.nd.announce_at_start && !m_[station_].ip6.address.is_zero());
  if (!announced) return "";
  return fmt::format("What it announced when it started was forgotten after {}.",
                     base::to_text(bridge.ageing));
}

void EntryTeller::tell_missing(EntryStory& story, NodeIndex node, PortId toward) const {
  const model::Bridge& bridge = m_[l_.forest()[node].bridge];
  if (!bridge.learning || bridge.ageing.count() == 0) {
    story.cause = "does-not-learn";
    const std::string bridge_name = name_of(m_, l_.forest()[node].bridge);
    story.why.push_back(!bridge.learning
                            ? fmt::format("{} learns nothing (learning: off).", bridge_name)
                            : fmt::format("{} forgets at once what it learns (ageing: 0).", bridge_name));
    return;
  }
  if (!m_[toward].learning) {
    story.cause = "port-does-not-learn";
    story.why.push_back(
        fmt::format("{} learns nothing of what comes in there (learning: off).", name_of(m_, toward)));
    return;
  }
  if (m_[station_].hides_its_mac()) {
    story.cause = "masked";
    story.why.push_back(fmt::format("{} sends from {} and never from {}: nobody can learn where that is.",
                                    name_, wire::to_text(m_[station_].source),
                                    wire::to_text(m_[station_].mac)));
    return;
  }
  std::vector<const Passing*> sent, unsent;
  for (const Passing& p : story.passings) (p.comes == Comes::kUnsent ? unsent : sent).push_back(&p);
  const std::string once = heard_once(node);
  if (sent.empty()) {
    story.cause = "silent";
    std::string why = fmt::format("{} sends nothing that could teach it.", name_);
    if (!unsent.empty()) why = fmt::format("{} sends nothing: what it would answer never arrives.", name_);
    story.why.push_back(std::move(why));
    if (unsent.empty() && !once.empty()) story.why.push_back(once);
    return;
  }
  story.cause = "turns-off";
  // By the bridge where they turn off.
  std::vector<std::pair<std::string, std::vector<const Passing*>>> turns;
  for (const Passing* p : sent) {
    const auto same = std::ranges::find(turns, p->turns_off, &decltype(turns)::value_type::first);
    if (same == turns.end())
      turns.push_back({p->turns_off, {p}});
    else
      same->second.push_back(p);
  }
  std::string why = "Nothing that " + name_ + " sends comes by: ";
  for (std::size_t t = 0; t < turns.size() && t < 2; ++t) {
    const auto& [bridge_name, list] = turns[t];
    std::vector<std::string> whats, ends;
    for (const Passing* p : list) {
      whats.push_back(p->what);
      if (std::ranges::find(ends, p->turns_to) == ends.end()) ends.push_back(p->turns_to);
    }
    const bool many = list.size() > 1 || l_.streams()[list.front()->stream].kind != check::StreamKind::kData;
    if (t > 0) why += "; ";
    why += base::list_words(whats, 2);
    if (bridge_name.empty()) {
      why += many ? " stay elsewhere" : " stays elsewhere";
    } else if (list.front()->kept_inside) {
      why += fmt::format(
          " {} inside the machine, as {} hands what is for its own host up and puts nothing "
          "of it on the wire",
          verb(many ? 2 : 1, "stays", "stay"), bridge_name);
    } else {
      why += fmt::format(" {} off at {}, to {}", verb(many ? 2 : 1, "turns", "turn"), bridge_name,
                         base::list_words(ends, 2));
    }
  }
  if (turns.size() > 2) why += fmt::format("; and {} more elsewhere", turns.size() - 2);
  why += ".";
  story.why.push_back(std::move(why));
  if (!once.empty()) story.why.push_back(once);
}

void EntryTeller::tell_part(EntryStory& story, NodeIndex node) const {
  story.cause = "timers";
  const check::Support s = l_.support(node, station_);
  const std::string ageing = base::to_text(m_[l_.forest()[node].bridge].ageing);
  if (s.stream == kNone || s.gap == base::kNever || s.least <= 0) {
    const bool rare = s.stream != kNone && s.most > 0;
    story.why.push_back(fmt::format(
        "It is forgotten {} after {} was last heard, and {}.", ageing, name_,
        rare ? fmt::format("nothing of it is sure to come by again: {} may, {} at most",
                           describe(m_, l_.streams()[s.stream]), every(base::from_seconds(1 / s.most)))
             : "it comes by less often than that"));
    return;
  }
  const bool full = l_.overfull(l_.forest()[node].bridge);
  story.why.push_back(fmt::format(
      "It is forgotten {} after {} was last heard, and all that comes by of {} {} {}, {} or so.{}", ageing,
      name_, name_, s.count == 1 ? "is" : "for certain is", describe(m_, l_.streams()[s.stream]),
      every(base::from_seconds(1 / s.least)), full ? " The table may be too small besides." : ""));
}

void EntryTeller::tell_timing(EntryStory& story, NodeIndex node) const {
  const check::Node& n = l_.forest()[node];
  const std::string bridge = name_of(m_, n.bridge);
  if (l_.doubtful(station_)) {
    story.cause = "doubtful";
    const std::vector<std::string> others = rivals();
    story.why.push_back(
        others.empty()
            ? fmt::format("A static entry leads elsewhere than {} is, so nothing is claimed.", name_)
            : fmt::format("{} {} an address with {}: who was heard last decides, so nothing is claimed.",
                          base::list_words(others, 4), others.size() == 1 ? "shares" : "share", name_));
    return;
  }
  if (l_.overfull(n.bridge)) {
    story.cause = "table-full";
    story.why.push_back(fmt::format(
        "The table of {} has room for {} addresses, and {}{} come by: who comes too late is not learnt.",
        bridge, m_[n.bridge].table_size,
        l_.certain_addresses(n.bridge) > m_[n.bridge].table_size ? "" : "up to ", l_.addresses(n.bridge)));
    return;
  }
  story.cause = "timing";
  const std::string ageing = base::to_text(m_[n.bridge].ageing);
  const check::Support s = l_.support(node, station_);
  const std::string which = s.stream == kNone ? "" : describe(m_, l_.streams()[s.stream]);
  if (s.gap != base::kNever) {
    story.why.push_back(
        fmt::format("{} comes by at least {} for certain, and the ageing time is {}: other "
                    "frames of {}, or a small delay, decide.",
                    which, every(s.gap), ageing, name_));
    return;
  }
  const auto known = std::ranges::find(story.passings, s.stream, &Passing::stream);
  const bool perhaps = known != story.passings.end() && known->comes == Comes::kPerhaps;
  story.why.push_back(
      perhaps ? fmt::format("No frame of {} is sure to come by within the ageing time of {}. Only copies "
                            "can: \"{}\", while another bridge floods it.",
                            name_, ageing, which)
              : fmt::format("No frame of {} is sure to come by within the ageing time of {}, and none is "
                            "sure not to: {} may.",
                            name_, ageing, which));
}

}  // namespace sekimori::load
