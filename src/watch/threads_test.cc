// The same report at any number of threads, wherever the blocks end. Run it under the thread sanitizer, too.
#include <fmt/format.h>

#include <filesystem>

#include "base/random.h"
#include "watch/test_support.h"
#include "wire/pcapng_writer.h"

namespace sekimori::watch {
namespace {

using testing::Report;

// All that a diagnosis of a capture fills in.
std::string text_of(const Report& report) {
  std::string out =
      fmt::format("{}\n{} {} {}\n", report.title, report.source, report.interrupted, report.incomplete);
  for (const Finding& f : report.findings) {
    out += fmt::format("{} {} {} | {} | {} | {} | {} | {}\n", findings::entry(f.code).word,
                       findings::to_text(f.severity), static_cast<int>(f.certainty), f.where, f.headline,
                       f.cause, fmt::join(f.candidates, ", "), f.to_decide);
    for (const findings::Evidence& e : f.evidence)
      out += fmt::format("  {} {} {}\n", e.frame, e.where, e.what);
    if (f.onset) out += fmt::format("  since {}\n", f.onset->count());
  }
  return out + fmt::format("{}\n", fmt::join(report.remarks, "\n"));
}

std::string diagnosed(wire::ByteSource source, std::size_t block, unsigned threads) {
  auto reader = wire::CaptureReader::open(std::move(source), "capture", block);
  if (!reader) return reader.error().what;
  Options options;
  options.threads = threads;
  return text_of(diagnose(*reader, options));
}

constexpr unsigned kThreads[] = {1, 2, 3, 8};
constexpr std::size_t kBlocks[] = {600, wire::BlockBuffer::kDefaultBlock};

TEST(Threads, AnswerAlikeOnEveryCapture) {
  std::size_t captures = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/captures")) {
    const std::string path = entry.path().string();
    if (path.find("ap") == std::string::npos || entry.path().extension() == ".md" ||
        entry.path().extension() == ".py")
      continue;
    ++captures;
    const std::string expected = diagnosed(*wire::file_source(path), kBlocks[1], 1);
    for (const unsigned threads : kThreads) {
      for (const std::size_t block : kBlocks)
        EXPECT_EQ(diagnosed(*wire::file_source(path), block, threads), expected) << path << ", " << threads;
    }
  }
  EXPECT_GT(captures, 30u);
}

// Stations that talk, ask, fall silent, move between interfaces and loop, at random.
class Made {
 public:
  explicit Made(std::uint64_t seed) : random_(seed), writer_(wire::string_sink(bytes_)) {}

  std::string section() {
    std::uint32_t interfaces = 0;
    for (int i = 0; i < 3000; ++i) {
      if (interfaces == 0 || (interfaces < 4 && random_.below(700) == 0)) {
        const std::string name = fmt::format("eth{}", interfaces);
        interfaces = writer_.add_interface({.name = name}) + 1;
      }
      make_frame();
      const std::uint64_t copies = random_.below(200) == 0 ? 12 : 1;
      for (std::uint64_t copy = 0; copy < copies; ++copy) {
        at_ += static_cast<std::int64_t>(random_.below(copies > 1 ? 1'000'000 : 40'000'000));
        EXPECT_TRUE(writer_.write({.interface = static_cast<std::uint32_t>(random_.below(interfaces)),
                                   .timestamp_ns = at_,
                                   .bytes = frame_,
                                   .direction = static_cast<Direction>(random_.below(3))}));
      }
    }
    EXPECT_TRUE(writer_.flush());
    return bytes_;
  }

 private:
  using Direction = wire::Direction;

  void make_frame() {
    const std::uint64_t a = random_.below(20), b = random_.below(20);
    wire::FrameShape shape{testing::mac(b), testing::mac(a), {}, 60 + random_.below(1400)};
    if (random_.below(2) == 0) shape.tag = wire::VlanTag{.vid = static_cast<std::uint16_t>(random_.below(4))};
    const wire::Ipv4 from = testing::ip(static_cast<std::uint32_t>(a)),
                     to = testing::ip(static_cast<std::uint32_t>(b));
    frame_.clear();
    switch (random_.below(5)) {
      case 0:
        shape.destination = wire::kBroadcast;
        return wire::append_arp(frame_, shape, {wire::Arp::kRequest, shape.source, from, {}, to});
      case 1:
        return wire::append_arp(frame_, shape, {wire::Arp::kReply, shape.source, to, shape.destination, to});
      case 2:
        shape.destination = testing::mac(40 + random_.below(3));  // nobody ever answers
        return wire::append_udp(frame_, shape, {.source = from, .destination = testing::ip(99)},
                                {.source_port = 9, .destination_port = 9});
      default:
        return wire::append_tcp(frame_, shape, {.source = from, .destination = to},
                                {.source_port = 80, .destination_port = 80, .flags = wire::Tcp::kAck});
    }
  }

  base::Random random_;
  std::string bytes_;
  wire::PcapngWriter writer_;
  wire::Buffer frame_;
  std::int64_t at_ = 0;
};

wire::Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Threads, AnswerAlikeOnMadeCaptures) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const std::string made = Made(seed).section() + Made(seed + 100).section();
    const std::string expected = diagnosed(wire::memory_source(bytes_of(made)), kBlocks[1], 1);
    EXPECT_THAT(expected, ::testing::HasSubstr("eth1"));
    for (const unsigned threads : kThreads) {
      for (const std::size_t block : {std::size_t{1}, kBlocks[0], kBlocks[1]})
        EXPECT_EQ(diagnosed(wire::memory_source(bytes_of(made)), block, threads), expected) << seed;
    }
  }
}

// A pipe gives what it has, a byte at a time if need be.
TEST(Threads, AnswerAlikeHoweverTheBytesCome) {
  const std::string made = Made(7).section();
  const std::string expected = diagnosed(wire::memory_source(bytes_of(made)), kBlocks[1], 1);
  for (const unsigned threads : {1u, 2u}) {
    auto whole = wire::memory_source(bytes_of(made));
    base::Random random(1);
    EXPECT_EQ(
        diagnosed(
            [&](std::span<std::uint8_t> into) { return whole(into.first(1 + random.below(into.size()))); },
            4096, threads),
        expected);
  }
}

TEST(Threads, StopWhenAsked) {
  std::string made = Made(1).section();
  const std::string once = made;
  while (made.size() < (std::size_t{30} << 20)) made += once;
  for (const unsigned threads : {1u, 2u}) {
    auto reader = wire::CaptureReader::open(wire::memory_source(bytes_of(made)), "capture");
    ASSERT_TRUE(reader);
    Options options;
    options.threads = threads;
    std::uint64_t seen = 0;
    options.progress = [&](std::uint64_t frames) {
      seen = frames;
      return false;
    };
    const Report report = diagnose(*reader, options);
    EXPECT_TRUE(report.interrupted);
    EXPECT_THAT(report.title, ::testing::StartsWith(fmt::format("{} frames", seen)));
  }
}

TEST(Threads, WhatTheSourceSaysIsTold) {
  const std::string made = Made(2).section();
  for (const unsigned threads : {1u, 2u}) {
    auto whole = wire::memory_source(bytes_of(made).first(made.size() / 2));
    const auto source = [&](std::span<std::uint8_t> into) -> base::Result<std::size_t> {
      auto got = whole(into);
      if (got && *got == 0) return base::fail("The disk is gone.");
      return got;
    };
    EXPECT_THAT(diagnosed(source, 4096, threads),
                ::testing::HasSubstr("The disk is gone. All frames before"));
  }
}

}  // namespace
}  // namespace sekimori::watch
