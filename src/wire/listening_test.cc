// What is written of IGMP and MLD is read back, and is what Wireshark reads; what is cut or garbled is told.
#include "wire/listening.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/random.h"
#include "wire/emit.h"
#include "wire/ip.h"
#include "wire/pcapng_writer.h"
#include "wire/test_support.h"

namespace sekimori::wire {
namespace {

using Kind = Listening::Kind;

constexpr Mac kA{0x0200'0000'0001u};
constexpr std::size_t kIgmpAt = 14 + 24, kMldAt = 14 + 40 + 8;
const Group kGroup4 = to_group({0xef01'0203}), kOther4 = to_group({0xe800'0001});
constexpr Ipv6 kGroup6{{0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}},
    kOther6{{0xff, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}};

std::vector<Listening> every_message() {
  std::vector<Listening> all;
  for (const bool ipv6 : {false, true}) {
    const Group group = ipv6 ? kGroup6 : kGroup4;
    Listening m;
    m.ipv6 = ipv6;
    m.source = ipv6 ? link_local(kA) : to_group({0x0a00'0001});
    for (const bool old : {false, true}) {
      m.is_old_query = old;
      m.group = {};
      m.patience_ms = 10'000;
      all.push_back(m);
      m.group = group;
      m.patience_ms = 1000;
      all.push_back(m);
    }
    m.is_old_query = false;
    m.patience_ms = 0;
    for (const Kind kind : {Kind::kOldReport, Kind::kLeave}) {
      m.kind = kind;
      all.push_back(m);
    }
    m.kind = Kind::kReport;
    m.group = {};
    m.records = {{group, false}, {ipv6 ? kOther6 : kOther4, true}};
    all.push_back(m);
  }
  return all;
}

Buffer frame_of(const Listening& message, FrameShape shape = {}) {
  Buffer frame;
  shape.source = kA;
  append_listening(frame, shape, message);
  return frame;
}

void seal_igmp(Buffer& frame, std::size_t length) {
  frame[kIgmpAt + 2] = frame[kIgmpAt + 3] = 0;
  const auto sum = fold_checksum(add_checksum(Bytes(frame).subspan(kIgmpAt, length)));
  frame[kIgmpAt + 2] = static_cast<std::uint8_t>(sum >> 8);
  frame[kIgmpAt + 3] = static_cast<std::uint8_t>(sum);
}

void expect_equal(const Listening& read, const Listening& written) {
  EXPECT_EQ(read.kind, written.kind);
  EXPECT_EQ(read.ipv6, written.ipv6);
  EXPECT_EQ(read.source, written.source);
  EXPECT_EQ(read.group, written.group);
  EXPECT_EQ(read.is_old_query, written.is_old_query);
  EXPECT_EQ(read.about_sources, written.about_sources);
  EXPECT_EQ(read.patience_ms, written.patience_ms);
  EXPECT_EQ(read.records, written.records);
}

TEST(Listening, IsReadAsWritten) {
  for (const Listening& message : every_message()) {
    for (const std::uint16_t vlan : {std::uint16_t{0}, std::uint16_t{100}}) {
      FrameShape shape;
      if (vlan != 0) shape.tag = VlanTag{.vid = vlan};
      const auto read = read_listening(frame_of(message, shape));
      ASSERT_TRUE(read.has_value());
      expect_equal(*read, message);
    }
  }
}

TEST(Listening, OtherFramesAreNone) {
  Buffer frame;
  append_arp(frame, {kBroadcast, kA}, gratuitous_arp(kA, {0x0a00'0001}));
  EXPECT_FALSE(read_listening(frame));
  frame.clear();
  append_udp(frame, {group_mac(kGroup4), kA}, Ipv4Header{}, Udp{});
  EXPECT_FALSE(read_listening(frame));
  frame.clear();
  append_neighbor_solicitation(frame, kA, link_local(kA), kOther6);
  EXPECT_FALSE(read_listening(frame));
  EXPECT_FALSE(read_listening({}));
}

// IGMP of a kind that no switch looks at (DVMRP), and ICMPv6 with a router alert that is no MLD.
TEST(Listening, OtherMessagesAreNone) {
  Listening m = every_message()[4];
  Buffer frame = frame_of(m);
  frame[kIgmpAt] = 0x13;
  seal_igmp(frame, 8);
  EXPECT_FALSE(read_listening(frame));
  m = every_message()[11];
  ASSERT_TRUE(m.ipv6);
  frame = frame_of(m);
  frame[kMldAt] = 128;
  EXPECT_FALSE(read_listening(frame));
}

TEST(Listening, AWrongChecksumIsGarbled) {
  for (const Listening& message : every_message()) {
    Buffer frame = frame_of(message);
    frame[message.ipv6 ? kMldAt + 5 : kIgmpAt + 5] ^= 0x10;
    const auto read = read_listening(frame);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->kind, Kind::kGarbled);
    frame = frame_of(message);
    if (message.ipv6) continue;  // its header has none
    frame[14 + 8] ^= 1;          // the time to live
    EXPECT_EQ(read_listening(frame)->kind, Kind::kGarbled);
  }
}

// net/ipv4/igmp.c, ip_mc_check_igmp_query; net/ipv6/mcast_snoop.c, ipv6_mc_check_mld_query.
TEST(Listening, QueriesThatBreakTheRulesAreGarbled) {
  Listening m;
  m.source = to_group({0x0a00'0001});
  m.patience_ms = 1000;
  m.is_old_query = true;
  Buffer elsewhere = frame_of(m);
  elsewhere[14 + 19] = 22;  // a general query to 224.0.0.22
  elsewhere[14 + 11] = static_cast<std::uint8_t>(elsewhere[14 + 11] - 21);
  EXPECT_EQ(read_listening(elsewhere)->kind, Kind::kGarbled);

  m.ipv6 = true;
  m.source = kGroup6;
  m.source.octets[0] = 0x20;  // not link-local
  EXPECT_EQ(read_listening(frame_of(m))->kind, Kind::kGarbled);
}

TEST(Listening, ARecordThatIsNotThereIsGarbled) {
  Listening m = every_message()[6];
  ASSERT_EQ(m.kind, Kind::kReport);
  Buffer frame = frame_of(m);
  frame[kIgmpAt + 7] = 3;
  seal_igmp(frame, 8 + 2 * 8);
  EXPECT_EQ(read_listening(frame)->kind, Kind::kGarbled);
}

// RFC 2236 section 4: version 1 leaves the time empty, and asks everybody.
TEST(Listening, AQueryOfVersion1) {
  Listening m;
  m.source = to_group({0x0a00'0001});
  m.is_old_query = true;
  const auto read = read_listening(frame_of(m));
  EXPECT_EQ(read->patience_ms, 10'000u);
  EXPECT_TRUE(read->group.is_zero());
}

// RFC 3376 section 4.1.1: 0x9a is (10 | 16) << (1 + 3) tenths of a second.
TEST(Listening, ALongTimeHasAnExponent) {
  Listening m;
  m.source = to_group({0x0a00'0001});
  Buffer frame = frame_of(m);
  frame[kIgmpAt + 1] = 0x9a;
  seal_igmp(frame, 12);
  EXPECT_EQ(read_listening(frame)->patience_ms, 41'600u);
}

// On the heap and of exactly that size, so that the sanitizer sees one byte too many.
TEST(Listening, CutAndChangedFramesAreReadWithinTheirBytes) {
  base::Random random(1);
  std::size_t sound = 0;
  for (const Listening& message : every_message()) {
    const Buffer whole = frame_of(message);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const auto cut = std::make_unique<std::uint8_t[]>(size);
      std::copy_n(whole.begin(), size, cut.get());
      const auto read = read_listening({cut.get(), size});
      const std::size_t length = message.ipv6 ? whole.size() : 14u + whole[17];
      EXPECT_TRUE(size >= length || !read || read->kind == Kind::kGarbled) << size;
      for (int n = 0; n < 20 && size > 0; ++n) {
        cut[random.below(size)] = static_cast<std::uint8_t>(random.next());
        if (const auto changed = read_listening({cut.get(), size})) sound += changed->kind != Kind::kGarbled;
      }
    }
  }
  EXPECT_GT(sound, 0u);
}

TEST(Listening, TsharkReadsWhatIsWritten) {
  if (!testing::have_tshark()) GTEST_SKIP() << "tshark is not installed";
  const auto all = every_message();
  std::string capture;
  PcapngWriter writer([&](Bytes bytes) -> base::Result<void> {
    capture.append(bytes.begin(), bytes.end());
    return {};
  });
  writer.add_interface({});
  for (const Listening& message : all) ASSERT_TRUE(writer.write({.bytes = frame_of(message)}));
  ASSERT_TRUE(writer.flush());
  const std::string file = testing::scratch_file("listening.pcapng");
  testing::write_whole(file, capture);
  const auto rows =
      testing::tshark(file,
                      "_ws.malformed igmp.type igmp.checksum.status igmp.maddr igmp.max_resp icmpv6.type "
                      "icmpv6.checksum.status icmpv6.mld.multicast_address "
                      "icmpv6.mldr.mar.multicast_address ip.opt.ra eth.dst");
  ASSERT_EQ(rows.size(), all.size());
  constexpr const char* kIgmp[] = {"0x11", "0x11", "0x11", "0x11", "0x16", "0x17", "0x22"};
  constexpr const char* kMld[] = {"130", "130", "130", "130", "131", "132", "143"};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i];
    ASSERT_EQ(row.size(), 11u);
    EXPECT_EQ(row[0], "") << "malformed, frame " << i + 1;
    const std::size_t n = i % 7;
    EXPECT_EQ(row[all[i].ipv6 ? 5 : 1], (all[i].ipv6 ? kMld : kIgmp)[n]) << i + 1;
    EXPECT_EQ(row[all[i].ipv6 ? 6 : 2], "1") << i + 1;
    if (!all[i].ipv6) {
      EXPECT_EQ(row[3], n == 0 || n == 2 ? "0.0.0.0" : n == 6 ? "239.1.2.3,232.0.0.1" : "239.1.2.3") << i + 1;
      EXPECT_NE(row[9], "") << "no router alert";
    } else if (n != 6) {
      EXPECT_EQ(row[7], n == 0 || n == 2 ? "::" : "ff15::102") << i + 1;
    } else {
      EXPECT_EQ(row[8], "ff15::102,ff05::9");
    }
  }
  EXPECT_EQ(rows[0][4], "100");
  EXPECT_EQ(rows[0][10], "01:00:5e:00:00:01");
  EXPECT_EQ(rows[6][10], "01:00:5e:00:00:16");
  EXPECT_EQ(rows[13][10], "33:33:00:00:00:16");
}

}  // namespace
}  // namespace sekimori::wire
