#include "cli/import.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/output.h"
#include "cli/sources.h"

namespace sekimori::cli {
namespace {

Step<int> import_and_tell(const ImportArguments& arguments) {
  const auto imported = import_all(arguments.sources, arguments.format);
  if (!imported) return std::unexpected(imported.error());
  if (auto done = print(imported->site); !done) return std::unexpected(done.error());
  constexpr std::size_t kShown = 50;
  const std::size_t all = imported->left_out.size();
  const std::size_t shown = arguments.verbose ? all : std::min(all, kShown);
  for (std::size_t i = 0; i < shown; ++i) complain("left out: " + imported->left_out[i]);
  const std::size_t more = all - shown + imported->left_out_more;
  if (more > 0)
    complain(fmt::format("left out: {} more{}", more, arguments.verbose ? "" : "; --verbose lists them"));
  return all == 0 ? kClean : kFindings;
}

}  // namespace

int import(const ImportArguments& arguments) {
  const auto exit = import_and_tell(arguments);
  return exit ? *exit : complain(exit.error());
}

}  // namespace sekimori::cli
