// Our spanning tree beside real ones: random networks of bridges, built twice, with veth pairs in a network
// namespace and in memory. Bridges that speak STP are the kernel's (net/bridge/br_stp*.c), those that speak
// RSTP are Open vSwitch's (lib/rstp*.c); networks have one kind, or both. They converge, lose a link and get
// it back. Each time path costs, the ports that forward, and the roles of RSTP's ports must end up the same,
// and the same bridges of STP must have aged their tables fast on the way. When they did so is not compared:
// a busy machine is late.
//
// Timers are the shortest there are: max age 6 s; hello 1 s and forward delay 2 s in Linux, 2 s and 4 s in
// Open vSwitch. Networks run side by side, so that the test takes as long as one of them.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "switching/test_support.h"
#include "sys/command.h"
#include "sys/namespaces.h"
#include "tests/differential/open_vswitch.h"
#include "tests/support/folder.h"

namespace sekimori::switching::tree {
namespace {

using base::milliseconds;
using base::seconds;
using End = Network::End;
using nlohmann::json;
using std::chrono::steady_clock;

constexpr int kNetworksOfAKind = 10;
constexpr std::size_t kBridges = 4;

struct Link {
  End a, b;
  std::uint32_t cost;
};

struct Bridge {
  std::string name;
  Speaks speaks;
  std::uint16_t priority;
  PortNumber ports = 0;
};

// One random network, in memory and as commands that build it.
struct Both {
  enum class Kind { kStp, kRstp, kMixed };

  Both(int number, Kind kind) : random(static_cast<std::uint64_t>(number)), name(number) {
    for (std::size_t b = 0; b < kBridges; ++b) {
      const bool rapid = kind == Kind::kRstp || (kind == Kind::kMixed && random.below(2) == 0);
      // Priorities that differ: addresses then decide nothing.
      bridges.push_back({fmt::format("n{}b{}", name, b), rapid ? Speaks::kRstp : Speaks::kStp,
                         static_cast<std::uint16_t>(4096 * (b * 4 + random.below(4)))});
    }
    for (std::size_t i = kBridges; i > 1; --i)
      std::swap(bridges[i - 1].priority, bridges[random.below(i)].priority);

    std::vector<std::vector<std::uint32_t>> costs(kBridges);
    const std::size_t count = kBridges + 1 + random.below(2);
    for (std::size_t l = 0; l < count; ++l) {
      const std::size_t a = l + 1 < kBridges ? l + 1 : random.below(kBridges);
      std::size_t b = l + 1 < kBridges ? random.below(l + 1) : random.below(kBridges);
      if (a == b) b = (a + 1) % kBridges;
      links.push_back({{a, bridges[a].ports++},
                       {b, bridges[b].ports++},
                       static_cast<std::uint32_t>(1 + random.below(3))});
      costs[a].push_back(links.back().cost);
      costs[b].push_back(links.back().cost);
    }
    for (std::size_t b = 0; b < kBridges; ++b) {
      const bool rapid = bridges[b].speaks == Speaks::kRstp;
      net.times = {
          .max_age = seconds(6), .hello = seconds(rapid ? 2 : 1), .forward_delay = seconds(rapid ? 4 : 2)};
      net.add(bridges[b].speaks, bridges[b].priority, bridges[b].ports, Edge::kOff, costs[b]);
    }
    for (const Link& link : links) net.join(link.a, link.b);
  }

  std::string port(End e) const { return fmt::format("{}p{}", bridges[e.bridge].name, e.port); }
  bool is_rapid(End e) const { return bridges[e.bridge].speaks == Speaks::kRstp; }

