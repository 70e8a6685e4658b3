// sekimori explain SITE --to STATION: what each bridge does with frames for a station, and why.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "cli/output.h"
#include "load/explain.h"

namespace sekimori::cli {

struct ExplainArguments {
  std::string site;
  std::string to, from, at;        // as they were written; empty: not
  std::optional<base::Time> when;  // else when the last change is over
  OutputArguments output;
};

int explain(const ExplainArguments& arguments);

// `when`: the moment that is explained, if the site has changes.
std::string explain_text(const load::Explanation& explanation, std::optional<base::Time> when,
                         const report::TextOptions& options);
std::string explain_json(const model::Model& model, const load::Explanation& explanation, base::Time when);

}  // namespace sekimori::cli
