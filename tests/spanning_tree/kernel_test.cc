// Our STP beside the kernel's (net/bridge/br_stp*.c): random networks of bridges, built twice, as veth pairs
// between bridges of a network namespace and as bridges in memory. They converge, lose a link and get it
// back; each time all path costs and port states must end up the same, and the same bridges must have aged
// their tables fast on the way. When they did so is not compared: a busy machine is late.
//
// Timers are the shortest that Linux takes: hello 1 s, max age 6 s, forward delay 2 s. Networks run side by
// side, so that the test takes as long as one of them.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "base/random.h"
#include "switching/test_support.h"
#include "tests/support/folder.h"
#include "tests/support/netns.h"

namespace sekimori::switching::tree {
namespace {

using base::milliseconds;
using base::seconds;
using End = Network::End;
using testing::Netns;

constexpr int kNetworks = 8;
constexpr std::size_t kBridges = 4;

struct Link {
  End a, b;
  std::uint32_t cost;
};

// One random network, in memory and as commands for the kernel.
struct Both {
  explicit Both(int number) : random(static_cast<std::uint64_t>(number)), name(number) {
    net.times = {.max_age = seconds(6), .hello = seconds(1), .forward_delay = seconds(2)};
    std::vector<std::vector<std::uint32_t>> costs(kBridges);
    std::vector<PortNumber> used(kBridges, 0);
    const std::size_t count = kBridges + 1 + random.below(2);
    for (std::size_t l = 0; l < count; ++l) {
      const std::size_t a = l + 1 < kBridges ? l + 1 : random.below(kBridges);
      std::size_t b = l + 1 < kBridges ? random.below(l + 1) : random.below(kBridges);
      if (a == b) b = (a + 1) % kBridges;
      links.push_back({{a, used[a]++}, {b, used[b]++}, static_cast<std::uint32_t>(1 + random.below(3))});
      costs[a].push_back(links.back().cost);
      costs[b].push_back(links.back().cost);
    }
    // Priorities that differ: addresses then decide nothing.
    for (std::size_t b = 0; b < kBridges; ++b) {
      priority.push_back(static_cast<std::uint16_t>(4096 * (b * 4 + random.below(4))));
    }
    for (std::size_t i = kBridges; i > 1; --i) std::swap(priority[i - 1], priority[random.below(i)]);
    for (std::size_t b = 0; b < kBridges; ++b)
      net.add(Speaks::kStp, priority[b], used[b], Edge::kOff, costs[b]);
    for (const Link& link : links) net.join(link.a, link.b);
  }

  std::string bridge(std::size_t b) const { return fmt::format("n{}b{}", name, b); }
  std::string port(End e) const { return fmt::format("n{}b{}p{}", name, e.bridge, e.port); }

  // Commands of `ip -batch`. Ports join in the order of their numbers: the kernel numbers them so.
  std::string set_up() const {
    std::string script;
    for (std::size_t b = 0; b < kBridges; ++b)
      script += fmt::format(
          "link add {0} type bridge stp_state 1 priority {1} forward_delay 200 hello_time 100 max_age 600\n",
          bridge(b), priority[b]);
    for (const Link& link : links)
      script += fmt::format("link add {} type veth peer name {}\n", port(link.a), port(link.b));
    for (std::size_t b = 0; b < kBridges; ++b) {
      for (PortNumber p = 0; p < 8; ++p) {
        for (const Link& link : links) {
          if (link.a != End{b, p} && link.b != End{b, p}) continue;
          script += fmt::format("link set {0} master {1}\nlink set {0} type bridge_slave cost {2}\n",
                                port({b, p}), bridge(b), link.cost);
        }
      }
      script += fmt::format("link set {} up\n", bridge(b));
    }
    for (const Link& link : links)
      script += fmt::format("link set {} up\nlink set {} up\n", port(link.a), port(link.b));
    return script;
  }

  base::Random random;
  int name;
  std::vector<std::uint16_t> priority;
  std::vector<Link> links;
  Network net;
};

class Kernel {
 public:
  // Runs a script in the namespace and returns what it prints.
  std::string ask(const std::string& script) const {
    const testing::Folder folder;
    const std::string path = (folder / "out").string();
    space_.sh(fmt::format("{{ {}\n}} > {}", script, path));
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  void ip(const std::string& commands) const { space_.sh("ip -batch - <<'END'\n" + commands + "END\n"); }

  // The contents of files, by name.
  std::map<std::string, std::string> read(const std::vector<std::string>& names) const {
    std::string script = "mount -t sysfs none /sys\n";
    for (const std::string& name : names)
      script += fmt::format("read value < /sys/class/net/{0}; echo {0} $value\n", name);
    std::map<std::string, std::string> found;
    std::istringstream lines(ask(fmt::format("unshare -m sh -ec '{}'", script)));
    std::string name, value;
    while (lines >> name >> value) found[name] = value;
    return found;
  }

 private:
  Netns space_;
};

// What a network came to, and how: the lines of two histories that are alike are the same.
using Outcome = std::set<std::string>;

class Phase {
 public:
  Phase(const Kernel& kernel, std::vector<std::unique_ptr<Both>>& all) : kernel_(kernel), all_(all) {
    for (const auto& both : all) {
      for (std::size_t b = 0; b < kBridges; ++b)
        for (const char* of : {"root_path_cost", "topology_change"})
          names_.push_back(fmt::format("{}/bridge/{}", both->bridge(b), of));
      for (const Link& link : both->links)
        for (const End end : {link.a, link.b}) names_.push_back(both->port(end) + "/brport/state");
    }
  }

