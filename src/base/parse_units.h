// Quantities as people write them, in the site file and on the command line: a number and a unit.
//
//   300s  12.5ms  30min  1h        ps ns us ms s min h d
//   10Mbit/s  1.5 Gbit/s           bit/s kbit/s Mbit/s Gbit/s Tbit/s
//   64KiB  1500B                   B kB MB GB KiB MiB GiB
//
// A space may stand between number and unit; 0 needs no unit. The arithmetic is exact: a value that is no
// whole number of picoseconds, bits per second or bytes is an error, and so is one that is negative or too
// big. Errors are whole sentences that quote what was written; the caller adds where.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/rate.h"
#include "base/result.h"
#include "base/time.h"

namespace sekimori::base {

Result<Duration> parse_duration(std::string_view text);
Result<BitRate> parse_rate(std::string_view text);
Result<std::int64_t> parse_bytes(std::string_view text);

}  // namespace sekimori::base
