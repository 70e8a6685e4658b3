#include <gtest/gtest.h>

#include "wire/ipv4.h"
#include "wire/ipv6.h"
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

TEST(Ipv6, TextAndBack) {
  for (const char* text : {"::", "::1", "2001:db8::1", "fe80::ff:fe00:2", "2001:db8:1:2:3:4:5:6", "1::8",
                           "2001:db8::1:0:0:1", "ff02::1:ff00:1"}) {
    const auto address = parse_ipv6(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_text(*address), text);
  }
  EXPECT_EQ(to_text(*parse_ipv6("2001:DB8:0:0::192.0.2.1")), "2001:db8::c000:201");
  EXPECT_EQ(to_text(*parse_ipv6("0:0:0:0:0:0:0:0")), "::");
  for (const char* text : {"", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
                           "12345::", "g::", "1:2:3:4:5:6:7::8", "::1:", ":1::", "1:2:3:4:5:6:7:1.2.3.4",
                           "::1.2.3", "1.2.3.4::", "::-1", "::+1", "::0x1", "fe80::1%eth0"}) {
    EXPECT_FALSE(parse_ipv6(text)) << text;
  }
}

TEST(Ipv6, Prefixes) {
  const auto net = parse_ipv6_prefix("2001:db8::12:1/116");
  ASSERT_TRUE(net);
  EXPECT_EQ(to_text(net->network()), "2001:db8::12:0");
  EXPECT_TRUE(net->contains(*parse_ipv6("2001:db8::12:fff")));
  EXPECT_FALSE(net->contains(*parse_ipv6("2001:db8::12:1000")));
  EXPECT_TRUE(parse_ipv6_prefix("::/0")->contains(*parse_ipv6("ffff::")));
  EXPECT_EQ(parse_ipv6_prefix("::1")->length, 128);
  for (const char* text : {"::1/129", "::1/", "::1/-1", "::1/064x", "::1/0064", "/64"})
    EXPECT_FALSE(parse_ipv6_prefix(text)) << text;
  EXPECT_FALSE(why_no_interface(*parse_ipv6_prefix("ff02::1/64")).empty());
  EXPECT_FALSE(why_no_interface(*parse_ipv6_prefix("2001:db8::/64")).empty());
  EXPECT_TRUE(why_no_interface(*parse_ipv6_prefix("2001:db8::1/64")).empty());
}

// RFC 4291 section 2.7.1 and appendix A, RFC 2464 section 7: their examples.
TEST(Ipv6, GroupsAndLinkLocalAddresses) {
  EXPECT_EQ(to_text(solicited_node(*parse_ipv6("4037::01:800:200e:8c6c"))), "ff02::1:ff0e:8c6c");
  EXPECT_EQ(to_text(group_mac(*parse_ipv6("ff02::1:ff0e:8c6c"))), "33:33:ff:0e:8c:6c");
  EXPECT_EQ(to_text(link_local(*parse_mac("34:56:78:9a:bc:de"))), "fe80::3656:78ff:fe9a:bcde");
}

}  // namespace
}  // namespace sekimori::wire
