// Bonds in exports: what iproute2 and Open vSwitch tell of them, and what is at their other end.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "base/random.h"
#include "importers/import_support.h"
#include "importers/test_support.h"
#include "model/bond_mode.h"

namespace sekimori::importers {
namespace {

using model::BondMode;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> nics_of(const model::Model& m, const model::Bridge& bond) {
  std::vector<std::string> names;
  for (const model::PortId port : bond.ports) {
    if (m[port].role == model::PortRole::kUplink) names.push_back(m[port].name);
  }
  return names;
}

// The port at the other end of a NIC's cable; nothing: there is no cable.
std::optional<model::Port> far_end(const model::Model& m, std::string_view bond, std::string_view nic) {
  for (const model::PortId port : bridge(m, bond).ports) {
    if (m[port].name == nic && model::peer(m, port).valid()) return m[model::peer(m, port)];
  }
  return std::nullopt;
}

// ---------------------------------------------------------------- as they are

TEST(ImportBonds, WhatIproute2TellsOfFourBonds) {
  const Import imported = import(folder("tests/data/import/bonds"));
  EXPECT_THAT(imported.left_out, IsEmpty());
  const model::Model m = model_of(imported);

  // The active one first; the MAC is that of the first that was put in.
  const model::Bridge& active = bridge(m, "bond0");
  EXPECT_EQ(active.bond_mode, BondMode::kActiveBackup);
  EXPECT_THAT(nics_of(m, active), ElementsAre("eth1", "eth0"));
  EXPECT_EQ(m[active.primary].name, "eth1");
  EXPECT_EQ(station(m, "hv1:bond0").ip, (wire::Ipv4Prefix{*wire::parse_ipv4("10.0.0.1"), 24}));
  EXPECT_EQ(station(m, "hv1:bond0").mac, *wire::parse_mac("52:54:00:00:01:10"));
  EXPECT_EQ(station(m, "hv1:eth1").mac, *wire::parse_mac("52:54:00:00:01:11"));
  EXPECT_EQ(station(m, "hv1:bond0.10").vlan, 10);
  EXPECT_TRUE(far_end(m, "bond0", "eth0") && far_end(m, "bond0", "eth1"));

  // Two of three have a partner; the third is down, and nobody knows what it is plugged into.
  const model::Bridge& lacp = bridge(m, "bond1");
  EXPECT_EQ(lacp.bond_mode, BondMode::kLacp);
  EXPECT_EQ(lacp.hash_policy, model::HashPolicy::kLayer34);
  EXPECT_THAT(nics_of(m, lacp), ElementsAre("eth2", "eth3", "eth4"));
  const auto two = far_end(m, "bond1", "eth2"), three = far_end(m, "bond1", "eth3");
  ASSERT_TRUE(two && three);
  EXPECT_NE(two->lag, 0);
  EXPECT_TRUE(two->lag == three->lag && two->bridge == three->bridge);
  EXPECT_FALSE(far_end(m, "bond1", "eth4"));
  EXPECT_EQ(bridge(m, "br0").ports.size(), 2);  // the bond and the machine
  EXPECT_EQ(station(m, "hv1:br0").mac, station(m, "hv1:bond1").mac);

  EXPECT_EQ(bridge(m, "bond2").bond_mode, BondMode::kBalanceAlb);
  EXPECT_EQ(far_end(m, "bond2", "eth5")->lag, 0);
  EXPECT_THAT(notes(m), Contains(AllOf(HasSubstr("hv1:bond3"), HasSubstr("fail_over_mac active"),
                                       HasSubstr("arp_interval 1000"))));
  EXPECT_THAT(imported.site, Not(HasSubstr("unused")));
}

TEST(ImportBonds, WhatOpenVswitchTellsOfThree) {
  const Import imported = import(folder("tests/data/import/ovs-bonds"));
  EXPECT_THAT(imported.left_out, IsEmpty());
  const model::Model m = model_of(imported);
  EXPECT_EQ(bridge(m, "bond0").bond_mode, BondMode::kLacp);
  EXPECT_EQ(bridge(m, "bond0").hash_policy, model::HashPolicy::kLayer34);
  EXPECT_NE(far_end(m, "bond0", "eth0")->lag, 0);
  EXPECT_EQ(far_end(m, "bond0", "eth0")->lag, far_end(m, "bond0", "eth1")->lag);
  EXPECT_EQ(bridge(m, "bond1").bond_mode, BondMode::kActiveBackup);
  EXPECT_EQ(m[bridge(m, "bond1").primary].name, "eth3");
  EXPECT_EQ(nics_of(m, bridge(m, "bond1")).front(), "eth3");
  EXPECT_EQ(bridge(m, "bond2").bond_mode, BondMode::kActiveBackup);
  EXPECT_THAT(notes(m),
              Contains(HasSubstr("node:bond2 that are not modelled: bond_mode balance-slb without LACP")));
  for (const char* name : {"br0", "br1", "br2"}) EXPECT_EQ(bridge(m, name).kind, model::BridgeKind::kOvs);
  EXPECT_THAT(imported.site, HasSubstr("uplinks: [bond1]"));
  EXPECT_THAT(imported.site, HasSubstr("bond1: {access: 10}"));
}

// ---------------------------------------------------------------- made ones

// A row of `ip -d -j link`.
std::string row(int index, std::string_view name, std::string_view more, std::string_view flags = R"("UP")") {
  return fmt::format(
      R"({{"ifindex":{},"ifname":"{}","flags":[{}],"link_type":"ether","address":"02:00:00:00:00:{:02x}"{}}})",
      index, name, flags, index, more.empty() ? "" : "," + std::string(more));
}
std::string bond_row(int index, std::string_view name, std::string_view data, std::string_view more = "") {
  return row(index, name,
             fmt::format(R"("linkinfo":{{"info_kind":"bond","info_data":{{{}}}}}{})", data,
                         more.empty() ? "" : "," + std::string(more)));
}
std::string nic_row(int index, std::string_view name, std::string_view master, std::string_view data = "",
                    std::string_view flags = R"("UP")") {
  return row(index, name,
             fmt::format(R"("master":"{}","linkinfo":{{"info_slave_kind":"bond","info_slave_data":{{{}}}}})",
                         master, data),
             flags);
}
Import import_rows(const std::vector<std::string>& rows, const std::vector<SourceText>& more = {}) {
  std::vector<SourceText> sources = more;
  sources.push_back({"h/link.json", fmt::format("[{}]", fmt::join(rows, ",\n"))});
  return import(sources);
}
std::string address(std::string_view ip) {
  return fmt::format(R"("addr_info":[{{"family":"inet","local":"{}","prefixlen":24}}])", ip);
}

// What is at the other end is told by LACP; where it is not told, it is what the mode needs.
TEST(ImportBonds, TheOtherEndIsAGroupIfThePartnerSaysSoOrElseAsTheModeNeedsIt) {
  const auto lags = [](std::string_view data, std::string_view nic = "") {
    const Import imported = import_rows({bond_row(9, "bond0", data, address("10.0.0.1")),
                                         nic_row(1, "eth0", "bond0", nic), nic_row(2, "eth1", "bond0", nic)});
    const model::Model m = model_of(imported);
    const auto one = far_end(m, "bond0", "eth0"), two = far_end(m, "bond0", "eth1");
    EXPECT_TRUE(one && two) << imported.site;
    const bool is_assumed =
        imported.site.contains("takes the NICs of h:bond0 for one aggregation group is not told");
    return fmt::format("{}{}{}", one->lag != 0 && one->lag == two->lag ? "group" : "apart",
                       one->bridge == two->bridge ? "" : ", two networks", is_assumed ? ", assumed" : "");
  };
  constexpr std::string_view kPartner =
      R"("mode":"802.3ad","ad_info":{"aggregator":1,"partner_mac":"02:00:00:00:00:99"})";
  EXPECT_EQ(lags(kPartner, R"("ad_aggregator_id":1)"), "group");
  EXPECT_EQ(lags(kPartner, R"("ad_aggregator_id":2)"), "apart");
  EXPECT_EQ(lags(R"("mode":"802.3ad","ad_info":{"aggregator":1,"partner_mac":"00:00:00:00:00:00"})",
                 R"("ad_aggregator_id":1)"),
            "apart");
  EXPECT_EQ(lags(R"("mode":"802.3ad")"), "group, assumed");
  EXPECT_EQ(lags(R"("mode":"balance-xor")"), "group, assumed");
  EXPECT_EQ(lags(R"("mode":"balance-rr")"), "group, assumed");
  EXPECT_EQ(lags(R"("mode":"active-backup")"), "apart");
  EXPECT_EQ(lags(R"("mode":"broadcast")"), "apart, two networks");
}

std::string lldp(const std::vector<std::pair<std::string, std::string>>& cables) {
  std::vector<std::string> entries;
  for (const auto& [nic, far] : cables) {
    const auto colon = far.find(':');
    entries.push_back(fmt::format(
        R"({{"{}":{{"chassis":{{"{}":{{"id":{{"type":"local","value":"x"}}}}}},"port":{{"id":{{"type":"ifname","value":"{}"}}}}}}}})",
        nic, far.substr(0, colon), far.substr(colon + 1)));
  }
  return fmt::format(R"({{"lldp":{{"interface":[{}]}}}})", fmt::join(entries, ","));
}

TEST(ImportBonds, CablesThatLldpTellsAreThoseOfTheNics) {
  const std::vector<std::string> rows = {bond_row(9, "bond0", R"("mode":"balance-xor")", address("10.0.0.1")),
                                         nic_row(1, "eth0", "bond0"), nic_row(2, "eth1", "bond0")};
  const Import one = import_rows(rows, {{"h/lldp.json", lldp({{"eth0", "sw1:5"}, {"eth1", "sw1:6"}})}});
  const model::Model m = model_of(one);
  EXPECT_EQ(far_end(m, "bond0", "eth0")->name, "5");
  EXPECT_EQ(far_end(m, "bond0", "eth1")->name, "6");
  EXPECT_NE(far_end(m, "bond0", "eth0")->lag, 0);
  // One that LLDP is silent about is in the same segment.
  const model::Model half = model_of(import_rows(rows, {{"h/lldp.json", lldp({{"eth0", "sw1:5"}})}}));
  EXPECT_EQ(far_end(half, "bond0", "eth1")->bridge, far_end(half, "bond0", "eth0")->bridge);
  const Import two = import_rows(rows, {{"h/lldp.json", lldp({{"eth0", "leaf1:5"}, {"eth1", "leaf2:5"}})}});
  EXPECT_THAT(notes(model_of(two)), Contains(AllOf(HasSubstr("leaf1 and leaf2"), HasSubstr("may be none"))));
}

TEST(ImportBonds, ATableThatHasLearntABondShowsItsActiveNicOrItsGroup) {
  const SourceText table{
      "sw1-mac-address-table.txt",
      "          Mac Address Table\n-------------------------------------------\n\n"
      "Vlan    Mac Address       Type        Ports\n----    -----------       --------    -----\n"
      "   1    0200.0000.0009    DYNAMIC     Po1\n   1    0200.0000.0077    DYNAMIC     Gi1/0/3\n"};
  const auto ports = [&](std::string_view data) {
    const model::Model m = model_of(import_rows({bond_row(9, "bond0", data, address("10.0.0.1")),
                                                 nic_row(1, "eth0", "bond0"), nic_row(2, "eth1", "bond0")},
                                                {table}));
    return far_end(m, "bond0", "eth0")->name + " " + far_end(m, "bond0", "eth1")->name;
  };
  EXPECT_EQ(ports(R"("mode":"802.3ad")"), "Po1-1 Po1-2");
  EXPECT_EQ(ports(R"("mode":"active-backup","active_slave":"eth1")"), "assumed-1 Po1");
}

TEST(ImportBonds, AContainersBondIsPluggedInByItsNics) {
  const std::string far = R"("link_index":{},"link_netnsid":0)";
  const auto port = [&](int index, int peer) {
    return row(index, fmt::format("veth{}", index),
               fmt::format(fmt::runtime(far), peer) +
                   R"(,"master":"br0","linkinfo":{"info_kind":"veth","info_slave_kind":"bridge"})");
  };
  const auto nic = [&](int index, int peer, std::string_view name) {
    return row(index, name,
               fmt::format(fmt::runtime(far), peer) +
                   R"(,"master":"bond0","linkinfo":{"info_kind":"veth","info_slave_kind":"bond"})");
  };
  const std::string bond =
      bond_row(23, "bond0", R"("mode":"active-backup","active_slave":"eth0")", address("10.0.0.9"));
  const std::string vlan =
      row(24, "v10",
          R"("link":"bond0","linkinfo":{"info_kind":"vlan","info_data":{"id":10}},)" + address("10.0.1.9"));
  const SourceText inside{"h/app/link.json",
                          fmt::format("[{},{},{},{}]", nic(21, 11, "eth0"), nic(22, 12, "eth1"), bond, vlan)};
  const Import imported = import_rows(
      {row(3, "br0", R"("linkinfo":{"info_kind":"bridge"})"), port(11, 21), port(12, 22)}, {inside});
  const model::Model m = model_of(imported);
  EXPECT_EQ(machine(m, "app").kind, model::MachineKind::kGuest);
  EXPECT_THAT(nics_of(m, bridge(m, "bond0")), ElementsAre("eth0", "eth1"));
  EXPECT_EQ(m[far_end(m, "bond0", "eth1")->bridge].name, "br0") << imported.site;
  EXPECT_EQ(station(m, "app:bond0").ip, (wire::Ipv4Prefix{*wire::parse_ipv4("10.0.0.9"), 24}));
  EXPECT_EQ(station(m, "app:bond0.10").ip, (wire::Ipv4Prefix{*wire::parse_ipv4("10.0.1.9"), 24}));
}

TEST(ImportBonds, AnActiveNicThatStaysIsFirstAndThereIsNoPrimary) {
  const model::Model m = model_of(import_rows(
      {bond_row(
           9, "bond0",
           R"("mode":"active-backup","primary":"eth0","primary_reselect":"failure","active_slave":"eth2")",
           address("10.0.0.1")),
       nic_row(1, "eth1", "bond0"), nic_row(2, "eth0", "bond0"), nic_row(3, "eth2", "bond0")}));
  EXPECT_THAT(nics_of(m, bridge(m, "bond0")), ElementsAre("eth2", "eth0", "eth1"));
  EXPECT_FALSE(bridge(m, "bond0").primary.valid());
}

// ---------------------------------------------------------------- odd ones

TEST(ImportBonds, WhatASiteFileCannotSayIsLeftOutWithItsPlace) {
  const std::string vlan = R"("link":"{}","linkinfo":{{"info_kind":"vlan","info_data":{{"id":7}}{}}},)";
  const Import imported = import_rows({
      bond_row(9, "bond0", R"("mode":"active-backup")"),
      nic_row(1, "eth0", "bond0"),
      row(2, "eth1", R"("master":"bond0",)" + address("10.9.0.1")),
      row(3, "eth0.7", fmt::format(fmt::runtime(vlan), "eth0", "") + address("10.7.0.1")),
      row(4, "eth5", ""),
      row(5, "eth5.7",
          R"("master":"bond0","link":"eth5","linkinfo":{"info_kind":"vlan","info_data":{"id":7}})"),
      nic_row(6, "eth6", "bond9"),
      bond_row(10, "new", R"("mode":"balance-best")", address("10.3.0.1")),
      nic_row(7, "eth7", "new"),
      bond_row(11, "empty", R"("mode":"balance-rr")", address("10.4.0.1")),
  });
  EXPECT_THAT(imported.left_out,
              testing::UnorderedElementsAre(
                  HasSubstr("h/link.json:3: the interface eth1: its address"),
                  HasSubstr("h/link.json:4: the interface eth0.7: a VLAN on eth0, which is in a bond"),
                  HasSubstr("h/link.json:6: the interface eth5.7, which is in bond0: only whole NICs"),
                  HasSubstr("h/link.json:7: the interface eth6: its bond bond9 is not in the export"),
                  HasSubstr("h/link.json:8: the bond new, whose mode is 'balance-best'")));
  const model::Model m = model_of(imported);
  EXPECT_THAT(nics_of(m, bridge(m, "bond0")), ElementsAre("eth0", "eth1"));
  // One without NICs, and one whose mode nobody knows, are a NIC each.
  EXPECT_TRUE(m[station(m, "h:empty").port].link.valid());
  EXPECT_TRUE(m[station(m, "h:new").port].link.valid());
}

TEST(ImportBonds, CirclesAndBondsInBondsLoad) {
  const std::string mode = R"("mode":"802.3ad")";
  for (const std::vector<std::string>& rows : {
           std::vector{bond_row(1, "a", mode, R"("master":"b")"), bond_row(2, "b", mode, R"("master":"a")")},
           std::vector{bond_row(1, "a", mode, R"("master":"a")"), nic_row(2, "eth0", "a")},
           std::vector{bond_row(1, "a", mode, R"("master":"b")"), bond_row(2, "b", mode),
                       nic_row(3, "eth0", "a"), nic_row(4, "eth1", "b")},
           std::vector{bond_row(1, "a.5", mode, address("10.0.0.1")), nic_row(3, "eth0.9", "a.5"),
                       nic_row(4, "a", "a.5")},
           std::vector{nic_row(3, "eth0", "eth0")},
       }) {
    const Import imported = import_rows(rows);
    EXPECT_FALSE(model_of(imported).machines.empty()) << imported.site;
  }
}

TEST(ImportBonds, NamesAndAddressesThatClashLoad) {
  const std::vector<std::string> rows = {
      bond_row(1, "bond0", R"("mode":"802.3ad")", address("10.0.0.1")),
      nic_row(2, "bond0.5", "bond0"),
      row(3, "bond0.7", R"("linkinfo":{"info_kind":"bridge"},)" + address("10.1.0.1")),
      bond_row(4, "bond1", R"("mode":"802.3ad")", address("10.0.0.1")),
      nic_row(5, "eth1", "bond1"),
      row(6, "eth1.7", address("10.2.0.1")),
      row(7, "tap1", R"("link":"bond1","linkinfo":{"info_kind":"macvtap"})"),
      row(8, "tap1.7", address("10.3.0.1")),
  };
  const std::string inside = fmt::format("[{}]", fmt::join(rows, ","));
  EXPECT_FALSE(model_of(import_rows(rows, {{"h/ct/link.json", inside}})).machines.empty());
}

// ---------------------------------------------------------------- there and back

// A machine with bonds, as the kernel would have it, told as iproute2 tells it: the site that comes out has
// the same.
TEST(ImportBonds, RandomMachinesAreWhatTheyWere) {
  struct Bond {
    BondMode mode{};
    model::HashPolicy hash{};
    std::vector<std::string> nics;  // the active one first
    std::string primary;
    bool has_address = false, has_bridge = false;
    std::optional<int> vlan;
    std::set<std::string> down;
  };
  constexpr std::string_view kPolicies[] = {"layer2", "layer2+3", "layer3+4"};
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    base::Random random(seed);
    std::map<std::string, Bond> bonds;
    std::vector<std::string> rows;
    int index = 1;
    for (std::uint64_t b = 0, count = 1 + random.below(3); b < count; ++b) {
      const std::string name = fmt::format("bond{}", b);
      Bond& bond = bonds[name];
      bond.mode = static_cast<BondMode>(random.below(7));
      const std::size_t policy = random.below(3);
      if (model::hashes(bond.mode)) bond.hash = static_cast<model::HashPolicy>(policy);
      std::string data =
          fmt::format(R"("mode":"{}","xmit_hash_policy":"{}")", to_text(bond.mode), kPolicies[policy]);
      for (std::uint64_t n = 0, nics = 1 + random.below(4); n < nics; ++n) {
        const std::string nic = fmt::format("eth{}", index);
        const bool is_down = random.below(4) == 0;
        if (is_down) bond.down.insert(nic);
        rows.push_back(nic_row(index++, nic, name, "", is_down ? "" : R"("UP")"));
        bond.nics.push_back(nic);
      }
      if (model::has_active(bond.mode) && random.below(2) == 0) {
        std::swap(bond.nics.front(), bond.nics[random.below(bond.nics.size())]);
        std::sort(bond.nics.begin() + 1, bond.nics.end(), [](const auto& x, const auto& y) {
          return std::pair(x.size(), x) < std::pair(y.size(), y);
        });
        data += fmt::format(R"(,"active_slave":"{}")", bond.nics.front());
        if (random.below(2) == 0) {
          bond.primary = bond.nics.front();
          data += fmt::format(R"(,"primary":"{}","primary_reselect":"always")", bond.primary);
        }
      }
      std::string more;
      bond.has_bridge = random.below(2) == 0;
      bond.has_address = !bond.has_bridge && random.below(2) == 0;
      if (bond.has_bridge) more = fmt::format(R"("master":"br{}")", b);
      if (bond.has_address) more = address(fmt::format("10.{}.0.1", b));
      rows.push_back(bond_row(index++, name, data, more));
      if (bond.has_bridge)
        rows.push_back(row(index++, fmt::format("br{}", b), R"("linkinfo":{"info_kind":"bridge"})"));
      if (!bond.has_bridge && random.below(2) == 0) {
        bond.vlan = 10 + static_cast<int>(b);
        rows.push_back(
            row(index++, fmt::format("v{}", b),
                fmt::format(R"("link":"{}","linkinfo":{{"info_kind":"vlan","info_data":{{"id":{}}}}},)", name,
                            *bond.vlan) +
                    address(fmt::format("10.{}.1.1", b))));
      }
    }
    for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[random.below(i)]);
    const Import imported = import_rows(rows);
    ASSERT_THAT(imported.left_out, IsEmpty()) << seed;
    const model::Model m = model_of(imported);
    for (const auto& [name, bond] : bonds) {
      const model::Bridge& found = bridge(m, name);
      ASSERT_EQ(found.bond_mode, bond.mode) << seed << imported.site;
      ASSERT_EQ(found.hash_policy, bond.hash) << seed << imported.site;
      ASSERT_EQ(nics_of(m, found), bond.nics) << seed << imported.site;
      ASSERT_EQ(found.primary.valid() ? m[found.primary].name : "", bond.primary) << seed << imported.site;
      ASSERT_EQ(!station(m, "h:" + name).ip.address.is_zero(), bond.has_address) << seed << imported.site;
      ASSERT_TRUE(!bond.vlan || station(m, fmt::format("h:{}.{}", name, *bond.vlan)).vlan == *bond.vlan);
      const bool is_used = bond.has_address || bond.has_bridge || bond.vlan;
      for (const std::string& nic : bond.nics)
        ASSERT_EQ(far_end(m, name, nic).has_value(), is_used && !bond.down.contains(nic))
            << seed << imported.site;
      const std::string above = "br" + name.substr(4);
      ASSERT_TRUE(!bond.has_bridge || nics_of(m, bridge(m, above)) == std::vector{name})
          << seed << imported.site;
    }
  }
}

}  // namespace
}  // namespace sekimori::importers
