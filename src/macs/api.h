// The registry over HTTP, for managers that are no command line: docs/macs-api.openapi.json describes it, and
// is served at /openapi.json.
//
// Here a request becomes work for a Committer, and its outcome an answer. What is wrong with the request
// itself is said at once; the rest waits for its commit.
//
// A server on a loopback address may do without a token, since who can reach it can read the file as well.
// But browsers on this machine reach it, too, with pages from anywhere: so a body must be JSON (a page from
// elsewhere can't send that without asking first, Fetch standard section 4.8), and Host must name this server
// (else a page's own name could be made to point here).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "macs/committer.h"
#include "macs/http_server.h"
#include "macs/problem.h"

namespace sekimori::macs {

struct ApiOptions {
  std::string registry;            // its name, in findings
  std::string token;               // empty: none is asked for
  std::vector<std::string> hosts;  // what Host may say when there is no token; empty: anything
  std::function<Seconds()> now;
  std::function<std::size_t()> connections;  // for /metrics
};

class Api {
 public:
  // `readers` don't wait for commits.
  Api(ApiOptions options, Committer& writer, Committer& readers);

  void handle(HttpRequest request, HttpServer::Respond respond);

 private:
  struct Counts {
    std::uint64_t requests = 0;
    double seconds = 0;
  };
  std::string metrics() const;
  void count(std::string_view route, int status, std::chrono::duration<double> took);

  ApiOptions options_;
  Committer& writer_;
  Committer& readers_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, Counts> counts_;  // by route and status
};

// The description, as it is served.
std::string_view openapi_json();

}  // namespace sekimori::macs
