#include "check/resolution.h"

#include <algorithm>

#include "check/stream_terms.h"
#include "model/nlb.h"

namespace sekimori::check {

namespace {

constexpr Duration kDelayFirstProbe = base::seconds(5);    // Linux: delay_first_probe_time
constexpr Duration kForEver = base::seconds(7L * 86'400);  // a timeout of weeks is none

// Questions a second of a stack without an entry for as long as that.
double most_asked(Duration timeout) { return per_second(std::max(timeout, base::milliseconds(1))); }

}  // namespace

Resolution::Resolution(const model::Model& model, const Forest& forest, Reach& reach,
                       std::vector<Stream>& streams)
    : m_(model), forest_(forest), reach_(reach), streams_(streams), asks_(model.stations.size(), 0) {}

void Resolution::take_again(std::size_t first) {
  for (std::size_t i = first; i < uses_.size(); ++i) {
    uses_[i].gap = streams_[uses_[i].stream].gap;
    uses_[i].progress = base::kNever;
  }
}

void Resolution::add_streams() {
  merge();
  for (const Use& use : uses_) {
    // A stack that probes asks by broadcast, too, where its probes may be swallowed.
    if (use.ipv6) continue;  // of no concern to anybody else
    if (!arp(use.from).confirm_by_probe || !reach_.surely_probes(use.from, use.to)) asks_in_vain(use.from);
  }
  for (const Use& use : uses_) resolve_again(use);
}

// One use a pair of stations.
void Resolution::merge() {
  std::ranges::stable_sort(uses_, {}, &Use::key);
  std::size_t kept = 0;
  for (const Use& use : uses_) {
    if (kept == 0 || uses_[kept - 1].key() != use.key()) {
      uses_[kept++] = use;
      continue;
    }
    Use& merged = uses_[kept - 1];
    if (use.gap < merged.gap) merged.stream = use.stream;
    merged.gap = std::min(merged.gap, use.gap);
    merged.progress = std::min(merged.progress, use.progress);
  }
  uses_.resize(kept);
}

const model::ArpSettings& Resolution::settings(const Use& use) const {
  const model::Machine& machine = m_[m_[use.from].machine];
  return use.ipv6 ? machine.nd : machine.arp;
}

const Use* Resolution::find(StationId from, StationId to) const {
  const auto it = std::ranges::lower_bound(uses_, std::tuple(from, to, false), {}, &Use::key);
  return it != uses_.end() && it->key() == std::tuple(from, to, false) ? &*it : nullptr;
}

// nullopt: never.
std::optional<Resolution::Period> Resolution::probing(const Use& use) const {
  const model::ArpSettings& a = settings(use);
  if (!a.confirm_by_probe || a.timeout >= kForEver) return std::nullopt;
  if (a.confirm_by_progress && use.progress < kDelayFirstProbe) return std::nullopt;
  const Duration shortest = a.timeout + kDelayFirstProbe;
  const bool perhaps = a.confirm_by_progress && use.progress < a.timeout;
  return Period{shortest, perhaps ? base::kNever : sum(shortest, sum(use.gap, kSlack))};
}

// What `hearer` hears of `speaker` in ARP frames other than answers to its own questions.
Resolution::Hearing Resolution::hears(StationId hearer, StationId speaker) const {
  Hearing h;
  const auto also = [&](Duration gap) {
    h.possible = true;
    h.certain = std::min(h.certain, gap);
  };
  if (arp(speaker).announce_every.count() > 0) also(arp(speaker).announce_every);
  if (const Use* back = find(speaker, hearer)) {
    if (const auto period = probing(*back)) also(period->longest);
  }
  if (asks_[speaker.index()] > 0) also(base::kNever);
  return h;
}

void Resolution::resolve_again(const Use& use) {
  if (settings(use).confirm_by_probe) {
    if (const auto period = probing(use))
      ask(use, use.to, StreamKind::kProbe, period->longest, per_second(period->shortest));
    // When what it sends is swallowed somewhere, it falls back to broadcasts.
    if (!reach_.surely_probes(use.from, use.to)) ask(use, {}, StreamKind::kQuestion, base::kNever, 1);
    return;
  }
  if (!reach_.surely_resolves(use.from, use.to, use.ipv6))
    ask(use, {}, StreamKind::kQuestion, base::kNever, 1);
  const Duration timeout = arp(use.from).timeout;
  if (timeout >= kForEver || (arp(use.from).confirm_by_progress && use.progress < timeout)) return;
  const Hearing h = hears(use.from, use.to);
  if (h.certain < timeout && !reach_.any_suppresses()) return;  // refreshed before it runs out
  const Duration period = sum(timeout, sum(use.gap, kSlack));
  ask(use, {}, StreamKind::kQuestion, h.possible ? base::kNever : period, most_asked(timeout));
  if (h.possible && !reach_.any_suppresses()) exchange(use, period);
}

// Two stacks that do not probe, with nobody else to hear: one of them asks, which refreshes both. Which one
// is open, but frames of both pass the way between them.
void Resolution::exchange(const Use& use, Duration period) {
  const Use* back = find(use.to, use.from);
  const auto has_other_occasions = [&](StationId s) {
    return asks_[s.index()] > 1 || arp(s).announce_every.count() > 0;
  };
  if (back == nullptr || arp(use.to).confirm_by_probe || has_other_occasions(use.to) ||
      has_other_occasions(use.from))
    return;
  if (use.from > use.to) return;  // both directions at once
  const Duration other = sum(arp(use.to).timeout, sum(back->gap, kSlack));
  const Duration gap = std::min(period, other);
  for (const auto& [from, to] : {std::pair(use.from, use.to), std::pair(use.to, use.from)}) {
    streams_.push_back({.from = from,
                        .to = to,
                        .gap = gap,
                        .bytes = kLeastFrame,
                        .kind = StreamKind::kReply,
                        .after = use.stream,
                        .flow = {}});
  }
}

// The question, and the answers to it: those of all members of a cluster.
void Resolution::ask(const Use& use, StationId to, StreamKind kind, Duration period, double most) {
  const bool may_be_kept_back = kind == StreamKind::kQuestion &&
                                (reach_.is_spared(use.to) || (use.ipv6 && reach_.is_snooped(use.from)));
  if (may_be_kept_back) period = base::kNever;
  const Stream question{.from = use.from,
                        .to = to,
                        .gap = period,
                        .least = period == base::kNever ? 0 : per_second(period),
                        .most = most,
                        .bytes = use.ipv6 ? kDiscoveryFrame : kLeastFrame,
                        .kind = kind,
                        .after = use.stream,
                        .flow = {},
                        .ipv6 = use.ipv6};
  Stream reply = question;
  reply.to = use.from;
  reply.kind = StreamKind::kReply;
  reply.on_delivery = true;
  reply.after = static_cast<std::uint32_t>(streams_.size());
  streams_.push_back(question);
  const auto answer = [&](StationId from) {
    reply.from = from;
    streams_.push_back(reply);
  };
  answer(use.to);
  if (!model::is_cluster(m_, use.to)) return;
  for (const auto& member : m_[m_[use.to].shared].members) {
    if (member.alias != use.to && forest_.connected(use.from, member.alias)) answer(member.alias);
  }
}

}  // namespace sekimori::check
