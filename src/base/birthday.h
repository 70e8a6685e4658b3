// The birthday problem: n draws from N possibilities are all different with probability
// (1 - 1/N)(1 - 2/N)...(1 - (n-1)/N), about exp(-n(n-1)/2N).
#pragma once

#include <cstddef>
#include <string>

namespace sekimori::base {

// That two of `draws` from `range` equally likely possibilities are equal.
double chance_of_collision(std::size_t draws, double range);

// "53.3 %", "0.4 %", "1 in 240000"
std::string chance_text(double chance);

}  // namespace sekimori::base
