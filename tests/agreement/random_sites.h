// Random sites for comparing the engines: trees of switches of all kinds with VLANs, odd timers, one-way
// streams, hosted bridges, routers; seeded.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace sekimori::agreement {

class RandomSite {
 public:
  explicit RandomSite(std::uint64_t seed) : random_(seed), seed_(seed) {
    switches_ = 1 + pick(4);
    routed_ = pick(3) == 0;
    for (int s = 0; s < switches_; ++s) add_switch(s);
    const int hosts = 3 + pick(4);
    for (int h = 0; h < hosts; ++h) add_host(h);
    if (routed_) add_router();
    for (int f = 2 + pick(5); f > 0; --f) add_flow();
  }

  std::string text() const {
    std::string text = fmt::format("seed: {}\nhosts:\n{}", seed_, hosts_);
    if (!routers_.empty()) text += "routers:\n" + routers_;
    return text + fmt::format("switches:\n{}links:\n{}traffic:\n{}", switch_text_, links_, traffic_);
  }

 private:
  int pick(int n) { return static_cast<int>(random_.below(static_cast<std::uint64_t>(n))); }

  void add_switch(int s) {
    static constexpr const char* kKinds[] = {"switch", "switch", "switch", "linux-bridge", "hub"};
    const char* kind = kKinds[pick(5)];
    std::string line = fmt::format("  s{}: {{kind: {}", s, kind);
    if (std::string_view(kind) != "hub") {
      line += fmt::format(", ageing: {}s", 2 + pick(50));
      if (pick(10) == 0) line += ", learning: off";
    }
    switch_text_ += line + "}\n";
    if (s > 0) links_ += fmt::format("  - [s{}:up, s{}:d{}, 1Gbit/s]\n", s, pick(s), s);
  }

  std::string arp() {
    switch (pick(5)) {
      case 0:
        return fmt::format(", arp: {{timeout: {}s, confirm: none}}", 8 + pick(60));
      case 1:
        return fmt::format(", arp: {{timeout: {}s}}", 5 + pick(40));
      case 2:
        return fmt::format(", arp: {{announce: [start, {}s]}}", 3 + pick(40));
      default:
        return "";
    }
  }

  void add_host(int h) {
    const int kind = pick(3), net = routed_ ? pick(2) : 0;
    hosts_ += fmt::format("  h{}: {{nics: {{eth0: {{ip: 10.0.{}.{}/24}}}}{}{}", h, net, 10 + h, arp(),
                          gateway(net));
    machines_.push_back(fmt::format("h{}", h));
    if (kind > 0) {
      hosts_ +=
          fmt::format(", switches: {{v: {{kind: {}, uplinks: [eth0]}}}}, guests: {{",
                      kind == 1 ? "hosted-bridge" : fmt::format("linux-bridge, ageing: {}s", 2 + pick(50)));
      for (int g = 0; g < 1 + pick(2); ++g) {
        hosts_ += fmt::format("g{}-{}: {{nics: {{net0: {{on: v, ip: 10.0.{}.{}/24}}}}{}{}}}, ", h, g, net,
                              100 + 10 * h + g, arp(), gateway(net));
        machines_.push_back(fmt::format("g{}-{}", h, g));
      }
      hosts_ += "}";
    }
    hosts_ += "}\n";
    links_ += fmt::format("  - [h{}:eth0, s{}:h{}]\n", h, pick(switches_), h);
  }

  std::string gateway(int net) const {
    if (!routed_) return "";
    return fmt::format(", gateway: 10.0.{}.1", net);
  }

  void add_router() {
    routers_ = fmt::format(
        "  r: {{nics: {{a: {{ip: 10.0.0.1/24}}, b: {{ip: 10.0.1.1/24}}}}, arp: {{timeout: {}s}}}}\n",
        pick(2) == 0 ? 20 + pick(60) : 14400);
    for (const char* nic : {"a", "b"})
      links_ += fmt::format("  - [r:{}, s{}:r{}]\n", nic, pick(switches_), nic);
  }

  void add_flow() {
    const auto n = static_cast<int>(machines_.size());
    const int from = pick(n), to = (from + 1 + pick(n - 1)) % n;
    std::string what;
    switch (pick(5)) {
      case 0:
        what = fmt::format("kind: udp, every: {}ms", 20 + pick(400));
        break;
      case 1:
        what = "kind: tcp, rate: 300kbit/s";
        break;
      case 2:
        what = fmt::format("kind: ping, every: {}ms", 50 + pick(300));
        break;
      case 3:
        what = fmt::format("kind: request, every: {}ms, response: {}", 100 + pick(900), 100 + pick(1300));
        break;
      default:
        what = fmt::format("kind: udp, every: {}s", 1 + pick(40));
    }
    traffic_ += fmt::format("  - {{from: {}, to: {}, {}}}\n", machines_[static_cast<std::size_t>(from)],
                            machines_[static_cast<std::size_t>(to)], what);
  }

  base::Random random_;
  std::uint64_t seed_;
  int switches_ = 0;
  bool routed_ = false;
  std::vector<std::string> machines_;
  std::string hosts_, switch_text_, links_, traffic_, routers_;
};

}  // namespace sekimori::agreement
