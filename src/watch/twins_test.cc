// Two stations of one MAC and one IP address, and what looks like them.
#include "watch/test_support.h"

namespace sekimori::watch::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Mac kClone{0x5254'00ab'cdef};
constexpr Ipv4 kCloneIp{0x0a00'0014}, kAll{0x0a00'00ff};
constexpr Mac kBroadcast = wire::kBroadcast;

class Twins : public ::testing::Test {
 protected:
  // A datagram to all, as name services send them.
  void datagram(Mac source, std::uint16_t id, std::uint16_t port = 137) {
    wire::Buffer frame;
    wire::append_udp(frame, {kBroadcast, source, {}, 92}, {.source = kCloneIp, .destination = kAll, .id = id},
                     {.source_port = port, .destination_port = port});
    tape_.raw(std::move(frame));
  }
  struct Syn {
    std::uint32_t seq = 0, clock = 0;
    std::uint16_t port = 40000;
    std::uint8_t ttl = 64, flags = wire::Tcp::kSyn;
    std::uint16_t mss = 1460;
  };
  void syn(Mac source, const Syn& s, Ipv4 from = kCloneIp) {
    wire::Tcp tcp{
        .source_port = s.port, .destination_port = 80, .seq = s.seq, .flags = s.flags, .window = 64240};
    if ((s.flags & wire::Tcp::kSyn) != 0) {
      tcp.mss = s.mss;
      if (s.clock != 0) tcp.timestamps = wire::TcpTimestamps{s.clock, 0};
    }
    wire::Buffer frame;
    wire::append_tcp(frame, {kOwner, source, {}, 90}, {.source = from, .destination = kOwnerIp, .ttl = s.ttl},
                     tcp, 0);
    tape_.raw(std::move(frame));
  }
  Report report() { return tape_.report(); }

  Tape tape_;
};

