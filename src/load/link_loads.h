// Loads of links as findings tell them, and links that get more than they carry.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "findings/finding.h"
#include "load/load.h"

namespace sekimori::load {

inline double to_mbit(double bytes) { return bytes * 8e-6; }
// "20.9 Mbit/s", "up to 20.9 Mbit/s", "3 to 20.9 Mbit/s".
std::string mbit_text(Range bytes);

// The lane that carries what leaves by that port.
std::size_t lane_out_of(const model::Model& model, PortId port);

findings::LinkLoad link_load(const model::Model& model, std::size_t lane, const Lane& load);

// The lanes with the largest values above 0, `most` of them, largest first, ties by number.
template <class Value>
std::vector<std::size_t> largest(std::size_t lanes, std::size_t most, Value value) {
  std::vector<std::size_t> list;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    if (value(lane) > 0) list.push_back(lane);
  }
  const auto middle = list.begin() + static_cast<std::ptrdiff_t>(std::min(most, list.size()));
  std::ranges::partial_sort(list, middle, [&](std::size_t a, std::size_t b) {
    return value(a) != value(b) ? value(a) > value(b) : a < b;
  });
  list.erase(middle, list.end());
  return list;
}

// Adds links that are overloaded for certain, the `most` worst. One that only a flood of the report fills is
// that flood's harm, and evidence of it; one that is full without it is a fault of its own.
void add_overloads(const check::Learning& learning, const Load& load, std::size_t most,
                   findings::Report& report);

}  // namespace sekimori::load
