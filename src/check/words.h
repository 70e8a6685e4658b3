// How rules name what they speak of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "check/rules.h"

namespace sekimori::check {

// A finding that follows from the model alone, as severe as the catalogue has it.
findings::Finding proved(findings::Code code);

// "app:net0, app2:net0 and 7 more"
template <class Id>
std::string names(const model::Model& m, const std::vector<Id>& ids, std::size_t most = 5) {
  std::vector<std::string> list;
  list.reserve(ids.size());
  for (const Id id : ids) list.push_back(name_of(m, id));
  return base::list_words(list, most);
}

// "1 guest", "20 guests"
std::string count(std::size_t n, std::string_view thing);

// A segment by its bridges and its VLAN: "server/br0 and sw1, VLAN 10".
std::string segment_name(const Site& site, std::uint32_t segment);

}  // namespace sekimori::check