TEST_F(Twins, CountTheirPacketsOnTwoLines) {
  for (std::uint16_t i = 0; i < 10; ++i) {
    tape_.after(1);
    datagram(kClone, static_cast<std::uint16_t>(i % 2 == 0 ? 1000 + i : 40'000 + i));
  }
  const Report told = report();
  ASSERT_THAT(faults(told), ElementsAre("mac-duplicate"));
  EXPECT_EQ(told.findings[0].certainty, Certainty::kUndecided) << "one sign, six turns";
  EXPECT_THAT(told.findings[0].cause, HasSubstr("none asks the others"));
  EXPECT_TRUE(shows_frame(told.findings[0], 5));
}

TEST_F(Twins, ManyTurnsAreCertain) {
  for (std::uint16_t i = 0; i < 20; ++i) {
    tape_.after(1);
    datagram(kClone, static_cast<std::uint16_t>(i % 2 == 0 ? 1000 + i : 40'000 + i));
  }
  const Report told = report();
  ASSERT_THAT(faults(told), ElementsAre("mac-duplicate"));
  EXPECT_EQ(told.findings[0].certainty, Certainty::kObserved);
}

// One counter, through its end; numbers drawn at random; none; two programs, each with a counter.
TEST_F(Twins, OneStackCountsOnOneLineOrNone) {
  for (std::uint16_t i = 0; i < 60; ++i) {
    tape_.after(1);
    datagram(mac(1), static_cast<std::uint16_t>(65'500 + 7 * i));
    datagram(mac(2), static_cast<std::uint16_t>(base::mix64(i)));
    datagram(mac(3), 0);
    datagram(mac(4), static_cast<std::uint16_t>(1000 + i), 137);
    datagram(mac(4), static_cast<std::uint16_t>(40'000 + i), 138);
  }
  EXPECT_THAT(report().findings, IsEmpty());
}

TEST_F(Twins, HaveTwoClocks) {
  for (std::uint32_t i = 0; i < 14; ++i) {
    tape_.after(3);
    syn(kClone, {.seq = i * 7919,
                 .clock = (i % 2 == 0 ? 5'000'000u : 900'000'000u) + 3000 * i,
                 .port = static_cast<std::uint16_t>(40000 + i)});
  }
  const Report told = report();
  ASSERT_THAT(faults(told), ElementsAre("mac-duplicate"));
  EXPECT_THAT(told.findings[0].headline, HasSubstr("of two clocks"));
}

// An offset for each pair of addresses; one for each connection; a machine that starts anew, and begins a new
// line.
TEST_F(Twins, OneClockOrNone) {
  for (std::uint32_t i = 0; i < 40; ++i) {
    tape_.after(3);
    const auto port = static_cast<std::uint16_t>(40000 + i);
    syn(mac(1), {.seq = i, .clock = 5'000'000 + 3000 * i, .port = port});
    syn(mac(2), {.seq = i, .clock = static_cast<std::uint32_t>(base::mix64(i)), .port = port});
    syn(mac(3), {.seq = i, .clock = 1000 + 300 * (i % 20), .port = port});
    syn(mac(4), {.seq = i, .clock = (i % 2 == 0 ? 5'000'000u : 900'000'000u) + 3000 * i, .port = port},
        {i % 2 == 0 ? kCloneIp : ip(7)});
  }
  EXPECT_THAT(report().findings, IsEmpty());
}

// What a router has passed on, or a host for guests behind its address, comes with a TTL one below.
TEST_F(Twins, NatIsNone) {
  for (std::uint32_t i = 0; i < 40; ++i) {
    tape_.after(3);
    syn(kClone, {.seq = i,
                 .clock = (i % 2 == 0 ? 5'000'000u : 900'000'000u) + 3000 * i,
                 .port = static_cast<std::uint16_t>(40000 + i),
                 .ttl = 63});
  }
  EXPECT_THAT(report().findings, IsEmpty());
}

TEST_F(Twins, KindsOfSystemSupport) {
  for (std::uint32_t i = 0; i < 12; ++i) {
    tape_.after(3);
    const auto mss = static_cast<std::uint16_t>(i % 2 == 0 ? 1460 : 1400);
    syn(kClone, {.seq = i * 7919,
                 .clock = (i % 2 == 0 ? 5'000'000u : 900'000'000u) + 3000 * i,
                 .port = static_cast<std::uint16_t>(40000 + i),
                 .mss = mss});
    syn(mac(5), {.seq = i * 7919,
                 .clock = 5'000'000u + 3000 * i,
                 .port = static_cast<std::uint16_t>(40000 + i),
                 .mss = mss});
  }
  const Report told = report();
  ASSERT_THAT(faults(told), ElementsAre("mac-duplicate")) << "a kind alone says nothing";
  EXPECT_EQ(told.findings[0].certainty, Certainty::kObserved) << "two signs";
  EXPECT_THAT(told.findings[0].cause, HasSubstr("as two kinds of system do"));
}

// The answer to the one's SYN went to the other, who resets it; the first tries again. Resets of connections
// that are known have ACK, or are late.
TEST_F(Twins, ResetWhatTheyOpen) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    const auto port = static_cast<std::uint16_t>(40000 + i);
    tape_.after(1);
    const std::uint32_t clock = (i % 2 == 0 ? 5'000'000u : 900'000'000u) + 4000 * i;
    syn(kClone, {.seq = 1000 * i, .clock = clock, .port = port});
    tape_.after(0.001);
    syn(kClone, {.seq = 1000 * i + 1, .port = port, .flags = wire::Tcp::kRst});
    tape_.after(3);
    syn(kClone, {.seq = 1000 * i, .clock = clock + 3000, .port = port});
    tape_.after(20);
    syn(kClone, {.seq = 1000 * i + 1, .port = port, .flags = wire::Tcp::kRst});
    const auto other = static_cast<std::uint16_t>(port + 100);
    syn(mac(7), {.seq = 1000 * i, .clock = clock, .port = other});
    syn(mac(7), {.seq = 1000 * i + 1, .port = other, .flags = wire::Tcp::kRst | wire::Tcp::kAck});
  }
  const Observations o = tape_.observations();
  const auto sign = std::ranges::find(o.twin_signs, TwinSign::Kind::kReset, &TwinSign::kind);
  ASSERT_NE(sign, o.twin_signs.end());
  EXPECT_EQ(sign->turns, 4u);
  EXPECT_EQ(sign->mac, kClone);
  EXPECT_EQ(std::ranges::count(o.twin_signs, TwinSign::Kind::kReset, &TwinSign::kind), 1);
}

// A scanner that never answers what it gets: its kernel resets, and nothing is repeated.
TEST_F(Twins, AScannerIsNone) {
  for (std::uint32_t i = 0; i < 40; ++i) {
    tape_.after(0.1);
    syn(kHost, {.seq = 77, .port = static_cast<std::uint16_t>(40000 + i)}, kHostIp);
    syn(kHost, {.seq = 78, .port = static_cast<std::uint16_t>(40000 + i), .flags = wire::Tcp::kRst}, kHostIp);
  }
  EXPECT_THAT(report().findings, IsEmpty());
}

// Tables have an end, and made-up senders don't push the signs out of it.
TEST_F(Twins, AreBounded) {
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    tape_.after(0.001);
    syn(mac(i), {.seq = i, .clock = i + 1}, ip(i));
  }
  EXPECT_THAT(tape_.observations().twin_signs, IsEmpty());
}

}  // namespace
}  // namespace sekimori::watch::testing
