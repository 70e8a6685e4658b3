// SQLite's C interface with owners for its handles, no more. A statement is prepared once and run often.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "macs/registry.h"

namespace sekimori::macs {

class Database {
 public:
  // The file must be there unless `create`.
  static Outcome<Database> open(const std::string& path, bool create);

  Outcome<void> run(const char* sql);  // statements without parameters or results that matter
  Outcome<std::int64_t> number(const char* sql);
  Outcome<std::string> text(const char* sql);

  // What the last call's result code means for the user.
  Failure failure(int code) const;
  std::int64_t changes() const { return sqlite3_changes64(handle_.get()); }
  sqlite3* handle() const { return handle_.get(); }
  // Another file has its name by now, or none.
  bool has_moved() const;

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
  bool grouped_ = false;  // within a Transaction that holds others
};

class Statement {
 public:
  static Outcome<Statement> prepare(const Database& database, std::string_view sql);

  // Parameters by number from 1; the text must live until the next reset().
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view value);
  Statement& bind_null(int index);

  // True: there is a row to be read.
  Outcome<bool> step();
  // One step, no row; then ready for the next time.
  Outcome<void> run();
  void reset() { sqlite3_reset(handle_.get()); }

  std::int64_t number(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  std::string text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  const Database* database_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// BEGIN IMMEDIATE; rolled back unless committed. One that begins within a group is a savepoint of it, durable
// with the group.
class Transaction {
 public:
  static Outcome<Transaction> begin(Database& database);
  static Outcome<Transaction> begin_group(Database& database);
  Transaction(Transaction&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)), kind_(other.kind_) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Outcome<void> commit();

 private:
  enum class Kind : std::uint8_t { kAlone, kGroup, kPart };
  Transaction(Database* database, Kind kind) : database_(database), kind_(kind) {}
  static Outcome<void> still_there(const Database& database);
  Database* database_;
  Kind kind_;
};

}  // namespace sekimori::macs
