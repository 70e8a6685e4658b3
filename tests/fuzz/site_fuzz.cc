// Any text as a site file: it becomes a sound model, or errors that can be told.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "importers/site.h"

// libfyaml 0.7 itself forgets some memory when it refuses a file.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfyaml"; }  // NOLINT: a fixed name

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto model = sekimori::importers::parse_site(text, "fuzz.yaml");
  if (!model) SEKIMORI_ASSERT(!model.error().text().empty());
  return 0;
}
