// What the tests of the structural rules share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario.h"

namespace sekimori::scenarios {

using findings::Code;
using findings::Finding;
using findings::Severity;

// The first finding of that code, if there is one.
inline std::optional<Finding> told(const model::Model& m, Code code) {
  for (Finding& f : check::structural(m)) {
    if (f.code == code) return std::move(f);
  }
  return std::nullopt;
}
inline std::optional<Finding> told(std::string_view yaml, Code code) { return told(site(yaml), code); }

inline std::size_t how_often(const model::Model& m, Code code) {
  const auto all = check::structural(m);
  return static_cast<std::size_t>(std::ranges::count(all, code, &Finding::code));
}

inline bool says(const Finding& f, std::string_view what) {
  return f.headline.contains(what) || f.cause.contains(what);
}

// A host with a bridge, and its guests; a switch and a desk.
inline std::string host(std::string_view bridge, std::string_view guests, std::string_view eth0 = "{}") {
  return fmt::format(R"(
hosts:
  h:
    nics: {{eth0: {}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0], {}}}}}
    guests: {{{}}}
  desk: {{nics: {{eth0: 10.0.0.200/24}}}}
switches: {{sw1: {{}}}}
links: [[h:eth0, sw1:1], [desk:eth0, sw1:2]]
)",
                     eth0, bridge, guests);
}

}  // namespace sekimori::scenarios
