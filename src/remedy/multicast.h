// Remedies for multicasts that don't get to members, or get where none is (switching/snooping.h).
#pragma once

#include <optional>

#include "findings/finding.h"
#include "remedy/remedies.h"

namespace sekimori::remedy {

std::optional<Trial> querier(const model::Model& m, const findings::Finding& f);
std::optional<Trial> flood_unregistered(const model::Model& m, const findings::Finding& f);
std::optional<Trial> no_snooping(const model::Model& m, const findings::Finding& f);
std::optional<Trial> snooping(const model::Model& m, const findings::Finding& f);

}  // namespace sekimori::remedy
