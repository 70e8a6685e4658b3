// IGMP (RFC 2236, RFC 3376) and MLD (RFC 2710, RFC 3810) as one: who is in which multicast group, and who
// asks. What a switch that snoops reads of a frame, and what hosts and queriers send.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "wire/bytes.h"
#include "wire/ipv6.h"

namespace sekimori::wire {

struct Listening {
  enum class Kind : std::uint8_t {
    kQuery,      // to all hosts, or, about one group, to that
    kOldReport,  // IGMPv1, IGMPv2, MLDv1: to the group
    kReport,     // IGMPv3, MLDv2: to all routers that can read it; `records`
    kLeave,      // IGMPv2, MLDv1: to all routers
    kGarbled,    // a wrong checksum, or not whole: not to be believed (RFC 4541 section 2.1.1)
  };
  struct Record {
    Group group;
    bool leaves = false;  // wants no sources any more
    friend bool operator==(const Record&, const Record&) = default;
  };
  Kind kind = Kind::kQuery;
  bool ipv6 = false;
  Group source{};                 // whose it is; of IPv4 as a group has it
  Group group{};                  // of old reports and leaves; of queries, zero when they are general
  bool is_old_query = false;      // IGMPv1, IGMPv2, MLDv1
  bool about_sources = false;     // a query for who wants the group from some senders only
  std::uint32_t patience_ms = 0;  // of queries: within so long hosts answer
  std::vector<Record> records{};
};

// Frames of these, without FCS and tag: a query or report of MLDv1, a query of MLDv2, and a report of IGMPv3
// or MLDv2 with so many groups. What else there is of IGMP fits the least frame.
constexpr std::uint16_t kOldMldBytes = 86, kMldQueryBytes = 90;  // 14 + 40 + 8 + 24; 28
constexpr std::uint16_t group_report_bytes(bool ipv6, std::size_t groups) {
  constexpr std::size_t kLeast = 60;
  const std::size_t bytes = ipv6 ? 14 + 40 + 8 + 8 + 20 * groups : 14 + 24 + 8 + 8 * groups;
  return static_cast<std::uint16_t>(bytes < kLeast ? kLeast : bytes);
}

// None: the frame is neither.
std::optional<Listening> read_listening(Bytes frame);

}  // namespace sekimori::wire
