// The emulated machine that boots into init.cc with something to play.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "sys/command.h"
#include "tests/support/folder.h"

namespace sekimori::guest {

inline void put_file(std::string& archive, const std::string& name, const std::string& bytes, unsigned mode) {
  // cpio(5), "New ASCII Format".
  archive +=
      fmt::format("070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
                  archive.size() + 1, mode, 0, 0, 1, 0, bytes.size(), 0, 0, 0, 0, name.size() + 1, 0);
  archive += name + '\0';
  archive.resize((archive.size() + 3) / 4 * 4);
  archive += bytes;
  archive.resize((archive.size() + 3) / 4 * 4);
}

inline std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Guest {
 public:
  // What it answers to the file of that name; empty when it does not.
  std::string play(const std::string& name, const std::string& bytes) const {
    const std::string kernel = SEKIMORI_GUEST_KERNEL;
    const auto fetched = sys::run_command({SEKIMORI_ROOT "/tools/guest_kernel.sh", kernel},
                                          std::chrono::seconds(120), 1 << 20, false);
    EXPECT_TRUE(fetched.has_value() && fetched->exit == 0) << "no kernel for the guest";
    write_archive(kernel, name, bytes);
    const auto run = sys::run_command({"qemu-system-x86_64",
                                       "-machine",
                                       "q35",
                                       "-accel",
                                       "tcg",
                                       "-cpu",
                                       "max",
                                       "-m",
                                       "512",
                                       "-nodefaults",
                                       "-display",
                                       "none",
                                       "-no-reboot",
                                       "-kernel",
                                       kernel + "/vmlinuz",
                                       "-initrd",
                                       folder_ + "/initramfs",
                                       "-append",
                                       "console=ttyS0 quiet panic=-1 mitigations=off rdinit=/init",
                                       "-serial",
                                       "file:" + folder_ + "/console",
                                       "-serial",
                                       "file:" + folder_ + "/answers"},
                                      std::chrono::seconds(400), 1 << 20, true);
    EXPECT_TRUE(run.has_value() && run->exit == 0) << "qemu-system-x86_64 failed";
    const std::string console = contents(folder_ + "/console");
    EXPECT_NE(console.find("ALL PLAYED"), std::string::npos) << console;
    return contents(folder_ + "/answers");
  }

 private:
  void write_archive(const std::string& kernel, const std::string& name, const std::string& bytes) const {
    std::string archive;
    put_file(archive, "init", contents(SEKIMORI_GUEST_INIT), 0100755);
    put_file(archive, name, bytes, 0100644);
    put_file(archive, "modules", "", 040755);
    for (const auto& module : std::filesystem::directory_iterator(kernel + "/modules"))
      put_file(archive, "modules/" + module.path().filename().string(), contents(module.path()), 0100644);
    put_file(archive, "TRAILER!!!", "", 0);
    std::ofstream(folder_ + "/initramfs", std::ios::binary) << archive;
  }

  const testing::Folder home_;
  const std::string folder_ = home_.path().string();
};

}  // namespace sekimori::guest
