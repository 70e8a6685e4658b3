// A registry in etcd: clients killed, the server killed and started again, the leader of three lost.
// history.h is the judge.
#include "tests/macs/etcd_server.h"

#include <gtest/gtest.h>

#include <httplib.h>

#include "macs/etcd_registry.h"
#include "tests/macs/clients.h"

namespace sekimori::macs_tests {
namespace {

namespace fs = std::filesystem;
using macs::Failure;

class EtcdTest : public ::testing::Test {
 protected:
  EtcdTest() { fs::create_directory(logs_); }

  void begin(const EtcdCluster& cluster) {
    url_ = cluster.url() + "/test";
    must(must(macs::create_etcd_registry(url_))
             ->add_pool(pool("p", "02:aa:00:00:00:00/24", macs::Policy::kRandom, 0)));
  }
  Open open() const {
    return [url = url_] { return macs::open_etcd_registry(url); };
  }
  History judge() {
    const History history = History::read(logs_);
    EXPECT_EQ(history.wrongs(everything(*must(macs::open_etcd_registry(url_)))), "");
    return history;
  }

  Folder folder_;
  fs::path logs_ = folder_ / "logs";
  std::string url_;
};

TEST_F(EtcdTest, SixtyFourClientsAtOnce) {
  EtcdCluster cluster(1);
  begin(cluster);
  Clients clients;
  clients.start(64, open(), logs_, {.requests = 16, .releases = true});
  EXPECT_EQ(clients.wait(), 0);
  const History history = judge();
  EXPECT_EQ(history.granted, 64u * 16u);
}

TEST_F(EtcdTest, AnOwnerOfAllGetsOneAddress) {
  EtcdCluster cluster(1);
  begin(cluster);
  Clients clients;
  clients.start(16, open(), logs_, {.requests = 30, .owners = true});
  EXPECT_EQ(clients.wait(), 0);
  std::map<macs::Owner, int> owners;
  for (const Entry& entry : everything(*must(macs::open_etcd_registry(url_)))) ++owners[entry.owner];
  EXPECT_EQ(owners.size(), 50u);
  for (const auto& [owner, count] : owners) EXPECT_EQ(count, 1) << to_text(owner);
  EXPECT_EQ(History::read(logs_).holds.size(), 50u);
}

TEST_F(EtcdTest, ClientsAreKilledAndTheServerStartsAgain) {
  EtcdCluster cluster(1);
  begin(cluster);
  base::Random random(sys::random_number());
  const Work work{.requests = 0, .most = 5, .releases = true, .lasts_s = 60};
  Clients clients;
  clients.start(12, open(), logs_, work);
  for (int i = 0; i < 40; ++i) {
    usleep(40'000);
    clients.kill_one(random);
    clients.start(1, open(), logs_, work);
    if (i % 15 == 10) {
      cluster.kill_member(0);
      usleep(200'000);
      cluster.start(0);
    }
  }
  EXPECT_TRUE(cluster.serves());
  usleep(500'000);
  clients.kill_all();
  EXPECT_GT(judge().granted, 50u);
}

// Whoever is the leader is killed in turn: each of the three once, with -9, and comes back.
TEST_F(EtcdTest, TheLeaderOfThreeIsLost) {
  EtcdCluster cluster(3);
  begin(cluster);
  Clients clients;
  clients.start(12, open(), logs_, {.requests = 0, .most = 3, .releases = true, .lasts_s = 90});
  for (std::size_t member = 0; member < cluster.size(); ++member) {
    usleep(300'000);
    cluster.kill_member(member);
    EXPECT_TRUE(cluster.serves()) << "two of three elect a leader";
    usleep(500'000);
    cluster.start(member);
    EXPECT_TRUE(cluster.serves());
    usleep(500'000);
  }
  const std::size_t before = History::read(logs_).granted;
  for (int i = 0; i < 50 && History::read(logs_).granted <= before + 20; ++i) usleep(100'000);
  clients.kill_all();
  const History history = judge();
  EXPECT_GT(history.granted, before) << "nothing went on after the last loss";
}

TEST_F(EtcdTest, WithoutAMajorityNothingIsHandedOut) {
  EtcdCluster cluster(3);
  begin(cluster);
  auto registry = must(macs::open_etcd_registry(url_, {}, 800));
  must(registry->allocate({.count = 1, .token = "a"}));
  cluster.kill_member(0);
  cluster.kill_member(1);
  const auto none = registry->allocate({.count = 1, .token = "b"});
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().kind == Failure::Kind::kUnavailable ||
              none.error().kind == Failure::Kind::kUnknown);
  cluster.start(0);
  const auto some = must(macs::open_etcd_registry(url_))->allocate({.count = 1, .token = "c"});
  EXPECT_TRUE(some) << some.error().what;
}

TEST_F(EtcdTest, OtherVersionsAndStrangersAreLeftAlone) {
  EtcdCluster cluster(1);
  begin(cluster);
  EXPECT_FALSE(macs::open_etcd_registry(cluster.url() + "/elsewhere"));
  macs::Etcd etcd(*macs::parse_etcd_address(url_));
  must(etcd.transaction(macs::Json::array(), {macs::Etcd::put("test/mac/02:aa:00:00:00:01", "{\"broken")},
                        macs::Json::array()));
  auto registry = must(macs::open_etcd_registry(url_));
  const auto broken = registry->lookup(macs::Mac{0x02aa'0000'0001});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().kind, Failure::Kind::kDamaged);
  must(etcd.transaction(macs::Json::array(), {macs::Etcd::put("test/version", "2")}, macs::Json::array()));
  const auto newer = macs::open_etcd_registry(url_);
  ASSERT_FALSE(newer);
  EXPECT_TRUE(newer.error().what.contains("version 2")) << newer.error().what;
  EXPECT_FALSE(macs::create_etcd_registry(url_));
}

// ---------------------------------------------------------------- TLS, users

// What every member answers is asked of it directly: users are made so.
void ask(const httplib::Result& result) {
  ASSERT_TRUE(result && result->status == 200) << (result ? result->body : "");
}

TEST_F(EtcdTest, TlsAndUsers) {
  make_certificates(folder_.path());
  EtcdCluster cluster(1, folder_.path());
  const macs::EtcdAccess sound = cluster.access();
  url_ = cluster.url() + "/test";
  must(must(macs::create_etcd_registry(url_, sound))->add_pool(pool("p", "02:aa:00:00:00:00/24")));
  EXPECT_EQ(must(must(macs::open_etcd_registry(url_, sound))->allocate({.count = 3, .token = "a"})).size(),
            3u);

  const auto fails = [&](const std::string& url, const macs::EtcdAccess& access, std::string_view says) {
    const auto began = std::chrono::steady_clock::now();
    const auto opened = macs::open_etcd_registry(url, access, 400);
    ASSERT_FALSE(opened) << says;
    EXPECT_TRUE(opened.error().what.contains(says)) << opened.error().what;
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(6));
  };
  fails(url_, {}, "not signed");
  fails(url_, {.cacert = folder_ / "stranger.pem", .cert = sound.cert, .key = sound.key}, "not signed");
  fails(url_, {.cacert = sound.cacert}, "can't be reached");  // the server wants a certificate
  fails(url_, {.cacert = sound.cacert, .cert = sound.cert}, "needs its key");
  std::string plain = url_;
  fails(plain.replace(0, 5, "etcd"), {}, "etcd");
  std::string other_name = url_;
  fails(other_name.replace(other_name.find("127.0.0.1"), 9, "localhost"), sound, "not for this host");

  httplib::Client admin("https" + cluster.url().substr(5), sound.cert, sound.key);
  admin.set_ca_cert_path(sound.cacert);
  const auto make = [&](const std::string& path, const std::string& body) {
    ask(admin.Post("/v3/auth/" + path, body, "application/json"));
  };
  make("user/add", R"({"name": "root", "password": "r"})");
  make("role/add", R"({"name": "root"})");
  make("user/grant", R"({"user": "root", "role": "root"})");
  make("user/add", R"({"name": "macs", "password": "secret"})");
  make("role/add", R"({"name": "registry"})");
  make("user/grant", R"({"user": "macs", "role": "registry"})");
  // "test/" to "test0", in base 64
  make(
      "role/grant",
      R"({"name": "registry", "perm": {"permType": "READWRITE", "key": "dGVzdC8=", "range_end": "dGVzdDA="}})");
  make("enable", "{}");

  macs::EtcdAccess user = sound;
  user.user = "macs";
  user.password = "secret";
  auto registry = must(macs::open_etcd_registry(url_, user));
  EXPECT_EQ(must(registry->allocate({.count = 2, .token = "b"})).size(), 2u);
  // A server that was started anew has forgotten who logged in.
  cluster.kill_member(0);
  cluster.start(0);
  EXPECT_EQ(must(registry->allocate({.count = 2, .token = "c"})).size(), 2u);
  EXPECT_EQ(everything(*registry).size(), 7u);
  fails(url_, sound, "--user");
  user.password = "wrong";
  fails(url_, user, "authentication failed");
  user.password = "secret";
  fails(cluster.url() + "/elsewhere", user, "permission denied");
}

TEST(EtcdAddress, Parsing) {
  const auto good = macs::parse_etcd_address("etcd://a:1,[::1]:2379/x/y/");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->members, (std::vector<std::pair<std::string, int>>{{"a", 1}, {"::1", 2379}}));
  EXPECT_EQ(good->prefix, "x/y");
  EXPECT_EQ(macs::parse_etcd_address("etcd://a:1")->prefix, "sekimori/macs");
  EXPECT_FALSE(good->has_tls);
  EXPECT_TRUE(macs::parse_etcd_address("etcds://a:1")->has_tls);
  for (const std::string_view bad : {"etcd://", "etcd://a", "etcd://a:", "etcd://a:0", "etcd://a:70000",
                                     "etcd://:1", "etcd://a:1,", "http://a:1", "etcd:/a:1"})
    EXPECT_FALSE(macs::parse_etcd_address(bad)) << bad;
}

}  // namespace
}  // namespace sekimori::macs_tests
