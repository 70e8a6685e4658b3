// The timeline of a site: its model as it is after the changes up to a moment.
#pragma once

#include "base/time.h"
#include "model/model.h"

namespace sekimori::model {

// The model with the changes of its timeline applied up to and including `when`, and none left.
Model model_at(const Model& model, base::Time when);

}  // namespace sekimori::model
