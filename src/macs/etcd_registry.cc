#include "macs/etcd_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "macs/etcd_store.h"
#include "macs/follow.h"
#include "macs/sqlite_registry.h"
#include "sys/entropy.h"

namespace sekimori::macs {
namespace {

using Kind = Failure::Kind;

constexpr std::string_view kVersion = "1";
constexpr int kPage = 2000;  // keys of one range

}  // namespace

Outcome<void> EtcdRegistry::prepare(bool create) {
  auto version = etcd_.get(prefix_ + "version");
  if (!version) return std::unexpected(version.error());
  if (!*version && create) {
    const std::string key = prefix_ + "version";
    const auto made = etcd_.transaction({Etcd::absent(key)}, {Etcd::put(key, kVersion)}, Json::array());
    if (!made) return std::unexpected(made.error());
    version = etcd_.get(key);
    if (!version) return std::unexpected(version.error());
  }
  if (!*version)
    return failed(
        Kind::kDamaged,
        fmt::format("etcd has no registry below {}; \"sekimori mac pool add\" makes one with its first pool.",
                    prefix_));
  if ((*version)->value != kVersion)
    return failed(
        Kind::kDamaged,
        fmt::format("The registry below {} is of version {}, this program knows {}; it is left alone.",
                    prefix_, (*version)->value, kVersion));
  return {};
}

Outcome<std::vector<std::optional<EtcdKey>>> EtcdRegistry::read(const std::vector<std::string>& keys) {
  std::vector<std::optional<EtcdKey>> found;
  for (std::size_t at = 0; at < keys.size(); at += Etcd::kMostOperations) {
    Json reads = Json::array();
    for (std::size_t i = at; i < std::min(keys.size(), at + Etcd::kMostOperations); ++i)
      reads.push_back(Etcd::read(keys[i]));
    auto answer = etcd_.transaction(Json::array(), std::move(reads), Json::array());
    if (!answer) return std::unexpected(answer.error());
    std::ranges::move(answer->keys, std::back_inserter(found));
  }
  return found;
}

Outcome<void> EtcdRegistry::each_key(const std::string& first, const std::string& end,
                                     const std::function<Outcome<bool>(const EtcdKey&)>& each,
                                     std::int64_t* as_of) {
  std::int64_t revision = 0;
  std::string from = first;
  for (bool more = true; more;) {
    const auto keys = etcd_.range(from, end, kPage, revision, more);
    if (!keys) return std::unexpected(keys.error());
    if (as_of != nullptr) *as_of = revision;
    for (const EtcdKey& key : *keys) {
      const auto further = each(key);
      if (!further) return std::unexpected(further.error());
      if (!*further) return {};
    }
    if (keys->empty()) break;
    from = keys->back().key + '\0';
  }
  return {};
}

// ---------------------------------------------------------------- pools

Outcome<std::vector<Pool>> EtcdRegistry::pools(std::int64_t& revision) {
  const auto counter = etcd_.get(prefix_ + "pools");
  if (!counter) return std::unexpected(counter.error());
  revision = *counter ? (*counter)->mod_revision : 0;
  std::vector<Pool> pools;
  const std::string first = prefix_ + "pool/";
  auto done = each_key(first, after(first), [&](const EtcdKey& key) -> Outcome<bool> {
    auto pool = to_pool(key);
    if (!pool) return std::unexpected(pool.error());
    pools.push_back(std::move(*pool));
    return true;
  });
  if (!done) return std::unexpected(done.error());
  std::ranges::sort(pools, {}, [](const Pool& p) { return p.range.first; });
  return pools;
}

Outcome<std::vector<Pool>> EtcdRegistry::pools() {
  std::int64_t ignored = 0;
  return pools(ignored);
}

// The counter was read before the pools: if it is unchanged when they are written, so were they.
Outcome<void> EtcdRegistry::add_pool(const Pool& pool) {
  if (auto sound = check_pool(pool); !sound) return failed(Kind::kRefused, sound.error().what);
  const std::string token = sys::random_token(), counter = prefix_ + "pools";
  for (int round = 0; round < kRounds; ++round) {
    std::int64_t revision = 0;
    const auto others = pools(revision);
    if (!others) return std::unexpected(others.error());
    if (auto apart = check_overlap(*others, pool); !apart) return failed(Kind::kRefused, apart.error().what);
    const auto answer = etcd_.transaction(
        {Etcd::unchanged(counter, revision)},
        {Etcd::put(counter, token), Etcd::put(prefix_ + "pool/" + pool.name, to_value(pool))},
        {Etcd::read(counter)});
    if (!answer) return std::unexpected(answer.error());
    if (answer->done || (!answer->keys.empty() && answer->keys[0] && answer->keys[0]->value == token))
      return {};
  }
  return failed(Kind::kUnavailable, "Others keep changing the pools; nothing was changed. Try again.");
}

Outcome<void> EtcdRegistry::remove_pool(std::string_view name) {
  const std::string token = sys::random_token(), counter = prefix_ + "pools",
                    key = prefix_ + "pool/" + std::string(name);
  for (int round = 0; round < kRounds; ++round) {
    std::int64_t revision = 0;
    const auto all = pools(revision);
    if (!all) return std::unexpected(all.error());
    if (std::ranges::find(*all, name, &Pool::name) == all->end())
      return failed(Kind::kRefused, fmt::format("There is no pool {}.", name));
    std::size_t left = 0;
    const auto count = [&](const Entry& e) { left += e.state != State::kFreed ? 1 : 0; };
    if (auto done = list({.pool = std::string(name)}, count); !done) return done;
    if (left > 0)
      return failed(Kind::kRefused,
                    fmt::format("The pool {} has {} addresses in use; release them first.", name, left));
    const auto answer = etcd_.transaction(
        {Etcd::unchanged(counter, revision)},
        {Etcd::put(counter, token), Etcd::remove(key), Etcd::remove(prefix_ + "next/" + std::string(name))},
        {Etcd::read(counter)});
    if (!answer) return std::unexpected(answer.error());
    if (answer->done || (!answer->keys.empty() && answer->keys[0] && answer->keys[0]->value == token))
      return {};
  }
  return failed(Kind::kUnavailable, "Others keep changing the pools; nothing was changed. Try again.");
}

// ---------------------------------------------------------------- changes

Outcome<std::int64_t> EtcdRegistry::lease_for(const Entry& entry, Seconds now) {
  if (entry.free_at == 0 || entry.free_at <= now) return 0;
  return etcd_.grant_lease(entry.free_at - now);
}

void EtcdRegistry::add(const Replacement& change, std::int64_t lease, Json& compare, Json& then) const {
  const Entry &before = change.before, &next = change.next;
  compare.push_back(Etcd::unchanged(mac_key(next.mac), change.revision));
  then.push_back(Etcd::put(mac_key(next.mac), to_value(next), lease));
  const bool had = change.revision != 0 && before.state != State::kFreed && before.owner.known();
  const bool has = next.state != State::kFreed && next.owner.known();
  if (had && (!has || before.owner != next.owner)) then.push_back(Etcd::remove(owner_key(before.owner)));
  if (has) {
    if (!had || before.owner != next.owner) compare.push_back(Etcd::absent(owner_key(next.owner)));
    then.push_back(Etcd::put(owner_key(next.owner), wire::to_text(next.mac), lease));
  }
}

Outcome<bool> EtcdRegistry::apply(std::span<const Replacement> changes, Seconds now, const Json& also,
                                  std::size_t& done) {
  constexpr std::size_t kAtOnce = Etcd::kMostOperations / 3;  // a change has three operations at most
  for (done = 0; done < changes.size();) {
    const auto part = changes.subspan(done, std::min(kAtOnce, changes.size() - done));
    const auto lease = lease_for(part.front().next, now);
    if (!lease) return std::unexpected(lease.error());
    Json compare = Json::array(), then = also;
    for (const Replacement& change : part) add(change, *lease, compare, then);
    const auto answer =
        etcd_.transaction(std::move(compare), std::move(then), {Etcd::read(mac_key(part.front().next.mac))});
    if (!answer) return std::unexpected(answer.error());
    // Sent twice, done the first time: the first key holds what was to be written. A transaction is done as
    // a whole.
    const bool ours = !answer->done && !answer->keys.empty() && answer->keys[0] &&
                      answer->keys[0]->value == to_value(part.front().next) &&
                      !part.front().next.token.empty() &&
                      answer->keys[0]->mod_revision != part.front().revision;
    if (!answer->done && !ours) return false;
    done += part.size();
  }
  return true;
}

Outcome<std::vector<Replacement>> EtcdRegistry::held(std::span<const Mac> macs) {
  std::vector<std::string> keys;
  for (const Mac mac : macs) keys.push_back(mac_key(mac));
  const auto found = read(keys);
  if (!found) return std::unexpected(found.error());
  std::vector<Replacement> changes;
  for (std::size_t i = 0; i < macs.size(); ++i) {
    if (!(*found)[i])
      return failed(Kind::kRefused, fmt::format("{} is not in the registry.", wire::to_text(macs[i])));
    auto entry = to_entry(*(*found)[i]);
    if (!entry) return std::unexpected(entry.error());
    if (entry->state == State::kFreed) return failed(Kind::kRefused, describe(*entry) + ".");
    changes.push_back({*entry, *entry, (*found)[i]->mod_revision});
  }
  return changes;
}

// Up to kAtOnce addresses are one transaction; more are several, each all or none.
Outcome<void> EtcdRegistry::change_all(
    std::span<const Mac> macs, Seconds now,
    const std::function<Outcome<void>(Entry&, const std::vector<Pool>&)>& edit) {
  const auto known = pools();
  if (!known) return std::unexpected(known.error());
  std::vector<Mac> left;
  for (const Mac mac : macs) {
    if (std::ranges::find(left, mac) == left.end()) left.push_back(mac);
  }
  for (int round = 0; round < kRounds; ++round) {
    auto changes = held(left);
    if (!changes) return std::unexpected(changes.error());
    for (Replacement& change : *changes) {
      if (auto done = edit(change.next, *known); !done) return done;
    }
    std::size_t done = 0;
    const auto all = apply(*changes, now, Json::array(), done);
    if (!all) return std::unexpected(all.error());
    if (*all) return {};
    left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(done));
  }
  return failed(Kind::kUnavailable, "Others keep changing these entries. Try again.");
}

