// Sources of an inventory of MACs: site files, CSV, lists.
#pragma once

#include <string>
#include <vector>

#include "cli/exit.h"
#include "macs/inventory.h"

namespace sekimori::cli {

// A site file by its suffix (.yaml, .yml, .json), else a table or a list; "-" is a table or list on standard
// input.
Step<void> read_source(const std::string& path, macs::Inventory& inventory);

// What was left out, a line each: "hosts.csv:7: ...".
std::vector<std::string> omission_texts(const macs::Inventory& inventory, std::size_t most = 10);

}  // namespace sekimori::cli
