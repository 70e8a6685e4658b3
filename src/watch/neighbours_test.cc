// Neighbor Discovery: who has which IPv6 address, and who says so of others'.
#include "watch/test_support.h"

namespace sekimori::watch::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wire::Icmpv6;
using wire::Ipv6;

constexpr Mac kAllNodes{0x3333'0000'0001};
constexpr std::uint8_t kSolicited = 0x40, kOverride = 0x20;

Ipv6 address(std::uint8_t last) { return {{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}}; }

// RFC 4861 sections 4.3 and 4.4: a message about `target`, with the sender's MAC as its option unless that is
// zero.
wire::Buffer message(std::uint8_t type, Mac source, Mac destination, const Ipv6& from, const Ipv6& to,
                     std::uint8_t flags, const Ipv6& target, Mac told) {
  wire::Buffer out;
  const auto put = [&out](const auto& octets) { out.insert(out.end(), octets.begin(), octets.end()); };
  const std::uint8_t length = told.is_zero() ? 24 : 32;
  put(destination.octets());
  put(source.octets());
  put(std::array<std::uint8_t, 10>{0x86, 0xdd, 0x60, 0, 0, 0, 0, length, wire::ip_protocol::kIcmpv6, 255});
  put(from.octets);
  put(to.octets);
  put(std::array<std::uint8_t, 8>{type, 0, 0, 0, flags, 0, 0, 0});
  put(target.octets);
  if (!told.is_zero()) {
    const std::uint8_t option = type == Icmpv6::kNeighborSolicitation ? 1 : 2;
    put(std::array<std::uint8_t, 2>{option, 1});
    put(told.octets());
  }
  return out;
}

wire::Buffer question(Mac source, const Ipv6& from, const Ipv6& target) {
  const Mac group{0x3333'ff00'0000u | target.octets[15]};
  const Ipv6 to{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, target.octets[15]}};
  const bool is_probe = from.is_unspecified();
  return message(Icmpv6::kNeighborSolicitation, source, group, from, to, 0, target,
                 is_probe ? Mac{} : source);
}
wire::Buffer answer(Mac source, const Ipv6& own, Mac to, const Ipv6& whom, std::uint8_t flags) {
  return message(Icmpv6::kNeighborAdvertisement, source, to, own, whom, flags, own, source);
}
wire::Buffer announcement(Mac source, const Ipv6& own) {
  const Ipv6 all{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return answer(source, own, kAllNodes, all, kOverride);
}

TEST(NeighborDiscovery, PoisonsWithUnaskedAdvertisements) {
  Tape tape;
  tape.raw(announcement(kHost, address(1))).raw(announcement(kGuest, address(9)));
  for (int i = 0; i < 5; ++i)
    tape.after(2).raw(answer(kGuest, address(1), kOwner, address(3), kSolicited | kOverride));
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("arp-poisoning"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("claims fd00::1, which others have, in 5 replies"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("Its own address is fd00::9"));
  EXPECT_TRUE(shows_frame(report.findings[0], 3));
}

TEST(NeighborDiscovery, AnswersAreNoPoison) {
  Tape tape;
  tape.raw(announcement(kHost, address(1))).raw(announcement(kGuest, address(9)));
  for (int i = 0; i < 5; ++i) {
    tape.after(2).raw(question(kOwner, address(3), address(1)));
    tape.raw(answer(kHost, address(1), kOwner, address(3), kSolicited | kOverride));
  }
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(NeighborDiscovery, TwoOwners) {
  Tape tape;
  for (int i = 0; i < 4; ++i)
    tape.after(1).raw(announcement(kHost, address(1))).after(0.5).raw(announcement(kPeer, address(1)));
  EXPECT_THAT(faults(tape.report()), ElementsAre("ip-duplicate"));
}

// RFC 4862 section 5.4: who wants an address asks for it from none.
TEST(NeighborDiscovery, ADuplicateIsRefused) {
  for (const bool answered : {true, false}) {
    Tape tape;
    tape.raw(question(kPeer, {}, address(1)));
    if (answered) tape.after(0.01).raw(announcement(kHost, address(1)));
    tape.after(5).raw(question(kOwner, address(3), address(9)));
    const Report report = tape.report();
    if (!answered) {
      EXPECT_THAT(report.findings, IsEmpty());
      continue;
    }
    ASSERT_THAT(faults(report), ElementsAre("ip-duplicate"));
    EXPECT_EQ(report.findings[0].severity, Severity::kWarning);
    EXPECT_THAT(report.findings[0].headline, HasSubstr("wanted fd00::1, which 00:11:0a:00:00:01 has"));
    EXPECT_TRUE(shows_frame(report.findings[0], 1) && shows_frame(report.findings[0], 2));
  }
}

TEST(NeighborDiscovery, TwoWantOneAddressAtOnce) {
  Tape tape;
  tape.raw(question(kPeer, {}, address(1))).after(0.3).raw(question(kHost, {}, address(1)));
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("ip-duplicate"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr("both wanted fd00::1 at once"));
  Tape again;  // one that repeats its question
  again.raw(question(kPeer, {}, address(1))).after(0.3).raw(question(kPeer, {}, address(1)));
  EXPECT_THAT(again.report().findings, IsEmpty());
}

// Servers that share an anycast address, or a proxy beside the owner, don't override.
TEST(NeighborDiscovery, AnycastIsNoDuplicate) {
  Tape tape;
  for (int i = 0; i < 6; ++i) {
    tape.after(30).raw(question(kOwner, address(3), address(1)));
    tape.raw(answer(kHost, address(1), kOwner, address(3), kSolicited));
    tape.raw(answer(kPeer, address(1), kOwner, address(3), kSolicited));
  }
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

// A router that passes a message on leaves a hop limit below 255: nobody of this link has said so.
TEST(NeighborDiscovery, MessagesFromElsewhereAreNone) {
  Tape tape;
  tape.raw(announcement(kHost, address(1)));
  for (int i = 0; i < 8; ++i) {
    wire::Buffer forged = answer(kGuest, address(1), kOwner, address(3), kSolicited | kOverride);
    forged[21] = 254;
    tape.after(2).raw(std::move(forged));
  }
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

}  // namespace
}  // namespace sekimori::watch::testing
