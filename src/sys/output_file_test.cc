#include "sys/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sekimori::sys {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public testing::Test {
 protected:
  OutputFileTest() {
    std::string pattern = (fs::temp_directory_path() / "sekimori-output-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~OutputFileTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(OutputFileTest, IsThereOnlyAfterCommit) {
  auto file = OutputFile::open(path("a.json"));
  ASSERT_TRUE(file) << file.error().what;
  ASSERT_TRUE(file->write("hello "));
  ASSERT_TRUE(file->write(std::string(1'000'000, 'x')));
  EXPECT_FALSE(fs::exists(path("a.json")));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(content(path("a.json")).size(), 1'000'006u);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(OutputFileTest, WithoutCommitTheOldOneStays) {
  std::ofstream(path("a")) << "old";
  {
    auto file = OutputFile::open(path("a"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("new"));
  }
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(OutputFileTest, ReplacesAndKeepsModeAndLinks) {
  std::ofstream(path("a")) << "old";
  fs::permissions(path("a"), fs::perms(0640));
  fs::create_symlink("a", path("link"));
  auto file = OutputFile::open(path("link"));
  ASSERT_TRUE(file && file->write("new") && file->commit());
  EXPECT_EQ(content(path("a")), "new");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(fs::status(path("a")).permissions(), fs::perms(0640));
  EXPECT_EQ(entries(), 2u);
}

TEST_F(OutputFileTest, BareNameIsInTheCurrentFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  auto file = OutputFile::open("bare.txt");
  const bool written = file && file->write("x") && file->commit();
  fs::current_path(before);
  EXPECT_TRUE(written);
  EXPECT_EQ(content(path("bare.txt")), "x");
}

TEST_F(OutputFileTest, SaysWhyNot) {
  auto missing = OutputFile::open(path("no/such/folder/a"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().what,
            path("no/such/folder/a") + ": can't be written: No such file or directory.");
  auto folder = OutputFile::open(folder_.string());
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().what.find("Is a directory"), std::string::npos);
  EXPECT_FALSE(OutputFile::open(""));
  std::ofstream(path("plain")) << "x";
  EXPECT_FALSE(OutputFile::open(path("plain/below")));
}

TEST_F(OutputFileTest, FullDeviceIsReported) {
  auto file = OutputFile::open("/dev/full");
  ASSERT_TRUE(file) << file.error().what;
  ASSERT_TRUE(file->write("x"));
  const auto done = file->commit();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().what, "/dev/full: can't be written: No space left on device.");
  EXPECT_FALSE(file->write("more"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(OutputFileTest, PipesAreWrittenDirectly) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto file = OutputFile::open(path("pipe"));
  ASSERT_TRUE(file && file->write("through") && file->commit());
  char bytes[16];
  EXPECT_EQ(read(reader, bytes, sizeof bytes), 7);
  close(reader);
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
}

// A disk of 64 KiB. Needs the right to mount.
TEST_F(OutputFileTest, FullDiskLeavesWhatWasThere) {
  if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "needs root to mount a tmpfs";
  std::ofstream(path("a")) << "old";
  {
    auto file = OutputFile::open(path("a"));
    EXPECT_TRUE(file) << file.error().what;
    const bool written = file->write(std::string(1'000'000, 'x')) && file->commit();
    EXPECT_FALSE(written);
    const auto again = file->commit();
    EXPECT_FALSE(again);
    EXPECT_NE((again ? std::string() : again.error().what).find("No space left on device"),
              std::string::npos);
  }
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(entries(), 1u);
  umount(folder_.c_str());
}

}  // namespace
}  // namespace sekimori::sys
