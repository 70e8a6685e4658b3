#include "watch/flood.h"

#include "watch/test_support.h"

namespace sekimori::watch::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Unicast for a station that is quiet here: `count` frames, ten a second, from the time on.
template <class Send>
void spell(Tape& tape, double from, int count, Send send) {
  for (int i = 0; i < count; ++i) {
    tape.at(from + 0.1 * i);
    send(static_cast<std::uint32_t>(i));
  }
}

// TCP of the host to its guest, whose acknowledgements stay inside.
auto one_sided(Tape& tape, Mac host = kHost, Ipv4 host_ip = kHostIp, Mac guest = kGuest) {
  return [&tape, host, host_ip, guest](std::uint32_t i) {
    tape.tcp(host, host_ip, guest, kGuestIp, 1000 + 100 * i, 500 + 10 * i);
  };
}

TEST(Flood, OneSidedTcpToAGuestIsALeak) {
  Tape tape;
  tape.owner_talks().at(1).ask(kGuest, kGuestIp, kHostIp);
  spell(tape, 301, 100, one_sided(tape));
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("flood-leak"));
  const Finding& f = report.findings[0];
  EXPECT_EQ(f.certainty, Certainty::kObserved);
  EXPECT_THAT(f.cause, HasSubstr("is a guest of 00:11:0a:00:00:01"));
  EXPECT_TRUE(shows_frame(f, 23)) << "the guest's broadcast";
  EXPECT_TRUE(shows_frame(f, 123)) << "the last frame of the flood";
}

TEST(Flood, OfARealNicLeavesASecondWayOpen) {
  Tape tape;
  tape.owner_talks().at(1).ask(mac(9), kGuestIp, kHostIp);
  spell(tape, 301, 100, one_sided(tape, kHost, kHostIp, mac(9)));
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("flood-undecided"));
  EXPECT_EQ(report.findings[0].candidates.size(), 2u);
}

TEST(Flood, OfALivingReceiverThatWasNeverHeardIsUndecided) {
  Tape tape;
  tape.owner_talks();
  spell(tape, 301, 100, one_sided(tape));
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("flood-undecided"));
  EXPECT_EQ(report.findings[0].candidates.size(), 2u)
      << "its connection was opened unseen, so it was learnt once";
  EXPECT_THAT(report.findings[0].to_decide, HasSubstr("--at uplink"));
}

TEST(Flood, ThatBeganWithItsConnectionLeavesTheSwitchInDoubt) {
  Tape tape;
  tape.owner_talks().at(300.9).tcp(kHost, kHostIp, kGuest, kGuestIp, 1, 0, 64, wire::Tcp::kSyn);
  spell(tape, 301, 100, one_sided(tape));
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("flood-undecided"));
  EXPECT_THAT(report.findings[0].candidates, ::testing::Contains(HasSubstr("flood-no-learning")));
}

TEST(Flood, AnswersToTwoSendersMissingIsAsymmetric) {
  Tape tape;
  tape.owner_talks().at(1).ask(kGuest, kGuestIp, kHostIp);
  spell(tape, 301, 100, [&](std::uint32_t i) {
    one_sided(tape)(i);
    one_sided(tape, mac(7), ip(7))(i);
  });
  EXPECT_THAT(faults(tape.report()), ElementsAre("flood-asymmetric"));
}

// Nobody was learnt if the flood is there from the first frame of the connections on.
TEST(Flood, AnswersMissingFromTheStartMayBeTheSwitch) {
  Tape tape;
  tape.owner_talks().at(1).ask(kGuest, kGuestIp, kHostIp).at(300);
  tape.tcp(kHost, kHostIp, kGuest, kGuestIp, 1, 0, 64, wire::Tcp::kSyn);
  spell(tape, 301, 100, [&](std::uint32_t i) {
    one_sided(tape)(i);
    one_sided(tape, mac(7), ip(7))(i);
  });
  EXPECT_THAT(faults(tape.report()), ElementsAre("flood-undecided"));
}

