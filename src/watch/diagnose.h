// A capture's diagnosis, from the first frame to the report.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "findings/finding.h"
#include "watch/observations.h"
#include "watch/place.h"
#include "watch/site.h"
#include "wire/byte_sink.h"
#include "wire/capture_reader.h"

namespace sekimori::watch {

struct Options {
  std::optional<Place> at;  // where the capture was taken; none: inferred
  Declared site;            // what is declared, if anything is, and at which port of it the capture was taken
  Limits limits;
  unsigned threads = 1;  // two at most are used: one reads, one looks. The answer does not depend on it
  // Called now and then with the frames read so far; false ends the reading.
  std::function<bool(std::uint64_t frames)> progress;
};

// All frames of `reader` (or those before it can't go on, or progress() ends it), and what they show. The
// reader's problem, if any, is a remark of the report.
findings::Report diagnose(wire::CaptureReader& reader, const Options& options);

// The same of observations that are there already.
findings::Report report_of(const Observations& observations, std::optional<Place> at,
                           const Declared& site = {});

// The evidence frames of a report, copied out of the same capture read anew, each with what it shows as its
// comment.
base::Result<void> write_evidence(wire::CaptureReader& reader, const findings::Report& report,
                                  wire::ByteSink sink);

}  // namespace sekimori::watch
