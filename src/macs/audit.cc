#include "macs/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_set>

#include "base/birthday.h"
#include "base/text.h"
#include "model/pool_overlap.h"
#include "wire/mac_kinds.h"

namespace sekimori::macs {
namespace {

using findings::Code;
using findings::Finding;
using findings::Severity;

constexpr std::size_t kNamed = 5, kEvidence = 8;

Finding finding(Code code) {
  Finding f;
  f.code = code;
  f.severity = findings::entry(code).severity;
  f.certainty = findings::Certainty::kProved;
  return f;
}

template <class Nics>
std::string names(const Inventory& inventory, const Nics& nics) {
  std::vector<std::string> list;
  for (const std::size_t n : nics) list.push_back(inventory.name_of(inventory.nics[n]));
  return base::list_words(list, kNamed);
}

std::string place(const Inventory& inventory, const Nic& nic) {
  return fmt::format("{}{}", inventory.texts[nic.source], nic.line == 0 ? "" : fmt::format(":{}", nic.line));
}

template <class Nics>
void add_evidence(const Inventory& inventory, const Nics& nics, Finding& f) {
  constexpr std::string_view kPowers[] = {"power state not known", "off", "running"};
  for (const std::size_t n : nics) {
    if (f.evidence.size() == kEvidence) break;
    const Nic& nic = inventory.nics[n];
    std::string what =
        fmt::format("{}: {}, {}", inventory.name_of(nic), kPowers[static_cast<std::size_t>(nic.power)],
                    nic.segment == kNothing ? "segment not known"
                                            : fmt::format("segment {}", inventory.texts[nic.segment]));
    if (nic.uuid != kNothing) what += fmt::format(", UUID {}", inventory.texts[nic.uuid]);
    if (nic.os_id != kNothing) what += fmt::format(", machine-id {}", inventory.texts[nic.os_id]);
    f.evidence.push_back({.at = {}, .where = place(inventory, nic), .what = std::move(what)});
  }
}

// ---------------------------------------------------------------- duplicates

// What came along with the MAC.
std::string clone_text(const Inventory& inventory, const Duplicate& duplicate) {
  const auto nic = [&](std::size_t i) -> const Nic& { return inventory.nics[i]; };
  std::string text;
  std::set<std::pair<Text, Text>> machines;
  for (const std::size_t n : duplicate.nics) machines.insert({nic(n).manager, nic(n).machine});
  std::size_t told = 0;
  for (const std::size_t n : duplicate.nics) {
    if (nic(n).clone_of == kNothing || !machines.contains({nic(n).manager, nic(n).clone_of}) || ++told > 3)
      continue;
    text += fmt::format("{} is a clone of {} and kept its MAC. ", inventory.name_of(nic(n)),
                        inventory.texts[nic(n).clone_of]);
  }
  const auto shared = [&](Text Nic::* field) -> const Nic* {
    std::vector<std::size_t> sorted = duplicate.nics;
    std::ranges::stable_sort(sorted, {}, [&](std::size_t n) { return nic(n).*field; });
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      const Nic &a = nic(sorted[i - 1]), &b = nic(sorted[i]);
      const bool two = a.manager != b.manager || a.machine != b.machine;
      if (two && a.*field != kNothing && a.*field == b.*field) return &b;
    }
    return nullptr;
  };
  if (const Nic* with = shared(&Nic::uuid))
    text += fmt::format("They share the UUID {}: copies of one machine, or one machine in two inventories. ",
                        inventory.texts[with->uuid]);
  if (const Nic* with = shared(&Nic::os_id))
    text += fmt::format(
        "They share the machine-id {}, from which systemd derives the MACs of bridges, bonds and virtual "
        "functions: the "
        "system was cloned; give each copy a machine-id of its own. ",
        inventory.texts[with->os_id]);
  return text;
}

Finding tell(const Inventory& inventory, const Duplicate& duplicate) {
  const bool real = duplicate.kind == Duplicate::Kind::kReal;
  Finding f = finding(real ? Code::kMacDuplicate : Code::kMacDuplicateLatent);
  f.where = names(inventory, duplicate.nics);
  const std::string mac = wire::to_text(duplicate.mac);
  f.cause = fmt::format("{} is the MAC of {}. {}", mac, f.where, clone_text(inventory, duplicate));
  switch (duplicate.kind) {
    case Duplicate::Kind::kReal:
      f.headline = fmt::format("{} have the same MAC, {}, in one segment", f.where, mac);
      f.cause += "Switches send frames for it to whichever spoke last, and the other gets nothing.";
      break;
    case Duplicate::Kind::kUndecided:
      f.headline =
          fmt::format("{} have the same MAC, {}; the sources don't tell whether they meet", f.where, mac);
      f.cause += "If two of them run in one segment, both have lost their network already.";
      f.certainty = findings::Certainty::kUndecided;
      f.candidates = {"they run in one segment and take each other's frames", "they never meet"};
      f.to_decide =
          "Add the segment and the power state to the inventories, or look up the machines listed here.";
      break;
    case Duplicate::Kind::kLatent:
      f.headline = fmt::format("{} have the same MAC, {}; nothing breaks yet", f.where, mac);
      f.cause +=
          "They are in different segments, or do not run at the same time. When the segments are joined, or "
          "one of "
          "them moves or is started, both lose their network.";
      break;
  }
  add_evidence(inventory, duplicate.nics, f);
  return f;
}

// ---------------------------------------------------------------- single addresses

void tell_odd(const Inventory& inventory, std::vector<Finding>& out) {
  std::map<Mac, std::vector<std::size_t>> known, invalid;
  std::vector<std::size_t> hardware;
  for (std::size_t n = 0; n < inventory.nics.size(); ++n) {
    const Nic& nic = inventory.nics[n];
    if (nic.mac.is_zero() || nic.mac.is_group())
      invalid[nic.mac].push_back(n);
    else if (nic.origin != Origin::kAllocated && wire::well_known(nic.mac) != nullptr)
      known[nic.mac].push_back(n);
    else if (nic.role == Role::kGuest && nic.origin != Origin::kAllocated &&
             wire::looks_like_hardware(nic.mac))
      hardware.push_back(n);
  }
  for (const auto& [mac, nics] : invalid) {
    Finding f = finding(Code::kMacInvalid);
    f.severity = Severity::kError;
    f.where = names(inventory, nics);
    f.headline = fmt::format("{} cannot have the MAC {}", f.where, wire::to_text(mac));
    f.cause =
        "A group address (first octet odd) or zero is no source address: switches do not learn it, and some "
        "drop the "
        "frame. In an inventory it may stand for one that is not known.";
    add_evidence(inventory, nics, f);
    out.push_back(std::move(f));
  }
  for (const auto& [mac, nics] : known) {
    const bool runs =
        std::ranges::any_of(nics, [&](std::size_t n) { return inventory.nics[n].power == Power::kRunning; });
    Finding f = finding(Code::kMacWellKnown);
    f.where = names(inventory, nics);
    f.headline = fmt::format("{} {} the MAC {}, {}", f.where, nics.size() == 1 ? "has" : "have",
                             wire::to_text(mac), wire::well_known(mac)->what);
    f.cause = fmt::format(
        "{} is no address of its own but one that others use, too. {}, the two take each other's frames. "
        "Draw one at "
        "random, or allocate one.",
        wire::to_text(mac),
        runs ? "When another that uses it is started in its segment"
             : "As soon as it runs in a segment with another that uses it");
    add_evidence(inventory, nics, f);
    out.push_back(std::move(f));
  }
  if (hardware.empty()) return;
  Finding f = finding(Code::kMacInvalid);
  f.where = names(inventory, hardware);
  f.headline = fmt::format("{} of guests {} a hardware maker's address: {}",
                           hardware.size() == 1 ? "1 NIC" : fmt::format("{} NICs", hardware.size()),
                           hardware.size() == 1 ? "has" : "have", f.where);
  f.cause = fmt::format(
      "{} is neither locally administered (second bit of the first octet) nor from the block of a maker of "
      "virtual NICs. "
      "If it was copied from a card, that card must never come into the same segment.",
      wire::to_text(inventory.nics[hardware.front()].mac));
  add_evidence(inventory, hardware, f);
  out.push_back(std::move(f));
}

// ---------------------------------------------------------------- draws

constexpr double kWarnAbove = 1e-3, kNoteAbove = 1e-6;  // as in check/rule_mac_birthday.cc

// Equal addresses in two segments harm nobody, so each segment is judged by itself; where no segment is
// known, all of it as one.
void tell_birthdays(const Inventory& inventory, std::vector<Finding>& out) {
  struct Draws {
    std::map<Text, std::vector<std::size_t>> by_segment;
    std::string_view who;  // empty: the source says that they were drawn
  };
  std::map<std::pair<Mac, int>, Draws> draws;
  for (std::size_t n = 0; n < inventory.nics.size(); ++n) {
    const Nic& nic = inventory.nics[n];
    if (nic.origin == Origin::kDrawn && nic.drawn_bits != 0) {
      const std::uint64_t free = (std::uint64_t{1} << nic.drawn_bits) - 1;
      draws[{Mac{nic.mac.bits & ~free}, nic.drawn_bits}].by_segment[nic.segment].push_back(n);
    } else if (const auto* block = nic.origin == Origin::kUnknown ? wire::drawn_from(nic.mac) : nullptr) {
      Draws& of_block = draws[{block->range.first, 24}];
      of_block.who = block->what;
      of_block.by_segment[nic.segment].push_back(n);
    }
  }
  for (auto& [range, of_range] : draws) {
    auto& [segment, nics] =
        *std::ranges::max_element(of_range.by_segment, {}, [](const auto& e) { return e.second.size(); });
    // One that is there twice was drawn once, or twice: the duplicate is told by itself.
    std::ranges::sort(nics, {}, [&](std::size_t n) { return inventory.nics[n].mac; });
    const auto [gone, end] =
        std::ranges::unique(nics, {}, [&](std::size_t n) { return inventory.nics[n].mac; });
    nics.erase(gone, end);
    const double size = std::ldexp(1.0, range.second);
    const double chance = base::chance_of_collision(nics.size(), size);
    if (chance < kNoteAbove) continue;
    Finding f = finding(Code::kMacBirthday);
    if (chance < kWarnAbove) f.severity = Severity::kNote;
    const std::string block = fmt::format("{}/{}", wire::to_text(range.first), 48 - range.second);
    f.where = segment == kNothing ? block : fmt::format("{} in {}", block, inventory.texts[segment]);
    f.headline = fmt::format("{} NICs have MACs drawn from {} addresses: two are equal with a chance of {}",
                             nics.size(), size, base::chance_text(chance));
    f.cause = fmt::format(
        "{} NICs{} have addresses of {}, {}, without asking what is in use. Whatever came out this time, the "
        "next guest "
        "draws again. A range twice as large, or an allocator that asks, makes it rarer or rules it out.",
        nics.size(),
        segment == kNothing ? ", in whatever segments," : fmt::format(" in {}", inventory.texts[segment]),
        block,
        of_range.who.empty() ? "drawn at random" : fmt::format("from which {} draw at random", of_range.who));
    add_evidence(inventory, std::span(nics).first(std::min<std::size_t>(nics.size(), 3)), f);
    out.push_back(std::move(f));
  }
}

// ---------------------------------------------------------------- pools and the registry

void tell_overlaps(std::vector<model::MacPool> pools, std::vector<Finding>& out) {
  for (const model::PoolCluster& cluster : model::pool_clusters(pools)) {
    if (cluster.pools.size() < 2) continue;
    std::vector<std::string> list;
    for (const model::MacPool* pool : cluster.pools) list.push_back(pool->name);
    Finding f = finding(Code::kMacPoolOverlap);
    f.where = base::list_words(list, kNamed);
    f.headline = fmt::format("the MAC pools {} overlap{} {} addresses", f.where,
                             list.size() == 2 ? " in" : ", the most by",
                             model::size_of(cluster.shared_first, cluster.shared_last));
    f.cause = model::overlap_text(cluster) +
              "Neither manager knows what the other has given, so the same address is given twice in the "
              "end; where the "
              "two guests meet in a segment, both lose their network. Give each manager a range of its own.";
    out.push_back(std::move(f));
  }
}

void tell_strangers(const Inventory& inventory, const Known& known, std::vector<Finding>& out) {
  std::map<std::string_view, std::vector<std::size_t>> unrecorded;  // by pool
  for (std::size_t n = 0; n < inventory.nics.size(); ++n) {
    const Nic& nic = inventory.nics[n];
    const auto at = std::ranges::lower_bound(known.entries, nic.mac, {}, &Entry::mac);
    const Entry* entry =
        at != known.entries.end() && at->mac == nic.mac && at->state != State::kFreed ? &*at : nullptr;
    if (entry == nullptr) {
      const auto pool =
          std::ranges::find_if(known.pools, [&](const Pool& p) { return p.range.contains(nic.mac); });
      if (pool != known.pools.end()) unrecorded[pool->name].push_back(n);
      continue;
    }
    if (!entry->owner.known() || nic.machine == kNothing) continue;
    const Owner owner = inventory.owner_of(nic);
    if (entry->owner.machine == owner.machine && (owner.nic.empty() || entry->owner.nic == owner.nic))
      continue;
    Finding f = finding(Code::kMacDuplicateLatent);
    f.where = fmt::format("{} and {}", inventory.name_of(nic), macs::to_text(entry->owner));
    f.headline = fmt::format("{} has the MAC {}, which the registry gave to {}", inventory.name_of(nic),
                             wire::to_text(nic.mac), macs::to_text(entry->owner));
    f.cause = fmt::format(
        "{}. If both exist, they meet one day; if it is one machine under two names, reserve the address "
        "under the right one.",
        describe(*entry));
    add_evidence(inventory, std::vector{n}, f);
    out.push_back(std::move(f));
  }
  for (const auto& [pool, nics] : unrecorded) {
    Finding f = finding(Code::kMacPoolOverlap);
    f.where = names(inventory, nics);
    f.headline = fmt::format("{} {} of the MAC pool {}, and the registry does not know of it", f.where,
                             nics.size() == 1 ? "has an address" : "have addresses", pool);
    f.cause = fmt::format(
        "{} is in the pool {} of {}, but was not given by it, so it will be given to another in time. "
        "\"sekimori mac "
        "reserve\" records what is in use.",
        wire::to_text(inventory.nics[nics.front()].mac), pool, known.registry);
    add_evidence(inventory, nics, f);
    out.push_back(std::move(f));
  }
}

}  // namespace

std::vector<findings::Finding> audit(const Inventory& inventory, const Known* known) {
  std::vector<Finding> found;
  for (const Duplicate& duplicate : duplicates(inventory)) found.push_back(tell(inventory, duplicate));
  tell_odd(inventory, found);
  tell_birthdays(inventory, found);
  std::vector<model::MacPool> pools = inventory.pools;
  if (known != nullptr) {
    for (const Pool& pool : known->pools) {
      model::MacPool converted;
      converted.name = fmt::format("{}: {}", known->registry, pool.name);
      converted.first = pool.range.first;
      converted.last = pool.range.last;
      pools.push_back(std::move(converted));
    }
  }
  tell_overlaps(std::move(pools), found);
  if (known != nullptr) tell_strangers(inventory, *known, found);
  findings::sort_findings(found);
  return found;
}

}  // namespace sekimori::macs