// It speaks every other second, and nine frames of ten come all the same.
TEST(Flood, OfAReceiverThatSpeaksMeansItIsNotLearnt) {
  Tape tape;
  tape.owner_talks();
  for (std::uint32_t i = 0; i < 200; ++i) {
    tape.at(10 + 0.1 * i);
    if (i % 20 == 0) tape.announce(kGuest, kGuestIp);
    tape.udp(kHost, kHostIp, kGuest, kGuestIp);
  }
  const Report report = tape.report(Place::kAccess);
  ASSERT_THAT(faults(report), ElementsAre("flood-undecided"));
  EXPECT_THAT(report.findings[0].candidates[0], HasSubstr("flood-no-learning"));
  EXPECT_THAT(report.findings[0].candidates[1], HasSubstr("flood-table-full"));
}

TEST(Flood, OnAndOffTellsTheAgeingTime) {
  Tape tape;
  tape.owner_talks();
  const auto datagram = [&](std::uint32_t) { tape.udp(kHost, kHostIp, kGuest, kGuestIp); };
  for (const double heard : {1.0, 101.0, 201.0}) {
    tape.at(heard).ask(kGuest, kGuestIp, kHostIp);
    spell(tape, heard + 30, 100, datagram);
  }
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("flood-timers"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("30.0 s is the ageing time"));
}

TEST(Flood, QuestionsForTheReceiverTellTheAgeingTimeAsWell) {
  Tape tape;
  tape.owner_talks();
  spell(tape, 1, 300, [&](std::uint32_t) { tape.udp(kHost, kHostIp, kGuest, kGuestIp); });
  for (const double asked : {31.0, 101.0}) {
    tape.at(asked).ask(kHost, kHostIp, kGuestIp);  // answered to the host only
    spell(tape, asked + 20, 499, [&](std::uint32_t) { tape.udp(kHost, kHostIp, kGuest, kGuestIp); });
  }
  const Report report = tape.report();
  ASSERT_THAT(faults(report), ElementsAre("flood-timers"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("20.0 s is the ageing time"));
}

TEST(Flood, PausesOfTheSendersAloneTellNothing) {
  Tape tape;
  tape.owner_talks();
  for (const double begin : {1.0, 61.0, 121.0}) {
    spell(tape, begin, 100, [&](std::uint32_t) { tape.udp(kHost, kHostIp, kGuest, kGuestIp); });
  }
  const Report report = tape.report(Place::kAccess);
  ASSERT_THAT(faults(report), ElementsAre("flood-undecided"));
  EXPECT_THAT(report.findings[0].cause, HasSubstr("the senders' own rhythm"));
}

TEST(Flood, SyslogToASilentReceiver) {
  for (const std::uint16_t port : {std::uint16_t{514}, std::uint16_t{53}}) {
    Tape tape;
    tape.owner_talks();
    spell(tape, 301, 200, [&](std::uint32_t) { tape.udp(kHost, kHostIp, kGuest, kGuestIp, port); });
    // A question over DNS may have been answered inside the host: that stays open.
    EXPECT_THAT(faults(tape.report(Place::kAccess)),
                ElementsAre(port == 514 ? "flood-silent" : "flood-undecided"));
  }
}

TEST(Flood, ForAMaskedClusterAddress) {
  constexpr Mac kCluster{0x02bf'0a00'0005};
  Tape tape;
  tape.owner_talks();
  spell(tape, 10, 100, [&](std::uint32_t) { tape.udp(kHost, kHostIp, kCluster, ip(5)); });
  EXPECT_THAT(faults(tape.report(Place::kAccess)), ElementsAre("flood-masked"));
}

TEST(Flood, OfManyRightAfterATopologyChange) {
  for (const double begin : {1.5, 10.0}) {
    Tape tape;
    tape.owner_talks().at(0.9).bpdu(mac(100), 0).at(1).bpdu(mac(100), wire::Bpdu::kTopologyChange);
    spell(tape, begin, 50, [&](std::uint32_t) {
      for (std::uint32_t i = 0; i < 3; ++i) tape.udp(kHost, kHostIp, mac(i), ip(i));
    });
    const auto found = faults(tape.report(Place::kAccess));
    if (begin < 4) {
      EXPECT_THAT(found, ElementsAre("flood-topology-change"));
    } else {
      EXPECT_THAT(found, ElementsAre("flood-undecided", "flood-undecided", "flood-undecided"));
    }
  }
}

TEST(Flood, OfReceiversThatJustSpokeMeansNoLearning) {
  Tape tape;
  tape.on(0, Direction::inbound).owner_talks();
  tape.on(0, Direction::outbound);
  for (std::uint32_t i = 0; i < 200; ++i) {
    tape.after(0.01)
        .tcp(mac(1), ip(1), mac(2), ip(2), 100 * i, 0)
        .tcp(mac(2), ip(2), mac(1), ip(1), 0, 100 * i);
  }
  EXPECT_THAT(faults(tape.report(Place::kAccess)), ElementsAre("flood-no-learning"));
}

// A link towards a router that is in all of the traffic looks like the router's own port, and the receiver
// may be beyond it, too.
TEST(Flood, ForASilentReceiverIsANoteIfThePlaceIsAGuess) {
  Tape tape;
  tape.owner_talks();
  spell(tape, 301, 200, [&](std::uint32_t) { tape.udp(kHost, kHostIp, kGuest, kGuestIp, 514); });
  const Report report = tape.report();
  EXPECT_THAT(faults(report), IsEmpty());
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].candidates, ::testing::Contains(HasSubstr("flood-silent")));
  EXPECT_THAT(report.findings[0].to_decide, HasSubstr("--at access"));
}

