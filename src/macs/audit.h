// The audit: what is wrong with the MACs of a fleet, whoever manages it.
//
// The codes are those of the rules on models (check/), judged on records: a fleet's inventories rarely know
// who is cabled to whom. Two stations with one MAC harm each other when both run in one segment; so a
// duplicate is
//
//   mac-duplicate          an error, where both are known to run in one segment
//   mac-duplicate-latent   a warning, where they are known not to, or where the sources don't tell; then the
//                          finding says so and what to look up
//
// Clones that were copied whole are known by what came along with the MAC: the hardware's UUID, the system's
// machine-id. From the machine-id systemd derives the MACs of bridges, bonds and virtual functions
// (MACAddressPolicy=persistent), so systems that share it get equal ones without anybody copying a MAC.
//
// O(n log n) in the records.
#pragma once

#include <span>
#include <vector>

#include "findings/finding.h"
#include "macs/inventory.h"

namespace sekimori::macs {

// NICs that have one MAC and are different stations. `nics` are indices, first by source.
struct Duplicate {
  Mac mac{};
  std::vector<std::size_t> nics;
  enum class Kind : std::uint8_t { kReal, kUndecided, kLatent } kind = Kind::kLatent;
};
// By address. What one machine has on one port, or is listed twice, is one station.
std::vector<Duplicate> duplicates(const Inventory& inventory);

// What is known of a registry: its entries by address, and its pools.
struct Known {
  std::string registry;
  std::vector<Pool> pools;
  std::vector<Entry> entries;
};

// All findings; `known` is null when no registry is compared.
std::vector<findings::Finding> audit(const Inventory& inventory, const Known* known = nullptr);

}  // namespace sekimori::macs
