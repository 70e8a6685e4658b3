// The API on a registry in a file, asked over real connections.
#include "macs/serve.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "macs/sqlite_registry.h"
#include "sys/entropy.h"

namespace sekimori::macs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class ServeTest : public testing::Test {
 protected:
  ServeTest() : folder_(fs::temp_directory_path() / ("sekimori-serve-" + sys::random_token())) {
    fs::create_directory(folder_);
    auto registry = create_sqlite_registry(path());
    if (!registry ||
        !(*registry)->add_pool({"p", *parse_pool_range("02:aa:00:00:00:00/24"), Policy::kSequence, 100}))
      throw std::runtime_error("no registry");
  }
  ~ServeTest() override {
    stop();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::string path() const { return (folder_ / "macs.db").string(); }

  void start(const std::string& token = "", const ServerLimits& limits = {}) {
    stop_ = false;
    auto service = MacService::begin({.registry = path(),
                                      .open = [where = path()] { return open_sqlite_registry(where); },
                                      .listen = {"127.0.0.1", 0},
                                      .token = token,
                                      .now = [this] { return now_.load(); },
                                      .limits = limits});
    if (!service) throw std::runtime_error(service.error().what);
    service_ = std::move(*service);
    port_ = service_->address().port;
    thread_ = std::thread([this] { service_->run([this] { return stop_.load(); }); });
  }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    service_.reset();
  }

  std::unique_ptr<httplib::Client> client() const {
    auto client = std::make_unique<httplib::Client>("127.0.0.1", port_);
    client->set_keep_alive(true);
    client->set_tcp_nodelay(true);
    return client;
  }
  struct Said {
    int status;
    Json json;
  };
  Said get(const std::string& where, const httplib::Headers& fields = {}) const {
    return said(client()->Get(where, fields));
  }
  Said post(const std::string& where, const Json& body, httplib::Headers fields = {}) const {
    return said(client()->Post(where, fields, body.dump(), "application/json"));
  }
  static Said said(const httplib::Result& result) {
    if (!result) return {0, httplib::to_string(result.error())};
    const bool is_problem = result->get_header_value("Content-Type") == "application/problem+json";
    EXPECT_EQ(is_problem, result->status != 200) << result->body;
    Json json = Json::parse(result->body, nullptr, false);
    if (is_problem) {
      EXPECT_EQ(json.value("status", 0), result->status);
    }
    return {result->status, json.is_discarded() ? Json(result->body) : json};
  }
  void expect_problem(const Said& said, int status, std::string_view says) const {
    EXPECT_EQ(said.status, status) << said.json;
    EXPECT_TRUE(said.json.value("detail", "").contains(says)) << said.json;
  }

  fs::path folder_;
  std::atomic<Seconds> now_ = 1000;
  std::atomic<bool> stop_ = false;
  std::unique_ptr<MacService> service_;
  std::thread thread_;
  int port_ = 0;
};

