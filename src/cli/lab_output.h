// What `sekimori lab` tells, for people and as JSON (docs/lab.md).
#pragma once

#include <string>

#include "lab/lab.h"
#include "lab/plan.h"
#include "report/text.h"

namespace sekimori::cli {

std::string plan_text(const model::Model& site, const lab::Plan& plan, const report::TextOptions& options);
std::string plan_json(const model::Model& site, const lab::Plan& plan);

std::string status_text(const lab::Plan& plan, const lab::Status& status, const report::TextOptions& options);
std::string status_json(const lab::Plan& plan, const lab::Status& status);

}  // namespace sekimori::cli
