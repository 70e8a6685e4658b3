#include <gtest/gtest.h>

#include "base/fingerprint.h"
#include "base/random.h"
#include "base/rate.h"
#include "base/text.h"
#include "base/time.h"

namespace sekimori::base {
namespace {

TEST(Time, TextIsForPeople) {
  EXPECT_EQ(to_text(seconds(300)), "300s");
  EXPECT_EQ(to_text(microseconds(12'500)), "12.5ms");
  EXPECT_EQ(to_text(Duration{0}), "0s");
  EXPECT_EQ(to_text(kNever), "never");
}

TEST(Time, FromSecondsSaturates) {
  EXPECT_EQ(from_seconds(1.5), milliseconds(1500));
  EXPECT_EQ(from_seconds(1e30), Duration::max());
  EXPECT_EQ(from_seconds(-1e30), Duration::min());
}

TEST(Rate, TransmissionTimeIsExactWhereItCanBe) {
  EXPECT_EQ(transmission_time(1538, gbit(1)), nanoseconds(12'304));
  EXPECT_EQ(transmission_time(1, mbit(3)), picoseconds(2'666'666));
  EXPECT_EQ(to_text(mbit(20)), "20 Mbit/s");
  EXPECT_EQ(to_text(BitRate{9'764'000}), "9.76 Mbit/s");
}

TEST(Text, NearestWordFindsSlipsOnly) {
  constexpr std::string_view known[] = {"switch", "linux-bridge", "hosted-bridge", "hub"};
  EXPECT_EQ(nearest_word("swicth", known), "switch");
  EXPECT_EQ(nearest_word("hosted_bridge", known), "hosted-bridge");
  EXPECT_EQ(nearest_word("aquarium", known), "");
  EXPECT_EQ(nearest_word("", known), "");
}

TEST(Text, ListWords) {
  const std::string items[] = {"a", "b", "c", "d"};
  EXPECT_EQ(list_words(items), "a, b, c and d");
  EXPECT_EQ(list_words(items, 3), "a, b and 2 more");
}

TEST(Text, ShortNumber) {
  EXPECT_EQ(short_number(5.0), "5");
  EXPECT_EQ(short_number(9.764), "9.76");
  EXPECT_EQ(short_number(-0.0001), "0");
}

// First output of xoshiro256** is a known function of its state; what matters here is that it never changes.
TEST(Random, SameSeedSameNumbers) {
  Random a(1), b(1), c(2);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto x = a.next();
    EXPECT_EQ(x, b.next());
    differs |= x != c.next();
  }
  EXPECT_TRUE(differs);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(7), 7u);
}

TEST(Fingerprint, OrderMatters) {
  Fingerprint a, b;
  a.add(1), a.add(2);
  b.add(2), b.add(1);
  EXPECT_NE(a.value(), b.value());
}

}  // namespace
}  // namespace sekimori::base
