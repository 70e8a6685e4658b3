// A raw disk that a PC's BIOS boots: GRUB in the first sectors, then a kernel and its initial RAM disk at
// sectors that GRUB is told. There is no partition and no file system. GRUB's own image tells sector 1 as the
// place of its core, and the core that it goes on at sector 2 (GRUB's manual, "BIOS installation";
// grub-mkimage(1)).
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "sys/command.h"
#include "tests/support/initramfs.h"

namespace sekimori::testing {

// `words`: the kernel's command line. `folder` is for what is made on the way. False: GRUB is not there.
inline bool write_boot_disk(const std::filesystem::path& disk, const std::filesystem::path& folder,
                            const std::string& kernel, const std::string& initrd, std::string_view words) {
  constexpr std::size_t kSector = 512, kKernelAt = 2048;
  const auto sectors = [](const std::string& bytes) { return (bytes.size() + kSector - 1) / kSector; };
  const std::size_t initrd_at = kKernelAt + sectors(kernel);
  std::ofstream(folder / "grub.cfg") << fmt::format(
      "serial\nterminal_output serial\nlinux (hd0){}+{} {}\ninitrd (hd0){}+{}\nboot\n", kKernelAt,
      sectors(kernel), words, initrd_at, sectors(initrd));
  const auto made = sys::run_command(
      {"grub-mkimage", "--format=i386-pc", "--prefix=", "--config=" + (folder / "grub.cfg").string(),
       "--output=" + (folder / "core.img").string(), "biosdisk", "serial", "terminal", "linux", "boot"},
      std::chrono::seconds(20), 1 << 16, false);
  const std::string boot = contents("/usr/lib/grub/i386-pc/boot.img"), core = contents(folder / "core.img");
  if (!made || made->exit != 0 || boot.size() != kSector || core.size() > (kKernelAt - 1) * kSector)
    return false;

  std::string bytes = boot + core;
  bytes.resize(kKernelAt * kSector);
  bytes += kernel;
  bytes.resize(initrd_at * kSector);
  bytes += initrd;
  // The last sector is for the guest to write to.
  bytes.resize((initrd_at + sectors(initrd) + 1) * kSector);
  std::ofstream(disk, std::ios::binary) << bytes;
  return true;
}

}  // namespace sekimori::testing
