// A whole diagnosis of arbitrary bytes taken for a capture: the observer, all detectors, and the evidence.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "watch/diagnose.h"

using namespace sekimori;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const wire::Bytes bytes(data, size);
  auto reader = wire::CaptureReader::open(wire::memory_source(bytes), "fuzz");
  if (!reader) return 0;
  watch::Options options;
  options.limits.stations = 64;  // small, so that full tables are met
  options.limits.pairs = 64;
  options.limits.bindings = 16;
  options.limits.scopes = 8;
  const findings::Report report = watch::diagnose(*reader, options);
  for (const findings::Finding& finding : report.findings) SEKIMORI_ASSERT(!finding.headline.empty());
  auto again = wire::CaptureReader::open(wire::memory_source(bytes), "fuzz");
  std::string evidence;
  SEKIMORI_ASSERT(watch::write_evidence(*again, report, wire::string_sink(evidence)).has_value());
  return 0;
}
