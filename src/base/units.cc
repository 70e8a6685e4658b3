// Numbers with units, as people read them.
#include <cmath>
#include <limits>

#include "base/rate.h"
#include "base/text.h"
#include "base/time.h"

namespace sekimori::base {

Duration from_seconds(double s) {
  const double ps = s * 1e12;
  if (ps >= static_cast<double>(Duration::max().count())) return Duration::max();
  if (ps <= static_cast<double>(Duration::min().count())) return Duration::min();
  return Duration{std::llround(ps)};
}

std::string to_text(Duration d) {
  if (d == kNever) return "never";
  const double ps = static_cast<double>(d.count());
  const double size = std::abs(ps);
  if (size == 0) return "0s";
  if (size >= 1e12) return short_number(ps * 1e-12, 3) + "s";
  if (size >= 1e9) return short_number(ps * 1e-9, 3) + "ms";
  if (size >= 1e6) return short_number(ps * 1e-6, 3) + "us";
  if (size >= 1e3) return short_number(ps * 1e-3, 3) + "ns";
  return short_number(ps, 0) + "ps";
}

std::string to_text(BitRate r) {
  const double bits = static_cast<double>(r.bits_per_second);
  if (bits >= 1e9) return short_number(bits * 1e-9) + " Gbit/s";
  if (bits >= 1e6) return short_number(bits * 1e-6) + " Mbit/s";
  if (bits >= 1e3) return short_number(bits * 1e-3) + " kbit/s";
  return short_number(bits, 0) + " bit/s";
}

}  // namespace sekimori::base
