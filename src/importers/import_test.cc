// Exports in, a site out: formats, what is left out, what is joined, what is assumed.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/random.h"
#include "importers/import_support.h"
#include "importers/test_support.h"

namespace sekimori::importers {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// With SEKIMORI_WRITE_GOLDEN=1 the golden files are written anew; what changed is for git diff to show.
void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = "tests/data/import/golden/" + name;
  if (std::getenv("SEKIMORI_WRITE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  EXPECT_EQ(text, read_text(path)) << path;
}

// ---------------------------------------------------------------- goldens

TEST(Import, FoldersGiveTheirGoldenSites) {
  int folders = 0;
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/import")) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name == "golden" || name == "make") continue;
    const Import imported = import(folder(entry.path().string()));
    std::string text = imported.site;
    for (const std::string& line : imported.left_out) text += "# left out: " + line + "\n";
    expect_golden(name + ".yaml", text);
    EXPECT_TRUE(parse_site(imported.site, name)) << name;
    ++folders;
  }
  EXPECT_GE(folders, 1);
}

// ---------------------------------------------------------------- this and other Linux machines

TEST(ImportLinux, ALanOfThreeMachinesIsWhatWasBuilt) {
  const model::Model m = model_of(import(folder("tests/data/import/lan")));
  const model::Bridge& server = bridge(m, "br0");
  EXPECT_EQ(server.kind, model::BridgeKind::kLinuxBridge);
  EXPECT_EQ(m.links.size(), 2u + 4u);  // two cables, three guests and the bridge's own interface
  EXPECT_EQ(station(m, "server:br0").ip, (wire::Ipv4Prefix{*wire::parse_ipv4("10.0.0.1"), 24}));
  EXPECT_EQ(station(m, "app:net0").mac, station(m, "app2:net0").mac);
  EXPECT_TRUE(machine(m, "app").running);
  EXPECT_FALSE(machine(m, "spare").running);
  EXPECT_THAT(notes(m), Contains(HasSubstr("suspect: server sends to 10.0.0.9")));
}

TEST(ImportLinux, AMachineIsNamedAfterItsFolderOrFile) {
  const std::string link =
      R"([{"ifindex":2,"ifname":"eth0","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:01"}])";
  EXPECT_EQ(import_text("exports/alpha/link.json", link).draft.machines.at(0).name, "alpha");
  EXPECT_EQ(import_text("exports/beta-ip-link.json", link).draft.machines.at(0).name, "beta");
  EXPECT_EQ(import_text("link.json", link).draft.machines.at(0).name, "host");
}

TEST(ImportLinux, AVlanInABridgeIsSplitOff) {
  const Import imported = import_text("h/link.json", R"([
    {"ifindex":2,"ifname":"eth0","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:01"},
    {"ifindex":3,"ifname":"br10","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:01",
     "linkinfo":{"info_kind":"bridge","info_data":{"ageing_time":30000}}},
    {"ifindex":4,"ifname":"eth0.10","link":"eth0","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:01",
     "master":"br10","linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":10},"info_slave_kind":"bridge"}}])");
  const model::Model m = model_of(imported);
  EXPECT_TRUE(bridge(m, "eth0-vlans").vlan_aware);
  EXPECT_THAT(imported.site, HasSubstr("- [h/eth0-vlans:to-br10, h/br10:eth0.10]"));
  EXPECT_THAT(notes(m), Contains(HasSubstr("takes the tags off")));
}

TEST(ImportLinux, WhatTheModelCannotSayIsLeftOutWithItsPlace) {
  const Import imported = import_text("h/link.json", R"([
    {"ifindex":3,"ifname":"br0","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:01",
     "linkinfo":{"info_kind":"bridge","info_data":{"ageing_time":30000}}},
    {"ifindex":4,"ifname":"vx7","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:02",
     "master":"br0","linkinfo":{"info_kind":"vxlan","info_slave_kind":"bridge"}},
    {"ifindex":5,"ifname":"eth9","flags":["UP"],"link_type":"ether","address":"01:00:5e:00:00:02"}])");
  EXPECT_THAT(
      imported.left_out,
      ElementsAre(HasSubstr("h/link.json:6: the MAC of h:eth9: '01:00:5e:00:00:02' is a group address"),
                  HasSubstr("h/link.json:4: the interface vx7: tunnels")));
  model_of(imported);
}

