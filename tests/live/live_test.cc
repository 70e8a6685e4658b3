// A live diagnosis from end to end: real interfaces, in network namespaces of the test's own.
#include <netinet/in.h>

#include <tuple>

#include "tests/live/live_world.h"
#include "wire/capture_reader.h"

namespace sekimori::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::Arp;
using wire::Ipv4;
using wire::Mac;

constexpr Mac kHost{0x0211'0000'0001}, kSink{0x0211'0000'0009};
constexpr Ipv4 kHostIp{0x0a00'0001}, kSinkIp{0x0a00'0009};

wire::Buffer datagram(Mac from, Mac to, std::optional<wire::VlanTag> tag = std::nullopt) {
  wire::Buffer frame;
  wire::append_udp(frame, {to, from, tag, 200}, {.source = kHostIp, .destination = kSinkIp},
                   {.source_port = 40000, .destination_port = 5000});
  return frame;
}

wire::Buffer hello(Mac mac, Ipv4 ip) {
  wire::Buffer frame;
  wire::append_arp(frame, {wire::kBroadcast, mac}, wire::gratuitous_arp(mac, ip));
  return frame;
}

// A machine with one cable to another.
class CableTest : public Program, public ::testing::Test {
 protected:
  CableTest() { here_.join(there_, "eth0", "far0"); }

  // So many of each frame, from the far end, at this pace.
  Child send(std::vector<wire::Buffer> frames, int rounds, std::chrono::microseconds pause) const {
    return there_.start([frames = std::move(frames), rounds, pause] {
      const RawSender sender("far0");
      for (int i = 0; i < rounds; ++i) {
        for (const wire::Buffer& frame : frames) {
          if (!sender.send(frame)) return 1;
        }
        std::this_thread::sleep_for(pause);
      }
      return 0;
    });
  }

  Netns here_, there_;
};

TEST_F(CableTest, ListensForAsLongAsTold) {
  Child live = run(here_, {"diagnose", "if:eth0", "--for", "300ms"});
  EXPECT_EQ(live.wait(), cli::kClean);
  EXPECT_THAT(out(), HasSubstr("CLEAN"));
  EXPECT_THAT(out(), HasSubstr("There is no frame in it."));
  EXPECT_THAT(out(), HasSubstr("--promiscuous"));
  EXPECT_EQ(err(), "");
}

TEST_F(CableTest, AnInterruptIsTheProperEnd) {
  Child live = run(here_, {"diagnose", "if:eth0", "--json"});
  await_start();
  EXPECT_TRUE(live.runs());
  live.signal(SIGINT);
  EXPECT_EQ(live.wait(), cli::kClean);
  const auto all = events();
  EXPECT_EQ(all.front()["event"], "start");
  EXPECT_EQ(all.front()["interface"], "eth0");
  EXPECT_EQ(all.front()["listen_s"], nullptr);
  EXPECT_EQ(all.back()["event"], "end");
  EXPECT_EQ(all.back()["reason"], "interrupt");
  EXPECT_EQ(report()["interrupted"], false);
  EXPECT_EQ(report()["kind"], "live");
}

