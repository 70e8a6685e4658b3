#include "macs/etcd.h"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "base/text.h"
#include "sys/signals.h"

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
    return base::fail(
        fmt::format("\"{}\" is not etcd://HOST:PORT[,HOST:PORT...][/PREFIX], or etcds://.", url));
  };
  constexpr std::string_view kScheme = "etcd://", kTlsScheme = "etcds://";
  const bool has_tls = url.starts_with(kTlsScheme);
  if (!has_tls && !url.starts_with(kScheme)) return wrong();
  const std::string_view rest = url.substr(has_tls ? kTlsScheme.size() : kScheme.size());
  const std::string_view members = rest.substr(0, rest.find('/'));
  EtcdAddress address;
  address.has_tls = has_tls;
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
  EtcdAddress address;
  std::vector<std::unique_ptr<httplib::Client>> clients;
  std::vector<std::string> names;
  std::size_t current = 0;
  std::string token;  // what a member gave for user and password

  httplib::Headers fields() const {
    return token.empty() ? httplib::Headers() : httplib::Headers{{"Authorization", token}};
  }
};

namespace {

std::unique_ptr<httplib::Client> connect(const EtcdAddress& address,
                                         const std::pair<std::string, int>& member) {
  const auto& [host, port] = member;
  const bool is_v6 = host.find(':') != std::string::npos;
  const std::string url = fmt::format("{}://{}{}{}:{}", address.has_tls ? "https" : "http", is_v6 ? "[" : "",
                                      host, is_v6 ? "]" : "", port);
  auto client = std::make_unique<httplib::Client>(url, address.access.cert, address.access.key);
  if (address.has_tls && !address.access.cacert.empty()) client->set_ca_cert_path(address.access.cacert);
  client->set_keep_alive(true);
  client->set_tcp_nodelay(true);  // else each request waits for a delayed acknowledgement
  client->set_connection_timeout(std::chrono::seconds(2));
  client->set_write_timeout(std::chrono::seconds(3));
  return client;
}

// What no other member and no further attempt will mend.
std::string certificate_trouble(httplib::Error error) {
  switch (error) {
    case httplib::Error::SSLLoadingCerts:
      return "a file of certificates or keys can't be read";
    case httplib::Error::SSLServerVerification:
      return "its certificate is not signed by whom --cacert names, or not for this host";
    default:
      return "";
  }
}

bool never_arrived(httplib::Error error) {
  return error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout ||
         error == httplib::Error::SSLConnection;
}

// https://etcd.io/docs/v3.4/learning/design-auth-v3/: a member that was started anew knows no tokens, and
// users may have been changed since.
bool wants_login(int status, const std::string& says) {
  return status == 401 || says.contains("invalid auth token") || says.contains("auth store is old") ||
         says.contains("user name is empty");
}

}  // namespace

Etcd::Etcd(const EtcdAddress& address, std::int64_t patience_ms)
    : members_(std::make_unique<Members>()), patience_(patience_ms) {
  members_->address = address;
  if (address.has_tls) sys::survive_broken_pipes();  // OpenSSL writes without MSG_NOSIGNAL
  for (const auto& member : address.members) {
    auto client = connect(address, member);
    client->set_read_timeout(std::min<std::chrono::milliseconds>(
        patience_, std::chrono::seconds(6)));  // etcd itself gives up after 5 s and an election
    members_->clients.push_back(std::move(client));
    members_->names.push_back(fmt::format("{}:{}", member.first, member.second));
  }
}
Etcd::Etcd(Etcd&&) noexcept = default;
Etcd::~Etcd() = default;

