// Reads a site file: YAML (and so JSON) in, a Model out, or every error of the file. The format is described
// in docs/site-file.md and, for editors, in docs/site-file.schema.json.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace sekimori::importers {

struct Problem {
  unsigned line = 0, column = 0;  // 1-based; 0: the file as a whole
  std::string what;               // what was found, what was expected, the nearest known word
  std::string source;             // the part of the line that is shown
  unsigned caret = 0;             // where in `source` the column is, in characters from 0
};

struct SiteErrors {
  std::string file;
  std::vector<Problem> problems;  // in the order of the file
  bool too_many = false;          // there were more than are kept

  // "file:line:column: error: ..." with the source line and a caret below, for at most `most` problems.
  std::string text(std::size_t most = 50) const;
};

// "-" reads standard input.
std::expected<model::Model, SiteErrors> load_site(const std::string& path);
std::expected<model::Model, SiteErrors> parse_site(std::string_view text, const std::string& name);

}  // namespace sekimori::importers
