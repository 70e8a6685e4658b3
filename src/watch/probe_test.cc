// What is asked, when, and what each outcome decides.
#include "watch/probe.h"

#include "watch/test_support.h"

namespace sekimori::watch {
namespace {

using namespace testing;

constexpr Mac kUs{0x0211'0000'0003}, kElse{0x0211'0000'000a};
constexpr Ipv4 kUsIp{0x0a00'0003};

// A probe that is fed a flood for the guest, and does as it is told.
class Play {
 public:
  explicit Play(bool alive = false, bool on_link = true, std::uint16_t vlan = 0)
      : vlan_(vlan), probe_(kUs, [on_link](const IpAddress&) { return on_link; }) {
    const ProbeTarget target{kGuest, vlan_, 1, alive, {}};
    probe_.targets({&target, 1});
  }

  // The flood goes on for so long, a frame every 20 ms.
  Play& flood(double seconds, Ipv4 to = kGuestIp, Nanos gap = kSecond / 50) {
    for (const Nanos end = now_ + nanos(seconds); now_ < end; now_ += gap) {
      frame_.clear();
      wire::append_udp(frame_, {kGuest, kHost, tag(), 100}, {.source = kHostIp, .destination = to},
                       {.destination_port = 9});
      put();
      step();
    }
    return *this;
  }
  Play& pause(double seconds) {
    for (const Nanos end = now_ + nanos(seconds); now_ < end; now_ += kSecond / 50) step();
    return *this;
  }
  Play& in_vlan(std::uint16_t vlan) {
    vlan_ = vlan;
    return *this;
  }
  Play& answer(Mac told, Mac source) {
    frame_.clear();
    wire::append_arp(frame_, {kUs, source, tag()}, {wire::Arp::kReply, told, kGuestIp, kUs, kUsIp});
    put();
    return *this;
  }
  Play& answer(Mac told = kGuest) { return answer(told, told); }
  // Until the first question.
  Play& asked() {
    while (questions_.empty() && now_ < 60 * kSecond) flood(0.02);
    EXPECT_EQ(questions_.size(), 1u);
    return *this;
  }

  ProbeVerdict verdict() { return probe_.judge(station(), now_); }
  std::string words() { return in_words(station(), verdict(), now_); }
  Probe::Station& station() { return probe_.stations().front(); }
  Finding told(Code code = Code::kFloodUndecided, const Observations& o = {}) {
    Report report;
    Finding& f = report.findings.emplace_back(make(code, Certainty::kUndecided, "", "a flood", "Unheard."));
    f.candidates = {"the receiver is silent, or off (flood-silent)",
                    "the switch does not learn (flood-no-learning)"};
    f.evidence.push_back({{}, "", "", 1});
    probe_.tell(o, now_, report);
    remarks_ = report.remarks;
    return report.findings.front();
  }

  std::vector<std::pair<Nanos, Probe::Question>> questions_;
  std::vector<std::string> remarks_;

 private:
  std::optional<wire::VlanTag> tag() const {
    return vlan_ == 0 ? std::nullopt : std::optional(wire::VlanTag{.vid = vlan_});
  }
  static Nanos nanos(double seconds) { return static_cast<Nanos>(seconds * 1e9); }
  void put() { probe_.frame({.number = ++number_, .timestamp_ns = now_, .bytes = frame_}); }
  // Looks for a question, which is seen on its way out, too.
  void step() {
    const auto question = probe_.due(now_);
    if (!question) return;
    questions_.emplace_back(now_, *question);
    frame_.clear();
    wire::append_arp(frame_, {wire::kBroadcast, kUs, tag()}, {wire::Arp::kRequest, kUs, kUsIp, {}, kGuestIp});
    put();
  }

  std::uint16_t vlan_ = 0;
  Probe probe_;
  wire::Buffer frame_;
  std::uint64_t number_ = 0;
  Nanos now_ = kSecond;
};

TEST(Probe, AsksAFloodThatGoesOn) {
  Play play;
  play.flood(2.9);
  EXPECT_TRUE(play.questions_.empty());
  play.flood(0.5);
  ASSERT_EQ(play.questions_.size(), 1u);
  EXPECT_EQ(play.questions_[0].second.mac, kGuest);
  EXPECT_EQ(play.questions_[0].second.ip, address_of(kGuestIp));
  // A second apart, three in all.
  play.flood(5);
  ASSERT_EQ(play.questions_.size(), 3u);
  EXPECT_GE(play.questions_[1].first - play.questions_[0].first, kSecond);
  EXPECT_GE(play.questions_[2].first - play.questions_[1].first, kSecond);
}

TEST(Probe, AsksNobodyWhoCannotAnswer) {
  Play router;
  router.flood(0.1).flood(0.1, kPeerIp).flood(10);
  EXPECT_TRUE(router.questions_.empty());
  router.told();
  EXPECT_THAT(router.remarks_, ::testing::ElementsAre(::testing::HasSubstr("so it is a router")));
  Play elsewhere(false, false);
  elsewhere.flood(10);
  EXPECT_TRUE(elsewhere.questions_.empty());
  elsewhere.told();
  EXPECT_THAT(elsewhere.remarks_,
              ::testing::ElementsAre(::testing::HasSubstr("not known to be on this link")));
  Play over;
  over.flood(2).pause(10);
  EXPECT_TRUE(over.questions_.empty());
}

// In a VLAN our own prefixes say nothing: somebody there must have told or asked for the address.
TEST(Probe, AsksInTheVlanOfTheFlood) {
  Play play(false, false, 10);
  play.station().target.on_link.push_back(address_of(kGuestIp));
  play.asked().answer().pause(3);
  EXPECT_EQ(play.questions_[0].second.vlan, 10);
  EXPECT_EQ(play.verdict(), ProbeVerdict::kLearnt);
  play.told();
  EXPECT_THAT(play.remarks_.front(), ::testing::HasSubstr("1 question for 10.0.0.9 in VLAN 10 by ARP"));
  Play ours(false, true, 10);
  ours.flood(10);
  EXPECT_TRUE(ours.questions_.empty());
  // What is told in another VLAN is no answer.
  Play elsewhere;
  elsewhere.asked().in_vlan(20).answer().in_vlan(0).flood(5);
  EXPECT_EQ(elsewhere.verdict(), ProbeVerdict::kUnanswered);
}

// Eight stations, one question a second, whoever it is for.
TEST(Probe, IsLimited) {
  Probe probe(kUs, [](const IpAddress&) { return true; });
  std::vector<ProbeTarget> targets;
  for (std::uint64_t i = 0; i < 20; ++i) targets.push_back({mac(i), 0, i + 1, false, {}});
  probe.targets(targets);
  EXPECT_EQ(probe.stations().size(), Probe::kMostStations);
  wire::Buffer bytes;
  std::vector<Nanos> questions;
  for (Nanos now = 0; now < 60 * kSecond; now += kSecond / 20) {
    for (std::uint64_t i = 0; i < targets.size(); ++i) {
      bytes.clear();
      wire::append_udp(bytes, {mac(i), kHost, {}, 100},
                       {.source = kHostIp, .destination = ip(static_cast<std::uint32_t>(i))}, {});
      probe.frame({.number = 1, .timestamp_ns = now, .bytes = bytes});
    }
    if (probe.due(now)) questions.push_back(now);
  }
  EXPECT_EQ(questions.size(), Probe::kMostStations * Probe::kMostQuestions);
  for (std::size_t i = 1; i < questions.size(); ++i) EXPECT_GE(questions[i] - questions[i - 1], kSecond);
}

TEST(Probe, AnsweredAndEnded) {
  Play play;
  play.asked().answer().flood(0.1).pause(0.3);
  EXPECT_EQ(play.verdict(), ProbeVerdict::kOpen);
  play.pause(9.6);
  EXPECT_EQ(play.verdict(), ProbeVerdict::kLearnt);
  EXPECT_THAT(play.words(), ::testing::HasSubstr("It has not come back in the 10.0 s since."));
  play.flood(5);
  EXPECT_EQ(play.verdict(), ProbeVerdict::kLearnt);
  EXPECT_THAT(play.words(),
              ::testing::HasSubstr("It was back 10.0 s after its last frame, which is the ageing time"));
  EXPECT_EQ(play.questions_.size(), 1u) << "who has answered is left alone";
  // Silent or leak: that stays open; that the switch does not learn is out.
  const Finding f = play.told();
  EXPECT_EQ(f.code, Code::kFloodUndecided);
  EXPECT_THAT(f.candidates, ::testing::ElementsAre(::testing::HasSubstr("sends nothing by itself")));
  EXPECT_THAT(f.cause, ::testing::HasSubstr("What is not decided by that"));
  EXPECT_EQ(f.evidence.size(), 4u);
}

TEST(Probe, AnsweredAndEndedOfOneThatLives) {
  Play play(true);
  play.asked().answer().pause(3);
  EXPECT_THAT(play.told().cause,
              ::testing::HasSubstr("handed over inside a host (a leak) or takes another way"));
}

TEST(Probe, AnsweredAndGoesOn) {
  Play play;
  play.asked().answer().flood(2);
  EXPECT_EQ(play.verdict(), ProbeVerdict::kNotLearnt);
  const Finding f = play.told();
  EXPECT_EQ(f.certainty, Certainty::kUndecided);
  EXPECT_EQ(f.candidates.size(), 3u);
}

// Pauses before the question that the receiver's own frames explain are no rhythm; those that nothing
// explains are.
TEST(Probe, IsNotDeceivedByTheRhythm) {
  Play spoke;
  spoke.flood(1).answer(kGuest).pause(2).asked().answer().pause(2).flood(3);
  EXPECT_EQ(spoke.verdict(), ProbeVerdict::kLearnt);
  Play bursts;
  for (int i = 0; i < 2; ++i) bursts.flood(0.5).pause(1);
  bursts.asked().answer().pause(1.2).flood(0.5);
  EXPECT_EQ(bursts.verdict(), ProbeVerdict::kOpen);
  EXPECT_THAT(bursts.told().cause, ::testing::HasSubstr("does not tell what became of it"));
}

TEST(Probe, NobodyAnswers) {
  Play play;
  play.asked().flood(5);
  EXPECT_EQ(play.verdict(), ProbeVerdict::kUnanswered);
  EXPECT_THAT(play.told().candidates, ::testing::ElementsAre(::testing::HasSubstr("flood-silent"),
                                                             ::testing::HasSubstr("isolated port")));
  Play living(true);
  living.asked().flood(5);
  EXPECT_THAT(living.told().candidates.front(), ::testing::HasSubstr("flood-asymmetric"));
  Play over;
  over.asked().pause(5);
  EXPECT_EQ(over.verdict(), ProbeVerdict::kEnded);
  EXPECT_EQ(over.questions_.size(), 1u);
}

TEST(Probe, AnotherAnswers) {
  Play moved;
  moved.asked().answer(kElse).flood(2);
  EXPECT_EQ(moved.verdict(), ProbeVerdict::kMoved);
  EXPECT_EQ(moved.told().code, Code::kFloodSilent);
  EXPECT_TRUE(moved.told().candidates.empty());
  // A proxy answers for everybody.
  Tape tape;
  tape.answer(kElse, kGuestIp, kUs, kUsIp).answer(kElse, kPeerIp, kUs, kUsIp);
  EXPECT_EQ(moved.told(Code::kFloodUndecided, tape.observations()).candidates.size(), 2u);

  Play two;
  two.asked().answer(kElse).answer(kGuest).flood(2);
  EXPECT_EQ(two.verdict(), ProbeVerdict::kTwo);
}

TEST(Probe, AnAnswerFromAnotherSourceHidesTheAddress) {
  Play play;
  play.asked().answer(kGuest, kElse).flood(2);
  EXPECT_EQ(play.verdict(), ProbeVerdict::kMasked);
  EXPECT_EQ(play.told().code, Code::kFloodMasked);
  EXPECT_EQ(play.told().certainty, Certainty::kObserved);
}

// An answer to somebody else's question, before ours, decides nothing.
TEST(Probe, OnlyOurOwnQuestionsCount) {
  Play play;
  play.flood(1).answer(kElse).flood(2);
  EXPECT_EQ(play.verdict(), ProbeVerdict::kOpen);
  EXPECT_FALSE(play.station().other);
}

TEST(ProbeTargets, AreFloodsForCertain) {
  Tape tape;
  tape.owner_talks().announce(kGuest, kGuestIp).after(20);
  for (int i = 0; i < 200; ++i) tape.udp(kHost, kHostIp, kGuest, kGuestIp).after(0.05);
  const auto targets = probe_targets(tape.observations(), Place::kAccess);
  ASSERT_EQ(targets.size(), 1u);
  EXPECT_EQ(targets[0].mac, kGuest);
  EXPECT_FALSE(targets[0].alive);
  EXPECT_THAT(targets[0].on_link, ::testing::Contains(address_of(kGuestIp)));
  Tape mirror;
  for (int i = 0; i < 200; ++i) mirror.udp(kHost, kHostIp, kGuest, kGuestIp).after(0.05);
  EXPECT_TRUE(probe_targets(mirror.observations(), Place::kMirror).empty());
}

}  // namespace
}  // namespace sekimori::watch
