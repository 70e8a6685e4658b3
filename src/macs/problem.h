// Errors of the API as RFC 9457 has them: application/problem+json.
#pragma once

#include <string>
#include <string_view>

#include "macs/http.h"
#include "macs/registry.h"

namespace sekimori::macs {

// `code` names the kind of problem for programs: its type is urn:sekimori:problem:CODE.
HttpAnswer problem(int status, std::string_view code, const std::string& detail);
HttpAnswer problem(const Failure& failure);
HttpAnswer problem(const HttpError& error);  // what is wrong with the HTTP itself

}  // namespace sekimori::macs
