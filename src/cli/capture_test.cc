// sekimori diagnose CAPTURE as its users call it, good input and bad.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/capture.h"
#include "cli/command_line.h"
#include "wire/arp.h"
#include "wire/byte_sink.h"
#include "wire/emit.h"
#include "wire/pcapng_writer.h"

namespace sekimori::cli {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// A frame that goes round 2 000 times, or some ordinary ones.
std::string capture(bool loop) {
  std::string out;
  wire::PcapngWriter writer(wire::string_sink(out));
  writer.add_interface({.name = "eth0"});
  const wire::Mac mac{0x0011'0a00'0001};
  for (std::uint32_t i = 0; i < (loop ? 2000u : 20u); ++i) {
    wire::Buffer frame;
    wire::append_arp(frame, {wire::kBroadcast, mac},
                     wire::gratuitous_arp(mac, {0x0a00'0001 + (loop ? 0 : i)}));
    EXPECT_TRUE(writer.write({.timestamp_ns = std::int64_t{i} * 100'000, .bytes = frame}));
  }
  EXPECT_TRUE(writer.flush());
  return out;
}

class CaptureTest : public testing::Test {
 protected:
  CaptureTest() {
    std::string pattern = (fs::temp_directory_path() / "sekimori-capture-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~CaptureTest() override { fs::remove_all(folder_); }

  std::string file(const std::string& name, std::string_view bytes) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path.string();
  }
  int run(const std::vector<std::string>& arguments) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int exit = run_command_line(arguments);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return exit;
  }
  bool says(std::string_view text) const { return (out_ + err_).find(text) != std::string::npos; }

  fs::path folder_;
  std::string out_, err_;
};

TEST_F(CaptureTest, IsToldByItsContent) {
  EXPECT_EQ(run({"diagnose", file("a.txt", capture(true))}), kFindings);
  EXPECT_TRUE(says("BROKEN: 1 error")) << out_;
  EXPECT_EQ(run({"diagnose", file("b", capture(false))}), kClean);
  EXPECT_TRUE(says("20 frames")) << out_;
  EXPECT_TRUE(is_capture(file("gzip", "\x1f\x8b\x08")));
  EXPECT_FALSE(is_capture(file("site.yaml", "sekimori: 1\n")));
  EXPECT_FALSE(is_capture(folder_.string()));
}

TEST_F(CaptureTest, StandardInputIsPeekedAtAndNotConsumed) {
  for (const bool is : {true, false}) {
    const std::string bytes = is ? capture(true) : "sekimori: 1\ntitle: none\n";
    const std::string path = file("input", bytes);
    ASSERT_NE(std::freopen(path.c_str(), "rb", stdin), nullptr);
    EXPECT_EQ(is_capture("-"), is);
    std::string read(bytes.size() + 1, '\0');
    read.resize(std::fread(read.data(), 1, read.size(), stdin));
    EXPECT_EQ(read, bytes);
  }
}

TEST_F(CaptureTest, StandardInputIsDiagnosed) {
  ASSERT_NE(std::freopen(file("input", capture(true)).c_str(), "rb", stdin), nullptr);
  EXPECT_EQ(run({"diagnose", "-", "-q"}), kFindings);
  EXPECT_TRUE(says("error loop: ")) << out_ << err_;
}

TEST_F(CaptureTest, JsonHasFrameNumbers) {
  EXPECT_EQ(run({"diagnose", file("a.pcapng", capture(true)), "--json"}), kFindings);
  EXPECT_TRUE(says("\"kind\": \"capture\"")) << out_;
  EXPECT_TRUE(says("\"frame\": 10")) << out_;
}

TEST_F(CaptureTest, EvidenceIsACaptureOfItsOwn) {
  const std::string evidence = (folder_ / "evidence.pcapng").string();
  EXPECT_EQ(run({"diagnose", file("a.pcapng", capture(true)), "--evidence", evidence}), kFindings);
  EXPECT_NE(content(evidence).find("loop: the tenth copy of it (frame 10 of "), std::string::npos);
  // The evidence alone is no fault: three frames.
  EXPECT_EQ(run({"diagnose", evidence}), kClean);
  EXPECT_TRUE(says("3 frames")) << out_;
}

TEST_F(CaptureTest, EvidenceNeedsAFileOfItsOwn) {
  const std::string path = file("a.pcapng", capture(true));
  EXPECT_EQ(run({"diagnose", path, "--evidence", "-"}), kBadInput);
  EXPECT_EQ(run({"diagnose", path, "--evidence", path}), kBadInput);
  EXPECT_TRUE(says("is an input")) << err_;
  EXPECT_EQ(content(path), capture(true));
}

TEST_F(CaptureTest, PlaceIsSaid) {
  const std::string path = file("a.pcapng", capture(false));
  EXPECT_EQ(run({"diagnose", path, "--at", "mirror"}), kClean);
  EXPECT_TRUE(says("This is a mirror port: as said")) << out_;
  EXPECT_EQ(run({"diagnose", path, "--at", "moon"}), kBadInput);
}

TEST_F(CaptureTest, BadInputIsNamed) {
  EXPECT_EQ(run({"diagnose", file("empty.pcap", "")}), kBadInput);
  EXPECT_TRUE(says("empty.pcap is empty.")) << err_;
  EXPECT_EQ(run({"diagnose", file("text.pcap", "hello, world, this is text")}), kBadInput);
  EXPECT_TRUE(says("text.pcap is not a capture: it starts with 68 65 6c 6c")) << err_;
  EXPECT_EQ(run({"diagnose", (folder_ / "none.pcap").string()}), kBadInput);
  EXPECT_TRUE(says("No such file")) << err_;
}

TEST_F(CaptureTest, WhatWasReadableIsReported) {
  const std::string whole = capture(true), quiet = capture(false);
  EXPECT_EQ(run({"diagnose", file("a.pcapng", whole.substr(0, whole.size() - 10))}), kFindings);
  EXPECT_TRUE(says("1999 copies of one frame")) << out_;
  EXPECT_TRUE(says("All frames before are in this report.")) << out_;
  EXPECT_EQ(run({"diagnose", file("b.pcapng", quiet.substr(0, quiet.size() - 10))}), kBadInput);
  EXPECT_TRUE(says("CLEAN: nothing found (in what could be read of the input)")) << out_;
}

}  // namespace
}  // namespace sekimori::cli
