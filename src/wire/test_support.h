// For this folder's tests only: tshark as the oracle, and the sample captures.
//
// What our decoders say is compared, frame by frame, with what Wireshark's say. Where tshark is not installed
// these tests skip themselves; CI installs it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace sekimori::wire::testing {

inline bool have_tshark() {
  static const bool have = std::system("tshark --version >/dev/null 2>&1") == 0;
  return have;
}

inline std::string run(const std::string& command) {
  std::string output;
  if (std::FILE* pipe = popen(command.c_str(), "r")) {
    char block[65536];
    for (std::size_t n; (n = std::fread(block, 1, sizeof block, pipe)) > 0;) output.append(block, n);
    pclose(pipe);
  }
  return output;
}

// One row a frame, one column a field; several occurrences of a field are joined by commas.
using Rows = std::vector<std::vector<std::string>>;

inline Rows tshark(const std::string& file, std::string_view fields, const std::string& options = "") {
  std::string command = "tshark -n -r '" + file + "' -T fields -E separator=/t " + options;
  for (const std::string_view field : base::split(fields, ' ')) command += " -e " + std::string(field);
  Rows rows;
  const std::string output = run(command + " 2>/dev/null");
  for (std::string_view rest = output; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    auto& row = rows.emplace_back();
    for (const std::string_view cell : base::split(rest.substr(0, end), '\t')) row.emplace_back(cell);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return rows;
}

inline std::string scratch_file(const std::string& name) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string folder =
      ::testing::TempDir() + "sekimori-" + test->test_suite_name() + "-" + test->name();
  std::filesystem::create_directories(folder);
  return folder + "/" + name;
}

// Tests run at the top of the source tree. A larger collection can be put in the place of the samples.
inline std::vector<std::string> sample_captures() {
  std::vector<std::string> paths;
  const char* elsewhere = std::getenv("SEKIMORI_CAPTURES");
  for (const auto& entry :
       std::filesystem::directory_iterator(elsewhere != nullptr ? elsewhere : "tests/data/captures")) {
    if (entry.path().extension().string().find("ap") != std::string::npos)
      paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// A file's name in letters that GoogleTest allows.
inline std::string test_name(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string();
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

inline std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_whole(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}

}  // namespace sekimori::wire::testing
