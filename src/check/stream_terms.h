// Sizes and paces that the streams of flows, of address resolution and of announcements have in common.
#pragma once

#include "base/time.h"

namespace sekimori::check {

using base::Duration;

// Frames without FCS and tag.
constexpr std::uint16_t kLeastFrame = 60;      // IEEE 802.3 clause 4.2.3.3
constexpr std::uint16_t kDiscoveryFrame = 86;  // 14 + 40 + 24 + 8: with the sender's MAC

constexpr Duration kSlack = base::seconds(1);  // round trips, retries

inline double per_second(Duration interval) { return 1 / base::to_seconds(interval); }

// base::kNever and more are base::kNever.
constexpr Duration sum(Duration a, Duration b) { return a > base::kNever - b ? base::kNever : a + b; }

}  // namespace sekimori::check
