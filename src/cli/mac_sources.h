// Sources of an inventory of MACs: whatever `import` reads, site files, CSV, lists.
#pragma once

#include <string>
#include <vector>

#include "cli/exit.h"
#include "importers/sources.h"
#include "macs/inventory.h"

namespace sekimori::cli {

// Files, folders, host:local, ssh:NAME, "-"; what each is shows in its content.
Step<macs::Inventory> read_inventories(const std::vector<std::string>& sources);
Step<macs::Inventory> inventory_of(std::vector<importers::SourceText> texts);

// What was left out, a line each: "hosts.csv:7: ...".
std::vector<std::string> omission_texts(const macs::Inventory& inventory, std::size_t most = 10);

}  // namespace sekimori::cli
