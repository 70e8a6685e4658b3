#include "check/unasked.h"

#include "check/stream_terms.h"
#include "model/multicast.h"
#include "switching/first_hop.h"
#include "switching/snooping.h"
#include "wire/listening.h"

namespace sekimori::check {
namespace {

constexpr std::uint16_t kRouterAdvertisementFrame = 110;  // 14 + 40 + 16 + 8 + 32: with MAC and prefix

class Unasked {
 public:
  Unasked(const model::Model& m, const Forest& forest, const Groups& groups, bool is_certain,
          std::vector<Stream>& streams)
      : m_(m), forest_(forest), groups_(groups), is_certain_(is_certain), streams_(streams) {}

  void add() {
    const bool uses_groups = model::uses_groups(m_);
    for (std::size_t i = 0; i < m_.stations.size(); ++i) {
      const StationId s(i);
      const model::Machine& machine = m_[m_[s].machine];
      if (!forest_.place(s).plugged()) continue;
      if (uses_groups) speak_of_groups(s);
      if (!m_[s].ip.address.is_zero()) announce(s, machine.arp.announce_every, false);
      if (m_[s].ip6.address.is_zero()) continue;
      announce(s, machine.nd.announce_every, true);
      if (machine.advertise_every.count() > 0) advertise(s, machine.advertise_every);
    }
    for (const model::SharedAddress& shared : m_.shared) greet(shared);
  }

 private:
  void announce(StationId s, Duration every, bool ipv6) {
    if (every.count() == 0) return;
    const double rate = per_second(every);
    streams_.push_back({.from = s,
                        .to = {},
                        .gap = is_certain_ ? every : base::kNever,
                        .least = is_certain_ ? rate : 0,
                        .most = rate,
                        .bytes = ipv6 ? kDiscoveryFrame : kLeastFrame,
                        .kind = StreamKind::kAnnouncement,
                        .flow = {},
                        .ipv6 = ipv6});
  }

  // Between two of them is a third of the time to all of it.
  void advertise(StationId s, Duration most) {
    streams_.push_back({.from = s,
                        .to = {},
                        .gap = most,
                        .least = per_second(most),
                        .most = per_second(most / 3),
                        .bytes = kRouterAdvertisementFrame,
                        .kind = StreamKind::kAdvertisement,
                        .flow = {},
                        .ipv6 = true});
  }

  // ------------------------------------------------------------ groups

  // Who is in groups says so when it is asked (RFC 3376 section 5.2): once a query, and of each group to an
  // old querier.
  void speak_of_groups(StationId s) {
    const NodeIndex n = forest_.place(s).node;
    if (n == kNone) return;
    for (const bool ipv6 : {false, true}) {
      const AskedBy& asked = groups_.asked_by(forest_[n].component, ipv6);
      if (asked.nobody()) continue;
      if (asked.router == s) query(s, ipv6);
      report(s, asked, ipv6);
    }
  }
  void query(StationId s, bool ipv6) {
    streams_.push_back({.from = s,
                        .to = {},
                        .gap = switching::kQueryInterval,
                        .least = per_second(switching::kQueryInterval),
                        .most = per_second(switching::kQueryInterval),
                        .bytes = ipv6 ? wire::kMldQueryBytes : kLeastFrame,
                        .kind = StreamKind::kQuery,
                        .flow = {},
                        .ipv6 = ipv6});
  }
  void report(StationId s, const AskedBy& asked, bool ipv6) {
    const std::size_t groups = model::groups_of(m_, s, ipv6).size();
    if (groups == 0) return;
    const Duration most = switching::kQueryInterval + switching::kQueryResponse;
    const double frames = asked.is_old ? static_cast<double>(groups) : 1;
    const std::uint16_t old_bytes = ipv6 ? wire::kOldMldBytes : kLeastFrame;
    streams_.push_back({.from = s,
                        .to = {},
                        .gap = most,
                        .least = frames * per_second(most),
                        .most = frames * per_second(switching::kQueryInterval - switching::kQueryResponse),
                        .bytes = asked.is_old ? old_bytes : wire::group_report_bytes(ipv6, groups),
                        .kind = StreamKind::kReport,
                        .flow = {},
                        .ipv6 = ipv6});
  }

  // ------------------------------------------------------------ shared addresses

  void greet(const model::SharedAddress& shared) {
    if (shared.kind == model::SharedKind::kNlb) return;
    const double rate = per_second(shared.interval);
    const auto say = [&](StationId from) {
      streams_.push_back({.from = from,
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

  const model::Model& m_;
  const Forest& forest_;
  const Groups& groups_;
  bool is_certain_;
  std::vector<Stream>& streams_;
};

}  // namespace

void add_unasked(const model::Model& model, const Forest& forest, const Groups& groups, bool is_certain,
                 std::vector<Stream>& streams) {
  Unasked(model, forest, groups, is_certain, streams).add();
}

}  // namespace sekimori::check
