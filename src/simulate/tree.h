// One bridge's part in the spanning tree: the protocol it speaks, and which of its ports the protocol knows
// by which number.
#pragma once

#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "simulate/wires.h"
#include "switching/rstp.h"
#include "switching/stp.h"

namespace sekimori::simulate {

struct Tree {
  std::variant<switching::tree::Stp, switching::tree::Rstp> protocol;
  std::vector<std::uint32_t> ports;  // of the model, by number; of an aggregation group the first
  std::unordered_map<std::uint32_t, switching::tree::PortNumber> numbers;
  std::vector<bool> up;  // by number
  TimerIndex timer = kNone;
  switching::tree::Effects effects{};  // of the last step

  template <class Step>
  decltype(auto) with(Step step) {
    return std::visit(std::move(step), protocol);
  }
};

}  // namespace sekimori::simulate
