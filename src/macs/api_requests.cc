#include "macs/api_requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/text.h"
#include "macs/audit.h"
#include "macs/once.h"
#include "macs/problem.h"
#include "macs/registry_json.h"
#include "sys/entropy.h"

namespace sekimori::macs {
namespace {

using Json = OrderedJson;
using Parsed = std::expected<Work, HttpAnswer>;

constexpr std::uint64_t kMostMacs = 10'000;  // of one request
constexpr Seconds kMostSeconds = Seconds{100} * 365 * 86'400;
constexpr std::size_t kPage = 1000, kMostPage = 10'000;  // entries of one answer
constexpr std::size_t kMostNote = 1000;                  // bytes

std::unexpected<HttpAnswer> bad(const std::string& what) {
  return std::unexpected(problem(400, "bad-request", what));
}

HttpAnswer answer(const Json& json) {
  return {.body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

// ---------------------------------------------------------------- reading what is asked

// The members of a JSON object. The first thing that is wrong is kept; what follows reads as absent.
class Members {
 public:
  Members(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object())
      wrong(fmt::format("{} must be a JSON object.", where_.empty() ? "The body" : where_));
  }

  const Json* find(std::string_view name) {
    known_.push_back(name);
    if (!error_.empty()) return nullptr;
    const auto at = json_.find(name);
    return at == json_.end() ? nullptr : &*at;
  }
  std::string text(std::string_view name, std::size_t most = 300) {
    const Json* const at = find(name);
    if (at == nullptr) return "";
    if (!at->is_string() || at->get_ref<const std::string&>().empty() ||
        at->get_ref<const std::string&>().size() > most)
      wrong(fmt::format("{} must be a text of 1 to {} bytes.", path(name), most));
    return error_.empty() ? at->get<std::string>() : "";
  }
  std::uint64_t number(std::string_view name, std::uint64_t least, std::uint64_t most, std::uint64_t absent) {
    const Json* const at = find(name);
    if (at == nullptr) return absent;
    if (!at->is_number_unsigned() || at->get<std::uint64_t>() < least || at->get<std::uint64_t>() > most) {
      wrong(fmt::format("{} must be a whole number from {} to {}.", path(name), least, most));
      return absent;
    }
    return at->get<std::uint64_t>();
  }
  std::vector<Json> list(std::string_view name) {
    const Json* const at = find(name);
    if (at == nullptr) return {};
    if (!at->is_array() || at->empty() || at->size() > kMostMacs) {
      wrong(fmt::format("{} must be an array of 1 to {}.", path(name), kMostMacs));
      return {};
    }
    return {at->begin(), at->end()};
  }
  Mac mac(const Json& json, const std::string& where) {
    const auto mac = json.is_string() ? wire::parse_mac(json.get_ref<const std::string&>()) : std::nullopt;
    if (!mac) wrong(fmt::format("{} is no MAC address; write 02:ab:00:00:00:07.", where));
    return mac.value_or(Mac{});
  }
  std::vector<Mac> macs(std::string_view name) {
    std::vector<Mac> macs;
    for (const Json& json : list(name))
      macs.push_back(mac(json, fmt::format("{}[{}]", path(name), macs.size())));
    return macs;
  }
  Owner owner(const Json& json, const std::string& where) {
    const auto owner = parse_owner(json.is_string() ? json.get_ref<const std::string&>() : "");
    if (!owner) wrong(fmt::format("{}: {}", where, owner.error().what));
    return owner ? *owner : Owner{};
  }

  void wrong(std::string what) {
    if (error_.empty()) error_ = std::move(what);
  }
  // To be asked at the end: a member that nobody asked for is an error, too.
  const std::string& error() {
    if (!error_.empty()) return error_;
    for (const auto& [name, value] : json_.items()) {
      if (std::ranges::find(known_, name) != known_.end()) continue;
      const std::string_view nearest = base::nearest_word(name, known_);
      wrong(fmt::format("{} is no member of this request{}", path(name),
                        nearest.empty() ? "." : fmt::format("; did you mean {}?", nearest)));
    }
    return error_;
  }
  std::string path(std::string_view name) const {
    return where_.empty() ? std::string(name) : fmt::format("{}.{}", where_, name);
  }

 private:
  const Json& json_;
  std::string where_, error_;
  std::vector<std::string_view> known_;
};

std::expected<Json, HttpAnswer> body_of(const HttpRequest& request) {
  std::string_view type = request.field("content-type");
  type = base::trim(type.substr(0, type.find(';')));
  if (type != "application/json")
    return std::unexpected(problem(415, "http", "The body must be JSON: Content-Type: application/json."));
  // Deep nesting would be a recursion of that depth when the value goes.
  constexpr int kDeepest = 8;
  bool is_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t /*event*/, Json& /*parsed*/) {
    is_deep |= depth > kDeepest;
    return depth <= kDeepest;
  };
  Json json = Json::parse(request.body, watch, false);
  if (json.is_discarded() || is_deep) return bad("The body is no JSON.");
  return json;
}

// The parameters of a query, all of which must be among `known`.
std::expected<void, HttpAnswer> check_query(const HttpRequest& request,
                                            std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : request.query) {
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::vector<std::string_view> names(known);
    const std::string_view nearest = base::nearest_word(name, names);
    return bad(fmt::format("There is no parameter {}{}", name,
                           nearest.empty() ? "." : fmt::format("; did you mean {}?", nearest)));
  }
  return {};
}

// Names the request in the registry, so that it is known again, and by whoever looks.
std::string token_of(const std::string& key) {
  return key.empty() ? sys::random_token() : fmt::format("{}:{}", key, sys::random_token());
}

// ---------------------------------------------------------------- the requests

Parsed allocate(const HttpRequest& request, std::string_view /*rest*/, const ApiContext& context) {
  const auto json = body_of(request);
  if (!json) return std::unexpected(json.error());
  Members body(*json, "");
  Request r;
  r.pool = body.text("pool");
  if (const std::string word = body.text("policy"); !word.empty()) {
    r.policy = policy_of(word);
    if (!r.policy) body.wrong(fmt::format("policy must be one of {}.", fmt::join(kPolicies, ", ")));
  }
  for (const Json& owner : body.list("owners"))
    r.owners.push_back(body.owner(owner, fmt::format("owners[{}]", r.owners.size())));
  r.count = body.number("count", 1, kMostMacs, r.owners.empty() ? 1 : r.owners.size());
  r.lease = static_cast<Seconds>(body.number("lease", 1, kMostSeconds, 0));
  if (!body.error().empty()) return bad(body.error());
  r.key = request.field("idempotency-key");
  if (request.fields.contains("idempotency-key") && !is_key(r.key))
    return bad("Idempotency-Key must be 1 to 200 printable ASCII characters without spaces.");
  r.now = context.now;
  r.seed = sys::random_number();
  r.token = token_of(r.key);
  return [r](Registry& registry) {
    const auto grants = registry.allocate(r);
    return grants ? answer({{"allocated", to_json(*grants)}}) : problem(grants.error());
  };
}

Parsed reserve(const HttpRequest& request, std::string_view /*rest*/, const ApiContext& context) {
  const auto json = body_of(request);
  if (!json) return std::unexpected(json.error());
  Members body(*json, "");
  std::vector<Entry> entries;
  const std::string key = request.field("idempotency-key");
  // The same request once more must meet its own entries, so what names it is the key alone.
  const std::string token = key.empty() ? sys::random_token() : "key:" + key;
  for (const Json& item : body.list("entries")) {
    Members members(item, fmt::format("entries[{}]", entries.size()));
    Entry entry{.token = token, .since = context.now};
    const Json* const mac = members.find("mac");
    entry.mac = members.mac(mac == nullptr ? Json() : *mac, members.path("mac"));
    if (const Json* const owner = members.find("owner"))
      entry.owner = members.owner(*owner, members.path("owner"));
    entry.note = members.text("note", kMostNote);
    if (!members.error().empty()) return bad(members.error());
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) body.wrong("entries is missing: an array of objects with mac, owner and note.");
  if (!body.error().empty()) return bad(body.error());
  if (request.fields.contains("idempotency-key") && !is_key(key))
    return bad("Idempotency-Key must be 1 to 200 printable ASCII characters without spaces.");
  return [entries](Registry& registry) {
    const auto done = registry.reserve(entries);
    return done ? answer({{"reserved", entries.size()}}) : problem(done.error());
  };
}

// Whether `entry` is held by what `owner` names: a NIC, a machine or a manager.
bool is_of(const Entry& entry, const Owner& owner) {
  return entry.owner.manager == owner.manager &&
         (owner.machine.empty() || entry.owner.machine == owner.machine) &&
         (owner.nic.empty() || entry.owner.nic == owner.nic);
}

Json texts_of(const std::vector<Mac>& macs) {
  Json list = Json::array();
  for (const Mac mac : macs) list.push_back(wire::to_text(mac));
  return list;
}

// What was released before counts as done, so that a request may be repeated; what is another's is refused.
HttpAnswer release_macs(const std::vector<Mac>& macs, const std::string& owner, Seconds now,
                        Registry& registry) {
  std::vector<Mac> left, before;
  for (const Mac mac : macs) {
    const auto entry = registry.lookup(mac);
    if (!entry) return problem(entry.error());
    if (!*entry)
      return problem(409, "refused", fmt::format("{} is not in the registry.", wire::to_text(mac)));
    if (!owner.empty() && !is_of(**entry, owner_prefix(owner)))
      return problem(409, "refused",
                     fmt::format("{}, not for {}; nothing was released.", describe(**entry), owner));
    ((*entry)->state == State::kFreed ? before : left).push_back(mac);
  }
  if (!left.empty()) {
    if (auto done = registry.release(left, now); !done) return problem(done.error());
  }
  return answer({{"released", texts_of(left)}, {"released_before", texts_of(before)}});
}

HttpAnswer release_owner(const std::string& owner, Seconds now, Registry& registry) {
  std::vector<Mac> macs;
  for (const State state : {State::kAllocated, State::kReserved}) {
    const auto keep = [&](const Entry& e) { macs.push_back(e.mac); };
    if (auto done = registry.list({.owner = owner_prefix(owner), .state = state}, keep); !done)
      return problem(done.error());
  }
  return release_macs(macs, owner, now, registry);
}

Parsed release(const HttpRequest& request, std::string_view /*rest*/, const ApiContext& context) {
  const auto json = body_of(request);
  if (!json) return std::unexpected(json.error());
  Members body(*json, "");
  const std::vector<Mac> macs = body.macs("macs");
  const std::string owner = body.text("owner");
  // A whole manager's would be a scan of everything, and too much for one slip of the pen.
  if (macs.empty() && (owner.empty() || owner_prefix(owner).machine.empty()))
    body.wrong("macs, or owner as MANAGER/MACHINE or MANAGER/MACHINE/NIC, must be there.");
  if (!body.error().empty()) return bad(body.error());
  return [macs, owner, now = context.now](Registry& registry) {
    return macs.empty() ? release_owner(owner, now, registry) : release_macs(macs, owner, now, registry);
  };
}

Parsed renew(const HttpRequest& request, std::string_view /*rest*/, const ApiContext& context) {
  const auto json = body_of(request);
  if (!json) return std::unexpected(json.error());
  Members body(*json, "");
  const std::vector<Mac> macs = body.macs("macs");
  const auto lease = static_cast<Seconds>(body.number("lease", 1, kMostSeconds, 0));
  if (macs.empty()) body.wrong("macs is missing.");
  if (!body.error().empty()) return bad(body.error());
  return [macs, lease, now = context.now](Registry& registry) {
    const auto done = registry.renew(macs, lease, now);
    return done ? answer({{"renewed", macs.size()}}) : problem(done.error());
  };
}

Parsed pools(const HttpRequest& request, std::string_view /*rest*/, const ApiContext& /*context*/) {
  if (auto known = check_query(request, {}); !known) return std::unexpected(known.error());
  return [](Registry& registry) {
    const auto pools = registry.pools();
    if (!pools) return problem(pools.error());
    Json list = Json::array();
    for (const Pool& pool : *pools) {
      const auto usage = usage_of(pool, registry);
      if (!usage) return problem(usage.error());
      list.push_back(to_json(pool, *usage));
    }
    return answer({{"pools", std::move(list)}});
  };
}

Parsed list(const HttpRequest& request, std::string_view /*rest*/, const ApiContext& /*context*/) {
  if (auto known = check_query(request, {"pool", "owner", "state", "after", "limit"}); !known)
    return std::unexpected(known.error());
  Filter filter{.limit = kPage};
  const auto value = [&](const char* name) -> const std::string* {
    const auto at = request.query.find(name);
    return at == request.query.end() ? nullptr : &at->second;
  };
  if (const auto* text = value("pool")) filter.pool = *text;
  if (const auto* text = value("owner")) filter.owner = owner_prefix(*text);
  if (const auto* text = value("state")) {
    filter.state = state_of(*text);
    if (!filter.state) return bad("state must be allocated, reserved or freed.");
  }
  if (const auto* text = value("after")) {
    const auto mac = wire::parse_mac(*text);
    if (!mac) return bad("after is no MAC address.");
    filter.after = *mac;
  }
  if (const auto* text = value("limit")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), filter.limit);
    if (error != std::errc() || end != text->data() + text->size() || filter.limit == 0 ||
        filter.limit > kMostPage)
      return bad(fmt::format("limit must be a whole number from 1 to {}.", kMostPage));
  }
  return [filter](Registry& registry) {
    Json list = Json::array();
    Mac last{};
    const auto keep = [&](const Entry& e) {
      list.push_back(to_json(e));
      last = e.mac;
    };
    if (auto done = registry.list(filter, keep); !done) return problem(done.error());
    Json json = {{"entries", std::move(list)}};
    if (json["entries"].size() == filter.limit) json["next"] = wire::to_text(last);
    return answer(json);
  };
}

