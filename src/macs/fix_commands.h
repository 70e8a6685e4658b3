// The commands by which each manager changes the MAC of a NIC, as its own manual has them.
#pragma once

#include <string>
#include <vector>

#include "macs/fix.h"

namespace sekimori::macs {

// For a POSIX shell, or PowerShell where the manager's tools are its. What was read from an inventory is
// quoted. Lines that begin with # are for people. With a registry the first line allocates the fresh address.
std::vector<std::string> fix_commands(const Inventory& inventory, const Nic& nic, const FixStep& step,
                                      const std::string& registry);

std::string release_command(Mac mac, const std::string& registry);

}  // namespace sekimori::macs
