#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "macs/audit.h"

namespace sekimori::macs {
namespace {

// "eth0.10" is a VLAN of eth0 and may have its address.
std::string_view stem(std::string_view nic) { return nic.substr(0, nic.find('.')); }

// One station to a switch: of one machine, on one port. NICs without a name are not told apart.
bool same_station(const Inventory& inventory, const Nic& a, const Nic& b) {
  if (a.manager != b.manager || a.machine != b.machine) return false;
  if (a.port != kNothing || b.port != kNothing) return a.port == b.port;
  return stem(inventory.texts[a.nic]) == stem(inventory.texts[b.nic]);
}

// Among stations that are all different.
Duplicate::Kind judge(const Inventory& inventory, std::vector<std::size_t> nics) {
  const auto nic = [&](std::size_t i) -> const Nic& { return inventory.nics[i]; };
  std::erase_if(nics, [&](std::size_t i) { return nic(i).power == Power::kOff; });
  std::ranges::sort(nics, [&](std::size_t a, std::size_t b) {
    return std::pair(nic(a).segment, nic(a).power) < std::pair(nic(b).segment, nic(b).power);
  });
  bool maybe = nics.size() > 1 && nic(nics.front()).segment == kNothing;  // it may be in any of the others'
  const auto of_exports = std::ranges::count_if(nics, [&](std::size_t i) { return nic(i).of_exports; });
  maybe |= of_exports != 0 && of_exports != std::ranges::ssize(nics);
  for (std::size_t i = 1; i < nics.size(); ++i) {
    const Nic &one = nic(nics[i - 1]), &other = nic(nics[i]);
    if (one.segment != other.segment || one.segment == kNothing) continue;
    // Sorted by power: the last two of a segment are the likeliest to run.
    if (one.power == Power::kRunning && other.power == Power::kRunning) return Duplicate::Kind::kReal;
    maybe = true;
  }
  return maybe ? Duplicate::Kind::kUndecided : Duplicate::Kind::kLatent;
}

}  // namespace

std::vector<Duplicate> duplicates(const Inventory& inventory) {
  const std::vector<Nic>& nics = inventory.nics;
  struct Key {
    std::uint64_t mac;
    std::uint32_t index;
    auto operator<=>(const Key&) const = default;
  };
  std::vector<Key> order;
  order.reserve(nics.size());
  for (std::size_t i = 0; i < nics.size(); ++i)
    order.push_back({nics[i].mac.bits, static_cast<std::uint32_t>(i)});
  std::ranges::sort(order);

  std::vector<Duplicate> found;
  for (std::size_t i = 0, end = 0; i < order.size(); i = end) {
    for (end = i + 1; end < order.size() && order[end].mac == order[i].mac;) ++end;
    const Mac mac{order[i].mac};
    if (end - i < 2 || mac.is_zero() || mac.is_group()) continue;  // zero: many have none; told as invalid
    std::vector<std::size_t> stations;
    for (std::size_t k = i; k < end; ++k) stations.push_back(order[k].index);
    // Those of one machine beside each other, so that few are compared.
    std::ranges::stable_sort(stations, {},
                             [&](std::size_t s) { return std::pair(nics[s].manager, nics[s].machine); });
    std::vector<std::size_t> different;
    for (const std::size_t s : stations) {
      bool is_new = true;
      for (std::size_t k = different.size(); k-- > 0 && is_new;) {
        const Nic& other = nics[different[k]];
        if (other.manager != nics[s].manager || other.machine != nics[s].machine) break;
        is_new = !same_station(inventory, other, nics[s]);
      }
      if (is_new) different.push_back(s);
    }
    if (different.size() < 2) continue;
    std::ranges::sort(different);
    const Duplicate::Kind kind = judge(inventory, different);
    found.push_back({mac, std::move(different), kind});
  }
  return found;
}

}  // namespace sekimori::macs