TEST_F(ServeTest, ALifeOfAnAddress) {
  start();
  const auto given = post("/v1/allocate", {{"owners", {"vc1/vm-7/net0", "vc1/vm-7/net1"}}, {"lease", 60}});
  ASSERT_EQ(given.status, 200) << given.json;
  EXPECT_EQ(given.json["allocated"][0],
            (Json{{"mac", "02:aa:00:00:00:00"}, {"owner", "vc1/vm-7/net0"}, {"was_there", false}}));
  EXPECT_EQ(
      post("/v1/allocate", {{"owners", {"vc1/vm-7/net1"}}, {"lease", 60}}).json["allocated"][0]["was_there"],
      true);
  EXPECT_EQ(get("/v1/macs/02aa.0000.0000").json["until"], 1060);
  EXPECT_EQ(post("/v1/renew", {{"macs", {"02:aa:00:00:00:00"}}, {"lease", 500}}).json["renewed"], 1);
  EXPECT_EQ(get("/v1/macs/02:aa:00:00:00:00").json["until"], 1500);
  expect_problem(get("/v1/macs/02:aa:00:00:00:09"), 404, "not in the registry");

  EXPECT_EQ(post("/v1/reserve", {{"entries", {{{"mac", "02:aa:00:00:00:02"}, {"note", "printer"}}}}})
                .json["reserved"],
            1);
  expect_problem(post("/v1/reserve", {{"entries", {{{"mac", "02:aa:00:00:00:02"}}}}}), 409, "printer");
  EXPECT_EQ(post("/v1/allocate", Json::object()).json["allocated"][0]["mac"], "02:aa:00:00:00:03");

  const auto page = get("/v1/macs?limit=2");
  EXPECT_EQ(page.json["entries"].size(), 2u);
  EXPECT_EQ(page.json["next"], "02:aa:00:00:00:01");
  const auto rest = get("/v1/macs?limit=3&after=02:aa:00:00:00:01");
  EXPECT_EQ(rest.json["entries"].size(), 2u);
  EXPECT_FALSE(rest.json.contains("next"));
  EXPECT_EQ(get("/v1/macs?owner=vc1/vm-7&state=allocated").json["entries"].size(), 2u);
  EXPECT_EQ(get("/v1/pools").json["pools"][0]["used"], 4);

  expect_problem(post("/v1/release", {{"macs", {"02:aa:00:00:00:00"}}, {"owner", "vc1/vm-8"}}), 409,
                 "not for vc1/vm-8");
  const auto released = post("/v1/release", {{"owner", "vc1/vm-7"}});
  EXPECT_EQ(released.json["released"].size(), 2u) << released.json;
  const auto again = post("/v1/release", {{"macs", {"02:aa:00:00:00:00"}}, {"owner", "vc1/vm-7"}});
  EXPECT_EQ(again.json["released"].size(), 0u) << again.json;
  EXPECT_EQ(again.json["released_before"].size(), 1u);
  EXPECT_EQ(post("/v1/release", {{"owner", "vc1/vm-7"}}).json["released"].size(), 0u);
  EXPECT_EQ(get("/v1/health").json["status"], "ok");
}

TEST_F(ServeTest, Checks) {
  start();
  const auto given = post("/v1/allocate", {{"owners", {"vc1/vm-7/net0"}}});
  const std::string mac = given.json["allocated"][0]["mac"];
  EXPECT_EQ(get("/v1/check/" + mac + "?owner=vc1/vm-7/net0").json["usable"], true);
  const auto other = get("/v1/check/" + mac + "?owner=vc2/vm-9/net0").json;
  EXPECT_EQ(other["usable"], false);
  EXPECT_EQ(other["findings"][0]["code"], "mac-duplicate-latent");
  EXPECT_EQ(get("/v1/check/" + mac).json["usable"], false);
  EXPECT_EQ(get("/v1/check/01:00:5e:00:00:01").json["findings"][0]["code"], "mac-invalid");
  EXPECT_EQ(get("/v1/check/52:54:00:12:34:56").json["findings"][0]["code"], "mac-well-known");
  EXPECT_EQ(get("/v1/check/02:aa:00:00:00:77").json["findings"][0]["code"], "mac-pool-overlap");
  EXPECT_EQ(get("/v1/check/06:00:00:00:00:77").json["usable"], true);
  EXPECT_EQ(get("/v1/check/00:00:5e:00:01:01").json["usable"], false);
}

TEST_F(ServeTest, ARequestSentAgainIsDoneOnce) {
  start();
  const httplib::Headers key{{"Idempotency-Key", "build-7"}};
  const auto first = post("/v1/allocate", {{"count", 3}}, key);
  ASSERT_EQ(first.status, 200) << first.json;
  EXPECT_EQ(post("/v1/allocate", {{"count", 3}}, key).json, first.json);
  stop();
  start();  // it is in the registry, not in the server
  EXPECT_EQ(post("/v1/allocate", {{"count", 3}}, key).json, first.json);
  expect_problem(post("/v1/allocate", {{"count", 4}}, key), 409, "needs a new key");
  EXPECT_EQ(get("/v1/macs").json["entries"].size(), 3u);

  // What was released may be another's by now.
  EXPECT_EQ(post("/v1/release", {{"macs", {first.json["allocated"][1]["mac"]}}}).status, 200);
  expect_problem(post("/v1/allocate", {{"count", 3}}, key), 409, "released since");
  now_ += kKeyKept + 1;
  EXPECT_EQ(post("/v1/allocate", {{"count", 3}}, key).status, 200) << "it is forgotten after a day";
  EXPECT_EQ(get("/v1/macs?state=allocated").json["entries"].size(), 5u);

  const Json entries = {{"entries", {{{"mac", "06:00:00:00:00:01"}}, {{"mac", "06:00:00:00:00:02"}}}}};
  EXPECT_EQ(post("/v1/reserve", entries, key).status, 200);
  EXPECT_EQ(post("/v1/reserve", entries, key).status, 200);
  expect_problem(post("/v1/reserve", entries, {{"Idempotency-Key", "other"}}), 409, "reserved");
}