  // Commands of `ip -batch`, and of ovs-vsctl. Ports join Linux' bridges in the order of their numbers: the
  // kernel numbers them so.
  void set_up(std::string& ip, std::vector<std::string>& ovs) const {
    for (const Link& link : links)
      ip += fmt::format("link add {} type veth peer name {}\n", port(link.a), port(link.b));
    for (std::size_t b = 0; b < kBridges; ++b) {
      const Bridge& bridge = bridges[b];
      if (bridge.speaks == Speaks::kStp)
        ip += fmt::format(
            "link add {} type bridge stp_state 1 priority {} forward_delay 200 hello_time 100 max_age 600\n",
            bridge.name, bridge.priority);
      else
        ovs.insert(ovs.end(),
                   {"--", "add-br", bridge.name, "--", "set", "bridge", bridge.name, "datapath_type=netdev",
                    "rstp_enable=true", fmt::format("other_config:rstp-priority={}", bridge.priority),
                    "other_config:rstp-max-age=6", "other_config:rstp-forward-delay=4"});
      for (PortNumber p = 0; p < bridge.ports; ++p) {
        const std::string port_name = port({b, p});
        const auto link =
            std::ranges::find_if(links, [&](const Link& l) { return l.a == End{b, p} || l.b == End{b, p}; });
        if (bridge.speaks == Speaks::kStp)
          ip += fmt::format("link set {0} master {1}\nlink set {0} type bridge_slave cost {2}\n", port_name,
                            bridge.name, link->cost);
        else
          ovs.insert(ovs.end(), {"--", "add-port", bridge.name, port_name, "--", "set", "port", port_name,
                                 fmt::format("other_config:rstp-path-cost={}", link->cost),
                                 fmt::format("other_config:rstp-port-num={}", p + 1),
                                 "other_config:rstp-port-auto-edge=false"});
      }
      if (bridge.speaks == Speaks::kStp) ip += fmt::format("link set {} up\n", bridge.name);
    }
  }
  std::string set(const Link& link, const char* state) const {
    return fmt::format("link set {0} {2}\nlink set {1} {2}\n", port(link.a), port(link.b), state);
  }

  base::Random random;
  int name;
  std::vector<Bridge> bridges;
  std::vector<Link> links;
  Network net;
};

// Lines that say what became of a bridge or port; the same for ours and for theirs.
using Outcome = std::set<std::string>;

std::string bridge_line(const std::string& name, std::uint32_t cost, bool fast, bool was_fast) {
  return fmt::format("{}: cost {}{}", name, cost, fast ? ", ages fast" : was_fast ? ", aged fast" : "");
}
std::string role_line(const std::string& port, const std::string& role) { return port + " is " + role; }
std::string forwards_line(const std::string& port) { return port + " forwards"; }

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kDisabled:
      return "Disabled";
    case Role::kRoot:
      return "Root";
    case Role::kDesignated:
      return "Designated";
    case Role::kAlternate:
      return "Alternate";
    case Role::kBackup:
      return "Backup";
  }
  return "";
}

class RealBridges {
 public:
  RealBridges() {
    auto made = sys::Namespace::create_nameless();
    if (!made) throw std::runtime_error("a network namespace needs root: " + made.error().what);
    space_ = std::make_unique<sys::Namespace>(std::move(*made));
    ovs_.start(*space_, differential::OpenVSwitch::Cache::kOn);
  }

  void configure_ovs(const std::vector<std::string>& words) { ovs_.configure(words); }

  void ip(const std::string& commands) {
    std::ofstream(folder_ / "commands") << commands;
    run({"ip", "-batch", (folder_ / "commands").string()});
  }

  // `fast` gets the bridges that age fast now.
  Outcome look(std::set<std::string>& fast) {
    Outcome out;
    for (const json& link : json::parse(run({"ip", "-d", "-j", "link", "show"}))) {
      const std::string name = link["ifname"];
      const json info = link.value("linkinfo", json::object());
      if (info.value("info_kind", "") == "bridge") {
        const json& bridge = info["info_data"];
        const bool now = bridge["topology_change"] == 1;
        if (now) fast.insert(name);
        out.insert(bridge_line(name, bridge["root_path_cost"], now, fast.contains(name)));
      }
      if (info.value("info_slave_kind", "") == "bridge" && info["info_slave_data"]["state"] == "forwarding")
        out.insert(forwards_line(name));
    }
    each_of_ovs("Port", [&](const std::string& name, std::map<std::string, std::string>& status) {
      out.insert(role_line(name, status["rstp_port_role"]));
      if (status["rstp_port_state"] == "Forwarding") out.insert(forwards_line(name));
    });
    each_of_ovs("Bridge", [&](const std::string& name, std::map<std::string, std::string>& status) {
      const auto cost = static_cast<std::uint32_t>(std::stoul(status["rstp_root_path_cost"]));
      out.insert(bridge_line(name, cost, false, false));
    });
    return out;
  }

 private:
  std::string run(const std::vector<std::string>& words) {
    const auto inside = sys::InNamespace::enter(*space_);
    const auto done = sys::run_command(words, std::chrono::seconds(60), 16 << 20, false);
    EXPECT_TRUE(done && done->exit == 0) << words[0];
    return done ? done->out : "";
  }

  template <class F>
  void each_of_ovs(const char* table, F f) {
    const json answer =
        json::parse(ovs_.configure({"--format=json", "--columns=name,rstp_status", "list", table}));
    for (const json& row : answer["data"]) {
      std::map<std::string, std::string> status;
      for (const json& pair : row[1][1]) status[pair[0]] = pair[1];
      if (!status.empty()) f(row[0], status);  // a bridge's own port has none
    }
  }

