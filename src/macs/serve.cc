#include "macs/serve.h"

#include "macs/etcd_registry.h"

#include <fmt/format.h>

#include <utility>

namespace sekimori::macs {
namespace {

// A file has one writer at a time, whose commits hold as many requests as wait. etcd joins the requests of
// its clients by itself, so there each goes its own way.
constexpr std::size_t kTogether = 1000, kFileReaders = 2, kEtcdLanes = 16, kEtcdReaders = 4;

bool is_file(const std::string& registry) { return !is_etcd(registry); }

std::vector<std::string> hosts_of(const sys::TcpAddress& address) {
  std::vector<std::string> hosts{sys::to_text(address), fmt::format("localhost:{}", address.port)};
  if (address.port == 80) hosts.insert(hosts.end(), {address.host, "localhost"});
  return hosts;
}

ApiOptions api_options(const ServeOptions& options, const sys::TcpAddress& address,
                       std::function<std::size_t()> connections) {
  return {.registry = options.registry,
          .token = options.token,
          .hosts = options.token.empty() ? hosts_of(address) : std::vector<std::string>(),
          .now = options.now,
          .connections = std::move(connections)};
}

}  // namespace

MacService::MacService(const ServeOptions& options, HttpServer server)
    : server_(std::move(server)),
      api_(api_options(options, server_.address(), [this] { return server_.connections(); }), writer_,
           readers_),
      writer_(options.open, is_file(options.registry) ? 1 : kEtcdLanes,
              is_file(options.registry) ? kTogether : 1),
      readers_(options.open, is_file(options.registry) ? kFileReaders : kEtcdReaders, 1) {}

Outcome<std::unique_ptr<MacService>> MacService::begin(const ServeOptions& options) {
  using Kind = Failure::Kind;
  if (options.token.empty() && !options.listen.is_loopback())
    return failed(
        Kind::kRefused,
        fmt::format("{} can be reached from other machines, who could then take and release addresses: "
                    "give a --token-file, or listen on 127.0.0.1.",
                    sys::to_text(options.listen)));
  if (auto there = options.open(); !there) return std::unexpected(there.error());
  auto server = HttpServer::listen(options.listen, options.limits);
  if (!server) return failed(Kind::kUnavailable, server.error().what);
  return std::unique_ptr<MacService>(new MacService(options, std::move(*server)));
}

void MacService::run(const std::function<bool()>& stop) {
  server_.run([this](HttpRequest request,
                     HttpServer::Respond respond) { api_.handle(std::move(request), std::move(respond)); },
              stop);
}

}  // namespace sekimori::macs
