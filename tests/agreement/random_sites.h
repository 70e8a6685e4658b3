// Random sites for comparing the engines: trees of switches of all kinds with VLANs, a wide-area service, odd
// timers, silent and one-way stations, blocked ports, hosted bridges, guests that are off, routers, networks
// behind a host, tunnels, IPv6 and, now and then, a MAC twice; seeded. A thing a line, so that minimise.h can
// take it apart.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace sekimori::agreement {

class RandomSite {
 public:
  // Virtual switches: all kinds, or the plain ones only (hosted and Linux bridges). And whether there may be
  // more than switches and IPv4: networks behind a host, tunnels, IPv6.
  enum class Kinds : std::uint8_t { kAll, kPlain };
  enum class Beyond : std::uint8_t { kNo, kYes };

  explicit RandomSite(std::uint64_t seed, Kinds kinds = Kinds::kAll, Beyond beyond = Beyond::kNo)
      : random_(seed), extra_(~seed), suppressed_(seed ^ 0xa5a5), seed_(seed), kinds_(kinds) {
    vlans_ = pick(3) == 0;
    routed_ = pick(3) == 0;
    wan_ = pick(4) == 0;
    blocks_ = pick(5) == 0;
    duplicates_ = pick(12) == 0;
    mesh_ = !wan_ && !vlans_ && pick(4) == 0;
    if (beyond == Beyond::kYes) choose_beyond();
    const int switches = (wan_ ? 2 : mesh_ ? 3 : 1) + pick(4);
    for (int s = 0; s < switches; ++s) add_switch(s);
    if (mesh_) add_rings(switches);
    const int hosts = 3 + pick(4);
    for (int h = 0; h < hosts; ++h) add_host(h);
    if (routed_) add_router();
    if (!behind_.empty()) add_host_that_routes();
    if (tunnel_) add_tunnel();
    for (int f = 2 + pick(5); f > 0; --f) add_flow();
  }

  // Adds addresses that several machines share: a cluster that hides its MAC, and a router, VRRP or HSRP, of
  // two.
  RandomSite& share() {
    const int members = 1 + pick(3);
    std::vector<std::string> nics;
    for (int i = 0; i < members; ++i) nics.push_back(add_member("n", i, 40 + i));
    if (pick(4) != 0) {
      shared_ += fmt::format("  web: {{kind: nlb, ip: 10.0.0.90, members: [{}]}}\n", fmt::join(nics, ", "));
      for (int f = 1 + pick(3); f > 0; --f) add_shared_flow("web");
    }
    nics = {add_member("k", 0, 50), add_member("k", 1, 51)};
    const char* const kinds[] = {"vrrp, vrid: 7", "hsrp, group: 7", "hsrp, group: 7, version: 2"};
    shared_ += fmt::format("  vip: {{kind: {}, ip: 10.0.0.91, members: [{}]}}\n", kinds[pick(3)],
                           fmt::join(nics, ", "));
    for (int f = 1 + pick(3); f > 0; --f) add_shared_flow("vip");
    return *this;
  }

