// An initial RAM disk: a cpio archive (cpio(5), "New ASCII Format") that a kernel boots into.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sekimori::testing {

inline std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Initramfs {
 public:
  void add_program(const std::string& name, const std::string& bytes) { put(name, bytes, 0100755); }
  void add_file(const std::string& name, const std::string& bytes) { put(name, bytes, 0100644); }
  // The files of a folder, without those in folders below.
  void add_folder(const std::string& name, const std::filesystem::path& from) {
    put(name, "", 040755);
    for (const auto& file : std::filesystem::directory_iterator(from))
      add_file(name + "/" + file.path().filename().string(), contents(file.path()));
  }
  void write(const std::filesystem::path& path) {
    put("TRAILER!!!", "", 0);
    std::ofstream(path, std::ios::binary) << archive_;
  }

 private:
  void put(const std::string& name, const std::string& bytes, unsigned mode) {
    archive_ +=
        fmt::format("070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
                    archive_.size() + 1, mode, 0, 0, 1, 0, bytes.size(), 0, 0, 0, 0, name.size() + 1, 0);
    archive_ += name + '\0';
    archive_.resize((archive_.size() + 3) / 4 * 4);
    archive_ += bytes;
    archive_.resize((archive_.size() + 3) / 4 * 4);
  }

  std::string archive_;
};

}  // namespace sekimori::testing
