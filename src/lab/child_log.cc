#include "lab/child_log.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace sekimori::lab {

std::string last_words(const std::string& log) {
  std::ifstream file(log);
  std::string line, last = "it says nothing";
  while (std::getline(file, line)) {
    if (!line.empty()) last = line;
  }
  const std::string folder = std::filesystem::path(log).parent_path();
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (!error && space.available == 0)
    last += fmt::format(" (there is no space left on the device of {})", folder);
  return last;
}

}  // namespace sekimori::lab
