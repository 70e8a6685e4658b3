// The formats of exports, one from_*.cc each. The table of them is in sources.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "importers/data_tree.h"
#include "importers/facts.h"

namespace sekimori::importers {

struct Source {
  std::uint32_t file = 0;  // in Facts::files
  std::string group;       // its folder
  std::string_view text;   // UTF-8, without a byte order mark
};

void read_libvirt(const Source& source, Facts& facts);

}  // namespace sekimori::importers
