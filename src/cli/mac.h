// sekimori mac ...: MACs that cannot collide. Each verb has its arguments and a function that runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"
#include "cli/report_output.h"
#include "macs/etcd.h"
#include "macs/registry.h"

namespace sekimori::cli {

struct RegistryArguments {
  std::string where;  // a file, or etcd://host:port/prefix
  std::string cacert, cert, key, user, password_file;
};
struct MacOutput {
  RegistryArguments registry;
  std::string json;  // as in OutputArguments
};

struct MacAllocateArguments {
  MacOutput output;
  std::uint64_t count = 1;
  std::string pool;
  std::optional<macs::Policy> policy;
  std::vector<std::string> owners;
  std::optional<base::Duration> lease;
};
struct MacReserveArguments {
  MacOutput output;
  std::vector<std::string> macs;
  std::string owner, note, from;
};
struct MacReleaseArguments {
  MacOutput output;
  std::vector<std::string> macs;
  std::string owner;
};
struct MacRenewArguments {
  MacOutput output;
  std::vector<std::string> macs;
  std::optional<base::Duration> lease;
};
struct MacLookupArguments {
  MacOutput output;
  std::vector<std::string> macs;
};
struct MacListArguments {
  MacOutput output;
  std::string pool, owner, csv;
  bool follow = false;
  std::optional<macs::State> state;
};
struct MacPoolArguments {
  MacOutput output;
  std::string name, range;
  std::optional<macs::Policy> policy;
  std::optional<base::Duration> quarantine;
};

struct MacAuditArguments {
  std::vector<std::string> sources;
  RegistryArguments registry;
  ReportArguments report;
};
struct MacFixArguments {
  std::vector<std::string> sources;
  RegistryArguments registry;
  std::vector<std::string> managers;  // NAME=KIND
  std::string json;
};

struct MacServeArguments {
  RegistryArguments registry;
  std::string listen = "127.0.0.1:8470", token_file;
};

struct MacHookArguments {
  RegistryArguments registry;
  std::vector<std::string> words;  // GUEST OPERATION SUB-OPERATION EXTRA
  bool warn_only = false, strict = false;
};

int mac_hook_libvirt(const MacHookArguments& arguments);
int mac_serve(const MacServeArguments& arguments);
int mac_audit(const MacAuditArguments& arguments);
int mac_fix(const MacFixArguments& arguments);
int mac_allocate(const MacAllocateArguments& arguments);
int mac_reserve(const MacReserveArguments& arguments);
int mac_release(const MacReleaseArguments& arguments);
int mac_renew(const MacRenewArguments& arguments);
int mac_lookup(const MacLookupArguments& arguments);
int mac_list(const MacListArguments& arguments);
int mac_pool_add(const MacPoolArguments& arguments);
int mac_pool_list(const MacPoolArguments& arguments);
int mac_pool_remove(const MacPoolArguments& arguments);

// What the verbs share.
Step<std::unique_ptr<macs::Registry>> open_registry(const RegistryArguments& arguments, bool create = false);
Step<macs::EtcdAccess> access_of(const RegistryArguments& arguments);
// The one line of a file of secrets.
Step<std::string> read_secret(const std::string& path, std::size_t least, std::string_view what);
Stop stop_of(const macs::Failure& failure);
macs::Seconds unix_time();
Step<wire::Mac> parse_mac_argument(const std::string& text);

}  // namespace sekimori::cli