// Unicast for a third, that is never heard: it comes up while it goes on, and the saved frames tell the same.
TEST_F(CableTest, FindsAFloodWhileItGoesOn) {
  Child live = run(here_, {"diagnose", "if:eth0", "--promiscuous", "--json", "--save", path("all.pcapng")});
  await_start();
  Child flood = send({datagram(kHost, kSink), datagram(kHost, kSink)}, 150, 20ms);
  for (int i = 0; i < 1000 && changes().empty(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(flood.runs()) << "it was found only at the end";
  EXPECT_EQ(flood.wait(), 0);
  live.signal(SIGINT);
  EXPECT_EQ(live.wait(), cli::kFindings);
  EXPECT_EQ(changes(), std::vector<std::string>{"new flood-undecided"});
  const json first = report()["findings"][0];
  EXPECT_EQ(report()["title"].get<std::string>().substr(0, 11), "300 frames,");

  Child again = run(here_, {"diagnose", path("all.pcapng"), "--json", "--evidence", path("some.pcapng")});
  EXPECT_EQ(again.wait(), cli::kFindings);
  const json later = json::parse(out())["findings"][0];
  EXPECT_EQ(later["evidence"], first["evidence"]);
  EXPECT_EQ(later["headline"], first["headline"]);
  auto evidence = wire::CaptureReader::open_file(path("some.pcapng"));
  ASSERT_TRUE(evidence);
  wire::Frame frame;
  ASSERT_TRUE(evidence->next(frame));
  EXPECT_EQ(wire::Buffer(frame.bytes.begin(), frame.bytes.end()), datagram(kHost, kSink));
}

TEST_F(CableTest, TellsFindingsAsLinesWhereNobodyLooks) {
  Child live = run(here_, {"diagnose", "if:eth0", "--promiscuous", "--for", "3s"});
  Child flood = send({datagram(kHost, kSink)}, 100, 20ms);
  EXPECT_EQ(live.wait(), cli::kFindings);
  EXPECT_THAT(out(),
              HasSubstr("s: new: error flood-undecided: unicast for 02:11:00:00:00:09 floods this port"));
  EXPECT_THAT(out(), HasSubstr("BROKEN: 1 error"));
}

// The site tells whose the flood is, and that the sender is nobody's.
TEST_F(CableTest, IsHeldAgainstASite) {
  std::ofstream(path("site.yaml")) << R"(sekimori: 1
hosts:
  desk: {nics: {eth0: 10.0.0.3/24}}
  sink: {nics: {eth0: {mac: "02:11:00:00:00:09", ip: 10.0.0.9/24}}}
switches: {sw1: {}}
links: [[desk:eth0, sw1:1], [sink:eth0, sw1:2]]
)";
  Child live = run(here_, {"diagnose", "if:eth0", "--promiscuous", "--site", path("site.yaml"), "--at",
                           "sw1:1", "--json"});
  await_start();
  EXPECT_EQ(send({datagram(kHost, kSink)}, 100, 20ms).wait(), 0);
  live.signal(SIGINT);
  EXPECT_EQ(live.wait(), cli::kFindings);
  EXPECT_THAT(changes(), Contains("new station-unknown"));
  EXPECT_THAT(report().dump(), HasSubstr("unicast for sink:eth0 (02:11:00:00:00:09) floods this port"));
}

// What the card or driver took out of the frame is in the bytes again.
TEST_F(CableTest, PutsVlanTagsBack) {
  Child live = run(here_, {"diagnose", "if:eth0", "--json", "--save", path("all.pcapng")});
  await_start();
  const wire::Buffer tagged = datagram(kHost, kSink, wire::VlanTag{.vid = 12});
  EXPECT_EQ(send({tagged, hello(kHost, kHostIp)}, 3, 1ms).wait(), 0);
  std::this_thread::sleep_for(200ms);
  live.signal(SIGTERM);
  EXPECT_EQ(live.wait(), cli::kClean);
  auto saved = wire::CaptureReader::open_file(path("all.pcapng"));
  ASSERT_TRUE(saved);
  wire::Frame frame;
  ASSERT_TRUE(saved->next(frame));
  EXPECT_EQ(wire::Buffer(frame.bytes.begin(), frame.bytes.end()), tagged);
  EXPECT_EQ(frame.original_length, tagged.size());
  EXPECT_EQ(frame.direction, wire::Direction::inbound);
  EXPECT_EQ(saved->interfaces()[0].name, "eth0");
  EXPECT_FALSE(saved->interfaces()[0].mac.is_zero());
  ASSERT_TRUE(saved->next(frame));
  EXPECT_EQ(wire::Buffer(frame.bytes.begin(), frame.bytes.end()), hello(kHost, kHostIp));
}

TEST_F(CableTest, CountsEveryFrame) {
  constexpr std::uint64_t kSent = 400'000;
  Child live = run(here_, {"diagnose", "if:eth0", "--promiscuous", "--json"});
  await_start();
  Child flood = there_.start(
      [] { return RawSender("far0").send_many(datagram(kHost, kSink), kSent) == kSent ? 0 : 1; });
  EXPECT_EQ(flood.wait(), 0);
  live.signal(SIGINT);
  EXPECT_GE(live.wait(), 0);
  json last;
  for (const json& e : events()) {
    if (e["event"] == "statistics") last = e;
  }
  EXPECT_EQ(last["frames"].get<std::uint64_t>() + last["dropped"].get<std::uint64_t>(), kSent);
  EXPECT_GT(last["frames"], kSent / 10);
}

TEST_F(CableTest, StopsSavingAtTheLimit) {
  Child live = run(here_, {"diagnose", "if:eth0", "--promiscuous", "--json", "--save", path("all.pcapng"),
                           "--save-limit", "2kB"});
  await_start();
  EXPECT_EQ(send({hello(kHost, kHostIp)}, 40, 1ms).wait(), 0);
  std::this_thread::sleep_for(300ms);
  live.signal(SIGINT);
  live.wait();
  EXPECT_THAT(err(), HasSubstr("the limit is reached: frames from number 19 on are not saved"));
  EXPECT_LE(std::filesystem::file_size(path("all.pcapng")), 2200u);
  auto saved = wire::CaptureReader::open_file(path("all.pcapng"));
  ASSERT_TRUE(saved);
  wire::Frame frame;
  std::uint64_t count = 0;
  while (saved->next(frame)) ++count;
  EXPECT_EQ(count, 18u);
  EXPECT_THAT(report()["remarks"].dump(), HasSubstr("18 frames were saved"));
  EXPECT_EQ(report()["title"].get<std::string>().substr(0, 10), "40 frames,");
}

// ---------------------------------------------------------------- bad input

TEST_F(CableTest, AnInterfaceThatIsTakenDownEndsItWithAReport) {
  Child live = run(here_, {"diagnose", "if:eth0", "--json"});
  await_start();
  EXPECT_EQ(send({hello(kHost, kHostIp)}, 5, 1ms).wait(), 0);
  here_.sh("ip link set eth0 down");
  EXPECT_EQ(live.wait(10s), cli::kBadInput);
  EXPECT_EQ(events().back()["reason"], "interface");
  EXPECT_EQ(report()["incomplete"], true);
  EXPECT_THAT(report()["remarks"][0], HasSubstr("eth0 was taken down while it was listened to."));
  EXPECT_EQ(report()["title"].get<std::string>().substr(0, 9), "5 frames,");
}

TEST_F(CableTest, AnInterfaceThatVanishesEndsItWithAReport) {
  Child live = run(here_, {"diagnose", "if:eth0", "--json"});
  await_start();
  there_.sh("ip link del far0");
  EXPECT_EQ(live.wait(10s), cli::kBadInput);
  EXPECT_THAT(report()["remarks"][0], HasSubstr("eth0 has vanished"));
}

TEST_F(CableTest, ALostLinkIsToldAndWaitedFor) {
  Child live = run(here_, {"diagnose", "if:eth0", "--json"});
  await_start();
  std::this_thread::sleep_for(300ms);
  there_.sh("ip link set far0 down");
  for (int i = 0; i < 300 && out().find("was lost") == std::string::npos; ++i)
    std::this_thread::sleep_for(10ms);
  there_.sh("ip link set far0 up");
  for (int i = 0; i < 300 && out().find("came back") == std::string::npos; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(live.runs());
  live.signal(SIGINT);
  EXPECT_EQ(live.wait(), cli::kClean);
  EXPECT_THAT(err(), HasSubstr("was lost"));
  EXPECT_THAT(err(), HasSubstr("came back"));
}

TEST_F(CableTest, WhatCannotBeListenedTo) {
  EXPECT_EQ(run(here_, {"diagnose", "if:eth1"}).wait(), cli::kBadInput);
  EXPECT_THAT(
      err(), HasSubstr("There is no interface \"eth1\": did you mean eth0? The interfaces are lo and eth0."));
  EXPECT_EQ(run(here_, {"diagnose", "if:"}).wait(), cli::kBadInput);
  EXPECT_EQ(run(here_, {"diagnose", "if:lo"}).wait(), cli::kBadInput);
  EXPECT_THAT(err(), HasSubstr("lo: is the loopback"));
  EXPECT_EQ(run(here_, {"diagnose", "if:eth0", "--for", "1s"}, 65534).wait(), cli::kBadInput);
  EXPECT_THAT(err(), HasSubstr("needs the capability CAP_NET_RAW"));
  EXPECT_THAT(err(), HasSubstr("setcap"));
  EXPECT_EQ(run(here_, {"diagnose", "if:eth0", "--evidence", path("e.pcapng")}).wait(), cli::kBadInput);
  EXPECT_THAT(err(), HasSubstr("--save"));
  here_.sh("ip link set eth0 down");
  EXPECT_EQ(run(here_, {"diagnose", "if:eth0", "--for", "1s"}).wait(), cli::kBadInput);
  EXPECT_THAT(err(), HasSubstr("ip link set eth0 up"));
  EXPECT_EQ(out(), "");
}

// Two machines with one MAC and one IP address, as a clone has them, and one that is alone: real stacks,
// which count what they send to all.
TEST(TwinsTest, AreTwoStacks) {
  const Netns segment, watcher, original, clone, alone;
  Program program;
  segment.sh("ip link add br0 type bridge && ip link set br0 up");
  segment.join(watcher, "p0", "eth0", "br0");
  const std::tuple<const Netns&, const char*, const char*> machines[] = {
      {original, "p1", "20"}, {clone, "p2", "20"}, {alone, "p3", "30"}};
  std::vector<Child> talkers;
  for (const auto& [machine, port, number] : machines) {
    segment.join(machine, port, "eth0", "br0");
    machine.sh(fmt::format("ip link set eth0 address 52:54:00:aa:bb:{0}; ip addr add 10.0.0.{0}/24 dev eth0",
                           number));
  }
  Child live = program.run(watcher, {"diagnose", "if:eth0", "--json"});
  program.await_start();
  for (const auto& [machine, port, number] : machines) {
    talkers.push_back(machine.start([] {
      const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
      setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
      sockaddr_in any{}, all{};
      any.sin_family = all.sin_family = AF_INET;
      any.sin_port = all.sin_port = htons(5000);
      all.sin_addr.s_addr = htonl(0x0a00'00ff);
      if (bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return 1;  // NOLINT
      for (int i = 0; i < 20; ++i) {
        if (sendto(fd, "hello", 5, 0, reinterpret_cast<const sockaddr*>(&all), sizeof all) < 0)
          return 2;  // NOLINT
        std::this_thread::sleep_for(100ms);
      }
      return 0;
    }));
  }
  for (Child& talker : talkers) EXPECT_EQ(talker.wait(), 0);
  live.signal(SIGINT);
  EXPECT_EQ(live.wait(), cli::kFindings);
  ASSERT_EQ(program.report()["findings"].size(), 1u) << program.out();
  EXPECT_EQ(program.report()["findings"][0]["code"], "mac-duplicate");
  EXPECT_THAT(std::string(program.report()["findings"][0]["headline"]),
              HasSubstr("two stations are behind 52:54:00:aa:bb:20"));
}

// A real kernel asks whether an IPv6 address is free, and another's refuses it (RFC 4862 section 5.4).
TEST(Ipv6Test, ADuplicateAddressIsRefused) {
  const Netns segment(true), owner(true), newcomer(true), watcher;
  Program program;
  segment.sh("ip link add br0 type bridge && ip link set br0 up");
  segment.join(owner, "p1", "eth0", "br0");
  segment.join(newcomer, "p2", "eth0", "br0");
  segment.join(watcher, "p3", "eth0", "br0");
  owner.sh("ip link set eth0 address 02:11:00:00:00:01; ip addr add fd00::9/64 dev eth0 nodad");
  newcomer.sh("ip link set eth0 address 02:11:00:00:00:02");
  Child live = program.run(watcher, {"diagnose", "if:eth0", "--promiscuous", "--json"});
  program.await_start();
  newcomer.sh("ip addr add fd00::9/64 dev eth0");
  for (int i = 0; i < 100; ++i) {
    if (newcomer.start([] { return std::system("ip addr show dev eth0 | grep -q dadfailed") == 0 ? 0 : 1; })
            .wait() == 0)
      break;
    std::this_thread::sleep_for(50ms);
  }
  std::this_thread::sleep_for(200ms);
  live.signal(SIGINT);
  EXPECT_EQ(live.wait(), cli::kFindings);
  ASSERT_EQ(program.report()["findings"].size(), 1u) << program.out();
  EXPECT_EQ(program.report()["findings"][0]["code"], "ip-duplicate");
  EXPECT_THAT(std::string(program.report()["findings"][0]["headline"]),
              HasSubstr("wanted fd00::9, which 02:11:00:00:00:01 has"));
}

}  // namespace
}  // namespace sekimori::testing
