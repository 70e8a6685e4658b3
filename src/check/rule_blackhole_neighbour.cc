// A bridge that suppresses ARP answers for stations behind its suppressing ports from a table of its own
// (switching/suppression.h). Nothing in layer 2 corrects an entry that is wrong: whoever asks over the bridge
// believes the answer, sends to that MAC, and the question never reaches the station that could say
// otherwise. A guest that was made anew under its old IP address, and a control plane that has not heard of
// it, is enough.
#include <fmt/format.h>

#include <algorithm>

#include "check/words.h"
#include "switching/suppression.h"

namespace sekimori::check {
namespace {

using model::KnownNeighbour;
using model::Model;
using model::StationId;

std::vector<StationId> owners(const Model& m, const KnownNeighbour& known) {
  std::vector<StationId> found;
  for (std::size_t s = 0; s < m.stations.size(); ++s) {
    const model::Station& station = m.stations[s];
    if (known.ip.is_zero() ? station.ip6.address == known.ip6 : station.ip.address == known.ip)
      found.emplace_back(s);
  }
  return found;
}

// Without an entry for the MAC in its table the bridge does not answer.
bool can_be_in_table(const Model& m, const model::Bridge& bridge, wire::Mac mac) {
  return std::ranges::find(bridge.static_entries, mac, &model::StaticEntry::mac) !=
             bridge.static_entries.end() ||
         std::ranges::find(m.stations, mac, &model::Station::mac) != m.stations.end();
}

}  // namespace

void rule_blackhole_neighbour(const Site& site, std::vector<findings::Finding>& out) {
  const Model& m = site.model;
  for (std::size_t b = 0; b < m.bridges.size(); ++b) {
    const model::Bridge& bridge = m.bridges[b];
    if (bridge.neighbours.empty() || !switching::suppresses(m, bridge)) continue;
    for (const KnownNeighbour& known : bridge.neighbours) {
      if (!can_be_in_table(m, bridge, known.mac)) continue;
      std::vector<StationId> stations = owners(m, known);
      if (stations.empty() ||
          std::ranges::any_of(stations, [&](StationId s) { return m[s].mac == known.mac; }))
        continue;
      findings::Finding f = proved(findings::Code::kBlackholeNeighbour);
      f.bridge = model::BridgeId(b);
      f.line = known.line;
      f.where = name_of(m, f.bridge);
      const std::string ip = known.ip.is_zero() ? wire::to_text(known.ip6) : wire::to_text(known.ip);
      f.headline = fmt::format("{} answers ARP for {} with a MAC that it does not have", f.where,
                               name_of(m, stations.front()));
      f.cause = fmt::format(
          "{} says that {} is at {}; it is {}, at {}. Ports with `neigh-suppress` keep the question from it, "
          "and "
          "whoever asks over {} sends to an address where it is not.",
          f.where, ip, wire::to_text(known.mac), name_of(m, stations.front()),
          wire::to_text(m[stations.front()].mac), f.where);
      f.stations = std::move(stations);
      out.push_back(std::move(f));
    }
  }
}

}  // namespace sekimori::check
