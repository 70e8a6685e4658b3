// Storm control: a token bucket per class of traffic (broadcast, multicast, unknown unicast) and port, as
// switches police it. Tokens are bits times a picosecond's share, kept as the time at which the bucket would
// be full again, so one integer is the whole state (the generic cell rate algorithm, ITU-T I.371 annex A).
#pragma once

#include <algorithm>

#include "base/rate.h"
#include "base/time.h"

namespace sekimori::switching {

class TokenBucket {
 public:
  // True when a frame of `bytes` fits. The bucket holds 10 ms worth of the rate, at least one full frame.
  bool admit(std::int64_t bytes, base::BitRate rate, base::Time now) {
    const base::Duration cost = base::transmission_time(bytes, rate);
    const base::Duration burst = std::max(base::milliseconds(10), base::transmission_time(1518, rate));
    const base::Time empty_until = std::max(full_at_, now) + cost;
    if (empty_until - now > burst) return false;
    full_at_ = empty_until;
    return true;
  }

 private:
  base::Time full_at_{0};
};

}  // namespace sekimori::switching
