// What a site alone shows about its MACs: for each rule the least site that triggers it, and near misses that
// stay silent.
#include "structural.h"

namespace sekimori::scenarios {
namespace {

// ---------------------------------------------------------------- mac-bridge-changes

std::string bridged_host(std::string_view bridge_mac, std::string_view guest_mac) {
  return host(fmt::format("ip: 10.0.0.1/24{}", bridge_mac),
              fmt::format("g: {{nics: {{net0: {{on: br0, mac: \"{}\"}}}}}}", guest_mac),
              "{mac: \"a0:36:9f:00:00:01\"}");
}

TEST(MacBridgeChanges, AGuestWithALowerMac) {
  const auto f = told(bridged_host("", "52:54:00:aa:00:01"), Code::kMacBridgeChanges);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->where, "h/br0");
  EXPECT_TRUE(says(*f, "g:net0"));
  EXPECT_TRUE(says(*f, "a0:36:9f:00:00:01"));
}

// The host's address may as well be at the NIC under the bridge.
TEST(MacBridgeChanges, AHostThatKeepsTheAddressAtItsNic) {
  const auto of = [](std::string_view mac) {
    return told(host("", "g: {nics: {net0: {on: br0, mac: {drawn-from: \"52:54:00:00:00:00/24\"}}}}",
                     fmt::format("{{mac: \"{}\", ip: 10.0.0.1/24}}", mac)),
                Code::kMacBridgeChanges);
  };
  EXPECT_TRUE(of("a0:36:9f:00:00:01"));
  EXPECT_FALSE(of("00:1b:21:00:00:01"));
}

TEST(MacBridgeChanges, SilentWhenSetOrHigherOrUnknown) {
  EXPECT_FALSE(
      told(bridged_host(", mac: \"a0:36:9f:00:00:01\"", "52:54:00:aa:00:01"), Code::kMacBridgeChanges));
  EXPECT_FALSE(told(bridged_host("", "fe:54:00:aa:00:01"), Code::kMacBridgeChanges));
  const std::string allocated = host("ip: 10.0.0.1/24", "g: {nics: {net0: {on: br0}}}");
  EXPECT_FALSE(told(allocated, Code::kMacBridgeChanges));
}

// A bridge and the NIC under it share a MAC by design.
TEST(MacDuplicate, SilentForABridgeOverItsNic) {
  EXPECT_FALSE(told(bridged_host("", "fe:54:00:aa:00:01"), Code::kMacDuplicateLatent));
  EXPECT_TRUE(told(bridged_host("", "a0:36:9f:00:00:01"), Code::kMacDuplicate));
}

// ---------------------------------------------------------------- mac-well-known

// A guest with that MAC and state; another host with a virtual switch, or none, beside it.
std::string two_hosts(std::string_view mac, std::string_view state, std::string_view other_switches) {
  return fmt::format(R"(
hosts:
  h:
    nics: {{eth0: {{}}}}
    switches: {{br0: {{kind: linux-bridge, uplinks: [eth0]}}}}
    guests: {{g: {{nics: {{n: {{on: br0, mac: "{}"}}}}, state: {}}}}}
  other: {{nics: {{eth0: {{}}}}, switches: {{{}}}}}
switches: {{sw1: {{}}}}
links: [[h:eth0, sw1:1], [other:eth0, sw1:2]]
)",
                     mac, state, other_switches);
}
constexpr std::string_view kOtherBridge = "br0: {kind: linux-bridge, uplinks: [eth0]}";

TEST(MacWellKnown, AnErrorWhereItCouldMeetAnother) {
  for (const char* mac :
       {"52:54:00:12:34:56", "02:00:00:00:00:00", "de:ad:be:ef:00:01", "02:42:ac:11:00:02"}) {
    const auto f = told(two_hosts(mac, "running", kOtherBridge), Code::kMacWellKnown);
    ASSERT_TRUE(f) << mac;
    EXPECT_EQ(f->severity, Severity::kError) << mac;
    EXPECT_EQ(f->where, "g:n");
    EXPECT_TRUE(says(*f, mac));
  }
}

TEST(MacWellKnown, AWarningWhereItIsAloneOrOff) {
  EXPECT_EQ(told(two_hosts("52:54:00:12:34:56", "running", ""), Code::kMacWellKnown)->severity,
            Severity::kWarning);
  EXPECT_EQ(told(two_hosts("52:54:00:12:34:56", "stopped", kOtherBridge), Code::kMacWellKnown)->severity,
            Severity::kWarning);
}

TEST(MacWellKnown, SilentBesideTheTable) {
  for (const char* mac : {"52:54:00:12:35:56", "02:00:00:00:00:01", "02:42:0a:00:00:02"}) {
    EXPECT_FALSE(told(two_hosts(mac, "running", kOtherBridge), Code::kMacWellKnown)) << mac;
  }
}

// ---------------------------------------------------------------- mac-invalid

