// Labs come and go on this machine's kernel, and leave nothing.

#include <chrono>
#include <thread>

#include "lab/live.h"
#include "support.h"
#include "sys/links.h"
#include "sys/service.h"

namespace sekimori::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What the user has: links, addresses and routes outside of any lab.
std::string outside() {
  return output_of(
      "ip -j link; ip -j addr show | sed 's/\"valid_life_time\":[0-9]*//g; "
      "s/\"preferred_life_time\":[0-9]*//g'; ip -j route");
}

model::Model two_hundred_guests() {
  return site_of(R"(
hosts:
  node:
    count: 4
    nics: {eth0: {}}
    switches: {br0: {kind: linux-bridge, uplinks: [eth0]}}
    guests: {vm: {count: 50, nics: {net0: {on: br0, ip: 10.0.1.1/16}}}}
switches: {sw1: {}}
links: [[node-1:eth0, sw1:1], [node-2:eth0, sw1:2], [node-3:eth0, sw1:3], [node-4:eth0, sw1:4]]
)");
}

model::Model hosted_server() { return importers::load_site("examples/hosted-server/site.yaml").value(); }

TEST(UpDown, TwoHundredGuestsInSecondsAndNothingIsLeft) {
  const std::string before = outside();
  const TestLab lab(two_hundred_guests());
  const auto start = std::chrono::steady_clock::now();
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_EQ(lab.namespaces(), 205);
  EXPECT_EQ(outside(), before);
  const auto there = status(lab.plan());
  ASSERT_TRUE(there.has_value());
  EXPECT_TRUE(there->up(lab.plan()));
  EXPECT_THAT(lab.ip("vm-1-1", "ping -c 1 -w 5 10.0.1.200"), HasSubstr("1 received"));

  const auto gone = down(lab.plan().lab);
  ASSERT_TRUE(gone.has_value());
  EXPECT_EQ(gone->namespaces, 205);
  EXPECT_EQ(lab.namespaces(), 0);
  EXPECT_EQ(outside(), before);
}

TEST(UpDown, LiveSwitchesAndDelayLinesMoveFramesAndEndWithTheLab) {
  const TestLab lab(hosted_server());
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(lab.ip("server", "ping -c 2 -i 0.2 -w 5 10.0.0.9"), HasSubstr("2 received"));
  // Four milliseconds at each access, there and back.
  const std::string far = lab.ip("desk", "ping -c 3 -i 0.2 -w 5 10.0.0.3");
  EXPECT_THAT(far, HasSubstr("3 received"));
  const auto at = far.find("min/avg/max/mdev = ");
  ASSERT_NE(at, far.npos) << far;
  EXPECT_GE(std::stod(far.substr(at + 19)), 16.0);

  const auto gone = down(lab.plan().lab);
  ASSERT_TRUE(gone.has_value());
  EXPECT_TRUE(gone->live);
  EXPECT_EQ(lab.namespaces(), 0);
}

TEST(UpDown, RoutersForwardAndLinksHaveTheirRates) {
  const TestLab lab(site_of(R"(
hosts:
  a: {nics: {e: 10.0.1.1/24}, gateway: 10.0.1.254}
  b: {nics: {e: 10.0.2.1/24}, gateway: 10.0.2.254}
routers:
  gw: {nics: {l: 10.0.1.254/24, r: 10.0.2.254/24}, arp: {timeout: 4h}}
links: [[a:e, gw:l, 10Mbit/s], [b:e, gw:r]]
)"));
  const auto built = lab.up();
  ASSERT_TRUE(built.has_value()) << built.error().what;
  EXPECT_THAT(lab.ip("a", "ping -c 1 -w 5 10.0.2.1"), HasSubstr("ttl=63"));
  EXPECT_THAT(lab.ip("a", "tc qdisc show dev e"), HasSubstr("tbf"));
  EXPECT_THAT(lab.ip("gw", "cat /proc/sys/net/ipv4/neigh/l/base_reachable_time_ms"), HasSubstr("14400000"));
}

TEST(UpDown, TwoLabsOfOneSiteDontMeet) {
  const TestLab one(hosted_server()), other(hosted_server());
  ASSERT_TRUE(one.up().has_value());
  ASSERT_TRUE(other.up().has_value());
  EXPECT_THAT(one.ip("server", "ping -c 1 -w 5 10.0.0.2"), HasSubstr("1 received"));
  EXPECT_THAT(other.ip("server", "ping -c 1 -w 5 10.0.0.2"), HasSubstr("1 received"));
  ASSERT_TRUE(down(one.plan().lab).has_value());
  EXPECT_THAT(other.ip("server", "ping -c 1 -w 5 10.0.0.9"), HasSubstr("1 received"));
}

TEST(UpDown, ASecondLabOfThatNameIsRefusedAndTheFirstStays) {
  const TestLab lab(hosted_server());
  ASSERT_TRUE(lab.up().has_value());
  const auto again = lab.up();
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().what, HasSubstr("there already"));
  EXPECT_THAT(again.error().what, HasSubstr("--name"));
  EXPECT_TRUE(status(lab.plan())->up(lab.plan()));
}

