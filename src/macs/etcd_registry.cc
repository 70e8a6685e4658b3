#include "macs/etcd_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/random.h"
#include "macs/allocator.h"
#include "macs/etcd.h"
#include "macs/follow.h"
#include "macs/once.h"
#include "macs/sqlite_registry.h"
#include "sys/entropy.h"

namespace sekimori::macs {
namespace {

using Kind = Failure::Kind;

constexpr std::string_view kVersion = "1";
constexpr int kPage = 2000;                // keys of one range
constexpr int kRounds = 50;                // of trying again after others were faster
constexpr std::size_t kMissesAllowed = 5;  // per address, before the free ones are listed
constexpr const char* kMeanwhile = "Another client sent the same request at the same time.";

// ---------------------------------------------------------------- values

std::string to_value(const Entry& e) {
  Json json = {{"state", to_text(e.state)}, {"since", e.since}, {"token", e.token}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  add("pool", e.pool);
  add("manager", e.owner.manager);
  add("machine", e.owner.machine);
  add("nic", e.owner.nic);
  add("note", e.note);
  if (e.until != 0) json["until"] = e.until;
  if (e.free_at != 0) json["free_at"] = e.free_at;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class T>
T field(const Json& json, const char* name) {
  const auto at = json.find(name);
  if (at == json.end()) return {};
  if constexpr (std::is_same_v<T, std::string>)
    return at->is_string() ? at->get<std::string>() : "";
  else
    return at->is_number() ? at->get<T>() : T{};
}

Outcome<Json> parsed(const EtcdKey& key) {
  Json json = Json::parse(key.value, nullptr, false);
  if (!json.is_object())
    return failed(Kind::kDamaged,
                  fmt::format("etcd: the key {} does not hold what a registry writes.", key.key));
  return json;
}

Outcome<Entry> to_entry(const EtcdKey& key) {
  const auto json = parsed(key);
  if (!json) return std::unexpected(json.error());
  const auto mac = wire::parse_mac(std::string_view(key.key).substr(key.key.rfind('/') + 1));
  const auto state = state_of(field<std::string>(*json, "state"));
  if (!mac || !state)
    return failed(Kind::kDamaged,
                  fmt::format("etcd: the key {} does not hold what a registry writes.", key.key));
  Entry e{.mac = *mac, .state = *state, .pool = field<std::string>(*json, "pool")};
  e.owner = {field<std::string>(*json, "manager"), field<std::string>(*json, "machine"),
             field<std::string>(*json, "nic")};
  e.note = field<std::string>(*json, "note");
  e.token = field<std::string>(*json, "token");
  e.since = field<Seconds>(*json, "since");
  e.until = field<Seconds>(*json, "until");
  e.free_at = field<Seconds>(*json, "free_at");
  return e;
}

std::string to_value(const Pool& pool) {
  return Json{{"first", wire::to_text(pool.range.first)},
              {"last", wire::to_text(pool.range.last)},
              {"policy", to_text(pool.policy)},
              {"quarantine", pool.quarantine}}
      .dump();
}

Outcome<Pool> to_pool(const EtcdKey& key) {
  const auto json = parsed(key);
  if (!json) return std::unexpected(json.error());
  const auto first = wire::parse_mac(field<std::string>(*json, "first")),
             last = wire::parse_mac(field<std::string>(*json, "last"));
  const auto policy = policy_of(field<std::string>(*json, "policy"));
  Pool pool{key.key.substr(key.key.rfind('/') + 1), {}};
  if (first && last) pool.range = {*first, *last};
  if (policy) pool.policy = *policy;
  pool.quarantine = field<Seconds>(*json, "quarantine");
  if (!first || !last || !policy || !check_pool(pool))
    return failed(Kind::kDamaged, fmt::format("etcd: the key {} does not hold a pool.", key.key));
  return pool;
}

// A machine may be called "namespace/vm"; its key must not be that of another.
std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == '/' ? "%2F" : c == '%' ? "%25" : std::string(1, c);
  return out;
}

std::string after(std::string prefix) {  // the end of the range of keys that begin with it
  ++prefix.back();
  return prefix;
}

// ---------------------------------------------------------------- the registry

// An entry as it was read, and the one that is to take its place.
struct Replacement {
  Entry before, next;
  std::int64_t revision = 0;  // of the entry's key; 0: there was none
};

class EtcdRegistry final : public Registry {
 public:
  EtcdRegistry(const EtcdAddress& address, std::int64_t patience_ms)
      : etcd_(address, patience_ms), prefix_(address.prefix + "/") {}
  Outcome<void> prepare(bool create);

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

 private:
  std::string mac_key(Mac mac) const { return prefix_ + "mac/" + wire::to_text(mac); }
  std::string owner_key(const Owner& owner) const {
    return prefix_ + "owner/" + escaped(owner.manager) + "/" + escaped(owner.machine) + "/" +
           escaped(owner.nic);
  }
  Outcome<std::vector<Pool>> pools(std::int64_t& revision);
  Outcome<std::vector<std::optional<EtcdKey>>> read(const std::vector<std::string>& keys);
  // Until `each` answers false.
  Outcome<void> each_key(const std::string& first, const std::string& end,
                         const std::function<Outcome<bool>(const EtcdKey&)>& each,
                         std::int64_t* as_of = nullptr);

  // The parts of a transaction that makes a change; the lease is that of the entry, if it ends.
  void add(const Replacement& change, std::int64_t lease, Json& compare, Json& then) const;
  // All changes in transactions as large as etcd allows. False: one of the keys had changed, nothing of that
  // transaction is done; `done` counts the changes of those before.
  Outcome<bool> apply(std::span<const Replacement> changes, Seconds now, const Json& also, std::size_t& done);
  Outcome<std::int64_t> lease_for(const Entry& entry, Seconds now);
  Outcome<std::vector<Replacement>> held(std::span<const Mac> macs);
  Outcome<void> change_all(std::span<const Mac> macs, Seconds now,
                           const std::function<Outcome<void>(Entry&, const std::vector<Pool>&)>& edit);

  // Allocation:
  Outcome<void> keep(const Request& request, const Pool& pool, std::vector<Grant>& grants);
  Outcome<void> claim(const Request& request, const Pool& pool, std::vector<Grant>& grants, std::size_t from,
                      std::size_t to, class Source& source);
  Outcome<void> list_of_machine(const Filter& filter, const std::function<void(const Entry&)>& each);
  void undo(const std::vector<Grant>& grants, const std::string& token);
  std::string request_key(const Request& request) const {
    return prefix_ + "request/" + escaped(request.key);
  }
  friend class Source;

  Etcd etcd_;
  std::string prefix_;
};

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

Seconds quarantine_of(const std::string& pool, const std::vector<Pool>& pools) {
  const auto at = std::ranges::find(pools, pool, &Pool::name);
  return at == pools.end() ? kQuarantine : at->quarantine;
}

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

// ---------------------------------------------------------------- allocation

// Addresses to be tried: what the policy proposes, then, when that has missed too often, what is free.
class Source {
 public:
  Source(EtcdRegistry& registry, const Request& request, const Pool& pool, Policy policy, Mac from)
      : registry_(registry),
        request_(request),
        pool_(pool),
        policy_(policy),
        proposer_(policy == Policy::kSequence ? Proposer::sequence(pool.range, from)
                                              : Proposer::random(pool.range, request.seed)) {}

  // For a derived one, each owner begins anew.
  void begin(const Owner& owner) {
    if (policy_ == Policy::kDerived) proposer_ = Proposer::derived(pool_.range, to_text(owner));
  }
  void missed() { ++misses_; }

  Outcome<std::optional<Mac>> next() {
    if (policy_ != Policy::kDerived && !listed_ && misses_ > kMissesAllowed * request_.count) {
      if (auto done = list_free(); !done) return std::unexpected(done.error());
    }
    if (!listed_) return proposer_.next();
    if (free_.empty()) return std::optional<Mac>();
    const Mac mac = free_.back();
    free_.pop_back();
    return std::optional(mac);
  }

 private:
  Outcome<void> list_free() {
    std::vector<Mac> taken;
    const auto keep = [&](const EtcdKey& key) -> Outcome<bool> {
      const auto entry = to_entry(key);
      if (!entry) return std::unexpected(entry.error());
      if (entry->free_at == 0 || entry->free_at > request_.now) taken.push_back(entry->mac);
      return true;
    };
    const std::string end = registry_.mac_key(pool_.range.last) + '\0';
    if (auto done = registry_.each_key(registry_.mac_key(pool_.range.first), end, keep); !done) return done;
    base::Random random(request_.seed);
    free_ = draw_free(pool_.range, taken, request_.count * 4, random);  // others draw, too
    listed_ = true;
    return {};
  }

  EtcdRegistry& registry_;
  const Request& request_;
  const Pool& pool_;
  Policy policy_;
  Proposer proposer_;
  std::vector<Mac> free_;
  bool listed_ = false;
  std::size_t misses_ = 0;
};

// What owners have already, their leases begun anew.
Outcome<void> EtcdRegistry::keep(const Request& request, const Pool& pool, std::vector<Grant>& grants) {
  std::vector<std::string> keys;
  for (const Owner& owner : request.owners) keys.push_back(owner_key(owner));
  const auto found = read(keys);
  if (!found) return std::unexpected(found.error());
  for (std::size_t i = 0; i < grants.size(); ++i) {
    grants[i].owner = request.owners[i];
    if (!(*found)[i]) continue;
    const auto mac = wire::parse_mac((*found)[i]->value);
    if (!mac)
      return failed(Kind::kDamaged,
                    fmt::format("etcd: the key {} does not hold an address.", (*found)[i]->key));
    const auto entry = lookup(*mac);
    if (!entry) return std::unexpected(entry.error());
    if (!*entry) continue;  // released this moment
    if (!request.pool.empty() && (*entry)->pool != pool.name)
      return failed(Kind::kRefused, fmt::format("{}; release it before one of the pool {} is allocated.",
                                                describe(**entry), pool.name));
    if ((*entry)->state == State::kAllocated && ((*entry)->until != 0 || request.lease != 0)) {
      if (auto done = renew(std::vector{*mac}, request.lease, request.now); !done) return done;
    }
    grants[i].mac = *mac;
    grants[i].was_there = true;
  }
  return {};
}

// One transaction's worth of grants: candidates for all, in one step; those that others have are replaced.
Outcome<void> EtcdRegistry::claim(const Request& request, const Pool& pool, std::vector<Grant>& grants,
                                  std::size_t from, std::size_t to, Source& source) {
  Entry entry{.pool = pool.name, .token = request.token, .since = request.now};
  entry.until = request.lease == 0 ? 0 : request.now + request.lease;
  entry.free_at = request.lease == 0 ? 0 : entry.until + pool.quarantine;
  const auto lease = lease_for(entry, request.now);
  if (!lease) return std::unexpected(lease.error());
  Outcome<std::int64_t> record_lease = 0;
  if (to == grants.size() && !request.key.empty()) record_lease = etcd_.grant_lease(kKeyKept);
  if (!record_lease) return std::unexpected(record_lease.error());
  std::vector<Replacement> changes(to - from);
  std::vector<bool> needs(to - from);
  std::set<Mac> tried;  // derived ones of two owners may coincide
  for (std::size_t i = 0; i < needs.size(); ++i) needs[i] = !grants[from + i].was_there;
  for (;;) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (!needs[i]) continue;
      source.begin(grants[from + i].owner);
      for (;;) {
        const auto mac = source.next();
        if (!mac) return std::unexpected(mac.error());
        if (!*mac)
          return failed(Kind::kRefused,
                        fmt::format("The pool {} has no address left; nothing was allocated.", pool.name));
        if (!tried.insert(**mac).second) continue;
        entry.mac = **mac;
        break;
      }
      entry.owner = grants[from + i].owner;
      changes[i] = {{}, entry, 0};
      needs[i] = false;
    }
    Json compare = Json::array(), then = Json::array(), reads = Json::array();
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (grants[from + i].was_there) continue;
      add(changes[i], *lease, compare, then);
      reads.push_back(Etcd::read(mac_key(changes[i].next.mac)));
      if (entry.owner.known()) reads.push_back(Etcd::read(owner_key(changes[i].next.owner)));
    }
    if (compare.empty()) return {};
    const bool is_last = to == grants.size();
    if (is_last && !request.key.empty()) {  // what was answered, with the last of the addresses
      std::vector<Grant> all = grants;
      for (std::size_t i = from; i < to; ++i) {
        if (!all[i].was_there) all[i].mac = changes[i - from].next.mac;
      }
      compare.push_back(Etcd::absent(request_key(request)));
      then.push_back(Etcd::put(request_key(request), to_record(request, all), *record_lease));
      reads.push_back(Etcd::read(request_key(request)));
    }
    if (request.policy.value_or(pool.policy) == Policy::kSequence)
      then.push_back(
          Etcd::put(prefix_ + "next/" + pool.name, wire::to_text(Mac{changes.back().next.mac.bits + 1})));
    const auto answer = etcd_.transaction(std::move(compare), std::move(then), std::move(reads));
    if (!answer) return std::unexpected(answer.error());
    if (!answer->done && is_last && !request.key.empty() && !answer->keys.empty() && answer->keys.back() &&
        !answer->keys.back()->value.contains(request.token))
      return failed(Kind::kRefused, kMeanwhile);
    std::size_t at = 0;
    bool ours = false;
    for (std::size_t i = 0; i < changes.size() && !answer->done; ++i) {
      if (grants[from + i].was_there) continue;
      const auto& there = answer->keys[at++];
      const auto* const owned = entry.owner.known() ? &answer->keys[at++] : nullptr;
      if (there) {
        auto before = to_entry(*there);
        if (!before) return std::unexpected(before.error());
        if (before->token == request.token && before->state != State::kFreed) {
          ours = true;  // sent twice, done the first time, as a whole
          break;
        }
        if (before->free_at != 0 && before->free_at <= request.now) {
          changes[i].before = *before;
          changes[i].revision = there->mod_revision;
        } else {
          needs[i] = true;
          source.missed();
        }
      } else {
        changes[i].before = {};
        changes[i].revision = 0;
      }
      if (owned != nullptr && *owned && owned->value().value != wire::to_text(changes[i].next.mac)) {
        // Another request for this owner was faster: it has one address.
        grants[from + i].mac = *wire::parse_mac((*owned)->value);
        grants[from + i].was_there = true;
        needs[i] = false;
      }
    }
    if (!answer->done && !ours) continue;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (!grants[from + i].was_there) grants[from + i].mac = changes[i].next.mac;
    }
    return {};
  }
}

