#include "macs/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "macs/api_requests.h"

namespace sekimori::macs {
namespace {

// As long for every wrong token as for the right one, so that its time tells nothing of it.
bool is_same(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^
                  static_cast<unsigned char>(b[i % std::max<std::size_t>(1, b.size())]);
  return difference == 0;
}

bool has_token(const HttpRequest& request, const std::string& token) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string& field = request.field("authorization");
  if (field.size() < kScheme.size()) return false;
  const bool is_bearer = std::ranges::equal(kScheme, std::string_view(field).substr(0, kScheme.size()),
                                            [](char a, char b) { return a == (b | 0x20); });
  return is_bearer && !token.empty() && is_same(std::string_view(field).substr(kScheme.size()), token);
}

struct Found {
  const ApiRequest* request = nullptr;
  std::string allowed;  // methods of this path
};

Found find_request(const HttpRequest& request, std::string_view& rest) {
  Found found;
  for (const ApiRequest& r : api_requests()) {
    const bool is_prefix = r.path.ends_with('/');
    if (is_prefix ? !request.path.starts_with(r.path) || request.path.size() == r.path.size()
                  : request.path != r.path)
      continue;
    found.allowed += (found.allowed.empty() ? "" : ", ") + std::string(r.method);
    if (r.method != request.method) continue;
    found.request = &r;
    rest = std::string_view(request.path).substr(r.path.size());
  }
  return found;
}

}  // namespace

Api::Api(ApiOptions options, Committer& writer, Committer& readers)
    : options_(std::move(options)), writer_(writer), readers_(readers) {}

void Api::handle(HttpRequest request, HttpServer::Respond respond) {
  const auto began = std::chrono::steady_clock::now();
  std::string_view rest;
  const bool is_page = request.path == "/openapi.json" || request.path == "/metrics";
  const Found found = is_page ? Found{nullptr, "GET"} : find_request(request, rest);
  const std::string route = found.request != nullptr ? std::string(found.request->path)
                            : is_page                ? request.path
                                                     : "other";
  const auto finish = [this, respond = std::move(respond), route, began](HttpAnswer answer) {
    count(route, answer.status, std::chrono::steady_clock::now() - began);
    respond(std::move(answer));
  };

  if (!options_.hosts.empty() &&
      std::ranges::find(options_.hosts, request.field("host")) == options_.hosts.end())
    return finish(
        problem(421, "host", "Host is not this server's; without a token only its own address is answered."));
  if (found.allowed.empty())
    return finish(problem(404, "not-found",
                          fmt::format("There is no {}; /openapi.json tells what there is.", request.path)));
  if (found.request == nullptr && (!is_page || request.method != "GET")) {
    HttpAnswer answer = problem(405, "http", fmt::format("{} answers {} only.", request.path, found.allowed));
    answer.fields.emplace_back("Allow", found.allowed);
    return finish(std::move(answer));
  }
  // What tells nothing of anybody's addresses is open: load balancers look at it.
  const bool is_open = request.path == "/openapi.json" || request.path == "/v1/health";
  if (!is_open && !options_.token.empty() && !has_token(request, options_.token))
    return finish(problem(401, "token", "The token is missing or wrong: Authorization: Bearer TOKEN."));
  if (request.path == "/openapi.json") return finish({.body = std::string(openapi_json())});
  if (request.path == "/metrics") return finish({.body = metrics(), .type = "text/plain; version=0.0.4"});

  auto work = found.request->parse(request, rest, {options_.registry, options_.now()});
  if (!work) return finish(std::move(work.error()));
  const auto answer = std::make_shared<HttpAnswer>();
  Committer& lane = found.request->writes ? writer_ : readers_;
  lane.add({[answer, work = std::move(*work)](Registry& registry) { *answer = work(registry); },
            [answer, finish](const Outcome<void>& committed) {
              finish(committed ? std::move(*answer) : problem(committed.error()));
            }});
}

void Api::count(std::string_view route, int status, std::chrono::duration<double> took) {
  const std::lock_guard lock(mutex_);
  Counts& counts = counts_[{std::string(route), status}];
  ++counts.requests;
  counts.seconds += took.count();
}

// https://prometheus.io/docs/instrumenting/exposition_formats/
std::string Api::metrics() const {
  const Committer::Numbers writes = writer_.numbers(), reads = readers_.numbers();
  std::string text = fmt::format(
      "# HELP sekimori_mac_connections Connections that are open.\n"
      "# TYPE sekimori_mac_connections gauge\n"
      "sekimori_mac_connections {}\n"
      "# HELP sekimori_mac_waiting Requests that wait for the registry.\n"
      "# TYPE sekimori_mac_waiting gauge\n"
      "sekimori_mac_waiting {}\n"
      "# HELP sekimori_mac_commits_total Commits of changes.\n"
      "# TYPE sekimori_mac_commits_total counter\n"
      "sekimori_mac_commits_total {}\n"
      "# HELP sekimori_mac_changes_total Requests for changes in these commits.\n"
      "# TYPE sekimori_mac_changes_total counter\n"
      "sekimori_mac_changes_total {}\n",
      options_.connections ? options_.connections() : 0, writes.waiting + reads.waiting, writes.commits,
      writes.tasks);
  const std::lock_guard lock(mutex_);
  text +=
      "# HELP sekimori_mac_requests_total Requests that were answered.\n# TYPE sekimori_mac_requests_total "
      "counter\n";
  for (const auto& [key, counts] : counts_)
    text += fmt::format("sekimori_mac_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", key.first,
                        key.second, counts.requests);
  text +=
      "# HELP sekimori_mac_request_seconds_total Time that these requests took.\n"
      "# TYPE sekimori_mac_request_seconds_total counter\n";
  for (const auto& [key, counts] : counts_)
    text += fmt::format("sekimori_mac_request_seconds_total{{route=\"{}\",status=\"{}\"}} {:.6f}\n",
                        key.first, key.second, counts.seconds);
  return text;
}

}  // namespace sekimori::macs