TEST(ImportLinux, TheTableOfABridgeShowsWhoIsBehindAnUnknownTap) {
  const SourceText sources[] = {
      {"h/link.json", R"([
    {"ifindex":3,"ifname":"br0","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:01",
     "linkinfo":{"info_kind":"bridge","info_data":{"ageing_time":0}}},
    {"ifindex":4,"ifname":"tap3","flags":["UP"],"link_type":"ether","address":"fe:00:00:00:00:09","master":"br0",
     "linkinfo":{"info_kind":"tun","info_slave_kind":"bridge","info_slave_data":{"learning":true,"isolated":true}}}])"},
      {"h/fdb.json",
       R"([{"mac":"02:00:00:00:00:09","ifname":"tap3","flags":[],"master":"br0","state":""}])"}};
  const model::Model m = model_of(import(sources));
  EXPECT_EQ(station(m, "behind-tap3:net0").mac, *wire::parse_mac("02:00:00:00:00:09"));
  EXPECT_EQ(bridge(m, "br0").ageing.count(), 0);
  EXPECT_THAT(notes(m), Contains(HasSubstr("behind-tap3 (02:00:00:00:00:09), learnt by h/br0 at tap3")));
}

// ---------------------------------------------------------------- libvirt

std::string domain(std::string_view interface, std::string_view name = "vm") {
  return fmt::format(
      "<domain type='kvm' id='3'><name>{}</name><uuid>u-{}</uuid><devices>{}</devices></domain>", name, name,
      interface);
}

TEST(ImportLibvirt, TheTestDriversDomainAndNetworkAreRead) {
  const SourceText sources[] = {
      {"virt/test.xml", domain("<interface type='network'><mac address='aa:bb:cc:dd:ee:ff'/><source "
                               "network='default'/></interface>")},
      {"virt/default.xml",
       "<network><name>default</name><forward mode='nat'/><bridge name='virbr0'/><ip address='192.168.122.1' "
       "netmask='255.255.255.0'/></network>"}};
  const model::Model m = model_of(import(sources));
  EXPECT_EQ(station(m, "vm:net0").mac, *wire::parse_mac("aa:bb:cc:dd:ee:ff"));
  EXPECT_EQ(bridge(m, "virbr0").machine, model::MachineId(0));
  EXPECT_THAT(notes(m), Contains(HasSubstr("The host virt is made up")));
}

// The words of its networks; one without an address can't be a router, and an isolated one is none.
TEST(ImportLibvirt, NetworksBehindTheHostAreRoutedOrTranslated) {
  const auto routing = [](std::string_view forward, std::string_view ip) {
    const SourceText sources[] = {
        {"virt/test.xml", domain("<interface type='network'><mac address='52:54:00:00:00:01'/><source "
                                 "network='default'/></interface>")},
        {"virt/default.xml",
         fmt::format("<network><name>default</name>{}<bridge name='virbr0'/>{}</network>", forward, ip)}};
    return bridge(model_of(import(sources)), "virbr0").routing;
  };
  const std::string_view ip = "<ip address='192.168.122.1' prefix='24'/>";
  EXPECT_EQ(routing("<forward mode='nat'/>", ip), model::Routing::kNat);
  EXPECT_EQ(routing("<forward/>", ip), model::Routing::kNat) << "the default";
  EXPECT_EQ(routing("<forward mode='route'/>", ip), model::Routing::kRouted);
  EXPECT_EQ(routing("<forward mode='open'/>", ip), model::Routing::kRouted);
  EXPECT_EQ(routing("<forward mode='nat'/>", ""), model::Routing::kNone);
  EXPECT_EQ(routing("", ip), model::Routing::kNone);
}

TEST(ImportLibvirt, TwoDomainsWithOneMacStayTwo) {
  const std::string nic =
      "<interface type='bridge'><mac address='52:54:00:00:00:09'/><source bridge='br0'/></interface>";
  const SourceText sources[] = {{"a/x.xml", domain(nic, "x")}, {"b/y.xml", domain(nic, "y")}};
  const model::Model m = model_of(import(sources));
  EXPECT_EQ(station(m, "x:net0").mac, station(m, "y:net0").mac);
  EXPECT_EQ(machine(m, "x").host, model::MachineId(index_of(m.machines, "a")));
}

