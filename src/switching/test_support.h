// Bridges of a spanning tree, links with a delay, and a clock: enough to play the protocols without a
// simulator.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "switching/rstp.h"
#include "switching/stp.h"

namespace sekimori::switching::tree {

using Edge = PortSettings::Edge;

enum class Speaks { kStp, kRstp };

// Ports are (bridge, number); links join two, or lead to a station.
class Network {
 public:
  struct End {
    std::size_t bridge;
    PortNumber port;
    friend auto operator<=>(const End&, const End&) = default;
  };

  template <class F>
  auto with(std::size_t b, F f) {
    return std::visit(f, bridges_[b].protocol);
  }

  std::size_t add(Speaks protocol, std::uint16_t priority, std::size_t ports, Edge edge = Edge::kOff,
                  std::vector<std::uint32_t> costs = {}) {
    std::vector<PortSettings> settings;
    for (std::size_t i = 0; i < ports; ++i) {
      settings.push_back({.id = static_cast<std::uint32_t>(0x8001 + i), .edge = edge});
      if (i < costs.size()) settings.back().path_cost = costs[i];
    }
    const Identifier self = Identifier{priority} << 48 | bridges_.size();
    if (protocol == Speaks::kStp)
      bridges_.push_back({Stp(self, times, settings)});
    else
      bridges_.push_back({Rstp(self, times, settings)});
    return bridges_.size() - 1;
  }

  void join(End a, End b) {
    peers_[a] = b;
    peers_[b] = a;
  }

  void up(End end) {
    step(end.bridge, [&](auto& p, Effects& out) { p.port_up(end.port, now, out); });
  }
  void down(End end) {
    step(end.bridge, [&](auto& p, Effects& out) { p.port_down(end.port, now, out); });
    std::erase_if(flying_, [&](const auto& f) { return f.second.to == end; });
  }
  void link_up(End end) { up(end), up(peers_.at(end)); }
  void link_down(End end) { down(end), down(peers_.at(end)); }
  void all_up() {
    for (std::size_t b = 0; b < bridges_.size(); ++b) {
      for (const auto& [end, peer] : peers_) {
        if (end.bridge == b) up(end);
      }
    }
  }

  void run(Duration length) {
    const Time end = now + length;
    for (;;) {
      std::size_t who = 0;
      Time due = base::kNever;
      for (std::size_t b = 0; b < bridges_.size(); ++b) {
        const Time t = with(b, [](auto& p) { return p.next_due(); });
        if (t < due) due = t, who = b;
      }
      const Time arrival = flying_.empty() ? base::kNever : flying_.begin()->first;
      if (std::min(due, arrival) > end) break;
      now = std::min(due, arrival);
      ASSERT_LT(++steps, 1'000'000) << "the protocol does not settle";
      if (arrival <= due) {
        const Flight flight = flying_.begin()->second;
        flying_.erase(flying_.begin());
        step(flight.to.bridge,
             [&](auto& p, Effects& out) { p.receive(flight.to.port, flight.bpdu, now, out); });
      } else {
        step(who, [&](auto& p, Effects& out) { p.on_time(now, out); });
      }
    }
    now = end;
  }

  Role role(End e) {
    return with(e.bridge, [&](auto& p) { return p.role(e.port); });
  }
  State state(End e) {
    return with(e.bridge, [&](auto& p) { return p.state(e.port); });
  }
  bool is_root(std::size_t b) {
    return with(b, [](auto& p) { return p.is_root(); });
  }
  std::uint32_t cost(std::size_t b) {
    return with(b, [](auto& p) { return p.root_cost(); });
  }

  Times times{};
  Time now{0};
  int steps = 0;
  std::vector<std::pair<Time, End>> detected, flushed;
  std::vector<std::pair<Time, std::pair<std::size_t, Duration>>> ageing;
  std::map<End, Time> forwarding_since;
  std::vector<std::pair<Time, Bpdu>> sent;

 private:
  struct Flight {
    End to;
    Bpdu bpdu;
  };
  struct Bridge {
    std::variant<Stp, Rstp> protocol;
  };
  template <class F>
  void step(std::size_t b, F f) {
    Effects out;
    with(b, [&](auto& p) { f(p, out); });
    for (const auto& [port, state] : out.states) {
      if (state == State::kForwarding) forwarding_since[{b, port}] = now;
    }
    for (const PortNumber port : out.detected) detected.push_back({now, {b, port}});
    for (const PortNumber port : out.flushed) flushed.push_back({now, {b, port}});
    if (out.ageing) ageing.push_back({now, {b, *out.ageing}});
    for (const auto& [port, bpdu] : out.sent) {
      sent.emplace_back(now, bpdu);
      const auto peer = peers_.find({b, port});
      if (peer != peers_.end() && peer->second.bridge != kStation)
        flying_.insert({now + base::milliseconds(1), {peer->second, bpdu}});
    }
  }

 public:
  static constexpr std::size_t kStation = ~std::size_t{0};

 private:
  std::vector<Bridge> bridges_;
  std::map<End, End> peers_;
  std::multimap<Time, Flight> flying_;
};

}  // namespace sekimori::switching::tree
