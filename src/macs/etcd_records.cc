#include "macs/etcd_records.h"

#include <fmt/format.h>

#include <string_view>
#include <type_traits>

namespace sekimori::macs {
namespace {

using Kind = Failure::Kind;

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

}  // namespace

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

std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == '/' ? "%2F" : c == '%' ? "%25" : std::string(1, c);
  return out;
}

std::string after(std::string prefix) {
  ++prefix.back();
  return prefix;
}

}  // namespace sekimori::macs
