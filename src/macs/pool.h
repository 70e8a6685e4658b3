// Pools: the ranges from which a registry hands out MACs.
//
// A pool lies within one first octet, so all of its addresses agree in the group and the local bit
// (IEEE 802-2014 section 8.2). They must be unicast, and locally administered unless the block is that of a
// maker of virtual NICs: a card may turn up with any other. Within the pool, well-known addresses and those
// with a meaning of their own (wire/mac_kinds.h) are left out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/mac_kinds.h"

namespace sekimori::macs {

using wire::Mac;
using wire::MacRange;

// Time of a registry: seconds since 1970, UTC. The pure code takes it as an argument.
using Seconds = std::int64_t;

enum class Policy : std::uint8_t {
  kRandom,    // any free address, each as likely as the others
  kSequence,  // the next after the one given last
  kDerived,   // from the owner's name: the same name gets the same address wherever it is still free
};

std::string_view to_text(Policy policy);
std::optional<Policy> policy_of(std::string_view word);
constexpr std::string_view kPolicies[] = {"random", "sequence", "derived"};

// Long enough for what remembers an address: ARP entries of routers (4 h), DHCP leases (commonly a day).
constexpr Seconds kQuarantine = 86'400;

struct Pool {
  std::string name;
  MacRange range;
  Policy policy = Policy::kRandom;
  Seconds quarantine = kQuarantine;  // how long a freed address is kept back
  friend bool operator==(const Pool&, const Pool&) = default;
};

// "02:ab:00:00:00:00/24" or "FIRST-LAST"; an error says what is wrong with it as a pool.
base::Result<MacRange> parse_pool_range(std::string_view text);
base::Result<void> check_pool(const Pool& pool);

// An error that names both when the new one lies on one of the others, or has the name of one.
base::Result<void> check_overlap(const std::vector<Pool>& pools, const Pool& added);

// Why no NIC may be given this address, as a clause ("a group address, ..."); empty when it may.
std::string why_not(Mac mac);

// The addresses of a pool that may be given, numbered from 0.
class Addresses {
 public:
  explicit Addresses(MacRange range);
  std::uint64_t size() const { return size_; }
  Mac operator[](std::uint64_t index) const;  // index < size()
  // The number of the first address at or after `mac`; size() when there is none.
  std::uint64_t index_of(Mac mac) const;

 private:
  struct Part {
    Mac first;
    std::uint64_t start;  // the number of its first address
    std::uint64_t size;
  };
  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
};

}  // namespace sekimori::macs