  // Adds members of multicast groups and who sends to these, switches that listen, and, most often, somebody
  // who asks: a router, a switch with an address, one without, or two of them.
  RandomSite& join() {
    const int asks = pick(6);
    for (std::size_t s = 0; s < switches_.size(); ++s) {
      Switch& made = switches_[s];
      if (!made.has_ports) continue;
      const bool linux = made.settings.starts_with("kind: linux-bridge");
      const bool snoops = linux ? pick(4) != 0 : pick(3) != 0;
      if (snoops != linux) made.settings += fmt::format(", multicast-snooping: {}", snoops ? "on" : "off");
      if (!linux && pick(2) == 0) made.settings += ", unregistered-multicast: routers";
      if (snoops && asks >= 2 && queriers_ < (asks == 5 ? 2 : 1) && pick(2) == 0)
        made.settings += fmt::format(", multicast-querier: {}",
                                     asks == 3 ? "on" : fmt::format("10.0.0.{}", 200 + queriers_++));
    }
    if (asks == 1 || asks == 4) {
      routers_ +=
          fmt::format("  q: {{nics: {{a: {{ip: 10.0.0.{}/24, querier: on}}}}}}\n", pick(2) == 0 ? 6 : 250);
      links_ += fmt::format("  - [q:a, s{}:q]\n", place(0));
    }
    static constexpr const char* kGroups[] = {"239.1.1.1", "239.1.1.2", "224.0.0.251", "\"ff15::1\""};
    const int members = 2 + pick(4);
    for (int i = 0; i < members; ++i) {
      const int first = pick(4), second = pick(4);
      hosts_ += fmt::format(
          "  j{}: {{nics: {{eth0: {{ip: [10.0.0.{}/24, \"fd00::{}/64\"], groups: [{}, {}]}}}}{}}}\n", i,
          60 + i, 60 + i, kGroups[first], kGroups[second], arp());
      const int s = place(0);
      links_ += fmt::format("  - [j{0}:eth0, s{1}:j{0}]\n", i, s);
      odd(s, fmt::format("j{}", i));
    }
    for (int f = 1 + pick(4); f > 0; --f) {
      const std::string from = pick(2) == 0 ? fmt::format("j{}", pick(members)) : "j0";
      traffic_ += fmt::format("  - {{from: {}, to: {}, kind: udp, every: {}ms}}\n", from, kGroups[pick(4)],
                              20 + pick(400));
    }
    // And what is for members alone: their reports keep tables filled.
    for (int f = pick(3); f > 0; --f)
      traffic_ += fmt::format("  - {{from: j0, to: j{}, kind: udp, every: {}ms}}\n", 1 + pick(members - 1),
                              50 + pick(400));
    return *this;
  }

  // Some MAC is there twice.
  bool has_duplicates() const { return twice_ > 1; }

  std::string text() const {
    std::string text = fmt::format("sekimori: 1\nseed: {}\nhosts:\n{}", seed_, hosts_);
    if (!routers_.empty()) text += "routers:\n" + routers_;
    text += "switches:\n";
    for (std::size_t s = 0; s < switches_.size(); ++s) {
      const Switch& made = switches_[s];
      text += fmt::format("  s{}: {{{}", s, made.settings);
      std::vector<std::string> ports;
      for (const auto& [name, settings] : made.ports)
        ports.push_back(fmt::format("{}: {{{}}}", name, fmt::join(settings, ", ")));
      if (!ports.empty()) text += fmt::format(", ports: {{{}}}", fmt::join(ports, ", "));
      text += "}\n";
    }
    if (!wan_sites_.empty())
      text += fmt::format("wans:\n  w: {{kind: e-lan, {}, sites: {{{}}}}}\n", wan_settings_,
                          fmt::join(wan_sites_, ", "));
    text += tunnels_;
    if (!shared_.empty()) text += "shared:\n" + shared_;
    return text + fmt::format("links:\n{}traffic:\n{}", links_, traffic_);
  }

 private:
  struct Switch {
    std::string settings;
    bool has_ports = true;  // whose settings can be written: not a hub
    bool aware = false;     // of VLANs
    std::map<std::string, std::vector<std::string>> ports = {};
  };
  struct Sender {
    std::string name;
    int net;
  };

  // Of a generator of their own, so that the rest of a seed's site is what it is without.
  void choose_beyond() {
    ipv6_ = extra(4) == 0;
    tunnel_ = extra(5) == 0;
    if (extra(5) == 0) behind_ = routed_ || extra(2) == 0 ? "nat" : "routed";
  }
  int extra(int n) { return static_cast<int>(extra_.below(static_cast<std::uint64_t>(n))); }
  int pick(int n) { return static_cast<int>(random_.below(static_cast<std::uint64_t>(n))); }

  // ------------------------------------------------------------ switches

