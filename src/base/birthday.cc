#include "base/birthday.h"

#include <fmt/format.h>

#include <cmath>

#include "base/text.h"

namespace sekimori::base {

double chance_of_collision(std::size_t draws, double range) {
  if (static_cast<double>(draws) > range) return 1;
  double log_all_different = 0;
  for (std::size_t i = 1; i < draws; ++i) {
    log_all_different += std::log1p(-static_cast<double>(i) / range);
    if (log_all_different < -50) break;  // certain to the last digit of a double
  }
  return -std::expm1(log_all_different);
}

std::string chance_text(double chance) {
  if (chance >= 1e-3) return fmt::format("{} %", short_number(chance * 100, 1));
  return fmt::format("1 in {:.0f}", std::round(1 / chance));
}

}  // namespace sekimori::base
