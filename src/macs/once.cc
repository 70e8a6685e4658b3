#include "macs/once.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "macs/allocator.h"

namespace sekimori::macs {
namespace {

using Json = nlohmann::json;
using Kind = Failure::Kind;

// What was asked, as far as it decides the answer. Owners are hashed: a record stays small.
std::string asked(const Request& request) {
  std::string owners;
  for (const Owner& owner : request.owners) owners += to_text(owner) + '\n';
  return fmt::format("{} {} {} {} {:016x}", request.count, request.pool,
                     request.policy ? to_text(*request.policy) : "-", request.lease, name_hash(owners));
}

}  // namespace

bool is_key(std::string_view text) {
  return !text.empty() && text.size() <= 200 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

std::string to_record(const Request& request, const std::vector<Grant>& grants) {
  Json macs = Json::array(), there = Json::array();
  for (std::size_t i = 0; i < grants.size(); ++i) {
    macs.push_back(wire::to_text(grants[i].mac));
    if (grants[i].was_there) there.push_back(i);
  }
  return Json{{"asked", asked(request)}, {"token", request.token}, {"macs", macs}, {"there", there}}.dump();
}

Outcome<std::vector<Grant>> answer_again(const Request& request, const std::string& record,
                                         Registry& what_is) {
  const auto damaged = [&] {
    return failed(Kind::kDamaged,
                  fmt::format("What the registry keeps of the request {} can't be read.", request.key));
  };
  const Json json = Json::parse(record, nullptr, false);
  if (!json.is_object() || !json.contains("asked") || !json.contains("token") || !json.contains("macs") ||
      !json["macs"].is_array() || !json.contains("there") || !json["there"].is_array())
    return damaged();
  if (json["asked"] != asked(request))
    return failed(
        Kind::kRefused,
        fmt::format("Another request was made with the key {}; a new one needs a new key.", request.key));
  std::vector<Grant> grants;
  for (const Json& text : json["macs"]) {
    const auto mac = wire::parse_mac(text.is_string() ? text.get<std::string>() : "");
    if (!mac) return damaged();
    Grant grant{*mac, {}};
    if (!request.owners.empty())
      grant.owner = request.owners[std::min(grants.size(), request.owners.size() - 1)];
    const auto entry = what_is.lookup(*mac);
    if (!entry) return std::unexpected(entry.error());
    const bool holds =
        *entry && (*entry)->state != State::kFreed &&
        (grant.owner.known() ? (*entry)->owner == grant.owner : json["token"] == (*entry)->token);
    if (!holds)
      return failed(Kind::kRefused,
                    fmt::format("The request {} was answered before, and {} was released since; "
                                "a new request needs a new key.",
                                request.key, wire::to_text(*mac)));
    grants.push_back(std::move(grant));
  }
  for (const Json& index : json["there"]) {
    if (!index.is_number_unsigned() || index.get<std::size_t>() >= grants.size()) return damaged();
    grants[index.get<std::size_t>()].was_there = true;
  }
  return grants;
}

}  // namespace sekimori::macs
