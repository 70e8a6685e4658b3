// The registry: who has which address. One interface, two stores with the same guarantees:
//
//   sqlite_registry.h   a file on one machine, for all of its processes
//   etcd_registry.h     an etcd cluster, for a fleet
//
// What both promise: allocate() answers an address only after its record is durable, and a record is created
// only where none is that counts (create-if-absent, decided by the store in one atomic step). So two answers
// never hold the same address, whatever dies in between. What may happen instead is a leak: a client that is
// killed between the record and its answer leaves a record that nobody knows of. With an owner it is found
// again by asking again: an owner has one address, and gets the same one each time.
//
// An address that is released is held back for the quarantine of its pool, as ARP tables and DHCP servers
// remember it.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "macs/pool.h"

namespace sekimori::macs {

// A NIC of a machine of a manager. The machine is named by the id that its manager has for it, so that two
// machines stay two whatever they are called.
struct Owner {
  std::string manager, machine, nic;
  bool known() const { return !machine.empty(); }
  friend auto operator<=>(const Owner&, const Owner&) = default;
};
std::string to_text(const Owner& owner);                 // "vc1/vm-7/net0"
base::Result<Owner> parse_owner(std::string_view text);  // the first two slashes separate
// "manager", "manager/machine" or "manager/machine/nic", for a Filter.
Owner owner_prefix(std::string_view text);

enum class State : std::uint8_t { kAllocated, kReserved, kFreed };
std::string_view to_text(State state);
std::optional<State> state_of(std::string_view word);

struct Entry {
  Mac mac{};
  State state = State::kAllocated;
  std::string pool{};  // empty: reserved outside of every pool
  Owner owner{};
  std::string note{};
  std::string token{};  // of the request that made it
  Seconds since = 0;
  Seconds until = 0;    // the end of its lease; 0: it has none
  Seconds free_at = 0;  // from then on it may be given again; 0: not until it is released
  friend bool operator==(const Entry&, const Entry&) = default;
};

struct Failure {
  enum class Kind : std::uint8_t {
    kRefused,      // asked for something that cannot be: taken, unknown, a pool that is full or overlaps
    kDamaged,      // there is no registry, or it is damaged, or of another version; nothing was changed
    kUnavailable,  // the store cannot be reached or written; nothing was changed
    kUnknown,      // the store did not answer: it may be done or not
  };
  Kind kind;
  std::string what;  // a whole sentence
};
template <class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> failed(Failure::Kind kind, std::string what) {
  return std::unexpected(Failure{kind, std::move(what)});
}

struct Request {
  std::string pool{};              // empty: the only one there is
  std::optional<Policy> policy{};  // nothing: the pool's
  std::size_t count = 1;
  std::vector<Owner> owners{};  // as many as count, or none
  Seconds lease = 0;            // 0: until it is released
  Seconds now = 0;
  std::uint64_t seed = 0;  // of a random policy
  std::string token{};     // unique to this request
  // What the client calls this request. One that is repeated within kKeyKept gets the first answer again, and
  // nothing more is allocated; another request by the same name is refused. Empty: it has no name.
  std::string key{};
};
constexpr Seconds kKeyKept = 86'400;

struct Grant {
  Mac mac;
  Owner owner;
  bool was_there = false;  // the owner had it before
};

// Which entries; what is empty matches all.
struct Filter {
  std::string pool{};
  Owner owner{};
  std::optional<State> state{};
  Mac after{};            // only larger ones
  std::size_t limit = 0;  // the first so many; 0: all
};

bool matches(const Filter& filter, const Entry& entry);  // but for `after` and `limit`

// What somebody who follows a registry is told.
struct Change {
  enum class Kind : std::uint8_t {
    kThere,  // from the beginning
    kSet,    // new, or changed
    kGone,   // removed, given back for good, or what it is now does not match any more
  } kind = Kind::kSet;
  Entry entry{};
};
std::string_view to_text(Change::Kind kind);

class Registry {
 public:
  virtual ~Registry() = default;

  virtual Outcome<std::vector<Pool>> pools() = 0;
  virtual Outcome<void> add_pool(const Pool& pool) = 0;
  // Refused as long as addresses of it are given.
  virtual Outcome<void> remove_pool(std::string_view name) = 0;

  // All of them or none.
  virtual Outcome<std::vector<Grant>> allocate(const Request& request) = 0;
  // Records that these addresses are in use (mac, owner, note, since). All or none; what the same owner holds
  // already, or the same request (token) has recorded, is no conflict.
  virtual Outcome<void> reserve(std::span<const Entry> entries) = 0;
  // All or none; each must be allocated or reserved.
  virtual Outcome<void> release(std::span<const Mac> macs, Seconds now) = 0;
  // Begins the lease of an allocated address anew.
  virtual Outcome<void> renew(std::span<const Mac> macs, Seconds lease, Seconds now) = 0;

  virtual Outcome<std::optional<Entry>> lookup(Mac mac) = 0;
  // By address.
  virtual Outcome<void> list(const Filter& filter, const std::function<void(const Entry&)>& each) = 0;

  // Tells all that is there, and then what changes, whoever changes it, until `stop` is true. Changes of one
  // entry that follow one another closely may be told as one.
  virtual Outcome<void> follow(const Filter& filter, const std::function<void(const Change&)>& each,
                               const std::function<bool()>& stop) = 0;

  // An error: what is opened here is no longer the registry that others open.
  virtual Outcome<void> still_there() { return {}; }

  // What `work` does with this registry becomes durable at once, when this returns; each of its steps is all
  // or none as before. After an error none of them is done, whatever they answered. Stores that join the
  // requests of all clients by themselves just run it.
  virtual Outcome<void> together(const std::function<void()>& work) {
    work();
    return {};
  }
};

// The pool a request means, and whether the request makes sense. Shared by the stores.
Outcome<Pool> pool_of(const Request& request, std::span<const Pool> pools);

// "02:.. is allocated to vc1/vm-7/net0 since 2026-11-25 12:00:00 UTC"
std::string describe(const Entry& entry);
std::string time_text(Seconds time);

}  // namespace sekimori::macs