  void add_switch(int s) {
    static constexpr const char* kKinds[] = {"switch", "switch", "switch", "linux-bridge", "hub"};
    const std::string_view kind = kKinds[pick(mesh_ ? 4 : 5)];  // a hub blocks no ring
    Switch made{fmt::format("kind: {}", kind)};
    made.has_ports = kind != "hub";
    made.aware = kind == "switch" ? pick(6) != 0 : made.has_ports && vlans_ && pick(2) == 0;
    if (made.has_ports) {
      made.settings += fmt::format(", ageing: {}s", 2 + pick(50));
      if (pick(10) == 0) made.settings += ", learning: off";
      if (kind == "switch" && !made.aware) made.settings += ", vlan-aware: off";
    }
    if (mesh_) made.settings += fmt::format(", stp: on, priority: {}", 4096 * pick(16));
    switches_.push_back(made);
    if (s == 0) return;
    if (wan_ && (s == 1 || pick(2) == 0)) {
      if (wan_sites_.empty()) {
        wan_settings_ = fmt::format("ageing: {}s, delay: {}ms", 2 + pick(50), 1 + pick(20));
        add_wan_site(0);
      }
      add_wan_site(s);
      return;
    }
    const int parent = pick(s);
    links_ += fmt::format("  - [s{}:up, s{}:d{}, 1Gbit/s]\n", s, parent, s);
    const bool carries = pick(10) != 0;
    trunk(s, "up", carries);
    trunk(parent, fmt::format("d{}", s), carries);
  }

  // Links that the spanning tree has to block.
  void add_rings(int switches) {
    for (int r = 1 + pick(2); r > 0; --r) {
      const int a = pick(switches), b = (a + 1 + pick(switches - 1)) % switches;
      links_ +=
          fmt::format("  - [s{}:r{}, s{}:r{}, {}]\n", a, r, b, r, pick(2) == 0 ? "1Gbit/s" : "100Mbit/s");
    }
  }

  void add_wan_site(int s) {
    wan_sites_.push_back(fmt::format("a{}: {}Mbit/s", s, pick(2) == 0 ? 10 : 100));
    links_ += fmt::format("  - [s{}:wan, w:a{}]\n", s, s);
    trunk(s, "wan", true);
  }

  void trunk(int s, const std::string& port, bool carries) {
    if (vlans_ && carries && at(s).aware) set(s, port, "trunk: [10]");
    odd(s, port);
  }

  void odd(int s, const std::string& port) {
    if (!at(s).has_ports) return;
    if (pick(25) == 0) set(s, port, "learning: off");
    if (blocks_ && pick(4) == 0) set(s, port, "flood: off");
  }

  Switch& at(int s) { return switches_[static_cast<std::size_t>(s)]; }
  void set(int s, const std::string& port, const std::string& setting) {
    at(s).ports[port].push_back(setting);
  }
  bool any_aware() const {
    for (const Switch& s : switches_)
      if (s.aware) return true;
    return false;
  }
  // One where a station of that network can be: with VLANs, network 1 is VLAN 10.
  int place(int net) {
    for (;;) {
      const int s = pick(static_cast<int>(switches_.size()));
      if (!vlans_ || net == 0 || at(s).aware) return s;
    }
  }

  // ------------------------------------------------------------ machines

  std::string arp() {
    switch (pick(6)) {
      case 0:
        return fmt::format(", arp: {{timeout: {}s, confirm: none}}", 8 + pick(60));
      case 1:
        return fmt::format(", arp: {{timeout: {}s}}", 5 + pick(40));
      case 2:
        return fmt::format(", arp: {{announce: [start, {}s]}}", 3 + pick(40));
      case 3:
        return pick(2) == 0 ? ", arp: {timeout: 30d}" : ", arp: {timeout: 30d, announce: never}";
      default:
        return "";
    }
  }

  // Neighbor Discovery's timers.
  std::string nd() {
    if (!ipv6_) return "";
    switch (extra(5)) {
      case 0:
        return fmt::format(", nd: {{reachable: {}s}}", 5 + extra(60));
      case 1:
        return fmt::format(", nd: {{announce: [start, {}s]}}", 3 + extra(40));
      case 2:
        return ", nd: {announce: never}";
      default:
        return "";
    }
  }

  std::string ip(int net, int number) const {
    return ipv6_ ? fmt::format("ip: [10.0.{}.{}/24, \"fd00:0:0:{}::{}/64\"]", net, number, net, number)
                 : fmt::format("ip: 10.0.{}.{}/24", net, number);
  }

  std::string mac() {
    if (!duplicates_ || twice_ > 1 || pick(3) != 0) return "";
    ++twice_;
    return "mac: \"02:aa:00:00:00:01\", ";
  }

