#include <gtest/gtest.h>

#include "wire/ipv4.h"
#include "wire/mac.h"

namespace sekimori::wire {
namespace {

TEST(Mac, EveryNotationReadsTheSame) {
  const Mac expected{0x02005e1000ab};
  for (const char* text : {"02:00:5e:10:00:ab", "02-00-5E-10-00-AB", "0200.5e10.00ab", "02005E1000AB"}) {
    EXPECT_EQ(parse_mac(text), expected) << text;
  }
  EXPECT_EQ(to_text(expected), "02:00:5e:10:00:ab");
}

TEST(Mac, RefusesWhatIsNone) {
  for (const char* text :
       {"", "02:00:5e:10:00", "02:00:5e:10:00:ag", "02:00:5e-10:00:ab", "02:00:5e:10:00:ab:cd",
        "0200.5e10:00ab", "02005e1000ab0", "0x005e1000ab", "::::::::::::", "02 00 5e 10 00 ab"}) {
    EXPECT_FALSE(parse_mac(text)) << text;
  }
}

TEST(Mac, Bits) {
  EXPECT_TRUE(parse_mac("01:00:5e:00:00:01")->is_group());
  EXPECT_TRUE(parse_mac("02:00:00:00:00:01")->is_local());
  EXPECT_FALSE(parse_mac("00:50:56:00:00:01")->is_local());
  EXPECT_TRUE(parse_mac("01:80:c2:00:00:0e")->is_link_local_group());
  EXPECT_FALSE(parse_mac("01:80:c2:00:00:10")->is_link_local_group());
}

TEST(Ipv4, ParseAndPrint) {
  EXPECT_EQ(parse_ipv4("10.0.0.9")->bits, 0x0a000009u);
  EXPECT_EQ(to_text(*parse_ipv4_prefix("10.1.2.3/24")), "10.1.2.3/24");
  EXPECT_EQ(to_text(parse_ipv4_prefix("10.1.2.3/24")->network()), "10.1.2.0");
  EXPECT_TRUE(parse_ipv4_prefix("0.0.0.0/0")->contains(*parse_ipv4("1.2.3.4")));
  EXPECT_FALSE(parse_ipv4_prefix("10.0.0.0/25")->contains(*parse_ipv4("10.0.0.128")));
}

TEST(Ipv4, RefusesWhatIsNone) {
  for (const char* text : {"", "10.0.0", "10.0.0.256", "10.0.0.1.2", "10.0.0.01", "10.0.0.1 ", "a.b.c.d",
                           "10..0.1", "1000.0.0.1", "-1.0.0.0"}) {
    EXPECT_FALSE(parse_ipv4(text)) << text;
  }
  for (const char* text : {"10.0.0.1/", "10.0.0.1/33", "10.0.0.1/24x", "/24", "10.0.0.1/-1"}) {
    EXPECT_FALSE(parse_ipv4_prefix(text)) << text;
  }
}

}  // namespace
}  // namespace sekimori::wire
