#include "macs/allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/birthday.h"

namespace sekimori::macs {
namespace {

MacRange range(std::string_view text) { return *parse_pool_range(text); }

std::vector<Mac> all(Proposer proposer) {
  std::vector<Mac> list;
  while (const auto mac = proposer.next()) list.push_back(*mac);
  return list;
}

TEST(Pools, BadOnesAreRefused) {
  const auto refused = [](std::string_view text, std::string name = "p") {
    const auto r = parse_pool_range(text);
    return !r || !check_pool({std::move(name), *r});
  };
  EXPECT_TRUE(refused("02:00"));
  EXPECT_TRUE(refused("02:00:00:00:00:00/7"));
  EXPECT_TRUE(refused("02:00:00:00:00:ff-02:00:00:00:00:00")) << "backwards";
  EXPECT_TRUE(refused("03:00:00:00:00:00/40")) << "group";
  EXPECT_TRUE(refused("02:00:00:00:00:00-06:00:00:00:00:00")) << "group addresses between";
  EXPECT_TRUE(refused("a0:36:9f:00:00:00/24")) << "a maker of cards";
  EXPECT_TRUE(refused("52:54:00:12:34:56/48")) << "nothing but a well-known one";
  EXPECT_TRUE(refused("02:ab:00:00:00:00/24", "a/b"));
  EXPECT_TRUE(refused("02:ab:00:00:00:00/24", ""));
  EXPECT_FALSE(refused("02-AB-00-00-00-00/24"));
  EXPECT_FALSE(refused("00:16:3e:00:00:00/24")) << "a maker of virtual NICs";
  EXPECT_FALSE(refused("0200.0000.0000-0200.0000.00ff"));
}

TEST(Pools, OverlapNamesBoth) {
  const std::vector<Pool> pools{{"red", range("02:aa:00:00:00:00/24")}};
  EXPECT_TRUE(check_overlap(pools, {"blue", range("02:ab:00:00:00:00/24")}));
  const auto touching = check_overlap(pools, {"blue", range("02:aa:00:ff:ff:ff-02:aa:01:00:00:ff")});
  ASSERT_FALSE(touching);
  EXPECT_TRUE(touching.error().what.contains("blue") && touching.error().what.contains("red"));
  EXPECT_TRUE(touching.error().what.contains("in 1 addresses")) << touching.error().what;
  EXPECT_FALSE(check_overlap(pools, {"red", range("06:00:00:00:00:00/24")})) << "the same name";
}

// Against why_not(), address by address.
TEST(Addresses, NumberEveryPermittedOneOnce) {
  for (const std::string_view text :
       {"52:54:00:12:34:50-52:54:00:12:34:6f", "00:00:5d:ff:ff:f0-00:00:5f:00:00:0f", "02:00:00:00:00:00/40",
        "02:bf:ff:ff:ff:fe-02:c0:00:00:00:01", "02:42:ac:10:ff:f0-02:42:ac:12:00:0f",
        "fe:ff:ff:ff:ff:f0-fe:ff:ff:ff:ff:ff", "00:00:00:00:00:00-00:00:00:00:01:10",
        "00:50:56:3f:ff:fe-00:50:56:80:00:01"}) {
    const MacRange r = range(text);
    const Addresses addresses(r);
    std::uint64_t index = 0;
    const bool whole = r.size() <= 0x2'0000;
    for (std::uint64_t bits = r.first.bits; whole && bits <= r.last.bits; ++bits) {
      EXPECT_EQ(addresses.index_of(Mac{bits}), index) << text;
      if (!why_not(Mac{bits}).empty()) continue;
      ASSERT_LT(index, addresses.size());
      EXPECT_EQ(addresses[index++], Mac{bits}) << text;
    }
    if (whole) {
      EXPECT_EQ(index, addresses.size()) << text;
    }
    for (std::uint64_t i = 0; i < addresses.size(); i += 997) EXPECT_EQ(why_not(addresses[i]), "") << text;
  }
}

TEST(Proposer, EveryPolicyTriesEveryAddressOnce) {
  for (const std::string_view text : {"02:ab:00:00:00:00/48", "02:ab:00:00:00:00/47", "02:00:00:00:00:00/40",
                                      "52:54:00:12:34:00-52:54:00:12:36:05", "02:ab:00:00:00:00/35"}) {
    const MacRange r = range(text);
    const Addresses addresses(r);
    for (auto list : {all(Proposer::random(r, 1)), all(Proposer::sequence(r, r.last)),
                      all(Proposer::derived(r, "vc1/vm-7/net0"))}) {
      EXPECT_EQ(list.size(), addresses.size()) << text;
      std::ranges::sort(list);
      EXPECT_EQ(std::ranges::adjacent_find(list), list.end()) << text;
      EXPECT_TRUE(std::ranges::all_of(list, [&](Mac m) { return r.contains(m) && why_not(m).empty(); }));
    }
  }
}

TEST(Proposer, SequenceGoesRoundAndStartsAnywhere) {
  const MacRange r = range("02:ab:00:00:00:00-02:ab:00:00:00:03");
  const std::vector<Mac> list = all(Proposer::sequence(r, Mac{0x02ab'0000'0002}));
  EXPECT_EQ(list, (std::vector{Mac{0x02ab'0000'0002}, Mac{0x02ab'0000'0003}, Mac{0x02ab'0000'0000},
                               Mac{0x02ab'0000'0001}}));
  EXPECT_EQ(all(Proposer::sequence(r, Mac{})).front(), r.first);
}

// FNV-1a's published values (draft-eastlake-fnv, appendix C) before the mix, and a pinned result:
// the derivation is documented, so it must never move.
TEST(Proposer, DerivedIsPinned) {
  EXPECT_EQ(name_hash(""), base::mix64(0xcbf2'9ce4'8422'2325));
  EXPECT_EQ(name_hash("a"), base::mix64(0xaf63'dc4c'8601'ec8c));
  EXPECT_EQ(name_hash("foobar"), base::mix64(0x8594'4171'f739'67e8));
  const MacRange r = range("02:ab:00:00:00:00/24");
  Proposer p = Proposer::derived(r, "foobar");
  const std::uint64_t index = base::mix64(0x8594'4171'f739'67e8) >> 40;  // 2^24 addresses, none left out
  EXPECT_EQ(p.next(), Mac{0x02ab'0000'0000 + index});
  EXPECT_EQ(p.next(), Mac{0x02ab'0000'0000 + (index + 1) % (1 << 24)});
}

// Equal seeds give equal draws, others do not; and the first draws of many seeds fill the pool evenly:
// chi-square over 256 cells stays below its 1 - 10^-6 quantile (about 365).
TEST(Proposer, RandomIsSeededAndEven) {
  const MacRange r = range("02:ab:00:00:00:00/40");
  EXPECT_EQ(all(Proposer::random(r, 7)), all(Proposer::random(r, 7)));
  EXPECT_NE(all(Proposer::random(r, 7)), all(Proposer::random(r, 8)));
  constexpr int kDraws = 256 * 200;
  for (const int which : {0, 1, 200}) {
    std::vector<int> cells(256);
    for (int seed = 0; seed < kDraws; ++seed) {
      Proposer p = Proposer::random(r, base::mix64(seed));
      std::optional<Mac> mac;
      for (int i = 0; i <= which; ++i) mac = p.next();
      ++cells[mac->bits & 0xff];
    }
    double chi = 0;
    for (const int n : cells) chi += (n - 200.0) * (n - 200.0) / 200.0;
    EXPECT_LT(chi, 365) << which;
    EXPECT_GT(chi, 165) << which;
  }
}

TEST(DrawFree, DrawsWhatIsLeftAndNothingElse) {
  const MacRange r = range("02:ab:00:00:00:00/40");
  base::Random random(3);
  std::vector<Mac> taken;
  for (std::uint64_t i = 0; i < 256; ++i) {
    if (i % 5 != 0) taken.emplace_back(r.first.bits + i);
  }
  std::vector<Mac> drawn = draw_free(r, taken, 1000, random);
  EXPECT_EQ(drawn.size(), 52u);
  std::ranges::sort(drawn);
  for (std::uint64_t i = 0; i < 52; ++i) EXPECT_EQ(drawn[i], Mac{r.first.bits + 5 * i});
  EXPECT_EQ(draw_free(r, taken, 3, random).size(), 3u);
  EXPECT_TRUE(draw_free({taken[0], taken[3]}, taken, 3, random).empty());
  std::vector<int> cells(52);
  for (int i = 0; i < 52 * 200; ++i) ++cells[(draw_free(r, taken, 1, random).front().bits & 0xff) / 5];
  EXPECT_TRUE(std::ranges::all_of(cells, [](int n) { return n > 120 && n < 290; }));
}

TEST(Birthday, AgainstTheProductAndKnownValues) {
  EXPECT_NEAR(base::chance_of_collision(23, 365), 0.507297, 1e-6);
  EXPECT_NEAR(base::chance_of_collision(20, 256), 0.5330, 1e-3);
  EXPECT_NEAR(base::chance_of_collision(4096, 16777216), 0.3935, 1e-3);
  EXPECT_EQ(base::chance_of_collision(257, 256), 1);
  EXPECT_EQ(base::chance_of_collision(1, 256), 0);
  EXPECT_EQ(base::chance_of_collision(1'000'000, 16777216), 1);
}

}  // namespace
}  // namespace sekimori::macs