  void add_host(int h) {
    static constexpr const char* kVirtual[] = {"",
                                               "hosted-bridge",
                                               "linux-bridge",
                                               "ovs",
                                               "esxi",
                                               "hyperv",
                                               "macvlan, mode: bridge",
                                               "macvlan, mode: vepa",
                                               "macvlan, mode: private",
                                               "sriov",
                                               "sriov"};
    // Plain hosts, hosted and Linux bridges most often.
    const int roll = pick(kinds_ == Kinds::kPlain ? 3 : 17);
    const int kind = roll < 9 ? roll % 3 : roll - 6;
    const bool on_pf = kind == 10;  // host and odd guests are on a software bridge at the PF of an SR-IOV NIC
    const int net = (routed_ && !vlans_) || (vlans_ && any_aware()) ? pick(2) : 0;
    const std::string own = ip(net, 10 + h);
    hosts_ +=
        fmt::format("  h{}: {{nics: {{eth0: {{{}}}}}{}{}", h, on_pf ? "" : mac() + own, arp(), gateway(net)) +
        nd();
    senders_.push_back({fmt::format("h{}", h), net});
    nic_of_.emplace_back(on_pf ? "p" : "eth0");
    if (kind > 0) {
      const bool table = kind == 2 || kind == 3;
      hosts_ += fmt::format(
          ", switches: {{v: {{kind: {}{}, uplinks: [eth0]{}}}{}}}, guests: {{", kVirtual[kind],
          table ? fmt::format(", ageing: {}s", 2 + pick(50)) : "",
          on_pf && pick(2) == 0 ? fmt::format(", static: [{{station: \"h{}:p\", port: pf}}]", h)
                                : flows(h, kind) + suppression(h, kind),
          on_pf ? fmt::format(", p: {{kind: linux-bridge, ageing: {}s, {}}}", 2 + pick(50), own) : "");
      if (on_pf) links_ += fmt::format("  - [h{}/v:pf, h{}/p:pf]\n", h, h);
      const int guests = 1 + pick(2);
      for (int g = 0; g < guests; ++g) {
        static constexpr const char* kBlocks[] = {", flood: off", ", broadcast-flood: off", ", locked: on"};
        const char* blocked =
            blocks_ && table && pick(4) == 0 ? kBlocks[kind == 2 && kinds_ == Kinds::kAll ? pick(3) : 0] : "";
        hosts_ += fmt::format("{}g{}-{}: {{nics: {{net0: {{on: {}, {}{}{}}}}}{}{}{}{}}}", g > 0 ? ", " : "",
                              h, g, on_pf && g > 0 ? "p" : "v", mac(), ip(net, 100 + 10 * h + g), blocked,
                              arp(), gateway(net), pick(9) == 0 ? ", state: stopped" : "", nd());
        senders_.push_back({fmt::format("g{}-{}", h, g), net});
      }
      hosts_ += "}";
    }
    hosts_ += "}\n";
    const int s = place(net);
    const std::string port = fmt::format("h{}", h);
    links_ += fmt::format("  - [h{}:eth0, s{}:{}]\n", h, s, port);
    if (vlans_ && net == 1) set(s, port, "access: 10");
    odd(s, port);
  }

  // Of a Linux bridge, now and then: it answers for others, with a MAC of its own invention once in a while.
  std::string suppression(int h, int kind) {
    if (kind != 2 || h == 0 || suppressed_.below(3) != 0) return "";
    const auto other = suppressed_.below(static_cast<std::uint64_t>(h));
    const bool is_wrong = suppressed_.below(5) == 0;
    return fmt::format(", ports: {{eth0: {{neigh-suppress: on}}}}, neighbours: [{{station: \"h{}:{}\"{}}}]{}",
                       other, nic_of_[other], is_wrong ? ", mac: \"02:bb:00:00:00:01\"" : "",
                       is_wrong ? ", static: [{mac: \"02:bb:00:00:00:01\", port: eth0}]" : "");
  }

