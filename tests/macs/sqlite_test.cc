// A registry in a file, among many processes, killed, with a full disk, damaged: history.h is the judge.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <fstream>
#include <sstream>

#include "tests/macs/clients.h"

namespace sekimori::macs_tests {
namespace {

namespace fs = std::filesystem;
using macs::Failure;

class SqliteTest : public ::testing::Test {
 protected:
  SqliteTest() {
    fs::create_directory(logs_);
    must(must(macs::create_sqlite_registry(path_))
             ->add_pool(pool("p", "02:aa:00:00:00:00/24", macs::Policy::kRandom, 0)));
  }

  Open open() const {
    return [path = path_] { return macs::open_sqlite_registry(path); };
  }
  // Judges what happened, and tells how much did.
  History judge() {
    const History history = History::read(logs_);
    auto registry = must(macs::open_sqlite_registry(path_));
    EXPECT_EQ(history.wrongs(everything(*registry)), "");
    return history;
  }
  std::string bytes(const std::string& path) const {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  Folder folder_;
  std::string path_ = folder_ / "macs.db";
  fs::path logs_ = folder_ / "logs";
};

// 64 clients at once (Harvester issue 9973 began with 20 guests started at once); ten thousand are in
// api_test.cc, where they share commits.
TEST_F(SqliteTest, SixtyFourProcessesAtOnce) {
  Clients clients;
  clients.start(64, open(), logs_, {.requests = 25, .lasts_s = 120});
  EXPECT_EQ(clients.wait(), 0);
  const History history = judge();
  EXPECT_EQ(history.granted, 64u * 25u);
  EXPECT_EQ(history.refused.size(), 0u);
  EXPECT_EQ(history.holds.size(), 64u * 25u) << "all different";
}

// A pool of 256 addresses: they are released and given again, so every claim meets others.
TEST_F(SqliteTest, ReleasesAndOwnersInASmallPool) {
  must(must(macs::open_sqlite_registry(path_))->remove_pool("p"));
  must(must(macs::open_sqlite_registry(path_))
           ->add_pool(pool("s", "02:aa:00:00:00:00/40", macs::Policy::kRandom, 0)));
  Clients clients;
  clients.start(8, open(), logs_, {.requests = 100, .most = 3, .releases = true});
  EXPECT_EQ(clients.wait(), 0);
  const History history = judge();
  EXPECT_GT(history.granted, 200u);
}

TEST_F(SqliteTest, AnOwnerOfAllGetsOneAddress) {
  Clients clients;
  clients.start(16, open(), logs_, {.requests = 40, .owners = true});
  EXPECT_EQ(clients.wait(), 0);
  auto registry = must(macs::open_sqlite_registry(path_));
  std::map<macs::Owner, int> owners;
  for (const Entry& entry : everything(*registry)) ++owners[entry.owner];
  EXPECT_EQ(owners.size(), 50u);
  for (const auto& [owner, count] : owners) EXPECT_EQ(count, 1) << to_text(owner);
  // Different owners, different addresses; what they were told is what is there.
  EXPECT_EQ(History::read(logs_).holds.size(), 50u);
}

TEST_F(SqliteTest, ClientsAreKilled) {
  Clients clients;
  base::Random random(sys::random_number());
  const Work work{.requests = 0, .most = 5, .releases = true, .lasts_s = 60};
  clients.start(16, open(), logs_, work);
  for (int i = 0; i < 40; ++i) {
    usleep(static_cast<useconds_t>(20'000 + random.below(40'000)));
    clients.kill_one(random);
    clients.start(1, open(), logs_, work);
  }
  clients.kill_all();
  const History history = judge();
  EXPECT_GT(history.granted, 100u);
  auto registry = must(macs::open_sqlite_registry(path_));
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  sqlite3_stmt* check = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &check, nullptr), SQLITE_OK);
  ASSERT_EQ(sqlite3_step(check), SQLITE_ROW);
  EXPECT_STREQ(reinterpret_cast<const char*>(sqlite3_column_text(check, 0)), "ok");
  sqlite3_finalize(check);
  sqlite3_close(db);
}

// A limit on the size of files stands for a full disk: writes fail midway, in the log and in checkpoints.
TEST_F(SqliteTest, TheDiskIsFull) {
  Clients clients;
  const Open limited = [path = path_]() -> Outcome<std::unique_ptr<Registry>> {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit most{60'000, 60'000};
    setrlimit(RLIMIT_FSIZE, &most);
    return macs::open_sqlite_registry(path);
  };
  clients.start(4, limited, logs_, {.requests = 100, .most = 20, .lasts_s = 20});
  EXPECT_EQ(clients.wait(), 0);
  const History history = judge();
  EXPECT_GT(history.granted, 0u);
  EXPECT_GT(history.refused.size(), 0u) << "it was never full";
  // With room again it goes on.
  must(must(macs::open_sqlite_registry(path_))->allocate({.count = 5, .token = "t"}));
}

// Steps of a group stay all or none in themselves.
TEST_F(SqliteTest, Together) {
  auto registry = must(macs::open_sqlite_registry(path_));
  const Entry printer{.mac = macs::Mac{0x02aa'0000'0007}, .note = "printer"};
  must(registry->together([&] {
    must(registry->allocate({.count = 2, .token = "a"}));
    must(registry->reserve(std::vector{printer}));
    const Entry other{.mac = macs::Mac{0x02bb'0000'0001}};
    EXPECT_FALSE(registry->reserve(std::vector{other, printer}));
    EXPECT_FALSE(registry->allocate({.pool = "q", .token = "b"}));
    must(registry->allocate({.count = 3, .token = "c"}));
  }));
  auto again = must(macs::open_sqlite_registry(path_));
  EXPECT_EQ(everything(*again).size(), 6u);
  EXPECT_FALSE(must(again->lookup(macs::Mac{0x02bb'0000'0001}))) << "half of a refused step was done";
  must(again->allocate({.count = 1, .token = "d"}));  // and each alone as before
  EXPECT_EQ(everything(*registry).size(), 7u);
}