Outcome<Json> Etcd::call(const char* path, const Json& body, bool writes) {
  const std::string request = body.dump();
  const auto end = Clock::now() + patience_;
  bool may_be_done = false;
  int logins = 0;
  std::string trouble;
  const bool is_login = std::string_view(path).ends_with("/authenticate");
  if (!members_->address.access.user.empty() && members_->token.empty() && !is_login) {
    if (auto done = log_in(); !done) return std::unexpected(done.error());
  }
  for (int attempt = 0;; ++attempt) {
    httplib::Client& client = *members_->clients[members_->current];
    const std::string& name = members_->names[members_->current];
    const httplib::Result result = client.Post(path, members_->fields(), request, "application/json");
    if (result && result->status == 200) {
      Json answer = Json::parse(result->body, nullptr, false);
      if (!answer.is_discarded() && answer.is_object()) return answer;
      return failed(Kind::kUnavailable,
                    fmt::format("{}: does not answer as etcd's JSON gateway does.", name));
    }
    if (!result) {
      if (const std::string why = certificate_trouble(result.error()); !why.empty())
        return failed(Kind::kUnavailable, fmt::format("etcd: {}: {}; nothing was changed.", name, why));
      trouble = fmt::format("{}: {}", name, httplib::to_string(result.error()));
      may_be_done |= !never_arrived(result.error());
    } else {
      const Json answer = Json::parse(result->body, nullptr, false);
      const std::string says(answer.is_object() ? text(answer, "error")
                                                : base::trim(std::string_view(result->body).substr(0, 200)));
      trouble = fmt::format("{}: {}", name, says.empty() ? fmt::format("HTTP {}", result->status) : says);
      const bool has_user = !members_->address.access.user.empty();
      if (wants_login(result->status, says) && has_user && !is_login && ++logins < 3) {
        if (auto done = log_in(); !done) return std::unexpected(done.error());
        continue;
      }
      if (wants_login(result->status, says))
        return failed(
            Kind::kUnavailable,
            fmt::format(
                "etcd wants a user and a password (--user, --password-file): {}; nothing was changed.",
                trouble));
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

Outcome<void> Etcd::log_in() {
  members_->token.clear();
  const EtcdAccess& access = members_->address.access;
  const auto answer =
      call("/v3/auth/authenticate", {{"name", access.user}, {"password", access.password}}, false);
  if (!answer) return std::unexpected(answer.error());
  members_->token = text(*answer, "token");
  return {};
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

// https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/#watch-keys: an answer without end, a line of JSON for
// each change or several.
Outcome<bool> Etcd::watch(std::string_view first, std::string_view end, std::int64_t& revision,
                          const std::function<void(const Event&)>& each, const std::function<bool()>& stop) {
  constexpr int kPatience = 20;  // refusals in a row, which a change of leader brings a few of
  bool was_compacted = false;
  int refusals = 0;
  std::string trouble;
  const auto take = [&](const std::string& line) {
    const Json json = Json::parse(line, nullptr, false);
    const auto result = json.is_object() ? json.find("result") : json.end();
    if (!json.is_object() || result == json.end() || !result->is_object()) {
      trouble =
          json.is_object() && json.contains("error") ? json["error"].dump() : "an answer that is not etcd's";
      return false;
    }
    was_compacted = number(*result, "compact_revision") != 0;
    if (was_compacted || result->value("canceled", false)) {
      trouble = text(*result, "cancel_reason");
      return false;
    }
    refusals = 0;
    const auto events = result->find("events");
    if (events == result->end()) return true;
    for (const Json& event : *events) {
      const auto kv = event.find("kv");
      if (kv == event.end()) continue;
      Event e{key_of(*kv), text(event, "type") == "DELETE"};
      revision = std::max(revision, e.key.mod_revision + 1);
      each(e);
    }
    return true;
  };
  while (!stop() && !was_compacted) {
    if (!members_->address.access.user.empty() && members_->token.empty()) {
      if (auto done = log_in(); !done) return std::unexpected(done.error());
    }
    Members& m = *members_;
    // A connection of its own: the answer does not end. A silent one is asked anew now and then, as it may be
    // dead.
    const auto client = connect(m.address, m.address.members[m.current]);
    client->set_read_timeout(std::chrono::seconds(60));
    httplib::Request request;
    request.method = "POST";
    request.path = "/v3/watch";
    request.headers = m.fields();
    request.headers.emplace("Content-Type", "application/json");
    request.body = Json{{"create_request",
                         {{"key", encoded(first)},
                          {"range_end", encoded(end)},
                          {"start_revision", std::to_string(revision)}}}}
                       .dump();
    std::string rest;
    int status = 0;
    request.response_handler = [&](const httplib::Response& response) {
      status = response.status;
      return status == 200;
    };
    request.content_receiver = [&](const char* bytes, std::size_t size, std::uint64_t, std::uint64_t) {
      rest.append(bytes, size);
      for (std::size_t at = 0; (at = rest.find('\n')) != std::string::npos; rest.erase(0, at + 1)) {
        if (!take(rest.substr(0, at))) return false;
      }
      return !stop();
    };
    std::jthread watcher([&](const std::stop_token& over) {
      for (; !over.stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
        if (stop()) client->stop();
      }
    });
    const httplib::Result result = client->send(request);
    watcher.request_stop();
    if (stop() || was_compacted) break;
    if (const std::string why = certificate_trouble(result.error()); !result && !why.empty())
      return failed(Kind::kUnavailable, fmt::format("etcd: {}: {}.", m.names[m.current], why));
    if (result && status != 200) {
      m.token.clear();  // perhaps it is that
      trouble = fmt::format("HTTP {}", status);
    }
    if (!trouble.empty() && ++refusals > kPatience)
      return failed(Kind::kUnavailable,
                    fmt::format("etcd tells no changes: {}: {}.", m.names[m.current], trouble));
    m.current = (m.current + 1) % m.clients.size();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return !was_compacted;
}

}  // namespace sekimori::macs
