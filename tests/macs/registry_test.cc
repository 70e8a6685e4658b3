// What every registry promises, on every store.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "macs/etcd_registry.h"
#include "sys/entropy.h"
#include "tests/macs/etcd_server.h"
#include "tests/macs/stores.h"

namespace sekimori::macs_tests {
namespace {

using macs::Entry;
using macs::Failure;
using macs::Grant;
using macs::Mac;
using macs::Owner;
using macs::Policy;
using macs::Request;
using macs::State;

class RegistryTest : public ::testing::TestWithParam<std::string> {
 protected:
  static void TearDownTestSuite() { server_.reset(); }

  RegistryTest() {
    where_ = folder_ / "macs.db";
    if (GetParam() == "etcd") {
      if (!server_) server_ = std::make_unique<EtcdCluster>(1);
      where_ = server_->url() + folder_.path().string();  // a prefix of its own
    }
    registry_ = open(true);
  }

  std::unique_ptr<Registry> open(bool create = false) {
    return must(create ? macs::create_registry(where_) : macs::open_registry(where_));
  }

  static Request request(std::size_t count, std::int64_t now = 1000) {
    Request r;
    r.count = count;
    r.now = now;
    r.seed = sys::random_number();
    r.token = sys::random_token();
    return r;
  }
  static Request request(std::vector<Owner> owners, std::int64_t now = 1000) {
    Request r = request(owners.size(), now);
    r.owners = std::move(owners);
    return r;
  }
  std::vector<Mac> allocate(const Request& r) {
    std::vector<Mac> macs;
    for (const Grant& grant : must(registry_->allocate(r))) macs.push_back(grant.mac);
    return macs;
  }
  template <class T>
  static void expect_refused(const Outcome<T>& outcome, std::string_view says) {
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, Failure::Kind::kRefused) << outcome.error().what;
    EXPECT_TRUE(outcome.error().what.contains(says)) << outcome.error().what;
  }

  static inline std::unique_ptr<EtcdCluster> server_;
  Folder folder_;
  std::string where_;
  std::unique_ptr<Registry> registry_;
};

TEST_P(RegistryTest, Pools) {
  EXPECT_TRUE(must(registry_->pools()).empty());
  expect_refused(registry_->allocate(request(1)), "no pool");
  const auto red = pool("red", "02:aa:00:00:00:00/24", Policy::kSequence, 60);
  must(registry_->add_pool(red));
  must(registry_->add_pool(pool("blue", "02:ab:00:00:00:00/24")));
  EXPECT_EQ(must(registry_->pools()).front(), red);
  expect_refused(registry_->add_pool(pool("green", "02:aa:00:00:10:00/40")), "green");
  expect_refused(registry_->add_pool(pool("green", "02:aa:00:00:10:00/40")), "red");
  expect_refused(registry_->add_pool(pool("red", "06:aa:00:00:00:00/24")), "already");
  expect_refused(registry_->add_pool(pool("odd", "03:aa:00:00:00:00/24")), "group");
  expect_refused(registry_->allocate(request(1)), "Which pool");
  Request r = request(1);
  r.pool = "rde";
  expect_refused(registry_->allocate(r), "no pool rde");
  r.pool = "red";
  const Mac mac = allocate(r).front();
  expect_refused(registry_->remove_pool("red"), "1 addresses in use");
  must(registry_->release(std::vector{mac}, 1000));
  must(registry_->remove_pool("red"));
  expect_refused(registry_->remove_pool("red"), "no pool red");
  EXPECT_EQ(must(open()->pools()).size(), 1u);
}

TEST_P(RegistryTest, ASmallPoolIsHandedOutToTheLast) {
  must(registry_->add_pool(pool("p", "52:54:00:12:34:00-52:54:00:12:35:ff")));
  std::set<Mac> macs;
  for (int i = 0; i < 16; ++i) {
    for (const Mac mac : allocate(request(31))) {
      EXPECT_TRUE(macs.insert(mac).second) << wire::to_text(mac);
      EXPECT_EQ(macs::why_not(mac), "");
    }
  }
  EXPECT_EQ(macs.size(), 496u);
  expect_refused(registry_->allocate(request(7)), "no address left");
  EXPECT_EQ(everything(*registry_).size(), 496u) << "all or none";
  EXPECT_EQ(allocate(request(6)).size(), 6u) << "512 and ten well-known ones";
  expect_refused(registry_->allocate(request(1)), "no address left");
}

TEST_P(RegistryTest, SequenceGoesOn) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00-02:aa:00:00:00:05", Policy::kSequence)));
  must(registry_->reserve(std::vector{Entry{.mac = Mac{0x02aa'0000'0001}}}));
  EXPECT_EQ(allocate(request(2)), (std::vector{Mac{0x02aa'0000'0000}, Mac{0x02aa'0000'0002}}));
  must(registry_->release(std::vector{Mac{0x02aa'0000'0000}}, 1000));
  registry_ = open();
  EXPECT_EQ(allocate(request(2, 1000)), (std::vector{Mac{0x02aa'0000'0003}, Mac{0x02aa'0000'0004}}));
  EXPECT_EQ(allocate(request(1, 5000)), (std::vector{Mac{0x02aa'0000'0005}}));
  EXPECT_EQ(allocate(request(1, 5000)), (std::vector{Mac{0x02aa'0000'0000}})) << "round the end";
}

