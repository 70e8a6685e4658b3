// Who is who: duplicate MACs and IP addresses, poisoning, relays, made-up and odd addresses, DHCP.
#include "watch/test_support.h"

namespace sekimori::watch::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two hosts of one MAC that talk in turn.
Tape& in_turn(Tape& tape, std::uint8_t ttl_a, std::uint8_t ttl_b, int turns, Mac mac = kGuest) {
  tape.announce(mac, ip(11)).announce(mac, ip(12));
  for (int i = 0; i < turns; ++i) {
    tape.after(0.5).tcp(mac, ip(11), kOwner, kOwnerIp, 1, 1, ttl_a).tcp(kOwner, kOwnerIp, mac, ip(11), 1, 1);
    tape.tcp(mac, ip(12), kOwner, kOwnerIp, 1, 1, ttl_b).tcp(kOwner, kOwnerIp, mac, ip(12), 1, 1);
  }
  return tape;
}

TEST(MacDuplicate, TwoStacksBehindOneMac) {
  Tape tape;
  const Report report = in_turn(tape, 64, 128, 5).report();
  ASSERT_THAT(faults(report), ElementsAre("mac-duplicate"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("10.0.1.11 with TCP TTL 64"));
}

TEST(MacDuplicate, TwoAddressesOfOneStackProveNothing) {
  Tape tape;
  EXPECT_THAT(in_turn(tape, 64, 64, 50).report().findings, IsEmpty());
}

// A laptop that bridges its guest over Wi-Fi lends it its MAC.
TEST(MacDuplicate, APhysicalMacMayBeLent) {
  Tape tape;
  const Report report = in_turn(tape, 64, 128, 50, kHost).report();
  EXPECT_THAT(faults(report), IsEmpty());
  EXPECT_NE(finding(report, Code::kMacDuplicate), nullptr);
}

TEST(MacDuplicate, FewTurnsProveNothing) {
  Tape tape;
  EXPECT_THAT(in_turn(tape, 64, 128, 2).report().findings, IsEmpty());
}

TEST(MacDuplicate, ARouterForwardsForManyStacks) {
  Tape tape;
  for (std::uint32_t i = 0; i < 100; ++i) {
    tape.after(0.1).tcp(kHost, {0xc000'0200u + i}, kOwner, kOwnerIp, 1, 1, i % 2 == 0 ? 57 : 118);
    tape.tcp(kHost, {0xc000'0200u + i}, kOwner, kOwnerIp, 1, 1,
             i % 2 == 0 ? 64 : 128);  // not on this link, by ARP
  }
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

// What a router forwards has other people's addresses.
TEST(MacDuplicate, ARouterThatMovesIsNone) {
  Tape tape;
  for (std::uint32_t i = 0; i < 4; ++i) {
    tape.after(10)
        .on(0, i % 2 == 0 ? Direction::inbound : Direction::outbound)
        .udp(kHost, {0xc000'0200 + i}, kOwner, kOwnerIp);
  }
  EXPECT_EQ(finding(tape.report(), Code::kMacDuplicate), nullptr);
}

TEST(MacDuplicate, OnBothSidesUnderTwoNames) {
  for (const bool same_name : {false, true}) {
    Tape tape;
    for (std::uint32_t i = 0; i < 3; ++i) {
      tape.after(1).on(0, Direction::inbound).ask(kGuest, ip(11), kOwnerIp);
      tape.on(0, Direction::outbound).ask(kGuest, same_name ? ip(11) : ip(12), kOwnerIp);
    }
    const auto words = faults(tape.report());
    if (same_name) {
      EXPECT_THAT(words, ElementsAre("reflection"));
    } else {
      EXPECT_THAT(words, ElementsAre("mac-duplicate"));
    }
  }
}

TEST(MacDuplicate, AtTwoInterfacesUnderTwoNames) {
  Tape tape({"port1", "port2"});
  for (std::uint32_t i = 0; i < 4; ++i) tape.after(10).on(i % 2).ask(kGuest, ip(11 + i % 2), kOwnerIp);
  EXPECT_THAT(faults(tape.report()), ElementsAre("mac-duplicate"));
}

TEST(IpDuplicate, BothDefendIt) {
  Tape tape;
  for (int i = 0; i < 4; ++i) tape.after(1).announce(kHost, ip(1)).after(0.5).announce(kPeer, ip(1));
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("ip-duplicate"));
  EXPECT_EQ(report.findings[0].certainty, Certainty::kObserved);
}

TEST(IpDuplicate, TwoAnswersToOneQuestionMayBeOneHost) {
  Tape tape;
  tape.ask(kOwner, kOwnerIp, ip(1))
      .after(0.001)
      .answer(kHost, ip(1), kOwner, kOwnerIp)
      .answer(kPeer, ip(1), kOwner, kOwnerIp);
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("ip-duplicate"));
  EXPECT_EQ(report.findings[0].certainty, Certainty::kUndecided);
  EXPECT_THAT(report.findings[0].candidates[1], HasSubstr("ARP flux"));
}

TEST(IpDuplicate, NotAFailoverAndNotAProbe) {
  Tape tape;
  tape.announce(kHost, ip(1)).after(10).announce(kPeer, ip(1)).announce(kPeer, ip(1));
  for (int i = 0; i < 5; ++i)
    tape.after(1).ask(mac(i), {}, ip(1)).announce(kPeer, ip(1));  // RFC 5227: is it free?
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(IpDuplicate, NotAVirtualRoutersAddress) {
  Tape tape;
  for (int i = 0; i < 5; ++i) tape.after(1).announce(Mac{0x0000'5e00'0101}, ip(1)).announce(kPeer, ip(1));
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(ArpPoisoning, UnaskedRepliesForAnothersAddress) {
  Tape tape;
  tape.announce(kHost, ip(1)).announce(kGuest, kGuestIp);
  for (int i = 0; i < 5; ++i) tape.after(2).answer(kGuest, ip(1), kOwner, kOwnerIp);
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("arp-poisoning"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("Its own address is 10.0.0.9"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("every 2.0 s"));
}

TEST(ArpPoisoning, AskedRepliesAreNone) {
  Tape tape;
  tape.announce(kHost, ip(1)).announce(kGuest, kGuestIp);
  for (int i = 0; i < 5; ++i)
    tape.after(2).ask(kOwner, kOwnerIp, ip(1)).answer(kHost, ip(1), kOwner, kOwnerIp);
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

Tape& relayed(Tape& tape, Ipv4 a, Ipv4 b, std::uint8_t ttl) {
  tape.announce(kHost, a).announce(kPeer, b);
  for (std::uint32_t i = 0; i < 12; ++i) {
    tape.after(0.1).tcp(kHost, a, kGuest, b, i, i).tcp(kGuest, a, kPeer, b, i, i, ttl);
    tape.tcp(kPeer, b, kGuest, a, i, i).tcp(kGuest, b, kHost, a, i, i, ttl);
  }
  return tape;
}

TEST(Relay, BetweenNeighbours) {
  Tape tape;
  const Report report = relayed(tape, ip(1), ip(2), 63).report();
  ASSERT_THAT(faults(report), ElementsAre("subnet-relay"));
  EXPECT_EQ(report.findings[0].certainty, Certainty::kObserved);
}

TEST(Relay, AOneArmedRouterIsNone) {
  Tape tape;
  EXPECT_THAT(relayed(tape, {0x0a00'0101}, {0x0a00'0201}, 63).report().findings, IsEmpty());
}

TEST(MacFlooding, AddressesOfAllVendorsOnce) {
  for (const bool random : {true, false}) {
    Tape tape;
    for (std::uint64_t i = 0; i < 200; ++i) {
      const Mac source{random ? base::mix64(i) & ~(std::uint64_t{1} << 40)
                              : 0x0011'0a00'0000 + i};  // one vendor: a busy LAN
      tape.after(0.001).udp(source, ip(static_cast<std::uint32_t>(i)), kPeer, kPeerIp);
    }
    if (random) {
      EXPECT_THAT(faults(tape.report()), ElementsAre("mac-flooding"));
    } else {
      EXPECT_THAT(tape.report().findings, IsEmpty());
    }
  }
}

// Managers draw local addresses at random, and guests announce themselves once.
TEST(MacFlooding, AHundredGuestsThatBootAreNone) {
  Tape tape;
  for (std::uint32_t i = 0; i < 200; ++i)
    tape.after(0.001).announce(Mac{0x0200'0000'0000 | (base::mix64(i) >> 24 & 0xff'ffff'ffff)}, ip(i));
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(OddMacs, WellKnownAndImpossible) {
  Tape tape;
  tape.announce(Mac{0x5254'0012'3456}, ip(1)).udp(kHost, kHostIp, Mac{0x5254'0012'3457}, ip(2));
  for (int i = 0; i < 3; ++i) tape.announce(Mac{0x0100'5e00'0001}, ip(3));
  EXPECT_THAT(faults(tape.report()), ElementsAre("mac-well-known", "mac-invalid"));
}

TEST(OddMacs, ALoopbackDeviceHasNone) {
  Tape tape;
  for (int i = 0; i < 10; ++i) tape.after(1).udp(Mac{}, ip(1), Mac{}, ip(1));
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(OddMacs, AHyperVPoolOnTwoSides) {
  for (const bool same : {true, false}) {
    Tape tape;
    tape.on(0, Direction::outbound)
        .announce(Mac{0x0015'5d01'1105}, ip(1))
        .announce(Mac{0x0015'5d01'1106}, ip(2));
    tape.on(0, Direction::inbound);
    for (std::uint32_t i = 0; i < 3; ++i)
      tape.announce(Mac{(same ? 0x0015'5d01'1110u : 0x0015'5d01'2210u) + i}, ip(10 + i));
    const Report report = tape.report();
    EXPECT_THAT(faults(report), IsEmpty());
    EXPECT_EQ(finding(report, Code::kMacPoolOverlap) != nullptr, same);
  }
}

// ---------------------------------------------------------------- questions

TEST(Questions, AskedInVain) {
  for (const bool answered : {false, true}) {
    Tape tape;
    for (int i = 0; i < 60; ++i) {
      tape.after(0.5).ask(kOwner, kOwnerIp, ip(9));
      if (answered && i % 20 == 10) tape.announce(kHost, ip(9));
    }
    const Report report = tape.report();
    if (answered) {
      EXPECT_THAT(report.findings, IsEmpty());
    } else {
      ASSERT_THAT(faults(report), ElementsAre("arp-unanswered"));
      EXPECT_THAT(report.findings[0].headline, HasSubstr("asks 60 times for 10.0.1.9"));
      EXPECT_TRUE(shows_frame(report.findings[0], 1));
    }
  }
}

TEST(Questions, NowAndThenAreOrdinary) {
  Tape tape;
  for (int i = 0; i < 60; ++i) tape.after(30).ask(kOwner, kOwnerIp, ip(9));
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(IpDuplicate, AQuestionWhetherItIsFreeIsRefused) {
  Tape tape;
  tape.ask(kOwner, {}, ip(1)).after(0.01).answer(kHost, ip(1), kOwner, {});
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("ip-duplicate"));
  EXPECT_EQ(report.findings[0].severity, Severity::kWarning);
  EXPECT_THAT(report.findings[0].headline, HasSubstr("wanted 10.0.1.1"));
}

// ---------------------------------------------------------------- many addresses behind one MAC that are
// legal

// A host whose containers go out by its own MAC, all with its own stack's TTL, a proxy that answers for a
// subnet, a router on one cable.
TEST(OneMac, OfAHostWithContainersIsNoDuplicate) {
  Tape tape;
  for (std::uint32_t i = 0; i < 40; ++i) {
    tape.after(0.1).announce(kHost, ip(i % 4));
    tape.tcp(kHost, ip(i % 4), kOwner, kOwnerIp, i, i).tcp(kOwner, kOwnerIp, kHost, ip(i % 4), i, i);
  }
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(OneMac, OfAProxyIsNoDuplicate) {
  Tape tape;
  for (std::uint32_t i = 0; i < 40; ++i) {
    const Mac own = mac(i);
    tape.after(0.1).announce(own, ip(i));
    for (int k = 0; k < 4; ++k)
      tape.after(1)
          .ask(kOwner, kOwnerIp, ip(i))
          .answer(kHost, ip(i), kOwner, kOwnerIp)
          .answer(own, ip(i), kOwner, kOwnerIp);
  }
  EXPECT_THAT(faults(tape.report()), IsEmpty());
}

TEST(OneMac, OfARedundantRouterIsNoDuplicate) {
  // GLBP, HSRP, HSRP 2, VRRP and CARP, VRRP of IPv6.
  for (const std::uint64_t address :
       {0x0007'b400'0102ul, 0x0000'0c07'ac05ul, 0x0000'0c9f'f005ul, 0x0000'5e00'0105ul}) {
    Tape tape;
    const Mac shared{address};
    for (std::uint32_t i = 0; i < 12; ++i) {
      tape.after(1)
          .on(0, i % 2 == 0 ? Direction::inbound : Direction::outbound)
          .announce(shared, ip(1 + i % 2));
      tape.tcp(shared, ip(1 + i % 2), kOwner, kOwnerIp, i, i, i % 2 == 0 ? 64 : 255);
    }
    EXPECT_THAT(faults(tape.report()), IsEmpty()) << wire::to_text(shared);
  }
}

// Servers of an NLB cluster answer with its MAC in frames of their own.
TEST(OneMac, OfAnNlbClusterIsNoDuplicate) {
  constexpr Mac kCluster{0x02bf'0a00'0005};
  Tape tape;
  for (std::uint32_t i = 0; i < 12; ++i) {
    tape.after(1).ask(kOwner, kOwnerIp, ip(5));
    const Mac server{0x0201'0a00'0005 + (std::uint64_t{i % 2} << 32)};
    tape.arp(server, kOwner, {Arp::kReply, kCluster, ip(5), kOwner, kOwnerIp});
  }
  EXPECT_THAT(faults(tape.report()), IsEmpty());
}

// lldpd once sent from one address on all members of a bond (issue 65 of lldpd): switches log moves, and
// nobody is hurt.
TEST(OneMac, OfADiscoveryProtocolIsAMoveAtMost) {
  Tape tape({"port1", "port2"});
  for (std::uint32_t i = 0; i < 3; ++i) {
    wire::Buffer frame = {0x01,
                          0x80,
                          0xc2,
                          0x00,
                          0x00,
                          0x0e,
                          0x00,
                          0x60,
                          0x08,
                          0x69,
                          0x97,
                          0xef,
                          0x88,
                          0xcc,
                          0x02,
                          0x07,
                          0x04,
                          0x00,
                          0x11,
                          0x0a,
                          0x00,
                          0x00,
                          static_cast<std::uint8_t>(i),
                          0x04,
                          0x03,
                          0x05,
                          0x65,
                          0x30,
                          0x06,
                          0x02,
                          0x00,
                          0x78,
                          0x00,
                          0x00};
    frame.resize(60);
    tape.after(30).on(i % 2).raw(frame);
  }
  EXPECT_THAT(faults(tape.report()), IsEmpty());
}

// ---------------------------------------------------------------- DHCP

struct DhcpMessage {
  std::uint8_t op = 1, type = 1;
  std::uint32_t xid = 1;
  Mac client{};
  std::uint32_t server = 0, router = 0, relay = 0;
  std::string name{};
};

wire::Buffer dhcp(Mac source, const DhcpMessage& m) {
  wire::Buffer payload = {m.op, 1, 6, 0};
  wire::put_be32(payload, m.xid);
  for (int i = 0; i < 4; ++i) wire::put_be32(payload, 0);  // secs, flags; ciaddr, yiaddr, siaddr
  wire::put_be32(payload, m.relay);
  wire::put_mac(payload, m.client);
  payload.resize(236);
  wire::put_be32(payload, 0x6382'5363);
  payload.insert(payload.end(), {53, 1, m.type});
  const auto address = [&](std::uint8_t option, std::uint32_t value) {
    if (value == 0) return;
    payload.insert(payload.end(), {option, 4});
    wire::put_be32(payload, value);
  };
  address(54, m.server);
  address(3, m.router);
  if (!m.name.empty()) {
    payload.insert(payload.end(), {12, static_cast<std::uint8_t>(m.name.size())});
    payload.insert(payload.end(), m.name.begin(), m.name.end());
  }
  payload.push_back(255);
  wire::Buffer frame;
  const bool client = m.op == 1;
  wire::append_udp(frame, {wire::kBroadcast, source, {}, 42 + payload.size()},
                   wire::Ipv4Header{.source = {m.server}, .destination = {~0u}},
                   {.source_port = client ? std::uint16_t{68} : std::uint16_t{67},
                    .destination_port = client ? std::uint16_t{67} : std::uint16_t{68}});
  std::ranges::copy(payload, frame.begin() + 42);
  return frame;
}

TEST(Dhcp, TwoServersWithTwoRouters) {
  for (const bool agree : {false, true}) {
    Tape tape;
    for (std::uint32_t xid = 1; xid <= 3; ++xid) {
      tape.after(1).raw(dhcp(kOwner, {.xid = xid, .client = kOwner}));
      tape.raw(dhcp(
          kHost,
          {.op = 2, .type = 2, .xid = xid, .client = kOwner, .server = 0x0a00'0001, .router = 0x0a00'0001}));
      tape.raw(dhcp(kPeer, {.op = 2,
                            .type = 2,
                            .xid = xid,
                            .client = kOwner,
                            .server = 0x0a00'0002,
                            .router = agree ? 0x0a00'0001u : 0x0a00'0002u}));
    }
    const Report report = tape.report();
    const Finding* f = finding(report, Code::kDhcpRogue);
    ASSERT_NE(f, nullptr);
    EXPECT_EQ(f->severity, agree ? Severity::kNote : Severity::kError);
    EXPECT_THAT(f->cause, HasSubstr("each of 3 requests"));
  }
}

TEST(Dhcp, AnswersToTwoRequestsAreNoRace) {
  Tape tape;
  tape.raw(dhcp(
      kHost, {.op = 2, .type = 2, .xid = 1, .client = kOwner, .server = 0x0a00'0001, .router = 0x0a00'0001}));
  tape.raw(dhcp(
      kPeer, {.op = 2, .type = 2, .xid = 2, .client = kOwner, .server = 0x0a00'0002, .router = 0x0a00'0002}));
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(Dhcp, MadeUpClients) {
  for (const int kind : {0, 1, 2}) {  // made up; real; behind a relay
    Tape tape;
    for (std::uint32_t i = 0; i < 25; ++i) {
      tape.after(0.1).raw(dhcp(kind == 1 ? mac(i) : kHost,
                               {.xid = i, .client = mac(i), .relay = kind == 2 ? 0x0a00'0001u : 0u}));
    }
    const auto words = faults(tape.report());
    if (kind == 0) {
      EXPECT_THAT(words, ElementsAre("dhcp-starvation"));
    } else {
      EXPECT_THAT(words, IsEmpty());
    }
  }
}

TEST(Dhcp, TwoNamesInTurnAreTwoStations) {
  for (const int changes : {4, 1}) {
    Tape tape;
    for (int i = 0; i <= changes; ++i) {
      tape.after(60).raw(dhcp(kGuest, {.xid = static_cast<std::uint32_t>(i),
                                       .client = kGuest,
                                       .name = i % 2 == 0 ? "shop" : "shop-clone"}));
    }
    EXPECT_EQ(faults(tape.report()).size(), changes == 4 ? 1u : 0u);
  }
}

}  // namespace
}  // namespace sekimori::watch::testing
