// The streams that address resolution sends of its own accord. In layer 2 they are what keeps tables filled.
//
// They follow RFC 826, RFC 1122 section 2.3.2.1 and the two kinds of stack that model::ArpSettings tells
// apart. With T the timeout and g the gap between two frames to the neighbour:
//   - a stack that probes asks by unicast T + 5 s + g after the last confirmation (Linux: reachable time,
//   then
//     delay_first_probe_time), unless progress of an upper layer confirms the entry more often than every 5
//     s;
//   - any other forgets the entry T after it last heard the neighbour in an ARP frame, whatever its occasion,
//     and asks by broadcast at the next use. Who hears the neighbour's own questions more often than every T
//     never asks.
// Stacks that speak IPv6 probe in the same way (RFC 4861 section 7.3), routers as well; others than the one
// asked learn nothing from questions there. Either way the neighbour answers by unicast.
#pragma once

#include <optional>
#include <tuple>
#include <vector>

#include "check/reach.h"
#include "check/streams.h"

namespace sekimori::check {

// That `from` sends unicast to `to`, and so keeps an entry for it.
struct Use {
  StationId from, to;
  Duration gap;          // between two frames, at most
  Duration progress;     // between two confirmations by an upper layer, at most; kNever: none
  std::uint32_t stream;  // one of them
  bool ipv6;
  auto key() const { return std::tuple(from, to, ipv6); }
};

class Resolution {
 public:
  // All must outlive it.
  Resolution(const model::Model& model, const Forest& forest, Reach& reach, std::vector<Stream>& streams);

  void add(const Use& use) { uses_.push_back(use); }
  std::size_t size() const { return uses_.size(); }
  // The streams of the uses from that one on have changed since, and nothing confirms them.
  void take_again(std::size_t first);
  // The station asks by broadcast for what is no use.
  void asks_in_vain(StationId asker) { ++asks_[asker.index()]; }

  // When all uses are known. Adds the streams.
  void add_streams();

 private:
  // How often a probing stack asks: at most and at least every so often.
  struct Period {
    Duration shortest, longest;  // longest: kNever when not certain
  };
  // The longest time between two, when that is certain, and whether there is anything at all.
  struct Hearing {
    Duration certain = base::kNever;
    bool possible = false;
  };

  const model::ArpSettings& arp(StationId s) const { return m_[m_[s].machine].arp; }
  const model::ArpSettings& settings(const Use& use) const;
  void merge();
  const Use* find(StationId from, StationId to) const;
  std::optional<Period> probing(const Use& use) const;
  Hearing hears(StationId hearer, StationId speaker) const;
  void resolve_again(const Use& use);
  void exchange(const Use& use, Duration period);
  void ask(const Use& use, StationId to, StreamKind kind, Duration period, double most);

  const model::Model& m_;
  const Forest& forest_;
  Reach& reach_;
  std::vector<Stream>& streams_;
  std::vector<Use> uses_;
  std::vector<std::uint32_t> asks_;  // by station: reasons for which it asks by broadcast
};

}  // namespace sekimori::check
