// --probe against real stations and real Linux bridges: what is asked, and what the outcome decides.
#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/live/live_world.h"
#include "wire/capture_reader.h"
#include "wire/decode.h"

namespace sekimori::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kSinkMac = "02:11:00:00:00:09";
constexpr wire::Ipv4 kSinkIp{0x0a00'0009};
constexpr std::uint16_t kPort = 5000;

sockaddr_in6 to_sink(bool ipv6) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(kPort);
  inet_pton(AF_INET6, ipv6 ? "fd00::9" : "::ffff:10.0.0.9", &address.sin6_addr);
  return address;
}

// A bridge with three ports: a sender that never asks for the address it sends to, a receiver, and the port
// where the program listens.
struct World {
  explicit World(int ageing_centiseconds, bool v6 = false, std::uint16_t tag = 0)
      : ipv6(v6), vlan(tag), segment(v6), sender(v6), sink(v6), watcher(v6) {
    segment.sh(
        fmt::format("ip link add br0 type bridge ageing_time {} && ip link set br0 up", ageing_centiseconds));
    const std::pair<const Netns&, int> machines[] = {{sender, 1}, {sink, 9}, {watcher, 3}};
    for (const auto& [machine, number] : machines) {
      // Without the chatter of a start, which teaches the bridge.
      if (ipv6) {
        machine.sh("cd /proc/sys/net/ipv6/conf/default; echo 0 > accept_dad; echo 0 > router_solicitations");
      }
      segment.join(machine, fmt::format("p{}", number), "eth0", "br0");
      if (number == 9) machine.sh(fmt::format("ip link set eth0 address {}", kSinkMac));
      machine.sh(fmt::format("ip addr add 10.0.0.{}/24 dev eth0", number));
      if (ipv6) machine.sh(fmt::format("ip addr add fd00::{}/64 dev eth0 nodad", number));
    }
    // Linux asks back five seconds after it has answered a solicitation (DELAY, RFC 4861 section 7.3.2), and
    // so speaks a second time.
    if (ipv6) sink.sh("echo 60 > /proc/sys/net/ipv6/neigh/eth0/delay_first_probe_time");
    sender.sh(fmt::format("ip neigh replace {} lladdr {} dev eth0 nud permanent",
                          ipv6 ? "fd00::9" : "10.0.0.9", kSinkMac));
  }