TEST(ImportLibvirt, OneIdForTwoMachinesIsEvidenceForAClone) {
  const std::string one = "<domain><name>one</name><uuid>u</uuid></domain>",
                    two = "<domain><name>two</name><uuid>u</uuid></domain>";
  const SourceText sources[] = {{"a/1.xml", one}, {"a/2.xml", two}, {"a/3.xml", one}};
  const Import imported = import(sources);
  EXPECT_THAT(imported.left_out, ElementsAre(HasSubstr("a/3.xml:1: one is told twice; first in a/1.xml:1")));
  EXPECT_THAT(notes(model_of(imported)),
              Contains(HasSubstr("have the machine id u: one is a copy of the other")));
}

TEST(ImportLibvirt, EntitiesAreRefused) {
  const Import imported = import_text(
      "x/bomb.xml",
      "<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><domain><name>&b;</name></domain>");
  EXPECT_THAT(imported.left_out, ElementsAre(HasSubstr("declares a document type or entities")));
  EXPECT_THAT(imported.draft.machines, IsEmpty());
}

TEST(ImportLibvirt, WhatWasCompleteBeforeTheCutIsTaken) {
  const std::string whole = domain(
      "\n<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>"
      "\n<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/></interface>");
  const Import imported = import_text("x/vm.xml", whole.substr(0, whole.find("00:02'/>") + 8));
  ASSERT_EQ(imported.draft.machines.size(), 2u);
  EXPECT_EQ(imported.draft.machines[1].nics.size(), 1u);
  EXPECT_THAT(imported.left_out, ElementsAre(HasSubstr("x/vm.xml:3: the XML is damaged from here on")));
}

TEST(ImportLibvirt, DeepNestingDoesNoHarm) {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  const Import imported = import_text("x/deep.xml", "<domain><name>d</name>" + deep);
  EXPECT_THAT(imported.left_out, Contains(HasSubstr("damaged")));
}

TEST(ImportLibvirt, MacvtapsKeepTheirModeAndOneWithoutIsVepa) {
  const auto nic = [](std::string_view mode) {
    return domain(
        fmt::format("<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth0'{}/>"
                    "<vlan><tag id='7'/></vlan></interface>",
                    mode));
  };
  const model::Model told = model_of(import_text("h/a.xml", nic(" mode='bridge'")));
  EXPECT_EQ(bridge(told, "macvlan-eth0").kind, model::BridgeKind::kMacvlan);
  EXPECT_EQ(bridge(told, "macvlan-eth0").macvlan_mode, model::MacvlanMode::kBridge);
  EXPECT_THAT(notes(told), Contains(HasSubstr("The VLANs of vm:net0 are not told to h/macvlan-eth0")));
  EXPECT_EQ(bridge(model_of(import_text("h/a.xml", nic(""))), "macvlan-eth0").macvlan_mode,
            model::MacvlanMode::kVepa);
}

// The fault of an SR-IOV NIC with a software bridge on its physical function comes out of the exports.
TEST(ImportLibvirt, AVirtualFunctionIsOnTheNicThatHasItsAddressAndABridgeThereIsOnThePhysicalFunction) {
  const SourceText sources[] = {
      {"h/link.json", R"([
    {"ifindex":2,"ifname":"ens1","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:01","master":"br0",
     "linkinfo":{"info_slave_kind":"bridge"},
     "vfinfo_list":[{"vf":0,"link_type":"ether","address":"52:54:00:00:00:09"}]},
    {"ifindex":3,"ifname":"ens2","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:02",
     "vfinfo_list":[{"vf":0,"link_type":"ether","address":"52:54:00:00:00:08"}]},
    {"ifindex":4,"ifname":"br0","flags":["UP"],"link_type":"ether","address":"02:00:00:00:00:01",
     "linkinfo":{"info_kind":"bridge"}}])"},
      {"h/addr.json", R"([{"ifindex":4,"ifname":"br0","flags":["UP"],"link_type":"ether",
     "address":"02:00:00:00:00:01","linkinfo":{"info_kind":"bridge"},
     "addr_info":[{"family":"inet","local":"10.0.0.1","prefixlen":24}]}])"},
      {"h/fast.xml",
       domain("<interface type='hostdev'><mac address='52:54:00:00:00:09'/></interface>", "fast")},
      {"h/old.xml", domain("<interface type='bridge'><mac address='52:54:00:00:00:0a'/><source bridge='br0'/>"
                           "</interface>",
                           "old")}};
  const Import imported = import(sources);
  const model::Model m = model_of(imported);
  EXPECT_EQ(bridge(m, "vfs-ens1").kind, model::BridgeKind::kSriov);
  EXPECT_THAT(imported.site, HasSubstr("[h/vfs-ens1:to-br0, h/br0:pf]"));
  EXPECT_THAT(imported.site, HasSubstr("net0: {on: vfs-ens1"));
  EXPECT_EQ(station(m, "h:br0").mac, *wire::parse_mac("02:00:00:00:00:01"));
}

