#include "macs/problem.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace sekimori::macs {

HttpAnswer problem(int status, std::string_view code, const std::string& detail) {
  const nlohmann::ordered_json json = {{"type", fmt::format("urn:sekimori:problem:{}", code)},
                                       {"title", reason_of(status)},
                                       {"status", status},
                                       {"detail", detail}};
  HttpAnswer answer{status, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
                    "application/problem+json"};
  if (status == 503) answer.fields.emplace_back("Retry-After", "1");
  if (status == 401) answer.fields.emplace_back("WWW-Authenticate", "Bearer");
  return answer;
}

HttpAnswer problem(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::kRefused:
      return problem(409, "refused", failure.what);
    case Failure::Kind::kDamaged:
      return problem(500, "damaged", failure.what);
    case Failure::Kind::kUnavailable:
      return problem(503, "unavailable", failure.what);
    case Failure::Kind::kUnknown:
      return problem(504, "unknown-outcome", failure.what);
  }
  return problem(500, "damaged", failure.what);
}

HttpAnswer problem(const HttpError& error) { return problem(error.status, "http", error.what); }

}  // namespace sekimori::macs
