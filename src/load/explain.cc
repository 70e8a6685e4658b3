#include "load/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace sekimori::load {

using check::kNone;
using check::Learning;
using check::NodeIndex;
using check::Place;
using check::Stream;
using model::BridgeId;
using model::Model;
using model::PortId;

namespace {

constexpr double kLeastBytes = 1e-3;  // a second; a flood of less is none
constexpr std::size_t kMostNames = 4;

std::string number_of(std::size_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

// "25 %", "at least 25 %", "25 to 30 %" of the frames
std::string share_text(Part p) {
  if (p.most - p.least < 0.005) return base::percent(p.most);
  if (p.least <= 0) return "at most " + base::percent(p.most);
  if (p.most >= 1) return "at least " + base::percent(p.least);
  return fmt::format("{} to {}", base::short_number(p.least * 100, 1), base::percent(p.most));
}

std::string rate(double bytes) {
  const double mbit = bytes * 8e-6;
  if (mbit >= 0.0995) return base::short_number(mbit) + " Mbit/s";
  if (mbit >= 0.0000995) return base::short_number(mbit * 1e3) + " kbit/s";
  return base::short_number(mbit * 1e6) + " bit/s";
}

class Explainer {
 public:
  Explainer(const Learning& learning, const Question& question)
      : l_(learning),
        m_(learning.model()),
        forest_(learning.forest()),
        q_(question),
        name_(name_of(m_, question.to)) {}

  Explanation explain() {
    out_.to = name_;
    const model::Station& station = m_[q_.to];
    out_.address = wire::to_text(station.mac);
    if (!station.ip.address.is_zero()) out_.address += ", " + wire::to_text(station.ip.address);
    if (!station.ip6.address.is_zero()) out_.address += ", " + wire::to_text(station.ip6.address);
    if (q_.at) out_.at = name_of(m_, *q_.at);
    const Place& place = forest_.place(q_.to);
    if (place.plugged()) {
      const bool unnamed = m_[place.port].name.empty() && place.node != kNone;
      out_.place = unnamed ? name_of(m_, forest_[place.node].bridge) : name_of(m_, place.port);
    }
    if (!place.plugged())
      out_.trouble = not_there(q_.to);
    else if (place.node != kNone)
      out_.trouble = broken(forest_.components()[forest_[place.node].component]);
    if (out_.trouble.empty())
      tell_ways();
    else
      out_.conclusion = out_.trouble;
    remark();
    return std::move(out_);
  }

 private:
  // ------------------------------------------------------------ what makes it pointless

  std::string not_there(StationId id) const {
    const std::string name = name_of(m_, id);
    const model::Machine& machine = m_[m_[id].machine];
    const PortId port = m_[id].port;
    if (!machine.running) return fmt::format("Nothing arrives at {}: {} is off.", name, machine.name);
    if (!port.valid() || !m_[port].link.valid())
      return fmt::format("Nothing arrives at {}: nothing is plugged in there.", name);
    if (!m_[m_[port].link].up) return fmt::format("Nothing arrives at {}: its link is down.", name);
    if (!forest_.usable(peer(m_, port)))
      return fmt::format("Nothing arrives at {}: the spanning tree blocks {}.", name,
                         name_of(m_, peer(m_, port)));
    return fmt::format("Nothing arrives at {}: {} does not let its frames in ({}).", name,
                       name_of(m_, peer(m_, port)),
                       m_[id].vlan == 0 ? "they are untagged" : fmt::format("VLAN {}", m_[id].vlan));
  }

  std::string broken(const check::Component& component) const {
    if (!component.broken()) return "";
    if (component.beyond) {
      return fmt::format(
          "Nothing is proved of frames for {}: in its segment a team of uplinks, an aggregation group, a "
          "port that "
          "sends back or a flow that outputs twice makes more than a tree of it. A run decides: \"sekimori "
          "diagnose\" "
          "plays one.",
          name_);
    }
    if (!component.ring) {
      return fmt::format(
          "Nothing can be claimed of frames for {}: in its segment a link changes VLANs on the way back, so "
          "frames and answers take different ways. \"sekimori check\" names the link.",
          name_);
    }
    return fmt::format(
        "Nothing can be claimed of frames for {}: frames can go round in a loop at {}, and each round every "
        "table learns anew. End the loop first; \"sekimori check\" tells how it closes.",
        name_, base::list_words(ring(component), 6));
  }

  // The bridges on rings or between them: what is left when ends are taken off, again and again.
  std::vector<std::string> ring(const check::Component& c) const {
    std::vector<std::size_t> degree(c.end - c.first);
    std::vector<NodeIndex> ends;
    const auto take_off = [&](NodeIndex n) {
      if (degree[n - c.first] == 1) ends.push_back(n);
    };
    for (NodeIndex n = c.first; n < c.end; ++n) {
      degree[n - c.first] = forest_.edges(n).size();
      take_off(n);
    }
    while (!ends.empty()) {
      const NodeIndex n = ends.back();
      ends.pop_back();
      if (degree[n - c.first] == 0) continue;
      degree[n - c.first] = 0;
      for (const check::Edge& edge : forest_.edges(n)) {
        if (degree[edge.to - c.first] == 0) continue;
        --degree[edge.to - c.first];
        take_off(edge.to);
      }
    }
    std::vector<std::string> names;
    for (NodeIndex n = c.first; n < c.end; ++n) {
      const std::string name = name_of(m_, forest_[n].bridge);
      if (degree[n - c.first] > 0 && std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
    return names;
  }

  // ------------------------------------------------------------ which ways

  struct Pair {
    StationId from, to;
    std::vector<std::uint32_t> streams;
  };

  // The streams by which something came here through routers, the first hop first.
  std::vector<std::uint32_t> hops(std::uint32_t stream) const {
    std::vector<std::uint32_t> list{stream};
    const auto& all = l_.streams();
    while (all[list.back()].after != kNone && all[list.back()].on_delivery && all[list.back()].flow.valid()) {
      const Stream& before = all[all[list.back()].after];
      if (before.flow != all[stream].flow || before.kind != all[stream].kind) break;
      list.push_back(all[list.back()].after);
    }
    std::ranges::reverse(list);
    return list;
  }

  std::vector<Pair> pairs() {
    std::vector<Pair> list;
    const auto add = [&](std::uint32_t i) {
      const Stream& s = l_.streams()[i];
      const auto same =
          std::ranges::find_if(list, [&](const Pair& p) { return p.from == s.from && p.to == s.to; });
      if (same == list.end())
        list.push_back({s.from, s.to, {i}});
      else if (std::ranges::find(same->streams, i) == same->streams.end())
        same->streams.push_back(i);
    };
    for (const std::uint32_t i : l_.streams_to(q_.to)) {
      const Stream& s = l_.streams()[i];
      if (s.to != q_.to) continue;  // of another with the same address
      const std::vector<std::uint32_t> chain = q_.from ? hops(i) : std::vector{i};
      if (q_.from && l_.streams()[chain.front()].from != *q_.from) continue;
      if (!l_.possible(i)) {
        unsent_.push_back(describe(m_, s));
        continue;
      }
      for (const std::uint32_t hop : chain) {
        add(hop);
        all_.push_back(hop);
      }
    }
    std::ranges::sort(all_);
    all_.erase(std::unique(all_.begin(), all_.end()), all_.end());
    if (!q_.from) {
      const auto weight = [&](const Pair& p) {
        double bytes = 0;
        for (const std::uint32_t i : p.streams) bytes += l_.streams()[i].most * l_.streams()[i].bytes;
        return bytes;
      };
      std::ranges::stable_sort(list, std::ranges::greater{}, weight);
    }
    return list;
  }

  void tell_ways() {
    std::vector<Pair> list = pairs();
    if (list.empty() && q_.from) {
      if (!hypothetical(list)) return;
    } else if (list.empty()) {
      return tell_nothing_sent();
    }
    if (q_.most_ways > 0 && list.size() > q_.most_ways) {
      out_.ways_left_out = list.size() - q_.most_ways;
      for (std::size_t i = q_.most_ways; i < list.size(); ++i) rest_.push_back(list[i]);
      list.resize(q_.most_ways);
    }
    std::size_t elsewhere = 0;
    for (const Pair& pair : list) {
      Way way = tell_way(pair);
      if (q_.at && way.stops.empty()) {
        ++elsewhere;
        continue;
      }
      out_.ways.push_back(std::move(way));
    }
    if (q_.at && out_.ways.empty())
      entry_only();
    else if (q_.at)
      conclude_at();
    else
      conclude();
    if (q_.at && elsewhere > 0 && !out_.ways.empty())
      out_.remarks.push_back(fmt::format("Frames of {} further {} do not come by {}.", elsewhere,
                                         elsewhere == 1 ? "sender" : "senders", out_.at));
  }

  // A frame that nobody sends, if one could get there.
  bool hypothetical(std::vector<Pair>& list) {
    const std::string from = name_of(m_, *q_.from);
    if (!forest_.place(*q_.from).plugged()) {
      out_.conclusion = not_there(*q_.from);
      out_.conclusion.replace(0, std::string_view("Nothing arrives at ").size(), "Nothing is sent by ");
      return false;
    }
    if (!forest_.connected(*q_.from, q_.to)) {
      out_.conclusion =
          fmt::format("{} and {} are not in one segment: no frame gets from one to the other", from, name_);
      const model::NextHop next = next_hop(m_, m_[*q_.from].machine, m_[q_.to].ip.address);
      StationId gateway;
      for (std::size_t s = 0; s < m_.stations.size() && next.station.valid(); ++s) {
        if (m_.stations[s].ip.address == next.address && forest_.connected(next.station, StationId(s)))
          gateway = StationId(s);
      }
      out_.conclusion +=
          gateway.valid() && gateway != q_.to
              ? fmt::format(". Packets go by way of {}: see --from {} --to {}.", name_of(m_, gateway),
                            name_of(m_, next.station), name_of(m_, gateway))
              : ", and no router leads there.";
      return false;
    }
    out_.remarks.push_back(fmt::format(
        "{} sends nothing to {} in this site. This is what a single frame would meet.", from, name_));
    list.push_back({*q_.from, q_.to, {}});
    return true;
  }

  void tell_nothing_sent() {
    if (q_.at) {
      entry_only();
      return;
    }
    out_.conclusion = fmt::format(
        "Nothing is sent to {}, so there is nothing to explain. Name a sender with --from to see what a "
        "frame would meet.",
        name_);
  }

  // ------------------------------------------------------------ one way

  Way tell_way(const Pair& pair) {
    Way way{.from = name_of(m_, pair.from), .to = name_of(m_, pair.to), .bytes = {}, .flooded = {}};
    for (const std::uint32_t i : pair.streams) {
      const std::string what = describe(m_, l_.streams()[i]);
      if (std::ranges::find(way.what, what) == way.what.end()) way.what.push_back(what);
    }
    const std::vector<Lane> lanes = pair.streams.empty() ? std::vector<Lane>{} : lanes_of(l_, pair.streams);
    lanes_ = &lanes;
    way.bytes = total(m_[pair.from].port);
    if (forest_.place(pair.from).node == kNone) {
      way.cable = true;
      way.arriving = {1, 1};
      way.conclusion =
          fmt::format("It arrives: nothing but a cable lies between {} and {}.", way.from, way.to);
      lanes_ = nullptr;
      return way;
    }
    const Trace trace = load::trace(l_, pair.from, pair.to);
    way.arriving = trace.arriving;
    EntryTeller entries(l_, pair.to);
    const DoingTeller doings(l_, pair.to);
    from_tag_ = m_[pair.from].vlan;
    aside_left_ = q_.most_aside == 0 || q_.at ? static_cast<std::size_t>(-1) : q_.most_aside;
    for (std::size_t i = 0; i < trace.visits.size() && trace.visits[i].aside == 0; ++i)
      add_stops(way, trace, i, entries, doings);
    weigh(way, trace);
    way.conclusion = conclusion_of(way);
    lanes_ = nullptr;
    return way;
  }

  // What the lane out of this port carries of the way's streams.
  Range total(PortId out) const {
    if (lanes_ == nullptr || lanes_->empty() || !out.valid()) return {};
    const model::LinkId link = m_[out].link;
    const Lane& lane = (*lanes_)[2 * link.index() + (m_[link].a == out ? 0 : 1)];
    Range sum = lane.wanted_bytes;
    return sum += lane.flooded_bytes;
  }

  // The visit, then those that its copies lead to. Not by recursion: a chain may be longer than a stack.
  void add_stops(Way& way, const Trace& trace, std::size_t first, EntryTeller& entries,
                 const DoingTeller& doings) {
    std::vector<std::size_t> open{first};
    std::map<std::size_t, std::size_t> stops;  // of visits
    while (!open.empty()) {
      const std::size_t index = open.back();
      open.pop_back();
      const Visit& visit = trace.visits[index];
      if (visit.aside > 0) {
        if (aside_left_ == 0) {
          // Counted where the copies come from, or at what was told last before.
          if (!way.stops.empty()) {
            const auto at = stops.find(visit.from);
            ++(at == stops.end() ? way.stops.back() : way.stops[at->second]).left_out;
          }
          open.insert(open.end(), visit.next.rbegin(), visit.next.rend());
          continue;
        }
        --aside_left_;
      }
      open.insert(open.end(), visit.next.rbegin(), visit.next.rend());
      if (q_.at && forest_[visit.node].bridge != *q_.at) continue;
      stops[index] = way.stops.size();
      way.stops.push_back(tell_stop(trace, visit, entries, doings));
    }
  }

  Stop stop_at(NodeIndex node) const {
    const check::Node& n = forest_[node];
    Stop stop{.bridge = name_of(m_, n.bridge),
              .kind = std::string(to_text(m_[n.bridge].kind)),
              .vlan = m_[n.bridge].vlan_aware && n.vlan != model::kUntaggedOnly ? n.vlan : std::uint16_t{0},
              .bytes = {},
              .entry = {},
              .doing = {},
              .copied = {}};
    return stop;
  }

  Stop tell_stop(const Trace& trace, const Visit& visit, EntryTeller& entries, const DoingTeller& doings) {
    Stop stop = stop_at(visit.node);
    const PortId far = peer(m_, visit.in);
    stop.aside = visit.aside;
    stop.in = name_of(m_, visit.in);
    stop.in_from = m_[far].station.valid() ? name_of(m_, m_[far].station) : name_of(m_, m_[far].bridge);
    stop.in_tag = visit.from == kNoVisit ? from_tag_ : doings.tag(trace.visits[visit.from].node, far);
    stop.bytes = total(far);
    stop.entry = entries.tell(visit.node, visit.toward);
    stop.doing = doings.tell(visit, stop.entry);
    if (visit.aside == 0 && visit.onward.most > 0) stop.out.push_back(name_of(m_, visit.toward));
    for (const PortId port : visit.copies) stop.out.push_back(name_of(m_, port));
    for (const PortId port : visit.copies) {
      const Range copies = total(port);
      if (copies.most > stop.copied.most) stop.copied = copies;
    }
    note_repetition(stop);
    return stop;
  }

  // The same cause is told in full once.
  void note_repetition(Stop& stop) {
    if (stop.entry.why.empty() || stop.entry.state == EntryState::kNoTable) return;
    std::string key = stop.entry.cause + stop.entry.what + stop.entry.why.front();
    const bool by_streams = stop.entry.cause != "doubtful" && stop.entry.cause != "silent";
    for (std::size_t i = 0; by_streams && i < stop.entry.passings.size(); ++i) {
      const Passing& p = stop.entry.passings[i];
      key += fmt::format("|{},{},{}", p.stream, static_cast<int>(p.comes), p.turns_off);
    }
    const auto [known, is_new] = told_.try_emplace(std::move(key), stop.bridge);
    if (!is_new) stop.as_at = known->second;
  }

  // What the copies load, and whom they reach.
  void weigh(Way& way, const Trace& trace) const {
    for (const Visit& visit : trace.visits) {
      for (const PortId port : visit.copies) {
        const PortId far = peer(m_, port);
        if (!far.valid() || m_[m_[port].link].is_virtual) {
          if (!far.valid() || !m_[far].station.valid() || m_[port].role == model::PortRole::kHost) continue;
        } else {
          ++way.flooded_links;
        }
        const Range copies = total(port);
        if (copies.most > way.flooded.most) way.flooded = copies;
        if (m_[far].station.valid()) way.unasked.push_back(name_of(m_, m_[far].station));
        const double capacity = static_cast<double>(m_[m_[port].link].rate.bits_per_second);
        if (way.full.empty() && copies.most * 8 > capacity) {
          way.full = fmt::format("{} to {} ({})", name_of(m_, port), name_of(m_, far),
                                 base::to_text(m_[m_[port].link].rate));
        }
      }
    }
  }

  // ------------------------------------------------------------ what it comes to

  static const Stop* dropping(const Way& way) {
    for (const Stop& stop : way.stops) {
      if (stop.aside == 0 && !stop.doing.drop_reason.empty()) return &stop;
    }
    return nullptr;
  }

  std::string arrival_of(const Way& way) const {
    const Stop* drop = dropping(way);
    std::string because;
    if (drop != nullptr) {
      const EntryState state = drop->entry.state;
      because = fmt::format(": {} drops {}", drop->bridge, way.arriving.least > 0 ? "the rest" : "it");
      if (state == EntryState::kMissing)
        because += fmt::format(", as it has no entry for {} and {}", way.to, drop->doing.drop_reason);
      else if (state == EntryState::kHeld || state == EntryState::kNoTable)
        because += fmt::format(", as {}", drop->doing.drop_reason);
      else
        because += fmt::format(" while it has no entry for {}, as {}", way.to, drop->doing.drop_reason);
    }
    if (way.arriving.most <= 0) return fmt::format("does not arrive{}", because);
    if (way.arriving.least >= 0.9995) return "arrives";
    if (way.arriving.least <= 0 && way.arriving.most >= 1) {
      return drop == nullptr ? "arrives unless a limit on its way drops it"
                             : fmt::format("may or may not arrive{}", because);
    }
    return fmt::format("arrives {} of the time{}", share_text(way.arriving), because);
  }

  std::string conclusion_of(const Way& way) const {
    const bool single = way.what.empty();
    if (l_.doubtful(q_.to) && way.to == name_)
      return fmt::format("Who gets what {} sends to {} can't be told: {}.", way.from, way.to, why_doubtful());
    std::string text = single
                           ? fmt::format("A frame from {} to {} {}", way.from, way.to, would(arrival_of(way)))
                           : fmt::format("What {} sends to {} {}", way.from, way.to, arrival_of(way));
    const bool all = way.arriving.least >= 0.9995;
    if (way.flooded_links + way.unasked.size() == 0) return text + (all ? ", and goes nowhere else." : ".");
    text += all ? ", but " : "; and ";
    text += copies_text(single ? "" : rate_text(way.flooded), way.flooded_links);
    return text + aftermath(way.unasked, way.full);
  }

  std::string why_doubtful() const {
    std::vector<std::string> list = EntryTeller(l_, q_.to).rivals();
    if (list.empty()) return "a static entry leads elsewhere";
    list.insert(list.begin(), name_);
    return base::list_words(list, kMostNames) + " have one address";
  }

  // "arrives 25 % of the time" -> "would arrive 25 % of the time"
  static std::string would(std::string text) {
    for (const auto& [is, then] :
         {std::pair("does not", "would not"), std::pair("arrives", "would arrive")}) {
      if (text.starts_with(is)) return then + text.substr(std::string_view(is).size());
    }
    return text;
  }

  static std::string copies_text(const std::string& rate, std::size_t links) {
    if (links == 0) return rate.empty() ? "copies of it go astray" : rate + " of copies go astray";
    if (rate.empty()) return fmt::format("copies of it go out over {}", number_of(links, "link"));
    return fmt::format("copies of it load {} with {}", number_of(links, "link"), rate);
  }

  static std::string aftermath(const std::vector<std::string>& unasked, const std::string& full) {
    std::string text;
    if (!unasked.empty()) {
      text += fmt::format(": {} {} what is not for {}", base::list_words(unasked, kMostNames),
                          unasked.size() == 1 ? "gets" : "get", unasked.size() == 1 ? "it" : "them");
    }
    if (!full.empty()) text += fmt::format("{}{} can't carry that", unasked.empty() ? ": " : ", and ", full);
    return text + ".";
  }

  void conclude() {
    if (out_.ways.size() == 1 && rest_.empty()) {
      out_.conclusion = out_.ways.front().conclusion;
      return;
    }
    const std::string what = q_.from ? fmt::format("What {} sends to {}", name_of(m_, *q_.from), name_)
                                     : fmt::format("All that is sent to {}", name_);
    if (l_.doubtful(q_.to)) {
      out_.conclusion = fmt::format("Who gets what is sent to {} can't be told: {}.", name_, why_doubtful());
      return;
    }
    std::vector<std::string> short_of, unasked;
    std::string full;
    for (const Way& way : out_.ways) {
      if (way.arriving.least < 0.9995) short_of.push_back("that from " + way.from);
      for (const std::string& station : way.unasked) {
        if (std::ranges::find(unasked, station) == unasked.end()) unasked.push_back(station);
      }
      if (full.empty()) full = way.full;
    }
    if (!short_of.empty())
      out_.conclusion = fmt::format("Not all that is sent to {} arrives: not {}", name_,
                                    base::list_words(short_of, kMostNames));
    else
      out_.conclusion =
          what +
          (rest_.empty() ? " arrives" : fmt::format(" on the {} ways told here arrives", out_.ways.size()));
    std::size_t links = 0;
    Range worst;
    const std::vector<Lane> lanes = lanes_of(l_, all_);
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      const Range& flooded = lanes[lane].flooded_bytes;
      if (flooded.most < kLeastBytes) continue;
      if (!m_.links[lane / 2].is_virtual) ++links;
      if (flooded.most > worst.most) worst = flooded;
    }
    if (worst.most < kLeastBytes) {
      out_.conclusion += short_of.empty() ? ", and none of it is flooded." : ".";
      return;
    }
    out_.conclusion += short_of.empty() ? ", but " : "; and ";
    out_.conclusion += copies_text(rate_text(worst), links) + aftermath(unasked, full);
  }

  // ------------------------------------------------------------ one bridge alone

  void conclude_at() {
    const Stop* worst = &out_.ways.front().stops.front();
    Range copied;
    std::set<std::string> out;
    for (const Way& way : out_.ways) {
      for (const Stop& s : way.stops) {
        copied += s.copied;
        if (s.copied.most > worst->copied.most) worst = &s;
        if (s.copied.most > 0 || way.what.empty())
          out.insert(s.out.begin() + (s.aside == 0 && !s.out.empty() ? 1 : 0), s.out.end());
      }
    }
    const Stop& stop = *worst;
    out_.conclusion = entry_sentence(stop);
    const std::string amount = out_.ways.front().what.empty() ? "frames" : rate_text(copied);
    using enum Action;
    switch (stop.doing.action) {
      case kForwards:
        out_.conclusion += ", and forwards what comes for it.";
        break;
      case kFilters:
        out_.conclusion += ", and drops what comes for it from there.";
        break;
      case kDrops:
        out_.conclusion += fmt::format(", and drops what comes for it: {}.", stop.doing.drop_reason);
        break;
      case kForwardsOrDrops:
        out_.conclusion +=
            fmt::format(", and drops what comes for it meanwhile: {}.", stop.doing.drop_reason);
        break;
      case kHandsOn:
      case kRepeats:
        out_.conclusion +=
            out.empty() ? "."
                        : fmt::format(", and sends {} out of {} besides.", amount,
                                      base::list_words(std::vector(out.begin(), out.end()), kMostNames));
        break;
      default:
        out_.conclusion +=
            out.empty() ? ", but there is no other port to flood."
                        : fmt::format(", so it floods {} out of {}.", amount, number_of(out.size(), "port"));
        break;
    }
  }

  std::string entry_sentence(const Stop& stop) const {
    switch (stop.entry.state) {
      case EntryState::kHeld:
        return fmt::format("{} knows where {} is", stop.bridge, name_);
      case EntryState::kMissing:
        return fmt::format("{} has no entry for {}", stop.bridge, name_);
      case EntryState::kPartOfTime:
        return fmt::format("{} has an entry for {} only {} of the time", stop.bridge, name_,
                           share_text({stop.entry.presence.least, stop.entry.presence.most}));
      case EntryState::kTiming:
        return fmt::format("Whether {} has an entry for {} depends on timing", stop.bridge, name_);
      case EntryState::kNoTable:
        return fmt::format("{} needs no entry for {}", stop.bridge, name_);
    }
    return "";
  }

  // No frame comes by; what would it find?
  void entry_only() {
    const Place& place = forest_.place(q_.to);
    Way way{.from = "", .to = name_, .bytes = {}, .flooded = {}};
    if (place.node != kNone) {
      const check::Component& c = forest_.components()[forest_[place.node].component];
      EntryTeller entries(l_, q_.to);
      for (NodeIndex n = c.first; n < c.end; ++n) {
        if (forest_[n].bridge != *q_.at) continue;
        Stop stop = stop_at(n);
        stop.reached = false;
        std::vector<check::Step> steps;
        forest_.way({n, {}}, place, steps);
        stop.entry = entries.tell(n, steps.front().out);
        way.stops.push_back(std::move(stop));
      }
    }
    if (way.stops.empty()) {
      out_.conclusion =
          fmt::format("{} is not in the segment of {}: no frame for it ever gets there.", out_.at, name_);
      return;
    }
    out_.conclusion = fmt::format("{}; but no frame for it comes by.", entry_sentence(way.stops.front()));
    out_.ways.push_back(std::move(way));
  }

  // ------------------------------------------------------------ beside the ways

  void remark() {
    if (!unsent_.empty()) {
      out_.remarks.push_back(fmt::format("Never sent, as what {} answer{} never arrives: {}.",
                                         unsent_.size() == 1 ? "it" : "they", unsent_.size() == 1 ? "s" : "",
                                         base::list_words(unsent_, kMostNames)));
    }
    std::vector<std::string> lost;
    for (const model::FlowId id : l_.all_streams().lost) {
      if (m_[id].to == m_[q_.to].machine && (!q_.from || m_[id].from == m_[*q_.from].machine))
        lost.push_back(name_of(m_, id));
    }
    if (!lost.empty()) {
      out_.remarks.push_back(fmt::format("Goes nowhere, as no route or nobody with the address is there: {}.",
                                         base::list_words(lost, kMostNames)));
    }
    if (l_.doubtful(q_.to) && out_.trouble.empty()) {
      const std::vector<std::string> rivals = EntryTeller(l_, q_.to).rivals();
      if (!rivals.empty()) {
        out_.remarks.push_back(fmt::format(
            "{} {} the MAC or IP address of {}: who gets what is open, and the ways below lead to {} alone.",
            base::list_words(rivals, kMostNames), rivals.size() == 1 ? "has" : "have", name_, name_));
      }
    }
  }

  const Learning& l_;
  const Model& m_;
  const check::Forest& forest_;
  const Question& q_;
  const std::string name_;
  Explanation out_;
  std::vector<Pair> rest_;
  std::vector<std::uint32_t> all_;  // the streams of all ways
  std::vector<std::string> unsent_;
  // Of the way that is being told.
  const std::vector<Lane>* lanes_ = nullptr;
  std::uint16_t from_tag_ = 0;
  std::map<std::string, std::string> told_;
  std::size_t aside_left_ = 0;
};

}  // namespace

std::string rate_text(Range bytes) {
  if (bytes.decided()) return rate(bytes.most);
  if (bytes.least <= bytes.most / 1000) return "up to " + rate(bytes.most);
  std::string least = rate(bytes.least);
  const std::string most = rate(bytes.most);
  if (const std::size_t unit = least.find(' '); most.ends_with(least.substr(unit))) least.resize(unit);
  return fmt::format("{} to {}", least, most);
}

Explanation explain(const Learning& learning, const Question& question) {
  return Explainer(learning, question).explain();
}

}  // namespace sekimori::load