// ---------------------------------------------------------------- Open vSwitch

std::vector<SourceText> ovs_with(std::string flows) {
  std::vector<SourceText> texts = folder("tests/data/import/ovs");
  for (SourceText& source : texts) {
    if (source.name.ends_with("ovs-flows-br0.txt")) source.text = std::move(flows);
  }
  return texts;
}

TEST(ImportOvs, FlowsComeInTheOrderOfTheirPriority) {
  const Import imported = import(ovs_with(
      " cookie=0x0, duration=8s, table=0, n_packets=6, priority=5,in_port=LOCAL actions=NORMAL,output:1\n"
      " cookie=0x0, duration=8s, table=1, n_packets=6, priority=99 actions=drop\n"
      " cookie=0x0, duration=8s, table=0, priority=7,ip,in_port=\"eth0\",dl_dst=02:00:00:00:02:03 "
      "actions=output:\"veth-pod1\",LOCAL\n"));
  EXPECT_THAT(imported.site,
              HasSubstr("flows:\n"
                        "          - {in-port: eth0, mac: \"02:00:00:00:02:03\", type: ip, output: "
                        "[pod1:net0, LOCAL]}  # tests/data/import/ovs/node/ovs-flows-br0.txt:3\n"
                        "          - {in-port: LOCAL, output: [pod1:net0, normal]}  # "
                        "tests/data/import/ovs/node/ovs-flows-br0.txt:1\n"
                        "          - {output: []}"));
  EXPECT_EQ(bridge(model_of(imported), "br0").flow_rules.size(), 3u);
}

TEST(ImportOvs, WhatASiteFileCannotSayOfFlowsIsAssumed) {
  const Import imported =
      import(ovs_with(" table=0, priority=9,tcp,tp_dst=80 actions=output:1\n"
                      " table=0, priority=8,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=FLOOD\n"
                      " table=0, priority=7,in_port=2 actions=mod_vlan_vid:5,output:1\n"
                      " table=0, priority=6,in_port=77 actions=drop\n"
                      " table=0, priority=0 actions=resubmit(,1)\n"));
  const model::Model m = model_of(imported);
  EXPECT_EQ(bridge(m, "br0").flow_rules.size(), 0u);
  EXPECT_THAT(notes(m), Contains(HasSubstr("4 flows of node/br0 (the first: tests/data/import/ovs/node/"
                                           "ovs-flows-br0.txt:1)")));
  EXPECT_THAT(imported.left_out, Contains(HasSubstr("nothing is known behind 77")));
}

// ---------------------------------------------------------------- hypervisors of VMware and Microsoft

TEST(ImportHypervisor, VswitchesHaveTheirUplinksTeamingAndPolicies) {
  const model::Model m = model_of(import(folder("tests/data/import/vsphere")));
  const model::Bridge& standard = bridge(m, "vSwitch0");
  EXPECT_EQ(standard.kind, model::BridgeKind::kEsxi);
  EXPECT_EQ(standard.teaming, model::Teaming::kMacHash);
  EXPECT_FALSE(standard.notify_switches);
  EXPECT_EQ(bridge(m, "dvs1").teaming, model::Teaming::kIpHash);
  EXPECT_EQ(station(m, "esx1.example.com:vmnic0").ip.address, *wire::parse_ipv4("10.3.0.1"));
  const auto plug = [&](std::string_view nic) { return m[model::peer(m, station(m, nic).port)]; };
  EXPECT_EQ(plug("web:Network-adapter-1").pvid, 10);
  EXPECT_FALSE(plug("web:Network-adapter-1").forged_transmits);
  EXPECT_TRUE(plug("nested:Network-adapter-1").promiscuous);
  EXPECT_TRUE(plug("nested:Network-adapter-1").forged_transmits);
  EXPECT_TRUE(plug("db:Network-adapter-1").forged_transmits);
  EXPECT_EQ(plug("db:Network-adapter-1").pvid, 20);
  EXPECT_THAT(notes(m),
              Contains(HasSubstr("db-copy (tests/data/import/vsphere/RVTools_tabvNetwork.csv:5) have "
                                 "the machine id 42070000-0000-4000-8000-000000000103")));
  EXPECT_EQ(bridge(m, "External").kind, model::BridgeKind::kHyperV);
  EXPECT_TRUE(plug("router:Network-Adapter").forged_transmits);
  EXPECT_FALSE(plug("client:Network-Adapter").forged_transmits);
}