TEST(MacInvalid, AGuestWithTheAddressOfACard) {
  const auto f = told(two_hosts("a0:36:9f:12:34:56", "running", ""), Code::kMacInvalid);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kNote);
  EXPECT_EQ(f->where, "g:n");
}

TEST(MacInvalid, SilentForVirtualMakersLocalAddressesAndHosts) {
  for (const char* mac :
       {"52:54:00:00:00:01", "00:50:56:00:00:01", "00:0c:29:00:00:01", "00:15:5d:00:00:01",
        "08:00:27:00:00:01", "00:16:3e:00:00:01", "00:1c:42:00:00:01", "00:1a:4a:00:00:01"}) {
    EXPECT_FALSE(told(two_hosts(mac, "running", ""), Code::kMacInvalid)) << mac;
  }
  EXPECT_FALSE(told("hosts: {h: {nics: {eth0: {mac: \"a0:36:9f:12:34:56\"}}}}", Code::kMacInvalid));
}

// The site file refuses these (see site_errors_test.cc); other sources may bring them.
TEST(MacInvalid, GroupAddressesAndZeroAreErrors) {
  for (const std::uint64_t bits : {0x0100'5e00'0001u * std::uint64_t{1}, std::uint64_t{0}}) {
    model::Model m = site(two_hosts("52:54:00:00:00:01", "running", ""));
    m.stations.back().mac = wire::Mac{bits};
    const auto f = told(m, Code::kMacInvalid);
    ASSERT_TRUE(f);
    EXPECT_EQ(f->severity, Severity::kError);
  }
}

// ---------------------------------------------------------------- mac-birthday

std::string draws(int guests, std::string_view range, std::string_view vlans = "") {
  return host("", fmt::format("vm: {{count: {}, nics: {{n: {{on: br0, mac: {{drawn-from: \"{}\"}}{}}}}}}}",
                              guests, range, vlans));
}

TEST(MacBirthday, SaysHowLikely) {
  const auto f = told(draws(20, "00:1a:4a:1a:83:00/40"), Code::kMacBirthday);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_TRUE(says(*f, "20 NICs"));
  EXPECT_TRUE(says(*f, "256 addresses"));
  EXPECT_TRUE(says(*f, "53.3 %"));  // 1 - 256! / (236! 256^20)
}

TEST(MacBirthday, Thresholds) {
  const auto of = [](int guests, std::string_view range) {
    return told(draws(guests, range), Code::kMacBirthday);
  };
  EXPECT_EQ(of(1000, "52:54:00:00:00:00/24")->severity, Severity::kWarning);  // 2.9 %
  EXPECT_EQ(of(100, "52:54:00:00:00:00/24")->severity, Severity::kNote);      // 1 in 3400
  EXPECT_TRUE(says(*of(100, "52:54:00:00:00:00/24"), "1 in 3390"));
  EXPECT_FALSE(of(5, "52:54:00:00:00:00/24"));                   // 6e-7
  EXPECT_FALSE(of(1000, "02:00:00:00:00:00/8"));                 // 4.5e-7
  EXPECT_TRUE(says(*of(300, "00:1a:4a:1a:83:00/40"), "100 %"));  // more draws than addresses
}

TEST(MacBirthday, SegmentsDoNotAddUp) {
  const std::string two_vlans = host("", R"(
      a: {count: 10, nics: {n: {on: br0, access: 10, mac: {drawn-from: "00:1a:4a:1a:83:00/40"}}}},
      b: {count: 12, nics: {n: {on: br0, access: 20, mac: {drawn-from: "00:1a:4a:1a:83:00/40"}}}})");
  const auto f = told(two_vlans, Code::kMacBirthday);
  ASSERT_TRUE(f);
  EXPECT_TRUE(says(*f, "12 NICs"));
  EXPECT_TRUE(says(*f, "22 draws"));
  EXPECT_EQ(how_often(site(two_vlans), Code::kMacBirthday), 1u);
}

// ---------------------------------------------------------------- mac-pool-overlap

TEST(MacPoolOverlap, TheSameDefaultTwice) {
  const auto f = told("pools: {east: {kind: kubemacpool}, west: {kind: kubemacpool}}", Code::kMacPoolOverlap);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_EQ(f->where, "east and west");
  EXPECT_TRUE(says(*f, "1099511627776 addresses"));
}

