#include "macs/registry.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>

namespace sekimori::macs {
namespace {

constexpr std::string_view kStates[] = {"allocated", "reserved", "freed"};
constexpr std::size_t kMostCount = 1'000'000;

}  // namespace

std::string_view to_text(State state) { return kStates[static_cast<std::size_t>(state)]; }

std::optional<State> state_of(std::string_view word) {
  const auto* const at = std::ranges::find(kStates, word);
  if (at == std::end(kStates)) return std::nullopt;
  return static_cast<State>(at - std::begin(kStates));
}

std::string to_text(const Owner& owner) {
  return fmt::format("{}/{}/{}", owner.manager, owner.machine, owner.nic);
}

base::Result<Owner> parse_owner(std::string_view text) {
  const std::size_t first = text.find('/');
  const std::size_t second = first == std::string_view::npos ? first : text.find('/', first + 1);
  Owner owner;
  if (second != std::string_view::npos) {
    owner = {std::string(text.substr(0, first)), std::string(text.substr(first + 1, second - first - 1)),
             std::string(text.substr(second + 1))};
  }
  const bool is_printable = std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (owner.manager.empty() || owner.machine.empty() || owner.nic.empty() || !is_printable)
    return base::fail(fmt::format(
        "an owner is written MANAGER/MACHINE/NIC (vc1/vm-7/net0), none of them empty; found \"{}\".", text));
  return owner;
}

Owner owner_prefix(std::string_view text) {
  Owner owner;
  const std::size_t first = text.find('/');
  owner.manager = text.substr(0, first);
  if (first == std::string_view::npos) return owner;
  const std::size_t second = text.find('/', first + 1);
  owner.machine = text.substr(first + 1, second == std::string_view::npos ? second : second - first - 1);
  if (second != std::string_view::npos) owner.nic = text.substr(second + 1);
  return owner;
}

std::string time_text(Seconds time) {
  const auto day = std::chrono::sys_seconds(std::chrono::seconds(time));
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::chrono::system_clock::to_time_t(day)));
}

std::string describe(const Entry& entry) {
  std::string text = fmt::format("{} is ", wire::to_text(entry.mac));
  switch (entry.state) {
    case State::kAllocated:
      text += "allocated";
      break;
    case State::kReserved:
      text += "reserved";
      break;
    case State::kFreed:
      return text + fmt::format("held back until {}{}", time_text(entry.free_at),
                                entry.owner.known() ? ", it was that of " + to_text(entry.owner) : "");
  }
  if (entry.owner.known())
    text += (entry.state == State::kAllocated ? " to " : " for ") + to_text(entry.owner);
  text += " since " + time_text(entry.since);
  if (entry.until != 0) text += ", its lease ends " + time_text(entry.until);
  if (!entry.note.empty()) text += fmt::format(" ({})", entry.note);
  return text;
}

bool matches(const Filter& filter, const Entry& entry) {
  const auto fits = [](const std::string& wanted, const std::string& is) {
    return wanted.empty() || wanted == is;
  };
  return fits(filter.pool, entry.pool) && fits(filter.owner.manager, entry.owner.manager) &&
         fits(filter.owner.machine, entry.owner.machine) && fits(filter.owner.nic, entry.owner.nic) &&
         (!filter.state || *filter.state == entry.state);
}

std::string_view to_text(Change::Kind kind) {
  constexpr std::string_view kKinds[] = {"there", "set", "gone"};
  return kKinds[static_cast<std::size_t>(kind)];
}

Outcome<Pool> pool_of(const Request& request, std::span<const Pool> pools) {
  const auto refuse = [](std::string what) { return failed(Failure::Kind::kRefused, std::move(what)); };
  if (request.count == 0 || request.count > kMostCount)
    return refuse(fmt::format("1 to {} addresses can be allocated at once.", kMostCount));
  if (!request.owners.empty() && request.owners.size() != request.count)
    return refuse(fmt::format("{} addresses for {} owners.", request.count, request.owners.size()));
  const std::set<Owner> different(request.owners.begin(), request.owners.end());
  if (different.size() != request.owners.size())
    return refuse("An owner is named twice; each has one address.");
  if (pools.empty()) return refuse("The registry has no pool yet: \"sekimori mac pool add\" makes one.");
  const Pool* pool = pools.data();
  if (!request.pool.empty()) {
    const auto at = std::ranges::find(pools, request.pool, &Pool::name);
    pool = at == pools.end() ? nullptr : &*at;
  }
  if (pool == nullptr || (request.pool.empty() && pools.size() > 1)) {
    std::vector<std::string> names;
    for (const Pool& p : pools) names.push_back(p.name);
    return refuse(pool == nullptr ? fmt::format("There is no pool {}; there are {}.", request.pool,
                                                fmt::join(names, ", "))
                                  : fmt::format("Which pool? There are {}.", fmt::join(names, ", ")));
  }
  if (request.policy.value_or(pool->policy) == Policy::kDerived && request.owners.empty())
    return refuse("An address that is derived from a name needs its owner's.");
  return *pool;
}

}  // namespace sekimori::macs