namespace {

Seconds quarantine_of(const std::string& pool, const std::vector<Pool>& pools) {
  const auto at = std::ranges::find(pools, pool, &Pool::name);
  return at == pools.end() ? kQuarantine : at->quarantine;
}

}  // namespace

Outcome<void> EtcdRegistry::release(std::span<const Mac> macs, Seconds now) {
  return change_all(macs, now, [&](Entry& e, const std::vector<Pool>& known) -> Outcome<void> {
    e.state = State::kFreed;
    e.since = now;
    e.until = 0;
    e.free_at = now + quarantine_of(e.pool, known);
    return {};
  });
}

Outcome<void> EtcdRegistry::renew(std::span<const Mac> macs, Seconds lease, Seconds now) {
  return change_all(macs, now, [&](Entry& e, const std::vector<Pool>& known) -> Outcome<void> {
    if (e.state != State::kAllocated)
      return failed(Kind::kRefused, describe(e) + "; only what is allocated has a lease.");
    e.until = lease == 0 ? 0 : now + lease;
    e.free_at = lease == 0 ? 0 : e.until + quarantine_of(e.pool, known);
    return {};
  });
}

Outcome<void> EtcdRegistry::reserve(std::span<const Entry> entries) {
  const auto known = pools();
  if (!known) return std::unexpected(known.error());
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::string> keys;
    for (const Entry& e : entries) {
      if (e.mac.is_zero() || e.mac.is_group())
        return failed(Kind::kRefused,
                      fmt::format("{} can't be reserved: {}.", wire::to_text(e.mac), why_not(e.mac)));
      keys.push_back(mac_key(e.mac));
    }
    for (const Entry& e : entries) keys.push_back(e.owner.known() ? owner_key(e.owner) : mac_key(e.mac));
    const auto found = read(keys);
    if (!found) return std::unexpected(found.error());
    std::vector<Replacement> changes;
    std::set<Mac> seen;
    std::set<Owner> owners;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      Replacement change{{}, entries[i], 0};
      Entry& next = change.next;
      const auto pool =
          std::ranges::find_if(*known, [&](const Pool& p) { return p.range.contains(next.mac); });
      next.pool = pool == known->end() ? "" : pool->name;
      next.state = State::kReserved;
      const auto& owned = (*found)[entries.size() + i];
      if (next.owner.known() && owned && owned->value != wire::to_text(next.mac))
        return failed(Kind::kRefused, fmt::format("{} has {} already; an owner has one address.",
                                                  to_text(next.owner), owned->value));
      if (next.owner.known() && owned) continue;
      if (!seen.insert(next.mac).second)
        return failed(Kind::kRefused, fmt::format("{} is named twice.", wire::to_text(next.mac)));
      if (next.owner.known() && !owners.insert(next.owner).second)
        return failed(Kind::kRefused,
                      fmt::format("{} is named twice; an owner has one address.", to_text(next.owner)));
      if (const auto& there = (*found)[i]) {
        auto before = to_entry(*there);
        if (!before) return std::unexpected(before.error());
        if (before->state == State::kReserved && !next.token.empty() && before->token == next.token) continue;
        const bool its_own =
            before->state == State::kFreed && next.owner.known() && before->owner == next.owner;
        const bool over = before->free_at != 0 && before->free_at <= next.since;
        if (!its_own && !over) return failed(Kind::kRefused, describe(*before) + ".");
        change.before = *before;
        change.revision = there->mod_revision;
      }
      changes.push_back(std::move(change));
    }
    if (changes.empty()) return {};
    std::size_t done = 0;
    const auto all = apply(changes, changes.front().next.since, Json::array(), done);
    if (!all) return std::unexpected(all.error());
    if (*all) return {};
    if (done > 0)
      return failed(Kind::kUnavailable,
                    fmt::format("Others were faster at {}; what comes before it is reserved.",
                                wire::to_text(changes[done].next.mac)));
  }
  return failed(Kind::kUnavailable, "Others keep changing these entries; nothing was changed. Try again.");
}

