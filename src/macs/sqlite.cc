#include "macs/sqlite.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"

namespace sekimori::macs {

Outcome<Database> Database::open(const std::string& path, bool create) {
  Database database;
  database.path_ = path;
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | (create ? SQLITE_OPEN_CREATE : 0), nullptr);
  database.handle_.reset(handle);
  if (code != SQLITE_OK) return std::unexpected(database.failure(code));
  return database;
}

Outcome<void> Database::run(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(failure(code));
  return {};
}

Outcome<std::int64_t> Database::number(const char* sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return std::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->number(0) : 0;
}

Outcome<std::string> Database::text(const char* sql) {
  auto statement = Statement::prepare(*this, sql);
  if (!statement) return std::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->text(0) : "";
}

bool Database::has_moved() const {
  int moved = 0;
  const int code = sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code != SQLITE_OK || moved != 0;
}

// https://www.sqlite.org/rescode.html
Failure Database::failure(int code) const {
  using enum Failure::Kind;
  const auto say = [&](Failure::Kind kind, std::string_view what) {
    return Failure{kind, fmt::format("{}: {}", path_, what)};
  };
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return say(kUnavailable, "others keep it locked; nothing was changed. Try again.");
    case SQLITE_FULL:
      return say(kUnavailable, "the disk is full; nothing was changed.");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return say(kUnavailable, "it can't be written, nor its folder, where SQLite keeps its log.");
    case SQLITE_CORRUPT:
      return say(kDamaged,
                 "the registry is damaged; nothing was changed. Restore it from a copy, and audit "
                 "what runs against it before the next address is given.");
    case SQLITE_NOTADB:
      return say(kDamaged, "is no registry (not a file of SQLite's); it is left alone.");
    case SQLITE_CANTOPEN:
      return say(kDamaged, "can't be opened.");
    default:
      return say(kUnavailable,
                 fmt::format("SQLite says: {} ({}).",
                             handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code), code));
  }
}

Outcome<Statement> Statement::prepare(const Database& database, std::string_view sql) {
  Statement statement;
  statement.database_ = &database;
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  statement.handle_.reset(handle);
  if (code != SQLITE_OK) return std::unexpected(database.failure(code));
  return statement;
}

Statement& Statement::bind(int index, std::int64_t value) {
  SEKIMORI_ASSERT(sqlite3_bind_int64(handle_.get(), index, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
  SEKIMORI_ASSERT(sqlite3_bind_text64(handle_.get(), index, value.empty() ? "" : value.data(), value.size(),
                                      SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_null(int index) {
  SEKIMORI_ASSERT(sqlite3_bind_null(handle_.get(), index) == SQLITE_OK);
  return *this;
}

Outcome<bool> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Failure failure = database_->failure(code);
  reset();
  return std::unexpected(std::move(failure));
}

Outcome<void> Statement::run() {
  const auto row = step();
  if (!row) return std::unexpected(row.error());
  reset();
  return {};
}

std::string Statement::text(int column) const {
  const auto* const bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (bytes == nullptr) return "";
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

// Some errors (a full disk, one of input or output) undo a whole transaction
// (https://www.sqlite.org/lang_transaction.html). What comes after them in a group must not be done alone.
Outcome<void> Transaction::still_there(const Database& database) {
  if (sqlite3_get_autocommit(database.handle()) == 0) return {};
  return failed(
      Failure::Kind::kUnavailable,
      fmt::format("{}: another request failed and took this one with it; nothing was changed. Try again.",
                  database.path_));
}

Outcome<Transaction> Transaction::begin(Database& database) {
  if (database.grouped_) {
    if (auto there = still_there(database); !there) return std::unexpected(there.error());
    if (auto done = database.run("SAVEPOINT part"); !done) return std::unexpected(done.error());
    return Transaction(&database, Kind::kPart);
  }
  if (auto done = database.run("BEGIN IMMEDIATE"); !done) return std::unexpected(done.error());
  return Transaction(&database, Kind::kAlone);
}

Outcome<Transaction> Transaction::begin_group(Database& database) {
  SEKIMORI_ASSERT(!database.grouped_);
  if (auto done = database.run("BEGIN IMMEDIATE"); !done) return std::unexpected(done.error());
  database.grouped_ = true;
  return Transaction(&database, Kind::kGroup);
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  if (kind_ == Kind::kGroup) database_->grouped_ = false;
  if (sqlite3_get_autocommit(database_->handle()) != 0) return;  // an error has rolled it back already
  [[maybe_unused]] const auto ignored =
      database_->run(kind_ == Kind::kPart ? "ROLLBACK TO part; RELEASE part" : "ROLLBACK");
}

Outcome<void> Transaction::commit() {
  if (kind_ != Kind::kAlone) {
    if (auto there = still_there(*database_); !there) return there;
  }
  if (auto done = database_->run(kind_ == Kind::kPart ? "RELEASE part" : "COMMIT"); !done) return done;
  if (kind_ == Kind::kGroup) database_->grouped_ = false;
  database_ = nullptr;
  return {};
}

}  // namespace sekimori::macs
