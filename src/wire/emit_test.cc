#include "wire/emit.h"

#include <gtest/gtest.h>

#include "wire/pcapng_writer.h"
#include "wire/test_support.h"

namespace sekimori::wire {
namespace {

constexpr Mac kA{0x020000000001}, kB{0x020000000002};
constexpr Ipv4 kIpA{0x0a000001}, kIpB{0x0a000002};

Ipv4Header from_a_to_b() {
  Ipv4Header ip;
  ip.source = kIpA;
  ip.destination = kIpB;
  ip.id = 7;
  ip.dont_fragment = true;
  return ip;
}

const Ipv6 kIp6A = *parse_ipv6("2001:db8::1"), kIp6B = *parse_ipv6("2001:db8::2");

Ipv6Header from_a_to_b_by_ipv6() { return {.source = kIp6A, .destination = kIp6B}; }

Tcp syn() {
  Tcp tcp{.source_port = 40000, .destination_port = 5001, .seq = 1000, .flags = Tcp::kSyn, .window = 64240};
  tcp.mss = 1460;
  tcp.window_scale = 7;
  tcp.sack_permitted = true;
  tcp.timestamps = TcpTimestamps{123456, 0};
  return tcp;
}

// Every kind of frame in many lengths, untagged and tagged; odd lengths show a checksum that forgets a byte.
std::vector<Buffer> every_frame() {
  std::vector<Buffer> frames;
  const auto add = [&](auto append, const auto&... fields) { append(frames.emplace_back(), fields...); };
  for (const auto& tag :
       {std::optional<VlanTag>{}, std::optional<VlanTag>{VlanTag{.vid = 100, .priority = 3}}}) {
    for (const std::size_t bytes : {98u, 99u, 370u, 1499u, 1514u}) {
      const FrameShape shape{kB, kA, tag, bytes};
      add([](auto&&... x) { append_udp(x...); }, shape, from_a_to_b(), Udp{40001, 40002, 0, {}});
      add([](auto&&... x) { append_udp(x...); }, shape, from_a_to_b(), Udp{40001, 40002, 0, {}}, 5);
      add([](auto&&... x) { append_icmp_echo(x...); }, shape, from_a_to_b(), Icmp{.id = 9, .sequence = 1});
      add([](auto&&... x) { append_tcp(x...); }, shape, from_a_to_b(),
          Tcp{.source_port = 40000,
              .destination_port = 5001,
              .seq = 1,
              .ack = 2,
              .flags = Tcp::kAck,
              .window = 501,
              .timestamps = TcpTimestamps{1, 2}});
    }
    const std::size_t tag_bytes = tag ? 4 : 0;
    for (const std::size_t bytes : {118u, 119u, 1514u}) {
      const FrameShape shape{kB, kA, tag, bytes};
      add([](auto&&... x) { append_udp(x...); }, shape, from_a_to_b_by_ipv6(), Udp{40001, 40002, 0, {}});
      add([](auto&&... x) { append_icmpv6_echo(x...); }, shape, from_a_to_b_by_ipv6(),
          Icmpv6{.type = Icmpv6::kEchoRequest, .id = 9, .sequence = 1});
      add([](auto&&... x) { append_tcp(x...); }, shape, from_a_to_b_by_ipv6(), syn());
    }
    const Icmpv6 question{.type = Icmpv6::kNeighborSolicitation, .target = kIp6B, .source_mac = kA};
    const Icmpv6 probe{.type = Icmpv6::kNeighborSolicitation, .target = kIp6A};
    const Icmpv6 answer{.type = Icmpv6::kNeighborAdvertisement,
                        .target = kIp6A,
                        .solicited = true,
                        .overrides = true,
                        .target_mac = kA};
    const Ipv6 group = solicited_node(kIp6B), own_group = solicited_node(kIp6A);
    add([](auto&&... x) { append_neighbor(x...); }, FrameShape{group_mac(group), kA, tag, 86 + tag_bytes},
        kIp6A, group, question);
    add([](auto&&... x) { append_neighbor(x...); }, FrameShape{group_mac(own_group), kA, tag, 78 + tag_bytes},
        Ipv6{}, own_group, probe);
    add([](auto&&... x) { append_neighbor(x...); }, FrameShape{kB, kA, tag, 86 + tag_bytes}, kIp6A, kIp6B,
        answer);
    add([](auto&&... x) { append_router_advertisement(x...); },
        FrameShape{group_mac(kAllNodes), kA, tag, 110 + tag_bytes}, kIp6A, 64, std::uint16_t{1800});
    const FrameShape least{kB, kA, tag};
    const FrameShape all{kBroadcast, kA, tag};
    add([](auto&&... x) { append_arp(x...); }, all, Arp{Arp::kRequest, kA, kIpA, Mac{}, kIpB});
    add([](auto&&... x) { append_arp(x...); }, least, Arp{Arp::kReply, kA, kIpA, kB, kIpB});
    add([](auto&&... x) { append_arp(x...); }, all, gratuitous_arp(kA, kIpA));
    add([](auto&&... x) { append_arp(x...); }, all, notify_rarp(kA));
    add([](auto&&... x) { append_tcp(x...); }, FrameShape{kB, kA, tag, 78}, from_a_to_b(), syn(), 0);
    add([](auto&&... x) { append_tcp(x...); }, least, from_a_to_b(),
        Tcp{.source_port = 40000,
            .destination_port = 5001,
            .seq = 1,
            .ack = 2,
            .flags = Tcp::kRst | Tcp::kAck},
        0);
    add([](auto&&... x) { append_loopback(x...); }, least);
    add([](auto&&... x) { append_beacon(x...); }, all, "vmnic0");
    add([](auto&&... x) { append_beacon(x...); }, all, std::string(200, 'n'));
    Bpdu bpdu{
        .root = {0x1000, kA}, .root_path_cost = 4, .bridge = {0x8000, kB}, .message_age = base::seconds(1)};
    const FrameShape stp{kStpGroup, kB, tag};
    add([](auto&&... x) { append_bpdu(x...); }, stp, bpdu);
    bpdu.version = 2;
    bpdu.flags = Bpdu::kTopologyChange | Bpdu::kForwarding | 0x0c;
    add([](auto&&... x) { append_bpdu(x...); }, stp, bpdu);
    bpdu.type = Bpdu::kTcn;
    add([](auto&&... x) { append_bpdu(x...); }, stp, bpdu);
  }
  return frames;
}

std::string capture_of(const std::vector<Buffer>& frames) {
  std::string file;
  PcapngWriter writer(string_sink(file));
  writer.add_interface({.name = "sw1:1", .description = "port 1 of sw1"});
  writer.add_interface({.name = "sw1:2"});
  std::int64_t time = 1'700'000'000'123'456'789;
  for (const Buffer& frame : frames) {
    EXPECT_TRUE(writer.write({.interface = time % 2 ? 0u : 1u,
                              .timestamp_ns = time,
                              .bytes = frame,
                              .direction = time % 2 ? Direction::inbound : Direction::outbound,
                              .comment = time % 2 ? "flooded" : ""}));
    ++time;
  }
  EXPECT_TRUE(writer.flush());
  return file;
}

TEST(Emit, LengthsComeOutExactly) {
  for (const std::size_t bytes : {60u, 61u, 1514u, 9014u}) {
    Buffer out{1, 2, 3};  // appended to, not replaced
    append_udp(out, {kB, kA, std::nullopt, bytes}, from_a_to_b(), Udp{1, 2, 0, {}});
    EXPECT_EQ(out.size(), 3 + bytes);
  }
  EXPECT_EQ(tcp_header_bytes({}, syn()), 74u);
}

TEST(Emit, TsharkFindsNothingWrong) {
  if (!testing::have_tshark()) GTEST_SKIP() << "tshark is not installed";
  const auto frames = every_frame();
  const std::string file = testing::scratch_file("emit.pcapng");
  testing::write_whole(file, capture_of(frames));
  const auto rows = testing::tshark(
      file,
      "frame.len _ws.malformed ip.checksum.status udp.checksum.status "
      "tcp.checksum.status icmp.checksum.status icmpv6.checksum.status _ws.expert.severity _ws.col.Protocol",
      "-o ip.check_checksum:TRUE -o udp.check_checksum:TRUE "
      "-o tcp.check_checksum:TRUE");
  ASSERT_EQ(rows.size(), frames.size());
  constexpr std::string_view kGood = "1";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i];
    ASSERT_EQ(row.size(), 9u);
    EXPECT_EQ(row[0], std::to_string(frames[i].size()));
    EXPECT_EQ(row[1], "") << "malformed, frame " << i + 1;
    for (int column = 2; column <= 6; ++column)
      EXPECT_TRUE(row[column].empty() || row[column] == kGood) << i + 1;
    constexpr const char* kErrorSeverity = "8388608";
    EXPECT_EQ(row[7].find(kErrorSeverity), std::string::npos) << i + 1;
    const bool checksummed = row[8] == "UDP" || row[8] == "TCP" || row[8] == "ICMP" || row[8] == "ICMPv6";
    if (checksummed) {  // an IPv6 header has none
      EXPECT_TRUE((row[2] + row[3] + row[4] + row[5] + row[6] + "1").starts_with("11")) << i + 1;
    }
  }
}

