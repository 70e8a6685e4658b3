// Any text as a baseline: what it accepts holds against a report, or the error says where it is wrong.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "report/baseline.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sekimori;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entries = report::parse_baseline(text, "fuzz.baseline");
  if (!entries) {
    SEKIMORI_ASSERT(entries.error().what.starts_with("fuzz.baseline"));
    return 0;
  }
  findings::Report report;
  report.findings.emplace_back().fingerprint = entries->empty() ? 1 : entries->front().fingerprint;
  report::apply_baseline("fuzz.baseline", *entries, report);
  SEKIMORI_ASSERT(report.baseline.has_value());
  // Written out again, it reads as one.
  SEKIMORI_ASSERT(report::parse_baseline(report::baseline_text(report, *entries), "again").has_value());
  return 0;
}