TEST(UpDown, BrokenOffItRemovesWhatItBuilt) {
  const TestLab lab(hosted_server());
  for (const double share : {0.0, 0.2, 0.5, 0.7, 0.9}) {
    const auto built = lab.up({.without = {}, .progress = [&](double done) { return done < share; }});
    ASSERT_FALSE(built.has_value());
    EXPECT_THAT(built.error().what, HasSubstr("Interrupted"));
    EXPECT_EQ(lab.namespaces(), 0) << share;
  }
}

// Killed without a chance to clean up, at any time.
TEST(UpDown, AfterAKilledUpDownFindsEverything) {
  const model::Model site = two_hundred_guests();
  for (const int milliseconds : {1, 10, 40, 120, 250}) {
    const TestLab lab(site);
    lab.up_killed_after(std::chrono::milliseconds(milliseconds));
    const auto gone = down(lab.plan().lab);
    ASSERT_TRUE(gone.has_value()) << gone.error().what;
    EXPECT_EQ(lab.namespaces(), 0);
    EXPECT_TRUE(lab.up().has_value()) << "not even after down";
  }
}

TEST(UpDown, AKilledLiveSwitchIsToldAndDownStillWorks) {
  const TestLab lab(hosted_server());
  ASSERT_TRUE(lab.up().has_value());
  for (SpaceIndex s = 0; s < lab.plan().spaces.size(); ++s) {
    const auto space = sys::Namespace::open(lab.plan().namespace_of(s));
    const auto inside = sys::InNamespace::enter(*space);
    sys::stop_service(kLiveService, std::chrono::seconds(2));
  }
  const auto there = status(lab.plan());
  ASSERT_TRUE(there.has_value());
  EXPECT_FALSE(there->live);
  EXPECT_FALSE(there->up(lab.plan()));
  ASSERT_TRUE(down(lab.plan().lab).has_value());
  EXPECT_EQ(lab.namespaces(), 0);
}

TEST(UpDown, AVanishedInterfaceAndANamespaceAreTold) {
  const TestLab lab(hosted_server());
  ASSERT_TRUE(lab.up().has_value());
  {
    const auto space = sys::Namespace::open("sekimori." + lab.plan().lab + ".sw1");
    ASSERT_TRUE(space.has_value());
    ASSERT_TRUE(sys::Links::open(*space)->remove("2").has_value());
  }
  ASSERT_TRUE(sys::remove_namespace("sekimori." + lab.plan().lab + ".branch").has_value());
  const auto there = status(lab.plan());
  ASSERT_TRUE(there.has_value());
  EXPECT_FALSE(there->up(lab.plan()));
  EXPECT_THAT(there->broken, ::testing::Contains(::testing::EndsWith(".sw1: 2")));
  EXPECT_THAT(there->missing, ::testing::ElementsAre(::testing::EndsWith(".branch")));
  ASSERT_TRUE(down(lab.plan().lab).has_value());
  EXPECT_EQ(lab.namespaces(), 0);
}

TEST(UpDown, DownOfNothingIsFine) {
  const auto gone = down("no-such-lab-" + fresh_name());
  ASSERT_TRUE(gone.has_value());
  EXPECT_EQ(gone->namespaces, 0);
}

TEST(UpDown, TheKernelIsAskedForWhatThePlanNeeds) {
  const TestLab lab(hosted_server());
  const auto lacks = probe(lab.plan());
  ASSERT_TRUE(lacks.has_value()) << lacks.error().what;
  EXPECT_THAT(*lacks, IsEmpty());
}

}  // namespace
}  // namespace sekimori::lab