std::expected<Mac, HttpAnswer> mac_of(std::string_view rest) {
  const auto mac = wire::parse_mac(rest);
  if (!mac) return bad(fmt::format("\"{}\" is no MAC address; write 02:ab:00:00:00:07.", rest));
  return *mac;
}

Parsed lookup(const HttpRequest& request, std::string_view rest, const ApiContext& /*context*/) {
  if (auto known = check_query(request, {}); !known) return std::unexpected(known.error());
  const auto mac = mac_of(rest);
  if (!mac) return std::unexpected(mac.error());
  return [mac = *mac](Registry& registry) {
    const auto entry = registry.lookup(mac);
    if (!entry) return problem(entry.error());
    if (!*entry)
      return problem(404, "not-found", fmt::format("{} is not in the registry.", wire::to_text(mac)));
    return answer(to_json(**entry));
  };
}

// What the audit says of one NIC with this address.
HttpAnswer check_one(Mac mac, const Owner& owner, const std::string& name, Registry& registry) {
  const auto pools = registry.pools();
  if (!pools) return problem(pools.error());
  const auto entry = registry.lookup(mac);
  if (!entry) return problem(entry.error());
  Inventory inventory;
  Nic nic;
  nic.manager = inventory.texts.keep(owner.manager);
  nic.machine = inventory.texts.keep(owner.known() ? owner.machine : "the NIC");
  nic.nic = inventory.texts.keep(owner.nic);
  nic.source = inventory.texts.keep("the request");
  nic.mac = mac;
  nic.role = Role::kGuest;
  inventory.nics.push_back(nic);
  Known known{name, *pools, {}};
  if (*entry) known.entries.push_back(**entry);
  Json list = Json::array();
  bool is_usable = !*entry || (*entry)->state == State::kFreed || (owner.known() && (*entry)->owner == owner);
  for (const findings::Finding& f : audit(inventory, &known)) {
    is_usable &= f.severity == findings::Severity::kNote;
    list.push_back({{"code", findings::entry(f.code).word},
                    {"severity", findings::to_text(f.severity)},
                    {"headline", f.headline},
                    {"cause", f.cause}});
  }
  const std::string why = why_not(mac);
  Json json = {
      {"mac", wire::to_text(mac)}, {"usable", is_usable && why.empty()}, {"findings", std::move(list)}};
  if (!why.empty()) json["why_not"] = why;
  if (*entry) json["entry"] = to_json(**entry);
  return answer(json);
}

