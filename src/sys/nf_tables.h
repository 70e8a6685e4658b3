// Rules of the kernel's packet filter in one network namespace: nf_tables, by netlink (linux/netfilter/
// nf_tables.h; net/netfilter/nf_tables_api.c, nfnetlink.c). A table with its chains and rules is entered in
// one batch: all of it, or nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/namespaces.h"

namespace sekimori::sys {

// What a packet must be, and what becomes of it then. What is left empty matches everything.
struct FilterRule {
  enum class Verdict : std::uint8_t {
    kAccept,
    kDrop,
    kMasquerade,  // it leaves with the first address of the device that it leaves by, and answers find back
  };
  std::string in{}, out{}, not_out{};  // devices
  // First and last type of ICMPv6 messages.
  std::optional<std::pair<std::uint8_t, std::uint8_t>> icmpv6{};
  bool of_known_connection = false;  // an answer, or what belongs to one
  Verdict verdict = Verdict::kAccept;
};

struct FilterChain {
  enum class Hook : std::uint8_t { kOutput, kForward, kPostrouting };
  Hook hook;
  bool translates = false;  // a chain for kMasquerade
  std::vector<FilterRule> rules;
};

enum class FilterFamily : std::uint8_t { kIpv4, kIpv6 };

// A packet that no rule decides about passes.
base::Result<void> add_filter(const Namespace& where, FilterFamily family, const std::string& table,
                              const std::vector<FilterChain>& chains);

}  // namespace sekimori::sys
