// The remedies there are, each a change of a copy of the model. Which apply to which finding stands in one
// table, at the end of remedies.cc.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "findings/finding.h"
#include "model/model.h"

namespace sekimori::remedy {

// A remedy that fits a finding: what to do, and the model after it was done.
struct Trial {
  std::string_view word;
  std::string description;
  model::Model model;
};

// Makes the trial; none when the remedy does not fit this finding on this site.
using Make = std::optional<Trial> (*)(const model::Model& model, const findings::Finding& finding);

// What may help against a code, in the order in which to read it: the cause first, stopgaps last.
std::span<const Make> remedies_for(findings::Code code);

}  // namespace sekimori::remedy
