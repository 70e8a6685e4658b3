#include "macs/sqlite_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/random.h"
#include "macs/allocator.h"
#include "macs/follow.h"
#include "macs/once.h"
#include "macs/sqlite.h"
#include "macs/sqlite_file.h"
#include "sys/entropy.h"

namespace sekimori::macs {
namespace {

namespace fs = std::filesystem;
using Kind = Failure::Kind;

constexpr std::uintmax_t kCheckedWhole = 4 << 20;  // bytes; takes about 10 ms
constexpr std::uint64_t kPatience = 30'000;        // ms to wait for others
constexpr std::chrono::milliseconds kLook{200};    // how often somebody who follows looks
constexpr std::size_t kMissesAllowed = 64;         // per address, before the free ones are listed

// ---------------------------------------------------------------- the registry

// Waits a millisecond or two at a time: SQLite's own steps of up to 100 ms leave a lock idle under load.
int wait_for_lock(void*, int times) {
  const std::uint64_t ms = 1 + (sys::random_number() & 3);
  if (static_cast<std::uint64_t>(times) * 2 > kPatience) return 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  return 1;
}

class SqliteRegistry final : public Registry {
 public:
  explicit SqliteRegistry(Database database) : db_(std::move(database)) {}
  Outcome<void> prepare(const std::string& path);

  Outcome<std::vector<Pool>> pools() override;
  Outcome<void> add_pool(const Pool& pool) override;
  Outcome<void> remove_pool(std::string_view name) override;
  Outcome<std::vector<Grant>> allocate(const Request& request) override;
  Outcome<void> reserve(std::span<const Entry> entries) override;
  Outcome<void> release(std::span<const Mac> macs, Seconds now) override;
  Outcome<void> renew(std::span<const Mac> macs, Seconds lease, Seconds now) override;
  Outcome<std::optional<Entry>> lookup(Mac mac) override;
  Outcome<void> list(const Filter& filter, const std::function<void(const Entry&)>& each) override;
  Outcome<void> follow(const Filter& filter, const std::function<void(const Change&)>& each,
                       const std::function<bool()>& stop) override;
  Outcome<void> still_there() override;
  Outcome<void> together(const std::function<void()>& work) override;

 private:
  Outcome<void> prepare_statements();
  // Within a transaction:
  Outcome<bool> claim(const Entry& entry, Seconds now);  // false: it is taken
  Outcome<std::optional<Entry>> of_owner(const Owner& owner);
  Outcome<std::optional<Grant>> keep(const Owner& owner, const Request& request, const Pool& pool);
  Outcome<void> draw(const Request& request, const Pool& pool, std::vector<Grant>& grants);
  Outcome<std::vector<Mac>> taken(const Pool& pool, Seconds now);
  Outcome<Seconds> quarantine_of(const std::string& pool);
  Outcome<std::optional<std::string>> record_of(const std::string& key, Seconds now);
  Outcome<void> keep_record(const Request& request, const std::vector<Grant>& grants);
  Outcome<void> add(const Entry& entry, Seconds now);
  Outcome<Entry> held(Mac mac);

