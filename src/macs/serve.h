// The registry served over HTTP: a server, its API, and the threads that commit.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "macs/api.h"
#include "macs/committer.h"
#include "macs/http_server.h"

namespace sekimori::macs {

struct ServeOptions {
  std::string registry;  // a file or etcd://...
  Committer::Open open;  // opens it
  sys::TcpAddress listen;
  std::string token;  // empty: none is asked for, and only loopback is listened on
  std::function<Seconds()> now;
  ServerLimits limits{};
};

class MacService {
 public:
  // Opens the registry once, to see that it is there.
  static Outcome<std::unique_ptr<MacService>> begin(const ServeOptions& options);

  const sys::TcpAddress& address() const { return server_.address(); }
  // Until `stop` is true and what had begun is finished.
  void run(const std::function<bool()>& stop);

 private:
  MacService(const ServeOptions& options, HttpServer server);
  HttpServer server_;
  Api api_;  // outlives the threads below, which report to it
  Committer writer_, readers_;
};

}  // namespace sekimori::macs
