// What bad bonds are told, and what good ones become.
#include <fmt/format.h>

#include "importers/test_support.h"

namespace sekimori::importers {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string host(std::string_view bond, std::string_view nics = "e: , f: ", std::string_view more = "") {
  return fmt::format("hosts: {{h: {{nics: {{{}}}, bonds: {{b: {{{}}}}}{}}}}}\n", nics, bond, more);
}

TEST(SiteBonds, WhatIsWrongIsTold) {
  struct Case {
    std::string text, at, what;
  };
  const Case cases[] = {
      {host("nics: [e, f]"), "2:39: ", "the mode of 'b' is missing: balance-rr, active-backup"},
      {host("mode: active-backup"), "2:39: ", "'b' has no NICs: write `nics: [eth0, eth1]`"},
      {host("mode: lacp, nics: [e, f]"), "2:49: ", "mode"},
      {host("mode: 802.3ad, nics: [e, g]"), "2:68: ", "'h' has no NIC 'g'"},
      {host("mode: 802.3ad, nics: [e, f], primary: e"), "2:81: ", "only active-backup, balance-tlb"},
      {host("mode: active-backup, nics: [e, f], primary: g"), "2:87: ", "'g' is no NIC of 'b'"},
      {host("mode: active-backup, nics: [e, f], hash-policy: layer2"), "2:91: ", "chooses by no hash"},
      {host("mode: 802.3ad, nics: [e, f]", "e: 10.0.0.1/24, f: "),
       "2:76: ", "in a bond only the bond has an address"},
      {host("mode: 802.3ad, nics: [e.5, f]", "e.5: , f: "), "2:67: ", "a bond takes whole NICs"},
      {host("mode: 802.3ad, nics: [e, e]"), "2:68: ", "already the uplink of h/b"},
      {host("mode: 802.3ad, nics: [e, f]", "e: , f: ", ", guests: {g: {nics: {n: {on: b}}}}"),
       "2:102: ", "'b' is a bond and takes no guests; put a virtual switch above it"},
      {host("mode: 802.3ad, nics: [e, f]", "e: , f: ", ", switches: {s: {kind: hub, uplinks: [e]}}"),
       "2:110: ", "NIC h:e is already the uplink of h/b"},
      {host("mode: 802.3ad, nics: [e, f]") + "switches: {s: {}}\nlinks: [[\"h:b\", s:1]]",
       "4:10: ", "'h/b' is a bond; link its NICs"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(problems_of(c.text), ElementsAre(AllOf(StartsWith(c.at), HasSubstr(c.what)))) << c.text;
  }
}

TEST(SiteBonds, GuestsAndRoutersHaveThem) {
  const auto site = parse_site(
      "sekimori: 1\n"
      "hosts:\n"
      "  h:\n"
      "    nics: {e: , f: }\n"
      "    switches: {v: {kind: sriov, uplinks: [e]}, w: {kind: sriov, uplinks: [f]}}\n"
      "    guests:\n"
      "      g:\n"
      "        nics: {x: {on: v}, y: {on: w}}\n"
      "        bonds: {b: {mode: active-backup, nics: [x, y], ip: 10.0.0.1/24}}\n"
      "routers: {r: {nics: {p: , q: , b.7: 10.7.0.1/24}, bonds: {b: {mode: balance-tlb, nics: [p, q]}}}}\n",
      "test");
  ASSERT_TRUE(site) << site.error().text();
  int bonds = 0;
  for (const model::Bridge& bridge : site->bridges) {
    if (bridge.kind != model::BridgeKind::kBond) continue;
    ++bonds;
    EXPECT_EQ(bridge.ports.size(), 3u);
  }
  EXPECT_EQ(bonds, 2);
}

}  // namespace
}  // namespace sekimori::importers
