#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "cli/mac.h"
#include "cli/mac_sources.h"
#include "macs/etcd_registry.h"
#include "macs/registry_json.h"
#include "report/typeset.h"
#include "sys/entropy.h"
#include "sys/signals.h"

namespace sekimori::cli {
namespace {

using Json = nlohmann::ordered_json;
using macs::Entry;

// What a verb tells, as text on stdout and as JSON where that was asked for.
class Answer {
 public:
  static Step<Answer> prepare(const MacOutput& output) {
    Answer answer(output.registry.where);
    if (output.json.empty()) return answer;
    auto file = answer.outputs_.open(output.json);
    if (!file) return std::unexpected(file.error());
    answer.json_.emplace(std::move(*file));
    return answer;
  }

  Step<void> tell(std::string_view text, const Json& json) {
    if (!outputs_.uses_stdout() && !text.empty()) {
      if (auto done = print(text); !done) return done;
    }
    if (!json_) return {};
    Json all = {{"sekimori_mac", 1}};
    all.update(json);
    return finish(*json_, all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  }

 private:
  explicit Answer(const std::string& registry) : outputs_(registry) {}
  Outputs outputs_;
  std::optional<sys::OutputFile> json_;
};

macs::Seconds seconds_of(const std::optional<base::Duration>& duration) {
  if (!duration) return 0;
  return std::chrono::ceil<std::chrono::seconds>(*duration).count();
}

Step<std::vector<wire::Mac>> parse_macs(const std::vector<std::string>& texts) {
  std::vector<wire::Mac> macs;
  for (const std::string& text : texts) {
    const auto mac = parse_mac_argument(text);
    if (!mac) return std::unexpected(mac.error());
    macs.push_back(*mac);
  }
  return macs;
}

Step<std::vector<Entry>> entries_of(macs::Registry& registry, const macs::Filter& filter) {
  std::vector<Entry> entries;
  if (auto done = registry.list(filter, [&](const Entry& e) { entries.push_back(e); }); !done)
    return std::unexpected(stop_of(done.error()));
  return entries;
}

// Opens the registry and the outputs, and runs what the verb is about.
template <class Work>
int run(const MacOutput& output, bool create, Work work) {
  const auto whole = [&]() -> Step<int> {
    auto answer = Answer::prepare(output);
    if (!answer) return std::unexpected(answer.error());
    auto registry = open_registry(output.registry, create);
    if (!registry) return std::unexpected(registry.error());
    return work(**registry, *answer);
  };
  const auto exit = whole();
  return exit ? *exit : complain(exit.error());
}

Step<int> finished(const Step<void>& told) {
  if (!told) return std::unexpected(told.error());
  return kClean;
}

}  // namespace

Stop stop_of(const macs::Failure& failure) {
  using enum macs::Failure::Kind;
  const bool is_input = failure.kind == kRefused || failure.kind == kDamaged;
  return {is_input ? kBadInput : kFailed, failure.what};
}

macs::Seconds unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Step<wire::Mac> parse_mac_argument(const std::string& text) {
  const auto mac = wire::parse_mac(text);
  if (!mac) return stop(kBadInput, fmt::format("\"{}\" is no MAC address; write 02:ab:00:00:00:07.", text));
  return *mac;
}

Step<std::string> read_secret(const std::string& path, std::size_t least, std::string_view what) {
  constexpr std::size_t kMost = 4096;  // bytes
  std::ifstream file(path);
  std::string line(kMost + 1, '\0');
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(file.gcount()));
  std::error_code ignored;
  if (line.empty() && !std::filesystem::is_regular_file(path, ignored))
    return stop(kBadInput, fmt::format("{}: can't be read; it should hold {}.", path, what));
  const std::string_view secret = base::trim(std::string_view(line).substr(0, line.find('\n')));
  const bool is_printable = std::ranges::all_of(secret, [](char c) { return c > ' ' && c < 0x7f; });
  if (secret.size() < least || secret.size() > kMost || !is_printable)
    return stop(kBadInput, fmt::format("{}: {} is {} to {} printable ASCII characters without spaces.", path,
                                       what, least, kMost));
  return std::string(secret);
}

Step<macs::EtcdAccess> access_of(const RegistryArguments& a) {
  macs::EtcdAccess access{a.cacert, a.cert, a.key, a.user, ""};
  if (a.user.empty() != a.password_file.empty())
    return stop(kBadInput, "--user and --password-file go together.");
  for (const std::string& path : {a.cacert, a.cert, a.key}) {
    if (!path.empty() && !std::ifstream(path))
      return stop(kBadInput, fmt::format("{}: can't be read.", path));
  }
  if (a.password_file.empty()) return access;
  auto password = read_secret(a.password_file, 1, "a password");
  if (!password) return std::unexpected(password.error());
  access.password = std::move(*password);
  return access;
}

Step<std::unique_ptr<macs::Registry>> open_registry(const RegistryArguments& arguments, bool create) {
  const auto access = access_of(arguments);
  if (!access) return std::unexpected(access.error());
  const std::string& where = arguments.where;
  auto registry = create ? macs::create_registry(where, *access) : macs::open_registry(where, *access);
  if (!registry) return std::unexpected(stop_of(registry.error()));
  return std::move(*registry);
}

int mac_allocate(const MacAllocateArguments& a) {
  macs::Request request;
  request.count = a.count;
  if (!a.owners.empty() && a.count == 1) request.count = a.owners.size();
  request.pool = a.pool;
  request.policy = a.policy;
  request.lease = seconds_of(a.lease);
  request.now = unix_time();
  request.seed = sys::random_number();
  request.token = sys::random_token();
  for (const std::string& text : a.owners) {
    auto owner = macs::parse_owner(text);
    if (!owner) return complain(Stop{kBadInput, "--owner: " + owner.error().what});
    request.owners.push_back(std::move(*owner));
  }
  return run(a.output, false, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    const auto grants = registry.allocate(request);
    if (!grants) return std::unexpected(stop_of(grants.error()));
    std::string text;
    for (const macs::Grant& grant : *grants) text += wire::to_text(grant.mac) + "\n";
    return finished(answer.tell(text, {{"allocated", macs::to_json(*grants)}}));
  });
}

