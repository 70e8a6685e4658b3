// Loops, storms, reflections: what copies of frames tell.
#include "watch/test_support.h"

namespace sekimori::watch::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Loop, OneFrameRoundAndRound) {
  Tape tape;
  tape.owner_talks().at(5);
  for (int i = 0; i < 2000; ++i) tape.after(0.0001).ask(kHost, kHostIp, kPeerIp);
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("loop"));
  EXPECT_EQ(report.findings[0].certainty, Certainty::kObserved);
  EXPECT_THAT(report.findings[0].headline, HasSubstr("2000 copies of one frame"));
  EXPECT_TRUE(shows_frame(report.findings[0], 23) && shows_frame(report.findings[0], 32))
      << "the first and the tenth copy";
}

TEST(Loop, FewCopiesOfSeveralSourcesAreOne) {
  Tape tape;
  for (int round = 0; round < 12; ++round) {
    for (std::uint32_t i = 0; i < 3; ++i) tape.after(0.001).announce(mac(i), ip(i));
  }
  EXPECT_THAT(faults(tape.report()), ElementsAre("loop"));
}

TEST(Loop, FewCopiesOfOneAreNone) {
  Tape tape;
  for (int i = 0; i < 12; ++i) tape.after(0.001).announce(kHost, kHostIp);
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(Loop, OneSourceAtAModestRateIsUndecided) {
  Tape tape;
  for (int i = 0; i < 300; ++i) tape.after(0.005).announce(kHost, kHostIp);
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("loop"));
  EXPECT_EQ(report.findings[0].certainty, Certainty::kUndecided);
}

TEST(Loop, IdenticalHellosAreNone) {
  Tape tape;
  for (int i = 0; i < 2000; ++i) tape.after(0.25).announce(Mac{0x0000'5e00'0101}, kHostIp);
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(Loop, ACaptureWithoutAClockProvesNone) {
  Tape tape;
  for (int i = 0; i < 2000; ++i) tape.at(0).announce(kHost, kHostIp);
  EXPECT_THAT(faults(tape.report()), ::testing::Not(::testing::Contains("loop")));
}

void broadcasts(Tape& tape, std::uint32_t count, std::uint32_t senders) {
  for (std::uint32_t s = 0; s < 60; ++s) tape.at(s).ask(kHost, kHostIp, ip(s));  // what is usual
  for (std::uint32_t i = 0; i < count; ++i)
    tape.at(30.1 + 0.8 * i / count).ask(mac(i % senders), ip(i % senders), ip(i));
}

TEST(Storm, OfOneSourceNamesIt) {
  Tape tape;
  broadcasts(tape, 1200, 1);
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("storm"));
  EXPECT_THAT(report.findings[0].headline, HasSubstr(wire::to_text(mac(0))));
}

TEST(Storm, OfManyNamesNone) {
  Tape tape;
  broadcasts(tape, 1200, 40);
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("storm"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("No single station"));
}

TEST(Storm, BelowAThousandIsNone) {
  Tape tape;
  broadcasts(tape, 900, 1);
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(Reflection, WhatWentOutComesIn) {
  Tape tape;
  for (std::uint32_t i = 0; i < 5; ++i) {
    tape.after(1).on(0, Direction::outbound).ask(kOwner, kOwnerIp, ip(i));
    tape.on(0, Direction::inbound).ask(kOwner, kOwnerIp, ip(i)).ask(kPeer, kPeerIp, ip(i));
  }
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("reflection"));
  EXPECT_TRUE(shows_frame(report.findings[0], 1) && shows_frame(report.findings[0], 2));
}

TEST(Reflection, WithoutDirectionsDoublesOfTheOwnerAlone) {
  for (const bool mirror : {false, true}) {
    Tape tape;
    tape.owner_talks();
    for (std::uint32_t i = 0; i < 20; ++i) {
      tape.after(1).ask(kOwner, kOwnerIp, ip(i)).ask(kOwner, kOwnerIp, ip(i)).ask(kHost, kHostIp, ip(i));
      if (mirror) tape.ask(kHost, kHostIp, ip(i));  // which copies both directions of everybody
    }
    // Of the pair either may be the owner: let a second peer decide.
    tape.tcp(kOwner, kOwnerIp, kHost, kHostIp, 1, 1).tcp(kHost, kHostIp, kOwner, kOwnerIp, 1, 1);
    if (mirror) {
      EXPECT_THAT(tape.report().findings, IsEmpty());
    } else {
      EXPECT_THAT(faults(tape.report()), ElementsAre("reflection"));
    }
  }
}

TEST(Forwarding, TheSameFrameAtTwoInterfacesIsNoMove) {
  Tape tape({"tap0", "eth0"});
  for (std::uint32_t i = 0; i < 20; ++i) {
    tape.after(1).on(0).ask(kGuest, kGuestIp, ip(i));
    tape.after(0.00001).on(1).ask(kGuest, kGuestIp, ip(i));
  }
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(Moves, BetweenInterfaces) {
  for (const std::uint32_t moves : {1u, 6u}) {
    Tape tape({"port1", "port2"});
    for (std::uint32_t i = 0; i <= moves; ++i) tape.after(10).on(i % 2).ask(kGuest, kGuestIp, ip(i));
    const Report report = tape.report();
    const Finding* f = finding(report, Code::kMacMoves);
    ASSERT_NE(f, nullptr);
    EXPECT_EQ(f->severity, moves == 1 ? Severity::kNote : Severity::kWarning);
    EXPECT_THAT(f->headline, HasSubstr("between port1 and port2"));
    EXPECT_TRUE(shows_frame(*f, 2)) << "the first frame at the new place";
  }
}

TEST(Moves, OfAVirtualRouterAreItsPurpose) {
  Tape tape({"port1", "port2"});
  for (std::uint32_t i = 0; i < 10; ++i) tape.after(1).on(i % 2).ask(Mac{0x0000'5e00'0101}, kHostIp, ip(i));
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

}  // namespace
}  // namespace sekimori::watch::testing