TEST_P(RegistryTest, DerivedDependsOnTheNameAlone) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00/24", Policy::kDerived)));
  const Owner owner{"vc1", "vm-7", "net0"};
  expect_refused(registry_->allocate(request(1)), "owner");
  const Mac mac = allocate(request(std::vector{owner})).front();
  must(registry_->release(std::vector{mac}, 1000));
  EXPECT_NE(allocate(request(std::vector{Owner{"vc1", "vm-8", "net0"}})).front(), mac);
  EXPECT_EQ(allocate(request(std::vector{owner}, 1101)).front(), mac) << "after the quarantine";
  // Somebody sits on it: the next one.
  must(registry_->release(std::vector{mac}, 2000));
  must(registry_->reserve(std::vector{Entry{.mac = mac, .since = 3000}}));
  EXPECT_EQ(allocate(request(std::vector{owner}, 3000)).front(), Mac{mac.bits + 1});
}

TEST_P(RegistryTest, AnOwnerHasOneAddress) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00/24")));
  must(registry_->add_pool(pool("q", "02:ab:00:00:00:00/24")));
  // Equal machine ids of two managers are two machines.
  const std::vector<Owner> owners{{"vc1", "vm-7", "net0"}, {"vc1", "vm-7", "net1"}, {"vc2", "vm-7", "net0"}};
  Request r = request(owners);
  r.pool = "p";
  const std::vector<Mac> first = allocate(r);
  EXPECT_EQ(std::set<Mac>(first.begin(), first.end()).size(), 3u);
  r = request({owners[2], {"vc2", "vm-8", "net0"}});
  r.pool = "p";
  const auto again = must(registry_->allocate(r));
  EXPECT_EQ(again[0].mac, first[2]);
  EXPECT_TRUE(again[0].was_there);
  EXPECT_FALSE(again[1].was_there);
  r = request({owners[0]});
  r.pool = "q";
  expect_refused(registry_->allocate(r), "release it");
  r = request({owners[0], owners[0]});
  r.pool = "p";
  expect_refused(registry_->allocate(r), "twice");
  EXPECT_EQ(everything(*registry_, {.owner = {"vc1", "", ""}}).size(), 2u);
  EXPECT_EQ(everything(*registry_, {.owner = {"", "vm-7", ""}}).size(), 3u);
}

TEST_P(RegistryTest, QuarantineAndLeases) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00-02:aa:00:00:00:01")));
  Request r = request(1, 1000);
  r.lease = 50;
  const Mac leased = allocate(r).front();
  const Mac other = allocate(request(1, 1000)).front();
  EXPECT_EQ(must(registry_->lookup(leased))->until, 1050);
  expect_refused(registry_->allocate(request(1, 1149)), "no address left");
  must(registry_->renew(std::vector{leased}, 50, 1040));
  expect_refused(registry_->allocate(request(1, 1189)), "no address left");
  EXPECT_EQ(allocate(request(1, 1190)).front(), leased) << "lease and quarantine are over";
  must(registry_->release(std::vector{other}, 2000));
  EXPECT_EQ(must(registry_->lookup(other))->state, State::kFreed);
  expect_refused(registry_->allocate(request(1, 2099)), "no address left");
  expect_refused(registry_->release(std::vector{other}, 2050), "held back");
  expect_refused(registry_->renew(std::vector{other}, 5, 2050), "held back");
  EXPECT_EQ(allocate(request(1, 2100)).front(), other);
}

TEST_P(RegistryTest, Reserving) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00/44", Policy::kSequence)));
  const Mac inside{0x02aa'0000'0000}, outside{0xa036'9f00'0001};
  const Owner owner{"hand", "desk", "eth0"};
  must(registry_->reserve(std::vector{Entry{.mac = inside, .owner = owner, .note = "printer", .since = 5},
                                      Entry{.mac = outside, .since = 5}}));
  const auto entry = must(registry_->lookup(inside));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->pool, "p");
  EXPECT_EQ(entry->owner, owner);
  EXPECT_EQ(entry->note, "printer");
  EXPECT_EQ(must(registry_->lookup(outside))->pool, "");
  EXPECT_NE(allocate(request(1)).front(), inside);
  must(registry_->reserve(std::vector{Entry{.mac = inside, .owner = owner}}));  // the same once more
  expect_refused(registry_->reserve(std::vector{Entry{.mac = Mac{0x02aa'0000'0005}}, Entry{.mac = inside}}),
                 "hand/desk/eth0");
  EXPECT_FALSE(must(registry_->lookup(Mac{0x02aa'0000'0005}))) << "all or none";
  expect_refused(registry_->reserve(std::vector{Entry{.mac = Mac{0x02aa'0000'0009}, .owner = owner}}),
                 "one address");
  expect_refused(registry_->reserve(std::vector{Entry{.mac = Mac{0x0100'0000'0000}}}), "group");
  expect_refused(registry_->reserve(std::vector{Entry{}}), "zero");
  must(registry_->release(std::vector{inside}, 1000));
  expect_refused(registry_->reserve(std::vector{Entry{.mac = inside, .since = 1050}}), "held back");
  must(registry_->reserve(std::vector{Entry{.mac = inside, .owner = owner, .since = 1050}}));
  expect_refused(registry_->release(std::vector{inside, Mac{0x02aa'0000'0008}}, 1000), "not in the registry");
  EXPECT_EQ(must(registry_->lookup(inside))->state, State::kReserved) << "all or none";
}