  Database db_;
  std::optional<Statement> claim_, owner_, lookup_, update_, pools_, cursor_, move_;
};

// Of the requests that have a key. Made with the first of them, so that older registries have it, too.
constexpr const char* kRequestTable =
    "CREATE TABLE IF NOT EXISTS request(key TEXT PRIMARY KEY, answer TEXT NOT NULL, until INTEGER NOT NULL) "
    "STRICT; "
    "CREATE INDEX IF NOT EXISTS request_until ON request(until)";

constexpr std::string_view kColumns =
    "mac, state, pool, manager, machine, nic, note, token, since, until, free_at";

Entry entry_of(const Statement& row) {
  Entry e;
  e.mac = Mac{static_cast<std::uint64_t>(row.number(0))};
  e.state = static_cast<State>(std::clamp<std::int64_t>(row.number(1), 0, 2));
  e.pool = row.text(2);
  e.owner = {row.text(3), row.text(4), row.text(5)};
  e.note = row.text(6);
  e.token = row.text(7);
  e.since = row.number(8);
  e.until = row.number(9);
  e.free_at = row.number(10);
  return e;
}

void bind(Statement& statement, const Entry& e) {
  statement.bind(1, static_cast<std::int64_t>(e.mac.bits))
      .bind(2, static_cast<std::int64_t>(e.state))
      .bind(3, e.pool)
      .bind(4, e.owner.manager)
      .bind(5, e.owner.machine)
      .bind(6, e.owner.nic)
      .bind(7, e.note)
      .bind(8, e.token)
      .bind(9, e.since)
      .bind(10, e.until);
  if (e.free_at == 0)
    statement.bind_null(11);
  else
    statement.bind(11, e.free_at);
}

Outcome<void> SqliteRegistry::prepare(const std::string& path) {
  sqlite3_busy_handler(db_.handle(), wait_for_lock, nullptr);
  if (auto done = db_.run("PRAGMA cell_size_check=ON; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF");
      !done)
    return done;
  const auto version = db_.number("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version != kSqliteLayout)
    return failed(Kind::kDamaged,
                  fmt::format("{}: is a registry of version {}, this program knows {}; it is left alone.",
                              path, *version, kSqliteLayout));
  std::error_code ignored;
  if (fs::file_size(path, ignored) <= kCheckedWhole) {
    const auto verdict = db_.text("PRAGMA quick_check(1)");
    if (!verdict) return std::unexpected(verdict.error());
    if (*verdict != "ok")
      return failed(
          Kind::kDamaged,
          fmt::format(
              "{}: the registry is damaged ({}); it is left alone. Restore it from a copy, and audit what "
              "runs against it before the next address is given.",
              path, *verdict));
  }
  // Addresses drawn at random each touch a page of their own, the same pages again and again: what is kept of
  // them need not be read, and a checkpoint that comes later writes each of them once. 64 MiB and 16 MiB at
  // most.
  if (auto done =
          db_.run("PRAGMA journal_mode=WAL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=4000");
      !done)
    return done;
  return prepare_statements();
}

Outcome<void> SqliteRegistry::prepare_statements() {
  const auto make = [&](std::optional<Statement>& statement, const std::string& sql) -> Outcome<void> {
    auto made = Statement::prepare(db_, sql);
    if (!made) return std::unexpected(made.error());
    statement = std::move(*made);
    return {};
  };
  const std::string values = fmt::format("SET ({}) = (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)", kColumns);
  const std::pair<std::optional<Statement>*, std::string> statements[] = {
      {&claim_, fmt::format("INSERT INTO mac({}) VALUES(?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(mac) DO UPDATE {} "
                            "WHERE free_at <= ?12",
                            kColumns, values)},
      {&update_, fmt::format("UPDATE mac {} WHERE mac = ?1", values)},
      {&owner_,
       fmt::format("SELECT {} FROM mac WHERE manager = ? AND machine = ? AND nic = ? AND state < 2 AND "
                   "machine <> ''",
                   kColumns)},
      {&lookup_, fmt::format("SELECT {} FROM mac WHERE mac = ?", kColumns)},
      {&pools_, "SELECT name, first, last, policy, quarantine FROM pool ORDER BY first"},
      {&cursor_, "SELECT next FROM pool WHERE name = ?"},
      {&move_, "UPDATE pool SET next = ? WHERE name = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    if (auto done = make(*statement, sql); !done) return done;
  }
  return {};
}

// ---------------------------------------------------------------- pools

Outcome<std::vector<Pool>> SqliteRegistry::pools() {
  auto& rows = pools_;
  std::vector<Pool> pools;
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) {
      rows->reset();
      return pools;
    }
    const auto mac = [&](int column) { return Mac{static_cast<std::uint64_t>(rows->number(column))}; };
    pools.push_back({rows->text(0),
                     {mac(1), mac(2)},
                     static_cast<Policy>(std::clamp<std::int64_t>(rows->number(3), 0, 2)),
                     rows->number(4)});
  }
}

Outcome<void> SqliteRegistry::add_pool(const Pool& pool) {
  if (auto sound = check_pool(pool); !sound) return failed(Kind::kRefused, sound.error().what);
  auto transaction = Transaction::begin(db_);
  if (!transaction) return std::unexpected(transaction.error());
  const auto others = pools();
  if (!others) return std::unexpected(others.error());
  if (auto apart = check_overlap(*others, pool); !apart) return failed(Kind::kRefused, apart.error().what);
  auto insert = Statement::prepare(
      db_, "INSERT INTO pool(name, first, last, policy, quarantine, next) VALUES(?,?,?,?,?,?2)");
  if (!insert) return std::unexpected(insert.error());
  insert->bind(1, pool.name)
      .bind(2, static_cast<std::int64_t>(pool.range.first.bits))
      .bind(3, static_cast<std::int64_t>(pool.range.last.bits))
      .bind(4, static_cast<std::int64_t>(pool.policy))
      .bind(5, pool.quarantine);
  if (auto done = insert->run(); !done) return done;
  return transaction->commit();
}

Outcome<void> SqliteRegistry::remove_pool(std::string_view name) {
  auto transaction = Transaction::begin(db_);
  if (!transaction) return std::unexpected(transaction.error());
  auto given = Statement::prepare(db_, "SELECT count(*) FROM mac WHERE pool = ? AND state < 2");
  auto remove = Statement::prepare(db_, "DELETE FROM pool WHERE name = ?");
  if (!given) return std::unexpected(given.error());
  if (!remove) return std::unexpected(remove.error());
  if (auto row = given->bind(1, name).step(); !row) return std::unexpected(row.error());
  if (const std::int64_t left = given->number(0); left > 0)
    return failed(Kind::kRefused,
                  fmt::format("The pool {} has {} addresses in use; release them first.", name, left));
  if (auto done = remove->bind(1, name).run(); !done) return done;
  if (db_.changes() == 0) return failed(Kind::kRefused, fmt::format("There is no pool {}.", name));
  given->reset();
  return transaction->commit();
}

// ---------------------------------------------------------------- allocation

Outcome<bool> SqliteRegistry::claim(const Entry& entry, Seconds now) {
  bind(*claim_, entry);
  claim_->bind(12, now);
  if (auto done = claim_->run(); !done) return std::unexpected(done.error());
  return db_.changes() == 1;
}

Outcome<std::optional<Entry>> SqliteRegistry::of_owner(const Owner& owner) {
  owner_->bind(1, owner.manager).bind(2, owner.machine).bind(3, owner.nic);
  const auto row = owner_->step();
  if (!row) return std::unexpected(row.error());
  std::optional<Entry> entry;
  if (*row) entry = entry_of(*owner_);
  owner_->reset();
  return entry;
}

// What the owner has already, its lease begun anew.
Outcome<std::optional<Grant>> SqliteRegistry::keep(const Owner& owner, const Request& request,
                                                   const Pool& pool) {
  auto entry = of_owner(owner);
  if (!entry) return std::unexpected(entry.error());
  if (!*entry) return std::optional<Grant>();
  Entry& e = **entry;
  if (!request.pool.empty() && e.pool != pool.name)
    return failed(Kind::kRefused, fmt::format("{}; release it before one of the pool {} is allocated.",
                                              describe(e), pool.name));
  if (e.state == State::kAllocated) {
    e.until = request.lease == 0 ? 0 : request.now + request.lease;
    e.free_at = request.lease == 0 ? 0 : e.until + pool.quarantine;
    bind(*update_, e);
    if (auto done = update_->run(); !done) return std::unexpected(done.error());
  }
  return std::optional(Grant{e.mac, owner, true});
}

Outcome<std::vector<Mac>> SqliteRegistry::taken(const Pool& pool, Seconds now) {
  auto rows = Statement::prepare(
      db_, "SELECT mac FROM mac WHERE mac BETWEEN ? AND ? AND (free_at IS NULL OR free_at > ?) ORDER BY mac");
  if (!rows) return std::unexpected(rows.error());
  rows->bind(1, static_cast<std::int64_t>(pool.range.first.bits))
      .bind(2, static_cast<std::int64_t>(pool.range.last.bits))
      .bind(3, now);
  std::vector<Mac> macs;
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return macs;
    macs.emplace_back(static_cast<std::uint64_t>(rows->number(0)));
  }
}

// Addresses for the owners that have none yet, or for nobody in particular.
Outcome<void> SqliteRegistry::draw(const Request& request, const Pool& pool, std::vector<Grant>& grants) {
  const Policy policy = request.policy.value_or(pool.policy);
  if (auto row = cursor_->bind(1, pool.name).step(); !row) return std::unexpected(row.error());
  const Mac from{static_cast<std::uint64_t>(cursor_->number(0))};
  cursor_->reset();
  auto proposer = policy == Policy::kSequence ? Proposer::sequence(pool.range, from)
                                              : Proposer::random(pool.range, request.seed);
  std::vector<Mac> free;  // once the proposer has missed too often
  bool listed = false;
  std::size_t misses = 0;
  Entry entry{.pool = pool.name, .token = request.token, .since = request.now};
  entry.until = request.lease == 0 ? 0 : request.now + request.lease;
  entry.free_at = request.lease == 0 ? 0 : entry.until + pool.quarantine;
  for (Grant& grant : grants) {
    if (grant.was_there) continue;
    if (policy == Policy::kDerived) proposer = Proposer::derived(pool.range, to_text(grant.owner));
    for (bool done = false; !done;) {
      std::optional<Mac> mac;
      if (policy != Policy::kDerived && misses > kMissesAllowed * grants.size() && !listed) {
        const auto in_use = taken(pool, request.now);
        if (!in_use) return std::unexpected(in_use.error());
        base::Random random(request.seed);
        free = draw_free(pool.range, *in_use, grants.size(), random);
        listed = true;
      }
      if (listed) {
        if (!free.empty()) {
          mac = free.back();
          free.pop_back();
        }
      } else {
        mac = proposer.next();
      }
      if (!mac)
        return failed(Kind::kRefused,
                      fmt::format("The pool {} has no address left; nothing was allocated.", pool.name));
      entry.mac = *mac;
      entry.owner = grant.owner;
      const auto claimed = claim(entry, request.now);
      if (!claimed) return std::unexpected(claimed.error());
      done = *claimed;
      if (!done) ++misses;
    }
    grant.mac = entry.mac;
  }
  if (policy != Policy::kSequence) return {};
  return move_->bind(1, static_cast<std::int64_t>(entry.mac.bits + 1)).bind(2, pool.name).run();
}

Outcome<std::optional<std::string>> SqliteRegistry::record_of(const std::string& key, Seconds now) {
  if (auto done = db_.run(kRequestTable); !done) return std::unexpected(done.error());
  auto row = Statement::prepare(db_, "SELECT answer FROM request WHERE key = ? AND until > ?");
  if (!row) return std::unexpected(row.error());
  const auto there = row->bind(1, key).bind(2, now).step();
  if (!there) return std::unexpected(there.error());
  return *there ? std::optional(row->text(0)) : std::nullopt;
}

// Those that are over go on the way, a few at a time.
Outcome<void> SqliteRegistry::keep_record(const Request& request, const std::vector<Grant>& grants) {
  auto over = Statement::prepare(
      db_, "DELETE FROM request WHERE key IN (SELECT key FROM request WHERE until <= ? LIMIT 4)");
  if (!over) return std::unexpected(over.error());
  if (auto done = over->bind(1, request.now).run(); !done) return done;
  auto put = Statement::prepare(db_, "INSERT OR REPLACE INTO request(key, answer, until) VALUES(?,?,?)");
  if (!put) return std::unexpected(put.error());
  const std::string record = to_record(request, grants);
  return put->bind(1, request.key).bind(2, record).bind(3, request.now + kKeyKept).run();
}

Outcome<std::vector<Grant>> SqliteRegistry::allocate(const Request& request) {
  auto transaction = Transaction::begin(db_);
  if (!transaction) return std::unexpected(transaction.error());
  const auto known = pools();
  if (!known) return std::unexpected(known.error());
  if (!request.key.empty()) {
    const auto record = record_of(request.key, request.now);
    if (!record) return std::unexpected(record.error());
    if (*record) return answer_again(request, **record, *this);
  }
  const auto pool = pool_of(request, *known);
  if (!pool) return std::unexpected(pool.error());
  std::vector<Grant> grants(request.count);
  for (std::size_t i = 0; i < request.owners.size(); ++i) {
    grants[i].owner = request.owners[i];
    auto kept = keep(request.owners[i], request, *pool);
    if (!kept) return std::unexpected(kept.error());
    if (*kept) grants[i] = **kept;
  }
  const bool all_there = std::ranges::all_of(grants, &Grant::was_there);
  if (!all_there) {
    if (auto done = draw(request, *pool, grants); !done) return std::unexpected(done.error());
  }
  if (!request.key.empty()) {
    if (auto done = keep_record(request, grants); !done) return std::unexpected(done.error());
  }
  if (auto done = transaction->commit(); !done) return std::unexpected(done.error());
  return grants;
}

// ---------------------------------------------------------------- the rest

Outcome<void> SqliteRegistry::add(const Entry& entry, Seconds now) {
  if (const std::string why = why_not(entry.mac); entry.mac.is_zero() || entry.mac.is_group())
    return failed(Kind::kRefused, fmt::format("{} can't be reserved: {}.", wire::to_text(entry.mac), why));
  if (entry.owner.known()) {
    const auto has = of_owner(entry.owner);
    if (!has) return std::unexpected(has.error());
    if (*has && (*has)->mac == entry.mac) return {};
    if (*has) return failed(Kind::kRefused, fmt::format("{}; an owner has one address.", describe(**has)));
  }
  const auto claimed = claim(entry, now);
  if (!claimed) return std::unexpected(claimed.error());
  if (*claimed) return {};
  const auto holder = lookup(entry.mac);
  if (!holder) return std::unexpected(holder.error());
  const bool is_repeated = *holder && (*holder)->state == State::kReserved && !entry.token.empty() &&
                           (*holder)->token == entry.token;
  if (is_repeated) return {};
  // Whoever gave it back may have it again, whether the quarantine is over or not.
  if (*holder && (*holder)->state == State::kFreed && entry.owner.known() &&
      (*holder)->owner == entry.owner) {
    bind(*update_, entry);
    return update_->run();
  }
  return failed(Kind::kRefused, *holder ? describe(**holder) + "." : "It is taken.");
}

Outcome<void> SqliteRegistry::reserve(std::span<const Entry> entries) {
  auto transaction = Transaction::begin(db_);
  if (!transaction) return std::unexpected(transaction.error());
  const auto known = pools();
  if (!known) return std::unexpected(known.error());
  for (Entry entry : entries) {
    const auto at = std::ranges::find_if(*known, [&](const Pool& p) { return p.range.contains(entry.mac); });
    entry.pool = at == known->end() ? "" : at->name;
    entry.state = State::kReserved;
    if (auto done = add(entry, entry.since); !done) return done;
  }
  return transaction->commit();
}

Outcome<Entry> SqliteRegistry::held(Mac mac) {
  const auto entry = lookup(mac);
  if (!entry) return std::unexpected(entry.error());
  if (!*entry) return failed(Kind::kRefused, fmt::format("{} is not in the registry.", wire::to_text(mac)));
  if ((*entry)->state == State::kFreed) return failed(Kind::kRefused, describe(**entry) + ".");
  return **entry;
}

Outcome<Seconds> SqliteRegistry::quarantine_of(const std::string& pool) {
  const auto known = pools();
  if (!known) return std::unexpected(known.error());
  const auto at = std::ranges::find(*known, pool, &Pool::name);
  return at == known->end() ? kQuarantine : at->quarantine;
}

Outcome<void> SqliteRegistry::release(std::span<const Mac> macs, Seconds now) {
  auto transaction = Transaction::begin(db_);
  if (!transaction) return std::unexpected(transaction.error());
  for (const Mac mac : macs) {
    auto entry = held(mac);
    if (!entry) return std::unexpected(entry.error());
    const auto quarantine = quarantine_of(entry->pool);
    if (!quarantine) return std::unexpected(quarantine.error());
    entry->state = State::kFreed;
    entry->since = now;
    entry->until = 0;
    entry->free_at = now + *quarantine;
    bind(*update_, *entry);
    if (auto done = update_->run(); !done) return done;
  }
  return transaction->commit();
}

Outcome<void> SqliteRegistry::renew(std::span<const Mac> macs, Seconds lease, Seconds now) {
  auto transaction = Transaction::begin(db_);
  if (!transaction) return std::unexpected(transaction.error());
  for (const Mac mac : macs) {
    auto entry = held(mac);
    if (!entry) return std::unexpected(entry.error());
    if (entry->state != State::kAllocated)
      return failed(Kind::kRefused, describe(*entry) + "; only what is allocated has a lease.");
    const auto quarantine = quarantine_of(entry->pool);
    if (!quarantine) return std::unexpected(quarantine.error());
    entry->until = lease == 0 ? 0 : now + lease;
    entry->free_at = lease == 0 ? 0 : entry->until + *quarantine;
    bind(*update_, *entry);
    if (auto done = update_->run(); !done) return done;
  }
  return transaction->commit();
}

Outcome<std::optional<Entry>> SqliteRegistry::lookup(Mac mac) {
  lookup_->bind(1, static_cast<std::int64_t>(mac.bits));
  const auto row = lookup_->step();
  if (!row) return std::unexpected(row.error());
  std::optional<Entry> entry;
  if (*row) entry = entry_of(*lookup_);
  lookup_->reset();
  return entry;
}

Outcome<void> SqliteRegistry::list(const Filter& filter, const std::function<void(const Entry&)>& each) {
  // What a machine has now is found by the index of owners.
  const bool of_machine = !filter.owner.manager.empty() && !filter.owner.machine.empty() && filter.state &&
                          *filter.state != State::kFreed;
  auto rows = Statement::prepare(
      db_,
      fmt::format(
          "SELECT {} FROM mac WHERE (?1 = '' OR pool = ?1) AND {} AND (?4 = '' OR nic = ?4) AND mac > ?6 "
          "ORDER BY mac LIMIT ?7",
          kColumns,
          of_machine ? "manager = ?2 AND machine = ?3 AND state = ?5 AND state < 2 AND machine <> ''"
                     : "(?2 = '' OR manager = ?2) AND (?3 = '' OR machine = ?3) AND (?5 < 0 OR state = ?5)"));
  if (!rows) return std::unexpected(rows.error());
  rows->bind(1, filter.pool)
      .bind(2, filter.owner.manager)
      .bind(3, filter.owner.machine)
      .bind(4, filter.owner.nic)
      .bind(5, filter.state ? static_cast<std::int64_t>(*filter.state) : -1)
      .bind(6, static_cast<std::int64_t>(filter.after.bits))
      .bind(7, filter.limit == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(filter.limit));
  for (;;) {
    const auto row = rows->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    each(entry_of(*rows));
  }
}

// SQLite tells that others have written (https://www.sqlite.org/pragma.html#pragma_data_version), not what.
Outcome<void> SqliteRegistry::follow(const Filter& filter, const std::function<void(const Change&)>& each,
                                     const std::function<bool()>& stop) {
  Follower follower(filter, each);
  std::optional<std::int64_t> seen;
  for (; !stop(); std::this_thread::sleep_for(kLook)) {
    if (auto there = still_there(); !there) return there;
    const auto version = db_.number("PRAGMA data_version");
    if (!version) return std::unexpected(version.error());
    if (seen == *version) continue;
    std::vector<Entry> entries;
    if (auto done = list({}, [&](const Entry& e) { entries.push_back(e); }); !done) return done;
    follower.is_all(entries);
    seen = *version;
  }
  return {};
}

// A file that was removed or replaced goes on to exist for whoever has it open; what is written there is
// lost.
Outcome<void> SqliteRegistry::still_there() {
  if (!db_.has_moved()) return {};
  return failed(Kind::kDamaged, "The file of the registry was removed or replaced; nothing was changed.");
}

Outcome<void> SqliteRegistry::together(const std::function<void()>& work) {
  if (auto there = still_there(); !there) return there;
  auto transaction = Transaction::begin_group(db_);
  if (!transaction) return std::unexpected(transaction.error());
  work();
  return transaction->commit();
}

}  // namespace

Outcome<std::unique_ptr<Registry>> open_sqlite_registry(const std::string& path) {
  if (auto sound = check_sqlite_file(path); !sound) return std::unexpected(sound.error());
  auto database = Database::open(path, false);
  if (!database) return std::unexpected(database.error());
  auto registry = std::make_unique<SqliteRegistry>(std::move(*database));
  if (auto done = registry->prepare(path); !done) return std::unexpected(done.error());
  return registry;
}

Outcome<std::unique_ptr<Registry>> create_sqlite_registry(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    if (auto made = create_sqlite_file(path); !made) return std::unexpected(made.error());
  }
  return open_sqlite_registry(path);
}

}  // namespace sekimori::macs