  // Ours until it is at rest, `length` or longer, and the kernel for as long, and up to a minute more if it
  // needs that. Returns how many bridges aged fast.
  std::size_t run(base::Duration length) {
    std::set<std::string> fast, kernel_fast;
    base::Duration lasted{};
    for (bool rests = false; lasted < length || (!rests && lasted < seconds(60));
         lasted += milliseconds(100)) {
      rests = true;
      for (auto& both : all_) {
        both->net.run(milliseconds(100));
        for (std::size_t b = 0; b < kBridges; ++b) {
          if (!both->net.with(b, [](auto& p) { return p.topology_change(); })) continue;
          fast.insert(both->bridge(b));
          rests = false;
        }
      }
    }
    const Outcome ours = memory(fast);
    const auto rest = std::chrono::steady_clock::now() + std::chrono::milliseconds(lasted / milliseconds(1));
    Outcome theirs;
    std::chrono::steady_clock::time_point now;
    do {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      theirs = look(kernel_fast);
      now = std::chrono::steady_clock::now();
    } while (now < rest || (theirs != ours && now < rest + std::chrono::minutes(1)));
    EXPECT_EQ(theirs, ours);
    return fast.size();
  }

 private:
  Outcome memory(const std::set<std::string>& fast) const {
    Outcome out;
    for (const auto& both : all_) {
      for (std::size_t b = 0; b < kBridges; ++b) {
        const bool now = both->net.with(b, [](auto& p) { return p.topology_change(); });
        out.insert(bridge(both->bridge(b), std::to_string(both->net.cost(b)), now, fast));
      }
      for (const Link& link : both->links)
        for (const End end : {link.a, link.b})
          if (both->net.state(end) == State::kForwarding) out.insert(both->port(end) + " forwards");
    }
    return out;
  }

  Outcome look(std::set<std::string>& fast) const {
    const auto found = kernel_.read(names_);
    Outcome out;
    for (const auto& both : all_) {
      for (std::size_t b = 0; b < kBridges; ++b) {
        const std::string name = both->bridge(b);
        const bool now = found.at(name + "/bridge/topology_change") == "1";
        if (now) fast.insert(name);
        out.insert(bridge(name, found.at(name + "/bridge/root_path_cost"), now, fast));
      }
      // include/uapi/linux/if_bridge.h: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking.
      for (const Link& link : both->links)
        for (const End end : {link.a, link.b})
          if (found.at(both->port(end) + "/brport/state") == "3") out.insert(both->port(end) + " forwards");
    }
    return out;
  }

  static std::string bridge(const std::string& name, const std::string& cost, bool now,
                            const std::set<std::string>& fast) {
    return fmt::format("{}: cost {}{}", name, cost,
                       now                   ? ", ages fast"
                       : fast.contains(name) ? ", aged fast"
                                             : "");
  }

  const Kernel& kernel_;
  std::vector<std::unique_ptr<Both>>& all_;
  std::vector<std::string> names_;
};

TEST(KernelStp, RandomNetworksConvergeAndReconvergeAlike) {
  const Kernel kernel;
  std::vector<std::unique_ptr<Both>> all;
  std::string script;
  for (int n = 1; n <= kNetworks; ++n) {
    all.push_back(std::make_unique<Both>(n));
    script += all.back()->set_up();
  }
  kernel.ip(script);
  for (auto& both : all) both->net.all_up();
  {
    // Two forward delays until ports forward, a second for the news, and max age and a forward delay of fast
    // ageing.
    SCOPED_TRACE("at first");
    EXPECT_GT(Phase(kernel, all).run(seconds(15)), 0U);
  }

  std::string down, up;
  std::vector<std::size_t> lost;
  for (auto& both : all) {
    lost.push_back(both->random.below(both->links.size()));
    const Link& link = both->links[lost.back()];
    down += fmt::format("link set {} down\nlink set {} down\n", both->port(link.a), both->port(link.b));
    up += fmt::format("link set {} up\nlink set {} up\n", both->port(link.a), both->port(link.b));
    both->net.link_down(link.a);
  }
  kernel.ip(down);
  {
    SCOPED_TRACE("a link lost");  // which shows by silence in places: max age more
    EXPECT_GT(Phase(kernel, all).run(seconds(21)), 0U);
  }

  for (std::size_t i = 0; i < all.size(); ++i) all[i]->net.link_up(all[i]->links[lost[i]].a);
  kernel.ip(up);
  SCOPED_TRACE("the link back");
  EXPECT_GT(Phase(kernel, all).run(seconds(15)), 0U);
}

}  // namespace
}  // namespace sekimori::switching::tree
