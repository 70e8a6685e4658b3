// The requests of the API, one function each: the request in, the work in the registry out, or what is wrong
// with it.
#pragma once

#include <expected>
#include <functional>
#include <span>
#include <string_view>

#include "macs/http.h"
#include "macs/registry.h"

namespace sekimori::macs {

using Work = std::function<HttpAnswer(Registry&)>;
struct ApiContext {
  std::string registry;  // its name
  Seconds now = 0;
};

struct ApiRequest {
  std::string_view method;
  std::string_view path;  // one that ends with a slash is followed by an address
  bool writes;
  std::expected<Work, HttpAnswer> (*parse)(const HttpRequest& request, std::string_view rest,
                                           const ApiContext& context);
};
std::span<const ApiRequest> api_requests();

}  // namespace sekimori::macs
