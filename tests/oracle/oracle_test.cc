// The table of docs/accuracy.md, worked out anew; and random sites.
#include "tests/oracle/oracle.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/agreement/random_sites.h"
#include "tests/oracle/scenarios.h"
#include "tests/support/cards.h"

namespace sekimori::oracle {
namespace {

std::string row(std::string_view name, const Verdict& v) {
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |", name, v.ports, v.visible,
                     v.directed.named, v.directed.open, v.directed.missed, v.plain.named, v.plain.open,
                     v.plain.missed, v.false_claims.size());
}

void expect_no_false_claim(std::string_view name, const Verdict& v) {
  for (const std::string& claim : v.false_claims) ADD_FAILURE() << name << ": FALSE at " << claim;
  if (std::getenv("ORACLE_MISSES") == nullptr) return;
  for (const std::string& miss : v.misses) std::cout << name << ": missed at " << miss << "\n";
  for (const std::string& claim : v.misled) std::cout << name << ": misled at " << claim << "\n";
}

// Lines of the document that are rows of the table.
std::string document() {
  std::ifstream file("docs/accuracy.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Oracle, TheTableIsWhatTheDetectorsDo) {
  const std::string text = document();
  Verdict all;
  std::string table;
  const auto tell = [&](std::string_view name, const Verdict& v) {
    const std::string line = row(name, v);
    table += line + "\n";
    EXPECT_NE(text.find(line), std::string::npos) << "docs/accuracy.md lacks\n" << line;
    expect_no_false_claim(name, v);
  };
  for (const Scenario& scenario : scenarios()) {
    const Verdict v = judge(model_of(scenario), base::seconds(scenario.seconds));
    tell(scenario.name, v);
    all += v;
  }
  tell("all", all);
  if (HasFailure()) std::cout << table;
}

// Sites that nobody designed: whatever is claimed is true; where nothing is wrong, nothing is claimed.
TEST(Oracle, RandomSites) {
  constexpr std::uint64_t kSites = 1000;
  Verdict all;
  int healthy = 0;
  const char* first = std::getenv("ORACLE_FIRST");  // other sites, for whoever works on the detectors
  const std::uint64_t before = first == nullptr ? 0 : std::strtoull(first, nullptr, 10) - 1;
  for (std::uint64_t seed = before + 1; seed <= before + kSites; ++seed) {
    const agreement::RandomSite site(seed);
    auto model = importers::parse_site(site.text(), "random");
    ASSERT_TRUE(model.has_value()) << site.text();
    testing::plug_in_cards(*model);
    Verdict v = judge(*model, base::seconds(40));
    healthy += v.healthy ? 1 : 0;
    for (std::string& claim : v.false_claims) claim += fmt::format(" [seed {}]", seed);
    for (std::string& claim : v.misled) claim += fmt::format(" [seed {}]", seed);
    for (std::string& miss : v.misses) miss += fmt::format(" [seed {}]", seed);
    all += v;
  }
  expect_no_false_claim("random sites", all);
  const std::string line =
      row(fmt::format("{} random sites, {} of them without a fault", kSites, healthy), all);
  const std::string misled = fmt::format("{} claims at random sites", all.misled.size());
  EXPECT_NE(document().find(line), std::string::npos) << "docs/accuracy.md lacks\n" << line;
  EXPECT_NE(document().find(misled), std::string::npos) << "docs/accuracy.md lacks\n" << misled;
}

}  // namespace
}  // namespace sekimori::oracle