int mac_reserve(const MacReserveArguments& a) {
  if (a.macs.empty() == a.from.empty())
    return complain(Stop{kBadInput, "mac reserve needs addresses, or an inventory with --from FILE."});
  if (!a.owner.empty() && a.macs.size() != 1)
    return complain(Stop{kBadInput, "--owner: an owner has one address; name one MAC with it."});
  return run(a.output, false, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    std::vector<Entry> entries;
    if (!a.from.empty()) {
      const auto inventory = read_inventories({a.from});
      if (!inventory) return std::unexpected(inventory.error());
      for (const macs::Nic& nic : inventory->nics)
        entries.push_back({.mac = nic.mac, .owner = inventory->owner_of(nic)});
      for (const std::string& line : omission_texts(*inventory)) complain(line);
    }
    const auto macs = parse_macs(a.macs);
    if (!macs) return std::unexpected(macs.error());
    for (const wire::Mac mac : *macs) entries.push_back({.mac = mac});
    if (!a.owner.empty()) {
      auto owner = macs::parse_owner(a.owner);
      if (!owner) return stop(kBadInput, "--owner: " + owner.error().what);
      entries.back().owner = std::move(*owner);
    }
    const macs::Seconds now = unix_time();
    const std::string token = sys::random_token();
    for (Entry& e : entries) {
      e.note = a.note.empty() ? e.note : a.note;
      e.since = now;
      e.token = token;
    }
    if (auto done = registry.reserve(entries); !done) return std::unexpected(stop_of(done.error()));
    return finished(answer.tell("", {{"reserved", entries.size()}}));
  });
}

int mac_release(const MacReleaseArguments& a) {
  if (a.macs.empty() == a.owner.empty())
    return complain(Stop{kBadInput, "mac release needs addresses, or --owner."});
  return run(a.output, false, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    auto macs = parse_macs(a.macs);
    if (!macs) return std::unexpected(macs.error());
    if (!a.owner.empty()) {
      const auto entries = entries_of(registry, {.owner = macs::owner_prefix(a.owner)});
      if (!entries) return std::unexpected(entries.error());
      for (const Entry& e : *entries) {
        if (e.state != macs::State::kFreed) macs->push_back(e.mac);
      }
      if (macs->empty()) return stop(kBadInput, fmt::format("Nothing is held by {}.", a.owner));
    }
    if (auto done = registry.release(*macs, unix_time()); !done)
      return std::unexpected(stop_of(done.error()));
    Json list = Json::array();
    for (const wire::Mac mac : *macs) list.push_back(wire::to_text(mac));
    return finished(answer.tell("", {{"released", std::move(list)}}));
  });
}

int mac_renew(const MacRenewArguments& a) {
  return run(a.output, false, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    const auto macs = parse_macs(a.macs);
    if (!macs) return std::unexpected(macs.error());
    if (auto done = registry.renew(*macs, seconds_of(a.lease), unix_time()); !done)
      return std::unexpected(stop_of(done.error()));
    return finished(answer.tell("", {{"renewed", macs->size()}}));
  });
}

