// sekimori import SOURCE...: what runs, as a site file.
#pragma once

#include <string>
#include <vector>

namespace sekimori::cli {

struct ImportArguments {
  std::vector<std::string> sources;
  std::string format;  // empty: told by content
  bool verbose = false;
};

int import(const ImportArguments& arguments);

}  // namespace sekimori::cli