Parsed check(const HttpRequest& request, std::string_view rest, const ApiContext& context) {
  if (auto known = check_query(request, {"owner"}); !known) return std::unexpected(known.error());
  const auto mac = mac_of(rest);
  if (!mac) return std::unexpected(mac.error());
  Owner owner;
  if (const auto at = request.query.find("owner"); at != request.query.end()) {
    const auto parsed = parse_owner(at->second);
    if (!parsed) return bad("owner: " + parsed.error().what);
    owner = *parsed;
  }
  return [mac = *mac, owner, name = context.registry](Registry& registry) {
    return check_one(mac, owner, name, registry);
  };
}

Parsed health(const HttpRequest& request, std::string_view /*rest*/, const ApiContext& /*context*/) {
  if (auto known = check_query(request, {}); !known) return std::unexpected(known.error());
  return [](Registry& registry) {
    const auto pools = registry.pools();
    return pools ? answer({{"status", "ok"}, {"pools", pools->size()}}) : problem(pools.error());
  };
}

constexpr ApiRequest kRequests[] = {
    {"POST", "/v1/allocate", true, allocate}, {"POST", "/v1/reserve", true, reserve},
    {"POST", "/v1/release", true, release},   {"POST", "/v1/renew", true, renew},
    {"GET", "/v1/pools", false, pools},       {"GET", "/v1/macs", false, list},
    {"GET", "/v1/macs/", false, lookup},      {"GET", "/v1/check/", false, check},
    {"GET", "/v1/health", false, health},
};

}  // namespace

std::span<const ApiRequest> api_requests() { return kRequests; }

}  // namespace sekimori::macs