  // Of Open vSwitch, now and then: what comes in for the host, or of ARP, outputs by itself, or by NORMAL
  // too.
  std::string flows(int h, int kind) {
    if (kind != 3 || pick(2) == 0) return "";
    const char* const out[] = {"[LOCAL]", "[LOCAL]", "[normal]", "[]"};
    return fmt::format(", flows: [{{in-port: eth0, station: \"h{}:eth0\"{}, output: {}}}]", h,
                       pick(3) == 0 ? ", type: arp" : "", out[pick(4)]);
  }

  std::string gateway(int net) const {
    if (behind_ == "routed" && net == 0) return ", routes: [{to: 10.9.0.0/24, via: 10.0.0.99}]";
    if (!routed_) return "";
    return ipv6_ ? fmt::format(", gateway: [10.0.{}.1, \"fd00:0:0:{}::1\"]", net, net)
                 : fmt::format(", gateway: 10.0.{}.1", net);
  }

  // A host with a network of its own behind it.
  void add_host_that_routes() {
    hosts_ += fmt::format(
        "  n: {{nics: {{eth0: {{{}}}}}{}, switches: {{v: {{kind: {}, ip: 10.9.0.1/24, ageing: {}s}}}}, "
        "guests: "
        "{{",
        ip(0, 99), behind_ == "nat" ? gateway(0) : "", behind_, 2 + extra(50));
    const int guests = 1 + extra(2);
    for (int g = 0; g < guests; ++g)
      hosts_ += fmt::format("{}n-{}: {{nics: {{net0: {{on: v, ip: 10.9.0.{}/24}}}}, gateway: 10.9.0.1}}",
                            g > 0 ? ", " : "", g, 10 + g);
    hosts_ += "}}\n";
    const int s = place(0);
    links_ += fmt::format("  - [n:eth0, s{}:n]\n", s);
    const bool is_open = behind_ == "routed";
    for (int f = 1 + extra(3); f > 0; --f) {
      const Sender& other = senders_[static_cast<std::size_t>(extra(static_cast<int>(senders_.size())))];
      if (other.net != 0 && !routed_) continue;
      const std::string guest = fmt::format("n-{}", extra(guests));
      const bool inwards = is_open && other.net == 0 && extra(2) == 0;
      const std::string what = extra(2) == 0 ? fmt::format("kind: ping, every: {}ms", 50 + extra(300))
                                             : fmt::format("kind: udp, every: {}ms", 50 + extra(3000));
      traffic_ += fmt::format("  - {{from: {}, to: {}, {}}}\n", inwards ? other.name : guest,
                              inwards ? guest : other.name, what);
    }
    traffic_ += fmt::format("  - {{from: n, to: n-0, kind: request, every: {}ms}}\n", 100 + extra(900));
  }

  void add_router() {
    const int timeout = pick(2) == 0 ? 20 + pick(60) : 14400;
    const bool stick = vlans_ && any_aware() && pick(2) == 0;
    routers_ = fmt::format("  r: {{nics: {{a: {{{}}}, {}: {{{}}}}}, arp: {{timeout: {}s}}{}}}\n", ip(0, 1),
                           stick ? "a.10" : "b", ip(1, 1), timeout,
                           ipv6_ ? fmt::format(", nd: {{advertise: {}s}}", 3 + extra(60)) : "");
    if (stick) {
      const int s = place(1);
      links_ += fmt::format("  - [r:a, s{}:ra]\n", s);
      set(s, "ra", "trunk: [10]");
      return;
    }
    for (const int net : {0, 1}) {
      const int s = place(any_aware() ? net : 0);
      const std::string nic = net == 0 ? "a" : "b";
      links_ += fmt::format("  - [r:{}, s{}:r{}]\n", nic, s, nic);
      if (vlans_ && net == 1 && at(s).aware) set(s, "r" + nic, "access: 10");
    }
  }

  std::string add_member(const char* name, int number, int address) {
    hosts_ += fmt::format("  {}{}: {{nics: {{eth0: {{ip: 10.0.0.{}/24}}}}{}{}}}\n", name, number, address,
                          arp(), gateway(0));
    const int s = place(0);
    links_ += fmt::format("  - [{0}{1}:eth0, s{2}:{0}{1}]\n", name, number, s);
    odd(s, fmt::format("{}{}", name, number));
    return fmt::format("{}{}:eth0", name, number);
  }