  std::unique_ptr<sys::Namespace> space_;
  const testing::Folder folder_;
  differential::OpenVSwitch ovs_;
};

Outcome memory(const std::vector<std::unique_ptr<Both>>& all, const std::set<std::string>& fast) {
  Outcome out;
  for (const auto& both : all) {
    for (std::size_t b = 0; b < kBridges; ++b) {
      const Bridge& bridge = both->bridges[b];
      const bool now =
          bridge.speaks == Speaks::kStp && both->net.with(b, [](auto& p) { return p.topology_change(); });
      out.insert(bridge_line(bridge.name, both->net.cost(b), now, fast.contains(bridge.name)));
    }
    for (const Link& link : both->links) {
      for (const End end : {link.a, link.b}) {
        const std::string port = both->port(end);
        if (both->net.state(end) == State::kForwarding) out.insert(forwards_line(port));
        if (both->is_rapid(end)) out.insert(role_line(port, std::string(name_of(both->net.role(end)))));
      }
    }
  }
  return out;
}

// Ours until they are at rest, and at least for `length`; the real ones for as long, and up to a minute more
// if they need that. Returns how many bridges aged fast.
std::size_t run(RealBridges& real, std::vector<std::unique_ptr<Both>>& all, base::Duration length) {
  std::set<std::string> fast, really_fast;
  base::Duration lasted{};
  for (bool rests = false; lasted < length || (!rests && lasted < seconds(60)); lasted += milliseconds(100)) {
    rests = true;
    for (auto& both : all) {
      both->net.run(milliseconds(100));
      for (std::size_t b = 0; b < kBridges; ++b) {
        if (!both->net.with(b, [](auto& p) { return p.topology_change(); })) continue;
        if (both->bridges[b].speaks == Speaks::kStp) fast.insert(both->bridges[b].name);
        rests = false;
      }
    }
  }
  const Outcome ours = memory(all, fast);
  const auto rest = steady_clock::now() + std::chrono::milliseconds(lasted / milliseconds(1));
  Outcome theirs;
  steady_clock::time_point now;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    theirs = real.look(really_fast);
    now = steady_clock::now();
  } while (now < rest || (theirs != ours && now < rest + std::chrono::minutes(1)));
  std::vector<std::string> differ;
  std::ranges::set_difference(ours, theirs, std::back_inserter(differ));
  EXPECT_TRUE(differ.empty()) << "ours only: " << fmt::format("{}", fmt::join(differ, "; "));
  differ.clear();
  std::ranges::set_difference(theirs, ours, std::back_inserter(differ));
  EXPECT_TRUE(differ.empty()) << "theirs only: " << fmt::format("{}", fmt::join(differ, "; "));
  return fast.size();
}

TEST(RealBridges, RandomNetworksConvergeAndReconvergeAlike) {
  RealBridges real;
  std::vector<std::unique_ptr<Both>> all;
  std::string ip, up, down;
  std::vector<std::string> ovs;
  for (const Both::Kind kind : {Both::Kind::kStp, Both::Kind::kRstp, Both::Kind::kMixed}) {
    for (int n = 0; n < kNetworksOfAKind; ++n) {
      all.push_back(std::make_unique<Both>(static_cast<int>(all.size()) + 1, kind));
      all.back()->set_up(ip, ovs);
      for (const Link& link : all.back()->links) up += all.back()->set(link, "up");
      all.back()->net.all_up();
    }
  }
  real.ip(ip);
  real.configure_ovs(ovs);
  real.ip(up);
  {
    // Two forward delays until ports forward, a second for the news, and max age and a forward delay of fast
    // ageing.
    SCOPED_TRACE("at first");
    EXPECT_GT(run(real, all, seconds(15)), 0U);
  }

  up.clear();
  std::vector<const Link*> lost;
  for (auto& both : all) {
    lost.push_back(&both->links[both->random.below(both->links.size())]);
    down += both->set(*lost.back(), "down");
    up += both->set(*lost.back(), "up");
    both->net.link_down(lost.back()->a);
  }
  real.ip(down);
  {
    SCOPED_TRACE("a link lost");  // which shows by silence in places: max age more
    EXPECT_GT(run(real, all, seconds(21)), 0U);
  }

  for (std::size_t i = 0; i < all.size(); ++i) all[i]->net.link_up(lost[i]->a);
  real.ip(up);
  SCOPED_TRACE("the link back");
  EXPECT_GT(run(real, all, seconds(15)), 0U);
}

}  // namespace
}  // namespace sekimori::switching::tree