TEST(Emit, TsharkReadsTheFieldsThatWereWritten) {
  if (!testing::have_tshark()) GTEST_SKIP() << "tshark is not installed";
  const FrameShape tagged{kB, kA, VlanTag{.vid = 100, .priority = 3}, 82};
  std::vector<Buffer> frames(3);
  append_tcp(frames[0], tagged, from_a_to_b(), syn(), 0);
  append_arp(frames[1], {kBroadcast, kA}, gratuitous_arp(kA, kIpA));
  append_bpdu(
      frames[2], {kStpGroup, kB},
      {.flags = Bpdu::kTopologyChange, .root = {0x1000, kA}, .root_path_cost = 4, .bridge = {0x8000, kB}});
  const std::string file = testing::scratch_file("fields.pcapng");
  testing::write_whole(file, capture_of(frames));
  const auto rows =
      testing::tshark(file,
                      "vlan.id vlan.priority tcp.flags tcp.options.mss_val tcp.options.wscale.shift "
                      "tcp.options.timestamp.tsval ip.ttl ip.id arp.isgratuitous stp.root.hw "
                      "stp.flags.tc stp.max_age");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"100", "3", "0x0002", "1460", "7", "123456", "64", "0x0007",
                                               "", "", "", ""}));
  EXPECT_EQ(rows[1][8], "1");
  EXPECT_EQ(rows[2][9], "02:00:00:00:00:01");
  EXPECT_EQ(rows[2][10], "1");
  EXPECT_EQ(rows[2][11], "20");
}

