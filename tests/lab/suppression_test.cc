// What only Linux' bridge has, in a lab: on the kernel's, and on a live switch in its place. Needs root.
#include "support.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// `b` does not answer ARP, as somebody switches that off below.
model::Model two_hosts(const std::string& port) {
  return site_of(R"(
hosts:
  hv:
    nics: {eth0: {}}
    switches:
      br0:
        kind: linux-bridge
        uplinks: [eth0]
        group-fwd-mask: 0x4000
        ports: {eth0: {multicast-flood: off, group-fwd-mask: 4, )" +
                 port + R"(}}
        neighbours: ["b:e"]
        static: [{station: "b:e", port: eth0}]
    guests: {a: {nics: {net0: {on: br0, ip: 10.0.0.1/24}}}}
  b: {nics: {e: {ip: 10.0.0.2/24, mac: "02:00:00:00:00:0b"}}}
links: [[hv:eth0, b:e]]
)");
}

std::string what_a_learns(const TestLab& lab) {
  lab.ip("b", "ip link set e arp off");
  lab.ip("a", "ping -c 1 -w 1 10.0.0.2");
  return lab.ip("a", "ip neigh show 10.0.0.2");
}

TEST(SuppressionLab, TheBridgeAnswersForOthers) {
  // The limit makes a live switch of it.
  for (const std::string beside : {"", ", mac-limit: 100"}) {
    const TestLab lab(two_hosts("neigh-suppress: on" + beside));
    EXPECT_THAT(lab.plan().unsupported, IsEmpty());
    EXPECT_EQ(lab.plan().has_live(), !beside.empty());
    const auto built = lab.up();
    ASSERT_TRUE(built.has_value()) << built.error().what;
    EXPECT_THAT(what_a_learns(lab), HasSubstr("02:00:00:00:00:0b")) << beside;
  }
  const TestLab lab(two_hosts("neigh-suppress: off"));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(what_a_learns(lab), Not(HasSubstr("02:00:00:00:00:0b"))) << "nobody answers";
}

TEST(SuppressionLab, MasksAndFlagsAreTheKernels) {
  const TestLab lab(two_hosts("neigh-suppress: on"));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(lab.ip("hv", "ip -d link show br0"), HasSubstr("group_fwd_mask 0x4000"));
  const std::string port = lab.ip("hv", "ip -d link show eth0");
  EXPECT_THAT(port, HasSubstr("group_fwd_mask 0x4"));
  EXPECT_THAT(port, HasSubstr("neigh_suppress on"));
  EXPECT_THAT(port, HasSubstr("mcast_flood off"));
  EXPECT_THAT(lab.ip("hv", "ip neigh show dev br0"),
              HasSubstr("10.0.0.2 lladdr 02:00:00:00:00:0b PERMANENT"));
}

}  // namespace
}  // namespace sekimori::lab