// Many at once are several transactions of etcd; all of them or none.
TEST_P(RegistryTest, ManyAtOnce) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00-02:aa:00:00:03:ff")));
  std::vector<Owner> owners;
  for (int i = 0; i < 150; ++i) owners.push_back({"m", "ns/vm-" + std::to_string(i), "n"});
  const auto of_owners = allocate(request(owners));
  EXPECT_EQ(allocate(request(owners)), of_owners);
  const auto others = allocate(request(500));
  std::set<Mac> all(of_owners.begin(), of_owners.end());
  all.insert(others.begin(), others.end());
  EXPECT_EQ(all.size(), 650u);
  expect_refused(registry_->allocate(request(375)), "no address left");
  EXPECT_EQ(everything(*registry_).size(), 650u);
  EXPECT_EQ(allocate(request(374)).size(), 374u);
  must(registry_->release(others, 1000));
  EXPECT_EQ(everything(*registry_, {.state = State::kFreed}).size(), 500u);
  EXPECT_EQ(allocate(request(500, 1100)).size(), 500u);
}

// Another connection changes what is followed; what does not match is as good as gone.
TEST_P(RegistryTest, Following) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00/24", Policy::kSequence)));
  allocate(request({Owner{"m", "a", "n"}}));
  std::mutex mutex;
  std::vector<std::string> told;
  std::atomic<bool> stop = false;
  const auto follow = [&](const macs::Filter& filter) {
    const auto tell = [&](const macs::Change& c) {
      const std::lock_guard lock(mutex);
      told.push_back(
          fmt::format("{} {} {}", to_text(c.kind), c.entry.mac.bits & 0xff, to_text(c.entry.state)));
    };
    EXPECT_TRUE(open()->follow(filter, tell, [&] { return stop.load(); }));
  };
  const auto wait_for = [&](const std::vector<std::string>& expected) {
    for (int i = 0; i < 100; ++i) {
      {
        const std::lock_guard lock(mutex);
        if (told == expected) return;
      }
      usleep(50'000);
    }
    const std::lock_guard lock(mutex);
    EXPECT_EQ(told, expected);
  };
  std::thread follower(follow, macs::Filter{.state = State::kAllocated});
  wait_for({"there 0 allocated"});
  allocate(request(1));
  wait_for({"there 0 allocated", "set 1 allocated"});
  must(registry_->release(std::vector{Mac{0x02aa'0000'0000}}, 1000));
  must(registry_->reserve(std::vector{Entry{.mac = Mac{0x02aa'0000'0009}, .since = 1000}}));
  wait_for({"there 0 allocated", "set 1 allocated", "gone 0 allocated"});
  must(registry_->renew(std::vector{Mac{0x02aa'0000'0001}}, 100'000, 1000));
  wait_for({"there 0 allocated", "set 1 allocated", "gone 0 allocated", "set 1 allocated"});
  stop = true;
  follower.join();
}

// A request that is sent again under its key gets its answer, and nothing is allocated twice.
TEST_P(RegistryTest, Keys) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00/24")));
  Request r = request(150);  // several transactions of etcd
  r.key = "k/1";
  const auto first = allocate(r);
  r.token = sys::random_token();
  r.seed = sys::random_number();
  EXPECT_EQ(allocate(r), first);
  registry_ = open();
  EXPECT_EQ(allocate(r), first);
  EXPECT_EQ(everything(*registry_).size(), 150u);
  r.count = 149;
  expect_refused(registry_->allocate(r), "new key");
  r.count = 150;
  must(registry_->release(std::vector{first[3]}, 1000));
  expect_refused(registry_->allocate(r), "released since");
  r.key = "k/2";
  EXPECT_NE(allocate(r), first);
  Request own = request({Owner{"m", "a", "n"}});
  own.key = "k/3";
  EXPECT_EQ(allocate(own), allocate(own));
}

TEST_P(RegistryTest, BadRequests) {
  must(registry_->add_pool(pool("p", "02:aa:00:00:00:00/24")));
  expect_refused(registry_->allocate(request(0)), "1 to");
  expect_refused(registry_->allocate(request(std::size_t{1} << 40)), "1 to");
  Request r = request({Owner{"a", "b", "c"}});
  r.count = 2;
  expect_refused(registry_->allocate(r), "2 addresses for 1");
}

INSTANTIATE_TEST_SUITE_P(Stores, RegistryTest, ::testing::Values("sqlite", "etcd"),
                         [](const auto& store) { return store.param; });

}  // namespace
}  // namespace sekimori::macs_tests