  void add_shared_flow(const char* to) {
    const Sender& from = senders_[static_cast<std::size_t>(pick(static_cast<int>(senders_.size())))];
    if (from.net != 0 && !routed_) return;
    const char* const kinds[] = {"udp, every: 100ms", "tcp, rate: 300kbit/s", "ping, every: 150ms",
                                 "request, every: 300ms, response: 900", "udp, every: 20s"};
    traffic_ += fmt::format("  - {{from: {}, to: {}, kind: {}}}\n", from.name, to, kinds[pick(5)]);
  }

  // Hosts whose bridges are joined by a tunnel over network 0, and what their guests say.
  void add_tunnel() {
    const int hosts = 2 + extra(3);
    std::vector<std::string> members, guests;
    for (int h = 0; h < hosts; ++h) {
      hosts_ += fmt::format(
          "  t{}: {{nics: {{eth0: {{{}}}}}, switches: {{v: {{kind: {}, ageing: {}s}}}}, guests: {{", h,
          ip(0, 80 + h), extra(2) == 0 ? "linux-bridge" : "ovs", 15 + extra(50));
      for (int g = extra(3); g >= 0; --g) {
        const std::string name = fmt::format("t{}-{}", h, g);
        static constexpr const char* kArp[] = {"", "", ", arp: {timeout: 30d}",
                                               ", arp: {announce: [start, 9s]}"};
        hosts_ += fmt::format("{}: {{nics: {{net0: {{on: v, ip: 10.8.0.{}/24}}}}{}}}{}", name,
                              10 + 10 * h + g, kArp[extra(4)], g > 0 ? ", " : "");
        guests.push_back(name);
      }
      hosts_ += "}}\n";
      const int s = place(0);
      links_ += fmt::format("  - [t{}:eth0, s{}:t{}]\n", h, s, h);
      members.push_back(fmt::format("t{}/v", h));
    }
    tunnels_ = fmt::format("tunnels:\n  x: {{members: [{}], ageing: {}s{}}}\n", fmt::join(members, ", "),
                           2 + extra(50), extra(6) == 0 ? ", learning: off" : "");
    const int n = static_cast<int>(guests.size());
    for (int f = 1 + extra(4); f > 0; --f) {
      const int from = extra(n), to = (from + 1 + extra(n - 1)) % n;
      const std::string what =
          extra(3) == 0 ? fmt::format("kind: ping, every: {}ms", 50 + extra(300))
                        : fmt::format("kind: udp, every: {}ms", 50 + extra(extra(2) == 0 ? 300 : 9000));
      traffic_ += fmt::format("  - {{from: {}, to: {}, {}}}\n", guests[static_cast<std::size_t>(from)],
                              guests[static_cast<std::size_t>(to)], what);
    }
  }

  // ------------------------------------------------------------ traffic

  void add_flow() {
    const auto n = static_cast<int>(senders_.size());
    const int from = pick(n), to = (from + 1 + pick(n - 1)) % n;
    const Sender &a = senders_[static_cast<std::size_t>(from)], &b = senders_[static_cast<std::size_t>(to)];
    if (a.net != b.net && !routed_) return;  // no route
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
    const char* family = ipv6_ && extra(2) == 0 ? ", family: ipv6" : "";
    traffic_ += fmt::format("  - {{from: {}, to: {}, {}{}}}\n", a.name, b.name, what, family);
  }

  std::vector<std::string> nic_of_;  // by host, the one with its address
  base::Random random_, extra_, suppressed_;
  std::uint64_t seed_;
  Kinds kinds_;
  bool mesh_ = false;  // rings, and a spanning tree
  bool vlans_ = false, routed_ = false, wan_ = false, blocks_ = false, duplicates_ = false;
  bool ipv6_ = false;  // beside IPv4
  bool tunnel_ = false;
  std::string tunnels_;
  std::string behind_;  // "nat", "routed": some host has a network behind it
  int twice_ = 0, queriers_ = 0;
  std::vector<Switch> switches_;
  std::vector<Sender> senders_;
  std::vector<std::string> wan_sites_;
  std::string hosts_, links_, traffic_, routers_, wan_settings_, shared_;
};

}  // namespace sekimori::agreement
