#include "macs/etcd.h"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "base/text.h"

namespace sekimori::macs {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = Failure::Kind;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// RFC 4648 section 4: the gateway writes keys and values so.
std::string encoded(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k)
      word = word << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= n ? kAlphabet[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string decoded(std::string_view text) {
  std::string out;
  std::uint32_t word = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) break;  // the padding
    word = word << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(word >> bits & 0xff);
    }
  }
  return out;
}

// Numbers of 64 bits come as strings, and zeros are left out.
std::int64_t number(const Json& json, const char* name) {
  const auto at = json.find(name);
  if (at == json.end()) return 0;
  if (at->is_number()) return at->get<std::int64_t>();
  std::int64_t value = 0;
  if (at->is_string()) {
    const auto& text = at->get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), value);
  }
  return value;
}

std::string text(const Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? at->get<std::string>() : "";
}

EtcdKey key_of(const Json& kv) {
  return {decoded(text(kv, "key")), decoded(text(kv, "value")), number(kv, "mod_revision")};
}

std::vector<EtcdKey> keys_of(const Json& answer) {
  std::vector<EtcdKey> keys;
  if (const auto kvs = answer.find("kvs"); kvs != answer.end()) {
    for (const Json& kv : *kvs) keys.push_back(key_of(kv));
  }
  return keys;
}

}  // namespace

base::Result<EtcdAddress> parse_etcd_address(std::string_view url) {
  const auto wrong = [&] {
    return base::fail(fmt::format("\"{}\" is not etcd://HOST:PORT[,HOST:PORT...][/PREFIX].", url));
  };
  constexpr std::string_view kScheme = "etcd://";
  if (!url.starts_with(kScheme)) return wrong();
  const std::string_view rest = url.substr(kScheme.size());
  const std::string_view members = rest.substr(0, rest.find('/'));
  EtcdAddress address;
  for (const std::string_view member : base::split(members, ',')) {
    const std::size_t colon = member.rfind(':');
    int port = 0;
    const std::string_view digits = colon == std::string_view::npos ? "" : member.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (colon == 0 || digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
        port < 1 || port > 65535)
      return wrong();
    std::string_view host = member.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    address.members.emplace_back(host, port);
  }
  std::string_view prefix = rest.size() > members.size() ? rest.substr(members.size() + 1) : "";
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  address.prefix = prefix.empty() ? "sekimori/macs" : prefix;
  return address;
}

struct Etcd::Members {
  std::vector<std::unique_ptr<httplib::Client>> clients;
  std::vector<std::string> names;
  std::size_t current = 0;
};

Etcd::Etcd(const EtcdAddress& address, std::int64_t patience_ms)
    : members_(std::make_unique<Members>()), patience_(patience_ms) {
  for (const auto& [host, port] : address.members) {
    auto client = std::make_unique<httplib::Client>(host, port);
    client->set_keep_alive(true);
    client->set_tcp_nodelay(true);  // else each request waits for a delayed acknowledgement
    client->set_connection_timeout(std::chrono::seconds(2));
    client->set_read_timeout(std::min<std::chrono::milliseconds>(
        patience_, std::chrono::seconds(6)));  // etcd itself gives up after 5 s and an election
    client->set_write_timeout(std::chrono::seconds(3));
    members_->clients.push_back(std::move(client));
    members_->names.push_back(fmt::format("{}:{}", host, port));
  }
}
Etcd::Etcd(Etcd&&) noexcept = default;
Etcd::~Etcd() = default;