// Neighbor Discovery as a capture of the real thing has it: addresses, groups, flags and options.
TEST(Emit, TsharkReadsNeighborDiscovery) {
  if (!testing::have_tshark()) GTEST_SKIP() << "tshark is not installed";
  std::vector<Buffer> frames(3);
  append_neighbor_solicitation(frames[0], kA, kIp6A, kIp6B);
  append_neighbor(frames[1], {kA, kB, std::nullopt, 86}, kIp6B, kIp6A,
                  {.type = Icmpv6::kNeighborAdvertisement,
                   .target = kIp6B,
                   .from_router = true,
                   .solicited = true,
                   .overrides = true,
                   .target_mac = kB});
  append_router_advertisement(frames[2], {group_mac(kAllNodes), kB, std::nullopt, 110}, kIp6B, 64, 1800);
  const std::string file = testing::scratch_file("nd.pcapng");
  testing::write_whole(file, capture_of(frames));
  const auto rows = testing::tshark(
      file,
      "eth.dst ipv6.src ipv6.dst ipv6.hlim icmpv6.type icmpv6.nd.ns.target_address "
      "icmpv6.nd.na.target_address icmpv6.opt.linkaddr icmpv6.nd.na.flag.s icmpv6.nd.ra.router_lifetime "
      "icmpv6.opt.prefix");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"33:33:ff:00:00:02", "2001:db8::1", "ff02::1:ff00:2", "255",
                                               "135", "2001:db8::2", "", "02:00:00:00:00:01", "", "", ""}));
  EXPECT_EQ(rows[1][4], "136");
  EXPECT_EQ(rows[1][6], "2001:db8::2");
  EXPECT_TRUE(rows[1][8] == "1" || rows[1][8] == "True") << rows[1][8];
  EXPECT_EQ(rows[2],
            (std::vector<std::string>{"33:33:00:00:00:01", "fe80::ff:fe00:2", "ff02::1", "255", "134", "", "",
                                      "02:00:00:00:00:02", "", "1800", "2001:db8::"}));
}

TEST(PcapngWriter, TsharkReadsInterfacesTimesDirectionsAndComments) {
  if (!testing::have_tshark()) GTEST_SKIP() << "tshark is not installed";
  const std::string file = testing::scratch_file("writer.pcapng");
  testing::write_whole(file, capture_of(std::vector<Buffer>(2, Buffer(60))));
  const auto rows = testing::tshark(
      file,
      "frame.interface_name frame.interface_description frame.time_epoch frame.packet_flags_direction "
      "frame.comment");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"sw1:1", "port 1 of sw1", "1700000000.123456789", "0x00000001",
                                               "flooded"}));
  EXPECT_EQ(rows[1], (std::vector<std::string>{"sw1:2", "", "1700000000.123456790", "0x00000002", ""}));
}

TEST(PcapngWriter, AFullDiskIsAnErrorThatStays) {
  int calls = 0;
  PcapngWriter writer([&](Bytes) -> base::Result<void> {
    ++calls;
    return base::fail("disk full");
  });
  writer.add_interface({});
  const Buffer frame(1500);
  bool failed = false;
  for (int i = 0; i < 10'000 && !failed; ++i) failed = !writer.write({.bytes = frame});
  EXPECT_TRUE(failed);
  EXPECT_FALSE(writer.write({.bytes = frame}));
  EXPECT_EQ(writer.flush().error().what, "disk full");
  EXPECT_EQ(calls, 1);
}

TEST(PcapngWriter, StreamSinkReportsTheDevice) {
  std::FILE* full = std::fopen("/dev/full", "wb");
  if (full == nullptr) GTEST_SKIP() << "no /dev/full here";
  PcapngWriter writer(stream_sink(full, "out.pcapng"));
  const auto written = writer.flush();
  std::fclose(full);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().what.find("out.pcapng: cannot write"), std::string::npos);
}

}  // namespace
}  // namespace sekimori::wire