int mac_lookup(const MacLookupArguments& a) {
  return run(a.output, false, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    const auto macs = parse_macs(a.macs);
    if (!macs) return std::unexpected(macs.error());
    std::string text;
    Json list = Json::array();
    bool all_known = true;
    for (const wire::Mac mac : *macs) {
      const auto entry = registry.lookup(mac);
      if (!entry) return std::unexpected(stop_of(entry.error()));
      all_known &= entry->has_value();
      if (!*entry) {
        text += fmt::format("{} is not in the registry\n", wire::to_text(mac));
        continue;
      }
      text += report::printable(macs::describe(**entry), true) + "\n";
      list.push_back(macs::to_json(**entry));
    }
    if (auto told = answer.tell(text, {{"entries", std::move(list)}}); !told)
      return std::unexpected(told.error());
    return all_known ? kClean : kFindings;
  });
}

// A line of JSON for each entry that is there, and then for each change.
Step<int> follow(macs::Registry& registry, const macs::Filter& filter) {
  sys::catch_interrupts();
  Step<void> told;
  const auto tell = [&](const macs::Change& change) {
    if (!told) return;
    Json json = {{"event", macs::to_text(change.kind)}};
    if (change.kind == macs::Change::Kind::kGone)
      json["mac"] = wire::to_text(change.entry.mac);
    else
      json.update(macs::to_json(change.entry));
    told = print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  };
  const auto done = registry.follow(filter, tell, [&] { return sys::interrupted() || !told; });
  sys::end_interrupt();  // Ctrl-C is how it ends
  if (!told) return std::unexpected(told.error());
  if (!done) return std::unexpected(stop_of(done.error()));
  return kClean;
}

int mac_list(const MacListArguments& a) {
  const macs::Filter filter{.pool = a.pool, .owner = macs::owner_prefix(a.owner), .state = a.state};
  if (a.follow && (!a.csv.empty() || !a.output.json.empty()))
    return complain(
        Stop{kBadInput, "--follow writes lines of JSON to stdout; it does not go with --csv or --json."});
  return run(a.output, false, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    if (a.follow) return follow(registry, filter);
    std::optional<sys::OutputFile> csv;
    if (!a.csv.empty()) {
      Outputs outputs(a.output.registry.where);
      if (a.csv == "-" && a.output.json == "-")
        return stop(kBadInput, "standard output: two outputs can't go to one place.");
      auto file = outputs.open(a.csv);
      if (!file) return std::unexpected(file.error());
      csv.emplace(std::move(*file));
    }
    const auto entries = entries_of(registry, filter);
    if (!entries) return std::unexpected(entries.error());
    std::string text, table = macs::csv_head();
    Json list = Json::array();
    for (const Entry& e : *entries) {
      if (csv) {
        table += macs::csv_line(e);
        continue;
      }
      text += report::printable(macs::describe(e), true) + "\n";
      list.push_back(macs::to_json(e));
    }
    if (csv) {
      if (auto done = finish(*csv, table); !done) return std::unexpected(done.error());
    }
    return finished(answer.tell(text, {{"entries", std::move(list)}}));
  });
}

int mac_pool_add(const MacPoolArguments& a) {
  macs::Pool pool{.name = a.name, .range = {}};
  const auto range = macs::parse_pool_range(a.range);
  if (!range) return complain(Stop{kBadInput, range.error().what});
  pool.range = *range;
  if (a.policy) pool.policy = *a.policy;
  if (a.quarantine) pool.quarantine = seconds_of(a.quarantine);
  if (const auto sound = macs::check_pool(pool); !sound) return complain(Stop{kBadInput, sound.error().what});
  return run(a.output, true, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    if (auto done = registry.add_pool(pool); !done) return std::unexpected(stop_of(done.error()));
    return finished(
        answer.tell("", {{"added", pool.name}, {"addresses", macs::Addresses(pool.range).size()}}));
  });
}

int mac_pool_list(const MacPoolArguments& a) {
  return run(a.output, false, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    const auto pools = registry.pools();
    if (!pools) return std::unexpected(stop_of(pools.error()));
    std::string text;
    Json list = Json::array();
    for (const macs::Pool& pool : *pools) {
      const auto usage = macs::usage_of(pool, registry);
      if (!usage) return std::unexpected(stop_of(usage.error()));
      text += fmt::format("{}  {}-{}  {}  {} of {} in use, {} released  quarantine {}s\n", pool.name,
                          wire::to_text(pool.range.first), wire::to_text(pool.range.last),
                          macs::to_text(pool.policy), usage->used, usage->addresses, usage->freed,
                          pool.quarantine);
      list.push_back(macs::to_json(pool, *usage));
    }
    return finished(answer.tell(text, {{"pools", std::move(list)}}));
  });
}

int mac_pool_remove(const MacPoolArguments& a) {
  return run(a.output, false, [&](macs::Registry& registry, Answer& answer) -> Step<int> {
    if (auto done = registry.remove_pool(a.name); !done) return std::unexpected(stop_of(done.error()));
    return finished(answer.tell("", {{"removed", a.name}}));
  });
}

}  // namespace sekimori::cli
