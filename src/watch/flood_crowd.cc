#include "watch/flood_crowd.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "watch/site.h"

namespace sekimori::watch {
namespace {

constexpr std::size_t kLeastReceivers = 3, kLeastFlushed = 2;
constexpr std::size_t kLeastReceiversSure = 2;  // where it is known that both ends are beyond the port
constexpr std::uint64_t kLeastAnswers = 5;
constexpr std::size_t kSmallSegment = 64;  // stations, for which any table has room
// A bridge that sees a change forgets at once (RSTP), or after the forward delay (STP): 15 s, as a rule.
constexpr Nanos kFlushDelay = 3 * kSecond;

// By scope.
std::map<std::uint32_t, Fresh> fresh_of(const Case& c) {
  std::map<std::uint32_t, Fresh> all;
  for (const Pair& pair : c.o.pairs) {
    if (pair.to == kNobody || pair.to == pair.from) continue;
    const std::uint64_t quiet = pair.one_way == kNobody ? 0 : c.o.one_way[pair.one_way].frames;
    const std::uint64_t frames =
        pair.frames - std::min(pair.frames, quiet + 2);  // the first were not looked at
    if (frames < kLeastFresh) continue;
    const Flooded verdict = flooded(c.view(pair.scope), c.o.stations[pair.from], c.o.stations[pair.to]);
    if (verdict == Flooded::kNo) continue;
    Fresh& fresh = all[pair.scope];
    fresh.certain = fresh.certain && verdict == Flooded::kYes;
    fresh.both_ways |= pair.reverse != kNobody && c.o.pairs[pair.reverse].frames >= kLeastAnswers;
    fresh.receivers.insert(pair.destination);
    fresh.frames += frames;
    fresh.bytes += pair.bytes;
    if (fresh.busiest == nullptr || pair.frames > fresh.busiest->frames) fresh.busiest = &pair;
  }
  return all;
}

}  // namespace

FloodCrowd::FloodCrowd(const Case& c, const Results& results) : c_(c), floods_(floods(c, results)) {}

bool FloodCrowd::other_senders(Mac sender) const {
  return std::ranges::any_of(floods_, [&](const Flood& f) {
    return std::ranges::any_of(f.answered, [&](const Pair* p) { return p->source != sender; });
  });
}

void FloodCrowd::tell_common_causes(Results& r) {
  not_learnt(r);
  table_full(r);
  flushed(r);
}

// Somebody answers what is flooded to him, and the answers don't come here: so the one he answers is known.
bool FloodCrowd::somebody_is_learnt(std::uint32_t scope) const {
  return std::ranges::any_of(floods_, [&](const Flood& f) {
    return f.scope == scope &&
           std::ranges::any_of(f.answered, [](const Pair* pair) { return pair->reverse == kNobody; });
  });
}

void FloodCrowd::not_learnt(Results& r) {
  for (const auto& [scope, fresh] : fresh_of(c_)) {
    const View& view = c_.view(scope);
    const std::size_t least = view.sides || view.told ? kLeastReceiversSure : kLeastReceivers;
    if (r.looping.contains(scope) || fresh.receivers.size() < least) continue;
    // If some are learnt, or it is one station that sends, each receiver has a cause of its own.
    if (!fresh.both_ways || somebody_is_learnt(scope)) continue;
    if (c_.site != nullptr && c_.site->hosted_together(fresh.busiest->source, fresh.busiest->destination))
      continue;
    const Nanos time = since(c_.o.last.at, c_.o.first.at);
    Finding finding = make(Code::kFloodNoLearning, Certainty::kObserved, c_.where(scope), "", "");
    finding.headline =
        fmt::format("all unicast floods this port: {} frames between others, {}, to {}", fresh.frames,
                    mbit_text(fresh.bytes, time), count_text(fresh.receivers.size(), "station"));
    finding.cause = fmt::format(
        "Frames for {} come here within a second of their own, when any switch that learns knows the way: "
        "the switch does not learn "
        "(learning is off, or the ageing time is 0), or it is a hub.{}",
        count_text(fresh.receivers.size(), "station"),
        r.mac_flooding ? " Made-up addresses fill its table at the same time, which has the same effect: "
                         "look at these first."
                       : "");
    doubt(scope, fresh, r.mac_flooding, finding);
    const Station& from = c_.o.stations[fresh.busiest->from];
    const Station& to = c_.o.stations[fresh.busiest->to];
    c_.show(finding, from.first_sent,
            fmt::format("{} speaks: the first of {} to {}", c_.name(scope, from.mac),
                        count_text(fresh.busiest->frames, "frame"), c_.name(scope, to.mac)));
    c_.show(finding, to.first_sent,
            fmt::format("{} speaks, and frames for it go on coming", c_.name(scope, to.mac)));
    r.findings.push_back(std::move(finding));
    std::erase_if(floods_, [at = scope](const Flood& f) { return f.scope == at; });
  }
}

// What else could be behind a switch that seems to learn nobody.
void FloodCrowd::doubt(std::uint32_t scope, const Fresh& fresh, bool mac_flooding, Finding& finding) const {
  const View& view = c_.view(scope);
  const bool room = c_.stations_in(scope).size() <= kSmallSegment;
  // All behind one side of this port, which may be a machine's own.
  const bool guests = c_.site == nullptr && view.sides && (!view.told || view.place == Place::kUplink) &&
                      std::ranges::all_of(fresh.receivers, is_virtual_nic);
  if (!fresh.certain) {
    finding.severity = Severity::kNote;
    finding.candidates.emplace_back(
        "no flood: this is a mirror port, or the link to a station that is in most of "
        "the traffic");
    finding.to_decide = "Say where the capture was taken (--at access). ";
  }
  if (guests) {
    finding.candidates.emplace_back(
        "they are guests of one machine, whose virtual switch sends what they say to each "
        "other out of the NIC as well (flood-leak)");
    finding.to_decide = "See whether they are guests of one machine, or capture at a third port. ";
  }
  if (mac_flooding) {
    finding.candidates.emplace_back("made-up addresses fill the table (flood-table-full)");
    finding.to_decide +=
        "Stop the source of the made-up addresses, wait for the ageing time, and capture again.";
  } else if (!room) {
    finding.candidates.emplace_back("the switch's table is full (flood-table-full)");
    finding.to_decide += "Look how many addresses the switch has learnt, and for how many it has room.";
  }
  if (finding.candidates.empty()) return;
  finding.certainty = Certainty::kUndecided;
  finding.candidates.emplace_back("the switch does not learn (flood-no-learning)");
}

// Living receivers of unrelated senders, all unknown at once, while made-up addresses come in.
void FloodCrowd::table_full(Results& r) {
  if (!r.mac_flooding) return;
  std::vector<const Flood*> victims;
  for (const Flood& f : floods_) {
    if (f.alive() && f.certain) victims.push_back(&f);
  }
  if (victims.size() < kLeastReceivers) return;
  Finding finding =
      make(Code::kFloodTableFull, Certainty::kObserved, c_.where(victims.front()->scope), "", "");
  finding.headline = fmt::format("unicast for {} floods this port while made-up addresses come in",
                                 count_text(victims.size(), "station"));
  finding.cause =
      "Switches cannot learn these stations, although they answer: their tables are full of made-up "
      "addresses.";
  for (const Flood* f : victims)
    c_.show(finding, f->first,
            fmt::format("{} is flooded from here on", c_.name(f->scope, f->receiver->mac)));
  const std::uint32_t scope = victims.front()->scope;
  std::erase_if(floods_, [&](const Flood& f) { return f.scope == scope && f.alive() && f.certain; });
  r.findings.push_back(std::move(finding));
}

void FloodCrowd::flushed(Results& r) {
  for (const TopologyChange& change : c_.o.stp.changes) flushed_by(change, r);
}

void FloodCrowd::flushed_by(const TopologyChange& change, Results& r) {
  const auto begins_with_it = [&](const Flood& f) {
    // One that goes on although its receiver lives is not explained by forgetting alone.
    return c_.o.scopes[f.scope].interface == c_.o.scopes[change.scope].interface && !f.alive() &&
           f.first.number > change.frame.number && since(f.first.at, change.frame.at) <= kFlushDelay;
  };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(floods_, begins_with_it));
  if (count < kLeastFlushed) return;
  Finding finding = make(Code::kFloodTopologyChange, Certainty::kObserved, c_.where(change.scope), "", "");
  std::uint64_t frames = 0;
  for (const Flood& f : floods_) {
    if (begins_with_it(f)) frames += f.frames;
  }
  finding.headline = fmt::format("unicast for {} floods this port right after a topology change: {}",
                                 count_text(count, "station"), count_text(frames, "frame"));
  finding.cause = fmt::format(
      "Bridge {} told a change of the spanning tree. Switches then forget where stations are (802.1D section "
      "17.11) and flood for each "
      "until it speaks again.",
      wire::to_text(change.bridge.mac));
  finding.onset = c_.time(change.frame);
  c_.show(
      finding, change.frame,
      change.notification ? "topology change notification" : "BPDU in which the topology change flag rises");
  for (const Flood& f : floods_) {
    if (begins_with_it(f))
      c_.show(finding, f.first, fmt::format("{} is flooded from here on", c_.name(f.scope, f.receiver->mac)));
  }
  std::erase_if(floods_, begins_with_it);
  r.findings.push_back(std::move(finding));
}

}  // namespace sekimori::watch
