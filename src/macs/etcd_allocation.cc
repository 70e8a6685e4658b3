// Allocation from a registry in etcd: addresses are proposed by the pool's policy, and a transaction takes as
// many as nobody else took meanwhile.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "macs/allocator.h"
#include "macs/etcd_store.h"
#include "macs/once.h"

namespace sekimori::macs {

using Kind = Failure::Kind;

namespace {
constexpr std::size_t kMissesAllowed = 5;  // per address, before the free ones are listed
}

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

}  // namespace sekimori::macs