TEST(Flood, FewFramesAreOrdinary) {
  Tape tape;
  tape.owner_talks();
  spell(tape, 10, 15, [&](std::uint32_t) { tape.udp(kHost, kHostIp, kGuest, kGuestIp); });
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(Flood, NothingIsClaimedAtAMirror) {
  Tape tape;
  for (std::uint32_t i = 0; i < 200; ++i) {
    tape.after(0.1);
    for (std::uint32_t k = 0; k < 4; ++k)
      tape.udp(mac(2 * k), ip(2 * k), mac(2 * k + 1), ip(2 * k + 1))
          .udp(mac(2 * k + 1), ip(2 * k + 1), mac(2 * k), ip(2 * k));
    tape.udp(kHost, kHostIp, kGuest, kGuestIp, 514);
  }
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(Flood, NothingIsClaimedOfHalfALine) {
  Tape tape;
  spell(tape, 1, 500, [&](std::uint32_t i) { tape.udp(kHost, ip(i), kGuest, kGuestIp, 80); });
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

// The port's own station may be the syslog server.
TEST(Flood, AtASilentStationsPortIsOnlyANote) {
  Tape tape;
  tape.announce(kHost, kHostIp).announce(kPeer, kPeerIp);
  spell(tape, 1, 500, [&](std::uint32_t) {
    tape.udp(kHost, kHostIp, kGuest, kGuestIp, 514).udp(kHost, kHostIp, mac(8), ip(8), 514);
  });
  const Report report = tape.report();
  EXPECT_THAT(faults(report), IsEmpty());
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_THAT(report.findings[0].candidates[0], HasSubstr("silent station behind this very port"));
}

TEST(Flood, AtTheHypervisorsUplinkTheLeakIsSeenAtItsSource) {
  for (const bool told : {true, false}) {
    Tape tape;
    tape.on(0, Direction::outbound).announce(kHost, kHostIp).announce(kGuest, kGuestIp);
    for (std::uint32_t i = 0; i < 4; ++i) tape.on(0, Direction::inbound).announce(mac(i), ip(i));
    tape.on(0, Direction::outbound);
    spell(tape, 0.01, 100, one_sided(tape));
    const Report report = told ? tape.report(Place::kUplink) : tape.report();
    EXPECT_THAT(faults(report), ElementsAre(told ? "flood-leak" : "flood-undecided"));
  }
}

}  // namespace
}  // namespace sekimori::watch::testing
