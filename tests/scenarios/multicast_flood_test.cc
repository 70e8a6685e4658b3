// A port of a Linux bridge without multicasts: what needs them ends there, and what needs broadcasts does
// not.
#include <fmt/format.h>

#include "tests/scenarios/scenario.h"

namespace sekimori::scenarios {
namespace {

using findings::Code;

model::Model two_hosts(std::string_view port, std::string_view family) {
  return site(fmt::format(R"(
hosts:
  a: {{nics: {{e: {{ip: [10.0.0.1/24, "2001:db8::1/64"]}}}}}}
  b: {{nics: {{e: {{ip: [10.0.0.2/24, "2001:db8::2/64"]}}}}, arp: {{announce: never}}, nd: {{announce: never}}}}
switches: {{br: {{kind: linux-bridge, ports: {{2: {{{}}}}}}}}}
links: [[a:e, br:1], [b:e, br:2]]
traffic: [{{from: a, to: b, kind: ping, every: 1s, family: {}}}]
)",
                          port, family));
}

std::int64_t answered(const model::Model& m) { return play(m, base::seconds(10)).flows.front().answered; }

TEST(MulticastFlood, NeighborDiscoveryNeedsItAndArpDoesNot) {
  EXPECT_GE(answered(two_hosts("multicast-flood: off", "ipv4")), 9);
  EXPECT_EQ(answered(two_hosts("multicast-flood: off", "ipv6")), 0);
  EXPECT_EQ(answered(two_hosts("broadcast-flood: off", "ipv4")), 0);
  EXPECT_GE(answered(two_hosts("broadcast-flood: off", "ipv6")), 9);
}

// Two routers with one virtual address behind a bridge.
model::Model routers(std::string_view port) {
  return site(fmt::format(R"(
hosts: {{desk: {{nics: {{e: 10.0.0.9/24}}, gateway: 10.0.0.1}}, far: {{nics: {{e: 10.0.1.9/24}}, gateway: 10.0.1.2}}}}
routers:
  r1: {{nics: {{a: 10.0.0.2/24, b: 10.0.1.2/24}}}}
  r2: {{nics: {{a: 10.0.0.3/24, b: 10.0.1.3/24}}}}
switches: {{br: {{kind: linux-bridge, ports: {{2: {{{}}}}}}}, sw: {{}}}}
links: [[desk:e, br:3], [r1:a, br:1], [r2:a, br:2], [r1:b, sw:1], [r2:b, sw:2], [far:e, sw:3]]
shared: {{gw: {{kind: vrrp, vrid: 1, ip: 10.0.0.1, members: [r1:a, r2:a]}}}}
traffic: [{{from: desk, to: far, kind: ping, every: 1s}}]
)",
                          port));
}

bool has_two_masters(const model::Model& m) { return find(diagnose(m), Code::kMacDuplicate) != nullptr; }

TEST(MulticastFlood, WithoutItTwoRoutersAreMaster) {
  EXPECT_TRUE(has_two_masters(routers("multicast-flood: off")));
  EXPECT_FALSE(has_two_masters(routers("broadcast-flood: off")));
  EXPECT_FALSE(has_two_masters(routers("")));
}

}  // namespace
}  // namespace sekimori::scenarios
