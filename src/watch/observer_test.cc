#include "watch/observer.h"

#include "watch/test_support.h"

namespace sekimori::watch::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Observer, CountsEveryFrameOnce) {
  Tape tape;
  const Observations o = tape.owner_talks(10).observations();
  EXPECT_EQ(o.frames, 22u);
  std::uint64_t sent = 0;
  for (const Station& s : o.stations) sent += s.sent;
  EXPECT_EQ(sent, 22u);
  EXPECT_EQ(o.pairs.size(), 3u) << "both ways, and a broadcast";
}

TEST(Observer, VlansAndInterfacesAreWorldsOfTheirOwn) {
  Tape tape({"a", "b"});
  for (const std::uint16_t vid : {std::uint16_t{1}, std::uint16_t{2}}) {
    wire::Buffer frame;
    wire::append_arp(frame, {wire::kBroadcast, kHost, wire::VlanTag{.vid = vid}},
                     wire::gratuitous_arp(kHost, kHostIp));
    tape.raw(std::move(frame));
  }
  tape.on(1).announce(kHost, kHostIp);
  const Observations o = tape.observations();
  EXPECT_EQ(o.scopes.size(), 3u);
  EXPECT_EQ(o.stations.size(), 3u);
}

// What comes after a table is full is counted; what was there is kept up to date.
TEST(Observer, FullTablesCountTheRest) {
  Limits limits;
  limits.stations = 10;
  limits.pairs = 10;
  Tape tape({"eth0"}, limits);
  tape.owner_talks(1);
  for (std::uint32_t i = 0; i < 100; ++i) tape.announce(mac(i), ip(i));
  tape.owner_talks(50);
  const Observations o = tape.observations();
  EXPECT_EQ(o.stations.size(), 10u);
  EXPECT_EQ(o.frames, 206u);
  EXPECT_EQ(o.untracked.frames, 93u);
  const auto owner = std::ranges::find(o.stations, kOwner, &Station::mac);
  EXPECT_EQ(owner->sent, 53u);
  EXPECT_THAT(report_of(o, std::nullopt).remarks,
              Contains(HasSubstr("93 frames belong to stations or VLANs beyond the 10 stations")));
}

TEST(Observer, TimeMayRunBackwardsOrJump) {
  Tape tape;
  for (const double t : {10.0, 5.0, 315'360'000.0, 0.0, -3.0, 1e-6}) tape.at(t).owner_talks(2);
  const Report report = tape.report();
  EXPECT_THAT(faults(report), IsEmpty());
  EXPECT_THAT(report.remarks, Contains(HasSubstr("Time runs backwards 3 times, first at frame 7")));
}

TEST(Observer, GarbageIsCountedAndSurvived) {
  Tape tape;
  base::Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    wire::Buffer bytes(random.below(80));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    if (bytes.size() > 13 && i % 2 == 0) {  // half of it looks like something
      constexpr std::uint16_t kTypes[] = {0x0800, 0x0806, 0x86dd, 0x8100, 0x88cc, 0x0026, 0x8809};
      const std::uint16_t type = kTypes[random.below(std::size(kTypes))];
      bytes[12] = static_cast<std::uint8_t>(type >> 8);
      bytes[13] = static_cast<std::uint8_t>(type);
    }
    tape.after(0.01).raw(std::move(bytes));
  }
  const Report report = tape.report();
  EXPECT_THAT(report.title, HasSubstr("20000 frames"));
  EXPECT_THAT(report.remarks, Contains(HasSubstr("could not be decoded")));
}

TEST(Rate, TellsTheUsualAndThePeak) {
  Rate rate;
  for (int second = 0; second < 9; ++second) {
    const int count = second == 4 ? 1500 : 3;
    for (int i = 0; i < count; ++i) rate.count({1, second * kSecond + i});
  }
  EXPECT_EQ(rate.peak, 1500u);
  EXPECT_EQ(rate.peak_begin.at, 4 * kSecond);
  EXPECT_EQ(rate.loud_seconds, 1u);
  EXPECT_EQ(rate.usual(), 4u);
}

TEST(Place, IsInferred) {
  const auto place_of_views = [](Tape& tape) { return views_of(tape.observations(), std::nullopt)[0]; };
  Tape access, mirror, tap, sides, uplink, broadcasts;
  EXPECT_EQ(place_of_views(access.owner_talks()).place, Place::kAccess);
  for (std::uint32_t i = 0; i < 8; ++i) mirror.udp(mac(i), ip(i), mac(i ^ 1), ip(i ^ 1));
  EXPECT_EQ(place_of_views(mirror).place, Place::kMirror);
  for (std::uint32_t i = 0; i < 8; ++i) tap.udp(mac(i), ip(i), kOwner, kOwnerIp);
  EXPECT_EQ(place_of_views(tap).place, Place::kTap);
  sides.on(0, Direction::inbound)
      .announce(kOwner, kOwnerIp)
      .on(0, Direction::outbound)
      .announce(kHost, kHostIp)
      .announce(kPeer, kPeerIp);
  const View view = place_of_views(sides);
  EXPECT_EQ(view.place, Place::kAccess);
  EXPECT_THAT(view.locals, ElementsAre(kOwner));
  uplink.on(0, Direction::inbound).announce(mac(1), ip(1)).announce(mac(2), ip(2));
  uplink.on(0, Direction::outbound).announce(kHost, kHostIp).announce(kPeer, kPeerIp);
  EXPECT_EQ(place_of_views(uplink).place, Place::kUplink);
  EXPECT_EQ(place_of_views(broadcasts.announce(kHost, kHostIp)).place, Place::kUnknown);
}

// A mirror port's card receives all it sees: directions then say nothing.
TEST(Place, AMirrorPortReceivesEverything) {
  Tape tape;
  tape.on(0, Direction::inbound);
  for (std::uint32_t i = 0; i < 200; ++i)
    tape.after(0.01).tcp(mac(i % 8), ip(i % 8), mac((i % 8) ^ 1), ip((i % 8) ^ 1), i, i);
  EXPECT_THAT(tape.report().findings, IsEmpty());
}

TEST(Place, ARouterPairAnswersFromAnotherMac) {
  Tape tape;
  for (int i = 0; i < 10; ++i) {
    tape.after(1).udp(kOwner, kOwnerIp, Mac{0x0000'5e00'0101}, ip(1)).udp(kHost, ip(1), kOwner, kOwnerIp);
  }
  const View view = views_of(tape.observations(), std::nullopt)[0];
  EXPECT_EQ(view.place, Place::kAccess);
  EXPECT_THAT(view.locals, ElementsAre(kOwner));
}

}  // namespace
}  // namespace sekimori::watch::testing
