// Changes of the spanning tree. The topology change flag stays set for max age + forward delay after a change
// (35 s by default), so BPDUs with the flag count nothing; its rising edges do. Each change makes switches
// forget (802.1D-2004 section 17.11), so many are a fault: an edge port that is not declared as one, a link
// that flaps.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "watch/detectors.h"

namespace sekimori::watch {
namespace {

constexpr std::size_t kManyChanges = 10;
constexpr Nanos kWindow = 600 * kSecond;

// The most changes within the window, of one interface.
std::size_t most_within(const std::vector<const TopologyChange*>& changes) {
  std::size_t begin = 0, most = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    while (since(changes[i]->frame.at, changes[begin]->frame.at) > kWindow) ++begin;
    most = std::max(most, i + 1 - begin);
  }
  return most;
}

std::string who(const std::vector<const TopologyChange*>& changes) {
  std::set<Mac> macs;
  std::vector<std::string> names;
  for (const TopologyChange* change : changes) {
    if (macs.insert(change->bridge.mac).second) names.push_back(wire::to_text(change->bridge.mac));
  }
  return base::list_words(names, 4);
}

std::string roots_text(const Case& c, std::uint32_t interface) {
  std::map<std::uint16_t, std::size_t> roots;
  for (const RootClaim& claim : c.o.stp.roots) {
    if (c.o.scopes[claim.scope].interface == interface) ++roots[claim.instance];
  }
  const auto contested = std::ranges::count_if(roots, [](const auto& entry) { return entry.second > 1; });
  if (contested == 0) return "";
  return fmt::format(" The root changed as well, in {}.",
                     count_text(static_cast<std::uint64_t>(contested), "tree"));
}

}  // namespace

void detect_spanning_tree(const Case& c, Results& r) {
  std::map<std::uint32_t, std::vector<const TopologyChange*>> by_interface;
  for (const TopologyChange& change : c.o.stp.changes)
    by_interface[c.o.scopes[change.scope].interface].push_back(&change);
  for (const auto& [interface, changes] : by_interface) {
    // One change is told in every tree at once; only changes of one tree follow one another.
    std::map<std::uint16_t, std::vector<const TopologyChange*>> trees;
    for (const TopologyChange* change : changes) trees[change->instance].push_back(change);
    const auto busiest =
        std::ranges::max_element(trees, {}, [](const auto& tree) { return tree.second.size(); });
    const bool many = most_within(busiest->second) >= kManyChanges;
    Finding finding =
        make(Code::kTopologyChanges, Certainty::kObserved, c.where(changes.front()->scope), "", "");
    if (many) finding.severity = Severity::kWarning;
    finding.headline =
        fmt::format("{} of the spanning tree{}, told by {}", count_text(busiest->second.size(), "change"),
                    trees.size() > 1 ? fmt::format(" in {} trees", trees.size()) : "", who(changes));
    finding.cause = fmt::format(
        "{} of {} BPDUs carry the flag or are notifications; it rises {}.{} Switches forget their stations "
        "at each.{}",
        c.o.stp.flagged, c.o.stp.bpdus, count_text(busiest->second.size(), "time"), roots_text(c, interface),
        many ? " So many come of a port to an end station that is not declared as an edge port, or of a link "
               "that flaps."
             : "");
    for (const TopologyChange* change : busiest->second) {
      c.show(finding, change->frame,
             fmt::format("{} by {}",
                         change->notification ? "topology change notification"
                                              : "the topology change flag rises in a BPDU",
                         wire::to_text(change->bridge.mac)));
    }
    finding.onset = c.time(changes.front()->frame);
    r.findings.push_back(std::move(finding));
  }
}

}  // namespace sekimori::watch
