// For the tests of the site reader.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "importers/site.h"

namespace sekimori::importers {

inline model::Model parse(std::string_view text) {
  auto result = parse_site("sekimori: 1\n" + std::string(text), "site.yaml");
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().text());
  return result ? std::move(*result) : model::Model{};
}

// "line:column: what" of each problem. The text begins in line 2.
inline std::vector<std::string> problems_of(std::string_view text,
                                            std::string_view header = "sekimori: 1\n") {
  const auto result = parse_site(std::string(header) + std::string(text), "site.yaml");
  EXPECT_FALSE(result.has_value()) << "accepted:\n" << text;
  std::vector<std::string> out;
  if (result) return out;
  for (const Problem& p : result.error().problems) {
    out.push_back(std::to_string(p.line) + ":" + std::to_string(p.column) + ": " + p.what);
  }
  return out;
}

inline std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path << ": run the tests from the top of the tree";
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class Things>
std::size_t index_of(const Things& things, std::string_view name) {
  const auto at =
      std::ranges::find(things, name, [](const auto& thing) { return std::string_view(thing.name); });
  EXPECT_NE(at, things.end()) << "no " << name;
  return static_cast<std::size_t>(at - things.begin());
}

inline const model::Machine& machine(const model::Model& m, std::string_view name) {
  return m.machines.at(index_of(m.machines, name));
}
inline const model::Bridge& bridge(const model::Model& m, std::string_view name) {
  return m.bridges.at(index_of(m.bridges, name));
}
inline const model::Station& station(const model::Model& m, std::string_view full_name) {
  for (std::size_t i = 0; i < m.stations.size(); ++i) {
    if (name_of(m, model::StationId(i)) == full_name) return m.stations[i];
  }
  ADD_FAILURE() << "no " << full_name;
  return m.stations.at(0);
}
// By its name, as "sw1:24" or "server/vmnet0(app:net0)".
inline model::PortId port_id(const model::Model& m, std::string_view full_name) {
  for (std::size_t i = 0; i < m.ports.size(); ++i) {
    if (name_of(m, model::PortId(i)) == full_name) return model::PortId(i);
  }
  ADD_FAILURE() << "no port " << full_name;
  return model::PortId(0u);
}
inline const model::Port& port(const model::Model& m, std::string_view full_name) {
  return m[port_id(m, full_name)];
}

}  // namespace sekimori::importers
