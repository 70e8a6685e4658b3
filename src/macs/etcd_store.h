// The registry of etcd_registry.h as its two files see it: etcd_registry.cc reads and changes,
// etcd_allocation.cc hands out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "macs/etcd.h"
#include "macs/etcd_records.h"
#include "macs/registry.h"

namespace sekimori::macs {

// For transactions that others were faster than.
inline constexpr int kRounds = 50;
inline constexpr const char* kMeanwhile = "Another client sent the same request at the same time.";

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

}  // namespace sekimori::macs