// What the first transactions of a request wrote when a later one could not; nobody has been told of it.
void EtcdRegistry::undo(const std::vector<Grant>& grants, const std::string& token) {
  std::vector<std::string> keys;
  for (const Grant& grant : grants) {
    if (!grant.was_there && !grant.mac.is_zero()) keys.push_back(mac_key(grant.mac));
  }
  const auto found = read(keys);
  if (!found) return;
  Json compare = Json::array(), then = Json::array();
  const auto send = [&] {
    if (then.empty()) return;
    [[maybe_unused]] const auto ignored = etcd_.transaction(
        std::exchange(compare, Json::array()), std::exchange(then, Json::array()), Json::array());
  };
  for (const auto& key : *found) {
    const auto entry = key ? to_entry(*key) : Outcome<Entry>(std::unexpected(Failure{}));
    if (!entry || entry->token != token) continue;
    compare.push_back(Etcd::unchanged(key->key, key->mod_revision));
    then.push_back(Etcd::remove(key->key));
    if (entry->owner.known()) then.push_back(Etcd::remove(owner_key(entry->owner)));
    if (then.size() + 2 > Etcd::kMostOperations) send();
  }
  send();
}

Outcome<std::vector<Grant>> EtcdRegistry::allocate(const Request& request) {
  if (!request.key.empty()) {
    const auto record = etcd_.get(request_key(request));
    if (!record) return std::unexpected(record.error());
    if (*record) return answer_again(request, (*record)->value, *this);
  }
  const auto known = pools();
  if (!known) return std::unexpected(known.error());
  const auto pool = pool_of(request, *known);
  if (!pool) return std::unexpected(pool.error());
  std::vector<Grant> grants(request.count);
  if (!request.owners.empty()) {
    if (auto done = keep(request, *pool, grants); !done) return std::unexpected(done.error());
  }
  const Policy policy = request.policy.value_or(pool->policy);
  Mac from{};
  if (policy == Policy::kSequence) {
    const auto hint = etcd_.get(prefix_ + "next/" + pool->name);
    if (!hint) return std::unexpected(hint.error());
    if (*hint) from = wire::parse_mac((*hint)->value).value_or(Mac{});
  }
  Source source(*this, request, *pool, policy, from);
  const std::size_t at_once = request.owners.empty() ? Etcd::kMostOperations - 2 : Etcd::kMostOperations / 3;
  for (std::size_t i = 0; i < grants.size(); i += at_once) {
    auto done = claim(request, *pool, grants, i, std::min(grants.size(), i + at_once), source);
    if (done) continue;
    undo(grants, request.token);
    if (done.error().what == kMeanwhile) return allocate(request);  // finds the answer of the other
    // A part may be there all the same.
    if (i > 0 && done.error().kind == Kind::kUnavailable) done.error().kind = Kind::kUnknown;
    return std::unexpected(done.error());
  }
  return grants;
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