  // Takes what it is sent, and never answers.
  Child swallow() const {
    if (vlan != 0) return answer_in_vlan();
    return sink.start([] {
      const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      sockaddr_in6 any{};
      any.sin6_family = AF_INET6;
      any.sin6_port = htons(kPort);
      if (bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return 1;  // NOLINT
      std::array<char, 2048> buffer{};
      while (recv(fd, buffer.data(), buffer.size(), 0) >= 0) {
      }
      return 0;
    });
  }
  // A kernel need not have VLANs of its own: a receiver that answers ARP in one, and says nothing else. What
  // it receives comes without the tag.
  Child answer_in_vlan() const {
    return sink.start([tag = vlan] {
      const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(wire::ethertype::kArp));
      const RawSender out("eth0");
      const wire::Mac own = *wire::parse_mac(kSinkMac);
      std::array<std::uint8_t, 2048> buffer{};
      for (ssize_t length = 0; (length = recv(fd, buffer.data(), buffer.size(), 0)) >= 0;) {
        const wire::Packet packet = wire::decode(wire::LinkType::ethernet,
                                                 wire::Bytes(buffer).first(static_cast<std::size_t>(length)));
        const auto* arp = packet.get<wire::Arp>();
        if (arp == nullptr || arp->operation != wire::Arp::kRequest || arp->target_ip != kSinkIp) continue;
        wire::Buffer answer;
        wire::append_arp(answer, {arp->sender_mac, own, wire::VlanTag{.vid = tag}},
                         {wire::Arp::kReply, own, kSinkIp, arp->sender_mac, arp->sender_ip});
        if (!out.send(answer)) return 1;
      }
      return 0;
    });
  }
  Child flood_in_vlan(std::chrono::seconds most) const {
    return sender.start([most, tag = vlan] {
      const RawSender out("eth0");
      const wire::Mac own{0x0211'0000'0001}, receiver = *wire::parse_mac(kSinkMac);
      wire::Buffer frame, hello;
      wire::append_udp(frame, {receiver, own, wire::VlanTag{.vid = tag}, 100},
                       {.source = {0x0a00'0001}, .destination = kSinkIp}, {.destination_port = kPort});
      // Somebody must have asked for the address in the VLAN.
      wire::append_arp(hello, {wire::kBroadcast, own, wire::VlanTag{.vid = tag}},
                       {wire::Arp::kRequest, own, {0x0a00'0001}, {}, kSinkIp});
      if (!out.send(hello)) return 1;
      const auto end = std::chrono::steady_clock::now() + most;
      while (std::chrono::steady_clock::now() < end) {
        if (!out.send(frame)) return 1;
        std::this_thread::sleep_for(20ms);
      }
      return 0;
    });
  }
  // Fifty datagrams a second, for this long.
  Child flood(std::chrono::seconds most) const {
    if (vlan != 0) return flood_in_vlan(most);
    return sender.start([this, most] {
      const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const sockaddr_in6 to = to_sink(ipv6);
      const auto end = std::chrono::steady_clock::now() + most;
      while (std::chrono::steady_clock::now() < end) {
        if (sendto(fd, "hello", 5, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
          return 1;  // NOLINT
        std::this_thread::sleep_for(20ms);
      }
      return 0;
    });
  }
  Child probe() const {
    return program.run(watcher, {"diagnose", "if:eth0", "--promiscuous", "--probe", "--json", "--save",
                                 program.path("all.pcapng")});
  }

  // "asked", "learnt", ...
  std::vector<std::string> steps() const {
    std::vector<std::string> words;
    for (const json& e : program.events()) {
      if (e["event"] == "probe") words.push_back(e["step"]);
    }
    return words;
  }
  json finding() const { return program.report()["findings"].at(0); }

  bool ipv6;
  std::uint16_t vlan;
  Program program;
  Netns segment, sender, sink, watcher;
};

// Frames that left the watcher's port.
std::vector<wire::Buffer> sent_by_us(const World& world) {
  std::vector<wire::Buffer> frames;
  auto saved = wire::CaptureReader::open_file(world.program.path("all.pcapng"));
  if (!saved) return frames;
  for (wire::Frame frame; saved->next(frame);) {
    if (frame.direction == wire::Direction::outbound)
      frames.emplace_back(frame.bytes.begin(), frame.bytes.end());
  }
  return frames;
}

// All worlds at once, as each takes seconds of waiting.
TEST(ProbeTest, DecidesWhatTheFloodIs) {
  World silent(200), silent6(200, true), tagged(200, false, 10), deaf(0), gone(30'000), moved(30'000);
  gone.sink.sh("ip link set eth0 down");
  moved.sink.sh("ip link set eth0 address 02:11:00:00:00:0a");
  World* const worlds[] = {&silent, &silent6, &tagged, &deaf, &gone, &moved};
  std::vector<Child> programs, others;
  for (World* world : worlds) {
    others.push_back(world->swallow());
    programs.push_back(world->probe());
    world->program.await_start();
  }
  for (World* world : worlds) others.push_back(world->flood(12s));
  std::this_thread::sleep_for(11s);
  for (const Child& program : programs) program.signal(SIGINT);
  for (Child& program : programs) EXPECT_EQ(program.wait(), cli::kFindings);

  // It is there and is learnt; two seconds later the bridge has forgotten it.
  for (const World* world : {&silent, &silent6, &tagged}) {
    EXPECT_THAT(world->steps(), ElementsAre("asked", "learnt", "learnt")) << world->program.err();
    EXPECT_THAT(world->finding()["cause"],
                AllOf(HasSubstr("answered, and the flood, which had not paused"), HasSubstr("It was back 2."),
                      HasSubstr("What is not decided by that")));
  }
  EXPECT_EQ(silent.finding()["code"], "flood-undecided");
  EXPECT_EQ(sent_by_us(silent).size(), 1u);
  EXPECT_THAT(silent.program.err(),
              HasSubstr("Asked who has 10.0.0.9 (flooded as 02:11:00:00:00:09), by ARP from "
                        "10.0.0.3."));
  EXPECT_THAT(silent6.program.err(),
              HasSubstr("Asked who has fd00::9 (flooded as 02:11:00:00:00:09), by Neighbor "
                        "Discovery from fd00::3."));

  // In the VLAN of the flood, from no address: the watcher has none there.
  EXPECT_THAT(
      tagged.program.err(),
      HasSubstr("Asked who has 10.0.0.9 in VLAN 10 (flooded as 02:11:00:00:00:09), by ARP from 0.0.0.0."));
  ASSERT_EQ(sent_by_us(tagged).size(), 1u);
  EXPECT_EQ(wire::parse_ethernet(sent_by_us(tagged)[0])->outer_vlan(), 10);
  EXPECT_EQ(tagged.program.report()["findings"].size(), 1u)
      << "that it asks as a newcomer does is no conflict";

  // The bridge keeps nothing.
  EXPECT_THAT(deaf.steps(), ElementsAre("asked", "not-learnt"));
  EXPECT_THAT(deaf.finding()["cause"], HasSubstr("the flood went on all the same"));
  EXPECT_THAT(deaf.finding()["candidates"].dump(), HasSubstr("flood-no-learning"));
  EXPECT_THAT(deaf.finding()["candidates"].dump(), Not(HasSubstr("flood-leak")));

  // Nobody has the address.
  EXPECT_THAT(gone.steps(), ElementsAre("asked", "asked", "asked", "unanswered"));
  EXPECT_THAT(gone.finding()["cause"], HasSubstr("Asked for 10.0.0.9 3 times, nobody answered."));
  EXPECT_EQ(sent_by_us(gone).size(), 3u);

  // Another has.
  EXPECT_THAT(moved.steps(), ElementsAre("asked", "moved"));
  EXPECT_EQ(moved.finding()["code"], "flood-silent");
  EXPECT_THAT(moved.finding()["cause"],
              HasSubstr("02:11:00:00:00:0a answers, and 02:11:00:00:00:09 does not"));
  EXPECT_THAT(moved.program.report()["remarks"].dump(),
              HasSubstr("Sent by this program: 1 question for 10.0.0.9"));
}

TEST(ProbeTest, NothingIsSentUnasked) {
  const World world(200);
  const Child sink = world.swallow();
  Child program = world.program.run(world.watcher, {"diagnose", "if:eth0", "--promiscuous", "--json",
                                                    "--save", world.program.path("all.pcapng")});
  world.program.await_start();
  Child flood = world.flood(4s);
  EXPECT_EQ(flood.wait(), 0);
  program.signal(SIGINT);
  EXPECT_EQ(program.wait(), cli::kFindings);
  EXPECT_THAT(world.steps(), IsEmpty());
  EXPECT_THAT(sent_by_us(world), IsEmpty());
}

}  // namespace
}  // namespace sekimori::testing