TEST(MacPoolOverlap, ByKind) {
  const auto overlaps = [](std::string_view pools) {
    return told(fmt::format("pools: {{{}}}", pools), Code::kMacPoolOverlap).has_value();
  };
  EXPECT_TRUE(overlaps("a: {kind: vcenter, id: 7}, b: {kind: vcenter, id: 7}"));
  EXPECT_FALSE(overlaps("a: {kind: vcenter, id: 7}, b: {kind: vcenter, id: 8}"));
  EXPECT_TRUE(overlaps("a: {kind: hyperv, host-ip: 192.168.1.17}, b: {kind: hyperv, host-ip: 10.0.1.17}"));
  EXPECT_FALSE(
      overlaps("a: {kind: hyperv, host-ip: 192.168.1.17}, b: {kind: hyperv, host-ip: 192.168.1.18}"));
  EXPECT_TRUE(overlaps("a: {kind: ovirt}, b: \"00:1a:4a:16:01:e6-00:1a:4a:16:02:00\""));
  EXPECT_FALSE(overlaps("a: {kind: ovirt}, b: \"00:1a:4a:16:01:e7-00:1a:4a:16:02:00\""));
}

TEST(MacPoolOverlap, AChainOfPoolsIsOneFinding) {
  const model::Model m = site(R"(
pools:
  a: "02:00:00:00:00:00-02:00:00:00:00:ff"
  b: "02:00:00:00:00:80-02:00:00:00:01:7f"
  c: "02:00:00:00:01:00-02:00:00:00:01:ff"
  apart: "02:00:00:00:03:00/40"
)");
  EXPECT_EQ(how_often(m, Code::kMacPoolOverlap), 1u);
  EXPECT_EQ(told(m, Code::kMacPoolOverlap)->where, "a, b and c");
  EXPECT_TRUE(says(*told(m, Code::kMacPoolOverlap), "128 addresses"));
}

// h1 is the pool's, h2 is not; both have a guest, and h2 a NIC of its own.
std::string pooled(std::string_view mac_1, std::string_view mac_2, std::string_view nic_2 = "{}") {
  return fmt::format(R"(
hosts:
  h1:
    switches: {{br0: {{kind: linux-bridge}}}}
    guests: {{g1: {{nics: {{n: {{on: br0, mac: "{}"}}}}}}}}
  h2:
    nics: {{eth0: {}}}
    switches: {{br0: {{kind: linux-bridge}}}}
    guests: {{g2: {{nics: {{n: {{on: br0, mac: "{}"}}}}}}}}
pools: {{vc: {{kind: vcenter, id: 0, hosts: [h1]}}}}
)",
                     mac_1, nic_2, mac_2);
}

TEST(MacPoolOverlap, AGuestOfAnotherHostInThePool) {
  const auto f = told(pooled("00:50:56:80:00:01", "00:50:56:80:00:02"), Code::kMacPoolOverlap);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->where, "g2:n");
  EXPECT_FALSE(told(pooled("00:50:56:80:00:01", "00:50:56:81:00:02"), Code::kMacPoolOverlap));
}

TEST(MacPoolOverlap, AHostsOwnNicInThePool) {
  const auto f = told(pooled("00:50:56:80:00:01", "00:50:56:81:00:02", "{mac: \"00:50:56:80:ff:ff\"}"),
                      Code::kMacPoolOverlap);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->where, "h2:eth0");
}

// Whose a guest is, is not known where the pool has no hosts.
TEST(MacPoolOverlap, SilentAboutGuestsOfUnknownManagers) {
  std::string text = pooled("00:50:56:80:00:01", "00:50:56:80:00:02");
  text.replace(text.find(", hosts: [h1]"), 13, "");
  EXPECT_FALSE(told(text, Code::kMacPoolOverlap));
}

// ---------------------------------------------------------------- mac-pool-full

std::string hyperv(int guests) {
  return fmt::format(R"(
hosts:
  hv: {{switches: {{br0: {{kind: switch}}}}, guests: {{vm: {{count: {}, nics: {{n: {{on: br0}}}}}}}}}}
  hv2: {{switches: {{br0: {{kind: switch}}}}, guests: {{other: {{count: 300, nics: {{n: {{on: br0}}}}}}}}}}
pools: {{hv: {{kind: hyperv, host-ip: 192.168.1.17, hosts: [hv]}}}}
)",
                     guests);
}

TEST(MacPoolFull, TwoHundredFiftySixForAHypervHost) {
  const auto f = told(hyperv(257), Code::kMacPoolFull);
  ASSERT_TRUE(f);
  EXPECT_EQ(f->severity, Severity::kWarning);
  EXPECT_EQ(f->where, "hv");
  EXPECT_TRUE(says(*f, "256 addresses for 257 NICs"));
  EXPECT_EQ(told(hyperv(256), Code::kMacPoolFull)->severity, Severity::kNote);
  EXPECT_EQ(told(hyperv(231), Code::kMacPoolFull)->severity, Severity::kNote);
  EXPECT_FALSE(told(hyperv(230), Code::kMacPoolFull));
}

TEST(MacPoolFull, AddressesFromElsewhereDoNotCount) {
  std::string text = hyperv(257);
  text.replace(text.find("n: {on: br0}"), 12, "n: {on: br0, mac: {drawn-from: \"02:00:00:00:00:00/8\"}}");
  EXPECT_FALSE(told(text, Code::kMacPoolFull));
}

}  // namespace
}  // namespace sekimori::scenarios
