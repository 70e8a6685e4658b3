// The verbs `mac ...`.
#include <memory>

#include "cli/declare.h"
#include "cli/mac.h"

namespace sekimori::cli {
namespace {

constexpr const char* kWhere = "Who has which address: a file, or etcd://HOST:PORT[,HOST:PORT...]/PREFIX";

CLI::Option* add_registry(CLI::App& app, RegistryArguments& registry, const char* description = kWhere) {
  auto* option = app.add_option("--registry", registry.where, description)->type_name("REGISTRY");
  app.add_option("--cacert", registry.cacert, "Who may sign the certificate of etcd (etcds://...)")
      ->type_name("FILE");
  app.add_option("--cert", registry.cert, "Certificate to show etcd")->type_name("FILE");
  app.add_option("--key", registry.key, "Its key")->type_name("FILE");
  app.add_option("--user", registry.user, "User of etcd")->type_name("NAME");
  app.add_option("--password-file", registry.password_file, "The user's password")->type_name("FILE");
  return option;
}

void add_registry(CLI::App& app, MacOutput& output) {
  add_registry(app, output.registry)->required();
  app.add_flag("--json{-}", output.json,
               "JSON (docs/macs.md) to stdout instead of text, or to FILE besides it")
      ->type_name("FILE");
}

void add_macs(CLI::App& app, std::vector<std::string>& macs, bool required) {
  auto* option = app.add_option("MAC", macs, "Addresses, in any notation")->type_name("MAC...");
  if (required) option->required();
}

void add_policy(CLI::App& app, std::optional<macs::Policy>& policy, const std::string& description) {
  app.add_option_function<std::string>(
         "--policy", [&policy](const std::string& word) { policy = macs::policy_of(word); }, description)
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(macs::kPolicies), std::end(macs::kPolicies))))
      ->type_name("POLICY");
}

void add_sources(CLI::App& app, std::vector<std::string>& sources, RegistryArguments& registry) {
  app.add_option(
         "SOURCE", sources,
         "What import reads: exports, folders of them, host:local, ssh:NAME; site files; CSV with a column "
         "mac; lists of MACs; - is standard input")
      ->required()
      ->type_name("SOURCE...");
  add_registry(app, registry, "Compare with who has which address there");
}

}  // namespace

Action declare_mac_audit(CLI::App& app) {
  auto a = std::make_shared<MacAuditArguments>();
  add_sources(app, a->sources, a->registry);
  add_report(app, a->report);
  return [a] { return mac_audit(*a); };
}

Action declare_mac_fix(CLI::App& app) {
  auto a = std::make_shared<MacFixArguments>();
  add_sources(app, a->sources, a->registry);
  app.add_option(
         "--manager", a->managers,
         "How NAME changes addresses: libvirt, virtualbox, proxmox, kubevirt, vmware, hyperv or linux "
         "(default: by its name); repeatable")
      ->type_name("NAME=KIND")
      ->allow_extra_args(false);
  app.add_flag("--json{-}", a->json,
               "Plan as JSON (docs/macs.md) to stdout instead of text, or to FILE besides it")
      ->type_name("FILE");
  return [a] { return mac_fix(*a); };
}

Action declare_mac_hook_libvirt(CLI::App& app) {
  auto a = std::make_shared<MacHookArguments>();
  app.add_option("WORD", a->words, "What libvirt calls the hook with: GUEST OPERATION SUB-OPERATION EXTRA")
      ->required()
      ->type_name("WORD...");
  add_registry(app, a->registry)->required();
  app.add_flag("--warn", a->warn_only, "Tell of a duplicate, but let the guest start");
  app.add_flag("--strict", a->strict, "Refuse also when the registry or the XML can't be read");
  return [a] { return mac_hook_libvirt(*a); };
}

Action declare_mac_serve(CLI::App& app) {
  auto a = std::make_shared<MacServeArguments>();
  add_registry(app, a->registry)->required();
  app.add_option("--listen", a->listen, "Where (default: 127.0.0.1:8470); port 0 is any that is free")
      ->type_name("ADDRESS:PORT");
  app.add_option("--token-file", a->token_file,
                 "Answer only who sends the token in FILE; needed beyond loopback addresses")
      ->type_name("FILE");
  return [a] { return mac_serve(*a); };
}

