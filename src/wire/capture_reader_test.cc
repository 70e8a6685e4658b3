#include "wire/capture_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <fmt/format.h>

#include "wire/pcapng_writer.h"
#include "wire/test_support.h"

namespace sekimori::wire {
namespace {

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// What a reader says of a whole capture.
struct Reading {
  struct Row {
    std::uint64_t number;
    std::int64_t time;
    std::uint32_t interface, length;
    Direction direction;
    bool has_timestamp;
    LinkType link_type;
    std::string bytes;
    bool operator==(const Row&) const = default;
  };
  std::string refused;
  std::vector<Row> rows;
  std::optional<CaptureProblem> problem;
  std::vector<CaptureInterface> interfaces;
};

Reading read_all(ByteSource source) {
  Reading reading;
  auto reader = CaptureReader::open(std::move(source), "x.pcap");
  if (!reader) {
    reading.refused = reader.error().what;
    return reading;
  }
  for (Frame f; reader->next(f);) {
    reading.rows.push_back({f.number, f.timestamp_ns, f.interface, f.original_length, f.direction,
                            f.has_timestamp, f.link_type, std::string(as_text(f.bytes))});
  }
  reading.problem = reader->problem();
  reading.interfaces.assign(reader->interfaces().begin(), reader->interfaces().end());
  return reading;
}

Reading read_all(std::string_view file) { return read_all(memory_source(bytes_of(file))); }

template <class T>
std::string number(T v, bool big_endian) {
  std::string out(reinterpret_cast<const char*>(&v), sizeof v);
  if (big_endian) std::reverse(out.begin(), out.end());
  return out;
}

std::string pcap(std::uint32_t magic, bool big_endian, std::uint32_t fraction, std::string_view frame) {
  std::string out =
      number(magic, big_endian) + number<std::uint16_t>(2, big_endian) + number<std::uint16_t>(4, big_endian);
  for (const std::uint32_t v : {0u, 0u, 65535u, 1u}) out += number(v, big_endian);
  const auto length = static_cast<std::uint32_t>(frame.size());
  for (const std::uint32_t v : {1'000'000'000u, fraction, length, length + 10}) out += number(v, big_endian);
  return out.append(frame);
}

std::string block(std::uint32_t type, std::string body, bool big_endian = false) {
  body.resize((body.size() + 3) / 4 * 4);
  const auto length = static_cast<std::uint32_t>(body.size() + 12);
  return number(type, big_endian) + number(length, big_endian) + body + number(length, big_endian);
}

std::string section(bool big_endian = false) {
  return block(0x0a0d0d0a,
               number(0x1a2b3c4du, big_endian) + number<std::uint16_t>(1, big_endian) +
                   number<std::uint16_t>(0, big_endian) + number(~std::uint64_t{0}, big_endian),
               big_endian);
}

std::string interface(std::string options = "", std::uint32_t snap = 0, bool big_endian = false) {
  return block(1,
               number<std::uint16_t>(1, big_endian) + number<std::uint16_t>(0, big_endian) +
                   number(snap, big_endian) + options,
               big_endian);
}

std::string enhanced(std::uint64_t ticks, std::string frame, std::uint32_t interface_id = 0,
                     bool big_endian = false) {
  const auto length = static_cast<std::uint32_t>(frame.size());
  std::string body;
  for (const std::uint32_t v : {interface_id, static_cast<std::uint32_t>(ticks >> 32),
                                static_cast<std::uint32_t>(ticks), length, length}) {
    body += number(v, big_endian);
  }
  return block(6, body + frame, big_endian);
}

TEST(PcapReader, BothByteOrdersAndUnits) {
  for (const bool big : {false, true}) {
    const Reading micro = read_all(pcap(0xa1b2c3d4, big, 123456, "frame"));
    ASSERT_EQ(micro.rows.size(), 1u) << micro.refused;
    EXPECT_EQ(micro.rows[0].time, 1'000'000'000'123'456'000);
    EXPECT_EQ(micro.rows[0].bytes, "frame");
    EXPECT_EQ(micro.rows[0].length, 15u);
    EXPECT_FALSE(micro.problem);
    const Reading nano = read_all(pcap(0xa1b23c4d, big, 123456789, "frame"));
    ASSERT_EQ(nano.rows.size(), 1u) << nano.refused;
    EXPECT_EQ(nano.rows[0].time, 1'000'000'000'123'456'789);
    EXPECT_NE(read_all(pcap(0xa1b2cd34, big, 0, "frame")).refused.find("Kuznetzov"), std::string::npos);
  }
}

TEST(PcapReader, EveryTruncationKeepsWhatCameBefore) {
  const std::string one = pcap(0xa1b2c3d4, false, 0, "frame1");
  const std::string two = one + one.substr(24);
  for (std::size_t size = 0; size < two.size(); ++size) {
    const Reading reading = read_all(two.substr(0, size));
    EXPECT_EQ(!reading.refused.empty(), size < 24) << size;
    EXPECT_EQ(reading.rows.size(), size >= one.size() ? 1u : 0u) << size;
    const bool whole_records = size == 24 || size == one.size();
    if (size >= 24) {
      EXPECT_EQ(reading.problem.has_value(), !whole_records) << size;
    }
    if (reading.problem) {
      EXPECT_TRUE(reading.problem->truncated) << reading.problem->what;
    }
  }
}

TEST(PcapReader, AnAbsurdLengthIsDamageAfterTheFrameBefore) {
  std::string file = pcap(0xa1b2c3d4, false, 0, "frame1");
  for (const std::uint32_t v : {0u, 0u, 0xfffffff0u, 60u}) file += number(v, false);
  file += std::string(1000, 'x');
  const Reading reading = read_all(file);
  EXPECT_EQ(reading.rows.size(), 1u);
  ASSERT_TRUE(reading.problem);
  EXPECT_FALSE(reading.problem->truncated);
  EXPECT_EQ(
      reading.problem->what,
      "x.pcap is damaged: frame 2 (at byte 46) claims 4294967280 captured bytes; at most 262144 make sense.");
}

TEST(CaptureReader, SaysWhatIsNoCaptureAndWhatWasExpected) {
  EXPECT_EQ(read_all(std::string_view()).refused, "x.pcap is empty.");
  EXPECT_NE(read_all("hello, world").refused.find("starts with 68 65 6c 6c; pcap (a1b2c3d4"),
            std::string::npos);
  EXPECT_NE(read_all("PK\x03\x04, world").refused.find("zip archive"), std::string::npos);
  EXPECT_NE(read_all("a").refused.find("is not a capture"), std::string::npos);
  EXPECT_NE(
      CaptureReader::open_file("/no/such.pcap").error().what.find("/no/such.pcap: cannot open: No such file"),
      std::string::npos);
}

TEST(CaptureReader, AnErrorOfTheSourceIsPassedOn) {
  int calls = 0;
  const std::string file = pcap(0xa1b2c3d4, false, 0, "frame");
  const Reading reading = read_all([&](std::span<std::uint8_t> into) -> base::Result<std::size_t> {
    if (calls++ > 0) return base::fail("x.pcap: cannot read: Input/output error.");
    std::copy(file.begin(), file.end(), into.begin());
    return file.size();
  });
  EXPECT_EQ(reading.rows.size(), 1u);
  ASSERT_TRUE(reading.problem);
  EXPECT_EQ(reading.problem->what, "x.pcap: cannot read: Input/output error.");
}

TEST(CaptureReader, PackedCapturesReadTheSameHoweverTheSourceIsCut) {
  std::string file = testing::read_whole("tests/data/captures/lab_rogue_dhcp_edgeport.pcapng");
  const Reading plain = read_all(file);
  ASSERT_EQ(plain.rows.size(), 16u);

  const std::string path = testing::scratch_file("x.gz");
  gzFile gz = gzopen(path.c_str(), "wb");
  gzwrite(gz, file.data(), 1000);
  gzclose(gz);
  gz = gzopen(path.c_str(), "ab");  // a second member
  gzwrite(gz, file.data() + 1000, static_cast<unsigned>(file.size() - 1000));
  gzclose(gz);
  std::string zstd;
  for (const std::string_view part :
       {std::string_view(file).substr(0, 1000), std::string_view(file).substr(1000)}) {
    std::string frame(ZSTD_compressBound(part.size()), 0);
    frame.resize(ZSTD_compress(frame.data(), frame.size(), part.data(), part.size(), 3));
    zstd += frame;
  }
  for (const std::string& packed : {file, testing::read_whole(path), zstd}) {
    for (const std::size_t piece : {1u, 7u, 1000000u}) {
      std::size_t at = 0;
      const Reading reading = read_all([&](std::span<std::uint8_t> into) -> base::Result<std::size_t> {
        const std::size_t count = std::min({piece, packed.size() - at, into.size()});
        std::copy_n(packed.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
        at += count;
        return count;
      });
      EXPECT_EQ(reading.rows, plain.rows);
      EXPECT_FALSE(reading.problem) << reading.problem->what;
    }
    const Reading cut = read_all(packed.substr(0, packed.size() - 20));
    EXPECT_TRUE(cut.problem);
    EXPECT_FALSE(cut.rows.empty());
  }
}

TEST(PcapngReader, ResolutionsAndOffsets) {
  struct Case {
    std::uint8_t resolution;
    std::int64_t offset;
    std::uint64_t ticks;
    std::int64_t time;
  };
  for (const Case& c :
       std::vector<Case>{{6, 0, 1'500'000, 1'500'000'000},
                         {9, 0, 1'500'000, 1'500'000},
                         {3, 10, 1'500, 11'500'000'000},
                         {0, -5, 7, 2'000'000'000},
                         {12, 0, 1'500'999, 1'500},
                         {0x80 | 10, 0, 1536, 1'500'000'000},
                         {0x80 | 32, 0, std::uint64_t{3} << 31, 1'500'000'000},
                         {0, 0, ~std::uint64_t{0}, std::numeric_limits<std::int64_t>::max()}}) {
    const std::string options = number<std::uint32_t>(1 << 16 | 9, false) +
                                std::string(1, char(c.resolution)) + std::string(3, '\0') +
                                number<std::uint32_t>(8 << 16 | 14, false) + number(c.offset, false) +
                                number<std::uint32_t>(0, false);
    const Reading reading = read_all(section() + interface(options) + enhanced(c.ticks, "frame"));
    ASSERT_EQ(reading.rows.size(), 1u) << reading.refused;
    EXPECT_EQ(reading.rows[0].time, c.time) << int{c.resolution};
  }
}

TEST(PcapngReader, SectionsOfBothByteOrdersKeepTheirInterfacesApart) {
  const Reading reading = read_all(section() + interface() + interface() + enhanced(1, "a", 1) +
                                   section(true) + interface("", 0, true) + enhanced(2, "b", 0, true));
  ASSERT_EQ(reading.rows.size(), 2u) << reading.refused;
  EXPECT_EQ(reading.rows[0].interface, 1u);
  EXPECT_EQ(reading.rows[1].interface, 2u);
  EXPECT_EQ(reading.rows[1].time, 2000);
  ASSERT_EQ(reading.interfaces.size(), 3u);
  EXPECT_EQ(reading.interfaces[2].section, 1u);
}

TEST(PcapngReader, SimpleAndObsoletePacketsAndWhatIsSkipped) {
  const std::string simple = block(3, number<std::uint32_t>(100, false) + "12345678");
  std::string obsolete;
  for (const std::uint32_t v : {0u, 0u, 5u, 3u, 3u}) obsolete += number(v, false);
  const Reading reading =
      read_all(section() + interface("", 8) + block(0x7777, std::string(5000, 'x')) + simple +
               block(0xbad, "custom blocks count, as Wireshark shows them") + block(2, obsolete + "abc"));
  ASSERT_EQ(reading.rows.size(), 2u) << reading.refused;
  EXPECT_EQ(reading.rows[0].bytes, "12345678");
  EXPECT_EQ(reading.rows[0].length, 100u);
  EXPECT_FALSE(reading.rows[0].has_timestamp);
  EXPECT_EQ(reading.rows[1].number, 3u);
  EXPECT_EQ(reading.rows[1].bytes, "abc");
  EXPECT_EQ(reading.rows[1].time, 5000);
}

TEST(PcapngReader, DamageIsNamedAndNothingBehindItIsRead) {
  const std::string head = section() + interface() + enhanced(1, "good");
  std::string unequal = enhanced(2, "bad");
  unequal.back() = 1;
  std::string long_packet = enhanced(2, "bad");
  long_packet[20] = 100;
  for (const auto& [tail, what] : std::vector<std::pair<std::string, std::string>>{
           {unequal, "the lengths at a block's ends differ"},
           {number<std::uint32_t>(6, false) + number<std::uint32_t>(8, false),
            "a block of 8 bytes cannot be"},
           {number<std::uint32_t>(6, false) + number<std::uint32_t>(0xfffffff0, false), "makes no sense"},
           {enhanced(2, "bad", 5), "frame 2 is of interface 5, which the section does not describe"},
           {long_packet, "frame 2 claims 100 captured bytes, and its block has 4"}}) {
    const Reading reading = read_all(head + tail + enhanced(3, "behind"));
    EXPECT_EQ(reading.rows.size(), 1u) << what;
    ASSERT_TRUE(reading.problem) << what;
    EXPECT_FALSE(reading.problem->truncated);
    EXPECT_NE(reading.problem->what.find(what), std::string::npos) << reading.problem->what;
  }
  const Reading cut = read_all(head + enhanced(2, "cut").substr(0, 20));
  EXPECT_EQ(cut.rows.size(), 1u);
  ASSERT_TRUE(cut.problem);
  EXPECT_TRUE(cut.problem->truncated) << cut.problem->what;
}

TEST(PcapngReader, ReadsWhatTheWriterWrites) {
  std::string file;
  PcapngWriter writer(string_sink(file));
  writer.add_interface({.name = "sw1:1", .description = "first"});
  writer.add_interface({.name = "sw1:2"});
  const Buffer frame(61, 7);
  ASSERT_TRUE(writer.write({.interface = 1,
                            .timestamp_ns = 1234567890123456789,
                            .bytes = frame,
                            .original_length = 1000,
                            .direction = Direction::outbound,
                            .comment = "why"}));
  ASSERT_TRUE(writer.flush());
  const Reading reading = read_all(file);
  ASSERT_EQ(reading.rows.size(), 1u);
  EXPECT_EQ(reading.rows[0], (Reading::Row{1, 1234567890123456789, 1, 1000, Direction::outbound, true,
                                           LinkType::ethernet, std::string(61, 7)}));
  EXPECT_EQ(reading.interfaces[0].description, "first");
  EXPECT_EQ(reading.interfaces[1].name, "sw1:2");
}

class RealCapture : public ::testing::TestWithParam<std::string> {};

TEST_P(RealCapture, NumbersTimesAndLengthsAreThoseOfTshark) {
  if (!testing::have_tshark()) GTEST_SKIP() << "tshark is not installed";
  const auto rows =
      testing::tshark(GetParam(), "frame.number frame.time_epoch frame.len frame.cap_len frame.encap_type");
  auto reader = CaptureReader::open_file(GetParam());
  ASSERT_TRUE(reader) << reader.error().what;
  std::size_t row = 0;
  for (Frame f; reader->next(f); ++row) {
    while (row < rows.size() && rows[row][4].empty())
      ++row;  // pcapng blocks that Wireshark shows, but are no frames
    ASSERT_LT(row, rows.size());
    EXPECT_EQ(rows[row][0], std::to_string(f.number));
    const std::string time =
        fmt::format("{}.{:09}", f.timestamp_ns / 1'000'000'000, f.timestamp_ns % 1'000'000'000);
    EXPECT_EQ(rows[row][1], f.has_timestamp ? time : "");
    EXPECT_EQ(rows[row][2], std::to_string(f.original_length));
    EXPECT_EQ(rows[row][3], std::to_string(f.bytes.size()));
  }
  while (row < rows.size() && rows[row][4].empty()) ++row;
  EXPECT_EQ(row, rows.size());
  EXPECT_EQ(reader->problem().has_value(), GetParam().find("truncated") != std::string::npos);
}

// Frames stay as they were while their block is kept, whatever its size.
TEST_P(RealCapture, FramesThatAreKeptStayValid) {
  std::vector<std::string> expected, seen;
  auto whole = CaptureReader::open_file(GetParam());
  ASSERT_TRUE(whole) << whole.error().what;
  for (Frame f; whole->next(f);) expected.emplace_back(as_text(f.bytes));
  auto reader = CaptureReader::open(*file_source(GetParam()), GetParam(), 600);
  ASSERT_TRUE(reader) << reader.error().what;
  std::vector<Buffer> blocks;
  std::vector<Frame> kept;
  reader->give_spare({});
  for (Frame f; reader->next(f);) {
    if (reader->has_retired()) {
      blocks.push_back(reader->take_retired());
      reader->give_spare(Buffer(10, 0xaa));  // of any size
    }
    kept.push_back(f);
  }
  for (const Frame& f : kept) seen.emplace_back(as_text(f.bytes));
  EXPECT_EQ(seen, expected);
}

INSTANTIATE_TEST_SUITE_P(All, RealCapture, ::testing::ValuesIn(testing::sample_captures()),
                         [](const auto& param) { return testing::test_name(param.param); });

}  // namespace
}  // namespace sekimori::wire