// ---------------------------------------------------------------- reading

Outcome<std::optional<Entry>> EtcdRegistry::lookup(Mac mac) {
  const auto key = etcd_.get(mac_key(mac));
  if (!key) return std::unexpected(key.error());
  if (!*key) return std::optional<Entry>();
  auto entry = to_entry(**key);
  if (!entry) return std::unexpected(entry.error());
  return std::optional(std::move(*entry));
}

// By the keys of owners, which are few.
Outcome<void> EtcdRegistry::list_of_machine(const Filter& filter,
                                            const std::function<void(const Entry&)>& each) {
  const std::string first = owner_key({filter.owner.manager, filter.owner.machine, ""});
  std::vector<std::string> keys;
  auto found = each_key(first, after(first), [&](const EtcdKey& key) -> Outcome<bool> {
    keys.push_back(prefix_ + "mac/" + key.value);
    return true;
  });
  if (!found) return found;
  std::ranges::sort(keys);
  const auto entries = read(keys);
  if (!entries) return std::unexpected(entries.error());
  std::size_t told = 0;
  for (const auto& key : *entries) {
    if (!key) continue;
    const auto e = to_entry(*key);
    if (!e) return std::unexpected(e.error());
    if ((!filter.pool.empty() && filter.pool != e->pool) || e->state != *filter.state ||
        e->mac <= filter.after || (!filter.owner.nic.empty() && filter.owner.nic != e->owner.nic))
      continue;
    each(*e);
    if (++told == filter.limit) return {};
  }
  return {};
}

