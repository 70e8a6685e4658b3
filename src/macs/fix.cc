#include "macs/fix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <tuple>
#include <unordered_set>

#include "macs/allocator.h"
#include "macs/fix_commands.h"

namespace sekimori::macs {
namespace {

// Proposals where there is no registry: locally administered, and in nobody's default range.
constexpr MacRange kProposals{Mac{0x0a00'0000'0000}, Mac{0x0aff'ffff'ffff}};

bool is_recorded_for(const Inventory& inventory, const Nic& nic, const Known* known) {
  if (known == nullptr) return false;
  const auto at = std::ranges::lower_bound(known->entries, nic.mac, {}, &Entry::mac);
  if (at == known->entries.end() || at->mac != nic.mac || at->state == State::kFreed) return false;
  return at->owner == inventory.owner_of(nic);
}

// The lowest keeps the address.
auto claim_to_keep(const Inventory& inventory, std::size_t n, const Known* known) {
  const Nic& nic = inventory.nics[n];
  const int power = nic.power == Power::kRunning ? 0 : nic.power == Power::kUnknown ? 1 : 2;
  const int role = nic.role == Role::kHost ? 0 : nic.role == Role::kUnknown ? 1 : 2;
  return std::tuple(!is_recorded_for(inventory, nic, known), power, role, nic.clone_of != kNothing, n);
}

std::string why_this_one(const Inventory& inventory, std::size_t keeper, std::size_t changed,
                         const Known* known) {
  const Nic &a = inventory.nics[keeper], &b = inventory.nics[changed];
  const auto keeps = [&](std::string_view reason) {
    return fmt::format("{} keeps it: {}", inventory.name_of(a), reason);
  };
  if (is_recorded_for(inventory, a, known) && !is_recorded_for(inventory, b, known))
    return keeps("the registry has it for that one");
  if (a.power != b.power) return keeps(a.power == Power::kRunning ? "it is running" : "this one is off");
  if (a.role != b.role) return keeps(a.role == Role::kHost ? "it is a host" : "this one is a guest");
  if (a.clone_of == kNothing && b.clone_of != kNothing) return keeps("this one is the clone");
  return keeps("it comes first in the sources");
}

class Planner {
 public:
  Planner(const Inventory& inventory, const Known* known, const FixOptions& options)
      : inventory_(inventory), known_(known), options_(options) {
    for (const Nic& nic : inventory.nics) used_.insert(nic.mac);
  }

  void change(std::size_t n, std::string why) {
    if (!changed_.insert(n).second) return;
    const Nic& nic = inventory_.nics[n];
    FixStep step{.nic = n, .restarts = nic.power != Power::kOff, .why = std::move(why), .commands = {}};
    const std::string_view manager = inventory_.texts[nic.manager];
    const auto tool = options_.tools.find(manager);
    step.tool = tool != options_.tools.end() ? tool->second : guess_tool(manager);
    if (options_.registry.empty()) step.fresh = propose(nic);
    step.commands = fix_commands(inventory_, nic, step, options_.registry);
    // An owner has one address: the old record goes first.
    if (!options_.registry.empty() && is_recorded_for(inventory_, nic, known_))
      step.commands.insert(step.commands.begin(), release_command(nic.mac, options_.registry));
    steps_.push_back(std::move(step));
  }

  std::vector<FixStep> finish() && {
    std::ranges::stable_sort(steps_, {}, [&](const FixStep& s) {
      const Power power = inventory_.nics[s.nic].power;
      return power == Power::kOff ? 0 : power == Power::kUnknown ? 1 : 2;
    });
    return std::move(steps_);
  }

 private:
  Mac propose(const Nic& nic) {
    Proposer proposer = Proposer::derived(kProposals, to_text(inventory_.owner_of(nic)));
    for (;;) {
      const auto mac = proposer.next();
      if (mac && used_.insert(*mac).second) return *mac;
    }
  }

  const Inventory& inventory_;
  const Known* known_;
  const FixOptions& options_;
  std::unordered_set<Mac> used_;
  std::unordered_set<std::size_t> changed_;
  std::vector<FixStep> steps_;
};

}  // namespace

std::vector<FixStep> plan_fixes(const Inventory& inventory, const Known* known, const FixOptions& options) {
  Planner planner(inventory, known, options);
  for (std::size_t n = 0; n < inventory.nics.size(); ++n) {
    const Nic& nic = inventory.nics[n];
    if (nic.role == Role::kHost || nic.origin == Origin::kAllocated) continue;
    if (const std::string why = why_not(nic.mac); wire::well_known(nic.mac) != nullptr || nic.mac.is_group())
      planner.change(n, why);
  }
  for (const Duplicate& duplicate : duplicates(inventory)) {
    std::vector<std::size_t> order = duplicate.nics;
    std::ranges::sort(order, {}, [&](std::size_t n) { return claim_to_keep(inventory, n, known); });
    for (std::size_t i = 1; i < order.size(); ++i)
      planner.change(order[i], why_this_one(inventory, order[0], order[i], known));
  }
  return std::move(planner).finish();
}

}  // namespace sekimori::macs