Outcome<Json> Etcd::call(const char* path, const Json& body, bool writes) {
  const std::string request = body.dump();
  const auto end = Clock::now() + patience_;
  bool may_be_done = false;
  std::string trouble;
  for (int attempt = 0;; ++attempt) {
    httplib::Client& client = *members_->clients[members_->current];
    const std::string& name = members_->names[members_->current];
    const httplib::Result result = client.Post(path, request, "application/json");
    if (result && result->status == 200) {
      Json answer = Json::parse(result->body, nullptr, false);
      if (!answer.is_discarded() && answer.is_object()) return answer;
      return failed(Kind::kUnavailable,
                    fmt::format("{}: does not answer as etcd's JSON gateway does.", name));
    }
    if (!result) {
      trouble = fmt::format("{}: {}", name, httplib::to_string(result.error()));
      may_be_done |= result.error() != httplib::Error::Connection;
    } else {
      const Json answer = Json::parse(result->body, nullptr, false);
      const std::string says = answer.is_object() ? text(answer, "error") : "";
      trouble = fmt::format("{}: {}", name, says.empty() ? fmt::format("HTTP {}", result->status) : says);
      // 400: the request is wrong, or asks for more than there is space for.
      if (result->status == 400 || result->status == 404 || says.contains("database space exceeded") ||
          says.contains("permission denied"))
        return failed(Kind::kUnavailable, fmt::format("etcd refuses: {}; nothing was changed.", trouble));
      may_be_done = true;
    }
    members_->current = (members_->current + 1) % members_->clients.size();
    if (Clock::now() >= end) break;
    // A round through all members, then a pause that grows.
    if (members_->current == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(std::min(50 << std::min(attempt, 4), 500)));
  }
  if (writes && may_be_done)
    return failed(
        Kind::kUnknown,
        fmt::format("etcd did not answer in time, so it is not known whether it is done ({}).", trouble));
  return failed(Kind::kUnavailable, fmt::format("etcd can't be reached; nothing was changed ({}).", trouble));
}

Outcome<std::vector<EtcdKey>> Etcd::range(std::string_view first, std::string_view end, int limit,
                                          std::int64_t& revision, bool& more) {
  Json body = {{"key", encoded(first)}, {"limit", limit}};
  if (!end.empty()) body["range_end"] = encoded(end);
  if (revision != 0) body["revision"] = revision;
  const auto answer = call("/v3/kv/range", body, false);
  if (!answer) return std::unexpected(answer.error());
  if (const auto header = answer->find("header"); revision == 0 && header != answer->end())
    revision = number(*header, "revision");
  more = answer->value("more", false);
  return keys_of(*answer);
}

Outcome<std::optional<EtcdKey>> Etcd::get(std::string_view key) {
  std::int64_t revision = 0;
  bool more = false;
  auto keys = range(key, "", 1, revision, more);
  if (!keys) return std::unexpected(keys.error());
  if (keys->empty()) return std::optional<EtcdKey>();
  return std::optional(std::move(keys->front()));
}

Json Etcd::absent(std::string_view key) {
  return {{"key", encoded(key)}, {"target", "CREATE"}, {"result", "EQUAL"}, {"create_revision", "0"}};
}
Json Etcd::unchanged(std::string_view key, std::int64_t mod_revision) {
  return {{"key", encoded(key)},
          {"target", "MOD"},
          {"result", "EQUAL"},
          {"mod_revision", std::to_string(mod_revision)}};
}
Json Etcd::put(std::string_view key, std::string_view value, std::int64_t lease) {
  return {
      {"request_put", {{"key", encoded(key)}, {"value", encoded(value)}, {"lease", std::to_string(lease)}}}};
}
Json Etcd::remove(std::string_view key) { return {{"request_delete_range", {{"key", encoded(key)}}}}; }
Json Etcd::read(std::string_view key) { return {{"request_range", {{"key", encoded(key)}}}}; }

Outcome<Etcd::Answer> Etcd::transaction(Json compare, Json then, Json otherwise) {
  const bool writes = std::ranges::any_of(then, [](const Json& op) { return !op.contains("request_range"); });
  const auto json =
      call("/v3/kv/txn",
           {{"compare", std::move(compare)}, {"success", std::move(then)}, {"failure", std::move(otherwise)}},
           writes);
  if (!json) return std::unexpected(json.error());
  Answer answer{json->value("succeeded", false), {}};
  if (const auto responses = json->find("responses"); responses != json->end()) {
    for (const Json& response : *responses) {
      const auto read = response.find("response_range");
      if (read == response.end()) continue;
      auto keys = keys_of(*read);
      answer.keys.push_back(keys.empty() ? std::nullopt : std::optional(std::move(keys.front())));
    }
  }
  return answer;
}

// One whose answer was lost ends by itself, with nothing attached.
Outcome<std::int64_t> Etcd::grant_lease(Seconds ttl) {
  const auto json = call("/v3/lease/grant", {{"TTL", std::to_string(ttl)}}, false);
  if (!json) return std::unexpected(json.error());
  if (const std::int64_t id = number(*json, "ID"); id != 0) return id;
  return failed(Kind::kUnavailable, "etcd gives no lease: " + text(*json, "error"));
}

}  // namespace sekimori::macs
