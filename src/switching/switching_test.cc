#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "base/random.h"
#include "model/builder.h"
#include "switching/fdb.h"
#include "switching/hosted_bridge.h"
#include "switching/lag.h"
#include "switching/spanning_tree.h"
#include "switching/token_bucket.h"
#include "switching/vlan.h"

namespace sekimori::switching {
namespace {

using base::milliseconds;
using base::seconds;

// ---------------------------------------------------------------- the table

TEST(Fdb, AnEntryIsGoodForTheAgeingTimeAndNotAnInstantLonger) {
  Fdb fdb;
  fdb.learn(1, 7, 3, seconds(10), seconds(300), 0);
  EXPECT_EQ(fdb.lookup(1, 7, seconds(310) - base::picoseconds(1), seconds(300)).what, Fdb::Found::kHit);
  EXPECT_EQ(fdb.lookup(1, 7, seconds(310), seconds(300)).what, Fdb::Found::kExpired);
  EXPECT_EQ(fdb.lookup(2, 7, seconds(11), seconds(300)).what, Fdb::Found::kNone);
}

TEST(Fdb, MovesAreToldWithWhereItWas) {
  Fdb fdb;
  EXPECT_EQ(fdb.learn(0, 7, 3, seconds(0), seconds(300), 0).what, Fdb::Learnt::kNew);
  EXPECT_EQ(fdb.learn(0, 7, 3, seconds(1), seconds(300), 0).what, Fdb::Learnt::kRefreshed);
  const auto moved = fdb.learn(0, 7, 4, seconds(2), seconds(300), 0);
  EXPECT_EQ(moved.what, Fdb::Learnt::kMoved);
  EXPECT_EQ(moved.before, 3u);
}

TEST(Fdb, StaticEntriesNeitherMoveNorAge) {
  Fdb fdb;
  fdb.set_static(0, 7, 3);
  EXPECT_EQ(fdb.learn(0, 7, 4, seconds(1), seconds(300), 0).what, Fdb::Learnt::kStatic);
  fdb.flush();
  const auto found = fdb.lookup(0, 7, seconds(100'000), seconds(300));
  EXPECT_EQ(found.what, Fdb::Found::kHit);
  EXPECT_EQ(found.port, 3u);
}

// Against the plainest table there is, with a bound, ageing and time that goes on.
TEST(Fdb, AgreesWithANaiveTable) {
  struct Naive {
    std::uint32_t port;
    Time seen;
  };
  base::Random random(5);
  for (int round = 0; round < 20; ++round) {
    Fdb fdb;
    std::map<std::pair<int, int>, Naive> naive;
    const std::uint32_t most = round % 2 == 0 ? 0 : 40;
    const Duration ageing = seconds(10);
    Time now{0};
    for (int step = 0; step < 3000; ++step) {
      now += milliseconds(static_cast<std::int64_t>(random.below(200)));
      const int vlan = static_cast<int>(random.below(2)), address = static_cast<int>(random.below(100));
      const auto port = static_cast<std::uint32_t>(random.below(4));
      if (random.below(50) == 0) {
        fdb.flush_port(port);
        std::erase_if(naive, [&](const auto& entry) { return entry.second.port == port; });
      }
      std::erase_if(naive, [&](const auto& entry) { return now - entry.second.seen >= ageing; });
      const auto learnt = fdb.learn(static_cast<std::uint16_t>(vlan), static_cast<AddressIndex>(address),
                                    port, now, ageing, most);
      // A full table makes room at intervals, so it may refuse what the naive one would take; never the other
      // way.
      const bool known = naive.contains({vlan, address});
      if (learnt.what != Fdb::Learnt::kRefused) {
        naive[{vlan, address}] = {port, now};
      } else {
        ASSERT_FALSE(known);
        ASSERT_NE(most, 0u);
      }
      if (most != 0) {
        ASSERT_LE(naive.size(), most + 1);
      }
      const int asked = static_cast<int>(random.below(100));
      const auto found =
          fdb.lookup(static_cast<std::uint16_t>(vlan), static_cast<AddressIndex>(asked), now, ageing);
      const auto expected = naive.find({vlan, asked});
      ASSERT_EQ(found.what == Fdb::Found::kHit, expected != naive.end());
      if (expected != naive.end()) {
        ASSERT_EQ(found.port, expected->second.port);
      }
    }
  }
}

TEST(Fdb, AFullTableOfOpenVSwitchForgetsTheOldestOfTheGreediestPort) {
  Fdb fdb;
  const auto learn = [&](AddressIndex address, PortIndex port, int when) {
    return fdb.learn(0, address, port, seconds(when), seconds(300), 4, Fdb::WhenFull::kEvict);
  };
  learn(1, 1, 0);  // the oldest, but alone on its port
  learn(2, 2, 1);
  learn(3, 2, 2);
  learn(4, 2, 3);
  learn(2, 2, 4);  // used again
  const auto learnt = learn(5, 3, 5);
  EXPECT_EQ(learnt.what, Fdb::Learnt::kEvicted);
  EXPECT_EQ(learnt.evicted, 3u);
  EXPECT_EQ(fdb.lookup(0, 3, seconds(5), seconds(300)).what, Fdb::Found::kNone);
  for (const AddressIndex kept : {1u, 2u, 4u, 5u})
    EXPECT_EQ(fdb.lookup(0, kept, seconds(5), seconds(300)).what, Fdb::Found::kHit) << kept;
  // Expired ones make room first.
  EXPECT_EQ(learn(6, 3, 400).what, Fdb::Learnt::kNew);
}

// Against the plainest such table there is.
TEST(Fdb, EvictionAgreesWithANaiveTable) {
  struct Naive {
    std::uint32_t port;
    Time seen;
  };
  base::Random random(6);
  Fdb fdb;
  std::map<AddressIndex, Naive> naive;
  constexpr std::uint32_t kMost = 50;
  for (int step = 1; step <= 20'000; ++step) {
    const Time now = milliseconds(step);
    const auto address = static_cast<AddressIndex>(random.below(120));
    const auto port = static_cast<std::uint32_t>(random.below(4));
    if (!naive.contains(address) && naive.size() == kMost) {
      std::map<std::uint32_t, int> counts;
      for (const auto& [a, entry] : naive) ++counts[entry.port];
      const auto fullest = std::ranges::max_element(
          counts, {}, [](const auto& c) { return std::pair(c.second, -static_cast<int>(c.first)); });
      auto oldest = naive.end();
      for (auto it = naive.begin(); it != naive.end(); ++it) {
        if (it->second.port == fullest->first &&
            (oldest == naive.end() || it->second.seen < oldest->second.seen))
          oldest = it;
      }
      naive.erase(oldest);
    }
    naive[address] = {port, now};
    fdb.learn(0, address, port, now, seconds(10'000), kMost, Fdb::WhenFull::kEvict);
    const auto asked = static_cast<AddressIndex>(random.below(120));
    const auto found = fdb.lookup(0, asked, now, seconds(10'000));
    ASSERT_EQ(found.what == Fdb::Found::kHit, naive.contains(asked)) << step;
    if (naive.contains(asked)) {
      ASSERT_EQ(found.port, naive[asked].port) << step;
    }
  }
}

// ---------------------------------------------------------------- VLANs

TEST(Vlan, IngressAndEgress) {
  model::Port port;
  model::VlanSet tagged;
  tagged.set(20);
  port.pvid = 10;
  EXPECT_EQ(classify(model::BridgeKind::kSwitch, port, tagged, 0), 10);
  EXPECT_EQ(classify(model::BridgeKind::kSwitch, port, tagged, 20), 20);
  EXPECT_EQ(classify(model::BridgeKind::kSwitch, port, tagged, 10), 10);  // a member all the same
  EXPECT_EQ(classify(model::BridgeKind::kSwitch, port, tagged, 30), std::nullopt);
  EXPECT_EQ(egress_tag(port, tagged, 10), 0);
  EXPECT_EQ(egress_tag(port, tagged, 20), 20);
  EXPECT_EQ(egress_tag(port, tagged, 30), std::nullopt);
  port.pvid = 0;
  EXPECT_EQ(classify(model::BridgeKind::kSwitch, port, tagged, 0), std::nullopt);
}

// ---------------------------------------------------------------- the hosted bridge, row by row

TEST(HostedBridge, Table) {
  using enum Destination;
  using model::PortRole;
  struct Row {
    PortRole in, out;
    Destination destination;
    bool relays, relays_when_filtering;
  };
  constexpr PortRole host = PortRole::kHost, guest = PortRole::kGuest, wire = PortRole::kUplink;
  constexpr Row kRows[] = {
      {guest, wire, kTheHost, false, false},  // never goes out
      {guest, wire, kOtherGuest, true, true},  {guest, wire, kElsewhere, true, true},
      {guest, wire, kGroup, true, true},       {guest, host, kTheHost, true, true},
      {guest, host, kGroup, true, true},       {guest, host, kElsewhere, false, false},
      {guest, guest, kThisGuest, true, true},  {guest, guest, kElsewhere, false, false},
      {host, wire, kOtherGuest, true, false},  // landmine 1, and the filter that avoids it
      {host, wire, kElsewhere, true, true},    {host, wire, kGroup, true, true},
      {host, guest, kThisGuest, true, true},   {host, guest, kElsewhere, false, false},
      {wire, host, kElsewhere, true, true},    {wire, host, kThisGuest, true, true},
      {wire, guest, kThisGuest, true, true},   {wire, guest, kGroup, true, true},
      {wire, guest, kElsewhere, false, false},
  };
  for (const Row& row : kRows) {
    const Passage passage{row.in, row.out, row.destination};
    EXPECT_EQ(hosted_bridge_relays(passage, false), row.relays) << &row - kRows;
    EXPECT_EQ(hosted_bridge_relays(passage, true), row.relays_when_filtering) << &row - kRows;
  }
}

// ---------------------------------------------------------------- link aggregation

TEST(Lag, AConversationStaysOnItsMember) {
  const wire::Mac a{0x02'0000'000001}, b{0x02'0000'000002}, c{0x02'0000'000003};
  EXPECT_EQ(choose_member(a, b, 2), choose_member(b, a, 2));
  EXPECT_NE(choose_member(a, b, 2), choose_member(a, c, 2));
  EXPECT_EQ(choose_member(a, b, 1), 0u);
}

// ---------------------------------------------------------------- storm control

TEST(TokenBucket, LongRunRateIsTheLimit) {
  TokenBucket bucket;
  std::int64_t admitted = 0;
  for (int i = 0; i < 100'000; ++i) {
    admitted +=
        bucket.admit(1000, base::mbit(8), base::microseconds(100) * i) ? 1000 : 0;  // 80 Mbit/s offered, 10 s
  }
  // 8 Mbit/s for 10 s, and the burst of 10 ms.
  EXPECT_NEAR(static_cast<double>(admitted) * 8, 80e6, 0.1e6);
}

TEST(TokenBucket, ALargeFrameFitsASlowRate) {
  TokenBucket bucket;
  EXPECT_TRUE(bucket.admit(1518, base::kbit(8), seconds(1)));
  EXPECT_FALSE(bucket.admit(1518, base::kbit(8), seconds(2)));
}

// ---------------------------------------------------------------- the spanning tree

struct Mesh {
  model::Model model;
  std::vector<bool> up;
};

// Bridges 0..n-1, all with STP unless listed in `plain`; links as (from, to, Mbit/s).
Mesh mesh(int bridges, const std::vector<std::tuple<int, int, int>>& links,
          const std::vector<int>& plain = {}) {
  model::Builder builder;
  std::vector<model::BridgeId> ids;
  for (int b = 0; b < bridges; ++b) {
    ids.push_back(*builder.add_bridge("b" + std::to_string(b), model::BridgeKind::kSwitch));
    builder.model()[ids.back()].stp = std::ranges::find(plain, b) == plain.end();
  }
  int n = 0;
  for (const auto& [a, b, rate] : links) {
    model::Link link;
    link.rate = base::mbit(rate);
    EXPECT_TRUE(builder.connect(builder.bridge_port(ids[a], "l" + std::to_string(n)),
                                builder.bridge_port(ids[b], "r" + std::to_string(n)), link));
    ++n;
  }
  Mesh result{std::move(builder).finish(), {}};
  result.up.assign(result.model.links.size(), true);
  return result;
}

bool link_blocked(const Mesh& m, std::size_t link) {
  const auto blocked = blocked_ports(m.model, m.up);
  return blocked[m.model.links[link].a.index()] || blocked[m.model.links[link].b.index()];
}

TEST(SpanningTree, AFilterTakesALinkOutOfTheTree) {
  Mesh m = mesh(3, {{0, 1, 1000}, {1, 2, 1000}, {0, 2, 1000}});
  m.model[m.model.links[2].a].bpdu_filter = true;
  for (std::size_t link = 0; link < 3; ++link) EXPECT_FALSE(link_blocked(m, link));
}

TEST(SpanningTree, AGuardShutsALinkBetweenBridges) {
  Mesh m = mesh(3, {{0, 1, 1000}, {1, 2, 1000}, {0, 2, 1000}});
  EXPECT_TRUE(shut_by_guards(m.model, m.up).empty());
  const model::PortId guarded = m.model.links[2].a;
  m.model[guarded].bpdu_guard = true;
  EXPECT_EQ(shut_by_guards(m.model, m.up), std::vector{guarded});
  EXPECT_EQ(m.up, (std::vector{true, true, false}));
  for (std::size_t link = 0; link < 3; ++link) EXPECT_FALSE(link_blocked(m, link));
}

TEST(SpanningTree, ATriangleBlocksTheLinkFarthestFromTheRoot) {
  const Mesh m = mesh(3, {{0, 1, 1000}, {1, 2, 1000}, {0, 2, 1000}});
  EXPECT_FALSE(link_blocked(m, 0));
  EXPECT_TRUE(link_blocked(m, 1));
  EXPECT_FALSE(link_blocked(m, 2));
}

TEST(SpanningTree, CostsDecide) {
  // The direct way of bridge 2 to the root has 10 Mbit/s, the way round 1 000.
  const Mesh m = mesh(3, {{0, 1, 1000}, {1, 2, 1000}, {0, 2, 10}});
  EXPECT_FALSE(link_blocked(m, 1));
  EXPECT_TRUE(link_blocked(m, 2));
}

TEST(SpanningTree, PriorityMakesTheRoot) {
  Mesh m = mesh(3, {{0, 1, 1000}, {1, 2, 1000}, {0, 2, 1000}});
  m.model.bridges[2].stp_priority = 4096;
  EXPECT_TRUE(link_blocked(m, 0));
}

TEST(SpanningTree, OfParallelLinksOneStays) {
  const Mesh m = mesh(2, {{0, 1, 1000}, {0, 1, 1000}, {0, 1, 1000}});
  EXPECT_EQ(link_blocked(m, 0) + link_blocked(m, 1) + link_blocked(m, 2), 2);
}

TEST(SpanningTree, AGroupOfLinksIsOne) {
  // Two of three parallel links are a group at both ends: it stays whole, and the third link is blocked.
  Mesh m = mesh(2, {{0, 1, 1000}, {0, 1, 1000}, {0, 1, 1000}});
  for (const std::size_t link : {0, 1}) {
    m.model[m.model.links[link].a].lag = 1;
    m.model[m.model.links[link].b].lag = 1;
  }
  EXPECT_FALSE(link_blocked(m, 0));
  EXPECT_FALSE(link_blocked(m, 1));
  EXPECT_TRUE(link_blocked(m, 2));
  // What is left of it stays.
  m.up[0] = false;
  EXPECT_FALSE(link_blocked(m, 1));
  EXPECT_TRUE(link_blocked(m, 2));
}

TEST(SpanningTree, ATeamOfUplinksRelaysNoBpdus) {
  // Two spanning-tree bridges joined directly and over a virtual switch that is no way between them.
  Mesh m = mesh(3, {{0, 1, 1000}, {0, 2, 1000}, {1, 2, 1000}}, {2});
  EXPECT_EQ(link_blocked(m, 0) + link_blocked(m, 1) + link_blocked(m, 2), 1);
  m.model.bridges[2].kind = model::BridgeKind::kEsxi;
  EXPECT_EQ(link_blocked(m, 0) + link_blocked(m, 1) + link_blocked(m, 2), 0);
}

TEST(SpanningTree, PathCostsOfTheStandard) {
  // 802.1D-2004 table 17-3.
  EXPECT_EQ(path_cost(base::mbit(10)), 2'000'000u);
  EXPECT_EQ(path_cost(base::mbit(100)), 200'000u);
  EXPECT_EQ(path_cost(base::gbit(1)), 20'000u);
  EXPECT_EQ(path_cost(base::gbit(10)), 2'000u);
}

TEST(SpanningTree, ALinkThatIsDownDoesNotCount) {
  Mesh m = mesh(3, {{0, 1, 1000}, {1, 2, 1000}, {0, 2, 1000}});
  m.up[2] = false;
  EXPECT_FALSE(link_blocked(m, 1));
}

// In any connected mesh exactly the links of one tree stay open: as many as bridges less one, and joining
// all.
TEST(SpanningTree, RandomMeshesBecomeTrees) {
  base::Random random(11);
  for (int round = 0; round < 200; ++round) {
    const int n = 2 + static_cast<int>(random.below(9));
    std::vector<std::tuple<int, int, int>> links;
    constexpr int kRates[] = {10, 100, 1000, 10'000};
    for (int b = 1; b < n; ++b)
      links.emplace_back(static_cast<int>(random.below(static_cast<std::uint64_t>(b))), b,
                         kRates[random.below(4)]);
    for (std::uint64_t extra = random.below(12); extra > 0; --extra) {
      const int a = static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
      const int b = static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
      if (a != b) links.emplace_back(a, b, kRates[random.below(4)]);
    }
    Mesh m = mesh(n, links);
    for (auto& bridge : m.model.bridges)
      bridge.stp_priority = static_cast<std::uint16_t>(random.below(4) * 4096);
    const auto blocked = blocked_ports(m.model, m.up);
    std::vector<int> group(static_cast<std::size_t>(n));
    for (int b = 0; b < n; ++b) group[static_cast<std::size_t>(b)] = b;
    int open = 0;
    for (const model::Link& link : m.model.links) {
      if (blocked[link.a.index()] || blocked[link.b.index()]) continue;
      ++open;
      const int from = group[m.model[link.a].bridge.index()], to = group[m.model[link.b].bridge.index()];
      ASSERT_NE(from, to) << "a ring stays open";
      for (int& g : group) g = g == from ? to : g;
    }
    ASSERT_EQ(open, n - 1);
  }
}

TEST(SpanningTree, ABridgeWithoutItIsPartOfALan) {
  // 0 and 1 meet over the plain bridge 2 and directly: a ring, which they can break themselves.
  const Mesh m = mesh(3, {{0, 2, 1000}, {1, 2, 1000}, {0, 1, 1000}}, {2});
  EXPECT_EQ(link_blocked(m, 0) + link_blocked(m, 1) + link_blocked(m, 2), 1);
}

}  // namespace
}  // namespace sekimori::switching
