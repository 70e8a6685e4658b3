// The emulated machine that boots into init.cc with something to play.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "sys/command.h"
#include "tests/support/folder.h"
#include "tests/support/initramfs.h"

namespace sekimori::guest {

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
    const std::string console = testing::contents(folder_ + "/console");
    EXPECT_NE(console.find("ALL PLAYED"), std::string::npos) << console;
    return testing::contents(folder_ + "/answers");
  }

 private:
  void write_archive(const std::string& kernel, const std::string& name, const std::string& bytes) const {
    testing::Initramfs archive;
    archive.add_program("init", testing::contents(SEKIMORI_GUEST_INIT));
    archive.add_file(name, bytes);
    archive.add_folder("modules", kernel + "/modules");
    archive.write(folder_ + "/initramfs");
  }

  const testing::Folder home_;
  const std::string folder_ = home_.path().string();
};

}  // namespace sekimori::guest
