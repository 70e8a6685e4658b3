// What a registry holds, as JSON: the verbs' --json and the API write the same (docs/macs.md).
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "macs/registry.h"

namespace sekimori::macs {

using OrderedJson = nlohmann::ordered_json;

// What is not known is left out.
OrderedJson to_json(const Entry& entry);
OrderedJson to_json(const std::vector<Grant>& grants);

struct Usage {
  std::uint64_t addresses = 0, used = 0, freed = 0;
};
Outcome<Usage> usage_of(const Pool& pool, Registry& registry);
OrderedJson to_json(const Pool& pool, const Usage& usage);

}  // namespace sekimori::macs
