// What the oracle plays: the stories of examples/ with shorter times, and sites made up to be hard. Ageing
// times are of seconds, so that a minute shows what takes hours outside.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

#include "importers/site.h"
#include "model/model.h"

namespace sekimori::oracle {

struct Scenario {
  std::string_view name;
  int seconds;
  std::string_view story = {};  // in examples/; then made quick
  std::string_view yaml = {};   // or a site of its own
};
std::span<const Scenario> scenarios();
model::Model model_of(const Scenario& scenario);

}  // namespace sekimori::oracle