// The same request on many connections at the same moment.
TEST_F(ServeTest, OneKeyAtOnce) {
  start();
  std::vector<std::thread> threads;
  std::vector<Json> answers(16);
  for (Json& answer : answers)
    threads.emplace_back(
        [&] { answer = post("/v1/allocate", {{"count", 2}}, {{"Idempotency-Key", "k"}}).json; });
  for (std::thread& thread : threads) thread.join();
  for (const Json& answer : answers) EXPECT_EQ(answer, answers[0]);
  EXPECT_EQ(get("/v1/macs").json["entries"].size(), 2u);
}

TEST_F(ServeTest, BadRequests) {
  start();
  expect_problem(post("/v1/allocate", {{"cuont", 3}}), 400, "did you mean count?");
  expect_problem(post("/v1/allocate", {{"count", 0}}), 400, "count must be");
  expect_problem(post("/v1/allocate", {{"count", -1}}), 400, "count must be");
  expect_problem(post("/v1/allocate", {{"count", 1.5}}), 400, "count must be");
  expect_problem(post("/v1/allocate", {{"count", 1'000'000}}), 400, "count must be");
  expect_problem(post("/v1/allocate", {{"owners", {"vm-7"}}}), 400, "owners[0]");
  expect_problem(post("/v1/allocate", {{"owners", {7}}}), 400, "owners[0]");
  expect_problem(post("/v1/allocate", {{"owners", {"a/b/c", "a/b/c"}}}), 409, "twice");
  expect_problem(post("/v1/allocate", {{"policy", "luck"}}), 400, "policy");
  expect_problem(post("/v1/allocate", {{"pool", "q"}}), 409, "no pool q");
  expect_problem(post("/v1/allocate", Json::array()), 400, "object");
  expect_problem(post("/v1/allocate", Json::object(), {{"Idempotency-Key", "a b"}}), 400, "Idempotency-Key");
  expect_problem(post("/v1/reserve", Json::object()), 400, "entries is missing");
  expect_problem(post("/v1/reserve", {{"entries", {{{"mac", "x"}}}}}), 400, "entries[0].mac");
  expect_problem(post("/v1/reserve", {{"entries", {{{"note", "x"}}}}}), 400, "entries[0].mac");
  expect_problem(post("/v1/release", Json::object()), 400, "must be there");
  expect_problem(post("/v1/release", {{"owner", "vc1"}}), 400, "MANAGER/MACHINE");
  expect_problem(post("/v1/renew", {{"lease", 1}}), 400, "macs is missing");
  expect_problem(get("/v1/macs?limit=0"), 400, "limit");
  expect_problem(get("/v1/macs?stat=freed"), 400, "did you mean state?");
  expect_problem(get("/v1/macs/"), 404, "openapi");
  expect_problem(get("/v1/macs/nobody"), 400, "no MAC address");
  expect_problem(get("/"), 404, "/openapi.json");
  expect_problem(get("/v1/allocate"), 405, "POST");
  expect_problem(said(client()->Post("/v1/pools", "{}", "application/json")), 405, "GET");
  expect_problem(said(client()->Post("/v1/allocate", "{}", "text/plain")), 415, "application/json");
  expect_problem(said(client()->Post("/v1/allocate", "{", "application/json")), 400, "no JSON");
  expect_problem(said(client()->Post("/v1/allocate", std::string(500'000, '['), "application/json")), 400,
                 "no JSON");
  expect_problem(said(client()->Post("/v1/allocate", std::string(2'000'000, ' '), "application/json")), 413,
                 "1048576");
  expect_problem(get("/v1/pools", {{"Host", "evil.example"}}), 421, "Host");
  EXPECT_TRUE(get("/v1/macs").json["entries"].empty()) << "something was done";
}

TEST_F(ServeTest, Token) {
  start("a-very-secret-token");
  expect_problem(get("/v1/pools"), 401, "Bearer");
  expect_problem(get("/v1/pools", {{"Authorization", "Bearer a-very-secret-tokem"}}), 401, "Bearer");
  expect_problem(get("/v1/pools", {{"Authorization", "Bearer "}}), 401, "Bearer");
  expect_problem(get("/v1/pools", {{"Authorization", "a-very-secret-token"}}), 401, "Bearer");
  expect_problem(get("/metrics"), 401, "Bearer");
  EXPECT_EQ(get("/v1/pools", {{"Authorization", "Bearer a-very-secret-token"}}).status, 200);
  EXPECT_EQ(get("/v1/health").status, 200);
  EXPECT_EQ(get("/openapi.json").status, 200);
  EXPECT_FALSE(MacService::begin({.registry = path(),
                                  .open = [where = path()] { return open_sqlite_registry(where); },
                                  .listen = {"0.0.0.0", 0},
                                  .token = "",
                                  .now = {}}));
}

// The file is removed, or another comes in its place: nothing may be given that others will not see.
TEST_F(ServeTest, TheFileIsReplaced) {
  start();
  EXPECT_EQ(post("/v1/allocate", Json::object()).status, 200);
  fs::rename(path(), folder_ / "kept");
  fs::rename(path() + "-wal", folder_ / "kept-wal");
  fs::remove(path() + "-shm");
  expect_problem(post("/v1/allocate", Json::object()), 500, "removed or replaced");
  expect_problem(post("/v1/allocate", Json::object()), 500, "no such registry");
  expect_problem(get("/v1/health"), 500, "re");
  fs::rename(folder_ / "kept-wal", path() + "-wal");
  fs::rename(folder_ / "kept", path());
  EXPECT_EQ(post("/v1/allocate", Json::object()).status, 200) << "it is there again";
  EXPECT_EQ(get("/v1/macs").json["entries"].size(), 2u);
}

// ---------------------------------------------------------------- connections

// A byte now and then does not keep a connection, nor does silence.
TEST_F(ServeTest, SlowOnesAndSilentOnesAreClosed) {
  ServerLimits limits;
  limits.request = std::chrono::milliseconds(300);
  limits.idle = std::chrono::milliseconds(300);
  start("", limits);
  const auto silent = client();
  EXPECT_EQ(said(silent->Get("/v1/health")).status, 200);
  const auto drip = [](std::size_t, std::size_t, httplib::DataSink& sink) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    sink.write(" ", 1);
    return true;
  };
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(client()->Post("/v1/allocate", 100, drip, "application/json"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4)) << "100 bytes would take five";
  EXPECT_TRUE(get("/metrics").json.get<std::string>().contains("sekimori_mac_connections 1\n"));
}

TEST_F(ServeTest, TooManyAreTold) {
  ServerLimits limits;
  limits.connections = 2;
  start("", limits);
  const auto a = client(), b = client();
  EXPECT_EQ(said(a->Get("/v1/health")).status, 200);
  EXPECT_EQ(said(b->Get("/v1/health")).status, 200);
  expect_problem(get("/v1/health"), 503, "connections");
  EXPECT_EQ(said(a->Get("/v1/health")).status, 200);
}

// Stopping ends idle connections at once, and what has begun is answered.
TEST_F(ServeTest, StopsCleanly) {
  start();
  const auto idle = client();
  EXPECT_EQ(said(idle->Get("/v1/health")).status, 200);
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto c = client();
      for (;;) {
        const auto result = c->Post("/v1/allocate", "{}", "application/json");
        if (!result) return;
        answered += result->status == 200 ? 1 : 0;
      }
    });
  }
  while (answered < 50) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto began = std::chrono::steady_clock::now();
  stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
  for (std::thread& thread : threads) thread.join();
  std::size_t there = 0;
  ASSERT_TRUE((*open_sqlite_registry(path()))->list({}, [&](const Entry&) { ++there; }));
  EXPECT_EQ(there, static_cast<std::size_t>(answered)) << "what was done was answered, and nothing else";
}

}  // namespace
}  // namespace sekimori::macs
