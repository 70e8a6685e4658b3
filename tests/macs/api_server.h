// The registry served over HTTP by a process of its own, and a client of it that is a registry to the tests.
#pragma once

#include <httplib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "macs/etcd_registry.h"
#include "macs/serve.h"
#include "sys/signals.h"
#include "tests/macs/etcd_server.h"
#include "tests/macs/history.h"

namespace sekimori::macs_tests {

class ApiServer {
 public:
  explicit ApiServer(std::string registry, std::size_t connections = 1000)
      : registry_(std::move(registry)), connections_(connections), port_(free_ports(1)[0]) {
    start();
  }
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;
  ~ApiServer() { kill_it(); }

  int port() const { return port_; }
  pid_t pid() const { return pid_; }

  void start() {
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      sys::catch_interrupts();
      macs::ServerLimits limits;
      limits.connections = connections_;
      auto service =
          macs::MacService::begin({.registry = registry_,
                                   .open = [where = registry_] { return macs::open_registry(where); },
                                   .listen = {"127.0.0.1", port_},
                                   .token = "",
                                   .now = [] { return macs::Seconds{1000}; },
                                   .limits = limits});
      if (service) (*service)->run(sys::interrupted);
      _exit(service ? 0 : 1);
    }
    httplib::Client client("127.0.0.1", port_);
    for (int i = 0; i < 200; ++i) {
      if (client.Get("/v1/health")) return;
      usleep(20'000);
    }
    throw std::runtime_error("the server does not start");
  }
  void kill_it() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // Its exit code after Ctrl-C.
  int interrupt() {
    kill(pid_, SIGINT);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // A value of /metrics.
  double metric(const std::string& name) const {
    const auto answer = httplib::Client("127.0.0.1", port_).Get("/metrics");
    const std::size_t at = answer ? answer->body.find("\n" + name + " ") : std::string::npos;
    return at == std::string::npos ? -1 : std::stod(answer->body.substr(at + name.size() + 2));
  }

 private:
  std::string registry_;
  std::size_t connections_;
  int port_;
  pid_t pid_ = -1;
};

// Allocates and releases through the API, and sends an allocation again, under the same key, until it is
// answered: also over another server's life.
class ApiRegistry final : public macs::Registry {
 public:
  explicit ApiRegistry(int port) : client_("127.0.0.1", port) {
    client_.set_keep_alive(true);
    client_.set_tcp_nodelay(true);
    client_.set_read_timeout(std::chrono::seconds(30));
  }

  Outcome<std::vector<macs::Grant>> allocate(const macs::Request& request) override {
    nlohmann::json body = {{"count", request.count}};
    for (const macs::Owner& owner : request.owners) body["owners"].push_back(to_text(owner));
    for (int attempt = 0; attempt < 400; ++attempt) {
      const auto answer =
          client_.Post("/v1/allocate", {{"Idempotency-Key", request.token}}, body.dump(), "application/json");
      if (!answer || answer->status >= 500) {
        usleep(20'000);
        continue;
      }
      if (answer->status != 200) return macs::failed(macs::Failure::Kind::kRefused, answer->body);
      std::vector<macs::Grant> grants;
      const auto said = nlohmann::json::parse(answer->body);
      for (const auto& grant : said["allocated"])
        grants.push_back({*wire::parse_mac(grant["mac"].get<std::string>()), {}, grant["was_there"]});
      return grants;
    }
    return macs::failed(macs::Failure::Kind::kUnknown, "no answer");
  }
  // Once: with a quarantine of nothing, the address may be another's when it is sent again.
  Outcome<void> release(std::span<const macs::Mac> macs, macs::Seconds /*now*/) override {
    nlohmann::json body;
    for (const macs::Mac mac : macs) body["macs"].push_back(wire::to_text(mac));
    const auto answer = client_.Post("/v1/release", body.dump(), "application/json");
    if (!answer) return macs::failed(macs::Failure::Kind::kUnknown, "no answer");
    if (answer->status != 200) return macs::failed(macs::Failure::Kind::kRefused, answer->body);
    return {};
  }

  Outcome<std::vector<macs::Pool>> pools() override { return std::vector<macs::Pool>(); }
  Outcome<void> add_pool(const macs::Pool& /*pool*/) override { return {}; }
  Outcome<void> remove_pool(std::string_view /*name*/) override { return {}; }
  Outcome<void> reserve(std::span<const Entry> /*entries*/) override { return {}; }
  Outcome<void> renew(std::span<const macs::Mac> /*macs*/, macs::Seconds /*lease*/,
                      macs::Seconds /*now*/) override {
    return {};
  }
  Outcome<std::optional<Entry>> lookup(macs::Mac /*mac*/) override { return std::optional<Entry>(); }
  Outcome<void> follow(const macs::Filter& /*filter*/,
                       const std::function<void(const macs::Change&)>& /*each*/,
                       const std::function<bool()>& /*stop*/) override {
    return {};
  }
  Outcome<void> list(const macs::Filter& /*filter*/,
                     const std::function<void(const Entry&)>& /*each*/) override {
    return {};
  }

 private:
  httplib::Client client_;
};

// What is in the registry, each entry named by the key of the request that made it.
inline std::vector<Entry> by_key(std::vector<Entry> entries) {
  for (Entry& entry : entries) entry.token.resize(std::min(entry.token.size(), entry.token.find(':')));
  return entries;
}

}  // namespace sekimori::macs_tests
