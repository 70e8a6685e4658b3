#include "watch/flood.h"

#include <algorithm>

namespace sekimori::watch {
namespace {

constexpr std::uint64_t kLeastFrames = 20;  // fewer are what any switch floods before it learns
constexpr Nanos kLeastDuration = kSecond;
constexpr std::uint64_t kLeastAdvances = 5, kLeastEchoes = 3;
// New data without a word from the receiver: more segments than any sender starts with, and a second long.
constexpr std::uint64_t kLeastData = 64;
constexpr double kSameQuiet = 1.1;  // ratio of silences that count as equal

bool shows_life(const OneWay& way) {
  const bool lasts = since(way.last_progress.at, way.first_progress.at) >= kSecond;
  return way.ack_advances >= kLeastAdvances || way.echo_replies >= kLeastEchoes ||
         (way.data_advances >= kLeastData && lasts);
}

void add_pair(Flood& flood, const Pair& pair, const OneWay& way) {
  flood.pairs.push_back(&pair);
  flood.frames += way.frames;
  flood.bytes += way.bytes;
  flood.ack_advances += way.ack_advances;
  flood.data_advances += way.data_advances;
  flood.echo_replies += way.echo_replies;
  flood.tcp += way.tcp;
  flood.udp += way.udp;
  flood.syn += way.syn;
  if (!flood.first || way.first.number < flood.first.number) flood.first = way.first;
  if (way.last.number > flood.last.number) flood.last = way.last;
  if (!shows_life(way)) return;
  flood.answered.push_back(&pair);
  if (!flood.first_progress || way.first_progress.number < flood.first_progress.number)
    flood.first_progress = way.first_progress;
  if (way.last_progress.number > flood.last_progress.number) flood.last_progress = way.last_progress;
}

// The switches knew the receiver once: what is flooded now are connections whose opening was not, although
// the capture had begun.
bool was_learnt(const Case& c, const Flood& f) {
  const bool opened_here = std::ranges::any_of(
      f.pairs, [&](const Pair* p) { return p->opens || c.o.one_way[p->one_way].syn > 0; });
  return f.fresh == 0 && f.tcp > 0 && !opened_here && since(f.first.at, c.o.first.at) >= kLongPause;
}

bool is_certain(const Case& c, const Flood& f, bool sure_of_place) {
  if (sure_of_place) return true;
  if (f.alive() && !c.view(f.scope).locals.empty()) return true;
  const auto ageing = ageing_of(f);
  return ageing && ageing->proves();
}

}  // namespace

std::vector<Flood> floods(const Case& c, const Results& results) {
  std::map<std::uint32_t, Flood> by_receiver;
  for (const Pair& pair : c.o.pairs) {
    if (pair.one_way == kNobody || results.looping.contains(pair.scope)) continue;
    const Station& from = c.o.stations[pair.from];
    const Station& to = c.o.stations[pair.to];
    const Flooded verdict = flooded(c.view(pair.scope), from, to);
    if (verdict == Flooded::kNo) continue;
    const OneWay& way = c.o.one_way[pair.one_way];
    Flood& flood = by_receiver[pair.to];
    flood.scope = pair.scope;
    flood.receiver = &to;
    flood.certain = flood.certain && verdict == Flooded::kYes;
    const Side side = side_of(c.view(pair.scope), from);
    flood.one_side = side != Side::kUnknown && side == side_of(c.view(pair.scope), to);
    flood.fresh += pair.frames - std::min(pair.frames, way.frames + 2);  // the first ones were not looked at
    add_pair(flood, pair, way);
  }
  std::vector<Flood> out;
  for (auto& [station, flood] : by_receiver) {
    if (flood.frames < kLeastFrames || flood.duration() < kLeastDuration) continue;
    std::ranges::sort(flood.pairs, std::greater(),
                      [&](const Pair* p) { return c.o.one_way[p->one_way].frames; });
    if (flood.receiver->spells != kNobody) flood.spells = c.o.spells[flood.receiver->spells].list;
    flood.learnt = was_learnt(c, flood);
    flood.kept_away = std::ranges::any_of(flood.spells, begins_late);
    flood.certain = is_certain(c, flood, flood.certain);
    out.push_back(std::move(flood));
  }
  std::ranges::stable_sort(out, std::greater(), &Flood::frames);
  return out;
}

std::optional<Ageing> ageing_of(const Flood& flood) {
  // A spell that began because a sender began came later: the shortest silences count.
  Nanos least = INT64_MAX;
  for (const Spell& spell : flood.spells) {
    if (spell.quiet >= kLongPause) least = std::min(least, spell.quiet);
  }
  Ageing ageing{least, {}, 0};
  for (const Spell& spell : flood.spells) {
    if (spell.quiet < kLongPause ||
        static_cast<double>(spell.quiet) > kSameQuiet * static_cast<double>(least))
      continue;
    ageing.spells.push_back(spell);
    if (spell.after != Spell::After::kPause) ++ageing.anchored;
  }
  if (ageing.spells.size() < 2) return std::nullopt;
  return ageing;
}

}  // namespace sekimori::watch
