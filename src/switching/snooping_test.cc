// The rules in the head of snooping.h, one by one; tests/differential holds Linux' against a kernel.
#include "switching/snooping.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sekimori::switching {
namespace {

using base::seconds;
using model::BridgeKind;
using wire::Listening;
using Kind = Listening::Kind;

const Group kGroup = wire::to_group({0xef01'0101}), kOther = wire::to_group({0xef01'0102}),
            kNobody = wire::to_group({}), kLow = wire::to_group({0x0a00'0001}),
            kHigh = wire::to_group({0x0a00'0009});
const Group kGroup6{{0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
    kAsker6{{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
constexpr std::uint16_t kVlan = 10;
constexpr Time kStart = seconds(1);
constexpr Duration kPatience = seconds(10);

model::Bridge bridge(BridgeKind kind, bool querier = false, bool floods_unregistered = true) {
  model::Bridge b;
  b.kind = kind;
  b.snoops = true;
  b.querier = querier;
  b.floods_unregistered = floods_unregistered;
  return b;
}

std::vector<std::uint32_t> ports(Snooping& snooping, const Group& group, Time now) {
  auto list = snooping.ports(kVlan, group, snooping.spread(kVlan, group, Heard::kPacket, now), now);
  std::ranges::sort(list);
  return list;
}
using Ports = std::vector<std::uint32_t>;

Spread spread(const Snooping& s, const Group& group, Time now, Heard heard = Heard::kPacket) {
  return s.spread(kVlan, group, heard, now);
}

TEST(LinuxSnooping, FloodsUntilAQuerierIsBelieved) {
  Snooping s(bridge(BridgeKind::kLinuxBridge));
  s.join(kVlan, kGroup, 1, kStart);
  EXPECT_EQ(spread(s, kGroup, kStart), Spread::kEverywhere);
  s.query(kVlan, kLow, kPatience, 2, kStart);
  EXPECT_EQ(spread(s, kGroup, kStart + seconds(9)), Spread::kEverywhere);
  EXPECT_EQ(spread(s, kGroup, kStart + seconds(10)), Spread::kMembers);
  EXPECT_EQ(ports(s, kGroup, kStart + seconds(10)), (Ports{1, 2}));
  EXPECT_EQ(ports(s, kOther, kStart + seconds(10)), (Ports{2}));
  // It is gone: as before.
  EXPECT_EQ(spread(s, kGroup, kStart + kOtherQuerier), Spread::kEverywhere);
}

TEST(LinuxSnooping, AVersionOfIpHasItsOwnQuerier) {
  Snooping s(bridge(BridgeKind::kLinuxBridge));
  s.query(kVlan, kLow, Duration{0}, 2, kStart);
  EXPECT_EQ(spread(s, kGroup, kStart), Spread::kMembers);
  EXPECT_EQ(spread(s, kGroup6, kStart), Spread::kEverywhere);
  s.query(kVlan, kAsker6, Duration{0}, 3, kStart);
  EXPECT_EQ(ports(s, kGroup6, kStart), (Ports{3}));
}

TEST(LinuxSnooping, ItsOwnQuerierIsBelievedAfterTenSecondsAndYields) {
  Snooping s(bridge(BridgeKind::kLinuxBridge, true));
  EXPECT_TRUE(s.asks(kVlan, kLow, kStart));
  EXPECT_EQ(spread(s, kGroup, kStart + seconds(9)), Spread::kEverywhere);
  EXPECT_EQ(spread(s, kGroup, kStart + seconds(10)), Spread::kMembers);
  s.query(kVlan, kHigh, kPatience, 2, kStart + seconds(11));  // not elected
  EXPECT_TRUE(s.asks(kVlan, kLow, kStart + seconds(12)));
  EXPECT_TRUE(s.router_ports(kVlan, false, kStart + seconds(12)).empty());
  s.query(kVlan, kNobody, kPatience, 2, kStart + seconds(13));
  EXPECT_FALSE(s.asks(kVlan, kLow, kStart + seconds(14)));
  EXPECT_EQ(s.router_ports(kVlan, false, kStart + seconds(14)), (Ports{2}));
  EXPECT_TRUE(s.asks(kVlan, kLow, kStart + seconds(13) + kOtherQuerier));
}

TEST(LinuxSnooping, AnOwnQuerierWithoutAddressYieldsToAnybody) {
  Snooping s(bridge(BridgeKind::kLinuxBridge, true));
  EXPECT_TRUE(s.asks(kVlan, kNobody, kStart));
  s.query(kVlan, kHigh, kPatience, 2, kStart + seconds(1));
  EXPECT_FALSE(s.asks(kVlan, kNobody, kStart + seconds(2)));
}

TEST(LinuxSnooping, WhoLeavesIsForgottenAfterTwoSecondsUnlessAnotherAsks) {
  Snooping alone(bridge(BridgeKind::kLinuxBridge, true));
  ASSERT_TRUE(alone.asks(kVlan, kLow, kStart));
  const Time later = kStart + seconds(20);
  alone.join(kVlan, kGroup, 1, later);
  alone.leave(kVlan, kGroup, 1, later);
  EXPECT_EQ(ports(alone, kGroup, later + seconds(1)), (Ports{1}));
  EXPECT_EQ(ports(alone, kGroup, later + seconds(2)), Ports{});

  Snooping asked(bridge(BridgeKind::kLinuxBridge));
  asked.query(kVlan, kLow, Duration{0}, 2, kStart);
  asked.join(kVlan, kGroup, 1, kStart);
  asked.leave(kVlan, kGroup, 1, kStart);
  EXPECT_EQ(ports(asked, kGroup, kStart + seconds(100)), (Ports{1, 2}));
  asked.query_group(kVlan, kLow, kGroup, seconds(1), 2, kStart + seconds(100));
  EXPECT_EQ(ports(asked, kGroup, kStart + seconds(102)), (Ports{2}));
}

TEST(LinuxSnooping, OldReportsGoToRoutersOthersEverywhere) {
  Snooping s(bridge(BridgeKind::kLinuxBridge));
  EXPECT_EQ(spread(s, kGroup, kStart, Heard::kOldReport), Spread::kEverywhere);
  s.query(kVlan, kLow, Duration{0}, 2, kStart);
  EXPECT_EQ(spread(s, kGroup, kStart, Heard::kOldReport), Spread::kRouters);
  for (const Heard heard : {Heard::kReport, Heard::kLeave, Heard::kQuery})
    EXPECT_EQ(spread(s, kGroup, kStart, heard), Spread::kEverywhere);
}

TEST(LinuxSnooping, TooManyGroupsEndIt) {
  Snooping s(bridge(BridgeKind::kLinuxBridge));
  s.query(kVlan, kLow, Duration{0}, 2, kStart);
  for (std::uint32_t g = 0; g < 4096; ++g) s.join(kVlan, wire::to_group({0xef00'0000 + g}), 1, kStart);
  EXPECT_EQ(spread(s, kOther, kStart), Spread::kMembers);
  s.join(kVlan, kOther, 1, kStart);
  EXPECT_EQ(spread(s, kOther, kStart), Spread::kEverywhere);
}

TEST(SwitchSnooping, NeedsNoQuerierAndFloodsWhatNobodyJoined) {
  Snooping s(bridge(BridgeKind::kSwitch));
  s.join(kVlan, kGroup, 1, kStart);
  EXPECT_EQ(ports(s, kGroup, kStart), (Ports{1}));
  EXPECT_EQ(spread(s, kOther, kStart), Spread::kEverywhere);
  EXPECT_EQ(spread(s, kGroup, kStart + kMembershipInterval), Spread::kEverywhere);
  Snooping thrifty(bridge(BridgeKind::kSwitch, false, false));
  EXPECT_EQ(spread(thrifty, kOther, kStart), Spread::kRouters);
}

TEST(SwitchSnooping, AQueryWithoutAddressMarksNoRouter) {
  Snooping s(bridge(BridgeKind::kSwitch));
  s.query(kVlan, kNobody, kPatience, 3, kStart);
  EXPECT_TRUE(s.router_ports(kVlan, false, kStart).empty());
  s.query(kVlan, kHigh, kPatience, 3, kStart);
  s.query(kVlan, kLow, kPatience, 2, kStart);
  EXPECT_EQ(s.router_ports(kVlan, false, kStart), (Ports{3, 2}));
}

TEST(OpenVSwitchSnooping, WhoLeavesIsGoneAtOnce) {
  Snooping s(bridge(BridgeKind::kOvs));
  s.join(kVlan, kGroup, 1, kStart);
  s.join(kVlan, kGroup, 2, kStart);
  s.query_group(kVlan, kLow, kGroup, seconds(1), 3, kStart);
  EXPECT_EQ(ports(s, kGroup, kStart + seconds(299)), (Ports{1, 2}));
  s.leave(kVlan, kGroup, 1, kStart + seconds(10));
  EXPECT_EQ(ports(s, kGroup, kStart + seconds(10)), (Ports{2, 3}));
}

TEST(AnySnooping, SomeGroupsAreForEverybody) {
  for (const BridgeKind kind : {BridgeKind::kLinuxBridge, BridgeKind::kSwitch, BridgeKind::kOvs}) {
    Snooping s(bridge(kind, false, false));
    s.query(kVlan, kLow, Duration{0}, 2, kStart);
    for (const Group& group : {wire::to_group({0xe000'00fb}), wire::kAllNodes}) {
      s.join(kVlan, group, 1, kStart);
      EXPECT_EQ(spread(s, group, kStart), Spread::kEverywhere);
    }
    EXPECT_TRUE(s.members(kStart).empty());
  }
}

TEST(AnySnooping, VlansAndPortsAreApart) {
  Snooping s(bridge(BridgeKind::kSwitch, false, false));
  s.join(kVlan, kGroup, 1, kStart);
  s.join(kVlan + 1, kGroup, 2, kStart);
  s.query(kVlan, kLow, kPatience, 1, kStart);
  EXPECT_EQ(ports(s, kGroup, kStart), (Ports{1}));
  s.forget_port(1);
  EXPECT_EQ(ports(s, kGroup, kStart), Ports{});
  ASSERT_EQ(s.members(kStart).size(), 1u);
  EXPECT_EQ(s.members(kStart)[0].vlan, kVlan + 1);
}

Listening message(Kind kind, const Group& group = {}) {
  Listening m;
  m.kind = kind;
  m.source = kLow;
  m.group = group;
  m.patience_ms = 1000;
  return m;
}

TEST(AnySnooping, HearsWhatMessagesTell) {
  Snooping s(bridge(BridgeKind::kSwitch));
  EXPECT_EQ(s.hear(kVlan, message(Kind::kOldReport, kGroup), 1, kStart), Heard::kOldReport);
  Listening report = message(Kind::kReport);
  report.records = {{kGroup, true}, {kOther, false}};
  EXPECT_EQ(s.hear(kVlan, report, 1, kStart), Heard::kReport);
  EXPECT_EQ(s.members(kStart + seconds(1)).size(), 2u);
  ASSERT_EQ(s.members(kStart + seconds(2)).size(), 1u);
  EXPECT_EQ(s.members(kStart + seconds(2))[0].group, kOther);
  EXPECT_EQ(s.hear(kVlan, message(Kind::kQuery), 4, kStart), Heard::kQuery);
  EXPECT_EQ(s.router_ports(kVlan, false, kStart), (Ports{4}));
  EXPECT_EQ(s.hear(kVlan, message(Kind::kQuery, kOther), 4, kStart), Heard::kQuery);
  EXPECT_EQ(s.members(kStart + seconds(2)).size(), 0u);
  s.join(kVlan, kOther, 1, kStart);
  EXPECT_EQ(s.hear(kVlan, message(Kind::kLeave, kOther), 1, kStart), Heard::kLeave);
  EXPECT_EQ(s.members(kStart + seconds(2)).size(), 0u);
}

// Who is asked about some senders only may still want others.
TEST(AnySnooping, AQuestionAboutSourcesEndsNothing) {
  Snooping s(bridge(BridgeKind::kSwitch));
  s.join(kVlan, kGroup, 1, kStart);
  Listening m = message(Kind::kQuery, kGroup);
  m.about_sources = true;
  s.hear(kVlan, m, 4, kStart);
  EXPECT_EQ(s.members(kStart + seconds(10)).size(), 1u);
}

}  // namespace
}  // namespace sekimori::switching