Action declare_mac_allocate(CLI::App& app) {
  auto a = std::make_shared<MacAllocateArguments>();
  add_registry(app, a->output);
  app.add_option("--count", a->count, "How many (default: 1, or one for each owner)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000}))
      ->type_name("N");
  app.add_option("--pool", a->pool, "From which pool (default: the only one)")->type_name("POOL");
  add_policy(app, a->policy, "random, sequence or derived from the owner's name (default: the pool's)");
  app.add_option("--owner", a->owners,
                 "Whom it is for, MANAGER/MACHINE/NIC; repeatable. An owner keeps its address")
      ->type_name("OWNER")
      ->allow_extra_args(false);
  add_duration(app, "--lease", "T", "Give it for this long, unless renewed (default: until it is released)",
               [a](base::Duration d) { a->lease = d; });
  return [a] { return mac_allocate(*a); };
}

Action declare_mac_reserve(CLI::App& app) {
  auto a = std::make_shared<MacReserveArguments>();
  add_macs(app, a->macs, false);
  add_registry(app, a->output);
  app.add_option("--from", a->from,
                 "Reserve all addresses of an inventory (CSV, list of MACs) for their owners")
      ->type_name("FILE");
  app.add_option("--owner", a->owner, "Who has it, MANAGER/MACHINE/NIC")->type_name("OWNER");
  app.add_option("--note", a->note, "Why, for whoever looks it up")->type_name("TEXT");
  return [a] { return mac_reserve(*a); };
}

Action declare_mac_release(CLI::App& app) {
  auto a = std::make_shared<MacReleaseArguments>();
  add_macs(app, a->macs, false);
  add_registry(app, a->output);
  app.add_option("--owner", a->owner, "All addresses of MANAGER, MANAGER/MACHINE or MANAGER/MACHINE/NIC")
      ->type_name("OWNER");
  return [a] { return mac_release(*a); };
}

Action declare_mac_renew(CLI::App& app) {
  auto a = std::make_shared<MacRenewArguments>();
  add_macs(app, a->macs, true);
  add_registry(app, a->output);
  add_duration(app, "--lease", "T", "From now on for this long (default: until it is released)",
               [a](base::Duration d) { a->lease = d; });
  return [a] { return mac_renew(*a); };
}

Action declare_mac_lookup(CLI::App& app) {
  auto a = std::make_shared<MacLookupArguments>();
  add_macs(app, a->macs, true);
  add_registry(app, a->output);
  return [a] { return mac_lookup(*a); };
}

Action declare_mac_list(CLI::App& app) {
  auto a = std::make_shared<MacListArguments>();
  add_registry(app, a->output);
  app.add_option("--pool", a->pool, "Only of this pool")->type_name("POOL");
  app.add_option("--owner", a->owner, "Only of MANAGER, MANAGER/MACHINE or MANAGER/MACHINE/NIC")
      ->type_name("OWNER");
  app.add_option_function<std::string>(
         "--state", [a](const std::string& word) { a->state = macs::state_of(word); },
         "Only allocated, reserved or freed ones")
      ->check(CLI::IsMember({"allocated", "reserved", "freed"}))
      ->type_name("STATE");
  app.add_flag("--follow", a->follow,
               "Go on until Ctrl-C: a line of JSON for what is there, then for each change");
  app.add_flag("--csv{-}", a->csv,
               "CSV, as `mac reserve --from` and `mac audit` read it, to stdout or to FILE")
      ->type_name("FILE");
  return [a] { return mac_list(*a); };
}

Action declare_mac_pool_add(CLI::App& app) {
  auto a = std::make_shared<MacPoolArguments>();
  app.add_option("NAME", a->name, "What to call it")->required()->type_name("NAME");
  app.add_option("RANGE", a->range, "02:ab:00:00:00:00/24 or FIRST-LAST")->required()->type_name("RANGE");
  add_registry(app, a->output);
  add_policy(app, a->policy, "random (default), sequence or derived from the owner's name");
  add_duration(app, "--quarantine", "T", "How long a freed address is kept back (default: 24h)",
               [a](base::Duration d) { a->quarantine = d; });
  return [a] { return mac_pool_add(*a); };
}

Action declare_mac_pool_list(CLI::App& app) {
  auto a = std::make_shared<MacPoolArguments>();
  add_registry(app, a->output);
  return [a] { return mac_pool_list(*a); };
}

Action declare_mac_pool_remove(CLI::App& app) {
  auto a = std::make_shared<MacPoolArguments>();
  app.add_option("NAME", a->name, "Which")->required()->type_name("NAME");
  add_registry(app, a->output);
  return [a] { return mac_pool_remove(*a); };
}

}  // namespace sekimori::cli
