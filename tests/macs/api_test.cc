// The registry served over HTTP: ten thousand requests at once, clients and servers killed, on a file and on
// etcd. history.h is the judge.
#include "tests/macs/api_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/macs/clients.h"

namespace sekimori::macs_tests {
namespace {

namespace fs = std::filesystem;

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() { fs::create_directory(logs_); }
  void begin(const std::string& registry) {
    registry_ = registry;
    must(must(macs::create_registry(registry_))
             ->add_pool(pool("p", "02:aa:00:00:00:00/24", macs::Policy::kRandom, 0)));
  }
  static Open client_of(const ApiServer& server) {
    return [port = server.port()]() -> Outcome<std::unique_ptr<Registry>> {
      return std::make_unique<ApiRegistry>(port);
    };
  }
  void judge(const History& history) const {
    EXPECT_EQ(history.wrongs(by_key(everything(*must(macs::open_registry(registry_))))), "");
  }

  Folder folder_;
  fs::path logs_ = folder_ / "logs";
  std::string registry_;
};

int connect_to(int port) {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("connect");
  return s;
}

// The body of an answer; the connection is then closed by the server.
std::string answer_of(int socket) {
  std::string text;
  char block[4096];
  for (ssize_t n = 0; (n = recv(socket, block, sizeof block, 0)) > 0;)
    text.append(block, static_cast<std::size_t>(n));
  close(socket);
  const std::size_t end = text.find("\r\n\r\n");
  return text.starts_with("HTTP/1.1 200 ") && end != std::string::npos ? text.substr(end + 4) : "";
}

// Ten thousand connections, each with a request under way before the first answer is looked at.
TEST_F(ApiTest, TenThousandRequestsAtOnce) {
  constexpr std::size_t kCount = 10'000;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::max<rlim_t>(files.rlim_cur, kCount + 200);
  files.rlim_max = std::max(files.rlim_max, files.rlim_cur);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0) << "needs as many descriptors";
  begin(folder_ / "macs.db");
  ApiServer server(registry_, kCount + 100);
  History history;
  std::vector<int> sockets(kCount);
  for (int& s : sockets) s = connect_to(server.port());
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::string name = "r" + std::to_string(i);
    const std::string text =
        "POST /v1/allocate HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
        "\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n"
        "Idempotency-Key: " +
        name + "\r\n\r\n{}";
    history.add(now_ns(), "ask " + name);
    ASSERT_EQ(send(sockets[i], text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto said = nlohmann::json::parse(answer_of(sockets[i]), nullptr, false);
    ASSERT_TRUE(said.is_object()) << "not answered";
    history.add(now_ns(), "got r" + std::to_string(i) + " " + said["allocated"][0]["mac"].get<std::string>());
  }
  EXPECT_EQ(history.holds.size(), kCount) << "all different";
  judge(history);
  // A commit waits for the disk once: what decides the rate on a slow one is how many it holds.
  EXPECT_GT(server.metric("sekimori_mac_changes_total"), 20 * server.metric("sekimori_mac_commits_total"));
  EXPECT_EQ(server.interrupt(), 0);
}

// Each client asks for one and waits for the answer, as managers do. On a disk that is waited for 500 times a
// second, two in a commit make 1000 a second.
TEST_F(ApiTest, OneByOneBySixtyFour) {
  begin(folder_ / "macs.db");
  ApiServer server(registry_);
  Clients clients;
  clients.start(64, client_of(server), logs_, {.requests = 40, .releases = true});
  EXPECT_EQ(clients.wait(), 0);
  const History history = History::read(logs_);
  EXPECT_EQ(history.granted, 64u * 40u);
  judge(history);
  EXPECT_GT(server.metric("sekimori_mac_changes_total"), 4 * server.metric("sekimori_mac_commits_total"));
}

// The server is killed and another comes; clients are killed, too. Whoever lives sends again what was not
// answered, under the same key.
TEST_F(ApiTest, ServersAndClientsAreKilled) {
  begin(folder_ / "macs.db");
  ApiServer server(registry_);
  base::Random random(sys::random_number());
  const Work work{.requests = 0, .most = 5, .releases = true, .lasts_s = 30};
  Clients clients;
  clients.start(16, client_of(server), logs_, work);
  for (int i = 0; i < 12; ++i) {
    usleep(static_cast<useconds_t>(30'000 + random.below(60'000)));
    if (i % 3 == 1) {
      server.kill_it();
      server.start();
    } else {
      clients.kill_one(random);
      clients.start(1, client_of(server), logs_, work);
    }
  }
  usleep(200'000);
  clients.kill_all();
  const History history = History::read(logs_);
  EXPECT_GT(history.granted, 100u);
  judge(history);
}

TEST_F(ApiTest, OnEtcd) {
  const EtcdCluster cluster(1);
  begin(cluster.url() + "/api");
  ApiServer server(registry_);
  Clients clients;
  clients.start(24, client_of(server), logs_, {.requests = 0, .most = 3, .releases = true, .lasts_s = 30});
  usleep(500'000);
  server.kill_it();
  server.start();
  usleep(700'000);
  clients.kill_all();
  const History history = History::read(logs_);
  EXPECT_GT(history.granted, 50u);
  judge(history);
}

}  // namespace
}  // namespace sekimori::macs_tests
