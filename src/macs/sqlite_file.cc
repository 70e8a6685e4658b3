#include "macs/sqlite_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "macs/sqlite.h"
#include "sys/entropy.h"

namespace sekimori::macs {
namespace {

namespace fs = std::filesystem;
using Kind = Failure::Kind;

constexpr std::uint32_t kApplication = 0x736b'6d72;  // "skmr"

constexpr const char* kLayout = R"(
CREATE TABLE pool(
  name TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, policy INTEGER NOT NULL,
  quarantine INTEGER NOT NULL, next INTEGER NOT NULL, CHECK (first <= last)) STRICT, WITHOUT ROWID;
CREATE TABLE mac(
  mac INTEGER PRIMARY KEY CHECK (mac BETWEEN 1 AND 0xffffffffffff),
  state INTEGER NOT NULL, pool TEXT NOT NULL,
  manager TEXT NOT NULL, machine TEXT NOT NULL, nic TEXT NOT NULL,
  note TEXT NOT NULL, token TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
  free_at INTEGER) STRICT;
CREATE UNIQUE INDEX owner ON mac(manager, machine, nic) WHERE state < 2 AND machine <> '';
)";

using Header = std::array<unsigned char, 100>;

std::uint32_t big_endian(const Header& header, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | header[at + i];
  return value;
}

bool read_header(const std::string& path, Header& header) {
  std::ifstream file(path, std::ios::binary);
  return static_cast<bool>(file.read(reinterpret_cast<char*>(header.data()), header.size()));
}

// How much shorter the file is than its header has it. Page 1 is the first that a checkpoint writes, so
// another process, or one that was killed, may have left it ahead of the rest: what the write-ahead log holds
// is not missing, and in doubt it is looked at again.
std::uint64_t bytes_missing(const std::string& path) {
  std::uint64_t missing = 0;
  for (int look = 0; look < 3; ++look) {
    std::error_code ignored;
    const std::string log = path + "-wal";
    if (fs::exists(log, ignored) && fs::file_size(log, ignored) > 0) return 0;
    Header header{};
    if (!read_header(path, header)) return 0;
    const std::uint64_t written = static_cast<std::uint64_t>(header[16]) << 8 | header[17];
    const std::uint64_t whole = (written == 1 ? 65536 : written) * big_endian(header, 28);
    const std::uintmax_t size = fs::file_size(path, ignored);
    if (size >= whole) return 0;
    missing = whole - size;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return missing;
}

}  // namespace

Outcome<void> check_sqlite_file(const std::string& path) {
  const auto wrong = [&](std::string_view what) {
    return failed(Kind::kDamaged, fmt::format("{}: {}", path, what));
  };
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    return wrong("there is no such registry; \"sekimori mac pool add\" makes one with its first pool.");
  if (!fs::is_regular_file(status)) return wrong("is no file.");
  Header header{};
  const bool is_read = read_header(path, header);
  if (!is_read && fs::file_size(path, error) >= header.size()) return wrong("can't be read.");
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  if (!is_read || !std::equal(kMagic.begin(), kMagic.end(), header.begin(),
                              [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; }))
    return wrong("is no registry (not a file of SQLite's); it is left alone.");
  if (big_endian(header, 68) != kApplication)
    return wrong("is a database of another program's, no registry; it is left alone.");
  if (const std::uint32_t version = big_endian(header, 60); version != kSqliteLayout)
    return wrong(fmt::format("is a registry of version {}, this program knows {}; it is left alone.", version,
                             kSqliteLayout));
  if (const std::uint64_t missing = bytes_missing(path); missing > 0)
    return wrong(fmt::format(
        "the registry is damaged: its last {} bytes are missing. It is left alone; restore it from a copy.",
        missing));
  return {};
}

Outcome<void> create_sqlite_file(const std::string& path) {
  const std::string draft = fmt::format("{}.{}", path, sys::random_token());
  struct Remove {
    const std::string& name;
    ~Remove() {
      std::error_code ignored;
      fs::remove(name, ignored);
    }
  } const remove{draft};
  {
    auto database = Database::open(draft, true);
    if (!database) return std::unexpected(database.error());
    const std::string sql = fmt::format(
        "PRAGMA synchronous=FULL; BEGIN; {} PRAGMA application_id={}; PRAGMA user_version={}; COMMIT;",
        kLayout, kApplication, kSqliteLayout);
    if (auto done = database->run(sql.c_str()); !done) return done;
    if (auto done = database->run("PRAGMA journal_mode=WAL"); !done) return done;
  }
  std::error_code error;
  fs::create_hard_link(draft, path, error);
  if (error == std::errc::file_exists) return {};
  if (error && !fs::exists(path)) fs::rename(draft, path, error = {});  // a file system without links
  if (error) return failed(Kind::kUnavailable, fmt::format("{}: can't be made: {}.", path, error.message()));
  return {};
}

}  // namespace sekimori::macs
