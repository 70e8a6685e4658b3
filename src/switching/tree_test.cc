// STP and RSTP, played on small networks without a simulator: bridges, links with a delay, a clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "switching/test_support.h"

namespace sekimori::switching::tree {
namespace {

using base::milliseconds;
using base::seconds;

using End = Network::End;

// Three bridges in a triangle; the first is the root, the port of the last towards the second is blocked.
struct Triangle : Network {
  explicit Triangle(Speaks protocol) {
    add(protocol, 0x1000, 3);
    add(protocol, 0x2000, 3);
    add(protocol, 0x3000, 3);
    join({0, 0}, {1, 0});
    join({0, 1}, {2, 0});
    join({1, 1}, {2, 1});
  }
};

// ---------------------------------------------------------------- STP

TEST(Stp, ATriangleBlocksOnePortAndForwardsAfterTwoForwardDelays) {
  Triangle net(Speaks::kStp);
  net.all_up();
  net.run(seconds(29));
  EXPECT_EQ(net.state({0, 0}), State::kLearning);
  net.run(seconds(3));
  EXPECT_TRUE(net.is_root(0));
  EXPECT_EQ(net.role({1, 0}), Role::kRoot);
  EXPECT_EQ(net.role({2, 0}), Role::kRoot);
  EXPECT_EQ(net.role({1, 1}), Role::kDesignated);
  EXPECT_EQ(net.role({2, 1}), Role::kAlternate);
  EXPECT_EQ(net.state({2, 1}), State::kDiscarding);
  for (const End forwards : {End{0, 0}, End{0, 1}, End{1, 0}, End{1, 1}, End{2, 0}}) {
    EXPECT_EQ(net.state(forwards), State::kForwarding);
    EXPECT_GE(net.forwarding_since[forwards], seconds(30));
  }
}

// 802.1D-1998 8.8.2 and Linux: the direct loss of the root port is known at once, the rest takes two forward
// delays.
TEST(Stp, ALostRootLinkCostsTwoForwardDelays) {
  Triangle net(Speaks::kStp);
  net.all_up();
  net.run(seconds(60));
  net.link_down({0, 1});
  const Time lost = net.now;
  net.run(seconds(60));
  EXPECT_EQ(net.state({2, 1}), State::kForwarding);
  EXPECT_NEAR(base::to_seconds(net.forwarding_since[{2, 1}] - lost), 30, 0.1);
}

// What nobody sees as a lost link: the max age on top of it, less the hello time at most.
TEST(Stp, ASilentNeighbourCostsTheMaxAgeToo) {
  Triangle net(Speaks::kStp);
  net.all_up();
  net.run(seconds(60));
  net.down({0, 1});  // only the root's side knows
  const Time lost = net.now;
  net.run(seconds(80));
  EXPECT_EQ(net.state({2, 1}), State::kForwarding);
  const double outage = base::to_seconds(net.forwarding_since[{2, 1}] - lost);
  EXPECT_GT(outage, 47.5);
  EXPECT_LE(outage, 50.1);
}

// 8.6.14: the change runs up as a TCN, and comes down as a flag for max age + forward delay = 35 s, while all
// bridges age entries by the forward delay.
TEST(Stp, AChangeMakesEveryBridgeAgeFastFor35Seconds) {
  Triangle net(Speaks::kStp);
  net.add(Speaks::kStp, 0x4000, 2);  // behind the second
  net.join({1, 2}, {3, 0});
  net.join({3, 1}, {Network::kStation, 0});
  net.all_up();
  net.run(seconds(120));
  net.ageing.clear();
  net.detected.clear();
  net.down({3, 1});
  net.run(seconds(1));
  EXPECT_TRUE(net.detected.empty()) << "a lost link tells nothing";
  net.up({3, 1});
  net.run(seconds(29));
  EXPECT_TRUE(net.ageing.empty());
  net.run(seconds(4));
  ASSERT_EQ(net.detected.size(), 1u);
  EXPECT_EQ(net.detected.front().second, (End{3, 1}));
  std::map<std::size_t, Duration> now;
  for (const auto& [at, what] : net.ageing) now[what.first] = what.second;
  EXPECT_EQ(now, (std::map<std::size_t, Duration>{
                     {0, seconds(15)}, {1, seconds(15)}, {2, seconds(15)}, {3, seconds(15)}}));
  const Time began = net.detected.front().first;
  net.run(seconds(60));
  for (const auto& [at, what] : net.ageing) now[what.first] = what.second;
  for (const auto& [bridge, ageing] : now) EXPECT_EQ(ageing.count(), 0) << bridge;
  EXPECT_NEAR(base::to_seconds(net.ageing.back().first - began), 35, 2.1);
}

TEST(Stp, AnEdgePortForwardsAtOnceAndTellsNobody) {
  Network net;
  net.add(Speaks::kStp, 0x1000, 2, Edge::kOn);
  net.join({0, 0}, {Network::kStation, 0});
  net.up({0, 0});
  EXPECT_EQ(net.state({0, 0}), State::kForwarding);
  net.run(seconds(60));
  EXPECT_TRUE(net.detected.empty());
}

TEST(Stp, AnEdgePortThatHearsABridgeIsNone) {
  Network net;
  net.add(Speaks::kStp, 0x2000, 2, Edge::kOn);
  net.add(Speaks::kStp, 0x1000, 2, Edge::kOff);
  net.join({0, 0}, {1, 0});
  net.join({0, 1}, {1, 1});
  net.all_up();
  net.run(seconds(60));
  EXPECT_EQ(net.role({0, 1}), Role::kAlternate);
  EXPECT_EQ(net.state({0, 1}), State::kDiscarding);
}

TEST(Stp, NoMoreThanOneConfigurationASecondAndPort) {
  Triangle net(Speaks::kStp);
  net.all_up();
  net.run(seconds(100));
  // Five designated or would-be designated ports at first, three later; a hello is 2 s.
  EXPECT_LT(net.sent.size(), 6u * 100);
  EXPECT_GT(net.sent.size(), 3u * 45);
}

// ---------------------------------------------------------------- RSTP

TEST(Rstp, ATriangleForwardsWithinMoments) {
  Triangle net(Speaks::kRstp);
  net.all_up();
  net.run(milliseconds(500));
  EXPECT_EQ(net.role({1, 0}), Role::kRoot);
  EXPECT_EQ(net.role({2, 0}), Role::kRoot);
  EXPECT_EQ(net.role({2, 1}), Role::kAlternate);
  EXPECT_EQ(net.state({2, 1}), State::kDiscarding);
  for (const End forwards : {End{0, 0}, End{0, 1}, End{1, 0}, End{1, 1}, End{2, 0}})
    EXPECT_EQ(net.state(forwards), State::kForwarding) << forwards.bridge << ':' << forwards.port;
}

TEST(Rstp, TheAlternatePortTakesOverAtOnce) {
  Triangle net(Speaks::kRstp);
  net.all_up();
  net.run(seconds(30));
  net.link_down({0, 1});
  net.run(milliseconds(50));
  EXPECT_EQ(net.role({2, 1}), Role::kRoot);
  EXPECT_EQ(net.state({2, 1}), State::kForwarding);
}

TEST(Rstp, ASilentNeighbourCostsThreeHelloTimes) {
  Triangle net(Speaks::kRstp);
  net.all_up();
  net.run(seconds(30));
  net.down({0, 1});
  const Time lost = net.now;
  net.run(seconds(10));
  EXPECT_EQ(net.state({2, 1}), State::kForwarding);
  const double outage = base::to_seconds(net.forwarding_since[{2, 1}] - lost);
  EXPECT_GT(outage, 3.9);
  EXPECT_LE(outage, 6.1);
}

// 17.11: a change flushes every other port of every bridge, at once, and not the one it came in at.
TEST(Rstp, AChangeFlushesTheOtherPorts) {
  Triangle net(Speaks::kRstp);
  net.join({2, 2}, {Network::kStation, 0});
  net.all_up();
  net.run(seconds(60));
  net.down({2, 2});
  net.run(seconds(60));
  net.flushed.clear();
  net.detected.clear();
  net.up({2, 2});
  net.run(seconds(60));
  ASSERT_EQ(net.detected.size(), 1u);
  EXPECT_EQ(net.detected.front().second, (End{2, 2}));
  // No bridge answers there: max age, then a forward delay.
  EXPECT_NEAR(base::to_seconds(net.detected.front().first), 120 + 35, 0.1);
  std::set<std::pair<std::size_t, PortNumber>> ports;
  for (const auto& [at, end] : net.flushed) {
    if (at - net.detected.front().first < milliseconds(100)) ports.insert({end.bridge, end.port});
    // Again with every BPDU that says so, for a hello time and a second; the last of them a hop later.
    EXPECT_LT(at - net.detected.front().first, milliseconds(3100));
  }
  // The root hears it from the third bridge, the second from the root.
  EXPECT_THAT(ports,
              testing::UnorderedElementsAre(std::pair(std::size_t{2}, 0u), std::pair(std::size_t{0}, 0u),
                                            std::pair(std::size_t{1}, 1u)));
}

TEST(Rstp, AnEdgePortIsFoundOutIn3SecondsAndTellsNobody) {
  Network net;
  net.add(Speaks::kRstp, 0x1000, 1, Edge::kAuto);
  net.join({0, 0}, {Network::kStation, 0});
  net.up({0, 0});
  net.run(seconds(4));
  EXPECT_EQ(net.state({0, 0}), State::kForwarding);
  EXPECT_NEAR(base::to_seconds(net.forwarding_since[{0, 0}]), 3, 0.01);
  net.run(seconds(60));
  EXPECT_TRUE(net.detected.empty());
}

TEST(Rstp, ANewBetterRootIsTakenWithoutALoop) {
  Network net;
  for (const int priority : {0x5000, 0x4000, 0x3000})
    net.add(Speaks::kRstp, static_cast<std::uint16_t>(priority), 3);
  net.add(Speaks::kRstp, 0x1000, 3);
  net.join({0, 0}, {1, 0});
  net.join({1, 1}, {2, 0});
  net.join({2, 1}, {3, 0});
  net.join({3, 1}, {0, 1});
  net.link_up({0, 0});
  net.link_up({1, 1});
  net.run(seconds(60));
  EXPECT_TRUE(net.is_root(2));
  net.link_up({2, 1});
  net.link_up({3, 1});
  net.run(seconds(2));
  EXPECT_TRUE(net.is_root(3));
  int discarding = 0;
  for (std::size_t b = 0; b < 4; ++b) {
    for (PortNumber p = 0; p < 2; ++p) discarding += net.state({b, p}) == State::kDiscarding;
  }
  EXPECT_EQ(discarding, 1);
}

TEST(Rstp, SpeaksStpToAnStpBridge) {
  Network net;
  net.add(Speaks::kRstp, 0x1000, 2);
  net.add(Speaks::kStp, 0x2000, 2);
  net.join({0, 0}, {1, 0});
  net.join({0, 1}, {1, 1});
  net.all_up();
  net.run(seconds(80));
  EXPECT_TRUE(net.is_root(0));
  EXPECT_FALSE(net.is_root(1));
  EXPECT_EQ(net.role({1, 0}), Role::kRoot);
  EXPECT_EQ(net.role({1, 1}), Role::kAlternate);
  EXPECT_EQ(net.state({0, 0}), State::kForwarding);
  EXPECT_EQ(net.state({1, 1}), State::kDiscarding);
}

// The worked example of ExtremeXOS' user guide, "RSTP: rapid behavior following a topology change": six
// bridges in a ring, A the root, the alternate port at D's end of D-E. When A-F is lost, F and E believe for
// moments that they are the root; D knows better, its port becomes designated, and E and F hang on D. The
// costs are the guide's.
TEST(Rstp, ARingOfSixLosesTheLinkAtItsRoot) {
  Network net;
  for (std::uint16_t b = 0; b < 6; ++b)
    net.add(Speaks::kRstp, static_cast<std::uint16_t>(0x1000 * (b + 1)), 2, Edge::kOff, {1, 1});
  for (std::size_t b = 0; b < 6; ++b) net.join({b, 0}, {(b + 1) % 6, 1});
  enum : std::size_t { kA, kB, kC, kD, kE, kF };
  net.all_up();
  net.run(seconds(60));
  const std::uint32_t before[] = {0, 1, 2, 3, 2, 1};
  for (const std::size_t b : {kA, kB, kC, kD, kE, kF}) EXPECT_EQ(net.cost(b), before[b]) << b;
  EXPECT_EQ(net.role({kD, 0}), Role::kAlternate);

  net.link_down({kF, 0});
  net.run(milliseconds(50));
  const std::uint32_t after[] = {0, 1, 2, 3, 4, 5};
  for (const std::size_t b : {kA, kB, kC, kD, kE, kF}) {
    EXPECT_EQ(net.cost(b), after[b]) << b;
    EXPECT_EQ(net.is_root(b), b == kA);
  }
  EXPECT_EQ(net.role({kD, 0}), Role::kDesignated);
  EXPECT_EQ(net.role({kE, 1}), Role::kRoot);
  EXPECT_EQ(net.role({kF, 1}), Role::kRoot);
  for (const End end : {End{kD, 0}, End{kE, 1}, End{kE, 0}, End{kF, 1}})
    EXPECT_EQ(net.state(end), State::kForwarding) << end.bridge;
}

// 17.21.23, updtRcvdInfoWhile: what is older than max age after one more hop is not taken. So a root is heard
// as many bridges away as max age has seconds, and no further (17.14: how wide a network may be).
TEST(Rstp, ARootIsHeardMaxAgeHopsAway) {
  Network net;
  net.times.max_age = seconds(6);
  net.times.forward_delay = seconds(4);
  for (std::uint16_t b = 0; b < 10; ++b)
    net.add(Speaks::kRstp, static_cast<std::uint16_t>(0x1000 * (b + 1)), 2);
  for (std::size_t b = 0; b + 1 < 10; ++b) net.join({b, 0}, {b + 1, 1});
  net.all_up();
  net.run(seconds(60));
  for (std::size_t b = 0; b < 10; ++b) {
    EXPECT_EQ(net.is_root(b), b == 0 || b == 7) << b;  // the eighth is the root of those that are too far
    EXPECT_EQ(net.cost(b), 20'000 * (b < 7 ? b : b - 7)) << b;
  }
}

// ---------------------------------------------------------------- worked examples of manuals

// Hirschmann RS2 manual (release 1.0, 03/04), section 4.4 and figure 35, without bridge 7, which decides
// nothing: bridge identifiers 10 to 60, all costs alike. Bridge 6 reaches the root by 4 and 2 at the same
// cost as by 5 and 3; 4 has the smaller identifier. Of the two links to 4 the better port of 4 decides.
TEST(WorkedExample, EqualCostsAreDecidedByBridgeAndThenByPort) {
  for (const Speaks protocol : {Speaks::kStp, Speaks::kRstp}) {
    Network net;
    enum : std::size_t { k1, k2, k3, k4, k5, k6 };
    for (const int identifier : {10, 20, 30, 40, 50, 60})
      net.add(protocol, static_cast<std::uint16_t>(identifier << 8), 3, Edge::kOff,
              {200'000, 200'000, 200'000});
    net.join({k1, 0}, {k2, 0});
    net.join({k1, 1}, {k3, 0});
    net.join({k2, 1}, {k4, 0});
    net.join({k3, 1}, {k5, 0});
    net.join({k4, 1}, {k6, 1});  // the worse port of 6 is at the better one of 4
    net.join({k4, 2}, {k6, 0});
    net.join({k5, 1}, {k6, 2});
    net.all_up();
    net.run(seconds(60));
    const std::uint32_t hops[] = {0, 1, 1, 2, 2, 3};
    for (const std::size_t b : {k1, k2, k3, k4, k5, k6}) {
      EXPECT_EQ(net.cost(b), 200'000 * hops[b]) << b;
      EXPECT_EQ(net.is_root(b), b == k1) << b;
    }
    EXPECT_EQ(net.role({k6, 1}), Role::kRoot);
    EXPECT_EQ(net.role({k6, 0}), Role::kAlternate);
    EXPECT_EQ(net.role({k6, 2}), Role::kAlternate);
    for (const End designated : {End{k4, 1}, End{k4, 2}, End{k5, 1}})
      EXPECT_EQ(net.role(designated), Role::kDesignated);
    for (const End blocked : {End{k6, 0}, End{k6, 2}}) EXPECT_EQ(net.state(blocked), State::kDiscarding);
    EXPECT_EQ(net.state({k6, 1}), State::kForwarding);
  }
}

// iS5Com Raptor configuration guide 1.10.06, "Configuring Spanning Tree Path Cost": three switches of equal
// priority, A with the least MAC, 200000 a port. Port 2 of C is alternate; with cost 2000 at its port 1 it is
// designated, and port 2 of B alternate.
TEST(WorkedExample, ALowerCostMovesTheBlockedPort) {
  for (const Speaks protocol : {Speaks::kStp, Speaks::kRstp}) {
    for (const std::uint32_t cost_at_c : {200'000u, 2000u}) {
      Network net;
      enum : std::size_t { kA, kB, kC };
      net.add(protocol, 32768, 2, Edge::kOff, {200'000, 200'000});
      net.add(protocol, 32768, 2, Edge::kOff, {200'000, 200'000});
      net.add(protocol, 32768, 2, Edge::kOff, {cost_at_c, 200'000});
      net.join({kA, 0}, {kB, 0});
      net.join({kA, 1}, {kC, 0});
      net.join({kB, 1}, {kC, 1});
      net.all_up();
      net.run(seconds(60));
      const bool lower = cost_at_c == 2000;
      EXPECT_TRUE(net.is_root(kA));
      EXPECT_EQ(net.cost(kB), 200'000u);
      EXPECT_EQ(net.cost(kC), cost_at_c);
      EXPECT_EQ(net.role({kC, 0}), Role::kRoot);
      EXPECT_EQ(net.role({kB, 0}), Role::kRoot);
      EXPECT_EQ(net.role({kC, 1}), lower ? Role::kDesignated : Role::kAlternate);
      EXPECT_EQ(net.role({kB, 1}), lower ? Role::kAlternate : Role::kDesignated);
      EXPECT_EQ(net.state({kC, 1}), lower ? State::kForwarding : State::kDiscarding);
      EXPECT_EQ(net.state({kB, 1}), lower ? State::kDiscarding : State::kForwarding);
    }
  }
}

// Cisco document 24062, "Understanding Rapid Spanning Tree Protocol (802.1w)", proposal and agreement: A
// reaches the root by C and B, and gets a link to the root itself. The root proposes, A syncs its other ports
// and agrees, and has P1 as its root port, all without a timer; the edge port is left as it is. The document,
// which is of 802.1w-2001, has A block its designated port P3 for a moment. 802.1D-2004 17.21.1, 17.27
// (`agreed`) does not where the bridge behind it has agreed before, to a root path that was worse.
TEST(WorkedExample, ProposalAndAgreement) {
  Network net;
  enum : std::size_t { kRoot, kB, kC, kA, kD };
  enum : PortNumber { kP1, kP2, kP3, kP4 };
  for (const int priority : {0x1000, 0x2000, 0x3000, 0x4000, 0x5000})
    net.add(Speaks::kRstp, static_cast<std::uint16_t>(priority), 4, Edge::kAuto);
  net.join({kRoot, 0}, {kB, 0});
  net.join({kB, 1}, {kC, 0});
  net.join({kC, 1}, {kA, kP2});
  net.join({kA, kP3}, {kD, 0});
  net.join({kA, kP4}, {Network::kStation, 0});
  net.all_up();
  net.join({kRoot, 1}, {kA, kP1});
  net.run(seconds(60));
  EXPECT_EQ(net.role({kA, kP2}), Role::kRoot);
  EXPECT_EQ(net.cost(kA), 60'000u);
  const Time edge_since = net.forwarding_since[{kA, kP4}], agreed_since = net.forwarding_since[{kA, kP3}];

  net.sent.clear();
  net.link_up({kRoot, 1});
  const Time linked = net.now;
  net.run(milliseconds(50));
  EXPECT_EQ(net.role({kA, kP1}), Role::kRoot);
  EXPECT_EQ(net.cost(kA), 20'000u);
  EXPECT_EQ(net.cost(kD), 40'000u);
  for (const End end : {End{kRoot, 1}, End{kA, kP1}, End{kA, kP3}, End{kD, 0}})
    EXPECT_EQ(net.state(end), State::kForwarding) << end.bridge << " " << end.port;
  EXPECT_EQ(net.forwarding_since[(End{kA, kP4})], edge_since) << "the edge port is not touched";
  EXPECT_EQ(net.forwarding_since[(End{kA, kP3})], agreed_since) << "D agreed to less";
  // What was the way to the root is blocked at its far end, at C, which is no nearer by A.
  EXPECT_EQ(net.role({kA, kP2}), Role::kDesignated);
  EXPECT_EQ(net.role({kC, 1}), Role::kAlternate);
  EXPECT_EQ(net.state({kC, 1}), State::kDiscarding);

  // In that order: the root's proposal, A's agreement, the root's port forwards.
  const auto from = [&](std::size_t bridge, bool Bpdu::* what) {
    for (const auto& [at, bpdu] : net.sent) {
      if ((bpdu.vector.bridge & 0xffff) == bridge && bpdu.*what && bpdu.vector.root >> 48 == 0x1000)
        return at;
    }
    return base::kNever;
  };
  const Time proposed = from(kRoot, &Bpdu::proposal), agreed = from(kA, &Bpdu::agreement);
  EXPECT_LE(linked, proposed);
  EXPECT_LT(proposed, agreed);
  EXPECT_LT(agreed, net.forwarding_since[(End{kRoot, 1})]);
}

// ---------------------------------------------------------------- both, at random

// Random graphs of bridges, some links lost and found again: in the end every port's role is that of a least
// cost tree, worked out by a naive reference, forwarding ports form a spanning tree of what is connected, and
// no more than a handful of BPDUs are under way at any time.
class RandomNetworks : public testing::TestWithParam<Speaks> {};

TEST_P(RandomNetworks, ConvergeToTheLeastCostTree) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    Network net;
    const std::size_t bridges = 2 + random.below(6);
    const std::size_t links = bridges - 1 + random.below(5);
    std::vector<PortNumber> used(bridges, 0);
    struct Link {
      End a, b;
      std::uint32_t cost;
    };
    std::vector<Link> list;
    std::vector<std::vector<std::uint32_t>> costs(bridges);
    for (std::size_t l = 0; l < links; ++l) {
      const std::size_t a = l + 1 < bridges ? l + 1 : random.below(bridges);
      std::size_t b = l + 1 < bridges ? random.below(l + 1) : random.below(bridges);
      if (a == b) b = (a + 1) % bridges;
      const auto cost = static_cast<std::uint32_t>(1 + random.below(4));
      list.push_back({{a, used[a]++}, {b, used[b]++}, cost});
      costs[a].push_back(cost);
      costs[b].push_back(cost);
    }
    std::vector<std::uint16_t> priority(bridges);
    for (std::size_t b = 0; b < bridges; ++b) {
      priority[b] = static_cast<std::uint16_t>(random.below(8) << 12);
      net.add(GetParam(), priority[b], used[b], Edge::kOff, costs[b]);
    }
    for (const Link& link : list) net.join(link.a, link.b);
    for (const Link& link : list) net.link_up(link.a);
    net.run(seconds(200));
    const std::size_t lost = random.below(list.size());
    net.link_down(list[lost].a);
    net.run(seconds(200));
    if (random.below(2) == 0) {
      net.link_up(list[lost].a);
      net.run(seconds(200));
    } else {
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(lost));
    }
    // Least costs from the root of each part, by relaxation.
    std::vector<std::pair<Identifier, std::uint32_t>> best(bridges);
    for (std::size_t b = 0; b < bridges; ++b) best[b] = {Identifier{priority[b]} << 48 | b, 0};
    for (std::size_t round = 0; round < bridges; ++round) {
      for (const Link& link : list) {
        for (const auto& [x, y] :
             {std::pair(link.a.bridge, link.b.bridge), std::pair(link.b.bridge, link.a.bridge)}) {
          const std::pair offer{best[x].first, best[x].second + link.cost};
          best[y] = std::min(best[y], offer);
        }
      }
    }
    std::set<Identifier> roots;
    for (std::size_t b = 0; b < bridges; ++b) {
      EXPECT_EQ(net.cost(b), best[b].second) << "bridge " << b;
      roots.insert(best[b].first);
    }
    std::size_t open = 0;
    for (const Link& link : list)
      open += net.state(link.a) == State::kForwarding && net.state(link.b) == State::kForwarding;
    EXPECT_EQ(open, bridges - roots.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Both, RandomNetworks, testing::Values(Speaks::kStp, Speaks::kRstp));

// No ring is ever open, not even for a moment, while bridges come up one after the other and links fail.
TEST(Rstp, NeverOpensARing) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    Network net;
    for (int b = 0; b < 4; ++b) net.add(Speaks::kRstp, static_cast<std::uint16_t>(random.below(8) << 12), 3);
    std::vector<std::pair<End, End>> links;
    for (std::size_t a = 0; a < 4; ++a) {
      for (std::size_t b = a + 1; b < 4; ++b)
        links.emplace_back(End{a, static_cast<PortNumber>(b - 1)}, End{b, static_cast<PortNumber>(a)});
    }
    for (const auto& [a, b] : links) net.join(a, b);
    std::vector<bool> up(links.size(), false);
    for (int event = 0; event < 40; ++event) {
      const std::size_t l = random.below(links.size());
      if (up[l])
        net.link_down(links[l].first);
      else
        net.link_up(links[l].first);
      up[l] = !up[l];
      for (int ms = 0; ms < 20; ++ms) {
        net.run(milliseconds(1 + static_cast<std::int64_t>(random.below(300))));
        std::vector<std::size_t> part{0, 1, 2, 3};
        const auto find = [&](std::size_t b) {
          while (part[b] != b) b = part[b];
          return b;
        };
        for (std::size_t i = 0; i < links.size(); ++i) {
          const auto& [a, b] = links[i];
          if (!up[i] || net.state(a) != State::kForwarding || net.state(b) != State::kForwarding) continue;
          ASSERT_NE(find(a.bridge), find(b.bridge)) << "ring at event " << event;
          part[find(a.bridge)] = find(b.bridge);
        }
      }
    }
  }
}

}  // namespace
}  // namespace sekimori::switching::tree
