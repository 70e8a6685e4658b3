// A registry in etcd: clients killed, the server killed and started again, the leader of three lost.
// history.h is the judge.
#include "tests/macs/etcd_server.h"

#include <gtest/gtest.h>

#include "macs/etcd_registry.h"
#include "tests/macs/clients.h"

namespace sekimori::macs_tests {
namespace {

namespace fs = std::filesystem;
using macs::Failure;

class EtcdTest : public testing::Test {
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
    usleep(60'000);
    clients.kill_one(random);
    clients.start(1, open(), logs_, work);
    if (i % 15 == 10) {
      cluster.kill_member(0);
      usleep(200'000);
      cluster.start(0);
    }
  }
  usleep(1'500'000);
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
    usleep(700'000);
    cluster.kill_member(member);
    usleep(2'500'000);  // an election takes one to two seconds
    cluster.start(member);
    usleep(1'000'000);
  }
  const std::size_t before = History::read(logs_).granted;
  usleep(1'500'000);
  clients.kill_all();
  const History history = judge();
  EXPECT_GT(history.granted, before) << "nothing went on after the last loss";
}

TEST_F(EtcdTest, WithoutAMajorityNothingIsHandedOut) {
  EtcdCluster cluster(3);
  begin(cluster);
  auto registry = must(macs::open_etcd_registry(url_, 3000));
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

TEST(EtcdAddress, Parsing) {
  const auto good = macs::parse_etcd_address("etcd://a:1,[::1]:2379/x/y/");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->members, (std::vector<std::pair<std::string, int>>{{"a", 1}, {"::1", 2379}}));
  EXPECT_EQ(good->prefix, "x/y");
  EXPECT_EQ(macs::parse_etcd_address("etcd://a:1")->prefix, "sekimori/macs");
  for (const std::string_view bad : {"etcd://", "etcd://a", "etcd://a:", "etcd://a:0", "etcd://a:70000",
                                     "etcd://:1", "etcd://a:1,", "http://a:1", "etcd:/a:1"})
    EXPECT_FALSE(macs::parse_etcd_address(bad)) << bad;
}

}  // namespace
}  // namespace sekimori::macs_tests