Outcome<void> EtcdRegistry::list(const Filter& filter, const std::function<void(const Entry&)>& each) {
  if (!filter.owner.manager.empty() && !filter.owner.machine.empty() && filter.state &&
      *filter.state != State::kFreed)
    return list_of_machine(filter, each);
  const std::string all = prefix_ + "mac/";
  const std::string first = filter.after.is_zero() ? all : mac_key(filter.after) + '\0';
  std::size_t found = 0;
  return each_key(first, after(all), [&](const EtcdKey& key) -> Outcome<bool> {
    const auto e = to_entry(key);
    if (!e) return std::unexpected(e.error());
    if (matches(filter, *e)) {
      each(*e);
      ++found;
    }
    return filter.limit == 0 || found < filter.limit;
  });
}

// What etcd tells of its keys, from the revision of the list on; a list again when that is too long ago.
Outcome<void> EtcdRegistry::follow(const Filter& filter, const std::function<void(const Change&)>& each,
                                   const std::function<bool()>& stop) {
  Follower follower(filter, each);
  const std::string first = prefix_ + "mac/";
  while (!stop()) {
    std::vector<Entry> entries;
    std::int64_t revision = 0;
    const auto keep = [&](const EtcdKey& key) -> Outcome<bool> {
      auto entry = to_entry(key);
      if (!entry) return std::unexpected(entry.error());
      entries.push_back(std::move(*entry));
      return true;
    };
    if (auto done = each_key(first, after(first), keep, &revision); !done) return done;
    follower.is_all(entries);
    ++revision;
    const auto tell = [&](const Etcd::Event& event) {
      const auto mac = wire::parse_mac(std::string_view(event.key.key).substr(first.size()));
      if (event.is_gone && mac) follower.gone(*mac);
      if (event.is_gone) return;
      if (const auto entry = to_entry(event.key)) follower.set(*entry);
    };
    const auto watched = etcd_.watch(first, after(first), revision, tell, stop);
    if (!watched) return std::unexpected(watched.error());
  }
  return {};
}

