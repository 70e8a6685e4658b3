#include "base/parse_units.h"

#include <gtest/gtest.h>

#include <string>

namespace sekimori::base {
namespace {

std::string why(const auto& result) { return result ? "parsed" : result.error().what; }

TEST(ParseUnits, Durations) {
  EXPECT_EQ(parse_duration("300s"), seconds(300));
  EXPECT_EQ(parse_duration("12.5ms"), microseconds(12'500));
  EXPECT_EQ(parse_duration(" 30 min "), seconds(1800));
  EXPECT_EQ(parse_duration("1h"), seconds(3600));
  EXPECT_EQ(parse_duration("2d"), seconds(172'800));
  EXPECT_EQ(parse_duration("0.000000000001s"), picoseconds(1));
  EXPECT_EQ(parse_duration("1.50000000000000000s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("0"), Duration{0});
  EXPECT_EQ(parse_duration("0.0"), Duration{0});
}

TEST(ParseUnits, RatesAndSizes) {
  EXPECT_EQ(parse_rate("10Mbit/s"), mbit(10));
  EXPECT_EQ(parse_rate("1.5 Gbit/s"), mbit(1500));
  EXPECT_EQ(parse_rate("9 Tbit/s"), gbit(9000));
  EXPECT_EQ(parse_bytes("64KiB"), 65'536);
  EXPECT_EQ(parse_bytes("0.5KiB"), 512);
  EXPECT_EQ(parse_bytes("1500B"), 1500);
}

TEST(ParseUnits, WhatPrintsCanBeReadAgain) {
  for (const Duration d : {seconds(300), microseconds(12'500), nanoseconds(7), picoseconds(999)}) {
    EXPECT_EQ(parse_duration(to_text(d)), d);
  }
  for (const BitRate r : {mbit(20), gbit(1), kbit(64), BitRate{9}}) EXPECT_EQ(parse_rate(to_text(r)), r);
}

TEST(ParseUnits, ErrorsSayWhatWasExpected) {
  EXPECT_EQ(why(parse_duration("300")),
            "\"300\" is not a duration: the unit is missing (write for example 300s, 12.5ms or 30min).");
  EXPECT_EQ(why(parse_rate("10Mbits")),
            "\"10Mbits\" is not a rate: there is no unit \"Mbits\", did you mean Mbit/s? "
            "(write for example 10Mbit/s or 1Gbit/s).");
  EXPECT_EQ(why(parse_bytes("10 furlongs")),
            "\"10 furlongs\" is not a size: there is no unit \"furlongs\", the units are B, kB, MB, GB, KiB, "
            "MiB and "
            "GiB (write for example 1500B or 64KiB).");
  for (const std::string_view bad :
       {"", "s", "-1s", ".5s", "5.s", "1.2.3s", "1e3s", "+1s", "nan", "1 s s", "0x1s"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(ParseUnits, NothingIsRoundedOrOverflows) {
  EXPECT_FALSE(parse_duration("0.5ps"));
  EXPECT_FALSE(parse_duration("0.0000000000001s"));
  EXPECT_FALSE(parse_bytes("0.3KiB"));
  EXPECT_TRUE(parse_duration("106d"));
  EXPECT_FALSE(parse_duration("107d"));
  EXPECT_FALSE(parse_duration("9223372036854775808ps"));
  EXPECT_FALSE(parse_duration(std::string(100'000, '9') + "s"));
  EXPECT_FALSE(parse_duration(std::string(100'000, 'z')));
  EXPECT_EQ(why(parse_duration(std::string(100'000, '9') + "s")).size() < 200, true);
}

}  // namespace
}  // namespace sekimori::base
