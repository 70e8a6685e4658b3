// Every importer, the merge and the writer: whatever comes in, the site that comes out loads.
//
// The input is cut at lines that hold only "=== NAME" into sources, so that one input can be a folder.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "importers/draft.h"
#include "importers/site.h"
#include "importers/sources.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekimori::importers;
  std::vector<SourceText> sources{{"host/input", {}}};
  std::string_view text(reinterpret_cast<const char*>(data), size);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    if (line.starts_with("=== ")) {
      sources.push_back({std::string(line.substr(4, line.find('\n') - 4)), {}});
    } else {
      sources.back().text += line;
    }
    text.remove_prefix(end);
  }
  Facts facts = read_sources(sources, {});
  const Draft draft = merge(facts);
  for (const Omission& omission : facts.left_out) facts.text(omission.place);  // every place is one
  if (draft.machines.empty() && draft.gear.empty()) return 0;
  const auto site = parse_site(write_site(draft), "imported");
  if (!site) {
    std::fputs(site.error().text(3).c_str(), stderr);
    std::abort();
  }
  return 0;
}
