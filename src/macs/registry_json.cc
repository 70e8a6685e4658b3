#include "macs/registry_json.h"

namespace sekimori::macs {

OrderedJson to_json(const Entry& e) {
  OrderedJson json = {{"mac", wire::to_text(e.mac)}, {"state", to_text(e.state)}};
  if (!e.pool.empty()) json["pool"] = e.pool;
  if (e.owner.known()) {
    json["manager"] = e.owner.manager;
    json["machine"] = e.owner.machine;
    json["nic"] = e.owner.nic;
  }
  if (!e.note.empty()) json["note"] = e.note;
  json["since"] = e.since;
  if (e.until != 0) json["until"] = e.until;
  if (e.free_at != 0) json["free_at"] = e.free_at;
  return json;
}

OrderedJson to_json(const std::vector<Grant>& grants) {
  OrderedJson list = OrderedJson::array();
  for (const Grant& grant : grants) {
    OrderedJson json = {{"mac", wire::to_text(grant.mac)}};
    if (grant.owner.known()) json["owner"] = to_text(grant.owner);
    json["was_there"] = grant.was_there;
    list.push_back(std::move(json));
  }
  return list;
}

Outcome<Usage> usage_of(const Pool& pool, Registry& registry) {
  Usage usage{.addresses = Addresses(pool.range).size()};
  const auto count = [&](const Entry& e) { ++(e.state == State::kFreed ? usage.freed : usage.used); };
  if (auto done = registry.list({.pool = pool.name}, count); !done) return std::unexpected(done.error());
  return usage;
}

OrderedJson to_json(const Pool& pool, const Usage& usage) {
  return {{"name", pool.name},
          {"first", wire::to_text(pool.range.first)},
          {"last", wire::to_text(pool.range.last)},
          {"policy", to_text(pool.policy)},
          {"quarantine", pool.quarantine},
          {"addresses", usage.addresses},
          {"used", usage.used},
          {"freed", usage.freed}};
}

}  // namespace sekimori::macs
