// A site whose clock runs faster: every time that is written in it (ageing, ARP, announcements, intervals of
// traffic, the timeline) is multiplied, so that what takes hours can be watched in minutes. Rates, queues and
// the delays of links stay as they are, and so do the loads of flows that have a rate.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "model/model.h"

namespace sekimori::lab {

struct Scale {
  std::int64_t numerator = 1, denominator = 1;
  friend bool operator==(const Scale&, const Scale&) = default;
};

// "1/60", "1", "0.1": more than 0, at most 1.
base::Result<Scale> parse_scale(std::string_view text);

base::Duration scaled(base::Duration d, Scale scale);
model::Model scaled(model::Model site, Scale scale);

}  // namespace sekimori::lab