namespace {

Outcome<std::unique_ptr<Registry>> open_at(std::string_view url, bool create, const EtcdAccess& access,
                                           std::int64_t patience_ms) {
  auto address = parse_etcd_address(url);
  if (!address) return failed(Kind::kRefused, address.error().what);
  if (!address->has_tls && !(access.cacert.empty() && access.cert.empty() && access.key.empty()))
    return failed(Kind::kRefused, fmt::format("Certificates are for etcds://, and this is {}.", url));
  if (access.cert.empty() != access.key.empty())
    return failed(Kind::kRefused,
                  "A certificate of the client's needs its key, and the key its certificate.");
  address->access = access;
  auto registry = std::make_unique<EtcdRegistry>(*address, patience_ms);
  if (auto done = registry->prepare(create); !done) return std::unexpected(done.error());
  return registry;
}

Outcome<void> without_access(const EtcdAccess& access) {
  if (access.cacert.empty() && access.cert.empty() && access.key.empty() && access.user.empty()) return {};
  return failed(Kind::kRefused, "Certificates and users are for registries in etcd, and this is a file.");
}

}  // namespace

bool is_etcd(std::string_view where) { return where.starts_with("etcd:") || where.starts_with("etcds:"); }

Outcome<std::unique_ptr<Registry>> open_etcd_registry(std::string_view url, const EtcdAccess& access,
                                                      std::int64_t patience_ms) {
  return open_at(url, false, access, patience_ms);
}
Outcome<std::unique_ptr<Registry>> create_etcd_registry(std::string_view url, const EtcdAccess& access) {
  return open_at(url, true, access, Etcd::kPatienceMs);
}

Outcome<std::unique_ptr<Registry>> open_registry(const std::string& where, const EtcdAccess& access) {
  if (is_etcd(where)) return open_etcd_registry(where, access);
  if (auto sound = without_access(access); !sound) return std::unexpected(sound.error());
  return open_sqlite_registry(where);
}
Outcome<std::unique_ptr<Registry>> create_registry(const std::string& where, const EtcdAccess& access) {
  if (is_etcd(where)) return create_etcd_registry(where, access);
  if (auto sound = without_access(access); !sound) return std::unexpected(sound.error());
  return create_sqlite_registry(where);
}

}  // namespace sekimori::macs
