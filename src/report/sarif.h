// The report as SARIF 2.1.0 (OASIS), which code-scanning services and editors show beside the site file.
//
// What they follow a finding by is its fingerprint; GitHub looks for it under the name that is meant for
// hashes of lines. What a baseline accepts stays in the list, as suppressed: services take a result that
// disappears for repaired. Entries of a baseline that match nothing are notifications, since a viewer that
// does not know the state "absent" would show them as open.
#pragma once

#include <string>
#include <string_view>

#include "findings/finding.h"

namespace sekimori::report {

// `version` is the program's. Safe to print, as json() is.
std::string sarif(const findings::Report& report, std::string_view version);

}  // namespace sekimori::report