// An error of the disk undoes all of a group: what comes after it must not be done alone, and the group
// fails, whatever its steps have answered.
TEST_F(SqliteTest, TheDiskIsFullInAGroup) {
  const fs::path told = folder_ / "told";
  const pid_t pid = fork();
  if (pid == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit most{120'000, 120'000};
    setrlimit(RLIMIT_FSIZE, &most);
    auto registry = must(macs::open_sqlite_registry(path_));
    std::size_t committed = 0, failed = 0;
    for (int group = 0; group < 25; ++group) {
      std::size_t granted = 0;
      const auto done = registry->together([&] {
        for (int i = 0; i < 30; ++i) {
          const auto grants = registry->allocate({.count = 7, .token = "t"});
          granted += grants ? grants->size() : 0;
        }
      });
      committed += done ? granted : 0;
      failed += done ? 0 : 1;
    }
    std::ofstream(told) << committed << ' ' << failed;
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  ASSERT_EQ(status, 0);
  std::size_t committed = 0, failed = 0;
  std::ifstream(told) >> committed >> failed;
  EXPECT_GT(committed, 0u);
  EXPECT_GT(failed, 0u) << "it was never full";
  EXPECT_EQ(everything(*must(macs::open_sqlite_registry(path_))).size(), committed);
}

TEST_F(SqliteTest, TwoMakeItAtOnce) {
  for (int round = 0; round < 10; ++round) {
    const std::string path = folder_ / ("new" + std::to_string(round));
    const fs::path logs = folder_ / ("logs" + std::to_string(round));
    fs::create_directory(logs);
    Clients clients;
    clients.start(4, [path] { return macs::create_sqlite_registry(path); }, logs, {.requests = 1});
    EXPECT_EQ(clients.wait(), 0);
    EXPECT_TRUE(must(must(macs::open_sqlite_registry(path))->pools()).empty());
    for (const auto& file : fs::directory_iterator(folder_.path()))
      EXPECT_LT(file.path().filename().string().size(), 20u) << "a draft is left";
  }
}

// ---------------------------------------------------------------- files that are no sound registry

TEST_F(SqliteTest, WhatIsNoRegistryIsLeftAlone) {
  must(must(macs::open_sqlite_registry(path_))->allocate({.count = 3000, .token = "t"}));
  const std::string sound = bytes(path_);
  ASSERT_GT(sound.size(), 50'000u);
  const auto with = [&](std::size_t at, std::string_view what) {
    std::string changed = sound;
    changed.replace(at, what.size(), what);
    return changed;
  };
  const struct {
    std::string content;
    std::string_view says;
  } kCases[] = {
      {"", "no registry"},
      {"sekimori: 1\n", "no registry"},
      {with(0, "SQLite format 4"), "no registry"},
      {with(68, "GPKG"), "another program's"},
      {with(60, std::string("\0\0\0\2", 4)), "version 2"},
      {sound.substr(0, sound.size() / 2), "bytes are missing"},
      {sound.substr(0, 50), "no registry"},
      {with(4096 * 5, std::string(4096, '\x55')), "damaged"},
      {with(100, std::string(200, '\xff')), "damaged"},
  };
  for (const auto& c : kCases) {
    const std::string path = folder_ / "case.db";
    std::ofstream(path, std::ios::binary) << c.content;
    const auto opened = macs::open_sqlite_registry(path);
    ASSERT_FALSE(opened) << c.says;
    EXPECT_EQ(opened.error().kind, Failure::Kind::kDamaged);
    EXPECT_TRUE(opened.error().what.contains(c.says)) << opened.error().what;
    EXPECT_FALSE(macs::create_sqlite_registry(path)) << "pool add must not make it anew";
    EXPECT_EQ(bytes(path), c.content) << c.says << ": it was written to";
    fs::remove(path);
  }
  EXPECT_FALSE(macs::open_sqlite_registry(folder_ / "nowhere"));
  EXPECT_FALSE(fs::exists(folder_ / "nowhere"));
  EXPECT_FALSE(macs::open_sqlite_registry(folder_.path()));
}

// Any bytes changed anywhere: an answer or an error, never a crash, and never an address that the registry
// has for another.
TEST_F(SqliteTest, RandomDamage) {
  must(must(macs::open_sqlite_registry(path_))->allocate({.count = 500, .token = "t"}));
  const std::string sound = bytes(path_);
  base::Random random(9);
  int refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::string changed = sound;
    for (std::uint64_t n = 1 + random.below(8); n-- > 0;)
      changed[random.below(changed.size())] = static_cast<char>(random.below(256));
    const std::string path = folder_ / ("damaged" + std::to_string(round));
    std::ofstream(path, std::ios::binary) << changed;
    auto opened = macs::open_sqlite_registry(path);
    if (!opened) {
      EXPECT_EQ(bytes(path), changed);
      ++refused;
      continue;
    }
    std::set<macs::Mac> before;
    static_cast<void>((*opened)->list({}, [&](const Entry& e) { before.insert(e.mac); }));
    const auto grants = (*opened)->allocate({.count = 20, .token = "u"});
    if (!grants) continue;
    for (const macs::Grant& grant : *grants) EXPECT_FALSE(before.contains(grant.mac));
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace sekimori::macs_tests
