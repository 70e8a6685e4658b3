// The minimiser, with complaints made up for the purpose.
#include "minimise.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "importers/site.h"
#include "random_sites.h"

namespace sekimori::agreement {
namespace {

std::size_t switches_in(const std::string& text) {
  const auto model = importers::parse_site(text, "random");
  return model ? model->bridges.size() : 0;
}

constexpr const char* kSite = R"(sekimori: 1
seed: 3
hosts:
  h1: {nics: {eth0: {mac: "02:aa:00:00:00:01", ip: 10.0.0.1/24}}, arp: {timeout: 30s, announce: [start, 7s]}}
  h2: {nics: {eth0: {ip: 10.0.0.2/24}}}
  h3: {nics: {eth0: {ip: 10.0.0.3/24}}}
switches:
  s1: {kind: switch, ageing: 7s, ports: {h1: {flood: off}, h2: {learning: off, flood: off}}}
  s2: {kind: hub}
links:
  - [h1:eth0, s1:h1]
  - [h2:eth0, s1:h2]
  - [h3:eth0, s2:h3]
  - [s2:up, s1:d2]
traffic:
  - {from: h1, to: h2, kind: ping, every: 50ms}
  - {from: h2, to: h3, kind: udp, every: 1s}
)";

// A port that learns nothing, of a switch that somebody of the traffic is plugged into.
bool complains(const std::string& text) {
  const auto model = importers::parse_site(text, "random");
  if (!model) return false;
  for (const model::Flow& flow : model->flows) {
    const auto port = peer(*model, (*model)[(*model)[flow.from].stations.front()].port);
    if (!port.valid() || !(*model)[port].bridge.valid()) continue;
    if (!(*model)[port].learning) return true;
  }
  return false;
}

TEST(Minimise, LeavesWhatTheComplaintNeeds) {
  ASSERT_TRUE(complains(kSite));
  EXPECT_EQ(minimise(kSite, complains), R"(sekimori: 1
hosts:
  h2: {nics: {eth0: {ip: 10.0.0.2/24}}}
  h3: {nics: {eth0: {ip: 10.0.0.3/24}}}
switches:
  s1: { ports: { h2: {learning: off}}}
links:
  - [h2:eth0, s1:h2]
traffic:
  - {from: h2, to: h3, kind: udp, every: 1s}
)");
}

TEST(Minimise, LeavesATextThatDoesNotComplain) {
  EXPECT_EQ(minimise(kSite, [](const std::string&) { return false; }), kSite);
}

// Whatever is asked to remain remains, and nothing more can be taken away.
TEST(Minimise, EndsAtAFixedPoint) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const std::string text = RandomSite(seed, RandomSite::Kinds::kAll, RandomSite::Beyond::kYes).text();
    const std::size_t enough = std::min<std::size_t>(3, switches_in(text));
    ASSERT_GT(enough, 0u) << text;
    const auto holds = [&](const std::string& t) { return switches_in(t) >= enough; };
    const std::string smallest = minimise(text, holds);
    EXPECT_EQ(switches_in(smallest), enough) << smallest;
    EXPECT_EQ(minimise(smallest, holds), smallest);
    EXPECT_EQ(smallest.find("\ntraffic"), std::string::npos) << smallest;
    EXPECT_EQ(smallest.find("\nlinks"), std::string::npos) << smallest;
  }
}

}  // namespace
}  // namespace sekimori::agreement