// ---------------------------------------------------------------- texts as they come

TEST(ImportText, Utf16ByteOrderMarksAndLatin1AreRead) {
  const std::string text = domain("", "vm1");
  std::string wide = "\xff\xfe";
  for (const char c : text) wide += std::string(1, c) + '\0';
  std::string wide_big = "\xfe\xff";
  for (const char c : text) wide_big += std::string(1, '\0') + c;
  for (const std::string& bytes : {wide, wide_big, "\xef\xbb\xbf" + text}) {
    const Import imported = import_text("x/vm.xml", bytes);
    ASSERT_EQ(imported.draft.machines.size(), 2u);
    EXPECT_EQ(imported.draft.machines[1].name, "vm1");
  }
  EXPECT_EQ(import_text("x/vm.xml", domain("", "caf\xe9")).draft.machines.at(1).name, "caf\xc3\xa9");
}

TEST(ImportText, BinaryAndUnknownFilesAreToldWhenNamed) {
  EXPECT_THAT(import_text("a.bin", std::string("\x7f"
                                               "ELF\0\1",
                                               6))
                  .left_out,
              ElementsAre(HasSubstr("a.bin: byte 0x00")));
  EXPECT_THAT(import_text("a.txt", "hello").left_out, ElementsAre(HasSubstr("no format that is known")));
  EXPECT_THAT(import_text("a.txt", " \n").left_out, ElementsAre(HasSubstr("it is empty")));
  const SourceText passed_over[] = {{"f/notes.txt", "hello", false}};
  EXPECT_THAT(import(passed_over).left_out, IsEmpty());
}

TEST(ImportText, HalfWrittenJsonKeepsWhatIsComplete) {
  const std::string whole = read_text("tests/data/import/lan/sw1/link.json");
  const Import imported = import_text("sw1/link.json", whole.substr(0, whole.find("\"p2\"") + 4));
  ASSERT_EQ(imported.draft.machines.size(), 1u);
  EXPECT_THAT(imported.left_out,
              ElementsAre(HasSubstr("it ends too early; what was complete before is taken")));
  model_of(imported);
}

TEST(ImportText, NamesThatASiteFileCannotHaveAreChanged) {
  const Import imported = import_text("x/vm.xml", domain("<interface type='user'/>", "my vm: a/b\t&#x202e;"));
  const model::Model m = model_of(imported);
  EXPECT_EQ(m.machines.at(1).name.find_first_of(":/ \t"), std::string::npos);
}

// Whatever is done to an export, the site that comes out loads.
TEST(ImportText, DamagedExportsGiveSitesThatLoad) {
  std::vector<SourceText> all;
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/import")) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name == "golden" || name == "make") continue;
    std::ranges::move(folder(entry.path().string()), std::back_inserter(all));
  }
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    base::Random random(seed);
    std::vector<SourceText> sources;
    for (int i = 0; i < 6; ++i) sources.push_back(all[random.below(all.size())]);
    for (SourceText& source : sources) {
      for (std::uint64_t n = random.below(4); n > 0 && !source.text.empty(); --n) {
        const std::size_t at = random.below(source.text.size());
        switch (random.below(4)) {
          case 0:
            source.text.resize(at);
            break;
          case 1:
            source.text[at] = static_cast<char>(random.below(256));
            break;
          case 2:
            source.text.erase(at, random.below(40));
            break;
          default:
            source.text.insert(at, source.text.substr(random.below(source.text.size()), random.below(60)));
        }
      }
    }
    const Import imported = import(sources);
    const auto model = parse_site(imported.site, "imported");
    ASSERT_TRUE(model || imported.draft.machines.empty())
        << "seed " << seed << "\n"
        << (model ? "" : model.error().text()) << imported.site;
  }
}

}  // namespace
}  // namespace sekimori::importers
