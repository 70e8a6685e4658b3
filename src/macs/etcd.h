// A client of etcd's JSON gateway (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/), as far as a
// registry needs it: ranges, transactions, leases.
//
// A request goes to one member of the cluster at a time. What can't have arrived is tried at the next. What
// may have arrived and was not answered (a timeout, a broken connection, a change of leader) is sent again,
// too: callers only send what may be sent twice, transactions that begin with a comparison and mark what
// they write with a token. Only when the time is up the outcome is unknown.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "macs/registry.h"

namespace sekimori::macs {

using Json = nlohmann::json;

// How a client shows who it is, and knows its server. Files in PEM; what is empty is not used.
struct EtcdAccess {
  std::string cacert{};       // who may sign the server's certificate (default: whom the system trusts)
  std::string cert{}, key{};  // the client's own
  std::string user{}, password{};
};

struct EtcdAddress {
  std::vector<std::pair<std::string, int>> members;  // host and port
  std::string prefix;                                // of all keys, without slashes at its ends
  bool has_tls = false;
  EtcdAccess access{};
};
// "etcd://host:port[,host:port...][/prefix]", or "etcds://..." with TLS; the prefix is "sekimori/macs" unless
// given.
base::Result<EtcdAddress> parse_etcd_address(std::string_view url);

struct EtcdKey {
  std::string key, value;
  std::int64_t mod_revision = 0;
};

class Etcd {
 public:
  // How long a request is tried altogether.
  static constexpr std::int64_t kPatienceMs = 20'000;

  explicit Etcd(const EtcdAddress& address, std::int64_t patience_ms = kPatienceMs);
  Etcd(Etcd&&) noexcept;
  ~Etcd();

  // Keys from `first` to before `end` (empty: just the one), at most `limit`, as of `revision` (0: now, which
  // is then set). `more`: there are further ones.
  Outcome<std::vector<EtcdKey>> range(std::string_view first, std::string_view end, int limit,
                                      std::int64_t& revision, bool& more);
  Outcome<std::optional<EtcdKey>> get(std::string_view key);

  // Parts of a transaction.
  static Json absent(std::string_view key);
  static Json unchanged(std::string_view key, std::int64_t mod_revision);  // 0: absent
  static Json put(std::string_view key, std::string_view value, std::int64_t lease = 0);
  static Json remove(std::string_view key);
  static Json read(std::string_view key);

  struct Answer {
    bool done = false;                         // all comparisons held
    std::vector<std::optional<EtcdKey>> keys;  // of the reads, in order
  };
  static constexpr std::size_t kMostOperations = 100;  // etcd's --max-txn-ops is 128
  // If all of `compare` hold, `then`, else `otherwise`, in one step.
  Outcome<Answer> transaction(Json compare, Json then, Json otherwise);

  Outcome<std::int64_t> grant_lease(Seconds ttl);

  struct Event {
    EtcdKey key;           // without value when it is gone
    bool is_gone = false;  // removed, or its lease has ended
  };
  // What happens to the keys from `first` to before `end` from `revision` on, which is kept up with. Until
  // `stop`, or an error. False: what happened since `revision` is not known any more (etcd has compacted it).
  Outcome<bool> watch(std::string_view first, std::string_view end, std::int64_t& revision,
                      const std::function<void(const Event&)>& each, const std::function<bool()>& stop);

 private:
  struct Members;
  Outcome<Json> call(const char* path, const Json& body, bool writes);
  Outcome<void> log_in();
  std::unique_ptr<Members> members_;
  std::chrono::milliseconds patience_;
};

}  // namespace sekimori::macs
