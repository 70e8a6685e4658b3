// Every station of a segment takes every broadcast of it: its NIC cannot filter them, so each costs an
// interrupt and some work of the stack, and each crosses every link down to the slowest. So a segment has a
// budget.
//
// What a station broadcasts is mostly ARP. A. Myers, T. S. E. Ng and H. Zhang ("Rethinking the Service Model:
// Scaling Ethernet to a Million Nodes", HotNets 2004) measured a LAN of 2 456 hosts: 1 150 ARP requests a
// second at the peak, which is 0.47 for each host. Periodic announcements that the site declares come on top.
// Books on LAN design put the limit for well-behaved IP at 500 to 1 000 nodes a segment.
#include <fmt/format.h>

#include "check/words.h"

namespace sekimori::check {
namespace {

constexpr std::size_t kNoteAbove = 500, kWarnAbove = 1000;
constexpr double kWarnShare = 0.10;  // of the slowest link, for broadcasts alone
constexpr double kRequestsPerSecond = 1150.0 / 2456;
constexpr double kBytesOnWire = 64 + 20;  // the least frame, with preamble and gap

struct Slowest {
  model::PortId port;
  base::BitRate rate{};
};

Slowest slowest_link(const model::Model& m, const model::Segment& segment) {
  Slowest slowest;
  for (const auto& [bridge, vlan] : segment.bridges) {
    for (const model::PortId port : m[bridge].ports) {
      const model::LinkId link = m[port].link;
      if (!link.valid() || !m[link].up || m[link].is_virtual || !carries(m, port, vlan)) continue;
      if (!slowest.port.valid() || m[link].rate < slowest.rate) slowest = {port, m[link].rate};
    }
  }
  return slowest;
}

double broadcasts_per_second(const model::Model& m, const model::Segment& segment) {
  double rate = 0;
  for (const model::StationId s : segment.stations) {
    const base::Duration announce = m[m[s].machine].arp.announce_every;
    rate += kRequestsPerSecond + (announce.count() > 0 ? 1 / base::to_seconds(announce) : 0);
  }
  return rate;
}

}  // namespace

void rule_segment_large(const Site& site, std::vector<findings::Finding>& out) {
  const model::Model& m = site.model;
  for (std::size_t i = 0; i < site.segments.list.size(); ++i) {
    const model::Segment& segment = site.segments.list[i];
    if (segment.bridges.empty()) continue;
    const std::size_t stations = segment.stations.size();
    const double rate = broadcasts_per_second(m, segment);
    const double bits = rate * kBytesOnWire * 8;
    const Slowest slowest = slowest_link(m, segment);
    const double share = slowest.port.valid() ? bits / static_cast<double>(slowest.rate.bits_per_second) : 0;
    if (stations <= kNoteAbove && share <= kWarnShare) continue;
    findings::Finding f = proved(findings::Code::kSegmentLarge);
    if (stations <= kWarnAbove && share <= kWarnShare) f.severity = findings::Severity::kNote;
    f.bridge = segment.bridges.front().first;
    f.line = m[f.bridge].line;
    f.where = segment_name(site, static_cast<std::uint32_t>(i));
    f.headline =
        fmt::format("one segment of {} stations: each takes about {} broadcasts a second at busy times",
                    stations, base::short_number(rate, rate < 10 ? 1 : 0));
    f.cause = fmt::format(
        "A broadcast reaches every station of {}. At 0.47 ARP requests a second from each station, as was "
        "measured in a LAN of 2456 at its busiest, and with the announcements of this site, that is {} "
        "Mbit/s",
        f.where, base::short_number(bits * 1e-6));
    if (slowest.port.valid()) {
      f.cause += fmt::format(", {} % of the slowest link, {} ({})",
                             share < 0.001 ? "less than 0.1" : base::short_number(share * 100, 1),
                             name_of(m, m[slowest.port].link), base::to_text(slowest.rate));
    }
    f.cause += fmt::format(
        ". One flood or one loop is felt by all of them. Above {} stations it is a note, above {}, or {} % "
        "of the slowest link, a warning; end the segment at routers, or split it into VLANs.",
        kNoteAbove, kWarnAbove, kWarnShare * 100);
    out.push_back(std::move(f));
  }
}

}  // namespace sekimori::check
